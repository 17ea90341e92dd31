"""allocate: how to split a compute budget between parameters and tokens, within limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.decisions.minima import minima_notes
from bayescale.decisions.mixture import averaged
from bayescale.decisions.regret import Averages, Posed, average
from bayescale.decisions.table import allocation_table
from bayescale.decisions.targets import forecasts, reach, run_reaches
from bayescale.errors import InputError
from bayescale.fits.diagnostics import check_draws
from bayescale.fits.fit import Fit
from bayescale.forecasts.track_record import coverage_earned
from bayescale.runs import LOST_CONDITION, WEAK_CONDITION, RunTable, describe
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.splits.search import BestRuns, best_runs, cheapest_runs, exhausting_flops, searches
from bayescale.values import Value
from bayescale.words import percent, short

USUAL_REACH = 1000.0
"""How far beyond the largest run a law must have a best split where the budget is not known yet."""

UNSPENT = 1e-3
"""Part of a budget that must be left over to be told."""

FEW_VALUES = 50
"""Of ln N*, as of a ladder or at a limit: what is known of so few values is no question of mixing."""

COMPARED = 40_000
"""Draws times budgets for which the model that is cheapest to train is sought too: enough for its interval."""


@dataclass(frozen=True, eq=False, repr=False)
class Allocation(Value):
    """How to split compute budgets, under every posterior draw and on average.

    Attributes
    ----------
    optima : xarray.Dataset
        ``N``, ``D`` (repeats counted), ``tokens_per_parameter``, ``loss`` (the law's own) and ``flops_used`` at the
        best run of each draw (draw, budget), a variable for each further column that is chosen, ``epochs`` where unique
        tokens are limited, and ``forecast``, the loss of one run there with what the law misses and the noise of single
        runs (forecast_draw, budget); coordinates ``flops`` (budget) and ``law`` (draw).
    recommended : xarray.Dataset
        The run of least expected loss (budget): ``N``, ``D``, ``flops_used``, ``expected_loss``, ``expected_regret``
        (loss above each draw's own optimum, among the same choices), ``high_regret`` (that which one draw in twenty
        exceeds), ``near_low`` and ``near_high`` (the N of the near-optimal set; with ``_D`` their tokens),
        ``within_low`` and ``within_high`` (the N whose expected loss is at most a part above the least; budget, part),
        ``option`` (place in ``options``),
        ``spread`` (variance of ln N*), ``spread_by_law`` (the share of it that lies between laws) and
        ``extrapolation`` (training compute over the largest C of the runs).
    regret : xarray.Dataset
        ``N``, ``D``, ``expected_regret`` and ``high_regret`` of other splits (budget, candidate); of a ladder those of
        its sizes.
    options : xarray.Dataset
        Of each combination of further columns that was offered (budget, option): the best ``N`` on average,
        ``expected_loss``, ``expected_regret``, and the ``probability`` that it is the best.
    binding : xarray.Dataset
        Of each limit (budget, limit): ``probability`` that the best run lies at it, and whether the ``recommended`` one
        does.
    ladder : xarray.Dataset or None
        Of each allowed size (budget, size): ``probability`` that it is best, ``D``, ``expected_regret`` and
        ``high_regret``.
    targets : xarray.Dataset or None
        Where a loss was asked for, the cheapest run that reaches it: ``N``, ``D`` and ``flops`` of each draw
        (draw, budget; NaN, and infinite FLOP, where none does), ``probability`` that some run does, that of the
        recommended run by the law (``law_reaches``) and as one run (``run_reaches``), and the cheapest run that the law
        lets reach it with the probability of the intervals, ``assured_N``, ``assured_D`` and ``assured_flops``
        (budget); coordinate ``target_loss``.
    serving : xarray.Dataset or None
        Where tokens are served, the model that is cheapest to train to the same loss: ``N``, ``D``, and the part of all
        compute that the best run ``saved`` against it (serving_draw, budget).
    exhausted : xarray.Dataset or None
        Where tokens are limited, the ``flops`` of each draw from which on all of them are used, NaN where there is no
        such budget (draw,); attributes ``tokens``, and whether these are ``repeated``: else only a larger model helps.
    constraints : Constraints
        What limited the choice.
    weights : mapping of str to float
        Weight of each law in the average; they sum to 1.
    averaged : bool
        Whether the laws of a comparison were averaged, even where one alone is left; else one law was asked for.
    tolerance : float
        Extra compute that the near-optimal set may cost, against the recommended split.
    probability : float
        Of the credible intervals.
    runs : RunTable
        The runs behind the fits.
    notes : tuple of str
        What a reader must know of these numbers.
    doubts : tuple of str
        What the diagnostics hold against them; empty when every check passed.
    """

    optima: xr.Dataset
    recommended: xr.Dataset
    regret: xr.Dataset
    options: xr.Dataset
    binding: xr.Dataset
    ladder: xr.Dataset | None
    targets: xr.Dataset | None
    serving: xr.Dataset | None
    exhausted: xr.Dataset | None
    constraints: Constraints
    weights: Mapping[str, float]
    averaged: bool
    tolerance: float
    probability: float
    runs: RunTable
    notes: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row for each budget.

        ``flops``; the recommended ``N``, ``D`` and ``tokens_per_parameter``, each with the credible interval of the
        best one, such as ``N_lower`` and ``N_upper``; ``loss``, the median of the law's own loss at each draw's best
        run, with its interval; ``expected_loss`` and ``expected_regret`` of the recommended run; ``forecast``, the
        median loss of one run there, noise and what the law misses included, with its interval; and ``extrapolation``,
        training compute over the largest C of the runs. Losses are in the unit of the runs.
        """
        return allocation_table(self.optima, self.recommended, self.probability)

    def _lines(self) -> list[str]:
        unit = f" {self.runs.unit}" if self.runs.unit else ""
        return [
            f"For {short(row.flops, 3)} FLOP train {short(row.N, 3)} parameters on {short(row.D, 3)} tokens "
            f"({short(row.N_lower)} to {short(row.N_upper)} parameters, {percent(self.probability)}); "
            f"loss {short(row.forecast, 3)}{unit}"
            for row in self.table.itertuples()
        ]

    def _shown(self) -> pd.DataFrame:
        return self.table


def allocate(
    source: Fit | Comparison,
    flops: Sequence[float] | None = None,
    *,
    target_loss: Sequence[float] | float | None = None,
    constraints: Constraints = UNLIMITED,
    probability: float = 0.9,
    tolerance: float = 0.05,
    random_seed: int = 0,
) -> Allocation:
    """Split compute budgets between parameters and tokens, or find the smallest budget that reaches a loss.

    Parameters
    ----------
    source : Fit or Comparison
        A fit of a law of N, D and columns that the constraints give, or a comparison, whose laws are averaged by their
        stacking weights, without those that are decidedly worse than the best law with a split.
    flops : sequence of float, optional
        Budgets, in FLOP, for training and serving.
    target_loss : float or sequence of float, optional
        Losses to reach with the least compute, in the unit of the runs; instead of budgets.
    constraints : Constraints
        What limits N and D, and what is served.
    probability : float
        Of the credible intervals.
    tolerance : float
        The near-optimal set holds every N that costs, on average, no more than this part of extra compute
        beyond the recommended split.
    random_seed : int
        Seed of the noise in forecasts of single runs.

    Returns
    -------
    Allocation
        The optimum of each draw, the split of least expected loss, its regret and the near-optimal set. Of a loss: the
        same for the budget with which the expected loss reaches it, and the cheapest run of each draw.

    Raises
    ------
    InputError
        If both budgets and losses are given, or neither; a value cannot be used; the limits leave no run; a loss is out
        of reach; no law has a best split; or the runs cannot tell N from D.
    """
    checks.probability(probability)
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance is {tolerance}; expected a part of the budget between 0 and 1, such as 0.05")
    budgets, losses = _wanted(flops, target_loss)
    laws = averaged(source, _usual(source, budgets), constraints, random_seed)
    runs = next(iter(laws.fits.values())).runs
    notes = [*laws.notes, *_design_doubts(runs)]
    targets, bought = (None, []) if losses is None else reach(laws.posed, losses, probability)
    budgets = budgets if losses is None else np.array([each.flops for each in bought])
    for candidates in next(iter(laws.posed.values())):
        candidates.frontier.check(budgets)
    posed, choice = _located(laws.posed, budgets)
    averages = average(posed, budgets, choice, tolerance)
    recommended = averages.recommended
    recommended.update(_spread(posed, choice))
    training = _training_flops(posed, recommended)
    recommended["extrapolation"] = "budget", training / runs.frame["C"].max()
    optima = _optima(posed, choice, budgets)
    optima["forecast"] = ("forecast_draw", "budget"), forecasts(laws, budgets)
    if targets is not None and losses is not None:
        targets["run_reaches"] = "budget", run_reaches(laws, recommended, losses)
    notes += [*_beyond_data(training, runs), *_limit_notes(recommended, constraints, runs)]
    notes += minima_notes(laws.fits, laws.weights, training, probability)
    doubts = [each for fitted in laws.fits.values() for each in _doubts(fitted, budgets, constraints, probability)]
    return Allocation(
        optima,
        recommended,
        averages.regret,
        averages.options,
        binding=_binding(posed, choice, recommended),
        ladder=_ladder(choice, averages, constraints),
        targets=targets,
        serving=_serving(posed, choice) if constraints.inference_tokens else None,
        exhausted=_exhausted(posed, recommended),
        constraints=constraints,
        weights=laws.weights,
        averaged=isinstance(source, Comparison),
        tolerance=tolerance,
        probability=probability,
        runs=runs,
        notes=tuple(notes),
        doubts=tuple(doubts),
    )


def _wanted(
    flops: Sequence[float] | None, target_loss: Sequence[float] | float | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return budgets or losses to reach, whichever is given."""
    if (flops is None) == (target_loss is None):
        found = "neither" if flops is None else "both"
        raise InputError(f"expected budgets (flops) or losses to reach (target_loss), one of them; found {found}")
    if flops is not None:
        return checks.budgets(flops), None
    return np.empty(0), checks.several("target_loss", target_loss, "losses to reach, such as 2.1")


def _usual(source: Fit | Comparison, budgets: np.ndarray) -> np.ndarray:
    """Return budgets at which laws must have a best split: those asked for, or some from the largest run on."""
    if budgets.size:
        return budgets
    runs = source.runs
    if "C" not in runs.frame:
        raise InputError(f"{runs.name}: the compute of a loss is asked for, but the table has no C")
    return np.asarray(runs.frame["C"].max() * np.array([1.0, USUAL_REACH]))


def _design_doubts(runs: RunTable) -> list[str]:
    """Refuse runs that cannot tell N from D, and say so of runs that hardly can."""
    design = describe(runs)
    if not design.condition <= LOST_CONDITION:
        raise InputError(
            f"{runs.name}: these runs cannot tell the effect of N from that of D, so no split follows from them; "
            f"{' '.join(design.cannot)}"
        )
    if design.condition > WEAK_CONDITION:
        return [f"these runs hardly tell N from D (condition number {short(design.condition)}): the prior decides much"]
    return []


def _beyond_data(budgets: np.ndarray, runs: RunTable) -> list[str]:
    smallest, largest = float(runs.frame["C"].min()), float(runs.frame["C"].max())
    notes = []
    if budgets.max() > largest:
        notes.append(
            f"budgets reach {short(budgets.max() / largest)} times the largest run ({short(largest)} FLOP); intervals "
            "of N, D and D/N hold if the law goes on to hold; of the loss of one run, "
            f"{coverage_earned(budgets.max() / largest)}"
        )
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


def _between(values: np.ndarray) -> str:
    low, high = short(float(values.min())), short(float(values.max()))
    return low if low == high else f"{low} to {high}"


def _located(posed: Posed, budgets: np.ndarray) -> tuple[Posed, BestRuns]:
    """Keep the draws that have a best run for every budget; what is lost is told among the doubts."""
    kept, choices = {}, []
    for name, options in posed.items():
        choice = best_runs(options, budgets)
        own = choice.located.all(axis=1)
        kept[name] = [each.take(own) for each in options]
        choices.append(choice.take(own))
    return kept, BestRuns.joined(choices)


def _optima(posed: Posed, choice: BestRuns, budgets: np.ndarray) -> xr.Dataset:
    dims = ("draw", "budget")
    variables = {name: getattr(choice, name) for name in ("N", "D", "loss")}
    variables |= {"tokens_per_parameter": choice.D / choice.N, "flops_used": choice.flops}
    options = next(iter(posed.values()))
    limits = options[0].frontier.limits
    for name in limits.offered:
        if name in options[0].frontier.columns:
            variables[name] = np.array([each.frontier.columns[name] for each in options])[choice.option]
    if limits.unique_tokens is not None:
        variables["epochs"] = choice.D / limits.unique_tokens
    law = np.concatenate([np.full(options[0].count, name) for name, options in posed.items()])
    return xr.Dataset(
        {name: (dims, values) for name, values in variables.items()},
        coords={"flops": ("budget", budgets), "law": ("draw", law)},
    )


def _spread(posed: Posed, choice: BestRuns) -> xr.Dataset:
    """Split the variance of ln N* into what lies between laws and what lies within them (law of total variance)."""
    log_N = np.log(choice.N)
    counts = np.array([options[0].count for options in posed.values()])
    parts = np.split(log_N, np.cumsum(counts)[:-1])
    share = counts / counts.sum()
    within = share @ np.array([part.var(axis=0) for part in parts])
    centers = np.array([part.mean(axis=0) for part in parts])
    between = share @ (centers - share @ centers) ** 2
    total = within + between
    by_law = between / np.where(total > 0, total, 1.0)
    return xr.Dataset({"spread": ("budget", total), "spread_by_law": ("budget", by_law)})


def _training_flops(posed: Posed, recommended: xr.Dataset) -> np.ndarray:
    """Return what training the recommended runs costs, without serving (budget,)."""
    options = next(iter(posed.values()))
    N, D, option = (recommended[name].to_numpy() for name in ("N", "D", "option"))
    return np.array(
        [float(options[k].frontier.per_token(np.asarray(n)) * d) for n, d, k in zip(N, D, option, strict=True)]
    )


def _binding(posed: Posed, choice: BestRuns, recommended: xr.Dataset) -> xr.Dataset:
    frontier = next(iter(posed.values()))[0].frontier
    draws = frontier.binding(choice.N, choice.D)
    chosen = frontier.binding(recommended["N"].to_numpy(), recommended["D"].to_numpy())
    shape = (recommended.sizes["budget"], 0)
    probability = np.stack([each.mean(axis=0) for each in draws.values()], axis=1) if draws else np.empty(shape)
    lies_at = np.stack(list(chosen.values()), axis=1) if chosen else np.empty(shape, dtype=bool)
    dims = ("budget", "limit")
    return xr.Dataset(
        {"probability": (dims, probability), "recommended": (dims, lies_at)},
        coords={"flops": recommended["flops"], "limit": ("limit", list(draws))},
    )


def _ladder(choice: BestRuns, averages: Averages, constraints: Constraints) -> xr.Dataset | None:
    """Return how good each allowed size is."""
    if not constraints.sizes:
        return None
    sizes = np.array(constraints.sizes)
    probability = np.stack([np.isclose(choice.N, size, rtol=1e-9).mean(axis=0) for size in sizes], axis=1)
    ladder = averages.regret[["D", "expected_regret", "high_regret"]].rename(candidate="size")
    ladder["probability"] = ("budget", "size"), probability
    return ladder.assign_coords(size=sizes)


def _serving(posed: Posed, choice: BestRuns) -> xr.Dataset:
    """Compare the best runs with the models that are cheapest to train to the same loss."""
    step = -(-choice.N.size // COMPARED)
    counts = [options[0].count for options in posed.values()]
    parts = [np.split(values, np.cumsum(counts)[:-1]) for values in (choice.loss, choice.flops, choice.N, choice.D)]
    found = []
    for options, loss, flops, N, D in zip(posed.values(), *parts, strict=True):
        few = np.arange(0, len(loss), step)
        if few.size:
            training = [each.take(few).with_serving(0.0) for each in options]
            most = np.max([each.frontier.total(N[few], D[few]) for each in training], axis=0)
            cheap = cheapest_runs(training, loss[few], most)
            served = [each.frontier for each in options]
            cost = np.stack([each.total(cheap.N, cheap.D) for each in served])
            whole = np.take_along_axis(cost, cheap.option[None], axis=0)[0]
            found.append((cheap.N, cheap.D, 1 - flops[few] / whole, cheap.located))
    N, D, saved, located = (np.concatenate(each) for each in zip(*found, strict=True))
    dims = ("serving_draw", "budget")
    values = {"N": N, "D": D, "saved": saved}
    return xr.Dataset({name: (dims, np.where(located, each, np.nan)) for name, each in values.items()})


def _exhausted(posed: Posed, recommended: xr.Dataset) -> xr.Dataset | None:
    """Return the budget of each draw from which on all tokens are used, with the columns recommended most."""
    frontier = next(iter(posed.values()))[0].frontier
    given = [each for each in (frontier.limits.unique_tokens, frontier.limits.max_tokens) if each is not None]
    if not given:
        return None
    option = int(np.bincount(recommended["option"].to_numpy()).argmax())
    flops = np.concatenate([exhausting_flops(options[option], min(given)) for options in posed.values()])
    return xr.Dataset({"flops": ("draw", flops)}, attrs={"tokens": min(given), "repeated": frontier.cap > min(given)})


def _doubts(fitted: Fit, budgets: np.ndarray, constraints: Constraints, probability: float) -> list[str]:
    """Say what the diagnostics hold against this law's numbers, reported quantities included."""
    ends = np.unique([budgets.min(), budgets.max()])
    choice = best_runs(searches(fitted, fitted.draws, constraints), ends)
    posterior = fitted.data["posterior"]
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    quantities = {}
    for i, budget in enumerate(ends):
        located = choice.located[:, i]
        log_N = np.where(located, np.log(choice.N[:, i]), np.nan)
        loss = np.where(located, choice.loss[:, i], np.nan)
        for what, values in (("ln N*", log_N), ("loss", loss)):
            if what == "loss" or _spreads(values, probability):
                quantities[f"{what} at {short(budget, 3)} FLOP"] = (("chain", "draw"), values.reshape(shape))
    failures = [*fitted.diagnostics.failures, *check_draws(xr.Dataset(quantities), probability)]
    outside = 1 - choice.located.mean()
    if outside > 0:
        failures.append(f"{outside:.1%} of draws have no best split inside the searched range of D/N")
    return [f"{fitted.law.name}: {'; '.join(dict.fromkeys(failures))}"] if failures else []


def _spreads(values: np.ndarray, probability: float) -> bool:
    """Return whether a quantity has an interval: at a limit, and on a ladder, N* has nothing to converge to."""
    low, high = np.quantile(values, [(1 - probability) / 2, (1 + probability) / 2])
    return bool(low != high) and len(np.unique(values)) > FEW_VALUES
