"""``trainer_state.json``, which the Trainer of Hugging Face transformers writes beside its checkpoints."""

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bayescale.errors import InputError
from bayescale.importers.base import Importer, Series, TrackedRun, as_number, reading

FILE = "trainer_state.json"
CHECKPOINT = re.compile(r"checkpoint-\d+")
SHARD = re.compile(r"model(?:-\d+-of-(\d+))?\.safetensors")
WEIGHT_TYPES = frozenset({"F64", "F32", "F16", "BF16"})
LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
AVERAGE = "train_loss"  # of the whole training, not of its end


@dataclass(frozen=True)
class _State:
    path: Path
    content: Mapping[str, object]

    @property
    def folder(self) -> Path:
        """The folder of the run: that of the file, or the one above a checkpoint's."""
        folder = self.path.resolve().parent
        return folder.parent if CHECKPOINT.fullmatch(folder.name) else folder

    @property
    def history(self) -> list[dict[str, object]]:
        history = self.content["log_history"]
        return [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []

    @property
    def progress(self) -> tuple[float, int]:
        """How far this state is: steps, and what was logged."""
        return as_number(self.content.get("global_step")) or 0.0, len(self.history)


def _recognises(location: str) -> bool:
    path = Path(location)
    return path.name == FILE if path.is_file() else path.is_dir() and next(path.rglob(FILE), None) is not None


def _read(locations: Sequence[str]) -> Iterator[TrackedRun]:
    groups: dict[Path, list[_State]] = {}
    for path in dict.fromkeys(path for location in locations for path in _files(Path(location))):
        state = _State(path, _content(path))
        groups.setdefault(state.folder, []).append(state)
    for folder, label in zip(groups, _labels(list(groups)), strict=True):
        with reading(str(groups[folder][0].path), label):
            run = _run(label, groups[folder])
        yield run


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(path.rglob(FILE))


def _content(path: Path) -> Mapping[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is no JSON ({error}); give the {FILE} that the Trainer wrote") from None
    if not isinstance(content, dict) or not isinstance(content.get("log_history"), list):
        raise InputError(f"{path}: there is no log_history in it; give the {FILE} that the Trainer wrote")
    return content


def _labels(folders: list[Path]) -> list[str]:
    """Return the shortest ends of the folders that differ."""
    for length in range(1, max(len(folder.parts) for folder in folders) + 1 if folders else 1):
        labels = ["/".join(folder.parts[-length:]) for folder in folders]
        if len(set(labels)) == len(labels):
            return labels
    return [str(folder) for folder in folders]


def _run(label: str, states: Sequence[_State]) -> TrackedRun:
    """Return the run that a folder's states belong to; the state that came furthest tells of it."""
    last = max(states, key=lambda state: state.progress)
    facts = {key: value for key, value in last.content.items() if _tells(key, value)}
    facts["epochs"] = facts.pop("epoch", None)
    notes = []
    weights = _weights(last.path.parent) or _weights(last.folder)
    if weights:
        facts["num_parameters"] = weights
        notes.append(f"N of run {label!r} is the number of weights in its model.safetensors")
    notes += _best(label, last.content)
    return TrackedRun(label, str(last.path), facts, _series(last.history), _reasons(last.content), tuple(notes))


def _best(label: str, content: Mapping[str, object]) -> Iterator[str]:
    """Say that a run kept a checkpoint that was better than its last evaluation, which is the one that is taken."""
    best, step, end = (as_number(content.get(key)) for key in ("best_metric", "best_global_step", "global_step"))
    if best is not None and step is not None and end is not None and step < end:
        yield (
            f"run {label!r} was best at step {step:.0f} of {end:.0f} ({best:.4g}), and may have kept that checkpoint; "
            "its last evaluation is taken, as of every run"
        )


def _tells(key: str, value: object) -> bool:
    """Tell whether an entry is a fact of the run; a count of tokens or FLOP is 0 where none was kept."""
    return not isinstance(value, list | dict) and not (key in ("num_input_tokens_seen", "total_flos") and not value)


def _series(history: Sequence[Mapping[str, object]]) -> dict[str, Series]:
    series: dict[str, list[tuple[float, float]]] = {}
    for entry in history:
        step = as_number(entry.get("step"))
        for key, value in entry.items():
            logged = _logged(value)
            if step is not None and logged is not None and key not in ("step", "epoch", AVERAGE):
                series.setdefault(key, []).append((step, logged))
    series.pop("num_input_tokens_seen", None)  # the state has it, as far as it is
    return {key: sorted(points, key=lambda point: point[0]) for key, points in series.items()}


def _logged(value: object) -> float | None:
    """Return a value that was logged; None where it is no number, as yes and no are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # JSON has whole numbers of any length
        return math.inf


def _reasons(content: Mapping[str, object]) -> tuple[str, ...] | None:
    """Say how far the run was from its end; ``max_steps`` follows from the epochs asked for where only they were."""
    step, planned = (as_number(content.get(key)) for key in ("global_step", "max_steps"))
    if step is not None and planned:
        return (f"it stopped at step {step:.0f} of {planned:.0f}",) if step < planned else ()
    epoch, epochs = (as_number(content.get(key)) for key in ("epoch", "num_train_epochs"))
    if epoch is not None and epochs:
        return (f"it stopped at epoch {epoch:.3g} of {epochs:g}",) if epoch < 0.999 * epochs else ()
    return None


def _weights(folder: Path) -> int | None:
    """Count the weights by the headers of a model's safetensors files; None where not all are there."""
    files = [path for path in sorted(folder.glob("model*.safetensors")) if SHARD.fullmatch(path.name)]
    expected = {match[1] for path in files if (match := SHARD.fullmatch(path.name))}
    if len(expected) != 1 or len(files) != int(expected.pop() or 1):
        return None
    counts = [_tensor_weights(path) for path in files]
    return None if None in counts else sum(count for count in counts if count is not None)


def _tensor_weights(path: Path) -> int | None:
    """Count the weights in one file; None where they are packed in integers, or the file is none."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length <= LONGEST_HEADER else {}
        tensors = [entry for key, entry in header.items() if key != "__metadata__"]
        floating = all(entry["dtype"] in WEIGHT_TYPES for entry in tensors)
        return sum(math.prod(entry["shape"]) for entry in tensors) if floating else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None


TRAINER_STATE = Importer(
    "trainer_state", f"{FILE} of Hugging Face transformers, or a folder with some", _recognises, _read
)
