"""serve, data_limit: the two ways away from the compute-optimal split, as probabilities.

Much serving asks for a smaller model on more tokens, and an end of the data for a larger one.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.decisions.budgets import usual_budgets
from bayescale.decisions.mixture import Mixture, mixture
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.hardware import read_budgets
from bayescale.runs import RunTable
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.splits.search import BestRuns
from bayescale.values import Value
from bayescale.words import short

DRAWS = 1000
"""So many draws of all laws together are enough for an interval, and leave time for many demands."""

MULTIPLES = (1.0, 10.0, 100.0)
"""Demands over the training tokens of the training-only optimum, where none are asked for."""


@dataclass(frozen=True, eq=False, repr=False)
class Serving(Value):
    """What serving a model changes about how to train it.

    Attributes
    ----------
    draws : xarray.Dataset
        ``training_N``, ``training_D`` and ``loss`` of the best run of each budget without serving (draw, budget). Of
        the run of the same loss that takes least compute with serving: ``N``, ``D``, ``total_flops`` of training and
        serving together, and ``saved``, the part of all compute that it saves against serving the training-only run
        (draw, budget, demand). Coordinates ``flops`` (budget), ``served_tokens`` (budget, demand), ``law`` (draw).
    weights : mapping of str to float
        Weight of each law.
    probability : float
        Of the credible intervals.
    runs : RunTable
        The runs behind the fits.
    notes, doubts : tuple of str
        What a reader must know of these numbers, and what speaks against them.
    """

    draws: xr.Dataset
    weights: Mapping[str, float]
    probability: float
    runs: RunTable
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class DataLimit(Value):
    """What an end of the data changes about how to train.

    Attributes
    ----------
    draws : xarray.Dataset
        ``N``, ``D`` (repeats counted) and ``loss`` of the best run (draw, budget, case) without an end of the data
        (``free``), with unique tokens used ``once`` at most and, where R_D is known, ``repeated``; ``begins``, the
        budget from which on the free best run would use more tokens than there are (draw,). Coordinates ``flops``
        (budget), ``case`` and ``law`` (draw).
    unique_tokens : float
        Tokens that there are.
    repetition : float or None
        R_D that repeats are weighed by, the median of its draws.
    weights : mapping of str to float
        Weight of each law.
    probability : float
        Of the credible intervals.
    runs : RunTable
        The runs behind the fits.
    notes, doubts : tuple of str
        What a reader must know of these numbers, and what speaks against them.
    """

    draws: xr.Dataset
    unique_tokens: float
    repetition: float | None
    weights: Mapping[str, float]
    probability: float
    runs: RunTable
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


@checks.kinds
def serve(
    source: Fit | Comparison,
    flops: Sequence[float] | None = None,
    demands: Sequence[float] = (),
    *,
    multiples: Sequence[float] = (),
    probability: float = 0.9,
) -> Serving:
    """Find how much smaller a model should be, and on how many more tokens trained, if it must be served.

    The best run of a budget without serving has some loss. Of all runs of that loss, the one that takes least compute
    of training and serving, ``6 N D + 2 N T`` or by the table's own FLOP per token, is found in every draw.

    Parameters
    ----------
    source : Fit or Comparison
        As for :func:`bayescale.allocate`.
    flops : sequence of float, optional
        Budgets of the training-only optimum, in FLOP; by default 1, 10 and 100 times the largest run of the table.
    demands : sequence of float
        Tokens to serve over the model's life, T.
    multiples : sequence of float
        The same over the training tokens of the training-only optimum (their posterior median); 1, 10 and 100 where
        neither is given.
    probability : float
        Of the credible intervals.

    Returns
    -------
    Serving
        Both runs of each budget and demand, in every draw.

    Raises
    ------
    InputError
        If a budget or demand is not a positive number, or no law has a best split.

    Notes
    -----
    Sardana et al. (2024), arXiv:2401.00448.
    """
    checks.probability(probability)
    budgets = read_budgets(usual_budgets(source.runs) if flops is None else flops)
    tokens = checks.several("demands", demands, "tokens to serve, such as 1e13") if len(demands) else np.empty(0)
    factors = multiples if len(multiples) or len(demands) else MULTIPLES
    parts = checks.several("multiples", factors, "multiples of D, such as 10") if len(factors) else np.empty(0)
    laws, base = _few(source, budgets, UNLIMITED, 0)
    served = np.concatenate([parts * np.median(base.D, axis=0)[:, None], np.tile(tokens, (budgets.size, 1))], axis=1)
    draws = _cheapest(laws, base, budgets, served)
    runs = laws.runs
    return Serving(
        draws,
        laws.weights,
        probability,
        runs,
        notes=(*laws.notes, *_beyond(laws, draws["training_N"], draws["training_D"]), *_unlike(draws, runs)),
        doubts=tuple(_doubts(laws, draws["N"])),
    )


def _few(source: Fit | Comparison, flops: np.ndarray, constraints: Constraints, seed: int) -> tuple[Mixture, BestRuns]:
    """Return laws under some draws, evenly spaced, that have a best run of every budget, and that run."""
    laws = mixture(source, flops, constraints, random_seed=seed)
    step = max(1, sum(laws.counts) // DRAWS)
    few = np.concatenate([places[::step] for places in laws.split_by_law(np.arange(sum(laws.counts)))])
    return laws.take(few).locate(flops)


def _cheapest(laws: Mixture, base: BestRuns, budgets: np.ndarray, served: np.ndarray) -> xr.Dataset:
    """Return the best runs without serving, and those of the same loss that are cheapest with it."""
    shape = (*base.N.shape, served.shape[1])
    found = {name: np.full(shape, np.nan) for name in ("N", "D", "total_flops", "saved")}
    for budget, demand in np.ndindex(served.shape):
        serving = laws.with_serving(float(served[budget, demand]))
        N, D, loss = (values[:, [budget]] for values in (base.N, base.D, base.loss))
        whole = serving.frontiers[0].total(N, D)
        best = serving.find_cheapest(loss, whole).known
        values = {"N": best.N, "D": best.D, "total_flops": best.flops, "saved": 1 - best.flops / whole}
        for name, value in values.items():
            found[name][:, budget, demand] = value[:, 0]
    variables = {name: (("draw", "budget", "demand"), value) for name, value in found.items()}
    runs = {"training_N": base.N, "training_D": base.D, "loss": base.loss}
    return xr.Dataset(
        variables | {name: (("draw", "budget"), value) for name, value in runs.items()},
        coords={
            "flops": ("budget", budgets),
            "served_tokens": (("budget", "demand"), served),
            "law": ("draw", laws.law),
        },
    )


@checks.kinds
def data_limit(
    source: Fit | Comparison,
    flops: Sequence[float] | None,
    unique_tokens: float,
    repetition: float | np.ndarray | Fit | None = None,
    *,
    probability: float = 0.9,
    random_seed: int = 0,
) -> DataLimit:
    """Find how much larger a model should be when the data end, and from which budget on they do.

    Parameters
    ----------
    source : Fit or Comparison
        As for :func:`bayescale.allocate`. A fit of a law that has a column ``unique_tokens`` knows what repeats are
        worth.
    flops : sequence of float or None
        Budgets, in FLOP; None: 1, 10 and 100 times the largest run of the table.
    unique_tokens : float
        Tokens that there are.
    repetition : float, numpy.ndarray, Fit or None
        R_D of the law ``data_constrained``, by which repeats are worth less: a number, draws or a fit. None: no token
        is used twice.
    probability : float
        Of the credible intervals.
    random_seed : int
        Seed of the pairing of R_D with the draws.

    Returns
    -------
    DataLimit
        The best run of each budget with and without an end of the data, in every draw.

    Raises
    ------
    InputError
        If a budget, the tokens or R_D are not positive numbers, or no law has a best split.
    """
    checks.probability(probability)
    budgets = read_budgets(usual_budgets(source.runs) if flops is None else flops)
    cases = _cases(source, unique_tokens, repetition)
    laws, _ = _few(source, budgets, cases["free"], random_seed)
    runs = {case: laws.within(limits).find_best(budgets).known for case, limits in cases.items()}
    begins = laws.exhausting_flops(unique_tokens)
    draws = _of_cases(laws, runs, budgets).assign(begins=("draw", begins))
    scale = None if "repeated" not in cases else cases["repeated"].repetition
    return DataLimit(
        draws,
        float(unique_tokens),
        None if scale is None else float(np.median(np.asarray(scale))),
        laws.weights,
        probability,
        laws.runs,
        notes=(*laws.notes, *_beyond(laws, draws["N"], draws["D"])),
        doubts=tuple(_doubts(laws, draws["N"])),
    )


def _cases(
    source: Fit | Comparison, unique_tokens: float, repetition: float | np.ndarray | Fit | None
) -> dict[str, Constraints]:
    """Return the limits of each case; a law that knows what repeats are worth is told of endless data."""
    own = isinstance(source, Fit) and "unique_tokens" in source.law.covariates
    limited = Constraints(unique_tokens=unique_tokens)
    if own and repetition is not None:
        raise InputError("the law itself models repetition, by its column unique_tokens; leave repetition out")
    if own:
        endless = Constraints(unique_tokens=ENDLESS)
        return {"free": endless, "once": dataclasses.replace(limited, max_tokens=unique_tokens), "repeated": limited}
    cases = {"free": Constraints(), "once": limited}
    if repetition is not None:
        cases["repeated"] = Constraints(unique_tokens=unique_tokens, repetition=repetition)
    return cases


ENDLESS = 1e24
"""Unique tokens that no budget uses up."""


def _of_cases(laws: Mixture, runs: Mapping[str, BestRuns], budgets: np.ndarray) -> xr.Dataset:
    values = {name: np.stack([getattr(each, name) for each in runs.values()], axis=-1) for name in ("N", "D", "loss")}
    return xr.Dataset(
        {name: (("draw", "budget", "case"), value) for name, value in values.items()},
        coords={"flops": ("budget", budgets), "case": ("case", list(runs)), "law": ("draw", laws.law)},
    )


def _beyond(laws: Mixture, N: xr.DataArray, D: xr.DataArray) -> list[str]:
    """Say how far beyond the runs the law is asked."""
    flops = N.copy(data=laws.frontiers[0].per_token(N.to_numpy())) * D
    reach = float(flops.median("draw").max() / laws.runs.frame["C"].max())
    if reach <= 1:
        return []
    return [
        f"the runs of this answer reach {short(reach)} times the largest that was trained: it holds if the law does"
    ]


def _unlike(draws: xr.Dataset, runs: RunTable) -> list[str]:
    """Say where the tokens per parameter leave those of the runs."""
    ratio = float((draws["D"] / draws["N"]).median("draw").max())
    largest = float((runs.frame["D"] / runs.frame["N"]).max())
    if ratio <= largest:
        return []
    return [
        f"the answer goes up to {short(ratio)} tokens per parameter, the runs to {short(largest)}: beyond, nothing "
        "checks the law"
    ]


def _doubts(laws: Mixture, N: xr.DataArray) -> list[str]:
    failed = [
        f"{name}: {'; '.join(fitted.diagnostics.failures)}"
        for name, fitted in laws.fits.items()
        if fitted.diagnostics.failures
    ]
    lost = float(np.isnan(N.to_numpy()).mean())
    return failed + ([f"{lost:.1%} of draws have no best run inside the searched range"] if lost else [])
