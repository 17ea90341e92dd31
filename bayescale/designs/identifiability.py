"""identify: what a design of runs will tell of a law, before it is fitted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayescale import checks
from bayescale.errors import InputError
from bayescale.laws import SMALLEST_VALUE, Law, get_law, reference_units, unit_columns
from bayescale.laws.measured import TokenCost, cost_of, sizes
from bayescale.laws.priors import free_priors, from_normal, parameters_from_free
from bayescale.runs import Runs, RunTable, as_table
from bayescale.runs.checkpoints import EXPECTED_SHARES, Checkpoints, checkpoints_of
from bayescale.values import Value
from bayescale.words import percent, short, typed

NOISE = 0.01
"""Scale of the noise on log response that is expected: 0.005 to 0.02 on the published tables."""

DEGREES = 12.0
"""Degrees of freedom of the noise that are expected: the mean of their prior."""

TRUTHS = 100
"""Draws from the prior at which the information is taken: it depends on where the truth is."""

STEP = 1e-4
"""Of the differences in normal scores."""

MOST_ROWS = 400
"""Rows of a longer table are thinned evenly, and count for the others."""

BEYOND = (1.0, 10.0, 1000.0)
"""Budgets of the questions, over the largest run."""

RATIOS = np.geomspace(1e-3, 1e6, 361)
"""Tokens per parameter among which the best split is looked for."""

SIZE = "N*"

PINNED = 0.9
PARTLY = 0.5
"""Expected contraction above which runs are said to tell a number, and below which they do not."""

WIDE = 1.645
"""Standard deviations either side of the centre of a 90% interval."""


@dataclass(frozen=True)
class Expectation:
    """What a design is expected to tell of one number.

    Attributes
    ----------
    name : str
        A parameter at reference scale, ``tilt``, or ``N* at 1e24 FLOP``.
    contraction : float
        Expected 1 less posterior variance over prior variance: near 1 the runs will decide, near 0 the prior.
    width : float
        Expected width of the 90% interval: of N* the factor between its ends, of the tilt their difference, of a
        parameter their difference over the prior's.
    """

    name: str
    contraction: float
    width: float


@dataclass(frozen=True, eq=False, repr=False)
class Identifiability(Value):
    """What a design of runs will tell of a law, before it is fitted.

    Attributes
    ----------
    law : str
        The law.
    noise : float
        Scale of the noise on log response that was assumed.
    parameters : tuple of Expectation
        One for each parameter at reference scale.
    questions : tuple of Expectation
        The tilt at a typical run, and the best size at the largest budget of the runs and 10 and 1000 times beyond;
        empty for a law that says nothing of the split.
    statements : tuple of str
        The same in words.
    """

    law: str
    noise: float
    parameters: tuple[Expectation, ...]
    questions: tuple[Expectation, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True)
class _Design:
    """A law and where it is seen, as functions of normal scores of its free variables (draw, variable)."""

    law: Law
    names: tuple[str, ...]
    columns: Mapping[str, np.ndarray]  # over their reference values (row,)
    reference: Mapping[str, float]
    each: float  # rows that every row stands for
    cost: TokenCost
    shared: Checkpoints | None  # which rows share a training run

    def parameters(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Return the law's parameters, in units of the typical response (draw,)."""
        priors = free_priors(self.law)
        free = {name: from_normal(priors[name], scores[:, i]) for i, name in enumerate(self.names)}
        found = parameters_from_free(self.law, {**free, "sigma": 0.0, "nu_above_2": 0.0}, 1.0)
        return {name: found[name] for name in self.law.parameters}

    def log_value(self, scores: np.ndarray, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the log of the law (draw, point); columns are (point,) or (draw, point)."""
        values = {name: each[:, None] for name, each in self.parameters(scores).items()}
        with np.errstate(all="ignore"):
            found = np.asarray(self.law.loss(**{name: columns[name] for name in self.law.covariates}, **values))
            return np.asarray(np.log(np.maximum(np.nan_to_num(found, nan=SMALLEST_VALUE), SMALLEST_VALUE)))


@checks.kinds
def identify(
    runs: Runs, law: str | Law = "chinchilla", *, noise: float = NOISE, random_seed: int = 0
) -> Identifiability:
    """Tell from the design alone what runs will tell of a law: no response is looked at, and nothing is fitted.

    The Fisher information of the law's free variables, by differences of the log of the law at every run, is added to
    the precision of their prior, at draws from the prior; the median over the draws is told. In the scores used here
    every free variable is standard normal under its prior, so that the prior's precision is 1.

    Where the prior expects two parameters to be alike, as the exponents of N and of D, a design can leave them to be
    exchanged though each draw, in which they differ, is told apart from its neighbours. So the information is taken at
    the centre of the prior too, and the smaller contraction of the two counts.

    Rows of one ``training_run`` are expected to share half of the variance of their noise, and half of the rest to
    wander along the run, so that more checkpoints of a run are not more runs.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The runs, as :func:`bayescale.read_runs` takes them; only the columns of the law are used.
    law : str or Law
        The law.
    noise : float
        Scale of the noise on log response that is expected.
    random_seed : int
        Seed of the draws from the prior.

    Returns
    -------
    Identifiability
        Expected contraction and interval width of each parameter and question, and the same in words.

    Raises
    ------
    InputError
        If the table lacks a column of the law, the noise is not positive, or a prior is of a family that is not known
        without PyMC.

    References
    ----------
    Chaloner and Verdinelli (1995), Statist. Sci. 10, 273: local information, averaged over the prior.
    """
    law = get_law(law)
    runs = as_table(runs, law.covariates)
    checks.above_zero("noise", noise, "a scale on log response", str(NOISE))
    design = _design(law, runs)
    draws = np.random.default_rng(random_seed).standard_normal((TRUTHS, len(design.names)))
    scores = np.concatenate([np.zeros((1, len(design.names))), draws])
    slopes = _slopes(lambda z: design.log_value(z, design.columns), scores)
    if design.shared is not None:
        slopes = design.shared.whiten(slopes, EXPECTED_SHARES)
    weight = design.each * (DEGREES + 1) / (DEGREES + 3) / noise**2
    information = np.eye(len(design.names)) + weight * np.einsum("tpr,tqr->tpq", slopes, slopes)
    spread = np.linalg.inv(information)
    parameters = _expected_parameters(design, scores, spread)
    questions = _expected_answers(design, scores, spread, runs) if law.splits_compute else ()
    return Identifiability(law.name, noise, parameters, questions, _statements(law, parameters, questions, noise))


def _design(law: Law, runs: RunTable) -> _Design:
    missing = [name for name in law.covariates if name not in runs.frame]
    if missing:
        raise InputError(
            f"{runs.name}: law '{law.name}' needs column {', '.join(missing)}, found {', '.join(map(str, runs.frame))}"
        )
    typical = {name: _geometric_mean(runs.frame[name].to_numpy(dtype=float)) for name in unit_columns(law)}
    reference = reference_units(law, typical)
    rows = runs.frame.sort_values(list(law.covariates))
    every = max(1, -(-len(rows) // MOST_ROWS))
    thinned = rows.iloc[::every]
    columns = {name: thinned[name].to_numpy(dtype=float) / reference[name] for name in law.covariates}
    names = tuple(name for name in free_priors(law) if name not in ("sigma", "nu_above_2"))
    each = len(rows) / len(thinned)
    return _Design(law, names, columns, reference, each, cost_of(law, runs), checkpoints_of(thinned))


def _geometric_mean(values: np.ndarray) -> float:
    return float(np.exp(np.log(values[values > 0]).mean()))


def _slopes(function: Callable[[np.ndarray], np.ndarray], scores: np.ndarray) -> np.ndarray:
    """Return the derivatives of a function of scores, by central differences (draw, variable, value)."""
    steps = STEP * np.eye(scores.shape[1])
    moved = [(function(scores + step) - function(scores - step)) / (2 * STEP) for step in steps]
    return np.stack(moved, axis=1)


def _expected_parameters(design: _Design, scores: np.ndarray, spread: np.ndarray) -> tuple[Expectation, ...]:
    names = design.law.parameters
    slopes = _slopes(lambda z: np.stack([design.parameters(z)[name] for name in names], axis=1), scores)
    before, after = _variances(slopes, spread)
    parts = after / before
    return tuple(
        Expectation(name, _smaller(1 - parts[:, i]), float(np.sqrt(np.nanmedian(parts[1:, i]))))
        for i, name in enumerate(names)
    )


def _variances(slopes: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances of values before and after the runs, to first order (draw, value); NaN where nothing moves."""
    before = np.einsum("tpv,tpv->tv", slopes, slopes)
    after = np.einsum("tpv,tpq,tqv->tv", slopes, spread, slopes)
    return np.where(before > 0, before, np.nan), after


def _smaller(contraction: np.ndarray) -> float:
    """Return the smaller of the contraction at the centre of the prior, and of the median over its draws."""
    return max(0.0, float(np.nanmin([contraction[0], np.nanmedian(contraction[1:])])))


def _expected_answers(
    design: _Design, scores: np.ndarray, spread: np.ndarray, runs: RunTable
) -> tuple[Expectation, ...]:
    before, after = _variances(_slopes(lambda z: _tilt(design, z)[:, None], scores), spread)
    width = 2 * WIDE * np.sqrt(np.nanmedian(after[1:]))
    answers = [Expectation("tilt", _smaller(1 - (after / before)[:, 0]), float(width))]
    largest = float(runs.frame["C"].max())
    return (*answers, *(_expected_size(design, scores, spread, factor * largest) for factor in BEYOND))


def _tilt(design: _Design, scores: np.ndarray) -> np.ndarray:
    """Return the relative slope on ln N against ln D at a typical run (draw,)."""
    step = 1e-3
    ends = np.exp([step, -step, 0.0, 0.0])
    columns = {"N": ends, "D": ends[[2, 3, 0, 1]]}
    values = np.exp(design.log_value(scores, {**columns, "C": columns["N"] * columns["D"]}))
    on_N, on_D = values[:, 0] - values[:, 1], values[:, 2] - values[:, 3]
    with np.errstate(invalid="ignore"):  # a law that is flat there has no tilt
        return np.asarray((on_N - on_D) / (on_N + on_D))


def _expected_size(design: _Design, scores: np.ndarray, spread: np.ndarray, flops: float) -> Expectation:
    """Return what is expected of ln N*: a parabola through the best of a grid of ratios and its neighbours."""
    grid = np.log(RATIOS)
    losses = design.log_value(scores, _on_budget(design, flops, grid))
    place = losses.argmin(axis=1)
    inside = (place > 0) & (place < grid.size - 1)
    name = f"{SIZE} at {typed(flops)} FLOP"
    if inside[1:].mean() < PARTLY:
        return Expectation(name, 0.0, float("inf"))
    near = grid[np.clip(place, 1, grid.size - 2)[:, None] + np.array([-1, 0, 1])]

    def log_size(z: np.ndarray) -> np.ndarray:
        low, mid, high = design.log_value(z, _on_budget(design, flops, near)).T
        with np.errstate(invalid="ignore", divide="ignore"):  # a flat law has no vertex, and is left out below
            vertex = near[:, 1] - 0.5 * (grid[1] - grid[0]) * (high - low) / (high - 2 * mid + low)
        return np.log(sizes(np.asarray(flops), vertex[:, None], design.cost)[0])

    before, after = (values[:, 0] for values in _variances(_slopes(log_size, scores), spread))
    parts, after = (np.where(inside, values, np.nan) for values in (after / before, after))
    return Expectation(name, _smaller(1 - parts), float(np.exp(2 * WIDE * np.sqrt(np.nanmedian(after[1:])))))


def _on_budget(design: _Design, flops: float, log_ratio: np.ndarray) -> dict[str, np.ndarray]:
    N, D = sizes(np.asarray(flops), log_ratio, design.cost)
    counts = {"N": N, "D": D, "C": np.full_like(N, flops)}
    return {name: counts[name] / design.reference[name] for name in design.law.covariates}


def _statements(
    law: Law, parameters: Sequence[Expectation], questions: Sequence[Expectation], noise: float
) -> tuple[str, ...]:
    """Say in words what the runs will determine, what they will determine in part, and what they will not."""
    opening = f"If law {law.name} holds with a noise of {percent(noise)}"
    sentences = [f"{opening}, these runs {_in_three(parameters)}."]
    if questions:
        tilt, *sizes = questions
        sentences += [_tilt_sentence(tilt), _size_sentence(sizes)]
    return tuple(sentences)


def _in_three(parameters: Sequence[Expectation]) -> str:
    kinds: dict[str, list[str]] = {"pin down": [], "partly pin down": [], "leave to the prior": []}
    for each in parameters:
        known, lost = each.contraction >= PINNED, each.contraction < PARTLY
        kind = "pin down" if known else "leave to the prior" if lost else "partly pin down"
        kinds[kind].append(f"{each.name} ({each.contraction:.2f})")
    said = "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names)
    return f"{said} (in brackets the expected contraction)"


def _tilt_sentence(tilt: Expectation) -> str:
    what = "Whether N or D counts for more (the tilt at a typical run)"
    if tilt.contraction < PARTLY:
        return f"{what} would be left to the prior (expected contraction {tilt.contraction:.2f})."
    return f"{what} would be known to about {short(tilt.width / 2)} either way (0 is compute alone)."


def _size_sentence(sizes: Sequence[Expectation]) -> str:
    """State the expected widths for budgets at, and beyond, the largest run."""
    if not any(np.isfinite(each.width) for each in sizes):
        return "The law has no best size under most draws from its prior."
    known = [each for each in sizes if each.contraction >= PARTLY]
    lost = [each.name.removeprefix(f"{SIZE} ") for each in sizes if each not in known]
    widths = [f"{short(each.width)} {each.name.removeprefix(f'{SIZE} ')}" for each in known]
    parts = [f"The 90% interval of the best size would span a factor of {', '.join(widths)}."] if widths else []
    parts += [f"The best size {', '.join(lost)} would be left to the prior."] if lost else []
    return " ".join(parts)
