"""multiplier: what compute spent on one recipe or family is worth, counted in compute spent on another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import elementwise

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.diagnostics import check_draws
from bayescale.fits.draws import Draws
from bayescale.fits.fit import Fit
from bayescale.groups.fitting import group_law, group_names, group_of
from bayescale.hardware import read_budgets
from bayescale.intervals import credible_interval
from bayescale.runs import RunTable
from bayescale.runs.checkpoints import RUN_SHARE
from bayescale.splits.optimum import find_optimum
from bayescale.values import Value
from bayescale.words import percent, short

WIDEST = 40.0
"""Multipliers are sought between e^-40 and e^40."""

FEW = 3
"""A group of fewer runs than this is told to lean on the others."""


@dataclass(frozen=True, eq=False, repr=False)
class Multiplier(Value):
    """How much more one group's compute is worth than another's.

    Attributes
    ----------
    reference, other : str
        The groups: one FLOP of ``other`` is worth so many of ``reference``.
    flops : numpy.ndarray
        Budgets in FLOP, midway: ``reference`` trains with ``flops * sqrt(m)`` and ``other`` with ``flops / sqrt(m)``,
        each with its best split, to the same loss (budget,).
    draws : numpy.ndarray
        The multiplier m (draw, budget); NaN where none was found.
    probability : float
        Of the credible intervals.
    runs : RunTable
        The runs of all groups.
    notes : tuple of str
        What a reader must know of these numbers.
    doubts : tuple of str
        What speaks against them; empty when every check passed.
    """

    reference: str
    other: str
    flops: np.ndarray
    draws: np.ndarray
    probability: float
    runs: RunTable
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


@checks.kinds
def multiplier(
    fitted: Fit,
    reference: str,
    other: str,
    flops: Sequence[float] | None = None,
    *,
    probability: float = 0.9,
) -> Multiplier:
    """Count compute of one group in compute of another: at which ratio of budgets both reach the same loss.

    Each group trains with the best split of its budget, found by search in every draw. The budgets asked for lie midway
    between the two, so that exchanging the groups gives the reciprocal in every draw, and a multiplier always exists.

    Parameters
    ----------
    fitted : Fit
        Made by :func:`bayescale.groups.fit_groups`.
    reference, other : str
        Two of its groups.
    flops : sequence of float, optional
        Budgets in FLOP; by default the geometric mean and the largest compute of the two groups' runs.
    probability : float
        Of the credible intervals.

    Returns
    -------
    Multiplier
        Draws of the multiplier at each budget.

    Raises
    ------
    InputError
        If the fit has no such groups, both are one, or a budget is not a positive number.
    """
    checks.probability(probability)
    names = group_names(fitted)
    _check_pair(names, reference, other)
    budgets = read_budgets(flops) if flops is not None else _usual_flops(fitted, (reference, other))
    first, second = sorted((reference, other))  # one search serves both ways, so that they are exact reciprocals
    log_ratio = _matched(fitted, names.index(first), names.index(second), budgets)
    if first != reference:
        log_ratio = -log_ratio
    notes = _beyond(fitted, (reference, other), budgets)
    doubts = _doubts(fitted, (reference, other), budgets, log_ratio, probability)
    return Multiplier(
        reference, other, budgets, np.exp(log_ratio), probability, fitted.runs, tuple(notes), tuple(doubts)
    )


def _check_pair(names: Sequence[str], reference: str, other: str) -> None:
    unknown = [name for name in (reference, other) if name not in names]
    if unknown:
        raise InputError(f"the fit has no group {', '.join(map(repr, unknown))}; its groups are {', '.join(names)}")
    if reference == other:
        raise InputError(f"'{reference}' is compared with itself; choose two of {', '.join(names)}")


def _frame_of(fitted: Fit, names: Sequence[str]) -> pd.DataFrame:
    """Return the runs of some groups."""
    positions = [group_names(fitted).index(name) for name in names]
    return fitted.runs.frame[np.isin(group_of(fitted), positions)]


def _usual_flops(fitted: Fit, pair: Sequence[str]) -> np.ndarray:
    compute = _frame_of(fitted, pair)["C"].to_numpy()
    return np.unique([np.exp(np.log(compute).mean()), compute.max()])


def _matched(fitted: Fit, first: int, second: int, budgets: np.ndarray) -> np.ndarray:
    """Return the log of one group's compute over the other's at the same loss, budgets midway (draw, budget)."""
    count = len(group_names(fitted))
    laws = [group_law(fitted.law, position, count) for position in (first, second)]
    names = fitted.law.parameters
    shape = (fitted.draws["sigma"].size, budgets.size)
    columns = [np.broadcast_to(fitted.draws[name][:, None], shape) for name in names]

    def excess(log_ratio: np.ndarray, middle: np.ndarray, *values: np.ndarray) -> np.ndarray:
        flat = {name: np.ravel(value) for name, value in zip(names, values, strict=True)}
        losses = [
            _best_loss(Draws(law, flat, fitted.reference, fitted.draws.measured), np.ravel(middle + half))
            for law, half in zip(laws, (log_ratio / 2, -log_ratio / 2), strict=True)
        ]
        return np.asarray(np.log(losses[0] / losses[1]).reshape(log_ratio.shape))

    arguments = (np.broadcast_to(np.log(budgets), shape), *columns)
    bracket = elementwise.bracket_root(
        excess, np.full(shape, -1.0), np.full(shape, 1.0), xmin=-WIDEST, xmax=WIDEST, args=arguments
    )
    found = elementwise.find_root(excess, bracket.bracket, args=arguments, tolerances={"xatol": 1e-6})
    return np.where(bracket.success & found.success, found.x, np.nan)


def _best_loss(draws: Draws, log_flops: np.ndarray) -> np.ndarray:
    """Return the loss at the best split of each draw's own budget (draw,)."""
    flops = np.exp(log_flops)[:, None]
    if draws.law.splits_compute:
        return find_optimum(draws, flops).loss[:, 0]
    return draws.value({"C": flops})[:, 0]


def _beyond(fitted: Fit, pair: Sequence[str], budgets: np.ndarray) -> list[str]:
    """Say which group's runs do not reach the budgets."""
    notes = []
    for name in pair:
        compute = _frame_of(fitted, [name])["C"]
        outside = [short(budget) for budget in budgets if not compute.min() <= budget <= compute.max()]
        if outside:
            notes.append(
                f"{' and '.join(outside)} FLOP lie outside the runs of {name} ({short(compute.min())} to "
                f"{short(compute.max())}): there the multiplier rests on the law"
            )
    return notes


def _doubts(
    fitted: Fit, pair: Sequence[str], budgets: np.ndarray, log_ratio: np.ndarray, probability: float
) -> list[str]:
    posterior = fitted.data["posterior"]
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    quantities = {
        f"ln multiplier at {short(budget, 3)} FLOP": (("chain", "draw"), log_ratio[:, i].reshape(shape))
        for i, budget in enumerate(budgets)
    }
    failures = [*fitted.diagnostics.failures, *check_draws(xr.Dataset(quantities), probability)]
    return [*dict.fromkeys(failures), *_unlike(fitted, pair)]


def _unlike(fitted: Fit, pair: Sequence[str]) -> list[str]:
    """Say what keeps two groups from being compared, as far as the runs tell."""
    doubts = _repeated(fitted, pair)
    ranges = []
    for name in pair:
        own = _frame_of(fitted, [name])[fitted.runs.response]
        ranges.append((own.min(), own.max()))
        if len(own) < FEW:
            doubts.append(f"{name} has {len(own)} run{'s' * (len(own) != 1)}: its multiplier leans on the other groups")
    (low, high), (other_low, other_high) = ranges
    if high < other_low or other_high < low:
        doubts.append(
            f"{pair[0]} and {pair[1]} share no range of {fitted.runs.response} ({short(low, 3)} to {short(high, 3)}, "
            f"and {short(other_low, 3)} to {short(other_high, 3)}): none of their runs are alike, so the law decides"
        )
    return doubts


def _repeated(fitted: Fit, pair: Sequence[str]) -> list[str]:
    """Say where rows are checkpoints of one run and count as runs of their own."""
    frame = _frame_of(fitted, pair)
    if RUN_SHARE in fitted.draws or "training_run" not in frame or frame["training_run"].nunique() == len(frame):
        return []
    count = frame["training_run"].nunique()
    return [
        f"the {len(frame)} rows of {pair[0]} and {pair[1]} come from {count} training runs but count as runs of their "
        "own: the interval is too narrow"
    ]


def located_draws(found: Multiplier, budget: int) -> np.ndarray:
    """Return the draws that have a multiplier; what is lost is among the doubts."""
    draws = found.draws[:, budget]
    return draws[np.isfinite(draws)]


def multiplier_statements(found: Multiplier) -> tuple[str, ...]:
    """Return one sentence for each budget."""
    sentences = []
    for i, flops in enumerate(found.flops):
        draws = located_draws(found, i)
        if not draws.size:
            sentences.append(f"around {short(flops)} FLOP no multiplier between {found.other} and {found.reference}")
            continue
        interval = credible_interval(draws, found.probability)
        sentences.append(
            f"around {short(flops)} FLOP, compute spent on {found.other} is worth {short(interval.median, 3)} times as "
            f"much as on {found.reference} ({percent(found.probability)} interval {short(interval.lower, 3)} to "
            f"{short(interval.upper, 3)})"
        )
    return tuple(sentences)


def group_table(fitted: Fit) -> list[dict[str, Any]]:
    """Return name, number of runs, and ranges of compute and response of each group."""
    response = fitted.runs.response
    rows = []
    for name in group_names(fitted):
        frame = _frame_of(fitted, [name])
        ranges = {column: [float(frame[column].min()), float(frame[column].max())] for column in ("C", response)}
        rows.append({"name": name, "rows": len(frame), **ranges})
    return rows
