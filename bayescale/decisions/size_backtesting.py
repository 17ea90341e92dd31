"""backtest_sizes: forecast the best sizes of isoFLOP slices that were held out, and what following them would waste."""

import dataclasses
import functools
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.decisions.size_forecasts import LAWLESS, METHODS, UNFITTED
from bayescale.decisions.size_scores import score_sizes, size_scores, statement
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import distinct_laws, laws_and_table
from bayescale.fits.tree import canonical_frame
from bayescale.forecasts.refits import Kind, Progress, Result, Task, Way, fitted_runs, planned, run
from bayescale.laws import Law
from bayescale.runs import Runs, RunTable
from bayescale.runs.folds import Fold
from bayescale.splits.minima import SLICES, isoflop_minima
from bayescale.values import Value

HELD_OUT = (1, 2, 3, 5)
"""Numbers of the largest slices that are held out unless said otherwise."""

FAILED = "diagnostics failed"
"""What the note of a refit says that failed the diagnostics gate."""

NO_LAW = ""
"""The law of methods that need none."""


@dataclass(frozen=True, eq=False, repr=False)
class SizeBacktest(Value):
    """Forecasts of the best sizes of held-out isoFLOP slices, scored.

    Attributes
    ----------
    points : pandas.DataFrame
        One row for each law, method, number of slices held out and slice held out: ``law`` (empty for methods that
        need none), ``method``, ``slices`` (how many were held out), ``flops`` (FLOP of the slice), ``factor`` (that
        over the largest run fitted), ``observed`` and ``observed_error`` (N at the minimum of the slice's own runs,
        and the standard deviation of its logarithm), ``N``, ``low_90`` and ``high_90`` (median and ends of the
        forecast), ``inside_50``, ``inside_80`` and ``inside_90``, ``width_90`` (in ln N), ``lpd`` (nats), ``error``
        (ln N forecast less observed) and ``extra_compute``.
    scores : pandas.DataFrame
        One row for each law and method over all distances, then one for each bin of the factor, ``low`` to ``high``:
        ``held_out`` (forecasts), ``factor`` (the largest), ``coverage_50`` to ``coverage_90``, ``width``, ``bias``,
        ``rmse``, ``lpd``, and of the extra compute ``extra_mean``, ``extra_median``, ``extra_05`` and ``extra_95``.
    runs : RunTable
        The runs, in canonical order.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    points: pd.DataFrame
    scores: pd.DataFrame
    runs: RunTable
    notes: tuple[str, ...]

    @property
    def doubts(self) -> tuple[str, ...]:
        """The refits whose diagnostics failed."""
        return tuple(note for note in self.notes if FAILED in note)

    def _lines(self) -> list[str]:
        most = self.points.groupby(["law", "method"]).size().max()
        return [f"Backtest of best sizes on {self.runs.name}: {most} forecasts by each method", statement(self.scores)]

    def _shown(self) -> pd.DataFrame:
        return self.scores


@checks.kinds
def backtest_sizes(
    runs: Runs,
    laws: Iterable[str | Law] | None = None,
    *,
    held_out: Sequence[int] = HELD_OUT,
    methods: Sequence[str] = tuple(METHODS),
    random_seed: int = 0,
    cache: bool = True,
    progress: Progress | None = None,
) -> SizeBacktest:
    """Hold out the largest isoFLOP slices, forecast their best sizes from smaller runs, and score the forecasts.

    What is forecast is where the held-out runs themselves have their least loss, which is known with an error s of
    its own: coverage and log density are those of the forecast with Normal(0, s) added, width is that of the forecast
    alone. Following the median of the forecast would have wasted ``cosh(0.35 u)^(2 / 0.35) - 1`` of the compute, for
    u = ln N forecast less observed: 18% at 2 times off, 91% at 4. This is exact for a law whose loss falls as
    N^-0.35 and D^-0.35.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        Runs with N, D and C in isoFLOP slices, as :func:`bayescale.read_runs` takes them.
    laws : iterable of str or Law, optional
        Laws of N and D by name, or laws of your own, by default the usual ones; those that say nothing about the split
        are left out. Each is compiled once.
    held_out : sequence of int
        Numbers of slices that are held out; those that leave fewer than three are skipped.
    methods : sequence of str
        ``path`` (the law and what it misses of the best size), ``law`` (the law alone), ``line`` (through the isoFLOP
        minima), ``parabola`` (for each slice, and a line through them) and ``least_squares`` (the law, with 1000
        bootstraps).
    random_seed : int
        The same seed gives the same numbers.
    cache : bool
        Whether to read results from the cache, and to keep them there, each as soon as it is known.
    progress : callable, optional
        Called with law, folds done and folds in all.

    Returns
    -------
    SizeBacktest
        Scores by law and method, over all distances and by extrapolation factor.

    Raises
    ------
    InputError
        If a name is unknown, no law says anything about the split, or the table has fewer than four isoFLOP slices
        whose least loss lies among their runs.
    """
    chosen, runs = laws_and_table(laws, runs)
    tasks, notes = _tasks(chosen, runs, held_out, Way(tuple(methods), random_seed, cache))
    results = [result for done in run(tasks, progress) for result in done]
    order = {law.name: i for i, law in enumerate(chosen)}
    results.sort(key=lambda result: order[result["law"]])
    notes += list(dict.fromkeys(note for result in results for note in result["notes"]))
    parts = [_points(result) for result in results if result["points"]]
    if not parts:
        raise InputError(f"{runs.name}: no method has a forecast; {'; '.join(notes)}")
    points = pd.concat(parts, ignore_index=True)
    return SizeBacktest(points, size_scores(points), tasks[0].runs, tuple(notes))


def planned_size_folds(
    runs: RunTable,
    laws: Iterable[str | Law],
    *,
    held_out: Sequence[int] = HELD_OUT,
    random_seed: int = 0,
    cache: bool = True,
) -> dict[str, tuple[int, int]]:
    """Return what :func:`backtest_sizes` would do: of each law its folds, and how many the cache holds.

    Parameters
    ----------
    runs, laws, held_out, random_seed, cache
        As for :func:`backtest_sizes`.

    Raises
    ------
    InputError
        As :func:`backtest_sizes`.
    """
    tasks, _ = _tasks(distinct_laws(laws), runs, held_out, Way(tuple(METHODS), random_seed, cache))
    return planned(tasks)


def why_no_size_backtest(law: Law, runs: RunTable) -> str:
    """Return why no slice of a table can be held out and forecast by a law; empty where one can."""
    try:
        _tasks([law], runs, HELD_OUT, Way(tuple(METHODS), 0, cache=False))
    except InputError as error:
        return str(error)
    return ""


# Folds


def _tasks(laws: Sequence[Law], runs: RunTable, held_out: Sequence[int], way: Way) -> tuple[list[Task], list[str]]:
    """Return what is to be done for each law of N and D, and what is not scored and why."""
    _check(way.methods, held_out)
    split = [law for law in laws if law.splits_compute]
    if not split:
        raise InputError(
            f"{', '.join(law.name for law in laws)}: no law of N and D, so there is no best size to forecast; "
            "backtest a law of both, such as chinchilla"
        )
    table = dataclasses.replace(runs, frame=canonical_frame(runs))
    minima = isoflop_minima(table)
    setting = np.stack(
        [*np.log(minima.table[["flops", "N"]].to_numpy()).T, minima.log_sizes.std(axis=0, ddof=1)], axis=1
    ).tolist()
    folds, notes = _folds(table, np.array(setting)[:, 0], held_out)
    tasks: list[Task] = []
    for law in split:
        usable = tuple(fold for fold in folds if len(fold.train) >= len(law.parameters) + 3)
        methods = tuple(name for name in way.methods if not tasks or name not in LAWLESS)
        notes += [f"{law.name}: not fitted to {len(fold.train)} runs" for fold in folds if fold not in usable]
        if usable and methods:
            tasks.append(Task(KIND, setting, law, table, usable, methods, way.random_seed, way.cache))
    if not tasks:
        raise InputError(f"{runs.name}: runs below the held-out slices are too few to fit; choose fewer parameters")
    return tasks, notes


def _check(methods: Sequence[str], held_out: Sequence[int]) -> None:
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        raise InputError(f"unknown method {', '.join(unknown) or '(none)'}; expected some of {', '.join(METHODS)}")
    if not held_out or len(set(held_out)) < len(held_out) or min(held_out) < 1:
        raise InputError(f"held_out is {list(held_out)}; expected numbers of slices from 1 up, each once, as 1, 2, 3")


def _folds(table: RunTable, log_flops: np.ndarray, held_out: Sequence[int]) -> tuple[list[Fold], list[str]]:
    """Hold out the largest slices and all runs from half way between them and the next smaller one, in ln C."""
    log_C = np.log(table.frame["C"].to_numpy(dtype=float))
    folds, notes = [], []
    for count in held_out:
        left = max(len(log_flops) - count, 0)
        if left < SLICES:
            notes.append(
                f"{count} slices not held out: they leave {max(left, 0)} of {len(log_flops)}, expected {SLICES}"
            )
            continue
        held = log_C > (log_flops[left - 1] + log_flops[left]) / 2
        rows = (tuple(np.flatnonzero(part).tolist()) for part in (held, ~held))
        folds.append(Fold(count, *rows))
    if not folds:
        raise InputError(
            f"{table.name}: {len(log_flops)} isoFLOP slices have their least loss among their runs; expected "
            f"{SLICES} that stay and at least one to hold out; train runs of one compute at several sizes"
        )
    return folds, notes


# Forecasts


def _answer(task: Task, fold: Fold, method: str, fitted: Fit | None) -> Result:
    minima = np.array(task.setting)[-int(fold.threshold) :]
    train = fitted_runs(task, fold)
    notes = [_failed(fitted, fold)] if fitted and not fitted.diagnostics.passed else []
    try:
        draws = METHODS[method](task.law, train, np.exp(minima[:, 0]), fitted, random_seed=task.random_seed)
        points = score_sizes(draws, minima, task.random_seed)
        points.insert(1, "factor", points["flops"] / train.frame["C"].max())
        kept = points.to_json(orient="split", double_precision=15)
    except InputError as error:
        kept, notes = "", [*notes, f"{method}, {_slices_text(fold)} held out: no forecast: {error}"]
    return {"law": task.law.name, "method": method, "threshold": fold.threshold, "notes": notes, "points": kept}


def _failed(fitted: Fit, fold: Fold) -> str:
    return f"{fitted.law.name}: {FAILED} with {_slices_text(fold)} held out"


def _slices_text(fold: Fold) -> str:
    return f"{fold.threshold} slice{'' if fold.threshold == 1 else 's'}"


def _whole(result: Result, fold: Fold) -> bool:
    if not isinstance(result["notes"], list) or not isinstance(result["points"], str):
        return False
    return not result["points"] or len(_points(result)) == fold.threshold


KIND = Kind("size-backtests", ("forecasts", "splits", "decisions"), frozenset(UNFITTED), _answer, _whole)
"""Forecasts of the best sizes of slices; the setting is ln C, ln N and its error of each slice's minimum."""


def _points(result: Result) -> pd.DataFrame:
    points = _parsed(result["points"]).copy()
    head = {"law": NO_LAW if result["method"] in LAWLESS else result["law"], "method": result["method"]}
    for i, (name, value) in enumerate({**head, "slices": result["threshold"]}.items()):
        points.insert(i, name, value)
    return points


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> pd.DataFrame:
    return pd.read_json(io.StringIO(text), orient="split", precise_float=True)
