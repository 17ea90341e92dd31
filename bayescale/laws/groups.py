"""What a law is about, by its columns: the groups in which laws are listed."""

from collections.abc import Mapping

from bayescale.laws.law import Law

BY_COLUMN: Mapping[str, str] = {
    "unique_tokens": "Repeated data",
    "experts": "Experts and routing",
    "granularity": "Experts and routing",
    "bits_weights": "Precision and compression",
    "kept": "Precision and compression",
    "lr_sum": "Learning-rate schedules",
    "steps": "Steps and batches",
    "vocabulary": "Vocabulary, retrieval and ensembles",
    "datastore_tokens": "Vocabulary, retrieval and ensembles",
    "members": "Vocabulary, retrieval and ensembles",
    "loss": "From loss to error",
}
"""The column that puts a law into a group."""

BY_SET: Mapping[frozenset[str], str] = {
    frozenset({"C"}): "Compute alone",
    frozenset({"N"}): "Size and data",
    frozenset({"N", "D"}): "Size and data",
    frozenset({"D"}): "Data alone: learning curves",
}
"""The group of laws of these columns and no others."""

OTHER = "Other columns"
ORDER = tuple(dict.fromkeys([*BY_SET.values(), *BY_COLUMN.values(), OTHER]))
"""Groups in the order in which they are listed."""


def group_of(law: Law) -> str:
    """Return the group that a law is listed in."""
    columns = frozenset(law.covariates)
    found = (BY_COLUMN[name] for name in BY_COLUMN if name in columns)
    return BY_SET.get(columns) or next(found, OTHER)
