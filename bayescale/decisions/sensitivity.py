"""reweigh: how far each number moves when prior or runs get more or less weight."""

import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.comparison.verdict import Verdict, tilt_draws
from bayescale.decisions.mixture import laws_that_split
from bayescale.decisions.power_scaling import power_weights, sensitivity
from bayescale.errors import InputError
from bayescale.fits.fit import LOG_PRIOR, Fit
from bayescale.fits.likelihood import density_blocks
from bayescale.fits.loo import left_out_together
from bayescale.hardware import read_budgets
from bayescale.intervals import Interval, credible_interval
from bayescale.splits.optimum import find_optimum
from bayescale.splits.ranges import ratio_ends
from bayescale.values import Value
from bayescale.words import count_text, short, typed

FACTORS = (0.5, 2.0)
"""By what the weight of the prior, or of the runs, is multiplied: halved and doubled."""

NEARER = {0.5: 0.8, 2.0: 1.25}
"""Factors whose effect is carried on where the weights of draws for halving or doubling cannot be trusted."""

STEPS = (0.99, 1.01)
"""Factors between which ArviZ takes the slope of a sensitivity."""

SENSITIVE = 0.05
"""ArviZ's threshold of a sensitivity (Kallioinen et al. 2024, section 4.1)."""

CONFLICT = "prior and runs both bear on this number, and may disagree"
PRIOR_DECIDES = "the prior decides this number"
LITTLE_TOLD = "the runs say little of this number"


@dataclass(frozen=True, eq=False, repr=False)
class Rescaled(Value):
    """A number under another weight of prior or runs.

    Attributes
    ----------
    component : str
        ``prior`` or ``likelihood``.
    factor : float
        What its weight is multiplied by: its density is raised to this power.
    interval : Interval or None
        Of the number then; None where the draws at hand do not suffice.
    pareto_k : float
        Of the importance weights of the draws.
    extrapolated : bool
        Whether the weights could not be trusted, and the effect of a change by a quarter was carried on.
    """

    component: str
    factor: float
    interval: Interval | None
    pareto_k: float
    extrapolated: bool


@dataclass(frozen=True, eq=False, repr=False)
class Shift(Value):
    """How far one number moves.

    Attributes
    ----------
    quantity : str
        What it is, such as ``N* at 5.76e23 FLOP``.
    law : str
        The law it comes from.
    unit : str
        Its unit; empty for a pure number.
    fitted : Interval
        As fitted.
    rescaled : tuple of Rescaled
        With the weight of the prior, and of the likelihood, halved and doubled.
    prior, likelihood : float
        ArviZ's power-scaling sensitivity: cumulative Jensen-Shannon distance for each doubling of the weight; of
        N, D/N and the ends of a range on their logs.
    diagnosis : str
        What these two say in words; empty when the runs decide.
    sentence : str
        All of it in words.
    """

    quantity: str
    law: str
    unit: str
    fitted: Interval
    rescaled: tuple[Rescaled, ...]
    prior: float
    likelihood: float
    diagnosis: str
    sentence: str


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Value):
    """How far each headline number moves when prior or runs get more or less weight.

    Attributes
    ----------
    shifts : tuple of Shift
        One for each number.
    probability : float
        Of the intervals.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    shifts: tuple[Shift, ...]
    probability: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Number:
    """Draws of one number, with what it is called, and whether its differences are factors."""

    quantity: str
    unit: str
    draws: np.ndarray
    factors: bool = False

    @property
    def compared(self) -> np.ndarray:
        """The draws on the scale on which distances are measured, so that N* and D/N move alike."""
        return np.log(self.draws) if self.factors else self.draws


@checks.kinds
def reweigh(
    source: Fit | Comparison, *, flops: Sequence[float], verdict: Verdict | None = None, probability: float = 0.9
) -> Sensitivity:
    """Tell how far each headline number moves when the weight of the prior, or of the runs, is halved and doubled.

    Raising the density of the prior (or of the runs) to a power gives its weight to it: at 2 the prior counts as if
    it had been learnt twice, at 1/2 half of it. The posterior under the other weight comes from the draws at hand, by
    Pareto-smoothed importance weights; nothing is fitted again. The prior is that of all free variables of the model,
    noise included, in the units they are declared in.

    Parameters
    ----------
    source : Fit or Comparison
        A fit, or a comparison, of which the laws are taken that :func:`bayescale.allocate` averages.
    flops : sequence of float
        Budgets, in FLOP, at which best size, best tokens per parameter and the law there are told. Without any, only
        the parameters of a fit are, or the numbers of a verdict.
    verdict : Verdict, optional
        A verdict on the comparison, whose tilt and range of D/N are reported too.
    probability : float
        Of the credible intervals.

    Returns
    -------
    Sensitivity
        For each number its interval under the other weights, ArviZ's sensitivities, and a sentence.

    Raises
    ------
    InputError
        If a fit was saved without its prior's densities, a law has no best split, or a verdict comes with a fit.

    References
    ----------
    Kallioinen, Paananen, Bürkner and Vehtari (2024), Stat. Comput. 34, 57.
    """
    checks.probability(probability)
    if verdict is not None and isinstance(source, Fit):
        raise InputError(f"a verdict is on a comparison; found a fit of law '{source.law.name}' alone")
    comparison = source if isinstance(source, Comparison) else None
    return sensitivity_of(_laws(source, flops), flops, probability, comparison, verdict)


def sensitivity_of(
    laws: Mapping[str, Fit],
    flops: Sequence[float],
    probability: float,
    comparison: Comparison | None,
    verdict: Verdict | None,
) -> Sensitivity:
    """Return how far the numbers of these laws move, and those of a verdict on a comparison."""
    fits = dict(laws)
    numbers = {name: [*_parameters(fitted), *_splits(fitted, flops)] for name, fitted in fits.items()}
    if verdict is not None and comparison is not None:
        for name, more in _verdict_numbers(comparison, verdict):
            fits[name] = comparison.fits[name]
            numbers.setdefault(name, []).extend(more)
    shifts = [shift for name, fitted in fits.items() for shift in _shifts(fitted, numbers[name], probability)]
    return Sensitivity(tuple(shifts), probability, tuple(_notes(shifts)))


def _laws(source: Fit | Comparison, flops: Sequence[float]) -> Mapping[str, Fit]:
    if len(flops):
        return laws_that_split(source, read_budgets(flops))[0]
    return {source.law.name: source} if isinstance(source, Fit) else {}


def _parameters(fitted: Fit) -> Iterator[_Number]:
    for name in fitted.law.parameters:
        yield _Number(name, "", fitted.draws[name])


def _splits(fitted: Fit, flops: Sequence[float]) -> Iterator[_Number]:
    """Give best size, best tokens per parameter and the law there at each budget."""
    if not len(flops):
        return
    budgets = read_budgets(flops)
    best = find_optimum(fitted.draws, budgets)
    size = best.N
    if budgets.max() > budgets.min():
        first, last = budgets.argmin(), budgets.argmax()
        rise = np.log(size[:, last] / size[:, first]) / np.log(budgets[last] / budgets[first])
        yield _Number("exponent of N* in compute", "", rise)
    for i, budget in enumerate(budgets):
        at = f"at {_rounded(budget)} FLOP"
        yield _Number(f"N* {at}", "parameters", size[:, i], factors=True)
        yield _Number(f"D/N {at}", "tokens per parameter", np.exp(best.log_ratio[:, i]), factors=True)
        yield _Number(f"{fitted.runs.response} {at}", fitted.runs.unit, best.loss[:, i])


def _verdict_numbers(comparison: Comparison, verdict: Verdict) -> Iterator[tuple[str, list[_Number]]]:
    """Give the numbers of a verdict, with the name of the law that each comes from."""
    fitted, ratios = comparison.fits[verdict.split_law], verdict.tokens_per_parameter
    low, high = np.exp(ratio_ends(fitted, np.array([ratios.flops]), ratios.tolerance)[..., 0])
    where = f"of the range of D/N at {_rounded(ratios.flops)} FLOP"
    ends = {"lower end": low, "upper end": high}
    yield (
        verdict.split_law,
        [_Number(f"{end} {where}", "tokens per parameter", draws, factors=True) for end, draws in ends.items()],
    )
    tilt, name = tilt_draws(comparison.fits[verdict.tilt_law])
    yield name, [_Number("tilt of N against D", "", tilt)]


def _rounded(flops: float) -> str:
    return typed(flops)


def _shifts(fitted: Fit, numbers: Sequence[_Number], probability: float) -> list[Shift]:
    """Tell of each number of one fit, over the draws that have them all."""
    known = np.isfinite([number.draws for number in numbers]).all(axis=0)
    parts = {name: values[known] for name, values in densities(fitted).items()}
    found = [number.draws[known] for number in numbers]
    compared = np.stack([number.compared[known] for number in numbers])
    sensed = {name: _sensed(compared, values) for name, values in parts.items()}
    weights = _all_weights(parts)
    shifts = []
    for i, (number, draws) in enumerate(zip(numbers, found, strict=True)):
        rescaled = tuple(
            _rescaled(draws, weights, component, factor, probability) for component in parts for factor in FACTORS
        )
        prior, likelihood = float(sensed["prior"][i]), float(sensed["likelihood"][i])
        told = _diagnosis(prior, likelihood)
        interval = credible_interval(draws, probability)
        words = _sentence(number, interval, rescaled, told)
        shifts.append(
            Shift(number.quantity, fitted.law.name, number.unit, interval, rescaled, prior, likelihood, told, words)
        )
    return shifts


def densities(fitted: Fit) -> dict[str, np.ndarray]:
    """Return the log density of the prior and of the runs at each draw, chain after chain (draw,)."""
    if LOG_PRIOR not in fitted.data.children:
        raise InputError(
            f"the fit of law '{fitted.law.name}' to {fitted.runs.name} has no group {LOG_PRIOR}, which sensitivity "
            "needs; it was saved by an earlier version: fit again"
        )
    prior = fitted.data[LOG_PRIOR].to_dataset().to_array().sum("variable")
    blocks = density_blocks(fitted, left_out_together(fitted.data))
    likelihood = functools.reduce(operator.add, (density["log_response"].sum("run") for _, density in blocks))
    return {
        name: values.transpose("chain", "draw").to_numpy().ravel()
        for name, values in (("prior", prior), ("likelihood", likelihood))
    }


def _sensed(found: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Return ArviZ's sensitivity of each number (number, draw) to prior or likelihood, as ``arviz.psense`` has it."""
    lower, upper = (np.exp(power_weights(density, power)[0]) for power in STEPS)
    return np.array([sensitivity(values, lower, upper, STEPS) for values in found])


type Weights = Mapping[tuple[str, float], tuple[np.ndarray, float]]


def _all_weights(densities: Mapping[str, np.ndarray]) -> Weights:
    """Return the weight of each draw under other posteriors, smoothed, and their Pareto k."""
    weights = {}
    for name, density in densities.items():
        for factor in (*FACTORS, *NEARER.values()):
            log_weights, pareto_k = power_weights(density, factor)
            relative = np.exp(log_weights - np.max(log_weights))
            weights[name, factor] = (relative / relative.sum(), pareto_k)
    return weights


def _rescaled(draws: np.ndarray, weights: Weights, component: str, factor: float, probability: float) -> Rescaled:
    limit = min(1 - 1 / np.log10(draws.size), 0.7)
    direct, pareto_k = weights[component, factor]
    if pareto_k <= limit:
        return Rescaled(component, factor, _weighted_interval(draws, direct, probability), pareto_k, False)
    near, near_k = weights[component, NEARER[factor]]
    if not near_k <= limit:
        return Rescaled(component, factor, None, pareto_k, True)
    steps = np.log(factor) / np.log(NEARER[factor])
    moved = _carried_on(draws, _weighted_interval(draws, near, probability), steps, probability)
    return Rescaled(component, factor, moved, pareto_k, True)


def _weighted_interval(draws: np.ndarray, weights: np.ndarray, probability: float) -> Interval:
    tail = (1 - probability) / 2
    lower, median, upper = np.quantile(draws, [tail, 0.5, 1 - tail], method="inverted_cdf", weights=weights)
    return Interval(float(median), float(lower), float(upper), probability)


def _carried_on(draws: np.ndarray, near: Interval, steps: float, probability: float) -> Interval:
    """Repeat the step from the fitted interval to a near one, on the log of what is positive."""
    fitted = credible_interval(draws, probability)
    pairs = ((getattr(near, name), getattr(fitted, name)) for name in ("median", "lower", "upper"))
    if (draws > 0).all():
        median, lower, upper = (there * (here / there) ** steps for here, there in pairs)
    else:
        median, lower, upper = (there + steps * (here - there) for here, there in pairs)
    return Interval(median, min(lower, median), max(upper, median), probability)


def _diagnosis(prior: float, likelihood: float) -> str:
    """Say in words what ArviZ calls a conflict, a strong prior and a weak likelihood."""
    if prior > SENSITIVE:
        return CONFLICT if likelihood > SENSITIVE else PRIOR_DECIDES
    return "" if likelihood > SENSITIVE else LITTLE_TOLD


def _sentence(number: _Number, fitted: Interval, rescaled: Sequence[Rescaled], told: str) -> str:
    doubled = {each.component: each for each in rescaled if each.factor == FACTORS[1]}
    symbol = number.quantity[0].isupper() or " " not in number.quantity
    write = count_text if number.quantity.startswith(("N*", "D*")) else short
    prior = _moved(number.quantity if symbol else f"the {number.quantity}", fitted, doubled["prior"], write)
    runs = _moved("it", fitted, doubled["likelihood"], write)
    narrower = _narrowed(number, fitted, doubled["likelihood"])
    ending = f": {told}" if told else ""
    return f"Doubling the prior's weight {prior}, doubling the runs' weight {runs}{narrower}{ending}."


def _moved(name: str, fitted: Interval, other: Rescaled, write: Callable[[float, int], str]) -> str:
    if other.interval is None:
        return f"changes {name} by more than these draws can show"
    before, after = fitted.median, other.interval.median
    about = "about " if other.extrapolated else ""
    if min(before, after) <= 0:
        return f"moves {name} by {about}{after - before:+.2g} ({_pair(before, after, write)})"
    part = after / before - 1
    if abs(part) < 0.0005:
        return f"moves {name} by {about}less than 0.1%"
    digits = 1 if abs(part) < 0.095 else 0
    verb, size = "raises" if part > 0 else "lowers", f"{100 * abs(part):.{digits}f}%"
    return f"{verb} {name} by {about}{size} ({_pair(before, after, write)})"


def _pair(before: float, after: float, write: Callable[[float, int], str]) -> str:
    """Return two numbers with enough digits to differ, counts with their unit."""
    digits = 3
    while digits < 6 and write(before, digits) == write(after, digits):
        digits += 1
    return f"{write(before, digits)} to {write(after, digits)}"


def _narrowed(number: _Number, fitted: Interval, other: Rescaled) -> str:
    """Compare widths: of a number whose differences are factors, on its log."""
    if other.interval is None:
        return ""
    before, after = (
        np.log(each.upper / each.lower) if number.factors else each.upper - each.lower
        for each in (fitted, other.interval)
    )
    if not before > 0:
        return ""
    part = after / before - 1
    return f" and makes its interval {100 * abs(part):.0f}% {'wider' if part > 0 else 'narrower'}"


def _notes(shifts: Sequence[Shift]) -> list[str]:
    """Say where the weights of draws could not be trusted."""
    poor = {
        (shift.law, each.component, each.factor) for shift in shifts for each in shift.rescaled if each.extrapolated
    }
    words = {"prior": "the prior's weight", "likelihood": "the runs' weight", 0.5: "halving", 2.0: "doubling"}
    return [
        f"{law}: the effect of {words[factor]} {words[component]} is extrapolated from a change by a quarter, as the "
        "draws do not reach further (Pareto k too high)"
        for law, component, factor in sorted(poor)
    ]
