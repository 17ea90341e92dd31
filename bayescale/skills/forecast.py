"""forecast_scores: what a model of a family would score, and the compute at which it passes a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.hardware import read_budgets
from bayescale.intervals import Interval, credible_interval
from bayescale.skills.families import family_compute
from bayescale.skills.fit import SkillFit, expected_scores, inverse_items, score_scale, second_in_decades
from bayescale.skills.laws import DEGREES
from bayescale.values import Value, folded
from bayescale.words import percent, short, typed

CHANCES = (0.5, 0.9)
"""Probabilities of passing a threshold for which the compute is sought."""

GRID = 81
BELOW, ABOVE = 2.0, 4.0
"""Decades of compute below the smallest and above the largest model in which that is sought."""

FAR = 10.0
"""Times the largest model of a family beyond which a forecast is said to rest on the law."""


@dataclass(frozen=True, eq=False, repr=False)
class ScoreForecast(Value):
    """What a model would score.

    Attributes
    ----------
    family : str
        Its family; ``new family`` for one that has no models yet.
    run : str or None
        The model, where its other scores are known.
    flops : numpy.ndarray
        Training compute in FLOP (budget,).
    responses : tuple of str
        What is forecast.
    scores : numpy.ndarray
        Draws of the score, with its noise (draw, budget, response).
    threshold : float or None
        Score to pass.
    needed : pandas.DataFrame or None
        FLOP at which a model of the family passes the threshold with probability ``0.5`` and ``0.9``, by response; NaN
        where none does between 2 decades below the smallest and 4 above the largest model. None without a threshold.
    probability : float
        Of the credible intervals.
    notes, doubts : tuple of str
        What a reader must know of these numbers, and what speaks against them.
    """

    family: str
    run: str | None
    flops: np.ndarray
    responses: tuple[str, ...]
    scores: np.ndarray
    threshold: float | None
    needed: pd.DataFrame | None
    probability: float
    notes: tuple[str, ...]
    doubts: tuple[str, ...]

    def interval(self, budget: int, response: int) -> Interval:
        """Return the credible interval of a score."""
        return credible_interval(self.scores[:, budget, response], self.probability)

    def passes(self, budget: int, response: int) -> float | None:
        """Return the probability that a score is above the threshold; None without one."""
        return None if self.threshold is None else float((self.scores[:, budget, response] > self.threshold).mean())

    @property
    def table(self) -> pd.DataFrame:
        """One row for each budget and response: ``flops``, ``response``, ``score`` with its ends, ``probability``."""
        rows = []
        for budget, flops in enumerate(self.flops):
            for position, response in enumerate(self.responses):
                interval = self.interval(budget, position)
                ends = {"score": interval.median, "score_lower": interval.lower, "score_upper": interval.upper}
                above = self.passes(budget, position)
                rows.append({"flops": float(flops), "response": response, **ends, "probability": above})
        return pd.DataFrame(rows)

    def _lines(self) -> list[str]:
        what = self.run or f"a model of {self.family}"
        row = self.table.iloc[0]
        return [
            f"ScoreForecast for {what}: {len(self.flops)} budgets, {len(self.responses)} responses",
            f"at {short(row['flops'])} FLOP, {row['response']} {short(row['score'])} ({percent(self.probability)} "
            f"interval {short(row['score_lower'])} to {short(row['score_upper'])})",
        ]

    def _shown(self) -> pd.DataFrame:
        return folded(self.table)


@checks.kinds
def forecast_scores(
    fitted: SkillFit,
    *,
    family: str | None = None,
    flops: Sequence[float] | np.ndarray | float | None = None,
    run: str | None = None,
    responses: Sequence[str] | None = None,
    threshold: float | None = None,
    probability: float = 0.9,
    random_seed: int = 0,
) -> ScoreForecast:
    """Forecast the scores of a model that is not trained yet, or not yet measured.

    Parameters
    ----------
    fitted : SkillFit
        Made by :func:`bayescale.skills.fit_skills`.
    family : str, optional
        Family of the model; by default a new one, whose gain is as uncertain as families differ.
    flops : float, sequence of float or numpy.ndarray, optional
        Training compute in FLOP; by default 1 and 10 times the largest model of the family.
    run : str, optional
        A model of the table, in place of family and compute: its skill is known by the scores that it has, so that
        a response which was measured on others only can be forecast for it.
    responses : sequence of str, optional
        What to forecast; by default all.
    threshold : float, optional
        Score to pass, between 0 and 1: gives the probability of it, and the compute that it takes.
    probability : float
        Of the credible intervals.
    random_seed : int
        Of the draws.

    Returns
    -------
    ScoreForecast
        Draws of the scores of single models, with the noise of their measurement.

    Raises
    ------
    InputError
        If there is no such family, model or response, or a number is out of range.
    """
    checks.probability(probability)
    names, chosen = fitted.table.names, tuple(fitted.table.names if responses is None else responses)
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise InputError(f"there is no response {', '.join(unknown)}; the responses are {', '.join(names)}")
    if threshold is not None and not 0 < threshold < 1:
        raise InputError(f"threshold is {threshold}; expected a score between 0 and 1, such as 0.5")
    rng = np.random.default_rng(random_seed)
    if run is not None:
        return _of_run(fitted, run, chosen, threshold=threshold, probability=probability, rng=rng)
    _check_family(fitted, family)
    budgets = _usual(fitted, family) if flops is None else read_budgets(flops)
    future = _Future(fitted, family, [names.index(name) for name in chosen], rng)
    needed = None if threshold is None else _needed(fitted, future, chosen, threshold)
    return ScoreForecast(
        family or "new family",
        None,
        budgets,
        chosen,
        future.scores(np.log10(budgets)),
        threshold,
        needed,
        probability,
        tuple(_notes(fitted, family, budgets)),
        fitted.doubts,
    )


def future_scores(
    fitted: SkillFit, family: str | None, flops: float, target: str, rng: np.random.Generator
) -> np.ndarray:
    """Return draws of the expected score of the average model of a family, without its residual and noise (draw,)."""
    _check_family(fitted, family)
    future = _Future(fitted, family, [fitted.table.names.index(target)], rng)
    future.rest, future.noise = 0.0 * future.rest, 0.0 * future.noise
    return future.scores(np.array([np.log10(flops)]))[:, 0, 0]


def _check_family(fitted: SkillFit, family: str | None) -> None:
    if family is not None and family not in fitted.table.families:
        raise InputError(
            f"there is no family {family!r}; the families are {', '.join(fitted.table.families)}; leave family out for "
            "a new one"
        )


class _Future:
    """Models of one family that are not trained yet: the same residual and noise at every compute."""

    def __init__(self, fitted: SkillFit, family: str | None, columns: Sequence[int], rng: np.random.Generator) -> None:
        self.fitted, self.columns = fitted, list(columns)
        draws = len(fitted.flat("location"))
        self.gain, self.turn, self.level = _family(fitted, family, rng)
        drift = fitted.flat("publication") * fitted.flat("gain_scale")
        self.drift, self.families = drift * (family is None), family_compute(fitted.table)
        self.rest = fitted.flat("residual") * rng.standard_normal(draws)
        self.second = second_in_decades(fitted, rng.standard_normal((draws, 1)))[:, :, self.columns]
        self.noise = rng.standard_t(DEGREES, size=(draws, 1, len(self.columns)))

    def scores(self, log_flops: np.ndarray) -> np.ndarray:
        """Return draws of scores (draw, budget, response)."""
        x = log_flops - self.fitted.center
        own = (self.fitted.flat("location") + self.gain + self.rest)[:, None]
        larger = (log_flops - self.families.mean) / self.families.spread
        skill = (1 + self.turn[:, None]) * x + own + self.drift[:, None] * larger
        own_level = self.level[:, None, self.columns] + self.second
        return _noisy(self.fitted, skill[:, :, None] + own_level, self.columns, self.noise)


def _noisy(fitted: SkillFit, skill: np.ndarray, columns: Sequence[int], noise: np.ndarray) -> np.ndarray:
    draws = {name: fitted.flat(name)[:, columns] for name in ("loading", "intercept", "floor")}
    ceiling = fitted.table.responses["ceiling"].to_numpy(dtype=float)[columns]
    expected = expected_scores(draws, skill, ceiling)
    scale = score_scale(expected, fitted.flat("sigma")[:, columns], inverse_items(fitted.table)[columns])
    return np.asarray(np.clip(expected + scale * noise, 0.0, 1.0))


def _family(
    fitted: SkillFit, family: str | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gain and turn of a family (draw,), and its levels (draw, response)."""
    if family is not None:
        position = fitted.table.families.index(family)
        return fitted.flat("gain")[:, position], fitted.flat("turn")[:, position], fitted.flat("level")[:, position]
    scale = fitted.flat("level_scale")
    level = scale * rng.standard_normal(scale.shape)
    if fitted.law.gain:
        level = level - level.mean(axis=1, keepdims=True)
    gain, turn = (fitted.flat(f"{name}_scale") * rng.standard_normal(len(scale)) for name in ("gain", "turn"))
    return gain, turn, level


def _of_run(
    fitted: SkillFit,
    run: str,
    chosen: tuple[str, ...],
    *,
    threshold: float | None,
    probability: float,
    rng: np.random.Generator,
) -> ScoreForecast:
    models = fitted.table.models
    if run not in set(models["run"]):
        raise InputError(f"there is no model {run!r} in {fitted.table.name}")
    position = int(np.flatnonzero(models["run"] == run)[0])
    columns = [fitted.table.names.index(name) for name in chosen]
    level = fitted.flat("level")[:, fitted.table.family_of[position], columns]
    skill = fitted.flat("skill")[:, position, None] + level
    noise = rng.standard_t(DEGREES, size=(len(skill), 1, len(columns)))
    second = second_in_decades(fitted, fitted.flat("second")[:, [position]])[:, :, columns]
    scores = _noisy(fitted, skill[:, None, :] + second, columns, noise)
    measured = [
        name for name, value in zip(fitted.table.names, fitted.table.scores[position], strict=True) if value >= 0
    ]
    note = f"the skill of {run} is known by its scores on {', '.join(measured)}"
    flops = models["C"].to_numpy(dtype=float)[[position]]
    family = str(models["family"].iloc[position])
    return ScoreForecast(family, run, flops, chosen, scores, threshold, None, probability, (note,), fitted.doubts)


def _usual(fitted: SkillFit, family: str | None) -> np.ndarray:
    models = fitted.table.models
    own = models if family is None else models[models["family"] == family]
    largest = own["C"].max()
    if np.isnan(largest):
        raise InputError(f"compute is unknown for all models of {family}; give flops=, such as 1e24")
    return np.asarray([largest, 10.0 * largest])


def _needed(fitted: SkillFit, future: _Future, chosen: tuple[str, ...], threshold: float) -> pd.DataFrame:
    logs = np.log10(fitted.table.models["C"].to_numpy(dtype=float))
    grid = np.linspace(np.nanmin(logs) - BELOW, np.nanmax(logs) + ABOVE, GRID)
    passed = np.stack([(future.scores(np.array([x])) > threshold).mean(axis=0)[0] for x in grid])
    rising = np.maximum.accumulate(passed, axis=0)
    rows = {chance: [_crossing(grid, rising[:, j], chance) for j in range(len(chosen))] for chance in CHANCES}
    return pd.DataFrame(rows, index=pd.Index(chosen, name="response"))


def _crossing(grid: np.ndarray, passed: np.ndarray, chance: float) -> float:
    """Return the compute at which a rising probability reaches a value; NaN where it starts above or stays below."""
    above = np.flatnonzero(passed >= chance)
    if not above.size or above[0] == 0:
        return float("nan")
    after = above[0]
    part = (chance - passed[after - 1]) / (passed[after] - passed[after - 1])
    return float(10 ** (grid[after - 1] + part * (grid[after] - grid[after - 1])))


def _notes(fitted: SkillFit, family: str | None, budgets: np.ndarray) -> list[str]:
    models = fitted.table.models
    own = models if family is None else models[models["family"] == family]
    largest = own["C"].max()
    notes = []
    if family is None:
        notes.append("a new family: its gain is as uncertain as families differ")
    elif len(own) < 3:
        notes.append(f"{family} has {len(own)} model{'s' * (len(own) != 1)}: the forecast leans on the other families")
    beyond = [typed(each) for each in budgets if each > FAR * largest]
    if beyond:
        notes.append(
            f"{', '.join(beyond)} FLOP is more than {FAR:.0f} times the largest model"
            f"{'' if family is None else f' of {family}'} ({short(largest)}): there the forecast rests on the law"
        )
    return notes
