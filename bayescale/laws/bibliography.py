"""What to cite: the papers behind laws, tables and methods, as BibTeX."""

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import bibtexparser

from bayescale.values import FrozenMapping

OWN = "bayescale"
"""Key of bayescale itself; a reference that begins with it and a colon is to a law of bayescale's own."""

METHOD = (
    OWN,
    "abrilpla2023pymc",
    "martin2026arviz",
    "seyboldt2026preconditioning",  # what nutpie asks to be cited by
    "sivula2025uncertainty",
    "vehtari2017practical",
    "vehtari2024pareto",
    "yao2018using",
)
"""Keys of what every comparison rests on: software, leave-one-out cross-validation, its errors, and stacking."""

_ARXIV = re.compile(r"(?<!\d)(?<!\d\.)\d{4}\.\d{4,5}(?!\d)")
_DOI = re.compile(r"\b10\.(?!48550/)\d{4,9}/[^\s\"<>{}]+", re.IGNORECASE)  # 10.48550 is arXiv's, found by the number
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",  # BibTeX counts braces even behind a backslash
        "}": r"\textbraceright{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        **{character: f"\\{character}" for character in "$&#%_"},
    }
)


@dataclass(frozen=True)
class Entry:
    """One thing to cite.

    Attributes
    ----------
    key : str
        Citation key, such as ``hoffmann2022training``.
    bibtex : str
        The entry, without a line break at its end.
    fields : mapping of str to str
        Its fields by name, as BibTeX has them but for the outer braces.
    """

    key: str
    bibtex: str
    fields: Mapping[str, str]


def entries_for(references: Iterable[str]) -> tuple[Entry, ...]:
    """Find what references in words cite.

    Parameters
    ----------
    references : iterable of str
        References as laws and tables give them, ``"Hoffmann et al. (2022), Eq. 2, arXiv:2203.15556"``, or keys of
        entries. Papers are found by arXiv identifier or DOI, any number in one text; empty texts cite nothing.

    Returns
    -------
    tuple of Entry
        Each once, sorted by key. A text that names no paper of ours, or one that we do not know, is an entry of its
        own with its words as note. A text that begins with ``"bayescale:"`` cites bayescale too.
    """
    found = {entry.key: entry for reference in references for entry in _cited(_one_line(reference))}
    return tuple(found[key] for key in sorted(found))


def bibtex(references: Iterable[str]) -> str:
    """Return the BibTeX of what references cite.

    Parameters
    ----------
    references : iterable of str
        As :func:`entries_for` takes them.

    Returns
    -------
    str
        Entries with an empty line between them, ending with a line break; empty where nothing is cited.
    """
    return "\n".join(f"{entry.bibtex}\n" for entry in entries_for(references))


def _cited(reference: str) -> Iterator[Entry]:
    """Yield the entries that one reference cites."""
    known = _known()
    named = [reference] if reference in known else _identifiers(reference)
    if reference.startswith(f"{OWN}:"):
        named = [OWN, *named]
    yield from (known[name] for name in named if name in known)
    if reference and (not named or any(name not in known for name in named)):
        yield _in_words(reference)


def _identifiers(reference: str) -> list[str]:
    """Return the arXiv identifiers and DOIs in a text, in the form in which they are known."""
    dois = [doi.rstrip(".,;:)]'").lower() for doi in _DOI.findall(reference)]
    return [*_ARXIV.findall(reference), *dois]


@functools.cache
def _known() -> Mapping[str, Entry]:
    """Return our entries by key, by arXiv identifier and by DOI in lower case."""
    library = bibtexparser.parse_file(str(Path(__file__).with_name("references.bib")))
    known = {OWN: _own()}
    for read in library.entries:
        fields = FrozenMapping({field.key: field.value for field in read.fields})
        entry = Entry(read.key, str(read.raw).rstrip(), fields)
        names = (entry.key, fields.get("eprint"), fields.get("doi", "").lower())
        known |= {name: entry for name in names if name}
    return FrozenMapping(known)


def _own() -> Entry:
    """Return the entry of bayescale itself, with what CITATION.cff says."""
    fields = {"author": "{bayescale developers}", "title": "bayescale: {Bayesian} scaling-law fits"}
    return _misc(OWN, {**fields, "note": f"Version {version(OWN)}"})


def _in_words(reference: str) -> Entry:
    """Return an entry whose note is the text; its key is made from the text, so it is the same everywhere."""
    key = f"reference{hashlib.sha256(reference.encode()).hexdigest()[:12]}"
    return _misc(key, {"note": reference.translate(_LATEX)})


def _misc(key: str, fields: Mapping[str, str]) -> Entry:
    """Return an entry of BibTeX's kind for anything."""
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return Entry(key, f"@misc{{{key},\n{lines}}}", FrozenMapping(fields))


def _one_line(text: str) -> str:
    """Return a text on one line, without the characters that are not seen themselves but control others."""
    kept = (each for each in text if each.isspace() or not unicodedata.category(each).startswith("C"))
    return " ".join("".join(kept).split())
