"""Runs far above those like them, by a smooth and robust fit that no law has a part in."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescale.runs.table import RunTable
from bayescale.words import percent, typed

LEAST_EXCESS = 0.5
"""Part by which a response lies above the fit before its run is named; a smooth fit misses sound runs by up to 0.34."""
LEAST_DEVIATIONS = 8.0
ROUNDS = 60

SHOWN = 3
"""Runs that are named; of others the number is given."""

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


def far_above(frame: pd.DataFrame, response: str) -> Iterator[tuple[int, float]]:
    """Yield the rows whose response lies far above that of runs of like size, and by which part.

    ln(response) is fitted by a polynomial in ln N and ln D (or ln C), of second order where there are rows enough, in
    least absolute deviations, which a diverged run does not move. A row is named where it lies more than half
    above, and eight robust standard deviations.
    """
    sizes = [column for column in ("N", "D") if column in frame] or [column for column in ("C",) if column in frame]
    if not sizes:
        return
    sound = frame[[*sizes, response]].gt(0).all(axis=1) & np.isfinite(frame[[*sizes, response]]).all(axis=1)
    rows = np.flatnonzero(sound)
    design = _design(np.log(frame.loc[sound, sizes].to_numpy(dtype=np.float64)))
    if len(rows) < 2 * design.shape[1]:
        return
    values = np.log(frame.loc[sound, response].to_numpy(dtype=np.float64))
    residual = values - design @ _robust_coefficients(design, values)
    deviation = 1.4826 * float(np.median(np.abs(residual - np.median(residual))))
    for row in np.argsort(-residual):
        excess = float(np.expm1(residual[row]))
        if excess > LEAST_EXCESS and residual[row] > LEAST_DEVIATIONS * deviation:
            yield int(rows[row]), excess


def diverged_notes(runs: RunTable) -> list[str]:
    """Name the runs of a table whose response lies far above that of runs like them, the farthest first."""
    labels = runs.frame["run"].astype(str).to_numpy() if "run" in runs.frame else None
    values = runs.frame[runs.response].to_numpy(dtype=np.float64)
    said = []
    for row, excess in far_above(runs.frame, runs.response):
        label = f"row {row + 1}" if labels is None else f"run {labels[row]!r}"
        said.append(
            f"the {runs.response} of {label}, {typed(float(values[row]), 4)}, is {percent(excess, 2)} above runs like "
            "it; did it diverge? The heavy-tailed noise lets it count little; take it out if it did"
        )
    more = len(said) - SHOWN
    return [*said[:SHOWN], *([f"{more} more runs lie as far above runs like them"] if more > 0 else [])]


def _design(logs: np.ndarray) -> np.ndarray:
    """Return the terms of the polynomial (run, term): of second order where every term has three rows."""
    spread = logs.std(axis=0)
    scaled = (logs - logs.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    linear = [np.ones(len(logs)), *scaled.T]
    square = [a * b for i, a in enumerate(scaled.T) for b in scaled.T[i:]]
    terms = [*linear, *square] if len(logs) >= 3 * len([*linear, *square]) else linear
    return np.column_stack(terms)


def _robust_coefficients(design: np.ndarray, values: Vector) -> Vector:
    """Fit by least absolute deviations, as least squares reweighted."""
    weights = np.ones(len(values))
    coefficients = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        coefficients = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        weights = 1 / np.maximum(np.abs(values - design @ coefficients), 1e-4)
    return np.asarray(coefficients)
