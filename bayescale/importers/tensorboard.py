"""TensorBoard event files: scalars, and settings logged as text or hyperparameters."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bayescale.errors import InputError
from bayescale.importers.base import Importer, Series, TrackedRun, flattened, reading

PATTERN = "*tfevents*"
SESSION = "_hparams_/session_start_info"
TEXT, SCALARS = "text", "scalars"


def _recognises(location: str) -> bool:
    path = Path(location)
    if path.is_file():
        return "tfevents" in path.name
    return path.is_dir() and next(path.rglob(PATTERN), None) is not None


def _read(locations: Sequence[str]) -> Iterator[TrackedRun]:
    runs: dict[Path, TrackedRun] = {}
    for location in locations:
        root = Path(location)
        for folder, source in _sources(root).items():
            label = _label(root, folder)
            with reading(str(source), label):
                runs[folder] = _run(label, source)
    for folder, run in runs.items():
        if not _is_session(run) or folder.parent not in runs:
            sessions = [other for other in runs if other.parent == folder and _is_session(runs[other])]
            yield _joined(run, [runs[session] for session in sessions])


def _sources(root: Path) -> dict[Path, Path]:
    """Return what to read for each folder of events: the folder, or the one file that was asked for."""
    if root.is_file():
        return {root.resolve().parent: root}
    return {path.resolve().parent: path.parent for path in sorted(root.rglob(PATTERN)) if path.is_file()}


def _label(root: Path, folder: Path) -> str:
    """Name a run by its folder below the one that was asked for."""
    top = root.resolve()
    return folder.name if root.is_file() or folder == top else folder.relative_to(top).as_posix()


def _run(label: str, source: Path) -> TrackedRun:
    events = _events(source)
    series: dict[str, Series] = {
        tag: [(float(event.step), float(event.value)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
    facts: dict[str, object] = {}
    for tag in events.Tags()["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
        if plugin == TEXT:
            facts.update(_settings(events.Tensors(tag)[-1].tensor_proto))
        elif plugin == SCALARS:
            series[tag] = [(float(event.step), _scalar(event.tensor_proto)) for event in events.Tensors(tag)]
    facts.update(_hyperparameters(events))
    ordered = {tag: sorted(points, key=lambda point: point[0]) for tag, points in series.items()}
    return TrackedRun(label, str(source), facts, ordered)


def _events(source: Path) -> Any:  # noqa: ANN401  the library has no types
    try:
        from tensorboard.backend.event_processing import event_accumulator as library  # noqa: PLC0415  an extra
    except ImportError:
        raise InputError(
            f"{source}: reading event files needs tensorboard; pip install 'bayescale[tensorboard]'"
        ) from None
    everything = {library.SCALARS: 0, library.TENSORS: 0}
    nothing = dict.fromkeys((library.IMAGES, library.AUDIO, library.HISTOGRAMS, library.COMPRESSED_HISTOGRAMS), 1)
    return library.EventAccumulator(str(source), size_guidance=everything | nothing).Reload()


def _scalar(tensor: Any) -> float:  # noqa: ANN401  the library has no types
    from tensorboard.util import tensor_util  # noqa: PLC0415  an extra

    return float(tensor_util.make_ndarray(tensor))


def _settings(tensor: Any) -> dict[str, object]:  # noqa: ANN401  the library has no types
    """Read a text that is a JSON object, as the Trainer of transformers logs its arguments."""
    try:
        content = json.loads(tensor.string_val[-1])
    except (ValueError, IndexError, RecursionError):
        return {}
    return flattened(content) if isinstance(content, Mapping) else {}


def _hyperparameters(events: Any) -> dict[str, object]:  # noqa: ANN401  the library has no types
    """Read what ``add_hparams`` logged."""
    from tensorboard.plugins.hparams import plugin_data_pb2  # noqa: PLC0415  an extra

    if SESSION not in events.summary_metadata:
        return {}
    content = events.SummaryMetadata(SESSION).plugin_data.content
    values = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in values.items() if value.WhichOneof("kind")}


def _is_session(run: TrackedRun) -> bool:
    """Tell a folder that only holds hyperparameters: torch's ``add_hparams`` makes one below the run's own."""
    return bool(run.facts) and all(len(points) <= 1 for points in run.series.values())


def _joined(run: TrackedRun, sessions: Sequence[TrackedRun]) -> TrackedRun:
    """Return a run with the hyperparameters that stand in folders below its own."""
    facts = {key: value for session in sessions for key, value in session.facts.items()}
    return TrackedRun(run.label, run.place, {**facts, **run.facts}, run.series)


TENSORBOARD = Importer("tensorboard", "event files of TensorBoard, or a folder with some", _recognises, _read)
