"""Skills on simulated tables: one compiled model, many tables; what is promised holds."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from skills_made import made_scores

from bayescale.fits.settings import Settings
from bayescale.skills import SKILL_LAWS, read_scores
from bayescale.skills.fit import expected_scores, model_scores, score_scale
from bayescale.skills.fitting import sample_fit
from bayescale.skills.laws import DEGREES, LEAST_NOISE
from bayescale.skills.model import LOADING_SPREAD

pytestmark = pytest.mark.slow

TABLES = 4
QUICK = Settings(draws=400, tune=400)


def fit_of(frame, *, seed=1, law="family_benchmark"):
    table = read_scores(frame, name="simulated")
    settings = Settings(QUICK.draws, QUICK.tune, QUICK.chains, seed)
    return sample_fit(SKILL_LAWS[law], table, np.isfinite(table.scores), settings, attempts=(0.8,))


def gains_of(fitted):
    gain = fitted.flat("gain")
    return gain - gain.mean(axis=1, keepdims=True)


def held(fitted, gains):
    """Return whether the 90% interval of each family's gain holds the true one."""
    low, high = np.quantile(gains_of(fitted), [0.05, 0.95], axis=0)
    truth = np.array([gains[name] for name in fitted.table.families])
    truth -= truth.mean()
    return (low <= truth) & (truth <= high)


def test_intervals_of_gains_hold_what_they_promise():
    inside = []
    for seed in range(TABLES):
        frame, gains = made_scores(seed=100 + seed)
        inside.append(held(fit_of(frame), gains))
    part = np.mean(inside)  # 48 gains: 0.90 +- 0.043
    assert 0.79 <= part <= 0.99, part


def test_families_that_are_alike_are_not_told_apart():
    scales = []
    for seed in range(TABLES):
        frame, _ = made_scores(gain=0.0, seed=200 + seed)
        scales.append(np.median(fit_of(frame).flat("gain_scale")))
    assert np.mean(np.array(scales) < 0.25) >= 0.8, scales


def test_scores_that_are_missing_where_models_are_weak_do_not_bend_gains():
    biases = []
    for seed in range(TABLES):
        frame, gains = made_scores(seed=300 + seed)
        frame.loc[frame["GSM8K"] < frame["GSM8K"].median(), "GSM8K"] = np.nan
        fitted = fit_of(frame)
        truth = np.array([gains[name] for name in fitted.table.families])
        biases.append((gains_of(fitted).mean(axis=0) - truth + truth.mean())[np.argsort(truth)[:4]].mean())
    assert abs(np.mean(biases)) < 0.1, biases  # the four weakest families


def test_other_names_and_so_another_order_change_nothing_beyond_chance():
    frame, _ = made_scores(seed=7)
    other = frame.rename(columns={"MMLU": "WinoGrande", "HellaSwag": "ARC-C"}).rename(
        columns={"WinoGrande": "HellaSwag", "ARC-C": "MMLU"}
    )  # both are guessed with 0.25
    other["family"] = other["family"].map(lambda name: f"family-{7 - int(name[-1])}")
    other["run"] = other["run"].map(lambda name: f"model-{31 - int(name[-2:]):02d}")
    first, second = fit_of(frame), fit_of(other, seed=2)
    names = {"MMLU": "HellaSwag", "HellaSwag": "MMLU"}
    columns = [second.table.names.index(names.get(name, name)) for name in first.table.names]
    scores = [model_scores(each) for each in (first, second)]
    matched = scores[1][:, ::-1][:, :, columns]
    spread = scores[0].std(axis=0)
    assert np.abs(scores[0].mean(axis=0) - matched.mean(axis=0)).max() < 0.25 * spread.max() + 0.003


# Calibration: the truth is drawn from the prior, and ranked among the draws of the posterior

RANKED = 24
FAMILIES, MODELS = 6, 4
CHANCES = {"MMLU": 0.25, "HellaSwag": 0.25, "GSM8K": 0.0}


def drawn_from_the_prior(rng):
    """Return a table of one skill and families, and the truth behind it, drawn as the model has it."""
    count, runs = len(CHANCES), FAMILIES * MODELS
    relative = LOADING_SPREAD * rng.standard_normal(count)
    truth = {
        "slope": np.exp(0.5 * rng.standard_normal()),
        "residual": np.exp(np.log(0.3) + 0.5 * rng.standard_normal()),
        "gain_scale": np.abs(0.7 * rng.standard_normal()),
    }
    loading = truth["slope"] * np.exp(relative - relative.mean())
    family = np.repeat(np.arange(FAMILIES), MODELS)
    x = rng.uniform(-1, 1, runs)
    gain = truth["gain_scale"] * rng.standard_normal(FAMILIES)
    skill = x + gain[family] + np.hypot(truth["residual"], 0.02) * rng.standard_normal(runs)
    skill -= skill.mean()
    chance = np.array([*CHANCES.values()])
    draws = {
        "loading": loading[None],
        "intercept": 3.0 * rng.standard_normal((1, count)),
        "floor": (chance + np.where(chance > 0, 0.02, 0.005) * rng.standard_normal(count))[None],
    }
    expected = expected_scores(draws, skill[None, :, None], np.ones(count))
    sigma = LEAST_NOISE + np.abs(0.03 * rng.standard_normal((1, count)))
    scores = (expected + score_scale(expected, sigma, np.zeros(count)) * rng.standard_t(DEGREES, expected.shape))[0]
    truth |= {"loading": loading[0], "sigma": sigma[0, 0], "intercept": draws["intercept"][0, 0], "skill": skill[0]}
    frame = pd.DataFrame({"run": [f"m{i:02d}" for i in range(runs)], "family": [f"f{i}" for i in family]})
    return frame.assign(C=10.0 ** (22 + x), quality="reported"), scores, truth


def places_of_the_truth(seed):
    """Return the part of the draws below the truth, by quantity."""
    frame, scores, truth = drawn_from_the_prior(np.random.default_rng(seed))
    readable = {name: np.linspace(0.5, 0.6, len(frame)) for name in CHANCES}
    table = read_scores(frame.assign(**readable), name="drawn", chance=CHANCES)
    table.responses["kind"] = "bounded"  # without the noise of few questions
    table = type(table)(table.models, table.responses, scores[:, np.argsort([*CHANCES])], table.name)
    settings = Settings(150, 300, 2, 1)
    fitted = sample_fit(SKILL_LAWS["family"], table, np.isfinite(scores), settings, attempts=(0.8,))
    first = table.names.index(next(iter(CHANCES)))
    found = {name: fitted.flat(name)[:, first] for name in ("loading", "sigma", "intercept")}
    found |= {name: fitted.flat(name) for name in ("slope", "residual", "gain_scale")}
    found["skill"] = fitted.flat("skill")[:, 0]
    return {name: float(np.mean(found[name] < value)) for name, value in truth.items()}


def test_the_truth_lies_anywhere_among_the_draws_of_its_posterior():
    """Tables of one skill drawn from the prior; Kolmogorov-Smirnov at 1% over seven quantities."""
    places = pd.DataFrame([places_of_the_truth(seed) for seed in range(RANKED)])
    p_values = {name: kstest(places[name], "uniform").pvalue for name in places}
    assert min(p_values.values()) > 0.01 / len(p_values), (p_values, places.round(2).to_dict("list"))
