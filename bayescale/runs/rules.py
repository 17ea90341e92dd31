"""What each value of a column must satisfy, and what to do where it does not."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayescale.runs.draft import Draft
from bayescale.runs.headers import NUMERIC, RESPONSES, how_to_map
from bayescale.runs.lexicon import TIME
from bayescale.runs.responses import CEILINGS
from bayescale.runs.scales import SMALLEST_COMPUTE, SMALLEST_COUNT, USUAL, remedy_by_magnitude, remedy_of_compute
from bayescale.words import typed

Mask = Callable[[pd.Series], "pd.Series[bool]"]

# Five hundred to a thousand times the largest runs known (2e12 parameters, 4e13 tokens): a slip of units, not a run.
LARGEST = {"N": 1e15, "D": 1e17, "unique_tokens": 1e17, "active_N": 1e15}
NOUNS = {"N": "parameters", "D": "tokens", "unique_tokens": "tokens", "active_N": "parameters"}
FACTOR_WORDS = {1e3: "thousand", 1e6: "million", 1e9: "billion", 1e12: "trillion"}
MOST_SAMPLES_PER_PARAMETER = 1e5  # with more, small values of N are in millions, not those of small models
LARGEST_PERPLEXITY = 1000.0  # of a model that has learnt something
MISSING_REMEDY = "give the value, or take the run out"


@dataclass(frozen=True)
class Rule:
    """One condition on the values of a column; rules of a column exclude each other, so a value breaks one."""

    fails: Mask
    remedy: Callable[[str], str]  # the first failing value, as a count -> what to do


def column_faults(draft: Draft, unreadable: Mapping[str, Mapping[int, str]]) -> tuple[dict[str, list[str]], Draft]:
    """Return the faults of single values by column, and the draft with the rows they stand in marked."""
    faults: dict[str, list[str]] = {}
    doubtful: dict[str, frozenset[int]] = {}
    for column in (column for column in draft.frame if column in _checked(draft)):
        texts = unreadable.get(column, {})
        values = draft.frame[column].drop(index=list(texts))
        missing = _rows(values.isna()) if column in _required(draft) else []
        broken = [(rule, rows) for rule in rules_of(draft, column) if (rows := _rows(rule.fails(values)))]
        doubtful[column] = frozenset(texts).union(missing, *(rows for _, rows in broken))
        found = [*_unreadable_faults(draft, column, texts), *_rule_faults(draft, column, missing, broken)]
        if found:
            faults[column] = found
    return faults, replace(draft, doubtful=doubtful)


def _rows(chosen: "pd.Series[bool]") -> list[int]:
    """Return the rows for which something holds."""
    return [int(row) for row in chosen.index[chosen]]


def _checked(draft: Draft) -> tuple[str, ...]:
    return tuple(column for column in NUMERIC if column == draft.response or column not in RESPONSES)


def _required(draft: Draft) -> tuple[str | None, ...]:
    return (*draft.needs, "C", draft.response)


def rules_of(draft: Draft, column: str) -> list[Rule]:
    """List the rules for a column, by what it holds."""
    drop = " (--drop-unfinished takes it out)" if column == draft.response else ""
    finite = Rule(np.isinf, lambda _: f"the value must be finite and below 1e308{drop}")
    if column in NOUNS:
        return [finite, *_count_rules(draft, column)]
    if column == draft.response:
        return [finite, *_response_rules(draft, column)]
    zero_allowed = column not in ("C", "vocabulary")
    remedy = MISSING_REMEDY + (_without_compute(draft) if column == "C" else "")
    negative = Rule(lambda x: (x < 0) & ~np.isinf(x), lambda _: f"the value must not be negative; {remedy}")
    zero = Rule(lambda x: x == 0, lambda _: f"the value must be above zero; {remedy}")
    if zero_allowed:
        return [finite, negative]
    small = column == "C" and not draft.has("N", "D") and not draft.samples
    return [finite, negative, zero, *([Rule(_below_any_training, lambda _: _compute_remedy(draft))] if small else [])]


def _without_compute(draft: Draft) -> str:
    return f", or take out the column with {draft.left_out('C')} and let C be 6 N D" if draft.has("N", "D") else ""


def _below_any_training(values: "pd.Series[float]") -> "pd.Series[bool]":
    return (values > 0) & (values < SMALLEST_COMPUTE)


def _compute_remedy(draft: Draft) -> str:
    return f"no training takes so few FLOP; say the unit of the column: {remedy_of_compute(draft)}"


def _count_rules(draft: Draft, column: str) -> list[Rule]:
    """List the rules for a count; values below 10,000 are in another unit, unless D counts no tokens."""
    noun, largest = draft.samples if column == "D" and draft.samples else NOUNS[column], LARGEST[column]
    least = _least_count(draft, column)
    values = draft.frame[column]
    whole = len(values) > 1 and bool((values.dropna() < least).all()) and column in USUAL
    small = [
        Rule(
            lambda x: (x > 0) & (x < min(least, 1)),
            lambda value: (
                f"{noun} are counts, and this is a fraction; {_written_out(draft, column, value)}, "
                "or multiply a share by its total"
            ),
        ),
        Rule(
            lambda x: (x >= 1) & (x < least),
            lambda value: f"{noun} are counts, so {_written_out(draft, column, value)}",
        ),
    ]
    if whole:
        said = f"{noun} are counts in ones; one factor for the column, {remedy_by_magnitude(draft, column)}"
        small = [Rule(lambda x: (x > 0) & (x < least), lambda _: said)]
    return [
        Rule(lambda x: (x < 0) & ~np.isinf(x), lambda _: f"{noun} are counts, so give the positive count"),
        Rule(lambda x: x == 0, lambda _: f"{noun} are counts above zero; {MISSING_REMEDY}"),
        *small,
        Rule(
            lambda x: (x > largest) & ~np.isinf(x),
            lambda _: f"more than {typed(largest, 4)} {noun} is far beyond any run known; check the unit",
        ),
    ]


def _least_count(draft: Draft, column: str) -> float:
    """Return the smallest count that is taken as it is: any where D counts samples and N is of their order."""
    if not draft.samples:
        return SMALLEST_COUNT
    if column != "D":
        return SMALLEST_COUNT if _samples_per_parameter(draft) > MOST_SAMPLES_PER_PARAMETER else 1.0
    return 0.0 if draft.samples in (*TIME, "gb", "mb", "tb") else 1.0  # half an hour is some data


def _samples_per_parameter(draft: Draft) -> float:
    if not draft.has("N", "D"):
        return 0.0
    ratio = draft.frame["D"] / draft.frame["N"].where(draft.frame["N"] > 0)
    ratio = ratio[np.isfinite(ratio)]
    return float(ratio.median()) if len(ratio) else 0.0


def _written_out(draft: Draft, column: str, value: str) -> str:
    """Say how to write one small value among counts: by the factor that brings it nearest to the others."""
    others = draft.frame[column][draft.frame[column] >= SMALLEST_COUNT]
    middle = float(np.log(others).median()) if len(others) else np.log(1e9)
    able = {factor: word for factor, word in FACTOR_WORDS.items() if float(value) * factor >= SMALLEST_COUNT}
    best = min(able, key=lambda factor: abs(np.log(float(value) * factor) - middle), default=1e9)
    return f"write {value} {FACTOR_WORDS[best]} as {typed(float(value) * best, 4)}"


def _response_rules(draft: Draft, column: str) -> list[Rule]:
    values = draft.frame[column]
    negative = (
        _sign_remedy(draft, column)
        if bool((values.dropna() < 0).all())
        else f"a {column} is above zero; {MISSING_REMEDY}"
    )
    ceiling = CEILINGS.get(draft.unit, np.inf)
    return [
        Rule(lambda x: (x < 0) & ~np.isinf(x), lambda _: negative),
        Rule(lambda x: x == 0, lambda _: f"a {column} is above zero; {MISSING_REMEDY}"),
        Rule(lambda x: (x > ceiling) & ~np.isinf(x), lambda _: _ceiling_remedy(draft, column, ceiling)),
    ]


def _sign_remedy(draft: Draft, column: str) -> str:
    """Say what a response below zero may be: a log likelihood, or, where it falls further, a loss less another."""
    upside_down = draft.frame.assign(**{column: -draft.frame[column]})
    if rises_with_compute(upside_down, column):
        remedy = how_to_map("gain", f"{draft.headers.get(column, column)} * -1")
        return f"every value is negative and falls with compute, as a loss less that of a unigram model does; {remedy}"
    return f"every value is negative, as a log likelihood is; change its sign with {draft.mapped(column, -1)}"


def _ceiling_remedy(draft: Draft, column: str, ceiling: float) -> str:
    limit = f"more than {ceiling:g} {draft.unit}"
    values = draft.frame[column]
    if column == "error" and values.max() <= 100:
        return f"{limit} looks like percent: {draft.mapped(column, 0.01)}"
    if values.max() <= 100 and rises_with_compute(draft.frame, column):
        return f"{limit} that rises with compute looks like an accuracy in percent; give the loss"
    if draft.unit == "nats per token" and values.median() > LARGEST_PERPLEXITY:
        return (
            f"{limit} may be a sum over a sequence or a batch; divide by its tokens, as in "
            f"{how_to_map(column, draft.headers.get(column, column) + ' / 1024')} for 1024 of them"
        )
    if draft.unit == "nats per token":
        return (
            f"{limit} looks like a perplexity; take its natural log, as unit= (--unit perplexity) does "
            "(or take out a run that diverged)"
        )
    return f"{limit} looks like another unit; state it with unit= (--unit), or convert it"


def rises_with_compute(frame: pd.DataFrame, column: str, least: float = 0.5) -> bool:
    """Tell whether a response clearly rises with N times D, as no loss does."""
    if not {"N", "D", column} <= set(frame.columns):
        return False
    sound = frame[(frame["N"] > 0) & (frame["D"] > 0) & np.isfinite(frame[["N", "D", column]]).all(axis=1)]
    size = np.log(sound["N"]) + np.log(sound["D"])
    if len(sound) < 3 or size.nunique() < 2 or sound[column].nunique() < 2:
        return False
    return bool(np.corrcoef(size, sound[column])[0, 1] > least)


def _rule_faults(draft: Draft, column: str, missing: list[int], broken: list[tuple[Rule, list[int]]]) -> Iterator[str]:
    if missing:
        remedy = MISSING_REMEDY
        if column == "C":
            remedy += _without_compute(draft)
        if column == draft.response:
            remedy += " (--drop-unfinished)"
            remedy = "give the values, or another column" if len(missing) == len(draft.frame) else remedy
        yield draft.gaps(column, missing, remedy)
    for rule, rows in broken:
        first = draft.frame[column].iloc[rows[0]]
        yield draft.fault(column, rows, rule.remedy(typed(float(first), 4)))


def _unreadable_faults(draft: Draft, column: str, texts: Mapping[int, str]) -> Iterator[str]:
    for remedy in dict.fromkeys(texts.values()):
        rows = [row for row, said in texts.items() if said == remedy]
        drop = (
            "; --drop-unfinished takes such rows out"
            if column == draft.response and len(rows) < len(draft.frame)
            else ""
        )
        yield draft.fault(column, rows, f"{remedy}{drop}")
