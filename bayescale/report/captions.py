"""The sentence under each figure of a report: what to see in it, then how to read it."""

from collections.abc import Sequence

import numpy as np

from bayescale.comparison.comparison import Comparison
from bayescale.comparison.verdict import Verdict
from bayescale.decisions.allocation import Allocation
from bayescale.decisions.curves import IsoflopSlices, LossCurve
from bayescale.fits.fit import Fit, contraction
from bayescale.forecasts.backtesting import Backtest
from bayescale.planning.plan import Plan
from bayescale.plots.calibration import most_held_out
from bayescale.plots.decisions import Quantity
from bayescale.plots.laws import exponents as exponents_of
from bayescale.records.allocation import near_optimal
from bayescale.runs import LOST_CONDITION, RunTable, describe
from bayescale.words import count_text, nats, percent, safe_sizes, short, typed

WORDS: dict[Quantity, str] = {
    "N": "The best size goes",
    "D": "The best number of training tokens goes",
    "tokens_per_parameter": "The best tokens per parameter go",
}


def best(curve: Allocation, what: Quantity) -> str:
    """Say from where to where a best split goes, and as which power of compute."""
    flops = curve.recommended["flops"].to_numpy()
    draws = curve.optima[what].transpose("draw", "budget").to_numpy()[:, [0, -1]]
    middle = np.nanmedian(draws, axis=0)
    write = count_text if what != "tokens_per_parameter" else short
    ends = f"from {write(middle[0], 2)} to {write(middle[1], 2)}"
    see = f"{WORDS[what]} {ends} between {typed(flops[0])} and {typed(flops[-1])} FLOP"
    if flops[-1] > flops[0]:
        power = np.log(draws[:, 1] / draws[:, 0]) / np.log(flops[-1] / flops[0])
        tail = (1 - curve.probability) / 2
        low, median, high = np.nanquantile(power, [tail, 0.5, 1 - tail])
        see += f", on the whole as C to the power {median:.2f} ({low:.2f} to {high:.2f})"
    if what != "N":
        return f"{see}."
    wide = percent(curve.probability)
    return (
        f"{see}. Median with 50% and {wide} credible intervals; shaded: beyond the largest run. "
        "Diamonds have the least expected loss, off the median where the interval is skewed."
    )


def loss(source: Allocation | LossCurve, *, backtested: bool) -> str:
    """Say how low the curve gets against the runs."""
    bars = (
        "; bars are what was forecast for held-out runs from the smaller ones, noise and what the law misses included"
        if backtested
        else ""
    )
    runs = source.runs
    lowest = f"The lowest {runs.response} of a run is {short(float(runs.frame[runs.response].min()), 3)} {runs.unit}"
    if isinstance(source, LossCurve):
        return (
            f"{lowest}. The line is what {source.law} expects of runs of the usual D/N, with 50% and 90% "
            f"credible intervals{bars}."
        )
    flops = float(source.recommended["flops"].to_numpy()[-1])
    expected = float(np.median(source.optima["loss"].transpose("draw", "budget").to_numpy()[:, -1]))
    return (
        f"{lowest}; the best split of {typed(flops)} FLOP is expected to reach {short(expected, 3)} by the law. Bands "
        f"hold the law alone (50% and {percent(source.probability)} credible intervals){bars}; shaded: beyond "
        "the largest run."
    )


def other_sizes(allocation: Allocation) -> str:
    """Say which sizes cost little."""
    found = allocation.recommended.isel(budget=0)
    return (
        f"At {typed(float(found['flops']))} FLOP {safe_sizes(*near_optimal(allocation, 0))}. Farther off the cost "
        "grows fast."
    )


def slices(found: IsoflopSlices) -> str:
    """Say what to look for in slices of equal compute, or that there are no runs of like compute."""
    green = "green where a size costs little more compute than the best"
    if not found.of_runs:
        return (
            f"No runs here are of like compute, so no runs are drawn. The lines are what {found.law} expects along "
            f"{len(found.slices)} budgets inside the range of the runs, {green}."
        )
    return (
        f"Runs of like compute and the line of {found.law} at their mean; the runs should scatter evenly about it, and "
        "be lowest where it is green, at near-optimal sizes."
    )


def elpd(comparison: Comparison) -> str:
    """Say how far the best law is ahead of the next."""
    table = comparison.table
    first, second = (str(name) for name in table.index[:2])
    ahead, error = -float(table["elpd_diff"].iloc[1]), float(table["dse"].iloc[1])
    verb = "is" if bool(table["decided"].iloc[1]) else "is not decidedly"
    return (
        f"{first} {verb} ahead of {second}: {nats(ahead)} nats, standard error {nats(error)}. Shown is the difference "
        "of expected log predictive density to the best law; bars are 1 standard error of the difference."
    )


def ratio_range(verdict: Verdict) -> str:
    """Say where the split hardly matters."""
    ratios = verdict.tokens_per_parameter
    where = (
        "No ratio of tokens to parameters is safely cheap"
        if ratios.lower is None or ratios.upper is None
        else f"Between {short(ratios.lower)} and {short(ratios.upper)} tokens per parameter the split hardly matters"
    )
    return (
        f"{where}. The curve is the probability, under {verdict.split_law}, that a run of {typed(ratios.flops)} FLOP "
        f"at this D/N needs less than {percent(ratios.tolerance)} more compute than the best split. Marks below: the "
        "runs."
    )


def waste(verdict: Verdict, runs: RunTable) -> str:
    """Say what twice and ten times the wrong size cost, and where the prior says so rather than the runs."""
    said = "; ".join(
        f"{each.factor:g} times too small {percent(each.too_small.median, 2)}, too large "
        f"{percent(each.too_large.median, 2)}"
        for each in verdict.waste
    )
    prior = ""
    if not describe(runs).condition <= LOST_CONDITION:
        prior = " N and D move together in these runs, so these costs come from the prior, not from the runs."
    return (
        f"Extra compute of a wrong size: {said} (medians). The curve is flat near the best size and steep far from it."
        f"{prior}"
    )


def exponents(fits: Sequence[Fit]) -> str:
    """Say how many exponents the runs tell."""
    contractions = [contraction(fitted).get(name, np.nan) for fitted in fits for name in exponents_of(fitted.law)]
    known = int(np.sum(np.array(contractions) >= 0.5))
    return (
        f"The runs, rather than the prior, determine {known} of {len(contractions)} exponents "
        "(contraction of at least 0.5). "
        "Posterior medians with 50% and 90% credible intervals, on the 90% interval of the prior (grey; it may run "
        "off the figure), beside published values. Exponents are the same at both scales."
    )


def given_prior(fitted: Fit, name: str, own: Fit | None) -> str:
    """Say what the prior by hand is, what it replaced, and where the posterior went."""
    law = fitted.law
    middle = short(float(np.median(fitted.draws[name])), 3)
    with_own = f"; with the law's own prior it is {short(float(np.median(own.draws[name])), 3)}" if own else ""
    return (
        f"The prior of {name} of {law.name} was given by hand: {law.priors[name]}, in place of {law.replaced[name]}. "
        f"The median of the posterior is {middle}{with_own}. Densities at a typical run, smoothed from draws."
    )


def check(fitted: Fit, words: str) -> str:
    """Say how far runs lie from a law, and which lies farthest."""
    draws = fitted.data["posterior_predictive"]["log_response"].to_numpy()
    off = np.expm1(fitted.data["observed_data"]["log_response"].to_numpy() - np.median(draws, axis=(0, 1)))
    worst = int(np.argmax(np.abs(off)))
    name = fitted.runs.frame["run"].iloc[worst] if "run" in fitted.runs.frame else f"in row {worst + 1}"
    side = "above" if off[worst] > 0 else "below"
    ratio = float(fitted.runs.frame["D"].iloc[worst] / fitted.runs.frame["N"].iloc[worst])
    trend = " A trend would mean that the law is wrong there." if words == "compute" else ""
    usual, most = percent(float(np.median(np.abs(off))), 2), percent(abs(float(off[worst])), 2)
    return (
        f"By {words}: half of the runs lie within {usual} of what {fitted.law.name} expects; farthest is run {name}, "
        f"{most} {side} it, at {short(ratio)} tokens per parameter.{trend}"
    )


def pareto_k(comparison: Comparison) -> str:
    """Say how many runs sway the posterior too much."""
    high = sum(int((loo.pareto_k.to_numpy() > loo.good_k).sum()) for loo in comparison.pointwise.values())
    count = sum(loo.pareto_k.size for loo in comparison.pointwise.values())
    said = "No run lies" if high == 0 else f"{high} of {count} marks lie"
    return f"{said} beyond the limit, where a run sways the posterior too much for its elpd to be trusted."


def calibration() -> str:
    """Say how to read coverage by reach."""
    return (
        "Coverage by how far beyond the fitted runs the forecasts reached. Bars are 90% intervals by the number of "
        "different runs; forecasts from one fit share their errors, so these bars are probably too short."
    )


def held_out(backtest: Backtest, method: str) -> str:
    """Say how many intervals of the largest held-out part held."""
    points = most_held_out(backtest, method)
    held = int(points["inside_90"].sum())
    return (
        f"{held} of {len(points)} held-out runs lie inside the interval that {points['law'].iloc[0]} forecast from the "
        "smaller runs, for the threshold that held out most."
    )


def plan(found: Plan) -> str:
    """Say what the next runs are for."""
    if found.runs.empty:
        return "No candidate takes anything away of what the plan is to lower."
    first = found.runs.iloc[0]
    return (
        f"The most informative run per FLOP has {count_text(float(first['N']), 2)} parameters and "
        f"{count_text(float(first['D']), 2)} tokens. Numbers give the order, areas what each run adds."
    )
