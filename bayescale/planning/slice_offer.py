"""slice_offer: the isoFLOP slice that a plan proposes where no slice of the table shows what the law misses."""

import numpy as np

from bayescale.decisions.mixture import Mixture
from bayescale.decisions.slice_price import SlicePrice, slice_notes, slice_price
from bayescale.words import count_text, percent, short


def slice_offer(laws: Mixture, budgets: np.ndarray, spend: float, probability: float) -> tuple[str, list[str]]:
    """Return what a plan says first of a slice that pays, and its notes on slices; nothing for tables that have them.

    Single runs teach the parameters of a law; only slices show what the law misses of its best size.

    Parameters
    ----------
    laws : Mixture
        The laws of the decision.
    budgets : numpy.ndarray
        FLOP of the targets (target,).
    spend : float
        The most that runs may cost together, in FLOP.
    probability : float
        Of the intervals.
    """
    found = slice_price(laws, budgets, probability, spend)
    notes = slice_notes(found, probability)
    if found is None or not found.narrows:
        return "", notes
    first = (
        f"First train one isoFLOP slice: {found.N.size} runs of {short(found.flops)} FLOP, {short(found.cost)} in all, "
        f"to save {short(found.saved)} ({percent(found.saved / found.budget, 2)} of the compute)."
    )
    return first if found.saved > found.cost else "", [_runs(found), *notes]


def _runs(found: SlicePrice) -> str:
    """Say which runs make the slice."""
    runs = ", ".join(f"{count_text(N, 2)} x {count_text(D, 2)}" for N, D in zip(found.N, found.D, strict=True))
    return f"the isoFLOP slice, N x D of each run: {runs}"
