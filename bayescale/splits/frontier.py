"""Frontier: the runs that a budget and its limits allow, one D for each N."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number
from bayescale.errors import InputError
from bayescale.laws import Law
from bayescale.laws.costs import SERVING_PART
from bayescale.laws.measured import TokenCost, log_size
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.words import typed

RATIOS = (1e-3, 1e6)
"""Tokens per parameter that are searched; real runs lie between 0.04 and 2000."""

CLOSE = 1e-6
"""An optimum this close to a limit, in logs, is that limit."""

ROUNDING = 1e-12
"""A logarithm and its exponential leave no larger relative difference than this."""

SMALLEST_SIZE = 1e3
"""No model of fewer parameters is of interest to anyone."""

FEWEST = 1e-3
"""Training tokens of a run whose budget serving takes: so few that no search stays there, and yet with a logarithm."""

BEYOND = 2.0
"""How far beyond a limit that was asked for is searched at least, in ln N or ln D."""


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
    cost : Cost or MeasuredCost
        What a run costs.
    limits : Constraints
        What limits N and D.
    columns : mapping of str to float
        Further columns, one value each.
    cap : float
        Most training tokens, repeats counted.
    """

    cost: TokenCost
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

    def with_less(self, N: np.ndarray, D: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the fewer tokens, or the smaller N, by which runs cost less by a tolerance.

        NaN where the limits forbid the run.
        """
        flops, limits = self.total(N, D) / (1 + tolerance), self.limits
        tokens = self.affordable(flops, N)
        sizes = np.exp(self.log_size(flops, tokens=D))
        allowed = (sizes >= (limits.min_params or 0.0)) & (not limits.sizes)
        return np.where(tokens > (limits.min_tokens or 0.0), tokens, np.nan), np.where(allowed, sizes, np.nan)

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
        """Return ln N of the run that spends all of a budget on ``tokens + ratio N`` training tokens."""
        return log_size(self.cost, flops, self.columns, tokens=tokens + self.served, ratio=ratio)

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
                f"{typed(fixed)} FLOP are spent before a run starts, more than {typed(budgets.min())}; spend more"
            )
        if self.limits.sizes:
            allowed = self.allowed(budgets[:, None], np.array(self.limits.sizes)).any(axis=-1)
            what = f"sizes {', '.join(typed(size, 6) for size in self.limits.sizes)}"
        else:
            span = self.span(budgets)
            allowed = span.low <= span.high + CLOSE
            what = "the limits of N and D"
        if not allowed.all():
            least = self.least_flops
            raise InputError(
                f"a budget of {typed(budgets[~allowed].min(), 4)} FLOP leaves no run within {what}"
                f"{self._serving_text()}; the smallest run that they allow costs {typed(least, 4)} FLOP: spend more, "
                "or move a limit"
            )

    def _serving_text(self) -> str:
        tokens = self.limits.inference_tokens
        return f" that is then served {typed(tokens, 6)} tokens" if tokens else ""

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


def frontiers(law: Law, limits: Constraints = UNLIMITED, cost: TokenCost | None = None) -> list[Frontier]:
    """Return the runs that limits allow under a law, one frontier for each combination of covariates offered.

    Budgets are spent by ``cost``, or by what the law counts.

    Raises
    ------
    InputError
        If more tokens are asked for than there are.
    """
    caps = (limits.max_tokens, None if knows_repeats(law, limits) else limits.unique_tokens)
    cap = min([np.inf, *(each for each in caps if each is not None)])
    if limits.min_tokens is not None and limits.min_tokens > cap:
        raise InputError(
            f"min_tokens is {typed(limits.min_tokens, 6)}, but there are {typed(cap, 6)} unique tokens: no run is "
            "left; lower it, or give repetition"
        )
    own = {"unique_tokens": limits.unique_tokens} if "unique_tokens" in law.covariates else {}
    columns = [
        {**option, **{name: value for name, value in own.items() if value is not None}} for option in limits.options
    ]
    return [Frontier(cost or law.cost, limits, each, cap) for each in columns]


def knows_repeats(law: Law, limits: Constraints) -> bool:
    """Return whether it is known what repeats of unique tokens are worth: from the law itself, or from its R_D."""
    return "unique_tokens" in law.covariates or limits.repetition is not None
