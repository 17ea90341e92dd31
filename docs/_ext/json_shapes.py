"""The page of the JSON shapes, from records that the commands print."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from law_pages import table

from bayescale.records.meanings import ELSEWHERE, IN_REPORTS, MEANINGS, NAMED

INTERVAL = {"median", "lower", "upper"}
"""Fields of an interval; ``probability`` is the record's own."""

INTRODUCTION = """# JSON

What `--json` and `--output` write, field by field. Made from what the commands print and from
`bayescale/records/meanings.py`, by `BAYESCALE_WRITE=1 python -m pytest tests/cli/test_cli_json.py`; a test compares.

- `schema` names the shape and its version. Fields are added; what is renamed or removed makes a new version.
- An *interval* is `{"median", "lower", "upper"}`, equal-tailed, at the record's `probability`.
- `runs` is always the table that was read. `*` stands for names from the data, such as those of laws, and `[]` for the
  entries of a list. What does not exist is `null`."""

KINDS = {bool: "yes or no", int: "number", float: "number", str: "text", list: "list", dict: "object"}
"""Names of the kinds of JSON values; a yes or no is an int in Python, so it comes first."""

PLURALS = {"text": "texts", "number": "numbers", "object": "objects", "list": "lists", "interval": "intervals"}

Fields = dict[str, set[str]]


def fields_of(value: Any, path: str, found: Fields, known: Mapping[str, str]) -> None:  # noqa: ANN401  (any plain data)
    """Collect the kinds of values that stand at each path of a record."""
    kinds = found.setdefault(path, set()) if path else set()
    kinds.add(kind_of(value))
    name = path.rpartition(".")[2]
    if path in known or kind_of(value) == "interval":
        return
    if isinstance(value, Mapping):
        for key, entry in value.items():
            inner = "*" if name in NAMED or path.endswith("published.*") else str(key)
            fields_of(entry, f"{path}.{inner}" if path else inner, found, known)
    elif isinstance(value, list):
        for entry in value:
            fields_of(entry, f"{path}[]", found, known)


def kind_of(value: Any) -> str:  # noqa: ANN401  (any plain data)
    """Return what kind of JSON value this is."""
    if isinstance(value, Mapping) and set(value) >= INTERVAL and set(value) <= {*INTERVAL, "probability"}:
        return "interval"
    for kind, name in KINDS.items():
        if isinstance(value, kind):
            return name
    return "null"


def rows_of(fields: Fields, known: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield path, kind and meaning of each field; entries of lists of plain values are not listed alone."""
    for path, kinds in fields.items():
        plain = kinds - {"null"} or {"null"}
        if path.endswith("[]"):
            continue
        entries = fields.get(f"{path}[]", set()) - {"null"}
        kind = " or ".join(sorted(plain))
        if "list" in plain and entries:
            kind = f"list of {PLURALS.get(' or '.join(sorted(entries)), 'entries of several kinds')}"
        absent = " or null" if "null" in kinds and plain != {"null"} else ""
        yield f"`{path}`", f"{kind}{absent}", known.get(path) or meaning(path)


def meaning(path: str) -> str:
    """Return what a field means: by its path, or by its name alone."""
    name = path.rpartition(".")[2]
    found = MEANINGS.get(path) or MEANINGS.get(name)
    if found is None and name == "*":
        return meaning(path.rpartition(".")[0])
    return found or ""


def shapes_page(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the page: for each command the fields of the records it prints."""
    header = ("field", "kind", "meaning")
    parts = [
        f"## {command}\n\nSchema `{examples[0]['schema']}`.\n\n{table(header, list(described(examples)))}"
        for command, examples in records.items()
    ]
    return "\n\n".join([INTRODUCTION, *parts]) + "\n"


def described(examples: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of several records of one schema."""
    known = {**ELSEWHERE, **(IN_REPORTS if "/report/" in examples[0]["schema"] else {})}
    fields: Fields = {}
    for record in examples:
        fields_of(record, "", fields, known)
    yield from rows_of(fields, known)


def unexplained(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the fields whose meaning nothing says, with their command."""
    return [
        f"{command}: {path}"
        for command, examples in records.items()
        for path, _, what in described(examples)
        if not what
    ]
