"""Import runs from where they were tracked: W&B tables, Trainer states, TensorBoard event files, MLflow.

The verb is :func:`import_runs`; the nouns are :class:`Importer` and :class:`TrackedRun`. An importer of one's own is an
:class:`Importer` under an entry point of the group ``bayescale.importers``.
"""

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points

from bayescale.errors import InputError
from bayescale.importers.base import Importer, TrackedRun, matching, reading
from bayescale.importers.mlflow import MLFLOW
from bayescale.importers.rows import rows_of
from bayescale.importers.tensorboard import TENSORBOARD
from bayescale.importers.trainer_state import TRAINER_STATE
from bayescale.importers.wandb import WANDB
from bayescale.runs import RunTable
from bayescale.runs.headers import quoted

IMPORTERS = {importer.name: importer for importer in (WANDB, TRAINER_STATE, TENSORBOARD, MLFLOW)}
GROUP = "bayescale.importers"

__all__ = ["GROUP", "IMPORTERS", "Importer", "TrackedRun", "import_runs"]

type Location = str | os.PathLike[str]


def import_runs(
    paths: Location | Sequence[Location],
    *,
    kind: str | None = None,
    columns: Mapping[str, str] | None = None,
    N: Mapping[str, float | str] | None = None,
    D: Mapping[str, float | str] | None = None,
    only: str | None = None,
    unit: str | None = None,
    name: str = "imported",
) -> RunTable:
    """Import training runs from what an experiment tracker kept of them, one row per run.

    The loss of a run is that of its end: the last evaluation loss, or without one the mean of the last 5% of the
    training losses logged. Runs whose schedule looks unfinished are kept, named in the notes, and have ``finished`` 0.

    Parameters
    ----------
    paths : str, path-like or sequence of them
        Files, folders or addresses, all of one kind: the CSV export of a W&B run table, ``trainer_state.json`` of
        Hugging Face transformers, TensorBoard event files, or an MLflow folder, SQLite file or server. Folders are
        searched.
    kind : str, optional
        ``wandb``, ``trainer_state``, ``tensorboard``, ``mlflow``, or the name of an importer that is installed as an
        entry point of the group ``bayescale.importers``; by default the one that recognises every path.
    columns : mapping of str to str, optional
        Canonical name to the tracker's key, as in ``{"N": "model.size", "loss": "eval/c4_loss"}``, where a key is
        not one of the usual ones.
    N, D : mapping of str to float, optional
        Parameters and tokens by the label of the run, where the tracker does not have them; they come before what
        it has.
    only : str, optional
        Keep the runs whose label matches this pattern, such as ``sweep-*``.
    unit : str, optional
        Unit of the loss; by default what its key says (``val/bpb``, ``eval/ppl``), else nats per token.
    name : str
        Name of the table.

    Returns
    -------
    RunTable
        The checked table, with ``finished`` (1 or 0) and ``steps`` beside N, D, C and the loss. Its notes begin with
        what is unfinished, left out or taken from where.

    Raises
    ------
    InputError
        If nothing can read the paths, if N, D or the loss are not to be found, or if the table has faults.
    """
    locations = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    importer = _importer(locations, kind)
    with reading(", ".join(locations)):
        found = list(importer.read(locations))
    runs = matching(found, only)
    if not runs:
        labels = f"; their labels are {quoted([run.label for run in found])}" if found else ""
        raise InputError(f"{', '.join(locations)}: {len(found)} runs found, and none matches {only or '*'!r}{labels}")
    given = {column: dict(values) for column, values in (("N", N), ("D", D)) if values}
    rows = rows_of(importer.name, runs, columns or {}, given)
    table = RunTable.from_frame(
        rows.frame, name=name, columns=rows.columns, response=rows.response, unit=unit or rows.unit
    )
    selected = [f"{len(runs)} of {len(found)} runs are called {only!r}; the others are left out"] if only else []
    notes = (*rows.notes, *selected, *table.notes)
    return RunTable(name, table.frame, table.response, table.unit, table.compute, table.record, notes)


def _importer(locations: Sequence[str], kind: str | None) -> Importer:
    """Return the importer asked for, or the only one that recognises every path."""
    if not locations:
        raise InputError("no path of runs is given; name at least one file, folder or address")
    if kind is not None:
        return _called(kind)
    able = _able(IMPORTERS, locations) or _able(_plugins(), locations)
    if len(able) == 1:
        return able[0]
    if able:
        names = ", ".join(importer.name for importer in able)
        raise InputError(f"{locations[0]}: there are runs of several kinds, {names}; choose with kind= (--kind)")
    raise InputError(f"{_stranger(locations)}; expected {'; or '.join(each.expects for each in IMPORTERS.values())}")


def _able(importers: Mapping[str, Importer], locations: Sequence[str]) -> list[Importer]:
    with reading(", ".join(locations)):
        return [each for each in importers.values() if all(each.recognises(location) for location in locations)]


def _stranger(locations: Sequence[str]) -> str:
    """Say which path is not there, or not recognised."""
    absent = [location for location in locations if "://" not in location and not os.path.exists(location)]  # noqa: PTH110
    if absent:
        return f"{absent[0]}: there is no such file or folder"
    return f"{', '.join(locations)}: no one importer recognises {'it' if len(locations) == 1 else 'all of them'}"


def _called(kind: str) -> Importer:
    if kind in IMPORTERS:
        return IMPORTERS[kind]
    plugins = _plugins(kind)
    if kind not in plugins:
        names = ", ".join([*IMPORTERS, *(each.name for each in entry_points(group=GROUP))])
        raise InputError(f"kind={kind!r} is not known; the kinds are {names}")
    return plugins[kind]


def _plugins(kind: str | None = None) -> dict[str, Importer]:
    """Load the importers of other packages, all or the one of that name."""
    wanted = [each for each in entry_points(group=GROUP) if kind in (None, each.name)]
    importers: dict[str, Importer] = {}
    for entry in wanted:
        try:
            loaded = entry.load()
        except Exception as error:
            raise InputError(f"the importer {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
        if not isinstance(loaded, Importer):
            raise InputError(f"the importer {entry.name!r} ({entry.value}) is no Importer but {type(loaded).__name__}")
        importers[entry.name] = loaded
    return importers
