"""What ``check`` and ``laws`` tell, as plain data: what needs no fit, and neither PyMC nor ArviZ."""

from typing import TYPE_CHECKING, Any

import bayescale as bs
from bayescale.errors import InputError
from bayescale.laws import get_law, list_laws

if TYPE_CHECKING:
    from bayescale.runs import RunTable

SPLIT_LAW = "chinchilla"
"""The law whose identifiability ``check`` tells."""


def law_details(name: str) -> dict[str, Any]:
    """Return a law's entry in the list of laws, and its priors and published values."""
    from bayescale.runs.headers import MEANINGS  # noqa: PLC0415  (pandas, which the list does not need)

    law = get_law(name)
    entry = next(entry for entry in list_laws() if entry["name"] == law.name)
    published = {
        source: {**values, **(law.derived(**values) if law.derived else {})} for source, values in law.published.items()
    }
    return {
        **entry,
        "columns": {column: MEANINGS.get(column, "a column of your own") for column in law.covariates},
        "priors": {each: str(prior) for each, prior in law.priors.items()},
        "published": published,
        "units": dict(law.units),
        "examples": [
            {"source": example.source or "made-up parameters", "at": dict(example.at), "value": example.value}
            for example in law.examples
        ],
    }


def check_record(table: "RunTable") -> dict[str, Any]:
    """Return what a table can identify, and all there is to say of it."""
    from bayescale.runs import description_record  # noqa: PLC0415  (pandas, which laws do not need)

    return {
        "schema": "bayescale/check/1",
        "usable": True,
        "name": table.name,
        "compute": table.compute,
        **description_record(bs.describe(table)),
        "identifiability": _identifiability(table),
        "notes": list(table.notes),
        "faults": [],
    }


def _identifiability(table: "RunTable") -> dict[str, Any] | None:
    """Return what the runs will tell of the law that is fitted to split compute; None where it does not apply."""
    from bayescale.designs.identifiability import identifiability_record, identify  # noqa: PLC0415  (pandas)

    law = get_law(SPLIT_LAW)
    if table.response not in law.responses or not set(law.covariates) <= set(table.frame):
        return None
    return identifiability_record(identify(table, law))


def faults_record(error: InputError) -> dict[str, Any]:
    """Return why a table cannot be used."""
    return {"schema": "bayescale/check/1", "usable": False, "faults": list(error.faults)}
