"""Candidates: the runs that a budget and its limits allow, what a law expects of them, and the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import elementwise

from bayescale.checks import Number
from bayescale.errors import InputError
from bayescale.fits.draws import Draws, evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.laws import Law
from bayescale.laws.costs import SERVING_PART, Cost
from bayescale.laws.data_constrained import effective
from bayescale.processes import in_parts
from bayescale.splits.constraints import Constraints
from bayescale.splits.optimum import EDGE, RATIOS

CLOSE = 1e-6
"""An optimum this close to a limit, in logs, lies at it."""

ROUNDING = 1e-12
"""Relative; a logarithm and its exponential leave no more."""

SMALLEST_SIZE = 1e3
"""Parameters; no smaller model is of interest to anyone."""

FEWEST = 1e-3
"""Training tokens of a run whose budget serving takes: so few that no search stays there, and yet with a logarithm."""

BEYOND = 2.0
"""How far beyond a limit that was asked for is searched at least, in ln N or ln D."""

ARRIVED = 1e-9
"""Newton steps below this, in ln N, have arrived; most end far below it."""

STEPS = 20
"""Of Newton's method for a size; cost is convex in logs, so it ends long before."""

GUIDES = 9
"""Budgets at which the median draw shows where to start."""

SMALLEST_FLOPS, LARGEST_FLOPS = 1e14, 1e32
"""Budgets among which the cheapest one of a loss is sought: no model will be trained beyond them."""

BELOW = 6.0
"""How far below a budget that reaches a loss the cheapest one is sought, in ln FLOP."""

SLOPE_STEP = 1e-4
"""In logs, of the differences that slopes are made of."""


@dataclass(frozen=True)
class Span:
    """Ends of ln N for each budget: arrays of the budgets' shape.

    Attributes
    ----------
    low, high : numpy.ndarray
        The ends; ``low`` is above ``high`` where nothing is allowed.
    kink : numpy.ndarray
        Where the budget pays for just as many tokens as there are; minus infinity where there is no end to them.
    low_open, high_open : numpy.ndarray
        Whether an end is that of the search, and not a limit that was asked for.
    """

    low: np.ndarray
    high: np.ndarray
    kink: np.ndarray
    low_open: np.ndarray
    high_open: np.ndarray


@dataclass(frozen=True, eq=False)
class Frontier:
    """The runs that spend a budget within the limits: one D for each N.

    Attributes
    ----------
    cost : Cost
        What a run costs.
    limits : Constraints
        What limits N and D.
    columns : mapping of str to float
        Further columns, one value each.
    cap : float
        Most training tokens, repeats counted.
    """

    cost: Cost
    limits: Constraints
    columns: Mapping[str, float]
    cap: float

    @property
    def served(self) -> float:
        """Training tokens that cost as much as the tokens to serve."""
        return SERVING_PART * self.limits.inference_tokens

    def per_token(self, N: np.ndarray) -> np.ndarray:
        """Return the FLOP of one training token."""
        return np.asarray(self.cost.per_token(N, self.columns))

    def total(self, N: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Return the FLOP of training and serving."""
        return np.asarray(self.per_token(N) * (D + self.served) + self.cost.fixed(self.columns))

    def affordable(self, flops: np.ndarray, N: np.ndarray) -> np.ndarray:
        """Return the training tokens that a budget pays, whatever the limits; below zero where serving takes it all."""
        return np.asarray((flops - self.cost.fixed(self.columns)) / self.per_token(N) - self.served)

    def tokens(self, flops: np.ndarray, N: np.ndarray) -> np.ndarray:
        """Return the training tokens of a run: what the budget pays, and no more than the limits allow."""
        D = self.affordable(flops, N)
        return np.where(self.cap * (1 - ROUNDING) < D, self.cap, D)

    def snapped(self, N: np.ndarray) -> np.ndarray:
        """Return sizes, those that are a limit but for rounding as that limit."""
        limits = (self.limits.min_params, self.limits.max_params, *self.limits.sizes)
        for limit in (each for each in limits if each is not None):
            N = np.where(np.abs(N - limit) < ROUNDING * limit, limit, N)
        return np.asarray(N)

    def log_size(self, flops: np.ndarray, *, tokens: Number = 0.0, ratio: Number = 0.0) -> np.ndarray:
        """Return ln N of the run that spends all of a budget on ``tokens + ratio N`` training tokens.

        InputError if Newton's steps do not arrive, as with a cost that falls or jumps.
        """
        target = np.log(np.asarray(flops, dtype=float) - self.cost.fixed(self.columns))
        x = np.full(np.shape(target), 20.0)

        def log_cost(x: np.ndarray) -> np.ndarray:
            N = np.exp(x)
            return np.asarray(np.log(self.per_token(N)) + np.log(tokens + ratio * N + self.served))

        for _ in range(STEPS):
            slope = (log_cost(x + SLOPE_STEP) - log_cost(x - SLOPE_STEP)) / (2 * SLOPE_STEP)
            step = (target - log_cost(x)) / slope
            x = x + step
            if not (np.abs(step) > 1e-13).any():
                break
        if (np.abs(step) > ARRIVED).any():
            raise InputError(
                f"the size of a run that costs {np.max(flops):.4g} FLOP was not found in {STEPS} steps; the cost of a "
                "token must rise with N, smoothly"
            )
        return np.asarray(x)

    def span(self, flops: np.ndarray) -> Span:
        """Return which sizes a budget allows: between limits that were asked for, else as far as is searched."""
        limits = self.limits
        low, high = (self.log_size(flops, ratio=ratio) for ratio in RATIOS[::-1])
        kink = np.full(np.shape(flops), -np.inf)
        if np.isfinite(self.cap):
            kink = self.log_size(flops, tokens=self.cap)
            high = np.maximum(high, self.log_size(flops, tokens=self.cap * np.exp(-BEYOND)))
        least = -np.inf if limits.min_params is None else np.log(limits.min_params)
        if limits.min_params is not None:
            tokens = self.affordable(flops, np.asarray(limits.min_params))
            beside = self.log_size(flops, tokens=np.maximum(tokens, FEWEST) * np.exp(-BEYOND))
            high = np.where(tokens > 0, np.maximum(high, beside), high)
        most = np.full(np.shape(flops), np.inf if limits.max_params is None else np.log(limits.max_params))
        if limits.min_tokens is not None:
            most = np.minimum(most, self.log_size(flops, tokens=limits.min_tokens))
        low = np.minimum(low, most - BEYOND)
        return Span(np.maximum(low, least), np.minimum(high, most), kink, low > least, high < most)

    def check(self, budgets: np.ndarray) -> None:
        """Raise InputError where a budget leaves no choice."""
        fixed = self.cost.fixed(self.columns)
        if (budgets <= fixed).any():
            raise InputError(
                f"{fixed:.3g} FLOP are spent before a run starts, more than {budgets.min():.3g}; spend more"
            )
        if self.limits.sizes:
            allowed = self.allowed(budgets[:, None], np.array(self.limits.sizes)).any(axis=-1)
            what = f"sizes {', '.join(f'{size:g}' for size in self.limits.sizes)}"
        else:
            span = self.span(budgets)
            allowed = span.low <= span.high + CLOSE
            what = "the limits of N and D"
        if not allowed.all():
            least = self.least_flops
            raise InputError(
                f"a budget of {budgets[~allowed].min():.4g} FLOP leaves no run within {what}"
                f"{self._serving_text()}; the smallest run that they allow costs {least:.4g} FLOP: spend more, or move "
                "a limit"
            )

    def _serving_text(self) -> str:
        tokens = self.limits.inference_tokens
        return f" that is then served {tokens:g} tokens" if tokens else ""

    @property
    def least_flops(self) -> float:
        """FLOP of the smallest run that the limits allow."""
        limits = self.limits
        N = max(limits.min_params or SMALLEST_SIZE, min(limits.sizes, default=SMALLEST_SIZE))
        D = max(limits.min_tokens or 0.0, RATIOS[0] * N)
        return float(self.total(np.asarray(N), np.asarray(D)))

    def allowed(self, flops: np.ndarray, N: np.ndarray) -> np.ndarray:
        """Return whether a budget pays for a model of this size within the limits of D."""
        D = self.tokens(flops, N)
        return np.asarray((D > 0) & ((self.limits.min_tokens or 0.0) * (1 - CLOSE) <= D))

    def binding(self, N: np.ndarray, D: np.ndarray) -> dict[str, np.ndarray]:
        """Return for each limit whether a run lies at it; unique tokens bind where all of them are used."""
        limits = self.limits
        found = {
            "unique_tokens": (limits.unique_tokens, D, 1),
            "max_tokens": (limits.max_tokens, D, 1),
            "min_tokens": (limits.min_tokens, D, -1),
            "max_params": (limits.max_params, N, 1),
            "min_params": (limits.min_params, N, -1),
        }
        return {
            name: np.asarray(side * (np.log(value) - np.log(limit)) > -CLOSE)
            for name, (limit, value, side) in found.items()
            if limit is not None
        }


@dataclass(frozen=True)
class Best:
    """The best run of each budget: arrays of one shape, (draw, budget).

    Attributes
    ----------
    N, D : numpy.ndarray
        Parameters and training tokens, repeats counted.
    loss : numpy.ndarray
        The law there.
    located : numpy.ndarray
        Whether the run lies inside the searched range, or at a limit that was asked for.
    """

    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    located: np.ndarray


@dataclass(frozen=True, eq=False)
class Candidates:
    """What one law expects of the runs on a frontier.

    Attributes
    ----------
    draws : Draws
        Of the law.
    frontier : Frontier
        The runs.
    scale : numpy.ndarray or None
        R_D of each draw, by which repeats of unique tokens are worth less (draw,).
    sign : float
        1 where less of the response is better, -1 where more is.
    """

    draws: Draws
    frontier: Frontier
    scale: np.ndarray | None = None
    sign: float = 1.0

    @property
    def values(self) -> list[np.ndarray]:
        """The parameters, and R_D behind them (draw, 1)."""
        flat = [self.draws[name] for name in self.draws.law.parameters]
        return [values[:, None] for values in ([*flat, self.scale] if self.scale is not None else flat)]

    @property
    def count(self) -> int:
        """Number of draws."""
        return self.draws.count

    def take(self, kept: np.ndarray) -> "Candidates":
        """Return the same for some of the draws."""
        return replace(self, draws=self.draws.take(kept), scale=None if self.scale is None else self.scale[kept])

    def points(self, N: np.ndarray, D: np.ndarray, scale: np.ndarray | None) -> dict[str, np.ndarray]:
        """Return the law's columns for runs: D as what the tokens are worth, and C for that."""
        if scale is not None and self.frontier.limits.unique_tokens is not None:
            with np.errstate(over="ignore"):  # far too many repeats: they are worth nothing more
                D = effective(D, np.log(D) - np.log(self.frontier.limits.unique_tokens), scale)
        training = {"C": FLOPS_PER_TOKEN * N * D} if "C" in self.draws.law.covariates else {}
        return {"N": N, "active_N": N, "D": D, **training, **self.frontier.columns}

    def response(self, N: np.ndarray, D: np.ndarray, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the law for runs under given parameters, all of shapes that broadcast."""
        points = self.points(N, D, values[-1] if self.scale is not None else None)
        scaled = {name: points[name] / self.draws.reference[name] for name in self.draws.law.covariates}
        named = dict(zip(self.draws.law.parameters, values, strict=False))  # R_D comes last
        return np.asarray(self.draws.law.loss(**scaled, **named))

    def loss(self, N: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Return the law for runs (point,), or (draw, point): (draw, point)."""
        found = self.response(N, D, self.values)
        return np.broadcast_to(found, np.broadcast_shapes(found.shape, (self.count, 1), np.shape(N)))

    def find_best(self, flops: np.ndarray) -> Best:
        """Find the best run of each budget under each draw.

        Parameters
        ----------
        flops : numpy.ndarray
            Budgets in FLOP: (budget,), or (draw, budget) when draws have budgets of their own.
        """
        budgets, values = np.atleast_2d(np.asarray(flops, dtype=float)), self.values
        if len(budgets) > 1:
            return self._search(budgets, values)
        found = in_parts(lambda part: self._search(budgets, [each[part] for each in values]), self.count)
        return Best(*(np.concatenate([getattr(each, name) for each in found]) for name in Best.__dataclass_fields__))

    def _search(self, budgets: np.ndarray, values: Sequence[np.ndarray]) -> Best:
        """Find the best run for budgets and values of shapes that broadcast; budgets that draws share are one row."""
        log_N, located = (self._best_of_sizes if self.frontier.limits.sizes else self._best_size)(budgets, values)
        N = self.frontier.snapped(np.exp(log_N))
        D = self.frontier.tokens(budgets, N)
        return Best(N, D, self.response(N, D, values), located)

    def _best_of_sizes(self, budgets: np.ndarray, values: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        sizes = np.array(self.frontier.limits.sizes)
        losses = []
        for size in sizes:
            N = np.full_like(budgets, size)
            allowed = self.frontier.allowed(budgets, N)
            D = np.where(allowed, self.frontier.tokens(budgets, N), 1.0)
            losses.append(np.where(allowed, self.sign * self.response(N, D, values), np.inf))
        best = np.argmin(losses, axis=0)
        return np.log(sizes)[best], np.isfinite(np.min(losses, axis=0))

    def _value(self, log_N: np.ndarray, flops: np.ndarray, *values: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        return self.sign * self.response(N, self.frontier.tokens(flops, N), values)

    def _best_size(self, budgets: np.ndarray, values: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Search between the ends, and compare what is found with the ends and the kink."""
        span = self.frontier.span(budgets)
        room = np.maximum(span.high - span.low, 0.0)
        start = span.low + room * np.clip(self._start(budgets, span), 0.01, 0.99)
        reach = np.minimum(0.35, 0.5 * np.minimum(start - span.low, span.high - start))
        bracket = elementwise.bracket_minimum(
            self._value,
            start,
            xl0=start - reach,
            xr0=start + reach,
            xmin=span.low,
            xmax=span.high,
            args=(budgets, *values),
        )
        found = elementwise.find_minimum(
            self._value,
            bracket.bracket,
            args=(budgets, *values),
            tolerances={"xatol": 5e-7, "fatol": 0, "frtol": 0},
        )
        inside = np.where(bracket.success & found.success, found.x, np.nan)
        return self._best_place(inside, span, budgets, values)

    def _best_place(
        self, inside: np.ndarray, span: Span, budgets: np.ndarray, values: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose between a minimum inside, the two ends and the kink; an end of the search is no optimum."""
        kink = np.where((span.kink > span.low) & (span.kink < span.high), span.kink, np.nan)
        places = [inside, kink, span.low, span.high]
        if not np.isfinite(kink).any():
            places.pop(1)
        losses = np.stack([self._value(place, budgets, *values) for place in places])
        best = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=0)
        log_N = np.take_along_axis(np.stack(np.broadcast_arrays(*places)), best[None], axis=0)[0]
        for place in (span.low, span.high, kink):  # what lies that close to one is at it
            log_N = np.where(np.abs(log_N - place) < CLOSE, place, log_N)
        at_edge = (span.low_open & (log_N < span.low + EDGE)) | (span.high_open & (log_N > span.high - EDGE))
        empty = span.low > span.high + CLOSE
        located = ~(at_edge | empty | ~np.isfinite(losses.min(axis=0, where=~np.isnan(losses), initial=np.inf)))
        return log_N, located

    def _start(self, budgets: np.ndarray, span: Span) -> np.ndarray:
        """Return where between the ends the best run of the median draw lies, for budgets like these."""
        logs = np.log(budgets)
        guides = np.linspace(logs.min(), logs.max(), GUIDES if np.ptp(logs) > 0 else 1)
        ends = self.frontier.span(np.exp(guides))
        parts = np.linspace(0, 1, 61)[1:-1]
        grid = ends.low + (ends.high - ends.low) * parts[:, None]
        losses = self._value(grid, np.exp(guides), *self._median)
        log_N = np.interp(logs, guides, np.take_along_axis(grid, np.argmin(losses, axis=0)[None], axis=0)[0])
        return np.asarray((log_N - span.low) / np.where(span.high > span.low, span.high - span.low, 1.0))

    @cached_property
    def _median(self) -> list[np.ndarray]:
        return [np.median(values) for values in self.values]

    def cheapest(self, target: np.ndarray, most: np.ndarray | None = None) -> np.ndarray:
        """Return the smallest budget whose best run reaches a loss (draw, target); infinity where none does.

        Parameters
        ----------
        target : numpy.ndarray
            Losses: (target,), or (draw, target) when draws have targets of their own.
        most : numpy.ndarray, optional
            Budgets that are known to reach them, in FLOP, of the shape of the result.
        """
        targets = np.broadcast_to(np.asarray(target, dtype=float), (self.count, np.shape(target)[-1]))
        values = [np.broadcast_to(each, targets.shape) for each in self.values]
        least = np.full(targets.shape, np.log(max(SMALLEST_FLOPS, 1.01 * self.frontier.least_flops)))
        upper = np.full(targets.shape, np.log(LARGEST_FLOPS)) if most is None else np.log(most) + CLOSE
        lower = least if most is None else np.maximum(least, upper - BELOW)

        def excess(log_flops: np.ndarray, target: np.ndarray, *values: np.ndarray) -> np.ndarray:
            return np.asarray(self.sign * (self._search(np.exp(log_flops), values).loss - target))

        met, missed = excess(lower, targets, *values) <= 0, excess(upper, targets, *values) > 0
        tolerances = {"xatol": CLOSE, "fatol": 0}
        root = elementwise.find_root(excess, (lower, upper), args=(targets, *values), tolerances=tolerances)
        return np.asarray(np.exp(np.where(met, lower, np.where(missed, np.inf, root.x))))

    def slopes(self, N: np.ndarray, D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the slopes of the response on ln N and on ln D (draw, point)."""
        h = SLOPE_STEP
        by_N = self.loss(N * np.exp(h), D) - self.loss(N * np.exp(-h), D)
        by_D = self.loss(N, D * np.exp(h)) - self.loss(N, D * np.exp(-h))
        return by_N / (2 * h), by_D / (2 * h)


def exhausting_flops(candidates: Candidates, tokens: float) -> np.ndarray:
    """Return the budget at which the best run uses just so many tokens, whatever its size (draw,); NaN without one.

    There the loss is flat along the budget: ``dL/dlnN = eta (1 + served / D) dL/dlnD``, with eta the exponent of the
    FLOP per token in N.
    """
    frontier, h = candidates.frontier, SLOPE_STEP
    along = 1 + frontier.served / tokens

    def rise(log_N: np.ndarray, *values: np.ndarray) -> np.ndarray:
        """Return how the loss changes with N along the budget: below zero where a larger model helps."""
        costs = [np.log(frontier.per_token(np.exp(log_N + step))) for step in (h, -h)]
        fewer = 0.5 * (costs[0] - costs[1]) * along
        sides = [
            candidates.response(np.exp(log_N + side * h), tokens * np.exp(-side * fewer), values) for side in (1, -1)
        ]
        return np.asarray(candidates.sign * (sides[0] - sides[1]))

    values = [each[:, 0] for each in candidates.values]
    low, high = (np.full(candidates.count, np.log(tokens / ratio)) for ratio in RATIOS[::-1])
    found = elementwise.find_root(rise, (low, high), args=tuple(values), tolerances={"xatol": CLOSE, "fatol": 0})
    N = np.exp(np.where(found.success, found.x, np.nan))
    return np.asarray(frontier.total(N, np.asarray(tokens)))


def pose(fitted: Fit, draws: Draws, limits: Constraints, random_seed: int = 0) -> list[Candidates]:
    """Return the candidates of a law, one set for each combination of covariates that the limits offer.

    Parameters
    ----------
    fitted : Fit
        The fit.
    draws : Draws
        Of its law.
    limits : Constraints
        What limits the choice.
    random_seed : int
        Seed of the pairing of R_D with the draws.

    Raises
    ------
    InputError
        If the law needs a column that is not given, or does not split compute at all.
    """
    law = fitted.law
    missing = missing_columns(law, limits)
    if missing:
        raise InputError(
            f"law '{law.name}' is a law of {', '.join(law.covariates)}: give {', '.join(missing)} among the covariates "
            "of the constraints, or allocate by another law"
        )
    own = "unique_tokens" in law.covariates
    repeats = not own and limits.repetition is not None
    scale = _paired(limits.repetition, draws.count, random_seed) if repeats else None
    caps = (limits.max_tokens, None if own or repeats else limits.unique_tokens)
    cap = min([np.inf, *(each for each in caps if each is not None)])
    if limits.min_tokens is not None and limits.min_tokens > cap:
        raise InputError(
            f"min_tokens is {limits.min_tokens:g}, but there are {cap:g} unique tokens: no run is left; lower it, or "
            "give repetition"
        )
    sign = -1.0 if fitted.runs.response == "gain" else 1.0
    return [
        Candidates(draws, Frontier(law.cost, limits, columns, cap), scale, sign) for columns in _columns(law, limits)
    ]


def missing_columns(law: Law, limits: Constraints) -> list[str]:
    """Return the columns of a law that neither the search nor the limits give."""
    given = {"N", "D", "C", "active_N", *limits.covariates}
    if limits.unique_tokens is not None:
        given.add("unique_tokens")
    return [name for name in law.covariates if name not in given]


def splits(law: Law) -> bool:
    """Return whether a law has a size and a number of tokens to choose."""
    return "D" in law.covariates and ("N" in law.covariates) != ("active_N" in law.covariates)


def _columns(law: Law, limits: Constraints) -> list[dict[str, float]]:
    """Return each combination of further columns, unique tokens among them where the law knows them."""
    unique = {"unique_tokens": limits.unique_tokens} if limits.unique_tokens is not None else {}
    own = unique if "unique_tokens" in law.covariates else {}
    return [{**option, **own} for option in limits.options]


def _paired(scale: object, count: int, random_seed: int) -> np.ndarray:
    """Return R_D for each draw of the law; the two posteriors come from different runs, so any pairing serves."""
    draws = np.atleast_1d(np.asarray(scale, dtype=float))
    spaced = draws[evenly_spaced(count, draws.size)]
    return np.asarray(np.random.default_rng(random_seed).permutation(spaced))
