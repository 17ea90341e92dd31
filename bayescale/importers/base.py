"""What an importer is, and what it tells of one training run."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from bayescale.errors import InputError
from bayescale.runs.numerals import UnreadableNumberError, cell_text, parse_number
from bayescale.words import shortened

type Series = Sequence[tuple[float, float]]
"""What was logged under one key: steps and values, in the order of the steps."""


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker kept of one training run.

    Attributes
    ----------
    label : str
        Name of the run.
    place : str
        Where it stands, for messages: ``line 3``, a path, an identifier.
    facts : mapping of str to object
        Single values under the tracker's own keys: configuration, parameters, summary.
    series : mapping of str to sequence of (float, float)
        What was logged while training: step and value.
    unfinished : tuple of str, optional
        Why the tracker says that the run did not end as it should; empty where it says that it did, and None where
        it does not tell.
    notes : tuple of str
        Whatever else the user should know of this run.
    """

    label: str
    place: str
    facts: Mapping[str, object] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    unfinished: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """The keys that hold a value."""
        return [*(key for key, points in self.series.items() if points), *self.facts]

    def value(self, key: str) -> object:
        """Return the last value under a key; None where there is none."""
        points = self.series.get(key)
        return points[-1][1] if points else self.facts.get(key)

    @property
    def last_step(self) -> float | None:
        """The last step at which anything was logged."""
        return max((points[-1][0] for points in self.series.values() if points), default=None)


@dataclass(frozen=True)
class Importer:
    """A kind of file or store that training runs can be read from.

    Attributes
    ----------
    name : str
        What ``kind=`` calls it.
    expects : str
        What it reads, for messages.
    recognises : callable
        Tells whether a path or address is of this kind, without reading all of it.
    read : callable
        Yields the runs in these paths or addresses, one for each training; an ``InputError`` says what cannot be read.
    """

    name: str
    expects: str
    recognises: Callable[[str], bool]
    read: Callable[[Sequence[str]], Iterable[TrackedRun]]


@contextmanager
def reading(place: str, label: str | None = None) -> Iterator[None]:
    """Turn whatever a library meets in a damaged file into a refusal that names the file, and its run where known.

    Raises
    ------
    InputError
        In place of any exception but an ``InputError``.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        run = "" if label is None else f"run {label!r} "
        raise InputError(
            f"{place}: {run}cannot be read ({type(error).__name__}: {shortened(str(error))}); if it is "
            "damaged, take it out, or export it again"
        ) from error


def as_number(value: object) -> float | None:
    """Return a logged value as a number; None where it is missing or none."""
    if isinstance(value, bool):
        return None
    try:
        number = parse_number(cell_text(value))
    except UnreadableNumberError:
        return None
    return number if number == number else None  # noqa: PLR0124  NaN is a missing cell too


def flattened(content: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested settings under keys joined by dots."""
    facts: dict[str, object] = {}
    for key, value in content.items():
        inner = flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        facts.update(inner)
    return facts


def distinct_labels(labels: Sequence[str], places: Sequence[str]) -> list[str]:
    """Return the labels, with the place added where several runs have the same."""
    counts = Counter(labels)
    return [f"{label} ({place})" if counts[label] > 1 else label for label, place in zip(labels, places, strict=True)]


def matching(runs: Iterable[TrackedRun], pattern: str | None) -> list[TrackedRun]:
    """Return the runs whose label matches a pattern such as ``sweep-*``; all without one."""
    return [run for run in runs if pattern is None or fnmatchcase(run.label, pattern)]
