"""The two steps of Ruan, Maddison and Hashimoto (2024), arXiv:2405.10938: their printed errors come out, floor at zero.

Benchmarks are imputed by one principal component and reduced to three; a task's score over chance is a sigmoid of them,
fitted to models of little compute and tested on the others. The joint model of ``bayescale.skills`` takes their place.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from published import raw
from scipy.optimize import least_squares

FLOPS, SIZE = "FLOPs (1E21)", "Model Size (B)"
WITHOUT_ARITHMETIC = ["MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "XWinograd", "HumanEval"]
NOT_EVALUATED = (
    ("Yi-200K", "OpenLlamaV2", "OpenLlama", "GPT-2", "InternLM2", "DeepSeek-LLM", "DeepSeek-MoE", "DeciLM", "StableLM"),
    ("RWKV", "RedPajama-INCITE-Base", "Amber", "Codegen", "SmolLM", "Cerebras-GPT", "BTLM", "H2O-Danube", "OLMo"),
    ("TinyLlama",),
)
"""Families of the table that the paper's own evaluations leave out."""

WITHOUT_COMPUTE = ("Qwen/Qwen1.5-110B", "ai21labs/Jamba-v0.1")
"""The only models of unpublished compute with which the printed errors of all three tasks come out."""

LEADERBOARD = {
    "leaderboard_gpqa": (0.25, 168, (8.9e-3, 2.3e-3, 8.3e-4), (29, 18, 16, 18)),
    "leaderboard_math_hard": (0.0, 252, (1.3e-2, 1.3e-2, 2.2e-3), (32, 15, 13, 15)),
    "leaderboard_bbh": (None, 84, (5.3e-2, 2.7e-2, 1.5e-3), (24, 23, 21, 23)),
}
EMERGENT = {
    "word_unscrambling_2_exact_match": (0.0, 84, (1.3e-2, 4.0e-3)),
    "arithmetic_3ds_2_acc": (0.0, 22, (6.3e-2, 1.3e-2)),
    "arithmetic_2dm_2_acc": (0.0, 22, (1.2e-1, 9.9e-3)),
}
BBH_CHANCES = (
    [1 / 2] * 8 + [1 / 6] * 2 + [1 / 3] * 3 + [1 / 9] + [1 / 5] * 4 + [1 / 7] * 2 + [1 / 18] + [1 / 4] * 2 + [0] * 4
)


@cache
def models(table):
    base = pd.read_csv(raw("obsscaling/base_llm_benchmark_eval.csv"))
    both = base.merge(pd.read_csv(raw(f"obsscaling/base_llm_{table}_eval.csv")), on="Model")
    return both[~both["Model Family"].isin(sum(NOT_EVALUATED, ()))]


def imputed(train, test):
    """Fill gaps by one component of the standardised scores of the models fitted."""
    mean, spread = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    gaps = [np.isnan(each) for each in (train, test)]
    filled = [np.where(gap, 0.0, (each - mean) / spread) for gap, each in zip(gaps, (train, test), strict=True)]
    for _ in range(1000):
        middle = filled[0].mean(axis=0)
        axis = np.linalg.svd(filled[0] - middle, full_matrices=False)[2][:1]
        again = [(each - middle) @ axis.T @ axis + middle for each in filled]
        moved = max((np.abs(a - f)[gap].max(initial=0.0) for a, f, gap in zip(again, filled, gaps, strict=True)))
        for each, new, gap in zip(filled, again, gaps, strict=True):
            each[gap] = new[gap]
        if moved < 1e-10:
            break
    return [np.clip(each * spread + mean, 0, 1) for each in filled]


def components(train, test):
    filled = imputed(train, test)
    middle = filled[0].mean(axis=0)
    axes = np.linalg.svd(filled[0] - middle, full_matrices=False)[2][:3]
    return [(each - middle) @ axes.T for each in filled]


def curve(x, parameters, *, floor=0.0):
    return floor + (1 - floor) / (1 + np.exp(-parameters[0] - x @ parameters[1:]))


def fitted(x, y, *, free_floor=False):
    """Return the best of many least-squares fits: the parameters, and the floor."""
    width = x.shape[1] + 1
    lower, upper = np.full(width, -np.inf), np.full(width, np.inf)
    if free_floor:
        lower, upper = np.append(lower, 0.0), np.append(upper, 0.2)

    def misfit(values):
        return curve(x, values[:width], floor=values[width] if free_floor else 0.0) - y

    found = []
    for seed in range(12):
        start = np.random.default_rng(seed).standard_normal(width) * (seed > 0)
        start = np.append(start, 0.05) if free_floor else start
        found.append(least_squares(misfit, start, bounds=(lower, upper), max_nfev=2000))
    best = min(found, key=lambda each: each.cost).x
    return best[:width], best[width] if free_floor else 0.0


def errors(frame, task, chance, cutoff, benchmarks, *, free_floor=False):
    """Return mean squared errors on the models left out, and how many there are: of size, compute and components."""
    y = ((frame[task] - chance) / (1 - chance)).to_numpy()
    train = (frame[FLOPS] <= cutoff).to_numpy()
    scores = frame[benchmarks].to_numpy()
    parts = components(scores[train], scores[~train])
    joined = np.empty((len(frame), 3))
    joined[train], joined[~train] = parts
    predictors = {"size": np.log(frame[[SIZE]].to_numpy()), "compute": np.log(frame[[FLOPS]].to_numpy()), "pc": joined}
    found = {}
    for name, x in predictors.items():
        parameters, floor = fitted(x[train], y[train], free_floor=free_floor and name == "pc")
        test = ~train & np.isfinite(x).all(axis=1)
        found[name] = float(((curve(x[test], parameters, floor=floor) - y[test]) ** 2).mean()), int(test.sum())
    return found, int(train.sum())


def leaderboard():
    frame = models("leaderboard_v2")
    return frame[frame[FLOPS].notna() | frame["Model"].isin(WITHOUT_COMPUTE)]


def last_digit(printed):
    return 10.0 ** (np.floor(np.log10(printed)) - 1)


@pytest.mark.parametrize("task", LEADERBOARD)
def test_errors_on_the_new_leaderboard_are_those_printed(task):
    chance, cutoff, printed, counts = LEADERBOARD[task]
    chance = sum(BBH_CHANCES) / len(BBH_CHANCES) if chance is None else chance
    found, trained = errors(leaderboard(), task, chance, cutoff, WITHOUT_ARITHMETIC)
    assert (trained, *(count for _, count in found.values())) == counts
    for (error, _), value in zip(found.values(), printed, strict=True):
        assert abs(error - value) <= 1.5 * last_digit(value), (error, value)


@pytest.mark.parametrize("task", EMERGENT)
def test_errors_on_emergent_tasks_are_those_printed(task):
    chance, cutoff, printed = EMERGENT[task]
    frame = models("emergent_capability")
    frame = frame[frame[task].notna() & frame[FLOPS].notna()]
    with_arithmetic = [*WITHOUT_ARITHMETIC[:5], "GSM8K", *WITHOUT_ARITHMETIC[5:]]
    benchmarks = with_arithmetic if task.startswith("word") else WITHOUT_ARITHMETIC
    found, _ = errors(frame, task, chance, cutoff, benchmarks)
    for name, value in zip(("compute", "pc"), printed, strict=True):
        assert abs(found[name][0] - value) <= 1.5 * last_digit(value), (found, value)


def test_a_free_floor_makes_the_forecasts_of_components_worse():
    for task in ("leaderboard_gpqa", "leaderboard_bbh"):
        chance, cutoff, _, _ = LEADERBOARD[task]
        chance = sum(BBH_CHANCES) / len(BBH_CHANCES) if chance is None else chance
        fixed, _ = errors(leaderboard(), task, chance, cutoff, WITHOUT_ARITHMETIC)
        free, _ = errors(leaderboard(), task, chance, cutoff, WITHOUT_ARITHMETIC, free_floor=True)
        assert free["pc"][0] > 2 * fixed["pc"][0], (task, free, fixed)
