"""Which column is the response, in which unit, and how large it can be."""

from collections.abc import Mapping
from dataclasses import dataclass

from bayescale.runs.draft import Draft
from bayescale.runs.headers import MEANINGS, RESPONSES, USUAL_RESPONSES, missing_column, normalised, quoted
from bayescale.runs.numerals import cell_text
from bayescale.words import clean, shortened

UNITS = {response: MEANINGS[response] for response in RESPONSES}
UNIT_HEADERS = ("loss_unit", "unit", "units")
# A uniform guess over 3 million tokens loses 15 nats and over 256 bytes 8 bits; nothing that has learnt is worse.
CEILINGS = {
    "nats per token": 15.0,
    "bits per token": 22.0,
    "bits per character": 8.0,
    "bits per byte": 8.0,
    "fraction wrong": 1.0,
}


LONGEST_UNIT = 60
"""Characters of the longest unit that is taken."""


@dataclass(frozen=True)
class Choice:
    """The response column, or none, and what was wrong with the choice."""

    response: str | None
    faults: tuple[str, ...] = ()


def choose_response(source: str, headers: tuple[str, ...], chosen: Mapping[str, str], asked: str | None) -> Choice:
    """Choose the response: the one asked for, else the only one of loss and bpc, else the only other one there."""
    there = [name for name in RESPONSES if name in chosen]
    if asked is not None and asked not in RESPONSES:
        known = f"{', '.join(RESPONSES[:-1])} or {RESPONSES[-1]}"
        remedy = f"choose {known}, and name its column with columns={{'loss': {asked!r}}}"
        return Choice(None, (f"{source}: response={asked!r} is not known; {remedy}",))
    if asked is not None and asked not in there:
        found = f"the table has {there[0]}" if there else f"found {quoted(headers)}"
        return Choice(None, (f"{source}: there is no column for response={asked!r}; {found}",))
    if not there:
        return Choice(None, (missing_column(source, "loss", headers, tuple(chosen.values())),))
    if asked is not None:
        return Choice(asked)
    likely = [name for name in there if name in USUAL_RESPONSES] or there
    if len(likely) > 1:
        first, second = likely[:2]
        fault = (
            f"{source}: both {first} and {second} are there, and they are never mixed; "
            f"choose with response={first!r} or {second!r}"
        )
        return Choice(None, (fault,))
    return Choice(likely[0])


@dataclass(frozen=True)
class UnitChoice:
    """The unit of the response, and what there is to say about it."""

    unit: str
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def choose_unit(draft: Draft, asked: str | None) -> UnitChoice:
    """Take the unit asked for, else the one a column such as loss_unit gives, else the response's usual one."""
    usual = UNITS.get(draft.response or "", "")
    columns = [column for column in draft.frame if normalised(str(column)) in UNIT_HEADERS]
    if not columns or draft.response is None:
        return UnitChoice(asked or usual)
    found = list(dict.fromkeys(filter(None, (cell_text(cell).strip() for cell in draft.cells[columns[0]]))))
    if len({recognised_unit(text) for text in found}) > 1:
        fault = (
            f"{draft.source}: column {columns[0]} has {len(found)} units, {quoted(found, 5)}; "
            "responses in different units are never mixed: keep the rows of one"
        )
        return UnitChoice(asked or usual, (fault,))
    stated = recognised_unit(found[0]) if found else usual
    if clean(stated) != stated or len(stated) > LONGEST_UNIT:
        fault = (
            f"{draft.source}: column {columns[0]} says {shortened(stated)!r}; a unit is a few words, such as {usual!r}"
        )
        return UnitChoice(asked or usual, (fault,))
    if asked is not None and stated != asked:
        return UnitChoice(asked, notes=(f"unit {asked!r} as asked; column {columns[0]} says {found[0]!r}",))
    if stated == usual:
        return UnitChoice(usual)
    return UnitChoice(stated, notes=(f"the {draft.response} is in {stated!r}, as column {columns[0]} says",))


def recognised_unit(text: str) -> str:
    """Return the standard name of a unit, or the text itself."""
    words = text.casefold()
    if "nat" in words or "ln" in words.split() or "log-perplexity" in words:
        return "nats per token"
    if "bit" in words or words in ("bpc", "bpb"):
        return _bits(words)
    return text


def _bits(words: str) -> str:
    if "char" in words or words == "bpc":
        return "bits per character"
    if "byte" in words or words == "bpb":
        return "bits per byte"
    return "bits per token"
