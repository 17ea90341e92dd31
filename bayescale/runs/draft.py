"""A table while it is being checked: numbers, and enough of the source to say where a fault stands."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from bayescale.runs.grammar import counted_noun
from bayescale.runs.headers import how_to_map
from bayescale.words import shortened, typed

SHOWN = 5


@dataclass(frozen=True, eq=False)
class Draft:
    """A table whose columns are known and whose cells are numbers, but whose values are not yet trusted."""

    source: str
    frame: pd.DataFrame  # canonical and left-over columns; recognised numeric ones are float64
    cells: pd.DataFrame  # the same rows and columns as written
    places: tuple[str, ...]
    headers: Mapping[str, str]  # canonical name -> header as written
    response: str | None = None
    unit: str = ""
    needs: tuple[str, ...] = ("N", "D")  # covariates that must be there and vary
    factors: Mapping[str, float] = field(default_factory=dict)  # what columns of counts were multiplied by
    doubtful: Mapping[str, frozenset[int]] | None = None  # rows already faulted, by column

    @property
    def samples(self) -> str:
        """What D counts by its header where that is no token: images, rows; empty for tokens."""
        return counted_noun(self.headers["D"]) if "D" in self.headers else ""

    def mapped(self, column: str, factor: float = 1.0) -> str:
        """Say how to map a column to its header, times a factor."""
        whole = self.factors.get(column, 1.0) * factor
        header = self.headers.get(column, column)
        return how_to_map(column, header if whole == 1 else f"{header} * {typed(whole, 4)}")

    def left_out(self, column: str) -> str:
        """Say how to leave a column out."""
        header = self.headers.get(column, column)
        return f"ignore=[{header!r}] (--ignore {shlex.quote(header)})"

    def has(self, *columns: str | None) -> bool:
        """Tell whether all these columns are there."""
        return all(column is not None and column in self.frame for column in columns)

    def sound(self, *columns: str) -> pd.DataFrame:
        """Return the rows without fault in these columns; none where a column is absent."""
        if not self.has(*columns):
            return self.frame.iloc[:0]
        doubtful = self.doubtful or {}
        bad = frozenset[int]().union(*(doubtful.get(column, frozenset()) for column in columns))
        return self.frame.drop(index=sorted(bad))

    def call(self, column: str) -> str:
        """Name a column, with its header where that differs."""
        header = self.headers.get(column, column)
        return f"column {shortened(column)}" if header == column else f"column {column} ({shortened(header)!r})"

    def where(self, row: int) -> str:
        """Say where a row stands: for run 'gpt-small' (line 3)."""
        label = str(self.cells["run"].iloc[row]).strip() if "run" in self.cells else ""
        return f"for run {shortened(label)!r} ({self.places[row]})" if label else f"on {self.places[row]}"

    def show(self, column: str, row: int) -> str:
        """Show a cell as it was written, shortened, in quotes where it is no number."""
        value = self.frame[column].iloc[row]
        text = str(self.cells[column].iloc[row]).strip()
        short = text if len(text) <= 40 else f"{text[:40]}..."
        return short if isinstance(value, float) and pd.notna(value) else repr(short)

    def fault(self, column: str, rows: Sequence[int], remedy: str) -> str:
        """Write one fault: the column, its value in each row, and what to do."""
        cases = (f"{self.show(column, row)} {self.where(row)}" for row in rows[:SHOWN])
        return f"{self.source}: {self.call(column)} is {listed(cases, len(rows))}; {remedy}"

    def gaps(self, column: str, rows: Sequence[int], remedy: str) -> str:
        """Write the fault of missing values."""
        if len(rows) == len(self.frame) > 1:
            return f"{self.source}: {self.call(column)} has no values; {remedy}"
        cases = listed((self.where(row) for row in rows[:SHOWN]), len(rows))
        return f"{self.source}: {self.call(column)} is missing {cases}; {remedy}"

    def at(self, rows: Sequence[int]) -> str:
        """Say where several rows stand: lines 3, 7 and 9."""
        return listed((self.places[row] for row in rows[:SHOWN]), len(rows))


def listed(items: Iterable[str], total: int) -> str:
    """Join the items shown, and say how many more there are."""
    shown = list(items)
    more = f", and {total - len(shown)} more" if total > len(shown) else ""
    return ", ".join(shown) + more
