"""Search: the best run of each budget, and the cheapest run of each loss, for every posterior draw of a law at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import elementwise

from bayescale.errors import InputError
from bayescale.fits.draws import Draws, evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.laws import Law
from bayescale.laws.costs import DENSE
from bayescale.laws.data_constrained import effective
from bayescale.laws.measured import SLOPE_STEP
from bayescale.processes import in_parts
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.splits.frontier import CLOSE, RATIOS, Frontier, Span, frontiers
from bayescale.splits.paths import Paths
from bayescale.values import Value

EDGE = 0.01
"""An optimum this close to an end of the searched range, in ln N, is that end."""

GUIDES = 9
"""Budgets at which the median draw shows where to start."""

SMALLEST_FLOPS, LARGEST_FLOPS = 1e14, 1e32
"""Budgets among which the cheapest one of a loss is sought: no model will be trained beyond them."""

BELOW = 6.0
"""How far below a budget that reaches a loss the cheapest one is sought, in ln FLOP."""

REPETITION_SCALE = "repetition_scale"
"""Name under which R_D goes with the parameters of a law that has none."""

DRAW = "draw"
"""Name under which the place of a draw goes with its parameters, to find its path."""

type Parameters = Mapping[str, np.ndarray]
"""The parameters of a law, R_D where repeats are weighed, and the place of the draw; of shapes that broadcast."""


@dataclass(frozen=True, eq=False, repr=False)
class BestRuns(Value):
    """The best run of each draw at each budget, or the cheapest that reaches each loss: arrays (draw, budget).

    Attributes
    ----------
    N, D : numpy.ndarray
        Parameters, and training tokens with repeats counted.
    loss : numpy.ndarray
        The law there.
    option : numpy.ndarray
        Which combination of further columns it has.
    flops : numpy.ndarray
        What the run costs, serving included; less than its budget where limits leave some of it over.
    located : numpy.ndarray
        Whether the run lies inside the searched range, or at a limit that was asked for.
    """

    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    option: np.ndarray
    flops: np.ndarray
    located: np.ndarray

    @property
    def log_ratio(self) -> np.ndarray:
        """Natural log of the tokens per parameter."""
        return np.asarray(np.log(self.D) - np.log(self.N))

    @property
    def known(self) -> "BestRuns":
        """The same with NaN for N, D, loss and FLOP of runs that are not located."""
        values = {name: np.where(self.located, getattr(self, name), np.nan) for name in ("N", "D", "loss", "flops")}
        return replace(self, **values)

    def take(self, draws: np.ndarray | slice) -> "BestRuns":
        """Return the runs of some of the draws: those at these places, or where a mask holds."""
        return BestRuns(*(getattr(self, each.name)[draws] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence["BestRuns"]) -> "BestRuns":
        """Return runs of several sets of draws, one below the other."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    @classmethod
    def chosen(cls, parts: Sequence["BestRuns"], option: np.ndarray) -> "BestRuns":
        """Return of each run the one of the option that is chosen, given the runs of every option."""
        return replace(
            cls(*(chosen([getattr(part, each.name) for part in parts], option) for each in fields(cls))), option=option
        )


def chosen(values: Sequence[np.ndarray], option: np.ndarray) -> np.ndarray:
    """Return the values of the option that is chosen, given those of every option."""
    if len(values) == 1:
        return np.asarray(values[0])
    return np.asarray(np.take_along_axis(np.stack(values), option[None], axis=0)[0])


@dataclass(frozen=True, eq=False)
class Search:
    """A search for the best runs on a frontier, under the draws of one law.

    Attributes
    ----------
    draws : Draws
        Of the law.
    frontier : Frontier
        The runs to choose from.
    repetition_scale : numpy.ndarray or None
        R_D of each draw, by which repeats of unique tokens are worth less (draw,).
    sign : float
        1 where less of the response is better, -1 where more is.
    paths : Paths or None
        What the law misses of ln N*, for each draw: at training compute C, the law is read at ``N exp(-path)`` and
        ``D exp(path)``, so its best size moves by the path, and its least loss stays.
    """

    draws: Draws
    frontier: Frontier
    repetition_scale: np.ndarray | None = None
    sign: float = 1.0
    paths: Paths | None = None

    @cached_property
    def parameters(self) -> Parameters:
        """The parameters of the law, R_D where repeats are weighed, and the draw where it has a path (draw, 1)."""
        flat = {name: self.draws[name] for name in self.draws.law.parameters}
        if self.repetition_scale is not None:
            flat[REPETITION_SCALE] = self.repetition_scale
        if self.paths is not None:
            flat[DRAW] = np.arange(self.count, dtype=float)
        return {name: values[:, None] for name, values in flat.items()}

    @property
    def count(self) -> int:
        """Number of draws."""
        return self.draws.count

    def take(self, kept: np.ndarray | slice) -> "Search":
        """Return the same for some of the draws."""
        scale = None if self.repetition_scale is None else self.repetition_scale[kept]
        paths = None if self.paths is None else self.paths.take(kept)
        return replace(self, draws=self.draws.take(kept), repetition_scale=scale, paths=paths)

    def with_serving(self, tokens: float) -> "Search":
        """Return the same with other tokens to serve."""
        limits = replace(self.frontier.limits, inference_tokens=tokens)
        return replace(self, frontier=replace(self.frontier, limits=limits))

    def points(self, N: np.ndarray, D: np.ndarray, scale: np.ndarray | None) -> dict[str, np.ndarray]:
        """Return the law's columns for runs: D as what the tokens are worth, and C for that."""
        if scale is not None and self.frontier.limits.unique_tokens is not None:
            with np.errstate(over="ignore"):  # far too many repeats: they are worth nothing more
                D = effective(D, np.log(D) - np.log(self.frontier.limits.unique_tokens), scale)
        training = {"C": self.draws.flops(N, D)} if "C" in self.draws.law.covariates else {}
        further: Mapping[str, Any] = self.frontier.columns
        return {"N": N, "active_N": N, "D": D, **training, **further}

    def response(self, N: np.ndarray, D: np.ndarray, parameters: Parameters) -> np.ndarray:
        """Return the law for runs under given parameters, all of shapes that broadcast."""
        law, reference = self.draws.law, self.draws.reference
        points = self.points(N, D, parameters.get(REPETITION_SCALE))
        if self.paths is not None:
            flops = self.draws.flops(points["N"], points["D"])
            missed = np.exp(self.paths.at(parameters[DRAW], np.log(flops)))
            tokens = flops / self.draws.flops(points["N"] / missed, np.ones(1)) if self.draws.measured else None
            points |= {"N": points["N"] / missed, "active_N": points["active_N"] / missed}
            points["D"] = points["D"] * missed if tokens is None else tokens
        scaled = {name: points[name] / reference[name] for name in law.covariates}
        return np.asarray(law.loss(**scaled, **{name: parameters[name] for name in law.parameters}))

    def loss(self, N: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Return the law for runs (point,), or (draw, point): (draw, point)."""
        found = self.response(N, D, self.parameters)
        return np.broadcast_to(found, np.broadcast_shapes(found.shape, (self.count, 1), np.shape(N)))

    def find_best(self, flops: np.ndarray) -> BestRuns:
        """Find the best run of each budget under each draw.

        Parameters
        ----------
        flops : numpy.ndarray
            Budgets in FLOP: (budget,), or (draw, budget) when draws have budgets of their own.
        """
        budgets, parameters = np.atleast_2d(np.asarray(flops, dtype=float)), self.parameters
        if len(budgets) > 1:
            return self._best(budgets, parameters)
        parts = in_parts(
            lambda part: self._best(budgets, {name: each[part] for name, each in parameters.items()}), self.count
        )
        return BestRuns.joined(list(parts))

    def _best(self, budgets: np.ndarray, parameters: Parameters) -> BestRuns:
        """Find the best run for shapes that broadcast; budgets that draws share are one row."""
        if self._moves_alike:
            return self._moved(budgets, parameters)
        log_N, located = (self._best_of_sizes if self.frontier.limits.sizes else self._best_size)(budgets, parameters)
        N = self.frontier.snapped(np.exp(log_N))
        D = self.frontier.tokens(budgets, N)
        option = np.zeros(N.shape, dtype=int)
        return BestRuns(N, D, self.response(N, D, parameters), option, self.frontier.total(N, D), located)

    @property
    def _moves_alike(self) -> bool:
        """Whether a path moves the best run of the law along its budget, and nothing else: no limits, and 6 N D."""
        frontier = self.frontier
        unlimited = replace(frontier.limits, covariates={}) == UNLIMITED
        return self.paths is not None and unlimited and frontier.cost == DENSE and not np.isfinite(frontier.cap)

    def _moved(self, budgets: np.ndarray, parameters: Parameters) -> BestRuns:
        """Find the best run of the law alone, and move it by the path."""
        assert self.paths is not None
        own = {name: values for name, values in parameters.items() if name != DRAW}
        best = replace(self, paths=None)._best(budgets, own)
        moved = np.exp(self.paths.at(parameters[DRAW], np.log(budgets)))
        return replace(best, N=best.N * moved, D=best.D / moved)

    def _best_of_sizes(self, budgets: np.ndarray, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
        sizes = np.array(self.frontier.limits.sizes)
        losses = []
        for size in sizes:
            N = np.full_like(budgets, size)
            allowed = self.frontier.allowed(budgets, N)
            D = np.where(allowed, self.frontier.tokens(budgets, N), 1.0)
            losses.append(np.where(allowed, self.sign * self.response(N, D, parameters), np.inf))
        best = np.argmin(losses, axis=0)
        return np.log(sizes)[best], np.isfinite(np.min(losses, axis=0))

    def _named(self, values: Sequence[np.ndarray]) -> Parameters:
        return dict(zip(self.parameters, values, strict=True))

    def _value(self, log_N: np.ndarray, flops: np.ndarray, *values: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        return self.sign * self.response(N, self.frontier.tokens(flops, N), self._named(values))

    def _best_size(self, budgets: np.ndarray, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
        """Search between the ends, and compare what is found with the ends and the kink."""
        span, args = self.frontier.span(budgets), (budgets, *parameters.values())
        room = np.maximum(span.high - span.low, 0.0)
        start = span.low + room * np.clip(self._start(budgets, span), 0.01, 0.99)
        reach = np.minimum(0.35, 0.5 * np.minimum(start - span.low, span.high - start))
        bracket = elementwise.bracket_minimum(
            self._value, start, xl0=start - reach, xr0=start + reach, xmin=span.low, xmax=span.high, args=args
        )
        tolerances = {"xatol": 5e-7, "fatol": 0, "frtol": 0}
        found = elementwise.find_minimum(self._value, bracket.bracket, args=args, tolerances=tolerances)
        inside = np.where(bracket.success & found.success, found.x, np.nan)
        return self._best_place(inside, span, args)

    def _best_place(self, inside: np.ndarray, span: Span, args: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Choose between a minimum inside, the two ends and the kink; an end of the search is no optimum."""
        kink = np.where((span.kink > span.low) & (span.kink < span.high), span.kink, np.nan)
        places = [inside, kink, span.low, span.high]
        if not np.isfinite(kink).any():
            places.pop(1)
        losses = np.stack([self._value(place, *args) for place in places])
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
        bare = replace(self, paths=None)
        losses = bare._value(grid, np.exp(guides), *bare._median)
        log_N = np.interp(logs, guides, np.take_along_axis(grid, np.argmin(losses, axis=0)[None], axis=0)[0])
        return np.asarray((log_N - span.low) / np.where(span.high > span.low, span.high - span.low, 1.0))

    @cached_property
    def _median(self) -> list[np.ndarray]:
        return [np.median(values) for values in self.parameters.values()]

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
        values = [np.broadcast_to(each, targets.shape) for each in self.parameters.values()]
        least = np.full(targets.shape, np.log(max(SMALLEST_FLOPS, 1.01 * self.frontier.least_flops)))
        upper = np.full(targets.shape, np.log(LARGEST_FLOPS)) if most is None else np.log(most) + CLOSE
        lower = least if most is None else np.maximum(least, upper - BELOW)

        def excess(log_flops: np.ndarray, target: np.ndarray, *values: np.ndarray) -> np.ndarray:
            return np.asarray(self.sign * (self._best(np.exp(log_flops), self._named(values)).loss - target))

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


def best_runs(options: Sequence[Search], budgets: np.ndarray) -> BestRuns:
    """Return the best run of each budget under each draw of one law, over all options."""
    found = [each.find_best(budgets) for each in options]
    losses = [np.where(best.located, each.sign * best.loss, np.inf) for each, best in zip(options, found, strict=True)]
    return BestRuns.chosen(found, np.argmin(losses, axis=0))


def cheapest_runs(options: Sequence[Search], targets: np.ndarray, most: np.ndarray | None = None) -> BestRuns:
    """Return the cheapest run that reaches each loss under each draw of one law; not located where none does.

    ``most`` is a budget that is known to reach it, where there is one.
    """
    flops = [each.cheapest(targets, most) for each in options]
    option = np.argmin(flops, axis=0)
    least = chosen(flops, option)
    reached = np.isfinite(least)
    best = BestRuns.chosen([each.find_best(np.where(reached, least, LARGEST_FLOPS)) for each in options], option)
    return replace(best, located=reached & best.located)


def exhausting_flops(search: Search, tokens: float) -> np.ndarray:
    """Return the budget at which the best run uses just so many tokens, whatever its size (draw,); NaN without one.

    There the loss is flat along the budget: ``dL/dlnN = eta (1 + served / D) dL/dlnD``, with eta the exponent of the
    FLOP per token in N.
    """
    frontier, h = search.frontier, SLOPE_STEP
    along = 1 + frontier.served / tokens

    def rise(log_N: np.ndarray, *values: np.ndarray) -> np.ndarray:
        """Return how the loss changes with N along the budget: below zero where a larger model helps."""
        parameters = dict(zip(search.parameters, values, strict=True))
        costs = [np.log(frontier.per_token(np.exp(log_N + step))) for step in (h, -h)]
        fewer = 0.5 * (costs[0] - costs[1]) * along
        sides = [
            search.response(np.exp(log_N + side * h), tokens * np.exp(-side * fewer), parameters) for side in (1, -1)
        ]
        return np.asarray(search.sign * (sides[0] - sides[1]))

    values = [each[:, 0] for each in search.parameters.values()]
    low, high = (np.full(search.count, np.log(tokens / ratio)) for ratio in RATIOS[::-1])
    found = elementwise.find_root(rise, (low, high), args=tuple(values), tolerances={"xatol": CLOSE, "fatol": 0})
    N = np.exp(np.where(found.success, found.x, np.nan))
    return np.asarray(frontier.total(N, np.asarray(tokens)))


def searches(
    fitted: Fit, draws: Draws, limits: Constraints, random_seed: int = 0, paths: Paths | None = None
) -> list[Search]:
    """Return the searches of a law, one for each combination of covariates that the limits offer.

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
    paths : Paths, optional
        What the law misses of ln N*, for these draws.

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
    repeats = limits.repetition is not None and "unique_tokens" not in law.covariates
    scale = _paired(limits.repetition, draws.count, random_seed) if repeats else None
    sign = -1.0 if fitted.runs.response == "gain" else 1.0
    return [Search(draws, frontier, scale, sign, paths) for frontier in frontiers(law, limits, draws.cost)]


def missing_columns(law: Law, limits: Constraints) -> list[str]:
    """Return the columns of a law that neither the search nor the limits give."""
    given = {"N", "D", "C", "active_N", *limits.covariates}
    if limits.unique_tokens is not None:
        given.add("unique_tokens")
    return [name for name in law.covariates if name not in given]


def splits(law: Law) -> bool:
    """Return whether a law has a size and a number of tokens to choose."""
    return "D" in law.covariates and ("N" in law.covariates) != ("active_N" in law.covariates)


def _paired(scale: object, count: int, random_seed: int) -> np.ndarray:
    """Return R_D for each draw of the law; the two posteriors come from different runs, so any pairing serves."""
    draws = np.atleast_1d(np.asarray(scale, dtype=float))
    spaced = draws[evenly_spaced(count, draws.size)]
    return np.asarray(np.random.default_rng(random_seed).permutation(spaced))
