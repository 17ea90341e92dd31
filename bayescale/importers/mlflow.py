"""MLflow runs: a tracking folder, a SQLite database, the address of a server, or the CSV that its page downloads."""

import contextlib
import importlib.util
import os
import re
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bayescale.errors import InputError
from bayescale.importers.base import Importer, Series, TrackedRun, distinct_labels, reading
from bayescale.importers.page import Page, has_headers, page_runs
from bayescale.runs.headers import normalised

SQLITE, MAGIC = "sqlite:///", b"SQLite format 3\x00"
SERVERS = ("http://", "https://", "databricks://")
NEEDED = ("mlflow", "sqlalchemy", "alembic")
ENVIRONMENT = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
LOGGED = re.compile(r"loss|(^|_)lr(_|$)|learning_rate|bpc|bits_per")  # of all else the last value is enough
PAGE = 1000
OF_A_RUN = ("Start Time", "Duration", "Source Type", "Source Name", "User", "Created", "Dataset", "Models", "Version")
PAGES = (
    Page("MLflow", "Name", "Status", "Run ID", ("Name", "Status", "Run ID", *OF_A_RUN), ("metrics", "params", "tags")),
    Page(
        "MLflow",
        "tags.mlflow.runName",
        "status",
        "run_id",
        ("tags.mlflow.runName", "status", "run_id", "experiment_id", "artifact_uri", "start_time", "end_time"),
        ("metrics", "params", "tags"),
    ),
)
"""The table of MLflow's page, and what ``search_runs`` gives as a DataFrame."""


def _recognises(location: str) -> bool:
    if location.startswith((SQLITE, *SERVERS)):
        return True
    path = Path(location)
    if path.is_file():
        return _is_database(path) or _page(location) is not None
    return path.is_dir() and any((folder / "meta.yaml").is_file() for folder in (path, *path.iterdir()))


def _page(location: str) -> Page | None:
    """Return which table of runs a file is: that of MLflow's page, or of its ``search_runs``; None for another."""
    return next((page for page in PAGES if has_headers(location, (page.name, page.state, page.identifier))), None)


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _read(locations: Sequence[str]) -> Iterator[TrackedRun]:
    pages = {location: page for location in locations if (page := _page(location))}
    for location, page in pages.items():
        yield from page_runs(location, page)
    yield from _tracked([location for location in locations if location not in pages])


def _tracked(locations: Sequence[str]) -> Iterator[TrackedRun]:
    """Yield the runs of folders, databases and servers, by MLflow itself."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing and locations:
        raise InputError(
            f"{locations[0]}: reading MLflow runs needs {', '.join(missing)}; pip install 'bayescale[mlflow]'"
        )
    for location in locations:
        with _library_at_rest(), _address(location) as address:
            runs = _runs(location, address)
        yield from runs


@contextlib.contextmanager
def _library_at_rest() -> Iterator[None]:
    """Let MLflow read a tracking folder, report to nobody and keep its warnings, and leave the environment alone."""
    before = {key: os.environ.get(key) for key in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for key, value in before.items():
            os.environ.pop(key)
            os.environ.update({key: value} if value is not None else {})


@contextlib.contextmanager
def _address(location: str) -> Iterator[str]:
    """Give the address to read from: of a database or folder that of a copy, since MLflow alters what it opens."""
    path = Path(location.removeprefix(SQLITE))
    if location.startswith(SERVERS):
        yield location
    elif path.is_dir() and (path / "meta.yaml").is_file():
        raise InputError(
            f"{location}: this is the folder of one experiment; give the one above it, {path.resolve().parent}, "
            "and choose runs by only='EXPERIMENT/*' (--only)"
        )
    elif path.is_dir():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, reading(location):
            copy = Path(folder) / "mlruns"
            shutil.copytree(path, copy, ignore=_left_out)
            yield copy.as_uri()
    elif not path.is_file() or not _is_database(path):
        raise InputError(
            f"{location}: this is no MLflow database; give a tracking folder (mlruns), a SQLite file or a server"
        )
    else:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / "mlflow.db"
            with (
                reading(location),
                contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
            yield f"{SQLITE}{copy}"


def _left_out(folder: str, names: list[str]) -> list[str]:
    """Return what of a folder need not be copied: what folders of artifacts, which must be there, hold, and bins."""
    return names if Path(folder).name == "artifacts" else [".trash"]


def _runs(location: str, address: str) -> list[TrackedRun]:
    from mlflow.tracking import MlflowClient  # noqa: PLC0415  an extra

    try:
        with reading(location):
            client = MlflowClient(tracking_uri=address, registry_uri=address)
            names = {each.experiment_id: each.name for each in _pages(client.search_experiments)}
            found = list(_pages(client.search_runs, list(names))) if names else []
            labels = _labels(found, names)
    except InputError as error:
        damaged = _damaged(location)
        raise (
            InputError(f"{damaged}: this is no description of a run as MLflow writes it; take it out")
            if damaged
            else error
        ) from error.__cause__
    return [_read_run(location, client, label, run) for label, run in zip(labels, found, strict=True)]


def _damaged(location: str) -> str | None:
    """Return the first description in a tracking folder that is not YAML, which MLflow would not name."""
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  which MLflow needs

    for path in sorted(Path(location).glob("*/**/meta.yaml")) if Path(location).is_dir() else ():
        try:
            sound = isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
        except Exception:
            sound = False
        if not sound:
            return str(path)
    return None


def _read_run(location: str, client: Any, label: str, run: Any) -> TrackedRun:  # noqa: ANN401  no types for us
    with reading(location, label):
        return _run(client, label, run)


def _pages(search: Any, *arguments: object) -> Iterator[Any]:  # noqa: ANN401  the library has no types for us
    """Yield everything that a search finds, page by page."""
    token = None
    while True:
        page = search(*arguments, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _labels(runs: Sequence[Any], names: Mapping[str, str]) -> list[str]:
    """Name runs as MLflow does, with their experiment before it where there are several."""
    several = len({run.info.experiment_id for run in runs}) > 1
    labels = [
        f"{names[run.info.experiment_id]}/{run.info.run_name}" if several else str(run.info.run_name) for run in runs
    ]
    return distinct_labels(labels, [run.info.run_id[:8] for run in runs])


def _run(client: Any, label: str, run: Any) -> TrackedRun:  # noqa: ANN401  the library has no types for us
    tags = {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
    facts = {**tags, **run.data.params, **run.data.metrics}
    keys = [key for key in run.data.metrics if LOGGED.search(normalised(key))]
    series = {key: _points(client.get_metric_history(run.info.run_id, key)) for key in keys}
    state = str(run.info.status)
    reasons = () if state == "FINISHED" else (f"MLflow says {state}",)
    return TrackedRun(label, f"run {run.info.run_id}", facts, series, reasons)


def _points(history: Iterable[Any]) -> Series:
    ordered = sorted(history, key=lambda metric: (metric.step, metric.timestamp))
    return [(float(metric.step), float(metric.value)) for metric in ordered]


MLFLOW = Importer(
    "mlflow",
    "MLflow runs: a tracking folder (mlruns), its SQLite file, a server's address, or the CSV of its page",
    _recognises,
    _read,
)
