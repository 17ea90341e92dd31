"""What a plan saves, computed a second way: outcomes are simulated, and the draws reweighted by them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.decisions.mixture import Mixture
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.student import log_student
from bayescale.planning.beliefs import Decision, size_grid, split_loss
from bayescale.values import Value
from bayescale.words import short

TRUTHS = 300
"""Draws that are the truth in turn."""

LEAST_EFFECTIVE = 20.0
"""Median effective number of the reweighted draws below which they say nothing."""

DIFFER = 1.5
"""Times by which the two ways of computing what is left may differ before that is said."""


@dataclass(frozen=True, eq=False, repr=False)
class Check(Value):
    """Expected regret by reweighting.

    Attributes
    ----------
    before, after : float
        Of the split chosen before and after the runs, mean over targets, in the response's unit.
    effective : float
        Median effective number of draws once they are reweighted.
    reliable : bool
        Whether enough draws count.
    """

    before: float
    after: float
    effective: float
    reliable: bool


def simulate_outcomes(laws: Mixture, decision: Decision, points: Mapping[str, np.ndarray], random_seed: int) -> Check:
    """Return the expected regret with some runs, from draws reweighted by simulated outcomes.

    A draw in turn is the truth: it gives the outcomes, all other draws are weighted by their likelihood, the split of
    least expected loss under them is chosen, and its regret is the true draw's. No normality is assumed, and no rule.

    Parameters
    ----------
    laws : Mixture
        The draws.
    decision : Decision
        The decision under them.
    points : mapping of str to numpy.ndarray
        The runs (run,).
    random_seed : int
        Of the noise.
    """
    rng = np.random.default_rng(random_seed)
    weights, truths = _weights(laws, points, rng)
    before, after = 0.0, 0.0
    for i, flops in enumerate(decision.flops):
        grid = size_grid(decision.log_size[:, i])
        regret = split_loss(laws, np.full_like(grid, flops), grid) - np.exp(decision.log_loss[:, [i]])
        before += float(regret.mean(axis=0).min())
        after += float(regret[truths, (weights @ regret).argmin(axis=1)].mean())
    before, after = before / decision.flops.size, after / decision.flops.size
    effective = float(np.median(1 / (weights**2).sum(axis=1)))
    return Check(before, after, effective, effective >= LEAST_EFFECTIVE)


def _weights(
    laws: Mixture, points: Mapping[str, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of all draws given outcomes of each truth (truth, draw), and which draws are the truths."""
    log_law = laws.log_value(points)
    sigma, nu = laws.noise
    truths = evenly_spaced(min(TRUTHS, len(log_law)), len(log_law))
    noise = rng.standard_t(nu[truths, None], size=(truths.size, log_law.shape[1]))
    outcomes = log_law[truths] + sigma[truths, None] * noise
    density = np.zeros((truths.size, len(log_law)))
    for run in range(log_law.shape[1]):
        density += log_student(outcomes[:, [run]] - log_law[:, run], nu, sigma)
    density[np.arange(truths.size), truths] = -np.inf  # the truth is not among the draws one has
    weights = np.exp(density - density.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True), truths


def check_notes(check: Check, expected: tuple[float, float]) -> list[str]:
    """Say where the regret that is left, now and with the runs, differs from what a plan expects."""
    if not check.reliable:
        return [
            f"this gain could not be cross-checked: importance weights are too uneven (effective sample size "
            f"{short(check.effective)})"
        ]
    pairs = zip(expected, (check.before, check.after), strict=True)
    if all(low > 0 and high < DIFFER * low for low, high in map(sorted, pairs)):
        return []
    return [
        f"reweighting the draws with simulated outcomes gives an expected regret of {short(check.before)} now and "
        f"{short(check.after)} with these runs: the normal approximation behind the plan is rough here"
    ]
