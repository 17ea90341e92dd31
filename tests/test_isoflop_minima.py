"""Best sizes against isoFLOP minima that papers publish: Hoffmann et al. (2022) and Porian et al. (2024).

docs/isoflop-minima.md holds the same for all tables and laws.
"""

import numpy as np
import pandas as pd
import published
import pytest

import bayescale as bs
from bayescale.decisions.disagreement import minima_notes
from bayescale.fits.draws import Draws
from bayescale.fits.fitting import sample_posterior_alone
from bayescale.fits.settings import Settings
from bayescale.laws import LAWS, published_scale
from bayescale.laws.measured import sizes
from bayescale.splits.minima import isoflop_minima, line_sizes
from bayescale.splits.optimum import find_optimum

CORPORA = {"rw": "RefinedWeb", "owt2": "OpenWebText2"}
SCHEDULES = ("base-long-kaplan", "base-short-kaplan", "base-short-chinchilla", "tuned-short-const")
CASES = [(corpus, schedule) for corpus in CORPORA for schedule in SCHEDULES]


@pytest.fixture(scope="module")
def porian():
    """Return the reader of one corpus and schedule: runs, published minima, published exponent with its interval."""
    minima, fits = (pd.read_csv(published.raw(f"porian/{name}.csv")) for name in ("optimal_pairs", "published_fits"))
    runs = pd.read_csv(published.tidy("porian"))
    runs = runs.rename(columns={"run_id": "run", "params": "N", "tokens": "D", "flops": "C"}).astype({"C": float})

    def read(corpus, schedule):
        own = runs[(runs["dataset"] == CORPORA[corpus]) & (runs["family"] == schedule)]
        table = bs.RunTable.from_frame(own[["run", "N", "D", "C", "loss"]].reset_index(drop=True), name=schedule)
        keys = dict(zip(("hparams", "warmup", "decay"), schedule.split("-"), strict=True))
        keys |= {"dataset": corpus, "param_count": "standard", "val": "val"}
        chosen = minima[np.logical_and.reduce([minima[key] == value for key, value in keys.items()])]
        keys |= {"kind": "bs_median_weighted"}
        (fit,) = fits[np.logical_and.reduce([fits[key] == value for key, value in keys.items()])].itertuples()
        return table, chosen.sort_values("flops"), (fit.n_exponent, fit.n_exponent_boot_lo, fit.n_exponent_boot_hi)

    return read


def near(log_sizes, published):
    """Return whether samples of ln N (sample, budget) agree with published minima and their standard deviation."""
    gap = np.median(log_sizes, axis=0) - np.log(published["n"].to_numpy())
    return np.abs(gap) < 1.645 * np.hypot(log_sizes.std(axis=0), published["n_star_std"].to_numpy())


@pytest.mark.parametrize(("corpus", "schedule"), CASES)
def test_minima_and_exponent_agree_with_those_that_porian_et_al_publish(porian, corpus, schedule):
    runs, minima, (_, low, high) = porian(corpus, schedule)
    found = isoflop_minima(runs)
    at = found.table["flops"].to_numpy()
    same = [int(np.argmin(np.abs(np.log(minima["flops"] / value)))) for value in at]
    assert len(at) >= 9
    assert near(found.log_sizes, minima.iloc[same]).mean() >= 0.75
    lower, upper = np.quantile(found.lines[:, 1], [0.05, 0.95])
    assert lower <= high
    assert low <= upper


@pytest.mark.parametrize(("corpus", "schedule"), CASES)
def test_a_line_through_smaller_minima_finds_those_of_larger_budgets(porian, corpus, schedule):
    """Eight times beyond the runs; the same runs, where a law is fitted to them, miss by a factor of 1.7 (r.m.s.)."""
    runs, minima, _ = porian(corpus, schedule)
    smaller = bs.select_runs(runs, "C < 4e18")
    larger = minima[minima["flops"] > 4e18]
    log_sizes = np.log(line_sizes(isoflop_minima(smaller), larger["flops"].to_numpy()))
    assert len(larger) == 3
    gap = np.median(log_sizes, axis=0) - np.log(larger["n"].to_numpy())
    assert np.sqrt(np.mean(gap**2)) < np.log(1.35)
    assert near(log_sizes, larger).sum() >= 2


# Hoffmann et al. (2022): N and FLOP of Table 3 (approach 1) and of Table A3 (approaches 2 and 3)

N = np.array([400e6, 1e9, 10e9, 67e9, 175e9, 280e9, 520e9, 1e12, 10e12])
FLOPS = {
    1: np.array([1.92e19, 1.21e20, 1.23e22, 5.76e23, 3.85e24, 9.90e24, 3.43e25, 1.27e26, 1.30e28]),
    2: np.array([1.84e19, 1.20e20, 1.32e22, 6.88e23, 4.54e24, 1.18e25, 4.19e25, 1.59e26, 1.75e28]),
    3: np.array([2.21e19, 1.62e20, 2.46e22, 1.71e24, 1.26e25, 3.52e25, 1.36e26, 5.65e26, 8.55e28]),
}


def covered(samples):
    """Return whether 90% intervals hold the published N (budget,)."""
    low, high = np.quantile(samples, [0.05, 0.95], axis=0)
    return (low <= N) & (high >= N)


@pytest.fixture(scope="module")
def hoffmann_minima():
    return isoflop_minima(bs.load_runs("chinchilla"))


@pytest.mark.parametrize("approach", [1, 2])
def test_the_line_through_the_minima_holds_the_tables_of_the_first_two_approaches(hoffmann_minima, approach):
    held = covered(line_sizes(hoffmann_minima, FLOPS[approach]))
    assert held.sum() >= 7
    assert held[2:].all()  # from 10 billion parameters up; the two below are within 10%
    middle = np.median(line_sizes(hoffmann_minima, FLOPS[approach]), axis=0)
    assert np.abs(middle / N - 1)[:2].max() < 0.1  # inside the runs; at 6e23 FLOP 17 and 10% below


def test_the_third_approach_of_hoffmann_et_al_is_not_held(hoffmann_minima):
    """Its fit had not converged (Besiroglu et al. 2024): it lies above what the minima of the same runs say."""
    held = covered(line_sizes(hoffmann_minima, FLOPS[3]))
    assert held[0]
    assert not held[1:4].any()  # further on the intervals are two to three times as wide as the distance


def test_exponents_of_the_first_two_approaches_are_held(hoffmann_minima):
    low, high = np.quantile(hoffmann_minima.lines[:, 1], [0.05, 0.95])
    assert low < 0.49
    assert high > 0.50


# The laws


def test_the_best_size_of_isoflop_is_a_power_of_compute():
    """N* = G (C / 6)**a, which the search over sizes must find."""
    rng = np.random.default_rng(5)
    draws = {
        "E": rng.uniform(1.5, 3, 200),
        "K": rng.uniform(0.5, 1.5, 200),
        "gamma": rng.uniform(0.1, 0.4, 200),
        "a": rng.uniform(0.35, 0.7, 200),
        "G": np.exp(rng.normal(0, 0.5, 200)),
        "alpha": rng.uniform(0.15, 0.7, 200),
        "beta": rng.uniform(0.3, 2, 200),
        "span": rng.uniform(2, 15, 200),
    }
    law, reference, flops = LAWS["isoflop"], {"N": 3e8, "D": 7e9}, np.array([1e19, 1e21, 1e23])
    found = find_optimum(Draws(law, draws, reference), flops)
    scaled = published_scale(law, reference, draws)
    closed = scaled["G"][:, None] * (flops / 6) ** scaled["a"][:, None]
    assert found.located.all()
    np.testing.assert_allclose(sizes(flops, found.log_ratio)[0], closed, rtol=1e-6)


def refitted(law, runs):
    return sample_posterior_alone(LAWS[law], runs, Settings(random_seed=0))


def log_best(fitted, flops):
    found = find_optimum(fitted.draws.take(slice(None, None, 10)), np.asarray(flops))
    return np.log(sizes(np.asarray(flops), found.log_ratio)[0])


@pytest.mark.slow
def test_the_law_of_the_same_runs_holds_the_tables_beyond_them_and_misses_two_inside():
    """Inside the table its interval is 4% wide and 5 to 8% low; beyond, it is wide enough."""
    fitted = refitted("chinchilla", bs.load_runs("chinchilla"))
    best = np.exp(log_best(fitted, FLOPS[1]))
    assert covered(best)[2:].all()
    assert not covered(best)[:2].any()
    assert np.abs(np.median(best, axis=0) / N - 1)[:2].max() < 0.1
    assert minima_notes({"chinchilla": fitted}, {"chinchilla": 1.0}, FLOPS[1][:4], 0.9) == []


HIDDEN = "the slice of 5e16 FLOP reads 0.17 too low in ln N, and its scatter hides the disagreement: 6.6 of 9.21"


@pytest.mark.slow
@pytest.mark.parametrize("corpus", [pytest.param("rw", marks=pytest.mark.xfail(reason=HIDDEN)), "owt2"])
def test_far_from_the_minima_a_law_has_other_best_sizes_and_a_note_says_so(porian, corpus):
    """Cosine schedule: the exponent is right and every size 10 to 20% low, for runs far off the minima decide it."""
    runs, minima, (exponent, *_) = porian(corpus, "base-short-chinchilla")
    fitted = refitted("chinchilla", runs)
    best = log_best(fitted, minima["flops"])
    slopes = (best[:, -1] - best[:, 0]) / np.log(minima["flops"].iloc[-1] / minima["flops"].iloc[0])
    low, high = np.quantile(slopes, [0.05, 0.95])
    assert low < exponent < high
    held = np.quantile(best, [0.05, 0.95], axis=0)
    inside = (held[0] <= np.log(minima["n"])) & (np.log(minima["n"]) <= held[1])
    assert inside.mean() < 0.6
    (note,) = minima_notes({"chinchilla": fitted}, {"chinchilla": 1.0}, np.array([1e20]), 0.9)
    assert "isoFLOP minima disagree" in note


@pytest.mark.slow
def test_a_law_that_bends_has_the_published_best_sizes(porian):
    """Tuned schedule: farseer's exponent is 0.496 (0.490 to 0.502), the published one 0.497; chinchilla's is 0.56."""
    runs, minima, (exponent, *_) = porian("rw", "tuned-short-const")
    fitted = refitted("farseer", runs)
    assert fitted.diagnostics.passed
    best = log_best(fitted, minima["flops"])
    slopes = (best[:, -1] - best[:, 0]) / np.log(minima["flops"].iloc[-1] / minima["flops"].iloc[0])
    low, high = np.quantile(slopes, [0.05, 0.95])
    assert low < exponent < high
    assert high - low < 0.02
    assert near(best, minima).mean() >= 0.9
    assert minima_notes({"farseer": fitted}, {"farseer": 1.0}, np.array([1e20]), 0.9) == []


@pytest.mark.slow
def test_a_law_whose_minima_are_free_has_the_published_best_sizes_where_chinchilla_has_half(porian):
    """Long warm-up: isoflop's exponent is 0.69 (0.66 to 0.73), the published one 0.706; chinchilla's is 0.59."""
    runs, minima, (exponent, *_) = porian("rw", "base-long-kaplan")
    minima = minima.dropna(subset=["n"])
    fitted = refitted("isoflop", runs)
    assert fitted.diagnostics.passed
    low, high = np.quantile(fitted.draws["a"], [0.05, 0.95])
    assert low < exponent < high
    assert near(log_best(fitted, minima["flops"]), minima).mean() >= 0.9
    assert near(log_best(refitted("chinchilla", runs), minima["flops"]), minima).mean() <= 0.6
