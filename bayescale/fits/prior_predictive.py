"""What a law's prior expects, before it has seen a run."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale import checks
from bayescale.laws import REAL_RUNS, SMALLEST_VALUE, Law, get_law, reference_units, unit_columns
from bayescale.values import FrozenMapping, Value

DRAWS = 1000
POINTS = 60
DECADES = 2.0
"""Powers of ten from the typical run to either end of a column."""

UNKNOWN = (1e2, 1e6)
"""The range of a column that real runs say nothing about."""


@dataclass(frozen=True, eq=False, repr=False)
class PriorPredictive(Value):
    """A law under its prior, along each of its columns, the others at a typical run.

    Attributes
    ----------
    law : Law
        The law.
    points : mapping of str to numpy.ndarray
        Values of each column (point,).
    ratio : mapping of str to numpy.ndarray
        The law over the typical response (draw, point), without the noise of single runs.
    """

    law: Law
    points: Mapping[str, np.ndarray]
    ratio: Mapping[str, np.ndarray]


@checks.kinds
def prior_predictive(law: str | Law, *, random_seed: int = 0) -> PriorPredictive:
    """Return what the prior of a law expects along each of its columns.

    Parameters
    ----------
    law : str or Law
        The law.
    random_seed : int
        Seed of the 1000 draws.
    """
    from bayescale.fits.sampling import sample_prior  # noqa: PLC0415  (imports PyMC)

    law = get_law(law)
    prior = sample_prior(law, 1.0, DRAWS, random_seed)
    draws = {name: prior[name].to_numpy().reshape(-1, 1) for name in law.parameters}
    points = {name: _span(name) for name in law.covariates}
    ratio = {name: _ratio(law, name, points[name], draws) for name in points}
    return PriorPredictive(law, FrozenMapping(points), FrozenMapping(ratio))


def _typical(name: str) -> float:
    low, high = REAL_RUNS.get(name, UNKNOWN)
    return float(np.sqrt(low * high))


def _span(name: str) -> np.ndarray:
    low, high = REAL_RUNS.get(name, UNKNOWN)
    middle, factor = _typical(name), 10.0**DECADES
    return np.geomspace(max(low, middle / factor), min(high, middle * factor), POINTS)


def _ratio(law: Law, name: str, x: np.ndarray, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the law along one column over the typical response (draw, point), at reference scale."""
    typical = {each: _typical(each) for each in unit_columns(law)}
    reference = reference_units(law, typical)
    points: dict[str, float | np.ndarray] = {**typical, name: x}
    values = law.loss(**{each: points[each] / reference[each] for each in law.covariates}, **draws)
    return np.asarray(np.maximum(np.broadcast_to(np.asarray(values), (DRAWS, POINTS)), SMALLEST_VALUE))
