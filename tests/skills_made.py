"""Tables of scores of a known law, and fits of them without sampling."""

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.fits.diagnostics import Diagnostics
from bayescale.fits.settings import Settings
from bayescale.skills.comparison import SkillComparison
from bayescale.skills.fit import SkillFit
from bayescale.skills.fitting import model_data, posterior_of
from bayescale.skills.laws import SKILL_LAWS
from bayescale.skills.reading import log_compute, read_scores

LOADINGS = {"MMLU": 1.9, "HellaSwag": 0.8, "GSM8K": 2.4, "TruthfulQA": 1.4}
CHANCE = {"MMLU": 0.25, "HellaSwag": 0.25, "GSM8K": 0.0, "TruthfulQA": 0.3}
INTERCEPTS = {"MMLU": -1.5, "HellaSwag": 0.5, "GSM8K": -2.5, "TruthfulQA": -1.0}


def made_scores(families=8, models=4, *, gain=0.5, residual=0.3, noise=0.015, seed=0):
    """Return a wide table of scores, and the gain of each family."""
    rng = np.random.default_rng(seed)
    gains = gain * rng.standard_normal(families)
    family = np.repeat(np.arange(families), models)
    x = rng.uniform(-1.2, 1.2, families)[family] * 0.6 + np.tile(np.linspace(-0.8, 0.8, models), families)
    skill = x + gains[family] + residual * rng.standard_normal(family.size)
    frame = pd.DataFrame(
        {
            "run": [f"model-{i:02d}" for i in range(family.size)],
            "family": [f"family-{i}" for i in family],
            "C": 10.0 ** (22 + x),
        }
    )
    for name, loading in LOADINGS.items():
        expected = CHANCE[name] + (1 - CHANCE[name]) / (1 + np.exp(-INTERCEPTS[name] - loading * skill))
        frame[name] = np.clip(expected + noise * rng.standard_normal(family.size), 0, 1)
    return frame, dict(zip([f"family-{i}" for i in range(families)], gains, strict=True))


def free_draws(table, law, skill, *, draws=60, spread=0.03, seed=0):
    """Return draws of the model's free variables, narrow around the truth."""
    rng = np.random.default_rng(seed)
    names = table.names
    runs, count = len(table.models), len(names)
    slope = np.exp(np.mean([np.log(LOADINGS[name]) for name in names]))
    logs, spread_x = log_compute(table)
    x = logs - logs.mean()
    values = {
        "slope": (slope, ()),
        "log_loading": (np.log([LOADINGS[name] / slope for name in names]), (count,)),
        "intercept": (np.array([INTERCEPTS[name] for name in names]) + 0.0, (count,)),
        "noise": (np.full(count, 0.008), (count,)),
        "floor_score": (np.zeros(count), (count,)),
        "skill_offset": (slope * skill - x, (runs,)),
        "compute_score": (np.zeros(runs), (runs,)),
        "residual": (0.3, ()),
        "gain_scale": (0.5, ()),
        "turn_scale": (0.1, ()),
        "publication": (0.4, ()),
        "level_scale": (np.full(count, 0.1), (count,)),
        "second": (np.zeros(runs), (runs,)),
        "second_loading": (np.full(count, 0.4), (count,)),
        "level_score": (np.zeros((len(table.families), count)), (len(table.families), count)),
    }
    values = {name: value for name, value in values.items() if name != "publication" or law.publication}
    del spread_x
    free = {}
    for name, (value, shape) in values.items():
        noise = spread * rng.standard_normal((4, draws, *shape))
        signed = name in ("noise", "residual", "gain_scale", "turn_scale", "level_scale", "slope", "second_loading")
        drawn = value * np.exp(noise) if signed else value + noise
        free[name] = (("chain", "draw", *(f"{name}_{i}" for i in range(len(shape)))), drawn)
    return xr.Dataset(free)


def made_skill_fit(law="family_benchmark", *, failures=(), missing=(), seed=0):
    """Return a fit without sampling of a made table: draws narrow around the truth."""
    frame, gains = made_scores(seed=seed)
    for run, response in missing:
        frame.loc[frame["run"] == run, response] = np.nan
    table = read_scores(frame, name="made")
    logs, _ = log_compute(table)
    skill = logs - logs.mean() + np.array([gains[name] for name in table.models["family"]])
    chosen = SKILL_LAWS[law] if isinstance(law, str) else law
    data = model_data(chosen, table, np.isfinite(table.scores))
    posterior = posterior_of(chosen, table, data, free_draws(table, chosen, skill), random_seed=seed)
    diagnostics = Diagnostics(tuple(failures), 1.0, 500.0, 500.0, 1.0, 0, 0, 240)
    return SkillFit(chosen, table, posterior, float(logs.mean()), diagnostics, Settings(draws=60, tune=1))


def comparison_of(table, better=3.0):
    """Return a comparison in which families add so many nats to each model, more in some families than in others."""
    noise = np.tile([-1.0, 1.0], len(table.models) // 2)[table.family_of]
    models = table.models
    index = pd.MultiIndex.from_frame(models[["run", "family"]])
    pointwise = pd.DataFrame({"family_benchmark": better + noise, "compute": 0.0}, index=index)
    cells = [
        pd.DataFrame({"law": law, "run": models["run"], "response": name, "score": table.scores[:, j]}).assign(
            median=table.scores[:, j] + 0.01, lower=table.scores[:, j] - width, upper=table.scores[:, j] + 0.1
        )
        for law, width in (("family_benchmark", 0.1), ("compute", -0.01))
        for j, name in enumerate(table.names)
    ]
    ranked = pd.DataFrame(
        {
            "law": ["family_benchmark", "compute"],
            "elpd": [better * len(models), 0.0],
            "elpd_diff": [0.0, -better * len(models)],
            "dse": [0.0, 4.0],
            "se": [4.0, 4.0],
            "coverage_90": [1.0, 0.0],
            "mean_error": [0.01, 0.01],
            "width": [0.2, 0.09],
            "doubtful": [0, 1],
        }
    )
    return SkillComparison(
        ranked,
        pointwise,
        pd.concat(cells, ignore_index=True),
        "model",
        table,
        ("left out: fold 1; fold 2",),
        ("law compute: 1 of 2 refits fail the diagnostics gate",),
    )
