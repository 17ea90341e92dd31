"""What is written in a header: its words, its unit, and the one factor of its column."""

import re
from dataclasses import dataclass
from functools import lru_cache

from bayescale.runs.lexicon import (
    COMPUTE,
    DAY_OF_PETAFLOP,
    FACTORS,
    FLOP_DAYS,
    FLOP_WORD,
    POWER,
    SAMPLES,
    SIZES,
    STEPS,
    SUPERSCRIPTS,
    THOUSAND_MILLIONS,
    TOKENS,
)


@dataclass(frozen=True)
class Header:
    """What a header says.

    Attributes
    ----------
    text : str
        As written.
    words : tuple of str
        In lower case, without the factor.
    factor : float
        What the cells of the column are to be multiplied by; 1 where the header says nothing.
    said : str
        The words that say so.
    """

    text: str
    words: tuple[str, ...]
    factor: float = 1.0
    said: str = ""

    @property
    def key(self) -> str:
        """The words joined by underscores."""
        return "_".join(self.words)

    def has(self, *words: str) -> bool:
        """Tell whether any of these is among the words."""
        return any(word in self.words for word in words)


def words_of(header: str) -> tuple[str, ...]:
    """Return the words of a header in lower case: ``Eval/Loss`` and ``evalLoss`` are both eval, loss."""
    plain = re.sub(r"10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda found: f"1e{found[1].translate(SUPERSCRIPTS)}", header)
    plain = re.sub(r"10\s*(?:\^|\*\*)\s*(\d+)", r"1e\1", plain).replace("\u00d7", " x ")
    plain = plain.replace("±", " se ").replace("%", " percent ").replace("#", " num ")
    plain = THOUSAND_MILLIONS.sub("milliards", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", plain).casefold())
    return tuple(word for word in re.split(r"[^\w]+|_", plain) if word)


@lru_cache(maxsize=4096)
def read_header(header: str) -> Header:
    """Read the factor of a header, and its words."""
    outside = re.sub(r"[(\[{][^()\[\]{}]*[)\]}]", " ", header)
    inside = words_of(" ".join(re.findall(r"[(\[{]([^()\[\]{}]*)[)\]}]", header)))
    words = words_of(outside)
    factor, rest, said = _factor(inside, bracketed=True)
    if said:
        return Header(header, (*words, *(word for word in rest if word not in words)), factor, said)
    factor, words, said = _factor(words, bracketed=False)
    return Header(header, (*words, *(word for word in inside if word not in words)), factor, said)


def _factor(words: tuple[str, ...], *, bracketed: bool) -> tuple[float, tuple[str, ...], str]:
    """Return the factor that words say, the words without it, and which said it."""
    for size in (4, 3, 2, 1):
        for start in range(len(words) - size + 1):
            run = words[start : start + size]
            if FLOP_DAYS.fullmatch("_".join(run)):
                return DAY_OF_PETAFLOP, (*words[:start], "flop", *words[start + size :]), " ".join(run)
            match = FLOP_WORD.fullmatch("".join(run)) if size < 3 else None
            if match:
                return FACTORS[match[1]], (*words[:start], "flop", *words[start + size :]), " ".join(run)
    return _plain_factor(words, bracketed=bracketed)


def _plain_factor(words: tuple[str, ...], *, bracketed: bool) -> tuple[float, tuple[str, ...], str]:
    """Read ``(M)``, ``_billions``, ``(10^9)``; a single letter stands in brackets or behind what it counts."""
    countable = {*SIZES, *TOKENS, *COMPUTE, *SAMPLES, "size", "n", "d", "c"}
    for place, word in enumerate(words):
        power = POWER.fullmatch(word)
        factor = 10.0 ** int(power[1]) if power else FACTORS.get(word)
        rest = (*words[:place], *words[place + 1 :])
        counted = bool(countable & set(rest)) and (len(word) > 3 or place == len(words) - 1)
        of_steps = place == 0 and len(words) == 2 and words[1] in STEPS  # kSteps
        if factor and (bracketed or of_steps or (counted and place > 0) or (counted and len(word) > 3)):
            if bracketed and len(word) == 1 and place > 0:
                continue
            return factor, tuple(each for each in rest if each not in ("x", "10")), word
    return 1.0, words, ""
