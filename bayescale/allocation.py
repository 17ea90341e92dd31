"""allocate: how to split a compute budget between parameters and tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline

from bayescale.comparison import Comparison, difference
from bayescale.diagnostics import check_draws
from bayescale.discrepancy import infer_discrepancy, run_draws
from bayescale.errors import InputError
from bayescale.fits import Fit
from bayescale.intervals import check_probability, credible_interval, short
from bayescale.optimum import check_splits, find_optimum, has_optimum, loss_on_budget, sizes
from bayescale.runs import LOST_CONDITION, WEAK_CONDITION, RunTable, describe
from bayescale.track_record import coverage_earned

CANDIDATES = 41
"""Splits per budget at which the expected loss is computed; a cubic spline joins them."""

MARGIN = np.log(100.0)
"""How far beyond the posterior of the optimum splits are considered, in ln(D/N)."""

FINE = 2001

LEAST_WEIGHT = 0.005
"""Laws of less stacking weight than this are not averaged."""


@dataclass(frozen=True, eq=False)
class Allocation:
    """How to split compute budgets, under every posterior draw and on average.

    Attributes
    ----------
    optima : xarray.Dataset
        ``N``, ``D``, ``tokens_per_parameter`` and ``loss`` (the law's own) at the best split of each draw (draw,
        budget), and ``forecast``, the loss of one run there with what the law misses and the noise of single runs
        (forecast_draw, budget); coordinates ``flops`` (budget) and ``law`` (draw).
    recommended : xarray.Dataset
        The split of least expected loss (budget): ``N``, ``D``, ``expected_loss``, ``expected_regret`` (loss
        above each draw's own optimum), ``near_low`` and ``near_high`` (the N of the near-optimal set) and
        ``extrapolation`` (budget over the largest C of the runs).
    regret : xarray.Dataset
        ``N`` and ``expected_regret`` of other splits (budget, candidate).
    weights : mapping of str to float
        Weight of each law in the average; they sum to 1.
    tolerance : float
        Extra compute that the near-optimal set may cost, against the recommended split.
    probability : float
        Of the credible intervals.
    runs : RunTable
        The runs behind the fits.
    notes : tuple of str
        What a reader must know of these numbers.
    doubts : tuple of str
        What the diagnostics hold against them; empty when every check passed.
    """

    optima: xr.Dataset
    recommended: xr.Dataset
    regret: xr.Dataset
    weights: Mapping[str, float]
    tolerance: float
    probability: float
    runs: RunTable
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


def allocate(
    source: Fit | Comparison,
    flops: Sequence[float],
    *,
    probability: float = 0.9,
    tolerance: float = 0.05,
    random_seed: int = 0,
) -> Allocation:
    """Split each compute budget between parameters and tokens, with ``C = 6 N D``.

    Parameters
    ----------
    source : Fit or Comparison
        A fit of a law of N and D, or a comparison, whose laws are averaged by their stacking weights, without
        those that are decidedly worse than the best law with a split.
    flops : sequence of float
        Budgets, in FLOP.
    probability : float
        Of the credible intervals.
    tolerance : float
        The near-optimal set holds every N that costs, on average, no more than this part of extra compute
        beyond the recommended split.
    random_seed : int
        Seed of the noise in forecasts of single runs.

    Returns
    -------
    Allocation
        The optimum of each draw, the split of least expected loss, its regret and the near-optimal set.

    Raises
    ------
    InputError
        If a budget is not a positive number, no law has a best split, or the runs cannot tell N from D.
    """
    budgets = _check_budgets(flops)
    check_probability(probability)
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance is {tolerance}; expected a part of the budget between 0 and 1, such as 0.05")
    fits, weights, notes = laws_that_split(source, budgets)
    runs = next(iter(fits.values())).runs
    notes += _design_doubts(runs)
    samples = _mixture(fits, weights)
    samples, optima = _located(samples, _optima(fits, samples, budgets))
    optima["forecast"] = (("forecast_draw", "budget"), _forecasts(fits, weights, budgets, random_seed))
    recommended, regret = _least_expected_loss(fits, samples, budgets, optima, tolerance)
    extrapolation = budgets / runs.frame["C"].max()
    recommended["extrapolation"] = ("budget", extrapolation)
    notes += _beyond_data(budgets, runs)
    doubts = [doubt for name, fitted in fits.items() for doubt in _doubts(name, fitted, budgets, probability)]
    return Allocation(optima, recommended, regret, weights, tolerance, probability, runs, tuple(notes), tuple(doubts))


def _design_doubts(runs: RunTable) -> list[str]:
    """Refuse runs that cannot tell N from D, and say so of runs that hardly can."""
    design = describe(runs)
    if not design.condition <= LOST_CONDITION:
        raise InputError(
            f"{runs.name}: these runs cannot tell the effect of N from that of D, so no split follows from them; "
            f"{' '.join(design.cannot)}"
        )
    if design.condition > WEAK_CONDITION:
        return [f"these runs hardly tell N from D (condition number {short(design.condition)}): the prior decides much"]
    return []


def _beyond_data(budgets: np.ndarray, runs: RunTable) -> list[str]:
    smallest, largest = float(runs.frame["C"].min()), float(runs.frame["C"].max())
    notes = []
    if budgets.max() > largest:
        notes.append(
            f"budgets reach {short(budgets.max() / largest)} times the largest run ({short(largest)} FLOP); intervals "
            "of N, D and D/N hold if the law goes on to hold; of the loss of one run, "
            f"{coverage_earned(budgets.max() / largest)}"
        )
    if budgets.min() < smallest:
        notes.append(
            f"budgets go down to {short(budgets.min() / smallest)} of the smallest run ({short(smallest)} FLOP), where "
            "no run checks the law"
        )
    return notes


def _check_budgets(flops: Sequence[float]) -> np.ndarray:
    try:
        budgets = np.atleast_1d(np.asarray(flops, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(f"budgets are FLOP, such as 1e21; found {flops!r}") from error
    if budgets.ndim != 1 or budgets.size == 0:
        raise InputError(f"expected a list of one or more budgets in FLOP, found an array of shape {budgets.shape}")
    wrong = [f"{value:g}" for value in budgets if not (np.isfinite(value) and value > 0)]
    if wrong:
        raise InputError(f"budgets are FLOP and must be positive and finite, such as 1e21; found {', '.join(wrong)}")
    return budgets


def laws_that_split(
    source: Fit | Comparison, budgets: np.ndarray
) -> tuple[dict[str, Fit], dict[str, float], list[str]]:
    """Return the fits that have a best split, their weights, and what is to be said of the others."""
    if isinstance(source, Fit):
        check_splits(source.law)
        if not has_optimum(source, budgets):
            raise InputError(
                f"law '{source.law.name}' has its smallest loss at the edge of the searched range of D/N: it has no "
                "best split; allocate with a law that has one, such as chinchilla"
            )
        return {source.law.name: source}, {source.law.name: 1.0}, []
    weights = {str(name): float(weight) for name, weight in source.table["weight"].items()}
    split = {name: weight for name, weight in weights.items() if has_optimum(source.fits[name], budgets)}
    if not split:
        raise InputError(
            f"none of the laws {', '.join(source.fits)} has a best split of N and D; add one that has, "
            "such as chinchilla"
        )
    best = next(iter(split))
    kept = {name: weight for name, weight in split.items() if not _refuted(source, name, best)}
    shares = _renormalised(kept)
    return {name: source.fits[name] for name in shares}, shares, _left_out(weights, split, kept)


def _refuted(comparison: Comparison, law: str, best: str) -> bool:
    """Return whether a law is decidedly worse than the best: it may help predictions, but not decisions."""
    behind = difference(comparison, law, best)
    return behind.decided and behind.elpd_diff < 0


def _renormalised(kept: Mapping[str, float]) -> dict[str, float]:
    """Return weights that sum to 1, without laws too light to count; all on the best law if none is heavy."""
    total = sum(kept.values())
    if total < LEAST_WEIGHT:
        return {next(iter(kept)): 1.0}
    heavy = {name: weight for name, weight in kept.items() if weight >= LEAST_WEIGHT * total}
    return {name: weight / sum(heavy.values()) for name, weight in heavy.items()}


def _left_out(weights: Mapping[str, float], split: Mapping[str, float], kept: Mapping[str, float]) -> list[str]:
    """Say which laws take no part in the average, and why."""
    silent = {name: weight for name, weight in weights.items() if name not in split}
    refuted = {name: weight for name, weight in split.items() if name not in kept}
    notes = []
    if silent:
        notes.append(f"without a best split, so not averaged: {_with_weights(silent)}")
    if refuted:
        notes.append(
            f"decidedly worse than {next(iter(split))} on these runs, so not averaged: {_with_weights(refuted)}"
        )
    if sum(silent.values()) > 0.5:
        notes.append(
            f"laws without a best split hold {100 * sum(silent.values()):.0f} % of the stacking weight: on these runs "
            "the split is not what decides the loss, and the recommendation rests on the other laws"
        )
    return notes


def _with_weights(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} (weight {weight:.2f})" for name, weight in weights.items())


def _mixture(fits: Mapping[str, Fit], weights: Mapping[str, float]) -> dict[str, dict[str, np.ndarray]]:
    """Return evenly spaced draws of each law, in proportion to its weight."""
    total = max(fitted.draws["sigma"].size for fitted in fits.values())
    samples = {}
    for name, fitted in fits.items():
        available = fitted.draws["sigma"].size
        count = available if len(fits) == 1 else max(1, round(weights[name] * total))
        picked = np.linspace(0, available - 1, min(count, available)).round().astype(int)
        samples[name] = {parameter: values[picked] for parameter, values in fitted.draws.items()}
    return samples


def _optima(
    fits: Mapping[str, Fit], samples: Mapping[str, Mapping[str, np.ndarray]], budgets: np.ndarray
) -> xr.Dataset:
    parts = [find_optimum(fitted.law, samples[name], fitted.reference, budgets) for name, fitted in fits.items()]
    log_ratio = np.concatenate([part.log_ratio for part in parts])
    loss = np.concatenate([part.loss for part in parts])
    N, D = sizes(budgets, log_ratio)
    law = np.concatenate([np.full(len(part.loss), name) for name, part in zip(fits, parts, strict=True)])
    dims = ("draw", "budget")
    variables = {"N": N, "D": D, "tokens_per_parameter": np.exp(log_ratio), "loss": loss}
    return xr.Dataset(
        {name: (dims, values) for name, values in variables.items()},
        coords={"flops": ("budget", budgets), "law": ("draw", law)},
    )


def _located(
    samples: Mapping[str, Mapping[str, np.ndarray]], optima: xr.Dataset
) -> tuple[dict[str, dict[str, np.ndarray]], xr.Dataset]:
    """Keep the draws whose best split lies inside the searched range; what is lost is told among the doubts."""
    found = np.isfinite(optima["loss"].to_numpy()).all(axis=1)
    kept, start = {}, 0
    for name, draws in samples.items():
        own = found[start : start + draws["sigma"].size]
        start += own.size
        kept[name] = {parameter: values[own] for parameter, values in draws.items()}
    return kept, optima.isel(draw=found)


def _forecasts(
    fits: Mapping[str, Fit], weights: Mapping[str, float], budgets: np.ndarray, random_seed: int
) -> np.ndarray:
    """Forecast the loss of one run at each sample's own best split, laws by their weights (draw, budget)."""
    parts = []
    for name, fitted in fits.items():
        found = infer_discrepancy(fitted)
        best = find_optimum(fitted.law, found.draws, fitted.reference, budgets)
        N, D = sizes(budgets, np.where(best.interior, best.log_ratio, 0.0))
        center = found.log_center({"N": N, "D": D, "C": np.broadcast_to(budgets, N.shape)})
        draws = run_draws(found, center, random_seed)
        located = draws[np.repeat(best.interior.all(axis=1), len(draws) // len(N))]
        count = len(located) if len(fits) == 1 else max(1, round(weights[name] * len(located)))
        parts.append(located[np.linspace(0, len(located) - 1, count).round().astype(int)])
    return np.asarray(np.exp(np.concatenate(parts)))


def _least_expected_loss(
    fits: Mapping[str, Fit],
    samples: Mapping[str, Mapping[str, np.ndarray]],
    budgets: np.ndarray,
    optima: xr.Dataset,
    tolerance: float,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Average the loss of candidate splits over draws, and find its minimum and the near-optimal set."""
    log_ratio = np.log(optima["tokens_per_parameter"].to_numpy())
    low, high = np.quantile(log_ratio, [0.01, 0.99], axis=0)
    grid = np.linspace(low - MARGIN, high + MARGIN, CANDIDATES, axis=1)
    expected = np.stack([_expected_loss(fits, samples, budgets[i], grid[i]) for i in range(budgets.size)])
    ideal = optima["loss"].to_numpy().mean(axis=0)
    allowed = _saved(fits, samples, budgets, log_ratio, tolerance) - ideal
    found = [_minimum(grid[i], expected[i], allowed[i]) for i in range(budgets.size)]
    best, least, near_low, near_high = (np.array(values) for values in zip(*found, strict=True))
    N, D = sizes(budgets, best)
    coords = {"flops": ("budget", budgets)}
    columns = {
        "N": N,
        "D": D,
        "expected_loss": least,
        "expected_regret": least - ideal,
        "near_low": sizes(budgets, near_high)[0],
        "near_high": sizes(budgets, near_low)[0],
    }
    recommended = xr.Dataset({name: ("budget", values) for name, values in columns.items()}, coords=coords)
    others = {
        "N": sizes(budgets[:, None], grid)[0],
        "expected_regret": expected - ideal[:, None],
    }
    regret = xr.Dataset({name: (("budget", "candidate"), values) for name, values in others.items()}, coords=coords)
    return recommended, regret


def _saved(
    fits: Mapping[str, Fit],
    samples: Mapping[str, Mapping[str, np.ndarray]],
    budgets: np.ndarray,
    log_ratio: np.ndarray,
    tolerance: float,
) -> np.ndarray:
    """Return the mean loss of the best split of budgets smaller by the tolerance (budget,).

    The best ratio of a slightly smaller budget is almost that of the budget, and loss is flat there, so the
    same ratio serves: no second search.
    """
    ends = np.cumsum([draws["sigma"].size for draws in samples.values()])[:-1]
    smaller = np.broadcast_to(budgets / (1 + tolerance), log_ratio.shape)
    parts = zip(fits.items(), np.split(smaller, ends), np.split(log_ratio, ends), strict=True)
    losses = [
        loss_on_budget(fitted.law, samples[name], fitted.reference, flops, ratio)
        for (name, fitted), flops, ratio in parts
    ]
    return np.asarray(np.concatenate(losses).mean(axis=0))


def _expected_loss(
    fits: Mapping[str, Fit], samples: Mapping[str, Mapping[str, np.ndarray]], budget: float, grid: np.ndarray
) -> np.ndarray:
    flops = np.full_like(grid, budget)
    losses = [loss_on_budget(fitted.law, samples[name], fitted.reference, flops, grid) for name, fitted in fits.items()]
    return np.asarray(np.concatenate(losses).mean(axis=0))


def _minimum(grid: np.ndarray, expected: np.ndarray, allowed: float) -> tuple[float, float, float, float]:
    """Return place and value of the smallest expected loss, and the ends of what is within ``allowed`` of it."""
    fine = np.linspace(grid[0], grid[-1], FINE)
    values = CubicSpline(grid, expected)(fine)
    place = int(np.argmin(values))
    inside = np.flatnonzero(values <= values[place] + allowed)
    return float(fine[place]), float(values[place]), float(fine[inside[0]]), float(fine[inside[-1]])


def _doubts(name: str, fitted: Fit, budgets: np.ndarray, probability: float) -> list[str]:
    """Say what the diagnostics hold against this law's numbers, reported quantities included."""
    ends = np.unique([budgets.min(), budgets.max()])
    optimum = find_optimum(fitted.law, fitted.draws, fitted.reference, ends)
    posterior = fitted.data["posterior"]
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    quantities = {}
    for i, budget in enumerate(ends):
        for what, values in (("ln N*", -0.5 * optimum.log_ratio[:, i]), ("loss", optimum.loss[:, i])):
            quantities[f"{what} at {short(budget, 3)} FLOP"] = (("chain", "draw"), values.reshape(shape))
    failures = [*fitted.diagnostics.failures, *check_draws(xr.Dataset(quantities), probability)]
    outside = 1 - optimum.interior.mean()
    if outside > 0:
        failures.append(f"{outside:.1%} of draws have no best split inside the searched range of D/N")
    return [f"{name}: {'; '.join(dict.fromkeys(failures))}"] if failures else []


def allocation_record(allocation: Allocation) -> dict[str, Any]:
    """Return an allocation as plain data, one entry per budget.

    ``loss`` forecasts one run at the best split, noise of single runs included; ``law_loss`` is the law's own.
    """
    return {
        "probability": allocation.probability,
        "weights": dict(allocation.weights),
        "allocations": [_budget_record(allocation, i) for i in range(allocation.optima.sizes["budget"])],
        "notes": list(allocation.notes),
        "doubts": list(allocation.doubts),
    }


def _budget_record(allocation: Allocation, budget: int) -> dict[str, Any]:
    optima = allocation.optima.isel(budget=budget)
    best = allocation.recommended.isel(budget=budget)
    quantities = {
        "N": "N",
        "D": "D",
        "tokens_per_parameter": "tokens_per_parameter",
        "loss": "forecast",
        "law_loss": "loss",
    }
    intervals = {
        name: credible_interval(optima[variable].to_numpy(), allocation.probability).record()
        for name, variable in quantities.items()
    }
    fields = ("N", "D", "expected_loss", "expected_regret")
    return {
        "flops": float(best["flops"]),
        **intervals,
        "recommended": {name: float(best[name]) for name in fields},
        "near_optimal": {
            "tolerance": allocation.tolerance,
            "N": [float(best["near_low"]), float(best["near_high"])],
        },
        "extrapolation": float(best["extrapolation"]),
    }
