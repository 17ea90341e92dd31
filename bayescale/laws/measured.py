"""MeasuredCost: what a token costs by a table's own C; what a law counts where the table agrees or has no C."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.checks import Number
from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.laws.costs import DENSE, Columns, Cost
from bayescale.laws.law import Law
from bayescale.runs import RunTable
from bayescale.runs.costs import COVARIATES, CostCurve, cost_curve
from bayescale.values import Value
from bayescale.words import percent, short, typed

FEWEST = 3
"""Runs from which a cost is learned."""

ARRIVED = 1e-9
"""Newton steps below this, in ln N, have arrived; most end far below it."""

STEPS = 20
"""Of Newton's method for a size; cost is convex in logs, so it ends long before."""

SLOPE_STEP = 1e-4
"""In logs, of the differences that slopes are made of."""

FLAT = 0.02
"""A factor that changes by less over the runs is told as one number."""


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredCost(Value):
    """FLOP of a run as the table counts them: those that the law counts, times a smooth factor of the size.

    Attributes
    ----------
    counted : Cost
        What the law counts.
    curve : CostCurve
        The factor, fitted to the runs.
    """

    counted: Cost
    curve: CostCurve

    @property
    def formula(self) -> str:
        """The training part in words."""
        return f"{self.counted.formula}, times what these runs cost more or less ({_factors(self)})"

    def per_token(self, N: np.ndarray, columns: Columns) -> np.ndarray:
        """Return the FLOP of one training token, given N (any shape) and further columns."""
        known = {name: columns[name] for name in self.curve.usual if name in columns}
        return np.asarray(self.counted.per_token(N, columns) * np.exp(self.curve.log_factor(N, known)))

    def fixed(self, columns: Columns) -> float:
        """Return the FLOP that neither N nor D change, as the law counts them."""
        return self.counted.fixed(columns)


type TokenCost = Cost | MeasuredCost
"""What gives ``per_token(N, columns)``, ``fixed(columns)`` and a ``formula``."""


def log_size(
    cost: TokenCost, flops: np.ndarray, columns: Columns, *, tokens: Number = 0.0, ratio: Number = 0.0
) -> np.ndarray:
    """Return ln N of the run that spends all of a budget on ``tokens + ratio N`` tokens.

    Parameters
    ----------
    cost : Cost or MeasuredCost
        What a run costs.
    flops : numpy.ndarray
        Budgets in FLOP, of a shape that tokens and ratio broadcast to.
    columns : mapping of str to float
        Further columns of the cost.
    tokens, ratio : float or numpy.ndarray
        Tokens of any size, and tokens per parameter.

    Raises
    ------
    InputError
        If Newton's steps do not arrive, as with a cost that falls or jumps.
    """
    target = np.log(np.asarray(flops, dtype=float) - cost.fixed(columns))
    x = np.full(np.shape(target), 20.0)

    def log_cost(x: np.ndarray) -> np.ndarray:
        N = np.exp(x)
        return np.asarray(np.log(cost.per_token(N, columns)) + np.log(tokens + ratio * N))

    for _ in range(STEPS):
        slope = (log_cost(x + SLOPE_STEP) - log_cost(x - SLOPE_STEP)) / (2 * SLOPE_STEP)
        step = (target - log_cost(x)) / slope
        x = x + step
        if not (np.abs(step) > 1e-13).any():
            break
    if (np.abs(step) > ARRIVED).any():
        raise InputError(
            f"the size of a run that costs {typed(np.max(flops), 4)} FLOP was not found in {STEPS} steps; the cost of "
            "a token must rise with N, smoothly"
        )
    return np.asarray(x)


def sizes(flops: np.ndarray, log_ratio: np.ndarray, cost: TokenCost = DENSE) -> tuple[np.ndarray, np.ndarray]:
    """Return N and D that spend ``flops`` exactly at ``D / N = exp(log_ratio)``."""
    if cost != DENSE:
        shaped, ratio = np.broadcast_arrays(np.asarray(flops, dtype=float), np.exp(log_ratio))
        N = np.exp(log_size(cost, shaped, {}, ratio=ratio))
        return N, N * ratio
    N = np.sqrt(flops / FLOPS_PER_TOKEN) * np.exp(-0.5 * log_ratio)
    return N, flops / (FLOPS_PER_TOKEN * N)


def cost_of(law: Law, runs: RunTable) -> TokenCost:
    """Return what a run of these costs: by the table's own C where it has one that differs from what the law counts.

    Parameters
    ----------
    law : Law
        For what it counts (``6 N D`` unless it says otherwise), and for the size that it means, N or active_N.
    runs : RunTable
        The runs.

    Returns
    -------
    Cost or MeasuredCost
        The law's own where C is computed, agrees with it to rounding, or cannot be compared with it.
    """
    size = "N" if "N" in law.covariates or "active_N" not in law.covariates else "active_N"
    return _measured(law.cost, size, runs)


def table_cost(runs: RunTable) -> TokenCost:
    """Return what a run of these costs by its N, for a law that counts 6 N D."""
    return _measured(DENSE, "N", runs)


def _measured(counted_by: Cost, size: str, runs: RunTable) -> TokenCost:
    """Return a count of cost times the factor that the table's own C tells, as far as it tells another."""
    frame = runs.frame
    if runs.compute != "given" or not {size, "D", "C"} <= set(frame) or len(frame) < FEWEST:
        return counted_by
    columns = {str(name): frame[name].to_numpy() for name in frame if name in COVARIATES and name != size}
    N, D, C = (frame[name].to_numpy(dtype=float) for name in (size, "D", "C"))
    try:
        counted, fixed = _counted(counted_by, N, frame)
    except KeyError:  # the table lacks a column that the law counts by
        return counted_by
    if not (fixed < C).all() or not (np.isfinite(N) & np.isfinite(counted)).all():
        return counted_by
    curve = cost_curve(N, (C - fixed) / (counted * D), columns)
    return counted_by if curve.exact else MeasuredCost(counted_by, curve)


def _counted(cost: Cost, N: np.ndarray, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return what a law counts for a token of each run, and beside the tokens (run,)."""
    if cost == DENSE:
        return cost.per_token(N, {}), np.zeros(N.size)
    rows = frame.to_dict(orient="records")
    counted = [float(cost.per_token(size, row)) for size, row in zip(N, rows, strict=True)]
    return np.array(counted), np.array([cost.fixed(row) for row in rows])


def spending_sentence(cost: TokenCost, runs: RunTable) -> str:
    """Say in one sentence how budgets are spent."""
    if isinstance(cost, MeasuredCost):
        about = f"fitted to {cost.curve.runs} runs, scatter {percent(cost.curve.scatter, 1)}"
        return f"Budgets are spent by this table's own FLOP per token: {_factors(cost)} ({about})."
    why = {
        "given": "as the C of these runs agrees with it",
        "6ND": "as the table has no C of its own",
    }.get(runs.compute, "as the table has no C")
    return f"Budgets are spent by {cost.formula}, {why}."


def _factors(cost: MeasuredCost) -> str:
    per_token = cost.counted.formula.removesuffix(" D")
    sizes = np.array(cost.curve.sizes)
    small, large = np.exp(cost.curve.log_factor(sizes))
    if abs(np.log(large / small)) < FLAT:
        return f"{short(float(small), 2)} times {per_token}"
    first, last = (f"{short(float(factor), 2)} times" for factor in (small, large))
    return f"{first} {per_token} at {short(sizes[0], 2)} parameters, {last} at {short(sizes[1], 2)}"


def cost_record(cost: TokenCost, runs: RunTable) -> dict[str, Any]:
    """Return how budgets are spent as plain data; ``factors`` over what the law counts, at the ends of the sizes."""
    told: dict[str, Any] = {"statement": spending_sentence(cost, runs), "measured": isinstance(cost, MeasuredCost)}
    if isinstance(cost, MeasuredCost):
        sizes = np.array(cost.curve.sizes)
        told["scatter"] = cost.curve.scatter
        told["factors"] = [
            {"N": float(N), "factor": float(np.exp(value)), "error": float(error)}
            for N, value, error in zip(sizes, cost.curve.log_factor(sizes), cost.curve.error(sizes), strict=True)
        ]
    return told
