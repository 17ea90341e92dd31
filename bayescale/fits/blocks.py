"""What is held at once: rows in blocks, and what of a large table a fit keeps."""

from collections.abc import Iterator

import numpy as np

MOST = 8_000_000
"""Draws times rows of log response that a fit keeps: 2000 rows under 4000 draws, 64 MB."""

BLOCK = 2_000_000
"""Draws times rows that are computed at once where more are not kept."""

FEWEST = 20
"""Predictive draws of each row that a fit keeps at least, however many rows there are."""


def is_small(draws: int, rows: int) -> bool:
    """Return whether the density of every row under every draw is computed at once, and kept."""
    return draws * rows <= MOST


def row_blocks(units: np.ndarray, draws: int, most: int | None = None) -> Iterator[np.ndarray]:
    """Yield the rows of a table in blocks, so many that draws times rows is about ``most`` (row,).

    Parameters
    ----------
    units : numpy.ndarray
        Number of what each row must stay together with, from 0: its training run, or the row alone (row,).
    draws : int
        Draws under which something of each row is computed.
    most : int
        Draws times rows at once, by default :data:`BLOCK`.
    """
    size = max((most or BLOCK) // max(draws, 1), 1)
    if units.size <= size:
        yield np.arange(units.size)
        return
    order = np.argsort(units, kind="stable")
    begins = np.flatnonzero(np.diff(units[order], prepend=-1))
    block = np.repeat(begins, np.diff(begins, append=units.size)) // size
    for rows in np.split(order, np.flatnonzero(np.diff(block)) + 1):
        yield np.sort(rows)


def predictive_draws(chains: int, draws: int, rows: int) -> np.ndarray:
    """Return the places of the draws of each chain whose predictive draws are kept (draw,).

    All of them for a small table; else as many, evenly spaced, as there is room for.
    """
    if is_small(chains * draws, rows):
        return np.arange(draws)
    count = max(MOST // rows, FEWEST) // chains
    return np.linspace(0, draws - 1, min(max(count, 1), draws)).round().astype(int)
