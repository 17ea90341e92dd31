"""Refits: each law fitted to the runs of every fold, and how its forecasts of the others did, kept as they are known.

What is forecast and scored is a :class:`Kind`: the losses of runs in ``forecasts.backtesting``, the best sizes of
isoFLOP slices in ``decisions.size_backtesting``.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bayescale.fits import versions
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import sample_posterior_alone
from bayescale.fits.settings import Settings
from bayescale.fits.tree import table_hash
from bayescale.laws import Law, law_record
from bayescale.processes import in_processes, in_shares, workers
from bayescale.runs import RunTable
from bayescale.runs.folds import Fold
from bayescale.storage import cache_dir, content_hash, keep, kept

type Progress = Callable[[str, int, int], object]
type Result = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """How held-out runs are forecast, whatever the law."""

    methods: tuple[str, ...]
    random_seed: int
    cache: bool


@dataclass(frozen=True, eq=False)
class Kind:
    """What folds are forecast for.

    Attributes
    ----------
    folder : str
        Folder of the cache.
    sources : tuple of str
        Code that decides results, besides that which decides a fit, as :func:`bayescale.fits.versions.source_hash`
        takes it.
    unfitted : frozenset of str
        Methods that need no posterior.
    answer : callable
        Takes a task, a fold, a method and the fit (None for the methods above), and returns the result as plain data.
    whole : callable
        Takes a result and its fold, and returns whether nothing is missing; errors of a damaged one are caught.
    """

    folder: str
    sources: tuple[str, ...]
    unfitted: frozenset[str]
    answer: "Callable[[Task, Fold, str, Fit | None], Result]"
    whole: Callable[[Result, Fold], bool]


@dataclass(frozen=True, eq=False)
class Task:
    """All that the folds of one law need, small enough to be sent to another process; ``setting`` is plain data."""

    kind: Kind
    setting: Any
    law: Law
    runs: RunTable
    folds: tuple[Fold, ...]
    methods: tuple[str, ...]
    random_seed: int
    cache: bool


def run(tasks: Sequence[Task], progress: Progress | None) -> Iterator[list[Result]]:
    """Yield each law's results, fold by fold; a law stays in one process, which compiles it once.

    Where joblib is configured to more workers than there are laws, several share the folds of a law. What comes from
    elsewhere is kept here as well.
    """
    waiting = [task for task in tasks if not all(known(task, fold, m) for fold in task.folds for m in task.methods)]
    yield from (_of_law(task, progress) for task in tasks if task not in waiting)
    alone = len(waiting) == 1 and workers() is None
    of_law = functools.partial(_of_law, progress=progress if alone else None)
    shares = [replace(task, folds=folds) for task in waiting for folds in in_shares(task.folds, len(waiting))]
    found: dict[str, list[Result]] = {task.law.name: [] for task in waiting}
    of = {task.law.name: task for task in waiting}
    for results in in_processes(of_law, shares, lambda task: len(task.law.parameters)):
        task, done = of[results[0]["law"]], found[results[0]["law"]]
        done += results
        if workers() is not None:
            _keep_here(task, results)
        if progress and not alone:
            progress(task.law.name, len(done) // len(task.methods), len(task.folds))
        if len(done) == len(task.folds) * len(task.methods):
            yield _by_fold(task, done)


def _by_fold(task: Task, results: Sequence[Result]) -> list[Result]:
    """Return all results of a law in the order of its folds, whoever had which."""
    place = {str(fold.threshold): i for i, fold in enumerate(task.folds)}
    return sorted(results, key=lambda result: place[str(result["threshold"])])


def _keep_here(task: Task, results: Sequence[Result]) -> None:
    """Keep results that a worker has made, which may keep its own elsewhere, on this machine."""
    folds = {str(fold.threshold): fold for fold in task.folds}
    for result in results if task.cache else ():
        path = _path(task, folds[str(result["threshold"])], result["method"])
        if not path.exists():
            keep(path, result)


def planned(tasks: Sequence[Task]) -> dict[str, tuple[int, int]]:
    """Return of each law its folds, and how many of them the cache holds."""
    return {
        task.law.name: (len(task.folds), sum(all(known(task, fold, m) for m in task.methods) for fold in task.folds))
        for task in tasks
    }


def known(task: Task, fold: Fold, method: str) -> Result | None:
    """Read a result; a missing or damaged file counts as none."""
    if not task.cache:
        return None
    try:
        result = dict(kept(_path(task, fold, method)))
        return result if task.kind.whole(result, fold) else None
    except (ValueError, TypeError, KeyError):
        return None


def _of_law(task: Task, progress: Progress | None) -> list[Result]:
    results: list[Result] = []
    for i, fold in enumerate(task.folds):
        results += _of_fold(task, fold)
        if progress:
            progress(task.law.name, i + 1, len(task.folds))
    return results


def _of_fold(task: Task, fold: Fold) -> list[Result]:
    """Return the result of each method, from the cache where it is there."""
    results, fitted = [], None
    for method in task.methods:
        result = known(task, fold, method)
        if result is None:
            alone = method in task.kind.unfitted
            fitted = fitted if alone or fitted else _refit(task, fold)
            result = task.kind.answer(task, fold, method, None if alone else fitted)
            if task.cache:
                keep(_path(task, fold, method), result)
        results.append(result)
    return results


def fitted_runs(task: Task, fold: Fold) -> RunTable:
    """Return the runs of a fold that a law is fitted to."""
    return dataclasses.replace(task.runs, frame=task.runs.frame.iloc[list(fold.train)].reset_index(drop=True))


def _refit(task: Task, fold: Fold) -> Fit:
    return sample_posterior_alone(task.law, fitted_runs(task, fold), Settings(random_seed=task.random_seed))


def _path(task: Task, fold: Fold, method: str) -> Path:
    content = {
        "law": law_record(task.law),
        "table": table_hash(task.runs.frame, task.runs.response),
        "labels": task.runs.frame["run"].tolist(),
        "own": {name: task.runs.frame[name].tolist() for name in task.law.covariates},
        "by": task.setting,
        "fold": dataclasses.asdict(fold),
        "method": method,
        "seed": task.random_seed,
        "versions": versions.versions() | {"scores": versions.source_hash(*task.kind.sources)},
    }
    return cache_dir() / task.kind.folder / f"{content_hash(content)[:32]}.json"
