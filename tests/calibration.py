"""Tables drawn from any law's prior on the design that identifies it, refitted, and the truth ranked among the draws.

``tests/simulation.py`` does the same for the laws of N, D and C, on a design of its own.
"""

from dataclasses import dataclass

import numpy as np
import recovery_first
import recovery_founding
import recovery_other
from scipy import stats

from bayescale.fits import sampling
from bayescale.fits.draws import Draws
from bayescale.fits.fit import reference_values
from bayescale.fits.settings import Settings
from bayescale.laws import LAWS, SMALLEST_VALUE, Law

CASES = {**recovery_first.CASES, **recovery_founding.CASES, **recovery_other.CASES}

UNIT = 3.0
"""Typical response of every simulated table, fixed: a prior must be there before the data."""

SHORT = {"draws": 300, "tune": 500, "chains": 2}
RANKED = 99
"""Draws the truth is ranked among: every sixth, nearly independent."""

INTERVAL = 0.9


@dataclass(frozen=True)
class Calibration:
    """What many simulated tables tell of the posterior of a law.

    Attributes
    ----------
    places : dict of str to numpy.ndarray
        Place of the truth among the draws, 0 to 1, of each quantity (table,).
    inside : dict of str to numpy.ndarray
        Whether the 90% interval holds it (table,).
    divergent : int
        Tables with a divergent transition.
    """

    places: dict[str, np.ndarray]
    inside: dict[str, np.ndarray]
    divergent: int

    def p_values(self):
        """Return the p-value of uniform places of each quantity (Kolmogorov-Smirnov)."""
        return {name: float(stats.kstest(places, "uniform").pvalue) for name, places in self.places.items()}

    def coverage(self):
        """Return the part of the tables whose interval holds the truth, of each quantity."""
        return {name: float(inside.mean()) for name, inside in self.inside.items()}


def calibrate(name: str, tables: int, seed: int, damage=None) -> Calibration:
    """Draw parameters of a law from its prior, simulate a table with each, refit it, and rank the truth.

    ``damage`` changes the draws of every posterior before they are looked at.
    """
    law, rng = LAWS[name], np.random.default_rng(seed)
    prior = {str(key): values.to_numpy()[0] for key, values in sampling.sample_prior(law, UNIT, tables, seed).items()}
    model = _Model(law)
    places, inside, divergent = {}, {}, 0
    for i in range(tables):
        truth = {key: values[i : i + 1] for key, values in prior.items()}
        center = model.log_center(truth)[0]
        log_response = center + truth["sigma"] * rng.standard_t(truth["nu"], size=center.size)
        draws, statistics = model.sample(log_response, seed + i)
        divergent += int(statistics["diverging"].sum() > 0)
        draws = damage(draws) if damage else draws
        known = model.quantities(truth, log_response)
        for key, values in model.quantities(draws, log_response).items():
            few = values[np.linspace(0, values.size - 1, RANKED).round().astype(int)]
            places.setdefault(key, []).append((np.sum(few < known[key]) + rng.random()) / (RANKED + 1))
            low, high = np.quantile(values, [0.5 - INTERVAL / 2, 0.5 + INTERVAL / 2], method="weibull")
            inside.setdefault(key, []).append(low <= known[key][0] <= high)
    return Calibration(*({key: np.array(v) for key, v in found.items()} for found in (places, inside)), divergent)


class _Model:
    """A law on its design."""

    def __init__(self, law: Law) -> None:
        self.law, frame = law, CASES[law.name].design
        self.columns = {name: frame[name].to_numpy(dtype=float) for name in law.covariates}
        self.reference = reference_values(frame.assign(response=UNIT), "response", law)

    def log_center(self, values):
        center = Draws(self.law, values, self.reference).value(self.columns)
        return np.log(np.maximum(center, SMALLEST_VALUE * UNIT))

    def sample(self, log_response, seed):
        scaled = {name: values / self.reference[name] for name, values in self.columns.items()}
        data = {**scaled, "log_response": log_response, "loss_unit": np.asarray(UNIT)}
        settings = Settings(**SHORT, random_seed=seed)
        posterior, statistics = sampling._sample_once(self.law, data, settings, sampling.ATTEMPTS[0])
        return {str(key): values.to_numpy().ravel() for key, values in posterior.items()}, statistics

    def quantities(self, values, log_response):
        """Return the parameters, the noise and the log likelihood of the table (draw,)."""
        density = stats.t.logpdf(
            log_response, df=values["nu"][:, None], loc=self.log_center(values), scale=values["sigma"][:, None]
        )
        return {**values, "log_likelihood": density.sum(axis=1)}
