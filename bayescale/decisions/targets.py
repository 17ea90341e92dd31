"""Losses to reach: the cheapest run of each draw, the one to train, and what single runs make of it."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from bayescale.decisions.mixture import Averaged
from bayescale.decisions.regret import Bought, Posed, cheapest_assured, cheapest_expected, reach_probability
from bayescale.errors import InputError
from bayescale.fits.discrepancy import Discrepancy, infer_discrepancy
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.forecast import run_draws
from bayescale.splits.search import BestRuns, Search, best_runs, cheapest_runs, searches
from bayescale.words import percent


def reach(posed: Posed, losses: np.ndarray, probability: float) -> tuple[xr.Dataset, list[Bought]]:
    """Find the cheapest run of each draw that reaches a loss, and the one that is expected to."""
    choice = BestRuns.joined([cheapest_runs(options, losses) for options in posed.values()])
    reached = choice.located
    flops = np.where(reached, choice.flops, np.inf)
    dims = ("draw", "budget")
    draws = {name: (dims, np.where(reached, getattr(choice, name), np.nan)) for name in ("N", "D")}
    bought = [_bought(posed, float(loss), flops[:, i]) for i, loss in enumerate(losses)]
    assured = [
        cheapest_assured(posed, float(loss), probability, run.flops) for loss, run in zip(losses, bought, strict=True)
    ]
    found = {
        f"assured_{name}": ("budget", [np.nan if run is None else getattr(run, name) for run in assured])
        for name in ("N", "D", "flops")
    }
    reaches = [reach_probability(posed, run, float(loss)) for run, loss in zip(bought, losses, strict=True)]
    variables = {
        **draws,
        "flops": (dims, flops),
        "probability": ("budget", reached.mean(axis=0)),
        "law_reaches": ("budget", reaches),
        **found,
    }
    return xr.Dataset(variables, coords={"target_loss": ("budget", losses)}), bought


def _bought(posed: Posed, loss: float, flops: np.ndarray) -> Bought:
    """Return the cheapest run that is expected to reach a loss, or raise InputError."""
    reached = np.isfinite(flops)
    around = float(np.median(flops[reached])) if reached.any() else 1e24
    found = cheapest_expected(posed, loss, around)
    if found is None:
        raise InputError(
            f"no run is expected to reach {loss:g} at any compute within the limits; {percent(reached.mean(), 2)} of "
            "the draws say that some run does: ask for another loss, or move a limit"
        )
    return found


def forecasts(laws: Averaged, budgets: np.ndarray) -> np.ndarray:
    """Forecast the loss of one run at each sample's own best split, laws by their weights (draw, budget)."""
    parts = {}
    for name, fitted in laws.fits.items():
        found = infer_discrepancy(fitted)
        options = searches(fitted, found.draws, laws.constraints, laws.random_seed)
        choice = best_runs(options, budgets)
        own = choice.located.all(axis=1)
        draws = _run_draws(found, options, choice, laws.random_seed)
        parts[name] = draws[np.repeat(own, len(draws) // own.size)]
    return _weighted(parts, laws.weights)


def run_reaches(laws: Averaged, recommended: xr.Dataset, losses: np.ndarray) -> np.ndarray:
    """Return the probability that one run of the recommended size and tokens reaches its loss (budget,)."""
    parts, sign = {}, 1.0
    for name, fitted in laws.fits.items():
        found = infer_discrepancy(fitted)
        options = searches(fitted, found.draws, laws.constraints, laws.random_seed)
        shape, sign = (options[0].count, len(losses)), options[0].sign
        N, D, option = (np.broadcast_to(recommended[each].to_numpy(), shape) for each in ("N", "D", "option"))
        choice = BestRuns(N, D, np.zeros(shape), option, np.zeros(shape), np.ones(shape, dtype=bool))
        parts[name] = _run_draws(found, options, choice, laws.random_seed)
    return np.asarray((sign * _weighted(parts, laws.weights) <= sign * losses).mean(axis=0))


def _run_draws(found: Discrepancy, options: Sequence[Search], choice: BestRuns, random_seed: int) -> np.ndarray:
    """Return the response of single runs at choices (sample, budget): several for each sample."""
    N, D = (np.where(choice.located, each, 1.0) for each in (choice.N, choice.D))
    scale = options[0].repetition_scale
    points = options[0].points(N, D, None if scale is None else scale[:, None])
    for name in options[0].frontier.columns:
        points[name] = np.array([each.frontier.columns[name] for each in options])[choice.option]
    return np.asarray(np.exp(run_draws(found, found.log_center(points), random_seed)))


def _weighted(parts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Return draws of all laws, evenly spaced and in proportion to their weights (draw, budget)."""
    picked = []
    for name, draws in parts.items():
        count = len(draws) if len(parts) == 1 else max(1, round(weights[name] * len(draws)))
        picked.append(draws[evenly_spaced(count, len(draws))])
    return np.concatenate(picked)
