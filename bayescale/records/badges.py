"""How far each answer of a report was checked, in a few words, and why there is none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtr

from bayescale.decisions.allocation import Allocation
from bayescale.decisions.size_backtesting import SizeBacktest
from bayescale.decisions.size_forecasts import IN_USE
from bayescale.decisions.size_scores import EDGES as SIZE_EDGES
from bayescale.forecasts.backtesting import EDGES, Backtest
from bayescale.runs import RunTable
from bayescale.runs.description import split_problem
from bayescale.words import short

type Held = dict[str, int | bool]
"""How many intervals ``held`` ``of`` how many, whether any was ``as_far``, and whether they are ``too_short``."""

METHOD = "discrepancy"
"""Method whose record a report's forecasts are quoted by: it is how they are made."""

SIZE_METHOD = IN_USE
"""Method whose record the best sizes of a report are quoted by: it is how they are found."""

SAME = 1.005
"""Budgets this close to the largest run are as large."""

NOMINAL = 0.9
"""Probability of the intervals that are counted."""

CHANCE = 0.05
"""Intervals that held so few as honest ones would with a smaller probability than this are called too short."""


def badges(
    allocation: Allocation, backtest: Backtest | None, size_backtest: SizeBacktest | None
) -> list[dict[str, Any]]:
    """Return for each budget how far beyond the runs it is, and how many intervals as far out have held.

    Parameters
    ----------
    allocation : Allocation
        The answers.
    backtest, size_backtest : optional
        Of forecasts of losses and of best sizes, by the law that the answers rest on most.

    Returns
    -------
    list of dict
        ``text``; ``kind``: ``short`` (intervals as far out held too few to be called 90%), ``inside``, ``checked`` or
        ``unchecked`` (no best size was forecast so far out); ``likely``: whether nothing speaks against the interval of
        the size; and ``size`` and ``loss``: the count at this distance, at the nearest distance where none was as far,
        or None.
    """
    losses, sizes = _points(backtest, METHOD), _points(size_backtest, SIZE_METHOD)
    reaches = allocation.recommended["extrapolation"].to_numpy()
    return [_badge(float(reach), _held(sizes, reach, SIZE_EDGES), _held(losses, reach, EDGES)) for reach in reaches]


def _points(found: Backtest | SizeBacktest | None, method: str) -> pd.DataFrame | None:
    return None if found is None else found.points[found.points["method"] == method]


def _held(points: pd.DataFrame | None, reach: float, edges: Sequence[float]) -> Held | None:
    """Count the intervals that held in the bin that a reach falls into, or in the nearest one that has forecasts."""
    if points is None or points.empty:
        return None
    place, wanted = np.digitize(points["factor"], edges), np.digitize(max(reach, SAME), edges)
    found = points[place == place[np.argmin(np.abs(place - wanted))]]
    held, of = int(found["inside_90"].sum()), len(found)
    too_short = bool(bdtr(held, of, NOMINAL) < CHANCE)
    return {"held": held, "of": of, "as_far": reach <= points["factor"].max() * SAME, "too_short": too_short}


def _badge(reach: float, size: Held | None, loss: Held | None) -> dict[str, Any]:
    inside = reach <= SAME
    where = "inside the runs" if inside else f"{short(reach)} times beyond the runs"
    checked = {what: each for what, each in (("sizes", size), ("losses", loss)) if each and each["as_far"]}
    too_short = any(each["too_short"] for each in checked.values())
    kind = "short" if too_short else "inside" if inside else "checked" if "sizes" in checked else "unchecked"
    said = ["intervals too short"] if too_short else ["checked"] if kind == "checked" else []
    counts = [_count(what, each) for what, each in checked.items()]
    if size and "sizes" not in checked:
        counts.append(f"nearer {_count('sizes', size)}")
    elif checked and not size:
        said.append("sizes unchecked")
    if not checked and not inside:
        said.append("unchecked")
    if counts:
        said.append(f"{' and '.join(counts)} held")
    text = f"{where}: {', '.join(said)}" if said else where
    likely = size is None or not size["too_short"]
    return {"kind": kind, "text": text, "likely": likely, "size": size, "loss": loss}


def _count(what: str, found: Held) -> str:
    return f"{found['held']} of {found['of']} {what}"


def cause_record(runs: RunTable, laws: Sequence[str], refusal: str) -> dict[str, Any]:
    """Return why no split is recommended, first what the runs lack, with the runs that would help.

    Parameters
    ----------
    runs : RunTable
        The runs.
    laws : sequence of str
        The laws compared.
    refusal : str
        What the allocation was refused with.
    """
    problem = split_problem(runs)
    if problem is not None:
        why, remedy = problem
        return {"headline": f"{why}, so these runs cannot say how to split compute.", "reasons": [f"{remedy}."]}
    reasons = [refusal] if refusal else [f"No law compared ({', '.join(laws)}) has a best split here."]
    return {"headline": "No split of compute can be recommended.", "reasons": reasons}
