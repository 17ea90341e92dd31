"""make_report: everything a report has, from a comparison or a table of runs, and the page of it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayescale import checks
from bayescale.comparison.comparison import Comparison, compare
from bayescale.comparison.verdict import Verdict, judge
from bayescale.decisions.allocation import Allocation, allocate
from bayescale.decisions.budgets import usual_budgets
from bayescale.decisions.prior_shift import PriorShift, against_own_priors
from bayescale.decisions.size_backtesting import SizeBacktest, backtest_sizes
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import fit_laws
from bayescale.forecasts.backtesting import Backtest, backtest
from bayescale.hardware import read_budgets
from bayescale.planning.plan import Plan, plan
from bayescale.records.badges import METHOD
from bayescale.records.fits import report_doubts
from bayescale.records.report import law_in_use
from bayescale.report.writing import check_report_name, write_report
from bayescale.runs import Runs
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.values import Value

NO_ALLOCATION = "no allocation: "
"""How the note begins that says why there is none."""

MOST_NEXT_RUNS = 10
"""Runs that a report proposes at most."""

type Progress = Callable[[str, int, int], object]
"""Is called with what is being done, and how many of how many parts of it are done; 0 of 0 as it begins."""


@dataclass(frozen=True, eq=False, repr=False)
class Report(Value):
    """A report that was written, and the results in it.

    Attributes
    ----------
    path : Path
        The page; its numbers are beside it.
    numbers : mapping of str
        What was written beside the page.
    comparison : Comparison
        The laws that were compared.
    verdict : Verdict
        Whether compute alone explains loss.
    allocation : Allocation or None
        The recommended splits; None where no law has a best split.
    backtest : Backtest or None
        Forecasts of this table's own largest runs; None where they cannot be held out.
    size_backtest : SizeBacktest or None
        Best sizes of this table's own isoFLOP slices, held out; None where they are too few.
    plan : Plan or None
        The next runs to do.
    shift : PriorShift or None
        How far numbers move against the laws' own priors; None where no prior was given.
    notes : tuple of str
        What was chosen by default, and what could not be made and why.
    doubts : tuple of str
        What the diagnostics hold against these numbers.
    """

    path: Path
    numbers: Mapping[str, Any]
    comparison: Comparison
    verdict: Verdict
    allocation: Allocation | None = None
    backtest: Backtest | None = None
    size_backtest: SizeBacktest | None = None
    plan: Plan | None = None
    shift: PriorShift | None = None
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def _lines(self) -> list[str]:
        return [f"Report in {self.path}", *self.verdict._lines()]

    def _shown(self) -> Any:  # noqa: ANN401  (a pandas DataFrame)
        return None if self.allocation is None else self.allocation._shown()


@checks.kinds
def make_report(
    path: str | os.PathLike[str],
    source: Comparison | Runs,
    flops: Sequence[float | str] | None = None,
    *,
    split_by: str | None = None,
    constraints: Constraints = UNLIMITED,
    probability: float = 0.9,
    tolerance: float = 0.05,
    random_seed: int = 0,
    cache: bool = True,
    command: str = "",
    title: str = "",
    author: str = "",
    date: str = "",
    spent: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Judge, allocate, backtest and plan, and write it all as one page: HTML, Markdown or PDF by its name.

    What a table does not allow is left out, and ``notes`` say why: an allocation where no law has a best split, a
    backtest of too few runs, next runs. :func:`bayescale.write_report` writes results that are there already.

    Parameters
    ----------
    path : str or path
        Where to write, such as ``report.html``, as for :func:`bayescale.write_report`.
    source : Comparison, RunTable, DataFrame, table, mapping or path-like
        Laws that were compared; or runs, as :func:`bayescale.read_runs` takes them, to which the usual laws are fitted.
    flops : sequence of float, optional
        Compute budgets in FLOP, also as text such as ``"1e22"``; by default 1, 10 and 100 times the largest run of the
        table.
    split_by : str, optional
        Split budgets by this law alone, instead of averaging the laws by their stacking weights.
    constraints : Constraints
        What limits the choice of a run beside its compute.
    probability : float
        Of the credible intervals.
    tolerance : float
        Extra compute for the same loss that counts as little: 0.05 is 5%.
    random_seed : int
        The same seed, table and versions give the same report.
    cache : bool
        Whether to read fits and backtests from the cache, and to keep them there.
    command : str
        The command that makes the report again, shown in it.
    title, author, date : str
        Shown at the top; by default the name of the table, nobody and no date.
    spent : sequence of str
        What each budget takes in hours or money, in words.
    progress : callable, optional
        Called with what is being done, and how many of how many parts of it are done: 0 of 0 as it begins.

    Returns
    -------
    Report
        The results, the numbers written beside the page, and notes on what was left out.

    Raises
    ------
    InputError
        If the page cannot be written as it is named, the runs cannot be fitted or compared, budgets are not above
        zero, or ``split_by`` is not among the laws.
    """
    target = check_report_name(path)
    making = _Making(probability, tolerance, random_seed, cache, progress or (lambda *_: None))
    comparison = source if isinstance(source, Comparison) else making.compared(source)
    decided_by = _law_of(comparison, split_by) if split_by else comparison
    budgets = read_budgets(usual_budgets(comparison.runs) if flops is None else flops).tolist()
    making.say("judging whether compute alone explains loss")
    verdict = judge(comparison, tolerance=tolerance, probability=probability, budgets=budgets)
    allocation = making.allocation(decided_by, budgets, constraints)
    law = comparison.fits[law_in_use(comparison, allocation)]
    parts: dict[str, Any] = {
        "backtest": making.backtest(law),
        "size_backtest": making.size_backtest(law),
        "plan": making.plan(decided_by, allocation),
        "shift": making.shift(decided_by, allocation),
    }
    making.say("writing the report")
    shown: dict[str, Any] = {"command": command, "title": title, "author": author, "date": date}
    refusal = "" if allocation else making.notes[0].removeprefix(NO_ALLOCATION)
    shown |= {"spent": spent, "refusal": refusal, "asked": budgets}
    numbers = write_report(target, comparison, verdict, allocation, **parts, **shown)
    doubts = report_doubts(comparison, allocation, parts["backtest"])
    return Report(
        target, numbers, comparison, verdict, allocation, **parts, notes=tuple(making.notes), doubts=tuple(doubts)
    )


def _law_of(comparison: Comparison, name: str) -> Fit:
    if name not in comparison.fits:
        raise InputError(f"split_by is {name!r}; expected one of the laws compared: {', '.join(comparison.fits)}")
    return comparison.fits[name]


@dataclass(frozen=True)
class _Making:
    """How the parts of a report are made, and what is to be known of those that are not."""

    probability: float
    tolerance: float
    random_seed: int
    cache: bool
    progress: Progress
    notes: list[str] = field(default_factory=list)

    def say(self, doing: str) -> None:
        """Begin a part."""
        self.progress(doing, 0, 0)

    def compared(self, runs: Runs) -> Comparison:
        """Fit the usual laws, and compare them."""
        self.say("fitting the usual laws")
        fits = fit_laws(runs, random_seed=self.random_seed, cache=self.cache)
        self.notes.append(f"laws: {', '.join(fits)} (the default for {next(iter(fits.values())).runs.response})")
        self.say("comparing laws, each run left out once")
        return compare(fits, cache=self.cache)

    def allocation(
        self, source: Fit | Comparison, flops: Sequence[float], constraints: Constraints
    ) -> Allocation | None:
        """Search the best splits; without any, all else is worth its report."""
        self.say("searching the best splits")
        try:
            return allocate(
                source,
                flops,
                constraints=constraints,
                probability=self.probability,
                tolerance=self.tolerance,
                random_seed=self.random_seed,
            )
        except InputError as error:
            self.notes.insert(0, f"{NO_ALLOCATION}{'; '.join(error.faults)}")
        return None

    def backtest(self, fitted: Fit) -> Backtest | None:
        """Forecast held-out runs by a law; of too few runs, all else is worth its report."""
        doing = f"forecasting held-out runs by {fitted.law.name}"
        self.say(doing)
        try:
            return backtest(
                fitted.runs,
                [fitted.law],
                methods=(METHOD, "plain"),
                random_seed=self.random_seed,
                cache=self.cache,
                progress=lambda _, done, of: self.progress(doing, done, of),
            )
        except InputError as error:
            self.notes.append(f"no backtest: {error}")
        return None

    def size_backtest(self, fitted: Fit) -> SizeBacktest | None:
        """Forecast best sizes of held-out isoFLOP slices by a law; the page says why where it cannot be done."""
        doing = f"forecasting best sizes of held-out slices by {fitted.law.name}"
        self.say(doing)
        try:
            return backtest_sizes(
                fitted.runs,
                [fitted.law],
                random_seed=self.random_seed,
                cache=self.cache,
                progress=lambda _, done, of: self.progress(doing, done, of),
            )
        except InputError:
            return None

    def plan(self, source: Fit | Comparison, allocation: Allocation | None) -> Plan | None:
        """Plan the next runs for the budgets of the report, with as much compute as the largest run took."""
        if allocation is None:
            return None
        self.say("choosing the next runs")
        try:
            found = plan(
                source,
                spend=float(allocation.runs.frame["C"].max()),
                target=allocation.recommended["flops"].to_numpy().tolist(),
                runs=MOST_NEXT_RUNS,
                probability=self.probability,
                random_seed=self.random_seed,
            )
        except InputError as error:
            self.notes.append(f"no plan: {error}")
            return None
        self.notes.append(f"next runs: at most {MOST_NEXT_RUNS}, for as much compute as the largest run took (default)")
        return found

    def shift(self, source: Fit | Comparison, allocation: Allocation | None) -> PriorShift | None:
        """Fit laws that have priors by hand with their own as well, to see what that changes."""
        fits = source.fits.values() if isinstance(source, Comparison) else [source]
        if not any(fitted.law.replaced for fitted in fits):
            return None
        self.say("fitting with the laws' own priors, to compare")
        return against_own_priors(next(iter(fits)).runs, source, allocation, cache=self.cache)
