"""Convention: which count of parameters predicts better as N, where a table has several."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.comparison.ranking import elpd_difference
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import fit
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.runs import RunTable
from bayescale.runs.grammar import convention, is_active_size, is_quantity
from bayescale.runs.header_words import read_header
from bayescale.runs.units import counted_rows
from bayescale.values import Value
from bayescale.words import short

SAME = 0.02
"""Counts within this of a power of each other, in logs, name the same sizes: a law of either predicts alike."""


@dataclass(frozen=True, repr=False)
class Convention(Value):
    """A further count of parameters, taken as N by the law that predicts best, against the N that it was fitted to.

    Attributes
    ----------
    column : str
        The column of the table.
    counts : str
        What it counts by its name: ``active``, ``total``, ``without embeddings``, or nothing where it does not say.
    law : str
        The law.
    elpd_diff : float
        Log density of runs left out with this column as N, minus that with N, in nats over all runs: above zero it
        predicts better. 0 where both name the same sizes.
    dse : float
        Standard error of the difference.
    decided : bool
        Whether the difference is large enough to be called one, as between laws.
    alike : bool
        Whether one is a power of the other in these runs, so that no fit is needed to know.
    passed : bool
        Whether the fit with this column passed its diagnostics.
    """

    column: str
    counts: str
    law: str
    elpd_diff: float
    dse: float
    decided: bool
    alike: bool
    passed: bool

    @property
    def statement(self) -> str:
        """Which of the two predicts better, in words."""
        name = f"{self.column!r}{f' ({self.counts})' if self.counts else ''}"
        if self.alike:
            return f"{name} as N would predict as N does: in these runs it is a power of it"
        side = "better" if self.elpd_diff > 0 else "worse"
        sure = "decided" if self.decided else "not decided"
        doubt = "" if self.passed else "; the diagnostics of that fit failed"
        return (
            f"{name} as N predicts runs left out {side} than N, by {short(abs(self.elpd_diff), 3)} nats "
            f"(s.e. {short(self.dse, 2)}; {sure}), by law {self.law}{doubt}"
        )

    def _lines(self) -> list[str]:
        return [self.statement]


def other_sizes(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns that count parameters in another way than N, in parameters (run,)."""
    if "N" not in frame:
        return {}
    found = {}
    for name in map(str, frame):
        values = frame[name]
        if name == "N" or not pd.api.types.is_float_dtype(values):
            continue
        if name == "active_N" or is_quantity(name, "N") or is_active_size(name):
            counted = values.to_numpy(dtype=float) * (1.0 if name == "active_N" else read_header(name).factor)
            if (np.isfinite(counted) & (counted > 0)).all() and not np.array_equal(counted, frame["N"]):
                found[name] = counted
    return found


def compare_conventions(
    fits: Mapping[str, Fit],
    pointwise: Mapping[str, Any],
    units: np.ndarray,
    left_out: Callable[[Fit], Any],
    *,
    cache: bool = True,
) -> Iterator[Convention]:
    """Yield each further count of parameters against N, by the best law of N: both predict the same losses.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits of the same runs, best law first.
    pointwise : mapping of str to arviz_stats.ELPDData
        LOO of each.
    units : numpy.ndarray
        Number of the independent unit of each run (run,).
    left_out : callable
        Returns the LOO of a fit.
    cache : bool
        Whether fits are read from the cache and kept there.
    """
    best = next((name for name, fitted in fits.items() if "N" in fitted.law.covariates), None)
    if best is None:
        return
    fitted = fits[best]
    for column, values in other_sizes(fitted.runs.frame).items():
        counts = "active" if column == "active_N" else convention(column)
        if is_power(fitted.runs.frame["N"].to_numpy(dtype=float), values):
            yield Convention(column, counts, best, 0.0, 0.0, decided=False, alike=True, passed=True)
            continue
        other = _with_size(fitted, column, values, cache=cache)
        found = elpd_difference(left_out(other), pointwise[best], units, counted_rows(fitted.runs.frame))
        yield Convention(
            column,
            counts,
            best,
            found.elpd_diff,
            found.dse,
            decided=found.decided,
            alike=False,
            passed=other.diagnostics.passed,
        )


def is_power(N: np.ndarray, other: np.ndarray) -> bool:
    """Return whether one count of parameters is a power of another, to rounding."""
    x, y = np.log(N), np.log(other)
    if np.ptp(x) == 0:
        return False
    return bool(np.std(y - np.polyval(np.polyfit(x, y, 1), x)) < SAME)


def _with_size(fitted: Fit, column: str, values: np.ndarray, *, cache: bool) -> Fit:
    """Return the same law of the same runs with another column as N, sampled as it was."""
    runs = fitted.runs
    frame = runs.frame.assign(N=values)
    if runs.compute == "6ND":
        frame["C"] = FLOPS_PER_TOKEN * frame["N"] * frame["D"]
    table: RunTable = dataclasses.replace(runs, frame=frame, name=f"{runs.name}, N by {column}")
    settings = fitted.record["settings"]
    asked = {name: settings[name] for name in ("draws", "tune", "chains", "random_seed")}
    return fit(table, fitted.law, **asked, cache=cache, progress=False)
