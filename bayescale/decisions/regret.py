"""What choices cost on average: the run of least expected loss, the regret of others, and what is nearly as good."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from bayescale.errors import InputError
from bayescale.processes import in_threads
from bayescale.splits.frontier import Frontier
from bayescale.splits.search import LARGEST_FLOPS, SMALLEST_FLOPS, BestRuns, Search, best_runs
from bayescale.splits.search import chosen as _chosen

CANDIDATES = 31
"""Sizes per budget at which the expected loss is computed; cubic splines join them."""

MARGINS = tuple(np.log([1e2, 1e4, 1e8]))
"""How far beyond the posterior of the optimum splits are considered, in ln(D/N): the first that is far enough."""

FINE = 2001

LEAST_POINTS = 6
"""Of a piece of the curve, on each side of the size that just uses all data."""

NARROW = 1e-6
"""A range of ln(D/N) this narrow is one split."""

HIGH = 0.95
"""Probability of the regret that is told beside its mean."""

NEAR = (0.005, 0.01, 0.02)
"""Parts of the expected loss by which a near-optimal set may exceed the least."""

PRECISION = 1e-4
"""In ln FLOP, of the budget that an expected loss or a probability needs."""

type Posed = Mapping[str, Sequence[Search]]
"""Candidates of each law, one set for each option: a combination of further columns."""


def losses_of(posed: Posed, option: int, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Return every law for runs (point,), all draws below one another (draw, point)."""
    return np.concatenate([options[option].loss(N, D) for options in posed.values()])


@dataclass(frozen=True, eq=False)
class Averages:
    """What choices are expected to cost, against knowing the truth.

    Attributes
    ----------
    recommended : xarray.Dataset
        The run of least expected loss (budget).
    regret : xarray.Dataset
        Regret of other sizes (budget, candidate).
    options : xarray.Dataset
        The best run of each option, its regret and the probability that it is best (budget, option).
    """

    recommended: xr.Dataset
    regret: xr.Dataset
    options: xr.Dataset


@dataclass(frozen=True, eq=False)
class _Curve:
    """Expected loss over sizes, at one budget and option: less is better, whatever the response."""

    N: np.ndarray
    D: np.ndarray
    excess: np.ndarray
    expected: np.ndarray
    sizes: np.ndarray
    fine: np.ndarray

    @property
    def least(self) -> float:
        return float(self.fine.min())

    @property
    def best_N(self) -> float:
        return float(self.sizes[np.argmin(self.fine)])

    def near(self, allowed: float) -> tuple[float, float]:
        """Return the smallest and the largest size that lose no more than this against the best."""
        inside = self.sizes[self.fine <= self.least + allowed]
        return float(inside.min()), float(inside.max())


def average(posed: Posed, budgets: np.ndarray, optima: BestRuns, tolerance: float) -> Averages:
    """Average over draws what each choice loses, and find the best of them.

    Parameters
    ----------
    posed : mapping of str to sequence of Candidates
        Candidates of each law and option; their draws, one law after the other, are those of ``optima``.
    budgets : numpy.ndarray
        In FLOP (budget,).
    optima : BestRuns
        The best run of each draw (draw, budget).
    tolerance : float
        Extra compute that a near-optimal set may cost.
    """
    options = next(iter(posed.values()))
    allowed = _cheaper_loss(posed, optima, tolerance)
    places = list(enumerate(budgets.tolist()))
    curves = in_threads(lambda at: [_curve(posed, k, at[1], optima, at[0]) for k in range(len(options))], places)
    chosen = np.array([int(np.argmin([curve.least for curve in each])) for each in curves])
    best = [each[k] for each, k in zip(curves, chosen, strict=True)]
    return Averages(
        _recommended(posed, optima, budgets, best=best, chosen=chosen, allowed=allowed),
        _regrets(best, budgets),
        _options(posed, optima, budgets, curves),
    )


def _curve(posed: Posed, option: int, budget: float, optima: BestRuns, column: int) -> _Curve:
    """Return the expected loss over sizes, as far as the widest near-optimal set reaches."""
    span = next(iter(posed.values()))[option].frontier.span(np.asarray(budget))
    for margin in MARGINS:
        curve = _curve_within(posed, option, np.asarray(budget), (optima.N[:, column], optima.loss[:, column]), margin)
        near = curve.near(NEAR[-1] * abs(curve.least))
        cut = [near[0] <= curve.sizes.min(), near[1] >= curve.sizes.max()]
        ends = [np.log(near[0]) < span.low + NARROW, np.log(near[1]) > span.high - NARROW]
        if not any(each and not end for each, end in zip(cut, ends, strict=True)):
            break
    return curve


def _curve_within(
    posed: Posed, option: int, flops: np.ndarray, best: tuple[np.ndarray, np.ndarray], margin: float
) -> _Curve:
    """Return the expected loss over sizes up to a margin beyond the best ones, whose N and loss are given (draw,)."""
    options = next(iter(posed.values()))
    frontier, sign = options[option].frontier, options[option].sign
    sizes = np.array(frontier.limits.sizes)
    pieces = _pieces(frontier, flops, best[0], margin)
    N = (
        sizes
        if sizes.size
        else _sizes(frontier, flops, np.concatenate([pieces[0], *(each[1:] for each in pieces[1:])]))
    )
    allowed = frontier.allowed(flops, N)
    D = np.where(allowed, frontier.tokens(flops, N), np.nan)
    losses = sign * losses_of(posed, option, N, D)
    excess, expected = losses - sign * best[1][:, None], losses.mean(axis=0)
    if sizes.size or N.size == 1:
        return _Curve(N, D, excess, expected, N[allowed], expected[allowed])
    ends = np.cumsum([0, *(piece.size - 1 for piece in pieces)])
    places = [np.linspace(piece[0], piece[-1], FINE) for piece in pieces]
    fine = [
        CubicSpline(piece, expected[start : end + 1])(x)
        for piece, x, (start, end) in zip(pieces, places, pairwise(ends), strict=True)
    ]
    return _Curve(N, D, excess, expected, _sizes(frontier, flops, np.concatenate(places)), np.concatenate(fine))


def _sizes(frontier: Frontier, flops: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
    """Return the N that spend a budget at these logs of the tokens per parameter that it pays."""
    return frontier.snapped(np.exp(frontier.log_size(np.broadcast_to(flops, log_ratio.shape), ratio=np.exp(log_ratio))))


def _pieces(frontier: Frontier, flops: np.ndarray, optima: np.ndarray, margin: float) -> list[np.ndarray]:
    """Return candidates around the optima, as logs of the tokens per parameter that the budget pays.

    On that axis the loss bends gently at both ends, also where serving leaves hardly any tokens. There are two pieces
    where all data get used between them.
    """
    span = frontier.span(flops)

    def log_ratio(N: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(frontier.affordable(flops, N) / N))

    smallest, largest = np.quantile(optima, [0.01, 0.99])
    ends = log_ratio(np.exp(span.high)), log_ratio(np.exp(span.low))
    around = log_ratio(np.clip([largest, smallest], np.exp(span.low), np.exp(span.high)))
    low, high = np.clip(around + np.array([-margin, margin]), *ends)
    if high - low < NARROW:
        return [np.array([low])]
    count = round(CANDIDATES * margin / MARGINS[0])
    kink = np.log(frontier.cap) - float(span.kink) if np.isfinite(frontier.cap) else np.inf
    if not low + NARROW < kink < high - NARROW:
        return [np.linspace(low, high, count)]
    left = int(np.clip(round(count * (kink - low) / (high - low)), LEAST_POINTS, count - LEAST_POINTS))
    return [np.linspace(low, kink, left), np.linspace(kink, high, count + 1 - left)]


def _cheaper_loss(posed: Posed, optima: BestRuns, tolerance: float) -> np.ndarray:
    """Return how much worse, on average, the best runs of a little less compute are (budget,).

    Loss is flat at an optimum, so it hardly matters whether parameters or tokens are saved; at a limit it does, and the
    better of the two is taken: no second search.
    """
    ends = np.cumsum([options[0].count for options in posed.values()])[:-1]
    parts = [np.split(values, ends) for values in (optima.N, optima.D, optima.loss, optima.option)]
    worse = []
    for options, N, D, loss, option in zip(posed.values(), *parts, strict=True):
        each = [_with_less(search, N, D, tolerance) for search in options]
        worse.append(_chosen(each, option) - options[0].sign * loss)
    return np.asarray(np.concatenate(worse).mean(axis=0))


def _with_less(search: Search, N: np.ndarray, D: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the loss of a run that costs less by the tolerance, less tokens or less parameters (draw, budget)."""
    frontier, limits = search.frontier, search.frontier.limits
    flops = frontier.total(N, D) / (1 + tolerance)
    fewer = frontier.affordable(flops, N)
    here = search.sign * search.loss(N, D)
    tokens = fewer > (limits.min_tokens or 0.0)
    with_fewer = np.where(tokens, search.sign * search.loss(N, np.where(tokens, fewer, D)), np.inf)
    smaller = np.exp(frontier.log_size(flops, tokens=D))
    params = (smaller >= (limits.min_params or 0.0)) & (not limits.sizes)
    with_smaller = np.where(params, search.sign * search.loss(np.where(params, smaller, N), D), np.inf)
    least = np.minimum(with_fewer, with_smaller)
    return np.where(np.isfinite(least), np.maximum(least, here), here)


def _recommended(
    posed: Posed,
    optima: BestRuns,
    budgets: np.ndarray,
    *,
    best: Sequence[_Curve],
    chosen: np.ndarray,
    allowed: np.ndarray,
) -> xr.Dataset:
    options = next(iter(posed.values()))
    N = np.array([curve.best_N for curve in best])
    found = {name: np.empty_like(N) for name in ("D", "flops_used", "expected_loss", "expected_regret", "high_regret")}
    for i, k in enumerate(chosen):
        frontier, sign = options[k].frontier, options[k].sign
        D = frontier.tokens(budgets[[i]], N[[i]])
        losses = losses_of(posed, int(k), N[[i]], D)[:, 0]
        excess = sign * (losses - optima.loss[:, i])
        found["D"][i], found["flops_used"][i] = D[0], frontier.total(N[[i]], D)[0]
        found["expected_loss"][i], found["expected_regret"][i] = losses.mean(), excess.mean()
        found["high_regret"][i] = np.quantile(excess, HIGH)
    near = np.array([curve.near(float(slack)) for curve, slack in zip(best, allowed, strict=True)])
    shares = np.array([[curve.near(part * abs(curve.least)) for part in NEAR] for curve in best])
    columns = {"N": N, **found, "near_low": near[:, 0], "near_high": near[:, 1], "option": chosen}
    for end in ("near_low", "near_high"):
        D = [options[k].frontier.tokens(*each) for k, *each in zip(chosen, budgets, columns[end], strict=True)]
        columns[f"{end}_D"] = np.array(D, dtype=float)
    variables = {name: (("budget",), values) for name, values in columns.items()}
    ends = {f"within_{end}": (("budget", "part"), shares[..., j]) for j, end in enumerate(("low", "high"))}
    return xr.Dataset({**variables, **ends}, coords={"flops": ("budget", budgets), "part": ("part", list(NEAR))})


def _regrets(best: Sequence[_Curve], budgets: np.ndarray) -> xr.Dataset:
    count = max(curve.N.size for curve in best)

    def table(rows: Sequence[np.ndarray]) -> tuple[tuple[str, str], np.ndarray]:
        padded = [np.pad(row, (0, count - row.size), constant_values=np.nan) for row in rows]
        return ("budget", "candidate"), np.array(padded)

    variables = {
        "N": table([curve.N for curve in best]),
        "D": table([curve.D for curve in best]),
        "expected_regret": table([curve.excess.mean(axis=0) for curve in best]),
        "high_regret": table([_high(curve.excess) for curve in best]),
    }
    return xr.Dataset(variables, coords={"flops": ("budget", budgets)})


def _high(excess: np.ndarray) -> np.ndarray:
    """Return the regret that one draw in twenty exceeds (point,); a partition, for sorting takes long."""
    place = int(np.ceil(HIGH * len(excess))) - 1
    return np.asarray(np.partition(excess, place, axis=0)[place])


def _options(posed: Posed, optima: BestRuns, budgets: np.ndarray, curves: Sequence[Sequence[_Curve]]) -> xr.Dataset:
    options = next(iter(posed.values()))
    count = len(options)
    N = np.array([[curve.best_N for curve in each] for each in curves])
    least = np.array([[curve.least for curve in each] for each in curves])
    ideal = options[0].sign * optima.loss.mean(axis=0)
    probability = np.stack([(optima.option == k).mean(axis=0) for k in range(count)], axis=1)
    dims = ("budget", "option")
    variables = {
        "N": (dims, N),
        "expected_loss": (dims, options[0].sign * least),
        "expected_regret": (dims, least - ideal[:, None]),
        "probability": (dims, probability),
    }
    names = dict.fromkeys(name for each in options for name in each.frontier.columns)
    columns = {name: ("option", [each.frontier.columns[name] for each in options]) for name in names}
    return xr.Dataset(variables, coords={"flops": ("budget", budgets), **columns})


@dataclass(frozen=True)
class Bought:
    """The cheapest run that is good enough on average."""

    flops: float
    N: float
    D: float
    option: int


def cheapest_expected(posed: Posed, target: float, around: float) -> Bought | None:
    """Return the cheapest run whose expected loss reaches a target, or None if no budget buys one.

    Parameters
    ----------
    posed : mapping of str to sequence of Candidates
        Candidates of each law and option.
    target : float
        In the unit of the response.
    around : float
        FLOP from which the search starts.
    """
    sign = next(iter(posed.values()))[0].sign

    def short(log_flops: float) -> float:
        return _least_at(posed, log_flops)[1].least - sign * target

    return _bought(posed, short, around)


def cheapest_assured(posed: Posed, target: float, probability: float, around: float) -> Bought | None:
    """Return the cheapest run of least expected loss that reaches a target with a probability, or None."""

    def short(log_flops: float) -> float:
        return probability - reach_probability(posed, _run_at(posed, log_flops), target)

    return _bought(posed, short, around)


def reach_probability(posed: Posed, run: Bought, target: float) -> float:
    """Return the part of the draws whose law is at the target, or beyond it, at a run."""
    sign = next(iter(posed.values()))[0].sign
    losses = losses_of(posed, run.option, np.array([run.N]), np.array([run.D]))
    return float((sign * losses <= sign * target).mean())


def _least_at(posed: Posed, log_flops: float) -> tuple[int, _Curve]:
    """Return the best option at a budget and its curve."""
    flops = float(np.exp(log_flops))
    optima = BestRuns.joined([best_runs(options, np.array([flops])) for options in posed.values()])
    curves = [_curve(posed, k, flops, optima, 0) for k in range(len(next(iter(posed.values()))))]
    best = int(np.argmin([curve.least for curve in curves]))
    return best, curves[best]


def _run_at(posed: Posed, log_flops: float) -> Bought:
    option, curve = _least_at(posed, log_flops)
    frontier = next(iter(posed.values()))[option].frontier
    N = curve.best_N
    D = float(frontier.tokens(np.exp(log_flops), np.asarray(N)))
    return Bought(float(np.exp(log_flops)), N, D, option)


def _bought(posed: Posed, short: Callable[[float], float], around: float) -> Bought | None:
    """Return the run at the smallest budget that is short of nothing: widen from a guess, then bisect."""
    options = next(iter(posed.values()))
    lowest = np.log(max([SMALLEST_FLOPS, *(1.01 * each.frontier.least_flops for each in options)]))
    highest = np.log(LARGEST_FLOPS)
    low = high = float(np.clip(np.log(around), lowest, highest))
    while short(high) > 0:
        if high >= highest:
            return None
        low, high = high, min(high + 1.5, highest)
    while short(low) <= 0:
        if low <= lowest:
            return _run_at(posed, float(lowest))
        low, high = max(low - 1.5, lowest), low
    root = brentq(short, low, high, xtol=PRECISION)
    return _run_at(posed, float(root))


def check_alike(posed: Posed) -> None:
    """Raise InputError unless the laws allow the same runs: one D for each N, whatever the law."""
    first, *others = posed
    for other in others:
        one, two = (posed[name][0].frontier for name in (first, other))
        if one.cost is not two.cost:
            raise InputError(
                f"laws {first} and {other} count the cost of a run differently ({one.cost.formula}; "
                f"{two.cost.formula}): they cannot be averaged; allocate by one of them"
            )
        if one.cap != two.cap:
            raise InputError(
                f"of laws {first} and {other} one knows what repeated tokens are worth and the other does not: give "
                "repetition, or allocate by one of them"
            )
