"""allocate: how to split a compute budget between parameters and tokens, within limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.decisions.budgets import usual_budgets
from bayescale.decisions.doubts import design_doubts, doubts_of, notes_of
from bayescale.decisions.mixture import Mixture, mixture
from bayescale.decisions.own_cost import own_cost
from bayescale.decisions.regret import Averages, average
from bayescale.decisions.single_runs import forecasts, run_reaches
from bayescale.decisions.table import allocation_table
from bayescale.decisions.targets import reach
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.hardware import read_budgets
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import TokenCost
from bayescale.runs import RunTable
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.splits.search import BestRuns, chosen
from bayescale.values import Value, folded
from bayescale.words import count_text, percent, short, typed

USUAL_REACH = 1000.0
"""How far beyond the largest run a law must have a best split where the budget is not known yet."""

SHOWN = ("flops", "N", "D", "tokens_per_parameter", "forecast", "expected_regret", "extrapolation")
"""Columns of an allocation's table that a notebook shows, each interval with its median."""

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
        exceeds), ``extra_compute`` and ``high_extra_compute`` (that as a part of the budget: median over draws, and
        what one draw in twenty exceeds), ``near_low`` and ``near_high`` (the near-optimal sizes: with the probability,
        every N between them costs less extra compute than the tolerance; NaN where none does; ``_D``: their tokens),
        ``option`` (place in ``options``),
        ``spread`` (variance of ln N*), ``spread_by_law`` (the share of it that lies between laws) and
        ``extrapolation`` (training compute over the largest C of the runs).
    regret : xarray.Dataset
        ``N``, ``D``, ``expected_regret``, ``high_regret``, ``extra_compute`` and ``high_extra_compute`` of other splits
        (budget, size); of a ladder those of its sizes.
    options : xarray.Dataset
        Of each combination of further columns that was offered (budget, option): the best ``N`` on average,
        ``expected_loss``, ``expected_regret``, the ``extra_compute`` that this is worth, and the ``probability`` that
        it is the best.
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
        What limited the best.
    weights : mapping of str to float
        Weight of each law in the average; they sum to 1.
    averaged : bool
        Whether the laws of a comparison were averaged, even where one alone is left; else one law was asked for.
    tolerance : float
        Extra compute that a near-optimal size may cost, against knowing the best one.
    probability : float
        Of the credible intervals.
    runs : RunTable
        The runs behind the fits.
    notes : tuple of str
        What a reader must know of these numbers.
    doubts : tuple of str
        What the diagnostics hold against them; empty when every check passed.
    cost : Cost or MeasuredCost
        How budgets are spent: ``6 N D``, the law's own count, or this table's own FLOP per token.
    random_seed : int
        Seed of what was drawn.
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
    cost: TokenCost = DENSE
    random_seed: int = 0

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
            f"For {typed(row.flops)} FLOP train {count_text(row.N)} parameters on {count_text(row.D)} tokens "
            f"({count_text(row.N_lower, 2)} to {count_text(row.N_upper, 2)} parameters, {percent(self.probability)}); "
            f"loss {short(row.forecast, 3)}{unit}"
            for row in self.table.itertuples()
        ]

    def _shown(self) -> pd.DataFrame:
        return folded(self.table)[list(SHOWN)]


@checks.kinds
def allocate(
    source: Fit | Comparison,
    flops: Sequence[float | str] | None = None,
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
        Budgets, in FLOP, for training and serving; text such as ``"1e22"`` is read as on the command line. By default,
        where no losses are given either, 1, 10 and 100 times the largest run of the table.
    target_loss : float or sequence of float, optional
        Losses to reach with the least compute, in the unit of the runs; instead of budgets.
    constraints : Constraints
        What limits N and D, and what is served.
    probability : float
        Of the credible intervals, and of the near-optimal sizes.
    tolerance : float
        Near-optimal is every N that costs, with the probability, less than this part of extra compute against knowing
        the best one.
    random_seed : int
        Seed of the noise in forecasts of single runs.

    Returns
    -------
    Allocation
        The optimum of each draw, the split of least expected loss, its regret and the near-optimal sizes. Of a loss:
        the same for the budget with which the expected loss reaches it, and the cheapest run of each draw.

    Raises
    ------
    InputError
        If both budgets and losses are given; neither is, and the table has no C; a value cannot be used; the limits
        leave no run; a loss is out of reach; no law has a best split; or the runs cannot
        distinguish N from D.
    """
    checks.probability(probability)
    checks.tolerance(tolerance)
    if flops is None and target_loss is None:
        flops = usual_budgets(source.runs)
    budgets, losses = _wanted(flops, target_loss)
    laws = mixture(source, _usual(source, budgets), constraints, random_seed=random_seed)
    notes = [*laws.notes, *design_doubts(laws.runs), *_better_counts(source)]
    targets, budgets = (None, budgets) if losses is None else reach(laws, losses, probability)
    located, best = laws.locate(budgets)
    averages = average(located, budgets, best, tolerance=tolerance, probability=probability)
    recommended = averages.recommended
    recommended.update(_spread(located, best))
    training = _training_flops(laws, recommended)
    recommended["extrapolation"] = "budget", training / laws.runs.frame["C"].max()
    optima = _optima(located, own_cost(located, best, budgets), budgets)
    optima["forecast"] = ("forecast_draw", "budget"), forecasts(laws, budgets)
    if targets is not None and losses is not None:
        targets["run_reaches"] = "budget", run_reaches(laws, recommended, losses)
    return Allocation(
        optima,
        recommended,
        averages.regret,
        averages.options,
        binding=_binding(laws, best, recommended),
        ladder=_ladder(best, averages, constraints),
        targets=targets,
        serving=_serving(located, best) if constraints.inference_tokens else None,
        exhausted=_exhausted(located, recommended),
        constraints=constraints,
        weights=laws.weights,
        averaged=isinstance(source, Comparison),
        tolerance=tolerance,
        probability=probability,
        runs=laws.runs,
        notes=(*notes, *notes_of(laws, recommended, training, probability)),
        doubts=tuple(doubts_of(laws, budgets, probability)),
        cost=laws.cost,
        random_seed=random_seed,
    )


def _better_counts(source: Fit | Comparison) -> list[str]:
    """Say which other counts of parameters would predict decidedly better as N."""
    conventions = source.conventions if isinstance(source, Comparison) else ()
    return [each.statement for each in conventions if each.decided and each.elpd_diff > 0]


def _wanted(
    flops: Sequence[float | str] | None, target_loss: Sequence[float] | float | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return budgets or losses to reach, whichever is given."""
    if flops is not None and target_loss is not None:
        raise InputError("expected budgets (flops) or losses to reach (target_loss), one of them; found both")
    if flops is not None:
        return read_budgets(flops), None
    return np.empty(0), checks.several("target_loss", target_loss, "losses to reach, such as 2.1")


def _usual(source: Fit | Comparison, budgets: np.ndarray) -> np.ndarray:
    """Return budgets at which laws must have a best split: those asked for, or some from the largest run on."""
    if budgets.size:
        return budgets
    runs = source.runs
    if "C" not in runs.frame:
        raise InputError(f"{runs.name}: the compute of a loss is asked for, but the table has no C")
    return np.asarray(runs.frame["C"].max() * np.array([1.0, USUAL_REACH]))


def _optima(mixture: Mixture, best: BestRuns, budgets: np.ndarray) -> xr.Dataset:
    dims = ("draw", "budget")
    variables = {name: getattr(best, name) for name in ("N", "D", "loss")}
    variables |= {"tokens_per_parameter": best.D / best.N, "flops_used": best.flops}
    limits, columns = mixture.constraints, [each.columns for each in mixture.frontiers]
    for name in limits.offered:
        if name in columns[0]:
            variables[name] = np.array([each[name] for each in columns])[best.option]
    if limits.unique_tokens is not None:
        variables["epochs"] = best.D / limits.unique_tokens
    return xr.Dataset(
        {name: (dims, values) for name, values in variables.items()},
        coords={"flops": ("budget", budgets), "law": ("draw", mixture.law)},
    )


def _spread(mixture: Mixture, best: BestRuns) -> xr.Dataset:
    """Split the variance of ln N* into what lies between laws and what lies within them (law of total variance)."""
    log_N = np.log(best.N)
    parts = mixture.split_by_law(log_N)
    share = np.array([len(part) for part in parts]) / len(log_N)
    within = share @ np.array([part.var(axis=0) for part in parts])
    centers = np.array([part.mean(axis=0) for part in parts])
    between = share @ (centers - share @ centers) ** 2
    total = within + between
    by_law = between / np.where(total > 0, total, 1.0)
    return xr.Dataset({"spread": ("budget", total), "spread_by_law": ("budget", by_law)})


def _training_flops(mixture: Mixture, recommended: xr.Dataset) -> np.ndarray:
    """Return what training the recommended runs costs, without serving (budget,)."""
    frontiers = mixture.frontiers
    N, D, option = (recommended[name].to_numpy() for name in ("N", "D", "option"))
    return np.array([float(frontiers[k].per_token(np.asarray(n)) * d) for n, d, k in zip(N, D, option, strict=True)])


def _binding(mixture: Mixture, best: BestRuns, recommended: xr.Dataset) -> xr.Dataset:
    frontier = mixture.frontiers[0]
    draws = frontier.binding(best.N, best.D)
    chosen = frontier.binding(recommended["N"].to_numpy(), recommended["D"].to_numpy())
    shape = (recommended.sizes["budget"], 0)
    probability = np.stack([each.mean(axis=0) for each in draws.values()], axis=1) if draws else np.empty(shape)
    lies_at = np.stack(list(chosen.values()), axis=1) if chosen else np.empty(shape, dtype=bool)
    dims = ("budget", "limit")
    return xr.Dataset(
        {"probability": (dims, probability), "recommended": (dims, lies_at)},
        coords={"flops": recommended["flops"], "limit": ("limit", list(draws))},
    )


def _ladder(best: BestRuns, averages: Averages, constraints: Constraints) -> xr.Dataset | None:
    """Return how good each allowed size is."""
    if not constraints.sizes:
        return None
    sizes = np.array(constraints.sizes)
    probability = np.stack([np.isclose(best.N, size, rtol=1e-9).mean(axis=0) for size in sizes], axis=1)
    ladder = averages.regret.drop_vars("N").copy()
    ladder["probability"] = ("budget", "size"), probability
    return ladder.assign_coords(size=sizes)


def _serving(mixture: Mixture, best: BestRuns) -> xr.Dataset:
    """Compare the best runs with the models that are cheapest to train to the same loss."""
    step = -(-best.N.size // COMPARED)
    few = np.concatenate([places[::step] for places in mixture.split_by_law(np.arange(len(best.N)))])
    serving, own = mixture.take(few), best.take(few)
    training = serving.with_serving(0.0)
    most = np.max([frontier.total(own.N, own.D) for frontier in training.frontiers], axis=0)
    cheap = training.find_cheapest(own.loss, most)
    whole = chosen([frontier.total(cheap.N, cheap.D) for frontier in serving.frontiers], cheap.option)
    values = {"N": cheap.N, "D": cheap.D, "saved": 1 - own.flops / whole}
    dims = ("serving_draw", "budget")
    return xr.Dataset({name: (dims, np.where(cheap.located, each, np.nan)) for name, each in values.items()})


def _exhausted(mixture: Mixture, recommended: xr.Dataset) -> xr.Dataset | None:
    """Return the budget of each draw from which on all tokens are used, with the columns recommended most."""
    frontier = mixture.frontiers[0]
    given = [each for each in (frontier.limits.unique_tokens, frontier.limits.max_tokens) if each is not None]
    if not given:
        return None
    option = int(np.bincount(recommended["option"].to_numpy()).argmax())
    flops = mixture.exhausting_flops(min(given), option)
    return xr.Dataset({"flops": ("draw", flops)}, attrs={"tokens": min(given), "repeated": frontier.cap > min(given)})
