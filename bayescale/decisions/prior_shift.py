"""against_own_priors: how far the headline numbers move between priors given by hand and those of the laws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayescale.comparison.comparison import Comparison, compare
from bayescale.decisions.allocation import Allocation, allocate
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import fit_laws
from bayescale.intervals import Interval, credible_interval
from bayescale.laws import without_given
from bayescale.runs import Runs
from bayescale.values import Value
from bayescale.words import count_text, percent, short, typed

NUMBERS = {"N": "N", "D": "D", "tokens_per_parameter": "tokens per parameter"}
"""Headline numbers of a budget beside the loss, by their names in :class:`bayescale.Allocation`."""


@dataclass(frozen=True, eq=False, repr=False)
class Moved(Value):
    """One number under the priors by hand, and under the laws' own.

    Attributes
    ----------
    flops : float
        The budget, in FLOP.
    quantity : str
        ``N``, ``D``, ``tokens_per_parameter`` or ``loss``: of the best split of the law, as in ``Allocation.optima``.
    what : str
        The same in words; of the loss, the response of the runs.
    given, own : Interval
        With the priors by hand, and with those of the laws.
    """

    flops: float
    quantity: str
    what: str
    given: Interval
    own: Interval

    @property
    def sentence(self) -> str:
        """Both in words."""
        write = count_text if self.quantity in ("N", "D") else short
        digits = 4 if self.quantity == "loss" else 3
        given, own = (
            f"{write(each.median, digits)} ({write(each.lower, digits)} to {write(each.upper, digits)})"
            for each in (self.given, self.own)
        )
        part = self.given.median / self.own.median - 1
        by = f"{'up' if part > 0 else 'down'} by {percent(abs(part), 2)}"
        moved = "the same" if abs(part) < 0.0005 else by
        return f"best {self.what} at {typed(self.flops)} FLOP: {given}, with the laws' own {own}; {moved}"


@dataclass(frozen=True, eq=False, repr=False)
class PriorShift(Value):
    """What priors by hand change.

    Attributes
    ----------
    fits : mapping of str to Fit
        The laws that had priors by hand, fitted with their own.
    moved : tuple of Moved
        Headline numbers at each budget; none where there is no allocation to compare.
    probability : float
        Of the intervals.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    fits: Mapping[str, Fit]
    moved: tuple[Moved, ...]
    probability: float
    notes: tuple[str, ...]


def against_own_priors(
    runs: Runs,
    source: Fit | Comparison,
    allocation: Allocation | None = None,
    *,
    cache: bool = True,
    progress: Callable[[str], object] | None = None,
) -> PriorShift | None:
    """Fit the laws that have priors by hand once more with their own, and allocate again.

    A second fit, rather than weights of the draws at hand: a prior by hand may leave no draws where the law's own has
    its posterior, and weights would not say so.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The table that was fitted.
    source : Fit or Comparison
        What was fitted with priors by hand.
    allocation : Allocation, optional
        Made from it; its budgets, limits, tolerance and probability are used again.
    cache : bool
        Whether to read fits from the cache, and to keep them there.
    progress : callable, optional
        Called with the name of each law when its fit is there.

    Returns
    -------
    PriorShift or None
        None where no law has a prior by hand.

    Raises
    ------
    InputError
        If the runs are others than those that were fitted.
    """
    fits = source.fits if isinstance(source, Comparison) else {source.law.name: source}
    given = {name: fitted for name, fitted in fits.items() if fitted.law.replaced}
    if not given:
        return None
    first = next(iter(given.values()))
    again = fit_laws(
        runs,
        [without_given(fitted.law) for fitted in given.values()],
        **first.record["settings"],
        cache=cache,
        progress=progress,
    )
    _check_same(again, given)
    if allocation is None:
        return PriorShift(again, (), 0.9, ())
    seed = first.record["settings"]["random_seed"]
    own = compare({**fits, **again}, cache=cache) if isinstance(source, Comparison) else next(iter(again.values()))
    try:
        moved = _moved(allocation, allocate(own, **_asked(allocation, seed)))
    except InputError as error:
        note = f"with the laws' own priors there is no allocation to compare with: {error}"
        return PriorShift(again, (), allocation.probability, (note,))
    return PriorShift(again, moved, allocation.probability, _notes(again))


def _check_same(again: Mapping[str, Fit], given: Mapping[str, Fit]) -> None:
    """Raise InputError unless both were fitted to the same runs."""
    if any(again[name].record["table"]["hash"] != fitted.record["table"]["hash"] for name, fitted in given.items()):
        raise InputError(
            f"the runs are others than those of {next(iter(given.values())).runs.name} that were fitted; pass the "
            "table that the fits with priors by hand were made from"
        )


def _asked(allocation: Allocation, random_seed: int) -> dict[str, Any]:
    """Return the options that an allocation was made with; budgets that were searched for a loss stay as found."""
    return {
        "flops": allocation.recommended["flops"].to_numpy().tolist(),
        "constraints": allocation.constraints,
        "probability": allocation.probability,
        "tolerance": allocation.tolerance,
        "random_seed": random_seed,
    }


def _moved(given: Allocation, own: Allocation) -> tuple[Moved, ...]:
    budgets = given.recommended["flops"].to_numpy()
    words = {**NUMBERS, "loss": given.runs.response}
    return tuple(
        Moved(float(flops), name, what, *(_interval(each, name, i) for each in (given, own)))
        for i, flops in enumerate(budgets)
        for name, what in words.items()
    )


def _interval(allocation: Allocation, name: str, budget: int) -> Interval:
    return credible_interval(np.asarray(allocation.optima[name].isel(budget=budget)), allocation.probability)


def _notes(again: Mapping[str, Fit]) -> tuple[str, ...]:
    failed = [name for name, fitted in again.items() if not fitted.diagnostics.passed]
    return tuple(f"{name}: sampling diagnostics failed with the law's own priors" for name in failed)
