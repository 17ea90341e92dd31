"""Which column is the response, in which unit, and how large it can be."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.runs.draft import Draft
from bayescale.runs.formulas import Vector
from bayescale.runs.grammar import better, is_error, logarithm_of, metric_of
from bayescale.runs.header_words import read_header
from bayescale.runs.headers import (
    MEANINGS,
    RESPONSES,
    USUAL_RESPONSES,
    how_to_map,
    missing_column,
    normalised,
    quoted,
)
from bayescale.runs.lexicon import (
    BETTER,
    BYTE_PERPLEXITY,
    CHARACTER_PERPLEXITY,
    LOG10_PERPLEXITY,
    NATS,
    PERPLEXITY,
    WORD_PERPLEXITY,
)
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


PERPLEXITIES: dict[str, tuple[Callable[[Vector], Vector], str, str]] = {
    PERPLEXITY: (np.log, NATS, "the natural logarithm of the perplexity"),
    LOG10_PERPLEXITY: (lambda x: x * np.log(10), NATS, "ln(10) times the decimal logarithm of the perplexity"),
    WORD_PERPLEXITY: (np.log, "nats per word", "the natural logarithm of the perplexity of a word"),
    BYTE_PERPLEXITY: (np.log2, "bits per byte", "the binary logarithm of the perplexity of a byte"),
    CHARACTER_PERPLEXITY: (np.log2, "bits per character", "the binary logarithm of the perplexity of a character"),
}
"""How each kind of perplexity becomes a loss, in which unit, and what is said of it."""
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
        named = next((header for header in headers if is_error(header) or better(header)), "NAME")
        remedy = f"; name it with {how_to_map(asked, named if asked == 'error' else 'NAME')}"
        return Choice(None, (f"{source}: there is no column for response={asked!r}; {found}{remedy}",))
    if not there:
        return Choice(None, (missing_column(source, "loss", headers, chosen),))
    if asked is not None:
        return Choice(asked)
    likely = _held_out([name for name in there if name in USUAL_RESPONSES] or there, chosen)
    if len(likely) > 1:
        first, second = likely[:2]
        fault = (
            f"{source}: both {first} and {second} are there, and they are never mixed; "
            f"choose with response={first!r} (--response {first}) or {second!r} (--response {second})"
        )
        return Choice(None, (fault,))
    return Choice(likely[0], tuple(_doubtful_error(source, headers, chosen, likely[0])))


def _held_out(likely: list[str], chosen: Mapping[str, str]) -> list[str]:
    """Leave out a response of training where another is of held-out text."""
    data = {name: metric.data if (metric := metric_of(chosen[name])) else "" for name in likely}
    if "held out" in data.values():
        return [name for name in likely if data[name] != "training"]
    return likely


def _doubtful_error(source: str, headers: Sequence[str], chosen: Mapping[str, str], response: str) -> Iterator[str]:
    """Ask what ``error`` is beside a quantity of which more is better: the part that is wrong, or a standard error."""
    upwards = [header for header in headers if better(header) and header != chosen[response]]
    if response == "error" and chosen[response].casefold() == "error" and upwards:
        yield (
            f"{source}: column 'error' may be the part that is wrong, or the standard error of {upwards[0]!r}; "
            f"rename it to error_rate, or take 1 - {upwards[0]!r} with {how_to_map('error', upwards[0])}"
        )


@dataclass(frozen=True)
class UnitChoice:
    """The unit of the response, how its column becomes the response, and what there is to say about it."""

    unit: str
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    convert: Callable[[Vector], Vector] | None = None


def choose_unit(draft: Draft, asked: str | None) -> UnitChoice:
    """Take the unit asked for, else that of a column such as loss_unit, else that of the header's own words."""
    if draft.response is None:
        return UnitChoice(asked or "")
    usual = UNITS[draft.response]
    header = draft.headers.get(draft.response, draft.response)
    word = better(header)
    if draft.response == "error":
        return _upside_down(draft, header, word) if word else _part_wrong(draft, asked or usual, header)
    if logarithm_of(header):
        return UnitChoice(usual, (_logarithm_fault(draft),))
    choice = _stated_unit(draft, asked, header, usual)
    if choice.unit in PERPLEXITIES:
        convert, unit, words = PERPLEXITIES[choice.unit]
        note = f"the loss is {words} {header!r}"
        return UnitChoice(unit, choice.faults, (*choice.notes, note), convert)
    return choice


def _stated_unit(draft: Draft, asked: str | None, header: str, usual: str) -> UnitChoice:
    columns = [column for column in draft.frame if normalised(str(column)) in UNIT_HEADERS]
    if not columns:
        return _unit_of_header(draft, asked, header, usual)
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
        return UnitChoice(
            _asked_unit(asked), notes=(f"unit {asked!r} as asked; column {columns[0]} says {found[0]!r}",)
        )
    if stated == usual:
        return UnitChoice(usual)
    return UnitChoice(stated, notes=(f"the {draft.response} is in {stated!r}, as column {columns[0]} says",))


def _no_known_unit(draft: Draft, header: str, usual: str) -> UnitChoice:
    """Read a header that is no known response in the usual unit, and say so; ask of bits or nats of something else."""
    if read_header(header).has("bit", "bits", "nat", "nats"):
        fault = f"{draft.source}: it is not known what {header!r} is per; say it with unit= (--unit)"
        return UnitChoice(usual, (fault,))
    note = f"{header!r} names no unit and is read as {usual}; unit= (--unit) says another, such as 'bits per byte'"
    return UnitChoice(usual, notes=(note,))


def _unit_of_header(draft: Draft, asked: str | None, header: str, usual: str) -> UnitChoice:
    """Read the unit in the words of a header; where they name none, say which is taken, and where half of one, ask."""
    metric = metric_of(header)
    if asked is not None:
        return UnitChoice(_asked_unit(asked))
    if draft.response not in USUAL_RESPONSES:
        return UnitChoice(usual)
    if metric is None and header != draft.response:
        return _no_known_unit(draft, header, usual)
    if metric is not None and (not metric.unit or metric.unit.startswith("per ")):
        return UnitChoice(usual, (_half_a_unit(draft, metric.unit),))
    if metric is None or metric.unit == usual or metric.unit in PERPLEXITIES:
        return UnitChoice(metric.unit if metric else usual)
    return UnitChoice(metric.unit, notes=(f"the {draft.response} is in {metric.unit}, as the header {header!r} says",))


def _half_a_unit(draft: Draft, unit: str) -> str:
    """Ask for the other half of a unit: bits of what, or nats or bits of it."""
    call = f"{draft.source}: {draft.call(str(draft.response))}"
    if unit:
        return (
            f"{call} is {unit}, in nats or in bits; say which with unit= (--unit 'nats {unit}' or --unit 'bits {unit}')"
        )
    return (
        f"{call} is in bits, and of what is not said; say it with unit= (--unit 'bits per token', "
        "--unit 'bits per byte' or --unit 'bits per character')"
    )


def _asked_unit(asked: str) -> str:
    return PERPLEXITY if asked.casefold() in ("ppl", "perplexity") else asked


def _logarithm_fault(draft: Draft) -> str:
    return (
        f"{draft.source}: {draft.call(str(draft.response))} is called the logarithm of a loss; write the loss itself, "
        "or rename it to nll if it is minus a log likelihood"
    )


def _part_wrong(draft: Draft, unit: str, header: str) -> UnitChoice:
    """Return the part that is wrong; in percent where the header says so."""
    if not _in_percent(draft, header):
        return UnitChoice(unit)
    note = f"error is {header!r} / 100, as the header says"
    return UnitChoice(unit, tuple(_doubtful_percent(draft, header)), notes=(note,), convert=lambda x: x / 100)


def _in_percent(draft: Draft, header: str) -> bool:
    """Tell a header that says percent, unless the user scaled the column."""
    return "percent" in read_header(header).words and draft.factors.get("error", 1.0) == 1


def _doubtful_percent(draft: Draft, header: str) -> Iterator[str]:
    if draft.frame["error"].max() <= 1:
        yield (
            f"{draft.source}: the header {header!r} says percent, and its values are at most 1; where they are "
            f"percent, {draft.mapped('error', 0.01)}, else rename it"
        )


def _upside_down(draft: Draft, header: str, word: str) -> UnitChoice:
    """Return the part that is wrong, where a column holds the part that is right; refuse what has no best value."""
    if BETTER[word] is None:
        fault = (
            f"{draft.source}: more of {header!r} is better, and no law here rises without end; give a column that "
            "falls to a floor (of PSNR the mean squared error, 10 ** (-PSNR / 10); of Elo the part of games lost)"
        )
        return UnitChoice(UNITS["error"], (fault,))
    values = draft.frame["error"]
    percent = bool(values.max() > 1) or _in_percent(draft, header)
    doubts = tuple(_doubtful_percent(draft, header)) if _in_percent(draft, header) else ()
    said = f"error is 1 - {header!r}" + (" / 100" if percent else "")
    share = 100.0 if percent else 1.0
    return UnitChoice(
        UNITS["error"], doubts, notes=(f"{said}: of {word}, more is better",), convert=lambda x: 1 - x / share
    )


def recognised_unit(text: str) -> str:
    """Return the standard name of a unit, or the text itself."""
    words = text.casefold()
    if words in ("ppl", "perplexity"):
        return PERPLEXITY
    if "nat" in words or "ln" in words.split() or "log-perplexity" in words:
        return _bits(words).replace("bits", "nats")
    if "bit" in words or words in ("bpc", "bpb"):
        return _bits(words)
    return text


def _bits(words: str) -> str:
    if "char" in words or words == "bpc":
        return "bits per character"
    if "byte" in words or words == "bpb":
        return "bits per byte"
    if "word" in words:
        return "bits per word"
    return "bits per token"
