"""How spreadsheets and people lay out a table in text: comments above it, lines between, decimal commas."""

import re
from collections.abc import Iterator, Mapping, Sequence

COMMENT = re.compile(r"\s*(?:#|//)")
RULE = re.compile(r"\s*:?-+:?\s*")
GROUPED_BY_POINTS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3}){2,}")
WITH_COMMA = re.compile(
    r"(?P<whole>[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)),(?P<part>\d+)(?P<rest>\s*[kKmMbBgGtT]?|[eE][+-]?\d{1,3})"
)
MAY_BE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
AGAINST = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*[kKmMbBgGtT]?|[+-]?\d{1,3}(?:,\d{3})+(?:,\d{3}|\.\d*)")

type Lines = Iterator[tuple[str, list[str]]]


def without_comments(records: Lines, notes: list[str]) -> Lines:
    """Leave out the comments above a table, of one field each, and the rules between the lines of one in Markdown."""
    above = True
    for place, cells in records:
        comment = above and COMMENT.match(cells[0]) is not None and not any(cell.strip() for cell in cells[1:])
        if comment:
            notes.append(f"the comment on {place} is left out")
        elif not _is_rule(cells):
            above = False
            yield place, cells


def _is_rule(cells: Sequence[str]) -> bool:
    written = [cell for cell in cells if cell.strip()]
    return len(written) > 1 and all(RULE.fullmatch(cell) for cell in written) and any("--" in cell for cell in written)


def decimal_points(columns: Mapping[str, Sequence[str]]) -> tuple[dict[str, list[str]], str]:
    """Write decimal commas as points in the columns that show that they are, and say so.

    A column shows it by a comma that parts no thousands, such as ``2,13``, where no cell of the table is against it.
    """
    cells = {cell.strip() for column in columns.values() for cell in column}
    against = any(AGAINST.fullmatch(cell) and not GROUPED_BY_POINTS.fullmatch(cell) for cell in cells)
    shown = {} if against else {name: found for name, column in columns.items() if (found := _decimal_comma(column))}
    if not shown:
        return {name: list(column) for name, column in columns.items()}, ""
    said = f"commas are decimal points in this table, as in {next(iter(shown.values()))!r}"
    return {
        name: [_with_point(cell) if name in shown else _without_points(cell) for cell in column]
        for name, column in columns.items()
    }, said


def _decimal_comma(column: Sequence[str]) -> str:
    """Return a cell that shows that commas are decimal points; empty where none does."""
    cells = [cell.strip() for cell in column]
    return next((cell for cell in cells if WITH_COMMA.fullmatch(cell) and not MAY_BE_THOUSANDS.fullmatch(cell)), "")


def _without_points(cell: str) -> str:
    text = cell.strip()
    return text.replace(".", "") if GROUPED_BY_POINTS.fullmatch(text) else cell


def _with_point(cell: str) -> str:
    found = WITH_COMMA.fullmatch(cell.strip())
    return f"{found['whole'].replace('.', '')}.{found['part']}{found['rest']}" if found else _without_points(cell)
