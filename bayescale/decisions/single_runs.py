"""What single runs make of a decision: the laws, what they miss, and the noise of a run."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from bayescale.decisions.mixture import Mixture, counts_by_weight
from bayescale.fits.discrepancy import Discrepancy, infer_discrepancy
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.forecast import run_draws
from bayescale.splits.search import Search, best_runs, searches


def forecasts(mixture: Mixture, budgets: np.ndarray) -> np.ndarray:
    """Forecast the loss of one run at each sample's own best split, laws by their weights (draw, budget)."""
    parts = {}
    for name, fitted in mixture.fits.items():
        found = infer_discrepancy(fitted)
        options = searches(fitted, found.draws, mixture.constraints, mixture.random_seed)
        best = best_runs(options, budgets)
        own = best.located.all(axis=1)
        N, D = (np.where(best.located, each, 1.0) for each in (best.N, best.D))
        draws = _run_draws(found, options, (N, D, best.option), mixture.random_seed)
        parts[name] = draws[np.repeat(own, len(draws) // own.size)]
    return in_proportion(parts, mixture.weights)


def run_reaches(mixture: Mixture, recommended: xr.Dataset, losses: np.ndarray) -> np.ndarray:
    """Return the probability that one run of the recommended size and tokens reaches its loss (budget,)."""
    parts = {}
    for name, fitted in mixture.fits.items():
        found = infer_discrepancy(fitted)
        options = searches(fitted, found.draws, mixture.constraints, mixture.random_seed)
        shape = (options[0].count, len(losses))
        N, D, option = (np.broadcast_to(recommended[each].to_numpy(), shape) for each in ("N", "D", "option"))
        parts[name] = _run_draws(found, options, (N, D, option), mixture.random_seed)
    draws = in_proportion(parts, mixture.weights)
    return np.asarray((mixture.sign * draws <= mixture.sign * losses).mean(axis=0))


def _run_draws(
    found: Discrepancy, options: Sequence[Search], runs: tuple[np.ndarray, np.ndarray, np.ndarray], random_seed: int
) -> np.ndarray:
    """Return the response of single runs of a size, tokens and option (sample, budget): several for each sample."""
    N, D, option = runs
    scale = options[0].repetition_scale
    points = options[0].points(N, D, None if scale is None else scale[:, None])
    for name in options[0].frontier.columns:
        points[name] = np.array([each.frontier.columns[name] for each in options])[option]
    return np.asarray(np.exp(run_draws(found, found.log_center(points), random_seed)))


def in_proportion(parts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Return draws of all laws, evenly spaced and in proportion to their weights (draw, budget).

    A law some of whose draws are lost counts by its weight all the same: of the others fewer are taken.
    """
    available = [len(draws) for draws in parts.values()]
    counts = counts_by_weight(available, [weights[name] for name in parts], max(available))
    pairs = zip(parts.values(), counts, strict=True)
    return np.concatenate([draws[evenly_spaced(count, len(draws))] for draws, count in pairs])
