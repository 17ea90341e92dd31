"""Tables and text that fit the terminal: what the commands print their results with."""

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bayescale import words

type Record = Mapping[str, Any]

COUNTED = ("N", "D", "active_N", "unique_tokens", "datastore_tokens")
"""Columns that count parameters or tokens."""

UNLIMITED = 10_000
"""Columns where nothing has to fit: a file or another program."""


def number(value: float | None, digits: int = 3, *, missing: str = "none") -> str:
    """Return a number with so many significant digits, and another word for what JSON has as null."""
    return missing if value is None else words.short(value, digits)


def count(value: float, digits: int = 3) -> str:
    """Return a number of parameters or tokens: 86.8B."""
    return words.count_text(value, digits)


def flop(value: float | None, digits: int = 3, *, missing: str = "none") -> str:
    """Return compute as people type it, 5.76e23, and another word for what JSON has as null."""
    return missing if value is None else words.typed(value, digits)


def writer(column: str) -> Callable[[float, int], str]:
    """Return how values of a column are written."""
    return count if column in COUNTED else flop if column in ("C", "flops") else number


def interval(entry: Record | None, digits: int = 3, write: Callable[[float, int], str] = number) -> str:
    """Return an interval's median and ends, with more digits where they would hide its width."""
    if entry is None:
        return ""
    median, lower, upper = entry["median"], entry["lower"], entry["upper"]
    if None not in (median, lower, upper) and median and upper > lower:
        digits = max(digits, min(6, 1 + math.ceil(math.log10(abs(median) / (upper - lower)))))
    return f"{write(median, digits)} [{write(lower, digits)}, {write(upper, digits)}]"


def percent(value: float | None, digits: int = 3) -> str:
    """Return a part as a percentage, and another word for what JSON has as null."""
    return "none" if value is None else words.percent(value, digits)


def make_table(*columns: str, title: str | None = None, wide: Sequence[str] = ()) -> Table:
    """Return an empty table: numbers to the right, the first column and the wide ones to the left."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        text = place == 0 or column in wide
        table.add_column(column, justify="left" if text else "right", no_wrap=column not in wide, overflow="fold")
    return table


def show_table(console: Console, table: Table) -> None:
    """Print a table below its title: closer together where it is too wide, and else a row after the other.

    Rich would crop what does not fit, numbers too.
    """
    if table.title:
        show_hanging(console, str(table.title), "", "bold")
        table.title = None
    for padding in ((0, 1), (0, 1, 0, 0), (0, 0)):
        table.padding = padding
        if console.measure(table, options=console.options.update(max_width=UNLIMITED)).maximum <= console.width:
            console.print(table)
            return
    _show_rows(console, table)


def _show_rows(console: Console, table: Table) -> None:
    """Print each row as its first cell, and below it the others with their headers; without any, as a heading."""
    headers = [str(column.header) for column in table.columns[1:]]
    for first, *cells in zip(*(map(str, column.cells) for column in table.columns), strict=True):
        told = [f"{header} {cell}".strip() for header, cell in zip(headers, cells, strict=True) if cell]
        name = first.lstrip()
        indent = first[: len(first) - len(name)]
        show_hanging(console, name, indent, "" if told else "bold")
        if told:
            show_hanging(console, "; ".join(told), f"{indent}  ")
    console.print()


def show_list(console: Console, title: str, sentences: Iterable[str]) -> None:
    """Print a titled list of sentences, unless it is empty."""
    lines = list(sentences)
    if lines:
        console.print(Text(title, style="bold"))
    for line in lines:
        show_hanging(console, line, "- ")


def show_mark(console: Console, doubts: Sequence[str]) -> None:
    """Say above doubtful numbers that they are."""
    if doubts:
        why = brief_doubts(doubts)
        more = f"; {len(why) - 1} more below" if len(why) > 1 else ""
        show_hanging(console, f"Doubtful: {why[0]}{more}", "", "bold red")


def show_doubts(console: Console, doubts: Sequence[str]) -> None:
    """Print what is held against the numbers above, where one line did not say it all."""
    why = brief_doubts(doubts)
    if why and why != list(doubts[:1]):
        show_list(console, "Doubts", why)


MORE = re.compile(r" \(and \d+ more\)$")
"""What a doubt ends with that leaves some out."""


def brief_doubts(doubts: Iterable[str]) -> list[str]:
    """Return a sentence for each law that is doubted, with its first failure and how many more there are."""
    found: dict[str, list[str]] = {}
    for doubt in doubts:
        name, colon, failures = doubt.partition(": ")
        found.setdefault(f"{name}{colon}", []).extend(MORE.sub("", failures).split("; "))
    each = {name: list(dict.fromkeys(failures)) for name, failures in found.items()}
    return [
        f"{name}{failures[0]}" + (f" (and {len(failures) - 1} more, see --json)" if len(failures) > 1 else "")
        for name, failures in each.items()
    ]


def show_hanging(console: Console, sentence: str, first: str, style: str = "") -> None:
    """Print a sentence whose further lines hang by two; a number stays with its per cent."""
    width, whole = max(console.width, 20), sentence.replace(" %", "\u00a0%")
    rest = "  " + (first if first.isspace() else "")
    text = textwrap.fill(whole, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    console.print(Text(text.replace("\u00a0%", " %"), style=style), soft_wrap=True)


def show_heading(console: Console, record: Record) -> None:
    """Print the table's name and what was chosen by default."""
    runs = record["runs"]
    unit = f" ({runs['unit']})" if "unit" in runs else ""
    console.print(Text(f"{runs['name']}: {runs['rows']} runs, response {runs['response']}{unit}", style="bold"))
    for sentence in record["defaults"]:
        show_hanging(console, sentence, "")


def show_nothing(console: Console, record: Record) -> None:
    """Print nothing."""
    del console, record


def show_side_by_side(console: Console, columns: Mapping[str, Mapping[str, Any]], rows: Mapping[str, str]) -> None:
    """Print quantities below one another, beside their names, a block for each column."""
    for title, entry in columns.items():
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=max(map(len, rows.values())))
        table.add_column()
        for name, label in rows.items():
            if entry.get(name) is not None:
                value = entry[name]
                probable = isinstance(value, float)
                table.add_row(label, words.chance(value) if probable else interval(value, write=writer(name)))
        console.print(Text(title))
        console.print(Padding(table, (0, 0, 0, 2), expand=False))


def show_end(console: Console, record: Mapping[str, Any]) -> None:
    """Print notes and where the figure is."""
    console.print()
    for note in record["notes"]:
        show_hanging(console, note, "- ")
    if "figure" in record:
        show_hanging(console, f"figure: {record['figure']}", "")
