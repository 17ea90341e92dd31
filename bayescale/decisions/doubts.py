"""What a reader must know of an allocation, and what the diagnostics hold against it."""

import numpy as np
import xarray as xr

from bayescale.decisions.disagreement import minima_notes
from bayescale.decisions.mixture import Mixture
from bayescale.decisions.slice_price import slice_notes, slice_price
from bayescale.errors import InputError
from bayescale.fits.diagnostics import check_draws
from bayescale.fits.fit import Fit
from bayescale.forecasts.track_record import coverage_earned, size_coverage_earned
from bayescale.laws.measured import MeasuredCost
from bayescale.runs import LOST_CONDITION, WEAK_CONDITION, RunTable, describe
from bayescale.runs.costs import COVARIATES
from bayescale.runs.description import split_problem
from bayescale.splits.constraints import Constraints
from bayescale.splits.search import best_runs, searches
from bayescale.words import percent, short

UNSPENT = 1e-3
"""Part of a budget that must be left over to be reported."""

BESIDE = 1.05
"""Sizes and shapes this close to those of the runs are theirs."""

SAME_SHAPE = 0.02
"""Active parameters within this of a power of N are another name of the same size."""

UNSURE = 0.05
"""Standard error of the cost of a token from which it is told."""

FEW_LOST = 0.01
"""Part of the draws that may have no best split before an answer is doubtful."""

FEW_VALUES = 50
"""Of ln N*, as of a ladder or at a limit: what is known of so few values is no question of mixing."""


def notes_of(mixture: Mixture, recommended: xr.Dataset, training: np.ndarray, probability: float) -> list[str]:
    """Return what a reader must know of the recommended runs.

    Parameters
    ----------
    mixture : Mixture
        The laws.
    recommended : xarray.Dataset
        As in :class:`bayescale.Allocation`.
    training : numpy.ndarray
        FLOP of training them, without serving (budget,).
    probability : float
        Of the credible intervals.
    """
    return [
        *_beyond_data(training, mixture.runs),
        *_limit_notes(recommended, mixture.constraints, mixture.runs),
        *_cost_notes(mixture, recommended),
        *minima_notes(mixture.fits, mixture.weights, training, probability),
        *slice_notes(slice_price(mixture, training, probability), probability),
    ]


def doubts_of(mixture: Mixture, flops: np.ndarray, probability: float) -> list[str]:
    """Return what the diagnostics hold against each law's numbers at the smallest and the largest budget."""
    ends = np.unique([flops.min(), flops.max()])
    return [
        each for fitted in mixture.fits.values() for each in _doubts(fitted, ends, mixture.constraints, probability)
    ]


def design_doubts(runs: RunTable) -> list[str]:
    """Refuse runs that cannot distinguish N from D, and say so of runs that hardly can."""
    design = describe(runs)
    if not design.condition <= LOST_CONDITION:
        why, remedy = split_problem(runs) or ("N or D is missing", "add the column")
        raise InputError(
            f"{runs.name}: these runs cannot distinguish the effect of N from that of D, so no split follows: {why}",
            f"to change that: {remedy}",
        )
    if design.condition > WEAK_CONDITION:
        condition = short(design.condition)
        return [f"these runs barely distinguish N from D (condition number {condition}): the prior decides much"]
    return []


def _beyond_data(budgets: np.ndarray, runs: RunTable) -> list[str]:
    smallest, largest = float(runs.frame["C"].min()), float(runs.frame["C"].max())
    notes = []
    if budgets.max() > largest:
        reach = budgets.max() / largest
        notes += [
            f"budgets reach {short(reach)} times the largest run ({short(largest)} FLOP): "
            f"{size_coverage_earned(reach)}",
            f"forecasts of the loss so far out: {coverage_earned(reach)}",
        ]
    if budgets.min() < smallest:
        notes.append(
            f"budgets go down to {short(budgets.min() / smallest)} of the smallest run ({short(smallest)} FLOP), where "
            "no run checks the law"
        )
    return notes


def _limit_notes(recommended: xr.Dataset, constraints: Constraints, runs: RunTable) -> list[str]:
    """Say what limits leave unspent, where no run checks the law, and what repeats rest on."""
    notes = []
    left = 1 - recommended["flops_used"] / recommended["flops"]
    notes += [
        f"the limits leave {percent(part, 2)} of {short(budget)} FLOP unspent: more compute does not help within them"
        for part, budget in zip(left.to_numpy(), recommended["flops"].to_numpy(), strict=True)
        if part > UNSPENT
    ]
    ratio = (recommended["D"] / recommended["N"]).to_numpy()
    own = (runs.frame["D"] / runs.frame["N"]).to_numpy()
    if ratio.max() > own.max() or ratio.min() < own.min():
        notes.append(
            f"recommended are {_between(ratio)} tokens per parameter, the runs have {short(own.min())} to "
            f"{short(own.max())}: where they have none, nothing checks the law"
        )
    if constraints.repetition is not None:
        notes.append(
            f"repeated tokens are weighed by R_D = {short(constraints.typical_repetition)}; published and refitted "
            "values differ several times, and beyond 4 epochs the choice rests on this number"
        )
    return notes


def _cost_notes(mixture: Mixture, recommended: xr.Dataset) -> list[str]:
    """Say where the cost of a token is not known from runs of such models."""
    cost, notes = mixture.cost, []
    N = recommended["N"].to_numpy()
    if isinstance(cost, MeasuredCost):
        low, high = cost.curve.sizes
        outside = N[(low / BESIDE > N) | (high * BESIDE < N)]
        if outside.size:
            notes.append(
                f"the cost of a token is known from models of {short(low)} to {short(high)} parameters; of "
                f"{_between(outside)} it is carried on"
            )
        error = max(float(cost.curve.error(N, each.columns).max()) for each in mixture.frontiers)
        if error > UNSURE:
            notes.append(f"the cost of a token at these sizes is known to {percent(error, 2)} only (standard error)")
        notes += [
            f"the models recommended have the {name} that is usual in the table at their size"
            for name in cost.curve.usual
            if name not in mixture.frontiers[0].columns
        ]
    return notes + _convention_notes(mixture, N) + _shape_notes(mixture) + _idle_notes(mixture)


def _convention_notes(mixture: Mixture, N: np.ndarray) -> list[str]:
    """Say how many parameters work on each token, where the laws are fitted to all of them and the table has both."""
    frame = mixture.runs.frame
    covariates = {name for fitted in mixture.fits.values() for name in fitted.law.covariates}
    if "active_N" not in frame or "active_N" in covariates or not (frame["active_N"] < frame["N"]).any():
        return []
    log_N, log_active = (np.log(frame[name].to_numpy(dtype=float)) for name in ("N", "active_N"))
    usual = np.polyfit(log_N, log_active, 1)
    active = np.exp(np.polyval(usual, np.log(N)))
    alike = np.std(log_active - np.polyval(usual, log_N)) < SAME_SHAPE
    rest = (
        "laws of either size say the same"
        if alike
        else "the share differs between models of one size: `compare` says which of them predicts better as N"
    )
    return [
        f"the laws are fitted to N, all parameters; of the recommended {_between(N)} about {_between(active)} work on "
        f"each token, as in these runs; {rest}"
    ]


def _shape_notes(mixture: Mixture) -> list[str]:
    """Say which columns of the models offered lie outside those of the runs."""
    notes, frame = [], mixture.runs.frame
    for name in (each for each in mixture.frontiers[0].columns if each in COVARIATES and each in frame):
        offered = np.array([each.columns[name] for each in mixture.frontiers])
        low, high = float(frame[name].min()), float(frame[name].max())
        beyond = offered[(offered < low / BESIDE) | (offered > high * BESIDE)]
        if beyond.size:
            notes.append(
                f"{name} {_between(beyond)} lies outside that of the runs ({short(low)} to {short(high)}): nobody "
                "trained such a shape, so it is extrapolation"
            )
    return notes


def _idle_notes(mixture: Mixture) -> list[str]:
    """Say which columns of the models offered change nothing: neither a law nor the cost of a token has them."""
    used = {name for fitted in mixture.fits.values() for name in fitted.law.covariates}
    if isinstance(mixture.cost, MeasuredCost):
        used |= set(mixture.cost.curve.usual)
    return [
        f"{name} changes nothing here: the laws do not have it, and what a token costs in these runs does not depend "
        "on it"
        for name in mixture.frontiers[0].columns
        if name not in used
    ]


def _between(values: np.ndarray) -> str:
    low, high = short(float(values.min())), short(float(values.max()))
    return low if low == high else f"{low} to {high}"


def _doubts(fitted: Fit, ends: np.ndarray, constraints: Constraints, probability: float) -> list[str]:
    """Say what the diagnostics hold against this law's numbers, reported quantities included."""
    best = best_runs(searches(fitted, fitted.draws, constraints), ends)
    posterior = fitted.data["posterior"]
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    quantities = {}
    for i, budget in enumerate(ends):
        located = best.located[:, i]
        log_N, loss = (_of_located(values[:, i], located) for values in (np.log(best.N), best.loss))
        for what, values in (("ln N*", log_N), ("loss", loss)):
            if what == "loss" or _spreads(values, probability):
                quantities[f"{what} at {short(budget, 3)} FLOP"] = (("chain", "draw"), values.reshape(shape))
    failures = [*fitted.diagnostics.failures, *check_draws(xr.Dataset(quantities), probability)]
    lost = int((~best.located).any(axis=1).sum())
    if lost > FEW_LOST * len(best.located):
        failures.append(f"{lost} of {len(best.located)} draws have no best split inside the searched range of D/N")
    return [f"{fitted.law.name}: {'; '.join(dict.fromkeys(failures))}"] if failures else []


def _of_located(values: np.ndarray, located: np.ndarray) -> np.ndarray:
    """Return values (draw,), NaN for draws without a best split; few of them are no matter, and have the median."""
    few = 0 < (~located).sum() <= FEW_LOST * located.size
    return np.where(located, values, np.median(values[located]) if few else np.nan)


def _spreads(values: np.ndarray, probability: float) -> bool:
    """Return whether a quantity has an interval: at a limit, and on a ladder, N* has nothing to converge to."""
    low, high = np.quantile(values, [(1 - probability) / 2, (1 + probability) / 2])
    return bool(low != high) and len(np.unique(values)) > FEW_VALUES
