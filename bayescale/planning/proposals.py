"""Runs that could be done next: a design made for the user, or the user's own list, checked."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from bayescale.designs.grids import ladder_design
from bayescale.errors import InputError
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import TokenCost, sizes
from bayescale.runs import RunTable
from bayescale.words import short

BUDGETS = 9
CHEAPEST = 1e-3
"""Budgets of the design, from this part of the spend up to all of it."""

RATIOS = tuple(4.0**power for power in (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0))
"""Tokens per parameter of the design, over the typical one: N from 4 times smaller to 4 times larger."""

SIZES = 5
MULTIPLES = (0.25, 1.0, 4.0)
"""Of the ladder: sizes, and tokens over the typical number."""

SMALLEST = 0.25
"""N and D of the design over the least among the runs: no recipe is known for much smaller ones."""


def design_candidates(runs: RunTable, spend: float, ratio: float, cost: TokenCost = DENSE) -> pd.DataFrame:
    """Return runs that could be done within a spend: equal budgets at several D/N, and a ladder of sizes.

    Parameters
    ----------
    runs : RunTable
        The runs done so far.
    spend : float
        The most that one may cost, in FLOP.
    ratio : float
        Typical tokens per parameter.
    cost : Cost or MeasuredCost
        What a run costs.

    Returns
    -------
    pandas.DataFrame
        ``N``, ``D`` and ``flops``, by rising cost.
    """
    cheapest = max(CHEAPEST * spend, min(float(runs.frame["C"].min()), spend / 2))
    budgets = np.geomspace(cheapest, spend * (1 - 1e-12), BUDGETS)
    (low, high), _ = sizes(budgets[[0, -1]], np.full(2, np.log(ratio)), cost)
    spent, ratios = (each.ravel() for each in np.meshgrid(budgets, [ratio * each for each in RATIOS], indexing="ij"))
    N, D = sizes(spent, np.log(ratios), cost)
    design = pd.concat(
        [
            pd.DataFrame({"N": N, "D": D}),
            ladder_design(np.geomspace(low, high, SIZES).tolist(), MULTIPLES, ratio),
        ],
        ignore_index=True,
    )
    design["flops"] = cost.per_token(design["N"].to_numpy(), {}) * design["D"]
    least = {name: SMALLEST * float(runs.frame[name].min()) for name in ("N", "D")}
    usable = (design["flops"] <= spend) & (design["N"] >= least["N"]) & (design["D"] >= least["D"])
    kept = design[usable].sort_values(["flops", "N"], ignore_index=True)
    if kept.empty:
        raise InputError(
            f"spend is {short(spend)} FLOP, too little for any run like those of {runs.name} (N from "
            f"{short(least['N'])}, D from {short(least['D'])}); spend more, or give candidates of your own"
        )
    return kept


def check_candidates(
    candidates: pd.DataFrame, needed: Iterable[str], spend: float, cost: TokenCost = DENSE
) -> pd.DataFrame:
    """Return a user's candidates with their cost in ``flops``; those that cost more than the spend stay.

    Raises
    ------
    InputError
        If there is none, a column is missing or holds anything but positive numbers, or none is affordable.
    """
    columns = list(dict.fromkeys(["N", "D", *(name for name in needed if name != "C")]))
    missing = [name for name in columns if name not in candidates]
    if missing or candidates.empty:
        raise InputError(
            f"candidates need columns {', '.join(columns)}, and one or more rows; found {len(candidates)} rows with "
            f"{', '.join(map(str, candidates)) or 'no columns'}"
        )
    checked = candidates.reset_index(drop=True)
    numbers = [*columns, *(name for name in ("C", "flops") if name in checked)]
    faults = [fault for name in numbers for fault in _faults(checked[name])]
    if faults:
        raise InputError(*faults)
    checked[numbers] = checked[numbers].astype(float)
    if "flops" not in checked:
        checked["flops"] = checked.get("C", cost.per_token(checked["N"].to_numpy(), {}) * checked["D"])
    cheapest = float(checked["flops"].min())
    if cheapest > spend:
        raise InputError(
            f"no candidate is affordable: the cheapest costs {short(cheapest, 3)} FLOP, spend is {short(spend, 3)}; "
            "spend more, or add smaller runs"
        )
    return checked


def _faults(column: "pd.Series[float]") -> list[str]:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers > 0)))
    return [
        f"candidates: column {column.name} is {column.tolist()[row]!r} in row {row}; expected a positive number"
        for row in bad[:5]
    ]
