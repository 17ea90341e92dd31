"""The built-in laws, listed by hand."""

import difflib

from bayescale.errors import InputError
from bayescale.laws.base import (
    EXTRA_DEGREES,
    NOISE_PRIORS,
    NOISE_SCALE,
    SMALLEST_VALUE,
    Law,
    Prior,
    Quantity,
    Share,
    law_record,
    priors_from_record,
    priors_record,
    published_scale,
)
from bayescale.laws.chinchilla import CHINCHILLA
from bayescale.laws.compute_floor import COMPUTE_FLOOR
from bayescale.laws.compute_power import COMPUTE_POWER
from bayescale.laws.guo_compute import GUO_COMPUTE
from bayescale.laws.kaplan_n import KAPLAN_N
from bayescale.laws.kaplan_nd import KAPLAN_ND
from bayescale.laws.tilt import TILT

LAWS = {law.name: law for law in (GUO_COMPUTE, COMPUTE_POWER, COMPUTE_FLOOR, TILT, KAPLAN_N, KAPLAN_ND, CHINCHILLA)}

__all__ = [
    "EXTRA_DEGREES",
    "LAWS",
    "NOISE_PRIORS",
    "NOISE_SCALE",
    "SMALLEST_VALUE",
    "Law",
    "Prior",
    "Quantity",
    "Share",
    "get_law",
    "law_record",
    "list_laws",
    "priors_from_record",
    "priors_record",
    "published_scale",
]


def get_law(law: str | Law) -> Law:
    """Return a law given by name, or the law itself.

    Raises
    ------
    InputError
        If there is no law of that name.
    """
    if isinstance(law, Law):
        return law
    if law in LAWS:
        return LAWS[law]
    near = difflib.get_close_matches(law, LAWS, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise InputError(f"unknown law '{law}': {hint}the built-in laws are {', '.join(LAWS)}; or pass a Law of your own")


def list_laws() -> list[dict[str, object]]:
    """Return name, covariates, response, parameters, formula and reference of each built-in law."""
    return [
        {
            "name": law.name,
            "covariates": list(law.covariates),
            "response": " or ".join(law.responses),
            "parameters": list(law.parameters),
            "formula": law.formula,
            "reference": law.reference,
        }
        for law in LAWS.values()
    ]
