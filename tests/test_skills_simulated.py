"""Skills on simulated tables: one compiled model, many tables; what is promised holds."""

import numpy as np
import pytest
from skills_made import made_scores

from bayescale.fits.settings import Settings
from bayescale.skills import SKILL_LAWS, read_scores
from bayescale.skills.fit import model_scores
from bayescale.skills.fitting import sample_fit

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
