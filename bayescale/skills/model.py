"""The PyMC model of scores: a skill of each model behind all of its responses."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor

from bayescale.errors import InputError
from bayescale.skills.laws import DEGREES, LEAST_NOISE, LEAST_VARIANCE, SkillLaw

type Variable = Any
"""A variable of PyTensor, which has no types."""

pt: Any = pytensor.tensor

LOADING_SPREAD = 0.5
"""Prior standard deviation of the log of a response's loading over the typical one."""

FLAT = 10.0
"""Standard deviation, in logits, of what is nearly flat: the prior of skills is a potential."""


def build_model(law: SkillLaw, runs: int, responses: int, families: int) -> pm.Model:
    """Build the model of a law for tables of one size; all data are settable.

    ``score ~ StudentT(5, p, sqrt(sigma^2 + p (1 - p) / items))``, ``p = c + (h - c) sigmoid(b + a s (S + u))``. Skills
    are sampled in logits, ``s S``, less their mean over the models that are seen: scores alone determine them. Given
    skills and scales, the gains of families are normal, so they are integrated out, and so is the mean of all skills.

    Parameters
    ----------
    law : SkillLaw
        The law.
    runs, responses, families : int
        Sizes of the tables.
    """
    with pm.Model() as model:
        data = _data(runs, responses)
        slope = _draw(law, "slope")
        relative = pt.exp(pm.ZeroSumNormal("log_loading", LOADING_SPREAD, shape=responses))
        intercept = _draw(law, "intercept", responses)
        sigma = LEAST_NOISE + _draw(law, "noise", responses)
        floor = data["chance"] + data["chance_sd"] * pm.Normal("floor_score", shape=responses)
        skill = slope * _standard_skill(law, data, slope, runs, families)
        common = (skill - pt.sum(data["weight"] * skill))[:, None]
        if law.level:
            common = common + _levels(law, families, responses)[data["family"]]
        logit = intercept + relative * common
        if law.second:
            second = _draw(law, "second_loading", responses) * data["named"]
            logit = logit + pm.Normal("second", shape=runs)[:, None] * second
        chance = pm.math.sigmoid(logit)
        score = floor + (data["ceiling"] - floor) * chance
        variance = sigma**2 + pt.maximum(score * (1 - score), LEAST_VARIANCE) * data["inverse_items"]
        misfit = (data["score"] - score) ** 2 / (DEGREES * variance)
        pm.Potential("fit", pt.sum(data["seen"] * (-(DEGREES + 1) / 2 * pt.log1p(misfit) - pt.log(variance) / 2)))
    return model


def _data(runs: int, responses: int) -> dict[str, Variable]:
    by_run, by_response, cells = np.zeros(runs), np.zeros(responses), np.zeros((runs, responses))
    values = {
        "x": np.linspace(-1, 1, runs),
        "x_sd": by_run + 0.05,
        "weight": by_run + 1 / runs,
        "family": np.zeros(runs, dtype=np.int64),
        "family_x": by_run,
        "score": cells + 0.5,
        "seen": cells,
        "chance": by_response,
        "chance_sd": by_response + 0.02,
        "ceiling": by_response + 1.0,
        "inverse_items": by_response,
        "named": by_response,
    }
    return {name: pm.Data(name, value) for name, value in values.items()}


def _draw(law: SkillLaw, name: str, size: int | None = None) -> Variable:
    prior = law.priors[name]
    try:
        return getattr(pm, prior.family)(name, **prior.parameters, shape=size)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"law '{law.name}': PyMC cannot make the prior {prior} of {name}: {error}") from error


def _standard_skill(law: SkillLaw, data: dict[str, Variable], slope: Variable, runs: int, families: int) -> Variable:
    """Return skills in decades (run,), with their prior."""
    x, x_sd = data["x"], data["x_sd"]
    if not law.residual:
        return x + x_sd * pm.Normal("compute_score", shape=runs)
    logits = x + pm.ZeroSumNormal("skill_offset", FLAT, shape=runs)
    skill = logits / slope
    variance = _draw(law, "residual") ** 2 + x_sd**2
    gain = _draw(law, "gain_scale") if law.gain else pt.constant(0.0)
    turn = _draw(law, "turn_scale") if law.turn else pt.constant(0.0)
    shift = _draw(law, "publication") * gain * data["family_x"] if law.publication else 0.0
    member = pt.eq(pt.arange(families)[:, None], data["family"][None, :]).astype("float64")
    density = _log_density(skill - x - shift, x, 1 / variance, member=member, gain=gain**2, turn=turn**2)
    pm.Potential("skill", density - (runs - 1) * pt.log(slope))
    return skill


def _log_density(
    misfit: Variable, x: Variable, precision: Variable, *, member: Variable, gain: Variable, turn: Variable
) -> Variable:
    """Return the log density of skills less compute, with families and their common mean integrated out.

    Misfits of a family are normal with covariance ``diag(1 / precision) + gain + turn x x'``; ``gain`` and ``turn``
    are variances, and either may be zero. The common mean has a flat prior.
    """
    in_family, with_x, with_xx = member @ precision, member @ (precision * x), member @ (precision * x**2)
    determinant = (1 + gain * in_family) * (1 + turn * with_xx) - gain * turn * with_x**2

    def product(first: Variable, second: Variable) -> Variable:
        """Return ``first' inverse(covariance) second``."""
        one, two = member @ (precision * first), member @ (precision * second)
        one_x, two_x = member @ (precision * x * first), member @ (precision * x * second)
        less = gain * (1 + turn * with_xx) * one * two + turn * (1 + gain * in_family) * one_x * two_x
        less = less - gain * turn * with_x * (one * two_x + one_x * two)
        return pt.sum(precision * first * second) - pt.sum(less / determinant)

    ones = pt.ones_like(x)
    weight = product(ones, ones)
    squares = product(misfit, misfit) - product(ones, misfit) ** 2 / weight
    return -(squares + pt.log(weight) + pt.sum(pt.log(determinant)) - pt.sum(pt.log(precision))) / 2


def _levels(law: SkillLaw, families: int, responses: int) -> Variable:
    """Return levels of families on responses, in logits of a typical response (family, response), with means of zero.

    In decades their scales would all rest on the one slope, and chains would mix slowly.

    The mean over families is in the intercept of the response, and that over responses in the gain of the family.
    """
    levels = _draw(law, "level_scale", responses) * pm.Normal("level_score", shape=(families, responses))
    if law.gain:
        levels = levels - levels.mean(axis=1, keepdims=True)
    return levels - levels.mean(axis=0, keepdims=True)
