"""Value and FrozenMapping: what every record has in common, and the mapping that its fields hold."""

import dataclasses
import html
import math
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any, ClassVar

from bayescale.words import typed

if TYPE_CHECKING:
    import numpy as np

LINES = 5
"""A record prints as at most this many lines."""

WIDTH = 100
"""A line of a printed record is at most this many characters long."""


COLUMNS = 10
"""A notebook shows at most this many columns of a table."""

LONG = 300
"""A notebook shows a note or doubt of more characters by its beginning, and all of it on demand."""

FEW = 4
"""Arrays of at most this many entries print as what they hold."""


class FrozenMapping[K, V](Mapping[K, V]):
    """A mapping that cannot be changed, and that pickles and copies (``types.MappingProxyType`` does neither).

    Parameters
    ----------
    entries : mapping or iterable of pairs
        What it holds, in their order; later changes to ``entries`` do not show.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        self._entries = dict(entries)

    def __getitem__(self, name: K) -> V:
        return self._entries[name]

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __or__(self, other: Mapping[K, V]) -> dict[K, V]:
        return self._entries | dict(other)

    def __ror__(self, other: Mapping[K, V]) -> dict[K, V]:
        return dict(other) | self._entries

    def __repr__(self) -> str:
        return repr(self._entries)


class Value:
    """Base of records that hold arrays and tables: compared by content, pickled as its fields, shown in a few lines.

    Two records are equal if they are of one class and all their fields are the same (:func:`same`). As arrays can be
    written to, a record has no hash. What a record computed and kept is left out of a pickle and of a copy. A record
    that has more to say than its fields overrides ``_lines``, and ``_shown`` if it has a table.
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _same_fields(self, other)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _field_names(self)}

    def __repr__(self) -> str:
        return "\n".join(shortened(self._marked()))

    def _repr_html_(self) -> str:
        return as_html(self._marked(), self._shown(), getattr(self, "notes", ()), getattr(self, "doubts", ()))

    def _marked(self) -> list[str]:
        """Return the lines, above them what is held against them: a doubtful number must not read as a sound one."""
        return [*mark_of(getattr(self, "doubts", ())), *self._lines()]

    def _lines(self) -> Sequence[str]:
        """Return what the record says of itself, the most important first."""
        entries = ", ".join(f"{name}={brief(getattr(self, name))}" for name in _field_names(self))
        return textwrap.wrap(f"{type(self).__name__}({entries})", WIDTH, subsequent_indent="  ")

    def _shown(self) -> Any:  # noqa: ANN401  (a pandas DataFrame; laws load without pandas)
        """Return the table that a notebook shows below the lines, or None."""
        return None


def mark_of(doubts: Sequence[str]) -> list[str]:
    """Return the line that stands above doubtful numbers: the first doubt, and how many more there are."""
    if not doubts:
        return []
    more = f" (and {len(doubts) - 1} more, see doubts)" if len(doubts) > 1 else ""
    return [f"Doubtful: {textwrap.shorten(doubts[0], 2 * WIDTH, placeholder=' ...')}{more}"]


def same(first: object, second: object) -> bool:
    """Return whether two fields of records hold the same: names, order, types of arrays and values, NaN like NaN."""
    if first is second:
        return True
    for kind, compare in _RULES:
        if kind(first) or kind(second):
            return bool(kind(first) and kind(second) and compare(first, second))
    return type(first) is type(second) and bool(first == second)


def _same_fields(first: Any, second: Any) -> bool:  # noqa: ANN401  (any dataclass)
    names = _field_names(first)
    return type(first) is type(second) and all(same(getattr(first, name), getattr(second, name)) for name in names)


def _field_names(record: Any) -> list[str]:  # noqa: ANN401  (any dataclass)
    return [field.name for field in dataclasses.fields(record)]


def _is_array(value: object) -> bool:
    """Say whether a value is a NumPy array, without loading NumPy: there is none before it is loaded."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _same_arrays(first: "np.ndarray", second: "np.ndarray") -> bool:
    import numpy as np  # noqa: PLC0415  (the command line reads records that hold none)

    if first.dtype != second.dtype:
        return False
    return np.array_equal(first, second, equal_nan=np.issubdtype(first.dtype, np.inexact))


def _same_mappings(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> bool:
    return first.keys() == second.keys() and all(same(value, second[name]) for name, value in first.items())


def _same_sequences(first: Sequence[Any], second: Sequence[Any]) -> bool:
    return len(first) == len(second) and all(map(same, first, second))


def _same_numbers(first: Any, second: Any) -> bool:  # noqa: ANN401  (a number of any library)
    return bool(first == second or (math.isnan(first) and math.isnan(second)))


_RULES: Any = (
    (dataclasses.is_dataclass, _same_fields),
    (lambda value: hasattr(value, "identical"), lambda first, second: first.identical(second)),  # xarray
    (lambda value: hasattr(value, "equals"), lambda first, second: first.equals(second)),  # pandas
    (_is_array, _same_arrays),
    (lambda value: isinstance(value, Mapping), _same_mappings),
    (lambda value: isinstance(value, list | tuple), _same_sequences),
    (lambda value: isinstance(value, Number), _same_numbers),
)
"""How values of one kind are compared, and how the kind is known; the first that fits either value decides."""


def brief(value: object) -> str:
    """Return a field in a few words: arrays and tables by their size, mappings by their names."""
    if _is_array(value) or hasattr(value, "equals"):
        return _brief_array(value)
    if isinstance(value, Value):
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return f"{{{', '.join(map(str, value))}}}"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    if isinstance(value, list | tuple):
        return f"({', '.join(map(brief, value[:3]))}{f', and {len(value) - 3} more' if len(value) > 3 else ''})"
    return typed(value, 4) if isinstance(value, float) else textwrap.shorten(repr(value), 60, placeholder="...")


def _brief_array(value: Any) -> str:  # noqa: ANN401  (an array or table of any library)
    if _is_array(value) and value.size <= FEW:
        return textwrap.shorten(str(value.tolist()), 60, placeholder="...")
    return f"<{' x '.join(map(str, getattr(value, 'shape', ()))) or 'data'}>"


def shortened(lines: Iterable[str]) -> list[str]:
    """Return lines wrapped to the width of a record, and cut where they would be more than a record prints."""
    wrapped = [part for line in lines for part in _wrapped(line)]
    if len(wrapped) <= LINES:
        return wrapped
    return [*wrapped[: LINES - 1], textwrap.shorten(f"{wrapped[LINES - 1]} {'.' * WIDTH}", WIDTH, placeholder=" ...")]


def _wrapped(line: str) -> list[str]:
    return [line] if len(line) <= WIDTH else textwrap.wrap(line, WIDTH, subsequent_indent="  ")


def as_html(lines: Sequence[str], table: Any, notes: Sequence[str], doubts: Sequence[str]) -> str:  # noqa: ANN401
    """Return a card for a notebook: a headline, further lines, a table, and what a reader must know folded below.

    Parameters
    ----------
    lines : sequence of str
        In plain text; the first is the headline.
    table : pandas.DataFrame or None
        Shown with three significant digits, and with a bar to move it where it is wider than the page.
    notes, doubts : sequence of str
        In plain text.
    """
    head, *rest = map(html.escape, lines)
    parts = [f"<p><strong>{head}</strong></p>", *(f"<p>{line}</p>" for line in rest)]
    if table is not None:
        shown = table.to_html(border=0, float_format=typed, na_rep="", max_cols=COLUMNS)
        parts.append(f'<div style="overflow-x: auto">{shown}</div>')
    if doubts:
        parts.append(f"<p>Doubts:</p>{_listed(doubts)}")
    if notes:
        parts.append(f"<details><summary>{len(notes)} note{'s'[: len(notes) > 1]}</summary>{_listed(notes)}</details>")
    return f'<div class="bayescale">{"".join(parts)}</div>'


def folded(table: Any) -> Any:  # noqa: ANN401  (pandas DataFrames, as above)
    """Return a table in which a quantity and the ends of its interval are one cell: ``7.4e10 (6.2e10 to 8.8e10)``.

    The ends of a column ``N`` are the columns ``N_lower`` and ``N_upper``.
    """
    for name in table.columns:
        ends = [f"{name}_lower", f"{name}_upper"]
        if set(ends) <= set(table.columns):
            cells = [_cell(*row) for row in table[[name, *ends]].itertuples(index=False)]
            table = table.assign(**{name: cells}).drop(columns=ends)
    return table


def _cell(value: float, lower: float, upper: float) -> str:
    return "" if math.isnan(value) else f"{typed(value)} ({typed(lower)} to {typed(upper)})"


def _listed(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{_item(each)}</li>' for each in sentences)}</ul>"


def _item(sentence: str) -> str:
    """Return a sentence, a long one folded behind its beginning."""
    if len(sentence) <= LONG:
        return html.escape(sentence)
    head = html.escape(textwrap.shorten(sentence, LONG, placeholder=" ..."))
    return f"<details><summary>{head}</summary>{html.escape(sentence)}</details>"
