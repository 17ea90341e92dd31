"""What choices cost on average: the run of least expected loss, the regret of others, and what is nearly as good."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescale.decisions.expected_loss import Curve, curve_of
from bayescale.decisions.mixture import Mixture
from bayescale.decisions.safe_sizes import extra_compute, safe_sizes
from bayescale.processes import in_threads
from bayescale.splits.frontier import Frontier
from bayescale.splits.search import BestRuns, Search, chosen

HIGH = 0.95
"""Probability of the regret that is reported beside its mean."""


@dataclass(frozen=True, eq=False)
class Averages:
    """What choices are expected to cost, against knowing the truth.

    Attributes
    ----------
    recommended : xarray.Dataset
        The run of least expected loss (budget).
    regret : xarray.Dataset
        Regret of other sizes (budget, size).
    options : xarray.Dataset
        The best run of each option, its regret, the extra compute that this is worth, and the probability that it is
        best (budget, option).
    """

    recommended: xr.Dataset
    regret: xr.Dataset
    options: xr.Dataset


def average(
    mixture: Mixture, budgets: np.ndarray, optima: BestRuns, *, tolerance: float, probability: float
) -> Averages:
    """Average over draws what each choice loses, and find the best of them.

    Parameters
    ----------
    mixture : Mixture
        The laws; its draws are those of ``optima``.
    budgets : numpy.ndarray
        In FLOP (budget,).
    optima : BestRuns
        The best run of each draw (draw, budget).
    tolerance : float
        Extra compute that a near-optimal size may cost.
    probability : float
        That it costs no more.
    """
    worse = _worse(mixture, optima, tolerance)
    places = list(enumerate(budgets.tolist()))
    curves = in_threads(lambda at: _curves(mixture, at[1], optima.N[:, at[0]], optima.loss[:, at[0]]), places)
    chosen = np.array([int(np.argmin([curve.least for curve in each])) for each in curves])
    best = [each[k] for each, k in zip(curves, chosen, strict=True)]
    recommended, excess = _recommended(mixture, optima, budgets, best=best, chosen=chosen)
    extra = extra_compute(excess, worse, tolerance)
    recommended["extra_compute"] = "budget", np.median(extra, axis=0)
    recommended["high_extra_compute"] = "budget", _high(extra)
    near = [safe_sizes(curve, optima.N[:, i], worse[:, i], probability) for i, curve in enumerate(best)]
    recommended.update(_near(mixture.frontiers, np.array(near), budgets, chosen))
    return Averages(
        recommended,
        _regrets(best, budgets, worse, tolerance),
        _options(mixture, optima, budgets, curves, worse=worse.mean(axis=0), tolerance=tolerance),
    )


def _curves(mixture: Mixture, budget: float, best_N: np.ndarray, best_loss: np.ndarray) -> list[Curve]:
    """Return the curve of each option."""
    return [curve_of(mixture, option, budget, best_N, best_loss) for option in range(len(mixture.frontiers))]


def _worse(mixture: Mixture, optima: BestRuns, tolerance: float) -> np.ndarray:
    """Return how much worse the best runs of a little less compute are (draw, budget).

    Loss is flat at an optimum, so it hardly matters whether parameters or tokens are saved; at a limit it does, and the
    better of the two is taken: no second search.
    """
    parts = [mixture.split_by_law(values) for values in (optima.N, optima.D, optima.loss, optima.option)]
    worse = []
    for options, N, D, loss, option in zip(mixture.searches.values(), *parts, strict=True):
        each = [_with_less(search, N, D, tolerance) for search in options]
        worse.append(chosen(each, option) - mixture.sign * loss)
    return np.concatenate(worse)


def _with_less(search: Search, N: np.ndarray, D: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the loss of a run that costs less by the tolerance, less tokens or less parameters (draw, budget)."""
    tokens, sizes = search.frontier.with_less(N, D, tolerance)
    here = search.sign * search.loss(N, D)
    fewer = search.loss(N, np.where(np.isnan(tokens), D, tokens))
    smaller = search.loss(np.where(np.isnan(sizes), N, sizes), D)
    with_fewer = np.where(np.isnan(tokens), np.inf, search.sign * fewer)
    with_smaller = np.where(np.isnan(sizes), np.inf, search.sign * smaller)
    least = np.minimum(with_fewer, with_smaller)
    return np.where(np.isfinite(least), np.maximum(least, here), here)


def _recommended(
    mixture: Mixture, optima: BestRuns, budgets: np.ndarray, *, best: Sequence[Curve], chosen: np.ndarray
) -> tuple[xr.Dataset, np.ndarray]:
    """Return the runs of least expected loss, and their loss above each draw's best (draw, budget)."""
    frontiers, sign = mixture.frontiers, mixture.sign
    N = np.array([curve.best_N for curve in best])
    D, flops_used, expected = (np.empty_like(N) for _ in range(3))
    excess = np.empty_like(optima.loss)
    for i, k in enumerate(chosen):
        frontier = frontiers[k]
        tokens = frontier.tokens(budgets[[i]], N[[i]])
        losses = mixture.losses(int(k), N[[i]], tokens)[:, 0]
        D[i], flops_used[i], expected[i] = tokens[0], frontier.total(N[[i]], tokens)[0], losses.mean()
        excess[:, i] = sign * (losses - optima.loss[:, i])
    columns = {
        "N": N,
        "D": D,
        "flops_used": flops_used,
        "expected_loss": expected,
        "expected_regret": excess.mean(axis=0),
        "high_regret": _high(excess),
        "option": chosen,
    }
    found = {name: (("budget",), values) for name, values in columns.items()}
    return xr.Dataset(found, coords={"flops": ("budget", budgets)}), excess


def _near(
    frontiers: Sequence[Frontier], ends: np.ndarray, budgets: np.ndarray, chosen: np.ndarray
) -> dict[str, tuple[tuple[str], np.ndarray]]:
    """Return the ends of the near-optimal sizes, and their tokens (budget, end)."""
    found: dict[str, tuple[tuple[str], np.ndarray]] = {}
    for name, sizes in zip(("near_low", "near_high"), ends.T, strict=True):
        D = [frontiers[k].tokens(*each) for k, *each in zip(chosen, budgets, sizes, strict=True)]
        found |= {name: (("budget",), sizes), f"{name}_D": (("budget",), np.array(D, dtype=float))}
    return found


def _regrets(best: Sequence[Curve], budgets: np.ndarray, worse: np.ndarray, tolerance: float) -> xr.Dataset:
    count = max(curve.N.size for curve in best)

    def table(rows: Sequence[np.ndarray]) -> tuple[tuple[str, str], np.ndarray]:
        padded = [np.pad(row, (0, count - row.size), constant_values=np.nan) for row in rows]
        return ("budget", "size"), np.array(padded)

    extra = [extra_compute(curve.excess, worse[:, [i]], tolerance) for i, curve in enumerate(best)]
    variables = {
        "N": table([curve.N for curve in best]),
        "D": table([curve.D for curve in best]),
        "expected_regret": table([curve.excess.mean(axis=0) for curve in best]),
        "high_regret": table([_high(curve.excess) for curve in best]),
        "extra_compute": table([np.median(each, axis=0) for each in extra]),
        "high_extra_compute": table([_high(each) for each in extra]),
    }
    return xr.Dataset(variables, coords={"flops": ("budget", budgets)})


def _high(excess: np.ndarray) -> np.ndarray:
    """Return the regret that one draw in twenty exceeds ; a partition over draws, for sorting takes long."""
    place = int(np.ceil(HIGH * len(excess))) - 1
    return np.asarray(np.partition(excess, place, axis=0)[place])


def _options(
    mixture: Mixture,
    optima: BestRuns,
    budgets: np.ndarray,
    curves: Sequence[Sequence[Curve]],
    *,
    worse: np.ndarray,
    tolerance: float,
) -> xr.Dataset:
    frontiers, sign = mixture.frontiers, mixture.sign
    N = np.array([[curve.best_N for curve in each] for each in curves])
    least = np.array([[curve.least for curve in each] for each in curves])
    ideal = sign * optima.loss.mean(axis=0)
    probability = np.stack([(optima.option == k).mean(axis=0) for k in range(len(frontiers))], axis=1)
    dims, regret = ("budget", "option"), least - ideal[:, None]
    variables = {
        "N": (dims, N),
        "expected_loss": (dims, sign * least),
        "expected_regret": (dims, regret),
        "extra_compute": (dims, extra_compute(regret, worse[:, None], tolerance)),
        "probability": (dims, probability),
    }
    names = dict.fromkeys(name for each in frontiers for name in each.columns)
    columns = {name: ("option", [each.columns[name] for each in frontiers]) for name in names}
    return xr.Dataset(variables, coords={"flops": ("budget", budgets), **columns})
