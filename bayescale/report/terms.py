"""The glossary of a report: words that not every reader knows, explained where they first occur in a section."""

import re
from collections.abc import Mapping

from markupsafe import Markup, escape

TERMS: Mapping[str, str] = {
    "compute-optimal": "Of least loss for a given compute.",
    "contraction": "1 less posterior over prior variance: near 1 the runs decide a number, near 0 its prior.",
    "credible interval": "Holds the quantity with the probability named, given the model and the runs; equal-tailed.",
    "discrepancy": "The smooth part of the loss that a law misses, carried on to forecasts.",
    "E-BFMI": "Whether the sampler moves freely between energies; at least 0.3.",
    "elpd": "Expected log predictive density: how well a law predicts runs it was not fitted to. Higher is better, "
    "and only differences mean anything.",
    "ESS": "Effective sample size: independent draws that the posterior's draws are worth.",
    "extra compute": "Compute spent over the compute with which the best split reaches the same loss, less 1.",
    "isoFLOP": "Of equal training compute.",
    "lpd": "Log predictive density of a forecast run: rewards being both right and sure. Higher is better.",
    "nats": "Unit of logarithms to base e; of a difference in elpd, 4 are much.",
    "Pareto k": "How much leaving a run out moves the posterior; up to 0.7 the estimate of elpd is reliable.",
    "PSIS-LOO": "Leave-one-out cross-validation by Pareto-smoothed importance sampling.",
    "R-hat": "Whether chains agree; near 1, at most 1.01.",
    "tilt": "d where the loss falls with slopes s(1 + d) on ln N and s(1 - d) on ln D; 0 is compute alone.",
}
"""Words of a report, and what they mean."""

SECTION = re.compile(r"<section.*?</section>", re.DOTALL)
TAG = re.compile(r"(<[^>]*>)")
LITERAL = ("svg", "pre", "code", "summary", "h2", "h3", "abbr", "a", "dt", "option")
"""Elements whose text stays as it is."""


def with_terms(page: str, terms: Mapping[str, str] = TERMS) -> str:
    """Return a page whose sections explain each term where it first occurs in them."""
    longest_first = "|".join(map(re.escape, sorted(terms, key=len, reverse=True)))
    word = re.compile(rf"(?<![\w-])(?:{longest_first})(?![\w-]|\.csv)")
    return SECTION.sub(lambda found: _section(found[0], word, terms), page)


def _section(text: str, word: re.Pattern[str], terms: Mapping[str, str]) -> str:
    """Explain terms in the text between the tags of a section, each once."""
    seen: set[str] = set()
    within = 0
    parts = TAG.split(text)
    for i, part in enumerate(parts):
        if i % 2:
            name = part.strip("</>").split(" ")[0].lower()
            if name in LITERAL:
                within += -1 if part.startswith("</") else 1
        elif within == 0:
            parts[i] = word.sub(lambda found: _explained(found[0], seen, terms), part)
    return "".join(parts)


def _explained(term: str, seen: set[str], terms: Mapping[str, str]) -> str:
    if term in seen:
        return term
    seen.add(term)
    return Markup('<abbr title="{}">{}</abbr>').format(terms[term], escape(term))
