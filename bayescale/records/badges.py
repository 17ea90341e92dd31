"""How far each answer of a report was checked, in a few words, and why there is none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayescale.decisions.allocation import Allocation
from bayescale.decisions.size_backtesting import SizeBacktest
from bayescale.decisions.size_forecasts import IN_USE
from bayescale.decisions.size_scores import EDGES as SIZE_EDGES
from bayescale.forecasts.backtesting import EDGES, Backtest
from bayescale.runs import RunTable
from bayescale.runs.description import split_problem
from bayescale.words import short

METHOD = "discrepancy"
"""Method whose record a report's forecasts are quoted by: it is how they are made."""

SIZE_METHOD = IN_USE
"""Method whose record the best sizes of a report are quoted by: it is how they are found."""

SAME = 1.005
"""Budgets this close to the largest run are as large."""


def badges(
    allocation: Allocation, backtest: Backtest | None, size_backtest: SizeBacktest | None
) -> list[dict[str, Any]]:
    """Return for each budget how far beyond the runs it is, and how many forecasts as far out have held.

    Parameters
    ----------
    allocation : Allocation
        The answers.
    backtest, size_backtest : optional
        Of forecasts of losses and of best sizes, by the law that the answers rest on most.

    Returns
    -------
    list of dict
        ``kind`` (``inside``, ``checked`` or ``unchecked``), ``text``, and ``loss`` and ``size``: how many 90%
        intervals of forecasts as far out ``held`` ``of`` how many, or None.
    """
    losses, sizes = _points(backtest, METHOD), _points(size_backtest, SIZE_METHOD)
    reaches = allocation.recommended["extrapolation"].to_numpy()
    return [_badge(float(reach), _held(losses, reach, EDGES), _held(sizes, reach, SIZE_EDGES)) for reach in reaches]


def _points(found: Backtest | SizeBacktest | None, method: str) -> pd.DataFrame | None:
    return None if found is None else found.points[found.points["method"] == method]


def _held(points: pd.DataFrame | None, reach: float, edges: Any) -> dict[str, int] | None:  # noqa: ANN401  (numbers)
    """Count forecasts of the bin that a reach falls into, unless none was as far out."""
    if points is None or points.empty or reach > points["factor"].max() * SAME:
        return None
    place = np.digitize(points["factor"], edges)
    inside = points["inside_90"][place == np.digitize(max(reach, SAME), edges)]
    return {"held": int(inside.sum()), "of": len(inside)} if len(inside) else None


def _badge(reach: float, loss: dict[str, int] | None, size: dict[str, int] | None) -> dict[str, Any]:
    if reach <= SAME:
        return {"kind": "inside", "text": "inside the runs", "loss": loss, "size": size}
    far = f"{short(reach)} times beyond the runs"
    said = [f"{each['held']} of {each['of']} {what} held" for what, each in (("losses", loss), ("sizes", size)) if each]
    if not said:
        return {"kind": "unchecked", "text": f"{far}: unchecked", "loss": None, "size": None}
    return {"kind": "checked", "text": f"{far}: checked, {', '.join(said)}", "loss": loss, "size": size}


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
