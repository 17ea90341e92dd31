"""allocate_worst: the split of a budget that the worst-off of several responses regrets least."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.groups.response_fitting import ResponseFit
from bayescale.groups.reversals import check_weights
from bayescale.hardware import FLOPS_PER_TOKEN, read_budgets
from bayescale.intervals import credible_interval
from bayescale.splits.search import splits
from bayescale.values import Value
from bayescale.words import count_text, percent, short

MOST_DRAWS = 400
"""Draws that are averaged; more change the recommended size by less than the grid's steps."""

SIZES = 161
REACH = np.log(3000.0)
"""Sizes are looked for up to this factor from that of the typical tokens per parameter, either way."""

BUDGETS = 25
LEAST_PART = 1e-3
"""Smaller budgets down to this part say which compute a loss was worth; a regret beyond counts as this."""


@dataclass(frozen=True, eq=False, repr=False)
class WorstAllocation(Value):
    """The split of a budget that the worst-off response regrets least.

    Attributes
    ----------
    fitted : ResponseFit
        The fit.
    flops : float
        The budget.
    N, D : float
        Of least expected worst regret. A response's regret is the log of the factor by which the budget exceeds what
        its own best split would need for the same loss; the worst is the largest of all under one draw.
    extra_compute : float
        The worst regret there, as a part of the budget that is wasted on the worst-off response: ``exp(mean) - 1``.
    mean_N, mean_D : float
        Of least expected regret of the weighted mean of responses.
    price : float
        What the worst-off cost the mean: extra compute of the mean at ``N`` beyond that at ``mean_N``.
    gain : float
        Factor by which the worst regret is larger at ``mean_N``, as extra compute beyond that at ``N``.
    table : pandas.DataFrame
        One row for each group: best size ``N`` and its ends ``N_lower``, ``N_upper``; the exponent of that size in
        compute, ``exponent``, ``exponent_lower``, ``exponent_upper``; ``extra_compute`` of the group at the recommended
        split, and ``worst``, the probability that it is the worst-off; the near-optimal sizes ``near_low`` to
        ``near_high``, whose expected regret is within the tolerance of the group's least.
    shared : tuple of float or None
        Sizes that are near-optimal for every group; None where there is none.
    tolerance, probability : float
        Extra compute of a near-optimal size, and of the intervals.
    """

    fitted: ResponseFit
    flops: float
    N: float
    D: float
    extra_compute: float
    mean_N: float
    mean_D: float
    price: float
    gain: float
    table: pd.DataFrame
    shared: tuple[float, float] | None
    tolerance: float
    probability: float

    @property
    def statements(self) -> tuple[str, ...]:
        """The same in words."""
        return _statements(self)

    def _lines(self) -> list[str]:
        return list(self.statements)

    def _shown(self) -> pd.DataFrame:
        return self.table


@checks.kinds
def allocate_worst(
    fitted: ResponseFit,
    flops: float | str,
    *,
    weights: Sequence[float] | None = None,
    tolerance: float = 0.05,
    probability: float = 0.9,
) -> WorstAllocation:
    """Split a budget so that the worst-off response regrets it least.

    Parameters
    ----------
    fitted : ResponseFit
        Losses by a law of N and D, of :func:`bayescale.fit_responses`.
    flops : float or str
        The budget, in FLOP.
    weights : sequence of float, optional
        Part of each group in the mean that the price is of; equal by default.
    tolerance : float
        Extra compute that a near-optimal size may cost beyond the group's least.
    probability : float
        Of the intervals.

    Returns
    -------
    WorstAllocation
        The split, its price for the mean, and the near-optimal sizes of every group and of all.

    Raises
    ------
    InputError
        If the fit is a trend or its law has no best split, or a response is no loss.
    """
    checks.probability(probability)
    checks.tolerance(tolerance)
    _check(fitted)
    (budget,) = read_budgets([flops])
    parts = np.ones(len(fitted.groups)) if weights is None else np.asarray(weights)
    sizes, regrets, best = _regrets(fitted, budget, check_weights(parts, len(fitted.groups)))
    groups, mean = regrets[:, :-1], regrets[:, -1].mean(axis=0)
    worst = groups.max(axis=1).mean(axis=0)
    at, at_mean = int(worst.argmin()), int(mean.argmin())
    expected = groups.mean(axis=0)
    near = np.array([_near(sizes, each, tolerance) for each in expected])
    low, high = near[:, 0].max(), near[:, 1].min()
    tokens = budget / FLOPS_PER_TOKEN / sizes
    return WorstAllocation(
        fitted=fitted,
        flops=float(budget),
        N=float(sizes[at]),
        D=float(tokens[at]),
        extra_compute=float(np.expm1(worst[at])),
        mean_N=float(sizes[at_mean]),
        mean_D=float(tokens[at_mean]),
        price=float(np.expm1(mean[at] - mean[at_mean])),
        gain=float(np.expm1(worst[at_mean] - worst[at])),
        table=_table(fitted, groups[:, :, at], best, near=near, probability=probability),
        shared=(float(low), float(high)) if low <= high else None,
        tolerance=tolerance,
        probability=probability,
    )


def _check(fitted: ResponseFit) -> None:
    """Raise InputError unless the fit has losses of which each has a best split."""
    if fitted.law is None or not splits(fitted.law) or set(fitted.law.covariates) - {"N", "D", "C"}:
        raise InputError(
            f"the fit is of {fitted.law.name if fitted.law else f'trends of a {fitted.form}'}, which has no best split "
            "of a budget into N and D alone; fit losses by a law of both, such as 'chinchilla'"
        )
    others = [each.column for each in fitted.responses if each.better != "lower"]
    if others:
        raise InputError(
            f"responses {', '.join(others)} are not better lower; a worst-off response is one of losses, so leave them "
            "out"
        )


def _regrets(
    fitted: ResponseFit, budget: float, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return sizes, regrets there (draw, group, size), and ln N* of the budget and of a tenth of it (draw, group).

    The last of the groups is their weighted mean.
    """
    typical = fitted.typical["D"] / fitted.typical["N"]
    offsets = np.linspace(-REACH, REACH, SIZES)
    parts = np.geomspace(1.0, LEAST_PART, BUDGETS)
    values: list[np.ndarray] = []
    least: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for part in (*parts, 0.1):
        N = np.sqrt(part * budget / FLOPS_PER_TOKEN / typical) * np.exp(offsets)
        curves = _thinned_curves(fitted, N, part * budget)
        both = np.concatenate([curves, np.einsum("dgn,g->dn", curves, weights)[:, None]], axis=1)
        place, lowest = _minimum(np.log(N), both)
        values, least, places = values or [N, both], [*least, lowest], [*places, place]
    frontier = np.minimum.accumulate(np.stack(least[:-1])[::-1], axis=0)  # of rising budgets: what at most they reach
    sizes, losses = values
    logs = np.log(parts[::-1])
    regrets = np.empty_like(losses)
    for draw, group in np.ndindex(losses.shape[:2]):
        # where more compute no longer helps, the smallest budget that reaches a loss counts
        falling = frontier[::-1, draw, group]
        regrets[draw, group] = -np.interp(losses[draw, group], falling, logs[::-1], left=0.0, right=logs[0])
    return sizes, np.maximum(regrets, 0.0), (places[0][:, :-1], places[-1][:, :-1])


def _thinned_curves(fitted: ResponseFit, N: np.ndarray, budget: float) -> np.ndarray:
    """Return losses at sizes of one budget under some hundred draws (draw, group, size)."""
    D = budget / FLOPS_PER_TOKEN / N
    return fitted.curves({"N": N, "D": D, "C": np.full_like(N, budget)}, most=MOST_DRAWS)


def _minimum(log_N: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ln N and loss at the bottom of the parabola through the lowest point and its neighbours (draw, group)."""
    middle = np.clip(losses.argmin(axis=-1), 1, log_N.size - 2)[..., None]
    left, here, right = (np.take_along_axis(losses, middle + step, -1)[..., 0] for step in (-1, 0, 1))
    bend = left - 2 * here + right
    shift = np.clip(np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0), 0.0), -1.0, 1.0)
    step = log_N[1] - log_N[0]
    return log_N[middle[..., 0]] + shift * step, here - 0.25 * (left - right) * shift


def _near(sizes: np.ndarray, expected: np.ndarray, tolerance: float) -> tuple[float, float]:
    inside = sizes[expected <= expected.min() + np.log1p(tolerance)]
    return float(inside[0]), float(inside[-1])


def _table(
    fitted: ResponseFit,
    regrets: np.ndarray,
    best: tuple[np.ndarray, np.ndarray],
    *,
    near: np.ndarray,
    probability: float,
) -> pd.DataFrame:
    here, below = best
    rows = []
    for i, response in enumerate(fitted.responses):
        size = credible_interval(np.exp(here[:, i]), probability)
        exponent = credible_interval((here[:, i] - below[:, i]) / np.log(10), probability)
        rows.append(
            {
                "response": response.column,
                "N": size.median,
                "N_lower": size.lower,
                "N_upper": size.upper,
                "exponent": exponent.median,
                "exponent_lower": exponent.lower,
                "exponent_upper": exponent.upper,
                "extra_compute": float(np.expm1(regrets[:, i].mean())),
                "worst": float((regrets.argmax(axis=1) == i).mean()),
                "near_low": near[i, 0],
                "near_high": near[i, 1],
            }
        )
    return pd.DataFrame(rows, index=pd.Index(fitted.groups, name="group"))


def _statements(found: WorstAllocation) -> tuple[str, ...]:
    """Say which split, at which price, and which sizes are near-optimal for all."""
    table = found.table
    worst = str(table["worst"].idxmax())
    sizes = (
        f"{count_text(found.shared[0], 2)} to {count_text(found.shared[1], 2)} parameters are near-optimal for all"
        if found.shared
        else f"no size is near-optimal for all: {table['near_low'].idxmax()} needs at least "
        f"{count_text(float(table['near_low'].max()), 2)} parameters, {table['near_high'].idxmin()} at most "
        f"{count_text(float(table['near_high'].min()), 2)}"
    )
    return (
        f"for {short(found.flops, 3)} FLOP {count_text(found.N)} parameters on {count_text(found.D)} tokens are what "
        f"the worst-off of {len(table)} responses regrets least: it wastes {percent(found.extra_compute)} of its own "
        f"best split's compute, most often {worst}",
        f"the mean alone would have {count_text(found.mean_N)} parameters; the split for the worst-off costs the mean "
        f"{percent(found.price)} more compute and spares the worst-off {percent(found.gain)}",
        f"{sizes} (within {percent(found.tolerance)} of extra compute)",
    )
