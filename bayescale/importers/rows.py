"""From what trackers kept to the rows of a table: N, D, the finished loss, and whether the run is finished."""

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.importers.base import TrackedRun, as_number
from bayescale.importers.keys import (
    PARAMETERS,
    TOKENS_PLANNED,
    TOKENS_SEEN,
    TRAINING,
    all_keys,
    counted,
    evaluation_keys,
    is_training_loss,
    ranked,
)
from bayescale.importers.schedule import is_known, reasons, steps
from bayescale.runs.formulas import Formula, Vector, parse_formula
from bayescale.runs.grammar import metric_of
from bayescale.runs.headers import (
    ALIASES,
    MEANINGS,
    RESPONSES,
    how_to_map,
    quoted,
    stands_for,
)
from bayescale.runs.lexicon import NATS
from bayescale.runs.products import offers_of_tokens

LAST_PART = 0.05  # of the training losses logged, averaged where there is no evaluation
SHOWN = 5
COVARIATES = ("unique_tokens", "epochs", "active_N", "vocabulary")  # taken without being asked for
ASIDE = ("run", "N", "D", *RESPONSES, "steps")  # columns with a rule of their own
COMPUTE = (
    "total_training_flops",
    "total_flos",
    "total_flops",
    "total_flop",
    "training_flops",
    "train_flops",
    "flops",
    "flop",
)
EXAMPLES = {"N": ("124e6", "124M"), "D": ("2.5e9", "2.5B")}


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a table, not checked yet, and what there is to say of them."""

    frame: pd.DataFrame
    response: str
    notes: tuple[str, ...]
    unit: str | None = None  # what the key of the loss says
    columns: Mapping[str, str] = field(default_factory=dict)  # N and D by their keys, whose words say their units


@dataclass(frozen=True)
class Count:
    """N or D of each run; what is missing is a fault."""

    by_label: Mapping[str, object]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    key: str | None = None  # the only key that it comes from


def rows_of(
    source: str,
    runs: Sequence[TrackedRun],
    columns: Mapping[str, str],
    given: Mapping[str, Mapping[str, object]],
) -> Rows:
    """Return one row for each run that has a loss, and say which runs have none and which look unfinished."""
    asked_wrongly = [*_unknown_columns(source, runs, columns), *_unknown_labels(source, runs, given)]
    if asked_wrongly:
        raise InputError(*asked_wrongly)
    key, response, unit = _response(source, runs, columns)
    losses = {run.label: finished_loss(run, key) for run in runs}
    kept = [run for run in runs if math.isfinite(losses[run.label])]
    if not kept:
        raise InputError(f"{source}: no run has a finite value of {key!r}; name another key with {_how(response)}")
    N = count_of((source, "N"), kept, columns.get("N"), given.get("N", {}))
    D = count_of((source, "D"), kept, columns.get("D"), given.get("D", {}), N.by_label)
    counts = {"N": N, "D": D}
    if faults := [fault for count in counts.values() for fault in count.faults]:
        raise InputError(*faults)
    signs = {run.label: reasons(run, key) for run in kept}
    frame = pd.DataFrame(
        {
            "run": [run.label for run in kept],
            **{name: [count.by_label[run.label] for run in kept] for name, count in counts.items()},
            response: [losses[run.label] for run in kept],
            **_covariates(kept, columns),
            "steps": _steps(kept, columns.get("steps")),
            "finished": [0.0 if signs[run.label] else 1.0 for run in kept],
        }
    )
    notes = [
        *_notes_on_schedules(kept, signs),
        *_notes_on_losses(runs, kept, key, response),
        *(note for count in counts.values() for note in count.notes),
        *_notes_on_compute(kept, columns),
        *(note for run in kept for note in run.notes),
        *([f"{key!r} says that it is in {unit}"] if unit not in (None, NATS) else []),
    ]
    keys = {name: count.key for name, count in counts.items() if count.key and count.key not in frame}
    return Rows(frame.rename(columns=keys), response, tuple(notes), None if unit == NATS else unit, keys)


def _response(source: str, runs: Sequence[TrackedRun], columns: Mapping[str, str]) -> tuple[str, str, str | None]:
    """Return the key of the response, its column, and the unit of a loss where the key says one."""
    response = next((name for name in RESPONSES if name in columns), "loss")
    key = columns.get(response) or choose_loss(source, runs)
    metric = metric_of(key)
    unit = metric.unit if metric and not metric.unit.startswith("per ") else ""
    if response != "loss":
        return key, response, None
    return (key, "bpc", None) if unit == MEANINGS["bpc"] else (key, "loss", unit or None)


# The loss


def choose_loss(source: str, runs: Sequence[TrackedRun]) -> str:
    """Return the key of the loss on held-out text, else that of the training loss; ``InputError`` if unclear."""
    keys = [key for key in all_keys(runs) if any(as_number(run.value(key)) is not None for run in runs)]
    found = evaluation_keys(keys)
    if len(found) > 1:
        raise InputError(
            f"{source}: keys {quoted(found)} can each be the loss on held-out text; "
            f"choose one with columns={{'loss': {found[0]!r}}} (--map loss={found[0]})"
        )
    found = found or ranked(keys, TRAINING)
    if not found:
        raise InputError(f"{source}: no key is known to be a loss; found {quoted(keys)}; name it with {_how('loss')}")
    return found[0]


def finished_loss(run: TrackedRun, key: str) -> float:
    """Return the last value of a loss, or the mean of its last 5% where it is a training loss; NaN without any."""
    points = run.series.get(key)
    if points and is_training_loss(key):
        last = points[-max(1, math.ceil(LAST_PART * len(points))) :]
        return math.fsum(value for _, value in last) / len(last)
    value = as_number(run.value(key))
    return math.nan if value is None else value


def _notes_on_losses(runs: Sequence[TrackedRun], kept: Sequence[TrackedRun], key: str, response: str) -> Iterator[str]:
    if not is_training_loss(key):
        yield f"{response} is the last value of {key!r}"
    elif any(run.series.get(key) for run in kept):
        yield f"{response} is the mean of the last {LAST_PART:.0%} of {key!r}, a training loss: no evaluation was taken"
    else:
        yield f"{response} is the last value of {key!r}, a training loss and perhaps that of one batch"
    labels = {run.label for run in kept}
    absent = [run for run in runs if run.label not in labels]
    if absent:
        told = (f"{run.label!r} ({'; '.join(run.unfinished or ()) or run.place})" for run in absent[:SHOWN])
        more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
        yield f"{len(absent)} of {len(runs)} runs are LEFT OUT, without a finite {key!r}: {', '.join(told)}{more}"


# N and D


def count_of(
    place: tuple[str, str],
    runs: Sequence[TrackedRun],
    asked: str | None,
    given: Mapping[str, object],
    sizes: Mapping[str, object] = MappingProxyType({}),
) -> Count:
    """Return N or D of each run: as the user gives it, else under the key asked for, else under a usual key."""
    source, name = place
    tracked = all_keys(runs)
    formula = parse_formula(asked, [*tracked, "N"], {}) if asked and asked not in tracked else None
    keys, planned = ([asked], False) if asked else _count_keys(name, runs)
    values: dict[str, object] = {}
    used: dict[str, None] = {}
    for run in runs:
        here = [key for key in keys if as_number(run.value(key)) is not None]
        if run.label in given:
            values[run.label] = given[run.label]
        elif here:
            values[run.label] = run.value(here[0])
            used[here[0]] = None
        elif formula is not None:
            values.update(_product(formula, run, sizes))
            used[formula.text] = None
    missing = [run.label for run in runs if run.label not in values]
    faults = [_missing_count(source, name, runs, missing, sizes)] if missing else []
    notes = _notes_on_counts(name, list(used), given, planned=planned or formula is not None)
    only = next(iter(used)) if len(used) == 1 and formula is None and not given else None
    return Count(values, tuple(faults), tuple(notes), only)


def _product(formula: Formula, run: TrackedRun, sizes: Mapping[str, object]) -> dict[str, object]:
    """Return the product of what a run has under several keys, by its label; nothing where one of them is missing."""
    kept = set(run.keys)
    parts = {
        key: as_number(sizes.get(run.label) if key == "N" and key not in kept else run.value(key))
        for key in (*formula.above, *formula.below)
    }
    found = {key: np.array([value]) for key, value in parts.items() if value is not None}
    return {run.label: float(formula.value(found)[0])} if len(found) == len(parts) else {}


def _count_keys(name: str, runs: Sequence[TrackedRun]) -> tuple[list[str], bool]:
    """Return the usual keys that there are, and whether they hold what was planned rather than done."""
    if name == "N":
        return counted(runs, PARAMETERS), False
    seen = counted(runs, TOKENS_SEEN)
    return (seen, False) if seen else (counted(runs, TOKENS_PLANNED), True)


def _notes_on_counts(name: str, used: Sequence[str], given: Mapping[str, object], *, planned: bool) -> Iterator[str]:
    if used:
        yield f"{name} is taken from {quoted(list(used))}"
    if given:
        yield f"{name} is as given for {len(given)} runs"
    if used and planned:
        yield f"{name} under {used[0]!r} may be what was planned, which an unfinished run did not reach"


def _missing_count(
    source: str, name: str, runs: Sequence[TrackedRun], missing: Sequence[str], sizes: Mapping[str, object]
) -> str:
    names = PARAMETERS if name == "N" else (*TOKENS_SEEN, *TOKENS_PLANNED)
    plain, short = EXAMPLES[name]
    found = offers_of_tokens(_numeric(runs), {}) if name == "D" else []
    costs = [key for key in counted(runs, COMPUTE) if "flos" not in key and set(missing) <= set(sizes)]
    found += [f"compute it with {how_to_map('D', f'{key}/6N')}" for key in costs[:1] if name == "D"]
    offers = "".join(f", or {offer}" for offer in found)
    hint = offers + "; transformers logs it with include_num_input_tokens_seen='all'" if name == "D" else ""
    return (
        f"{source}: {name} ({MEANINGS[name]}) is not kept for run {quoted(missing, SHOWN)}; "
        f"looked for {', '.join(names[1:4])} and the like among {quoted(all_keys(runs), SHOWN)}; "
        f"give it with {name}={{{missing[0]!r}: {plain}}} (--{name} {missing[0]}={short}), "
        f"or name its key with {_how(name)}{hint}"
    )


def _numeric(runs: Sequence[TrackedRun]) -> dict[str, Vector]:
    """Return what is a number in some run, by its key; NaN where it is none."""
    found = {key: [as_number(run.value(key)) for run in runs] for key in all_keys(runs)}
    return {
        key: np.array([math.nan if value is None else value for value in values])
        for key, values in found.items()
        if any(value is not None for value in values)
    }


def _how(name: str) -> str:
    return f"columns={{{name!r}: KEY}} (--map {name}=KEY)"


# What was asked for


def _unknown_columns(source: str, runs: Sequence[TrackedRun], columns: Mapping[str, str]) -> Iterator[str]:
    keys = all_keys(runs)
    responses = [name for name in RESPONSES if name in columns]
    if len(responses) > 1:
        yield f"{source}: columns= names {' and '.join(responses)}, and responses are never mixed; choose one"
    for name, key in columns.items():
        if name == "run":
            yield f"{source}: columns= names run, and labels are those of the tracker; take it out"
        elif name not in ALIASES:
            yield f"{source}: columns= has the unknown name {name!r}; the names are {', '.join(ALIASES)}"
        elif key not in keys and not (name in ("N", "D") and parse_formula(key, [*keys, "N"], {})):
            near = difflib.get_close_matches(key, keys, n=3, cutoff=0.5) or keys
            yield f"{source}: columns= takes {name} from {key!r}, which no run has; found {quoted(near)}"


def _unknown_labels(
    source: str, runs: Sequence[TrackedRun], given: Mapping[str, Mapping[str, object]]
) -> Iterator[str]:
    labels = [run.label for run in runs]
    for name, values in given.items():
        unknown = [label for label in values if label not in labels]
        if unknown:
            near = difflib.get_close_matches(unknown[0], labels, n=3, cutoff=0.5) or labels
            yield f"{source}: {name}= names {quoted(unknown, SHOWN)}, which no run is called; found {quoted(near)}"


# Other columns


def _covariates(runs: Sequence[TrackedRun], columns: Mapping[str, str]) -> dict[str, list[object]]:
    """Return the columns that were asked for as they are, and others that checks know where they are numbers."""
    keys = all_keys(runs)
    found: dict[str, list[object]] = {
        name: [run.value(key) for run in runs] for name, key in columns.items() if name not in ASIDE
    }
    for name in COVARIATES:
        key = next((key for key in keys if stands_for(key, name)), None)
        values = [as_number(run.value(key)) for run in runs] if key else []
        if name not in columns and any(value is not None for value in values):
            found[name] = [math.nan if value is None else value for value in values]
    return found


def _steps(runs: Sequence[TrackedRun], key: str | None) -> list[object]:
    if key is not None:
        return [run.value(key) for run in runs]
    return [math.nan if done is None else done for done in map(steps, runs)]


def _notes_on_compute(runs: Sequence[TrackedRun], columns: Mapping[str, str]) -> Iterator[str]:
    """Say that the tracker's compute is not taken: what it counts differs (that of transformers has no embeddings)."""
    found = ranked(all_keys(runs), COMPUTE)
    if found and "C" not in columns:
        yield f"compute under {found[0]!r} is not taken; columns={{'C': {found[0]!r}}} (--map C={found[0]}) takes it"


# Schedules


def _notes_on_schedules(runs: Sequence[TrackedRun], signs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    unfinished = [run.label for run in runs if signs[run.label]]
    if unfinished:
        yield (
            f"{len(unfinished)} of {len(runs)} runs look UNFINISHED and are kept with finished = 0; laws are stated "
            "for finished runs, so take them out with select_runs(runs, 'finished == 1') (--where 'finished == 1')"
        )
    for label in unfinished:
        yield f"UNFINISHED: {label!r}: {'; '.join(signs[label])}"
    silent = [run.label for run in runs if not is_known(run)]
    if silent:
        yield f"nothing shows how {quoted(silent, SHOWN)} ended, so finished = 1 is assumed; check that it is right"
