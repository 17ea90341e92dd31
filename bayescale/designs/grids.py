"""Designs: which runs to train or to simulate, as tables of N and D."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.hardware import read_budgets
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import TokenCost
from bayescale.laws.measured import sizes as runs_of
from bayescale.runs.frames import Frame, to_pandas

RATIO = 20.0
"""Tokens per parameter of the Chinchilla model, 1.4e12 / 70e9 (Hoffmann et al. 2022)."""


def isoflop_design(flops: Sequence[float], ratios: Sequence[float], *, cost: TokenCost = DENSE) -> pd.DataFrame:
    """Spend each budget at several tokens per parameter.

    Parameters
    ----------
    flops : sequence of float
        Budgets, in FLOP.
    ratios : sequence of float
        Tokens per parameter.
    cost : Cost or MeasuredCost
        What a token costs: 6 N, or as in a fit's runs, ``fit.draws.cost``.

    Returns
    -------
    pandas.DataFrame
        ``N`` and ``D``, one row for each budget and ratio; each run costs its budget.
    """
    budgets, spread = (
        np.repeat(read_budgets(flops), len(ratios)),
        np.tile(checks.several("ratios", ratios, "tokens per parameter"), len(flops)),
    )
    N, D = runs_of(budgets, np.log(spread), cost)
    return pd.DataFrame({"N": N, "D": D})


def ridge_design(
    flops: Sequence[float],
    exponent: float = 0.5,
    ratio: float = RATIO,
    at: float = 5.76e23,
    *,
    cost: TokenCost = DENSE,
) -> pd.DataFrame:
    """Train each budget at its compute-optimal size, as a finished scaling study recommends.

    Such runs cannot tell the split from compute: along the ridge, both laws fall alike.

    Parameters
    ----------
    flops : sequence of float
        Budgets, in FLOP.
    exponent : float
        Of the optimal N in compute; 0.5 keeps D / N constant.
    ratio : float
        Optimal tokens per parameter at the budget ``at``.
    at : float
        FLOP.
    cost : Cost or MeasuredCost
        What a token costs: 6 N, or as in a fit's runs, ``fit.draws.cost``.

    Returns
    -------
    pandas.DataFrame
        ``N`` and ``D``, one row for each budget.
    """
    budgets = read_budgets(flops)
    N = runs_of(np.asarray(at), np.log(ratio), cost)[0] * (budgets / at) ** exponent
    return pd.DataFrame({"N": N, "D": budgets / cost.per_token(N, {})})


def ladder_design(sizes: Sequence[float], multiples: Sequence[float], ratio: float = RATIO) -> pd.DataFrame:
    """Train each of a few sizes on multiples of its usual tokens.

    Parameters
    ----------
    sizes : sequence of float
        Parameters.
    multiples : sequence of float
        Tokens, in multiples of ``ratio`` times N.
    ratio : float
        Tokens per parameter of a multiple of one.

    Returns
    -------
    pandas.DataFrame
        ``N`` and ``D``, one row for each size and multiple (Bhagia et al. 2024, arXiv:2412.04403, train such ladders).
    """
    N = np.repeat(checks.several("sizes", sizes, "parameters"), len(multiples))
    return pd.DataFrame(
        {
            "N": N,
            "D": N * ratio * np.tile(checks.several("multiples", multiples, "multiples of the tokens"), len(sizes)),
        }
    )


def fixed_ratio_design(sizes: Sequence[float], ratio: float = RATIO) -> pd.DataFrame:
    """Train each size on the same tokens per parameter: no law of N and D is identified by such runs.

    Parameters
    ----------
    sizes : sequence of float
        Parameters.
    ratio : float
        Tokens per parameter.

    Returns
    -------
    pandas.DataFrame
        ``N`` and ``D``, one row for each size.
    """
    return ladder_design(sizes, [1.0], ratio)


def random_design(
    count: int,
    N: tuple[float, float] = (1e7, 1e10),
    D: tuple[float, float] = (1e9, 1e12),
    *,
    random_seed: int = 0,
) -> pd.DataFrame:
    """Draw sizes and tokens log-uniformly and independently.

    Parameters
    ----------
    count : int
        Number of runs.
    N, D : (float, float)
        Least and most parameters and tokens.
    random_seed : int
        Seed.

    Returns
    -------
    pandas.DataFrame
        ``N`` and ``D``, one row for each run.
    """
    if count < 1:
        raise InputError(f"count is {count}; expected at least 1 run")
    rng = np.random.default_rng(random_seed)
    ends = {"N": np.log(checks.several("N", N, "parameters")), "D": np.log(checks.several("D", D, "training tokens"))}
    return pd.DataFrame({name: np.exp(rng.uniform(*end, size=count)) for name, end in ends.items()})


def crossed_design(design: Frame, further: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Train every run of a design at each value of further columns.

    Parameters
    ----------
    design : DataFrame, table or mapping
        Runs, of any library, such as those of :func:`isoflop_design`.
    further : mapping of str to sequence of float
        Values of each further column, such as ``{"granularity": [1, 4, 16]}``.

    Returns
    -------
    pandas.DataFrame
        The columns of both, one row for each combination.
    """
    crossed = to_pandas("design", design)
    for name, values in further.items():
        crossed = crossed.merge(pd.DataFrame({name: np.asarray(values, dtype=float)}), how="cross")
    return crossed
