"""Exact refits: the posteriors of the runs outside each fold, made in parallel, kept, and scored on the runs in it."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.likelihood import density_without
from bayescale.fits.settings import Settings
from bayescale.fits.tree import sampler_data
from bayescale.laws import Law
from bayescale.processes import in_processes, in_shares, workers
from bayescale.runs.checkpoints import RUN_SHARE
from bayescale.runs.folds import ALONE
from bayescale.runs.units import units_of
from bayescale.storage import cache_dir, content_hash, keep, kept

WATCH_SECONDS = 0.2
"""Time between two looks at how many refits are done, in seconds."""

type Progress = Callable[[str, int, int], object]
"""Called with the name of a law, its folds done and its folds in all."""


@dataclass(frozen=True, eq=False)
class Refits:
    """All that the refits of one law need, small enough to be sent to another process."""

    law: Law
    frame: pd.DataFrame
    response: str
    reference: Mapping[str, float]
    settings: Settings
    fit_hash: str
    folds: tuple[tuple[int, ...], ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the files of each fold's result."""
        return tuple(f"{content_hash({'fit': self.fit_hash, 'rows': rows})[:32]}.json" for rows in self.folds)


def refits_of(fitted: Fit, folds: np.ndarray) -> Refits:
    """Return the refits of a fit's law, one for each fold of its runs (run,)."""
    runs = fitted.runs
    held = tuple(tuple(np.flatnonzero(folds == fold).tolist()) for fold in np.unique(folds[folds != ALONE]))
    return Refits(
        law=fitted.law,
        frame=runs.frame,
        response=runs.response,
        reference=dict(fitted.reference),
        settings=Settings(**fitted.record["settings"]),
        fit_hash=content_hash(dict(fitted.record)),
        folds=held,
    )


def score(
    refits: Mapping[str, Refits], rows: int, *, cache: bool, progress: Progress | None
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Return each law's density of every run left out (run,), and how many of its refits failed the gate."""
    place = nullcontext(cache_dir() / "folds") if cache else tempfile.TemporaryDirectory(prefix="bayescale-")
    with place as opened:
        folder = Path(opened)
        with _watched(refits, folder, progress):
            waiting = [each for each in refits.values() if waiting_folds(each, folder)]
            shares = [replace(each, folds=folds) for each in waiting for folds in in_shares(each.folds, len(waiting))]
            work = partial(_refit_law, folder=folder if workers() is None else None, cache=cache)
            fresh: dict[str, dict[str, Any]] = {}
            for found in in_processes(work, shares, lambda each: len(each.law.parameters)):
                fresh |= found
                _keep_here(found, folder)
        results = {name: _results(each, fresh, folder) for name, each in refits.items()}
    elpd_i, failed = {}, {}
    for name, each in refits.items():
        values = np.full(rows, np.nan)
        for held, result in zip(each.folds, results[name], strict=True):
            values[list(held)] = result["elpd"]
        elpd_i[name] = values
        failed[name] = sum(not result["passed"] for result in results[name])
    return elpd_i, failed


def _keep_here(found: Mapping[str, dict[str, Any]], folder: Path) -> None:
    """Keep results that a worker has made, which may keep its own elsewhere, on this machine."""
    for file, result in found.items():
        if not (folder / file).exists():
            keep(folder / file, result)


def _results(refits: Refits, fresh: Mapping[str, dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Return the result of every fold: what was refitted now, and what was kept before."""
    found = [
        fresh.get(file) or _read_result(folder / file, len(held))
        for file, held in zip(refits.names, refits.folds, strict=True)
    ]
    return [result for result in found if result is not None]


def waiting_folds(refits: Refits, folder: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Return file and rows of the folds that have no result."""
    folds = zip(refits.names, refits.folds, strict=True)
    return [(file, rows) for file, rows in folds if _read_result(folder / file, len(rows)) is None]


def _read_result(path: Path, rows: int) -> dict[str, Any] | None:
    """Read the result of one fold; a missing or damaged file counts as none."""
    result = kept(path)
    try:
        whole = len(result["elpd"]) == rows and np.isfinite(result["elpd"]).all() and isinstance(result["passed"], bool)
    except (TypeError, KeyError):
        return None
    return dict(result) if whole else None


def _refit_law(refits: Refits, folder: Path | None, *, cache: bool) -> dict[str, dict[str, Any]]:
    """Return the result of every fold by its file, which is written as soon as it is there.

    Without a folder, it goes to the cache of whichever machine this is, if there may be one.
    """
    folder = cache_dir() / "folds" if folder is None and cache else folder
    results = {}
    for file, rows in zip(refits.names, refits.folds, strict=True):
        known = None if folder is None else _read_result(folder / file, len(rows))
        results[file] = known or _refit_without(refits, rows)
        if folder is not None and known is None:
            keep(folder / file, results[file])
    return results


def _refit_without(refits: Refits, rows: Sequence[int]) -> dict[str, Any]:
    """Return the log predictive density of some runs under the posterior of all others."""
    from bayescale.fits.sampling import sample_posterior  # noqa: PLC0415  (imports PyMC)

    law, frame, response, reference = refits.law, refits.frame, refits.response, refits.reference
    held = frame.index.isin(rows)
    data = sampler_data(law, frame[~held], response, reference)
    posterior, _, diagnostics, _ = sample_posterior(law, data, refits.settings)
    units = units_of(frame[held]) if RUN_SHARE in posterior else np.arange(len(rows))
    elpd = density_without(law, posterior, frame[held], response, reference, units=units)
    if not np.isfinite(elpd).all():
        raise InputError(f"law '{law.name}' gives a run left out a density of zero; it cannot be scored")
    return {"elpd": elpd.tolist(), "passed": diagnostics.passed}


@contextmanager
def _watched(refits: Mapping[str, Refits], folder: Path, progress: Progress | None) -> Iterator[None]:
    """Report how many refits of each law are done, as their results appear."""
    if progress is None:
        yield
        return
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(refits, folder, progress, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _watch(refits: Mapping[str, Refits], folder: Path, progress: Progress, stop: threading.Event) -> None:
    shown: dict[str, int] = {}
    ended = False
    while not ended:
        ended = stop.wait(WATCH_SECONDS)
        for name, each in refits.items():
            done = sum((folder / file).exists() for file in each.names)
            if shown.get(name) != done:
                shown[name] = done
                progress(name, done, len(each.names))
