"""backtest: forecast runs that were held out, and score the forecasts beside those of the usual methods."""

import dataclasses
import functools
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.blocks import MOST, row_blocks
from bayescale.fits.discrepancy import SAMPLES
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import distinct_laws, laws_and_table
from bayescale.fits.forecast import NOISES, Forecast, forecast_runs
from bayescale.fits.likelihood import log_likelihood
from bayescale.fits.tree import canonical_frame
from bayescale.forecasts.alternatives import METHODS as ALTERNATIVES
from bayescale.forecasts.refits import Kind, Progress, Result, Task, Way, planned, run
from bayescale.forecasts.scores import equal_tailed, pointwise, summarise
from bayescale.laws import Law
from bayescale.runs import Runs, RunTable
from bayescale.runs.folds import Fold, size_folds
from bayescale.runs.units import units_of
from bayescale.values import Value
from bayescale.words import short

METHODS = ("discrepancy", "plain", *ALTERNATIVES)
"""How runs are forecast: the law with its discrepancy, the law with constant noise, and what people use today."""

FEWEST_HELD = 3
"""Runs that a fold must hold out to be scored."""

EDGES = (0.0, 1.0, 3.0, 10.0, 30.0, np.inf)
"""Of the bins of the extrapolation factor."""

SHOWN = ("law", "method", "threshold", "held_out", "factor", "coverage_90", "width", "lpd", "bias", "rmse")
"""Columns of the scores that a notebook shows."""


@dataclass(frozen=True, eq=False, repr=False)
class Backtest(Value):
    """Forecasts of held-out runs, scored.

    Attributes
    ----------
    points : pandas.DataFrame
        One row for each law, method, threshold and held-out run: ``law``, ``method``, ``threshold``, ``run``,
        ``factor`` (its C, or what was held out by, over the largest of the training runs), ``observed`` and the ends
        ``low_90`` and ``high_90`` of its 90% interval (in the response's unit), and the columns of
        :func:`bayescale.forecasts.scores.pointwise`.
    scores : pandas.DataFrame
        One row for each law, method and threshold: ``held_out``, ``factor`` (of the largest run), ``coverage_50`` to
        ``coverage_95``, ``width``, ``lpd``, ``crps``, ``bias``, ``rmse`` and ``passed`` (the diagnostics gate).
    by : str
        What the largest of was held out, or the column whose groups were.
    runs : RunTable
        The runs, in canonical order.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    points: pd.DataFrame
    scores: pd.DataFrame
    by: str
    runs: RunTable
    notes: tuple[str, ...]

    @property
    def doubts(self) -> tuple[str, ...]:
        """The refits whose diagnostics failed."""
        failed = self.scores[~self.scores["passed"].astype(bool)]
        folds = dict.fromkeys(zip(failed["law"], failed["threshold"], strict=True))
        return tuple(f"{law}: diagnostics failed with {threshold_text(left, self.by)} held out" for law, left in folds)

    def _lines(self) -> list[str]:
        most = self.points.groupby(["law", "method"]).size().max()
        laws = ", ".join(dict.fromkeys(self.points["law"]))
        return [f"Backtest of {laws} on {self.runs.name}: {most} forecasts by each method"]

    def _shown(self) -> pd.DataFrame:
        return self.scores.filter(items=SHOWN)


@checks.kinds
def backtest(
    runs: Runs,
    laws: Iterable[str | Law] | None = None,
    *,
    by: str = "C",
    thresholds: Sequence[float] | None = None,
    methods: Sequence[str] = METHODS,
    random_seed: int = 0,
    cache: bool = True,
    progress: Progress | None = None,
) -> Backtest:
    """Hold out runs, forecast them from the others, and score the forecasts.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The runs, as :func:`bayescale.read_runs` takes them.
    laws : iterable of str or Law, optional
        Laws by name, or laws of your own, by default the usual ones as in :func:`bayescale.fit_laws`; each is compiled
        once for all its folds.
    by : str
        ``"C"``, ``"N"`` or ``"D"``: the largest are held out. ``"budget"``: each budget in turn is forecast from the
        smaller ones. ``"family"``: each family from all others.
    thresholds : sequence of float, optional
        For ``by`` a size: below 1, the part of the runs that is held out; above 1, how many times smaller than the
        largest the training runs are. By default 0.2, 0.4, 10 and 30, those that this table allows.
    methods : sequence of str
        ``discrepancy`` (the law with what it misses), ``plain`` (the law with constant noise), ``least_squares``,
        ``huber`` (both with 1000 bootstraps) and ``conformal``.
    random_seed : int
        The same seed gives the same numbers.
    cache : bool
        Whether to read results from the cache, and to keep them there, each as soon as it is known.
    progress : callable, optional
        Called with law, folds done and folds in all.

    Returns
    -------
    Backtest
        Scores by law, method and threshold.

    Raises
    ------
    InputError
        If a name is unknown, or no fold leaves enough runs on both sides.
    """
    chosen, runs = laws_and_table(laws, runs)
    tasks, notes = _tasks(chosen, runs, by, thresholds, Way(tuple(methods), random_seed, cache))
    table = tasks[0].runs
    results = [result for done in run(tasks, progress) for result in done]
    order = {law.name: i for i, law in enumerate(chosen)}
    results.sort(key=lambda result: order[result["law"]])
    points = pd.concat([_points(result) for result in results], ignore_index=True)
    failed = sorted({(r["law"], str(r["threshold"])) for r in results if not r["passed"]})
    notes += [f"{law}, {threshold}: diagnostics failed" for law, threshold in failed]
    return Backtest(points, _scores(results), by, table, tuple(notes))


def planned_folds(
    runs: RunTable,
    laws: Iterable[str | Law],
    *,
    by: str = "C",
    thresholds: Sequence[float] | None = None,
    random_seed: int = 0,
    cache: bool = True,
) -> dict[str, tuple[int, int]]:
    """Return what :func:`backtest` would do: of each law its folds, and how many the cache holds.

    Parameters
    ----------
    runs, laws, by, thresholds, random_seed, cache
        As for :func:`backtest`.

    Returns
    -------
    dict of str to tuple of int
        Folds and folds known, of each law that has any.

    Raises
    ------
    InputError
        As :func:`backtest`.
    """
    tasks, _ = _tasks(distinct_laws(laws), runs, by, thresholds, Way(METHODS, random_seed, cache))
    return planned(tasks)


def _tasks(
    laws: Sequence[Law], runs: RunTable, by: str, thresholds: Sequence[float] | None, way: Way
) -> tuple[list[Task], list[str]]:
    """Return what is to be done for each law that has folds, and what is not scored and why."""
    _check_methods(way.methods)
    table = dataclasses.replace(runs, frame=canonical_frame(runs))
    folds = size_folds(table, by, thresholds)
    usable = {law.name: [fold for fold in folds if _enough(law, fold)] for law in laws}
    tasks = [
        Task(KIND, by, law, table, tuple(usable[law.name]), way.methods, way.random_seed, way.cache)
        for law in laws
        if usable[law.name]
    ]
    if not tasks:
        raise InputError(
            f"{runs.name}: no fold by {by} leaves enough runs to fit and {FEWEST_HELD} to forecast; found "
            f"{len(table.frame)} runs; choose other thresholds, fewer parameters, or add runs"
        )
    return tasks, _skipped(usable, folds, by)


def _check_methods(methods: Sequence[str]) -> None:
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        raise InputError(f"unknown method {', '.join(unknown) or '(none)'}; expected some of {', '.join(METHODS)}")


def _enough(law: Law, fold: Fold) -> bool:
    return len(fold.train) >= len(law.parameters) + 3 and len(fold.held) >= FEWEST_HELD


def can_backtest(law: Law, runs: RunTable) -> bool:
    """Return whether some default fold of the largest runs by C leaves enough runs on both sides."""
    if "C" not in runs.frame:
        return False
    return any(_enough(law, fold) for fold in size_folds(runs, "C", None))


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _skipped(usable: dict[str, list[Fold]], folds: Sequence[Fold], by: str) -> list[str]:
    """Return what was not scored, and why: too few runs to forecast whatever the law, or to fit one law to."""
    few = [fold for fold in folds if len(fold.held) < FEWEST_HELD]
    return [f"{threshold_text(fold.threshold, by)}: {_runs(len(fold.held))}, too few to score" for fold in few] + [
        f"{name}: not fitted to {len(fold.train)} runs, too few for it ({fold.threshold} held out)"
        for name, kept in usable.items()
        for fold in folds
        if fold not in kept and fold not in few
    ]


# Forecasts


def _forecast(task: Task, fold: Fold, method: str, fitted: Fit | None) -> Result:
    frame, response = task.runs.frame, task.runs.response
    train, held = frame.iloc[list(fold.train)], frame.iloc[list(fold.held)]
    if method in ALTERNATIVES:
        points = _scored(
            ALTERNATIVES[method](task.law, train, held, response, random_seed=task.random_seed), held[response]
        )
    else:
        assert fitted is not None  # refitted for these methods
        points = _own_points(fitted, held, method, task.random_seed)
    points.insert(0, "factor", _factor(task, train, held))
    points.insert(0, "run", held["run"].to_numpy(dtype=str))
    return {
        "law": task.law.name,
        "method": method,
        "threshold": fold.threshold,
        "passed": fitted is None or method in ALTERNATIVES or fitted.diagnostics.passed,
        "points": points.to_json(orient="split", double_precision=15),
    }


def _own_points(fitted: Fit, held: pd.DataFrame, method: str, random_seed: int) -> pd.DataFrame:
    """Return the scored forecasts of held-out runs, in their order, some runs at a time where they are many."""
    draws = fitted.data["posterior"].sizes
    blocks = list(row_blocks(units_of(held), max(draws["chain"] * draws["draw"], SAMPLES * NOISES), MOST))
    if len(blocks) == 1:
        return _scored(_OWN[method](fitted, held, random_seed=random_seed), held[fitted.runs.response])
    parts = []
    for seed, rows in zip(np.random.SeedSequence(random_seed).generate_state(len(blocks)), blocks, strict=True):
        part = held.iloc[rows]
        parts.append(_scored(_OWN[method](fitted, part, random_seed=int(seed)), part[fitted.runs.response]))
    return pd.concat(parts, ignore_index=True).iloc[np.argsort(np.concatenate(blocks))].reset_index(drop=True)


def _scored(forecast: Forecast, observed: pd.Series) -> pd.DataFrame:
    """Return what was observed, the ends of the intervals and the scores of each forecast run."""
    points = pointwise(forecast, np.log(observed.to_numpy(dtype=float)))
    for i, (name, values) in enumerate(_ends(forecast, observed).items()):
        points.insert(i, name, values)
    return points


def _ends(forecast: Forecast, observed: pd.Series) -> dict[str, np.ndarray]:
    """Return what was observed and the ends of the 90% intervals."""
    low, high = equal_tailed(forecast.draws, 0.9)
    return {"observed": observed.to_numpy(dtype=float), "low_90": np.exp(low), "high_90": np.exp(high)}


def _factor(task: Task, train: pd.DataFrame, held: pd.DataFrame) -> np.ndarray:
    """Return how many times each held-out run exceeds the largest training run."""
    size = task.setting if task.setting in ("N", "D") or "C" not in train else "C"
    return np.asarray(held[size].to_numpy(dtype=float) / train[size].max())


def _plain(fitted: Fit, held: pd.DataFrame, *, random_seed: int) -> Forecast:
    posterior, response = fitted.data["posterior"].to_dataset(), fitted.runs.response
    parts = log_likelihood(fitted.law, posterior, held, response, fitted.reference, random_seed=random_seed)
    density, draws = (part["log_response"].to_numpy().reshape(-1, len(held)) for part in parts)
    return Forecast(draws, np.logaddexp.reduce(density, axis=0) - np.log(len(density)))


_OWN = {"discrepancy": forecast_runs, "plain": _plain}


def _whole(result: Result, fold: Fold) -> bool:
    points = _points(result)
    return len(points) == len(fold.held) and "low_90" in points and "passed" in result


KIND = Kind("backtests", ("forecasts",), frozenset(ALTERNATIVES), _forecast, _whole)
"""Forecasts of the responses of runs; the setting is what the largest of was held out."""


# Scores


def _points(result: dict[str, Any]) -> pd.DataFrame:
    points = _parsed(result["points"]).copy()
    for i, name in enumerate(("law", "method", "threshold")):
        points.insert(i, name, result[name])
    return points


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> pd.DataFrame:
    """Read points from JSON; each result is looked at several times, and reading is slow."""
    kept: dict[str, Any] = {"dtype": {"run": str}, "precise_float": True}
    return pd.read_json(io.StringIO(text), orient="split", **kept)


def _scores(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    rows = []
    for result in results:
        points = _points(result)
        head = {name: result[name] for name in ("law", "method", "threshold", "passed")}
        rows.append(head | {"held_out": len(points), "factor": float(points["factor"].max())} | _summary(points))
    return pd.DataFrame(rows)


def _summary(points: pd.DataFrame) -> dict[str, float]:
    found = summarise(points)
    coverage = {f"coverage_{100 * probability:.0f}": value for probability, value in found.coverage.items()}
    return coverage | {name: getattr(found, name) for name in ("width", "lpd", "crps", "bias", "rmse")}


def scores_by_factor(points: pd.DataFrame, edges: Sequence[float] = EDGES) -> pd.DataFrame:
    """Pool forecasts by how far beyond the training runs they reach.

    Parameters
    ----------
    points : pandas.DataFrame
        ``points`` of one backtest, or of several put together.
    edges : sequence of float
        Of the bins of ``factor``.

    Returns
    -------
    pandas.DataFrame
        One row for each law, method and bin that holds a run: ``low`` and ``high`` (of the bin), ``runs`` and the
        scores of :class:`Backtest`.
    """
    place = np.digitize(points["factor"].to_numpy(), edges) - 1
    rows = []
    for (law, method, i), group in points.groupby(["law", "method", place], sort=False):
        head = {"law": law, "method": method, "low": edges[i], "high": edges[i + 1], "runs": len(group)}
        rows.append(head | _summary(group))
    return pd.DataFrame(rows).sort_values(["law", "method", "low"], ignore_index=True)


def threshold_text(threshold: float | str, by: str) -> str:
    """Return what a threshold held out, in words."""
    if isinstance(threshold, str):
        return f"{by} {threshold}"
    if threshold < 1:
        return f"largest {100 * threshold:.0f}% by {by}"
    return f"{by} within {short(threshold)}x of the largest"
