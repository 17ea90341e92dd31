"""The built-in laws, listed by hand."""

import difflib
from functools import cache
from importlib.metadata import entry_points

from bayescale.errors import InputError
from bayescale.laws.adaptive_shape import ADAPTIVE_SHAPE
from bayescale.laws.bnsl import BNSL
from bayescale.laws.bnsl_two import BNSL_TWO
from bayescale.laws.bounded import BOUNDED
from bayescale.laws.chinchilla import CHINCHILLA
from bayescale.laws.compress import COMPRESS
from bayescale.laws.compute_floor import COMPUTE_FLOOR
from bayescale.laws.compute_power import COMPUTE_POWER
from bayescale.laws.data_constrained import DATA_CONSTRAINED
from bayescale.laws.datastore import DATASTORE
from bayescale.laws.dmft import DMFT
from bayescale.laws.droppo_elibol import DROPPO_ELIBOL
from bayescale.laws.ensemble import ENSEMBLE
from bayescale.laws.farseer import FARSEER
from bayescale.laws.given import (
    Given,
    given_record,
    laws_with_priors,
    parse_given,
    read_prior,
    with_priors,
    without_given,
)
from bayescale.laws.groups import group_of
from bayescale.laws.guo_compute import GUO_COMPUTE
from bayescale.laws.identity import law_record, priors_from_record, priors_record
from bayescale.laws.isoflop import ISOFLOP
from bayescale.laws.kaplan_d import KAPLAN_D
from bayescale.laws.kaplan_n import KAPLAN_N
from bayescale.laws.kaplan_nd import KAPLAN_ND
from bayescale.laws.kaplan_ns import KAPLAN_NS
from bayescale.laws.law import (
    EXTRA_DEGREES,
    NOISE_PRIORS,
    NOISE_SCALE,
    SMALLEST_VALUE,
    Example,
    Law,
    Prior,
    Quantity,
    Share,
)
from bayescale.laws.loss_to_error import LOSS_TO_ERROR
from bayescale.laws.lr_anneal import LR_ANNEAL
from bayescale.laws.m1 import M1
from bayescale.laws.m2 import M2
from bayescale.laws.m3 import M3
from bayescale.laws.m4 import M4
from bayescale.laws.moe_granular import MOE_GRANULAR
from bayescale.laws.multi_power import MULTI_POWER
from bayescale.laws.nonembedding import NONEMBEDDING
from bayescale.laws.overtrain import OVERTRAIN
from bayescale.laws.precision import PRECISION
from bayescale.laws.precision_post import PRECISION_POST
from bayescale.laws.routed import ROUTED
from bayescale.laws.routed_separable import ROUTED_SEPARABLE
from bayescale.laws.scales import (
    REAL_RUNS,
    in_ones,
    published_scale,
    real_range,
    reference_scale,
    reference_units,
    unit_columns,
)
from bayescale.laws.three_term import THREE_TERM
from bayescale.laws.tilt import TILT
from bayescale.laws.time_size import TIME_SIZE
from bayescale.laws.vocabulary import VOCABULARY

LAWS = {
    law.name: law
    for law in (
        GUO_COMPUTE,
        COMPUTE_POWER,
        COMPUTE_FLOOR,
        TILT,
        KAPLAN_N,
        KAPLAN_ND,
        CHINCHILLA,
        ISOFLOP,
        KAPLAN_D,
        KAPLAN_NS,
        DATA_CONSTRAINED,
        MOE_GRANULAR,
        DATASTORE,
        DMFT,
        TIME_SIZE,
        ADAPTIVE_SHAPE,
        DROPPO_ELIBOL,
        ENSEMBLE,
        COMPRESS,
        OVERTRAIN,
        LOSS_TO_ERROR,
        BNSL,
        BNSL_TWO,
        M1,
        M2,
        M3,
        M4,
        ROUTED,
        ROUTED_SEPARABLE,
        VOCABULARY,
        PRECISION,
        PRECISION_POST,
        LR_ANNEAL,
        MULTI_POWER,
        FARSEER,
        NONEMBEDDING,
        BOUNDED,
        THREE_TERM,
    )
}

__all__ = [
    "EXTRA_DEGREES",
    "LAWS",
    "NOISE_PRIORS",
    "NOISE_SCALE",
    "REAL_RUNS",
    "SMALLEST_VALUE",
    "Example",
    "Given",
    "Law",
    "Prior",
    "Quantity",
    "Share",
    "get_law",
    "given_record",
    "in_ones",
    "known_laws",
    "law_record",
    "laws_with_priors",
    "list_laws",
    "parse_given",
    "priors_from_record",
    "priors_record",
    "published_scale",
    "read_prior",
    "real_range",
    "reference_scale",
    "reference_units",
    "unit_columns",
    "with_priors",
    "without_given",
]


ENTRY_POINTS = "bayescale.laws"
"""Group of entry points through which another package offers a law of its own: ``my_law = "package.module:MY_LAW"``."""


@cache
def known_laws() -> dict[str, Law]:
    """Return the built-in laws and those of installed packages, by name.

    Raises
    ------
    InputError
        If a package offers something that is no law, or a law under the name of another.
    """
    laws = dict(LAWS)
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            law = entry.load()
        except Exception as error:
            raise InputError(
                f"{entry.value}: the package's law cannot be loaded ({error}); mend or remove it"
            ) from error
        if not isinstance(law, Law):
            raise InputError(f"{entry.value}: expected a bayescale.Law, found {type(law).__name__}; mend or remove it")
        if law.name in laws:
            raise InputError(f"{entry.value}: there is a law called '{law.name}' already; rename or remove this one")
        laws[law.name] = law
    return laws


def get_law(law: str | Law) -> Law:
    """Return a law given by name, or the law itself.

    Raises
    ------
    InputError
        If there is no law of that name.
    """
    if isinstance(law, Law):
        return law
    if law in LAWS:  # whatever the laws of other packages are like
        return LAWS[law]
    laws = known_laws()
    if law in laws:
        return laws[law]
    near = difflib.get_close_matches(law, laws, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise InputError(f"unknown law '{law}': {hint}the laws are {', '.join(laws)}; or pass a Law of your own")


def list_laws() -> list[dict[str, object]]:
    """Return name, group, covariates, responses, parameters, formula and reference of each law that can be named."""
    return [
        {
            "name": law.name,
            "group": group_of(law),
            "covariates": list(law.covariates),
            "response": " or ".join(law.responses),
            "responses": list(law.responses),
            "parameters": list(law.parameters),
            "formula": law.formula,
            "reference": law.reference,
            "unverified": law.unverified,
        }
        for law in known_laws().values()
    ]
