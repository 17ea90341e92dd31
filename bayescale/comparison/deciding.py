"""find_deciding_runs: the fewest and cheapest runs that are expected to decide whether the split matters."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from bayescale.comparison.odds import Lead, bounded, calibration
from bayescale.comparison.ranking import Difference
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.laws.measured import sizes
from bayescale.splits.optimum import loss_on_budget
from bayescale.values import Value
from bayescale.words import chance, count_text, percent, short

SURE = 0.95
"""Probability that decides whether the split matters, and 0.05 that it does not."""

WIDEST = 16.0
"""D/N of the runs that would decide go from a typical run's divided by so much to as many times it: N 4 times off."""

BUDGETS = (0.1, 0.5, 0.9)
"""Quantiles of the runs' compute at which runs that would decide are looked for."""

FEWEST, MOST = 4, 200
"""Runs of one budget that are looked at."""

LISTED = 6
"""So many runs are listed one by one."""

THINNED = 200
"""Draws of the law of N and D that the expected gain is computed for."""


@dataclass(frozen=True, eq=False, repr=False)
class DecidingRuns(Value):
    """Runs of one recipe and one compute whose sizes differ, that are expected to decide whether the split matters.

    Attributes
    ----------
    N, D : numpy.ndarray
        Parameters and tokens (run,).
    flops : float
        Compute of each, in FLOP.
    part : float
        What all of them take, as a part of what the table's runs took.
    if_matters, if_not : float
        Probability that the split matters that is expected with them, if it does and if it does not.
    """

    N: np.ndarray
    D: np.ndarray
    flops: float
    part: float
    if_matters: float
    if_not: float

    @property
    def sentence(self) -> str:
        """The runs, what they cost and what to expect of them."""
        pairs = [f"N = {count_text(n, 2)} with D = {count_text(d, 2)}" for n, d in zip(self.N, self.D, strict=True)]
        shown = ", ".join(pairs) if len(pairs) <= LISTED else f"{pairs[0]} to {pairs[-1]}, evenly in ln N"
        cost = f"{short(self.flops * len(self.N))} FLOP in all, {percent(self.part, 2)} of what these runs took"
        ends = f"{chance(self.if_matters)} if it does and to {chance(self.if_not)} if it does not"
        return (
            f"{len(self.N)} runs of one recipe at {short(self.flops)} FLOP each ({cost}): {shown}; expected to take "
            f"the probability that the split matters to {ends}"
        )

    def _lines(self) -> list[str]:
        return [self.sentence]


def find_deciding_runs(fitted: Fit, diff: Difference | None) -> DecidingRuns | None:
    """Return the cheapest runs of one compute that are expected to decide; None where so many runs of it would not.

    A run whose log loss the best law of N and D expects ``d`` away from a law of compute alone (which is free to move
    with the mean of the new runs) adds ``d**2 / 2`` times the information of one run to the difference of the laws if
    the split matters, and takes as much if it does not, with twice that as variance.

    Parameters
    ----------
    fitted : Fit
        The best law of N and D.
    diff : Difference or None
        What the table says already: compute less split. None where it says nothing of the split.
    """
    found = [each for flops in _budgets(fitted) if (each := _at(fitted, diff, flops)) is not None]
    return min(found, key=lambda each: each.part, default=None)


def _budgets(fitted: Fit) -> np.ndarray:
    return np.unique(np.quantile(fitted.runs.frame["C"], BUDGETS))


def _at(fitted: Fit, diff: Difference | None, flops: float) -> DecidingRuns | None:
    """Return the fewest runs of one budget that are expected to decide, if there are some."""
    typical = np.log(fitted.reference["D"] / fitted.reference["N"])
    wide = np.log(WIDEST)
    draws = fitted.draws.take(np.unique(evenly_spaced(THINNED, fitted.draws.count)))
    sigma, nu = draws["sigma"], draws["nu"]
    information = (nu + 1) / (nu + 3) / sigma**2  # of one run of Student t noise on its centre
    for count in np.unique(np.geomspace(FEWEST, MOST, 40).round().astype(int)):
        log_ratio = typical + np.linspace(wide, -wide, count)
        log_loss = np.log(loss_on_budget(draws, np.full(count, flops), log_ratio))
        away = log_loss - log_loss.mean(axis=1, keepdims=True)
        gain = float(np.median(0.5 * information * np.square(away).sum(axis=1)))
        expected = [_expected(sign * gain, 2 * gain, int(count), diff) for sign in (1, -1)]
        if expected[0] >= SURE and expected[1] <= 1 - SURE:
            N, D = sizes(np.array(flops), log_ratio, fitted.draws.cost)
            part = count * flops / float(fitted.runs.frame["C"].sum())
            return DecidingRuns(np.asarray(N), np.asarray(D), float(flops), float(part), *expected)
    return None


def _expected(gain: float, variance: float, count: int, diff: Difference | None) -> float:
    """Return the probability that the split matters once so many runs have added their expected gain."""
    now, error, runs = (0.0, 0.0, 0) if diff is None else (-diff.elpd_diff, diff.dse, diff.runs)
    error = error if np.isfinite(error) else 0.0
    lead = Lead(**calibration()["lead"])
    away = (now + gain - lead.split) / np.sqrt(error**2 + variance + lead.error**2)
    score = stdtr(runs + count - 1, away)
    return bounded(float(score))
