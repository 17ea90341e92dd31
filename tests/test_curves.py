"""Where a run in progress will end."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_checkpoints import CHINCHILLA, TRUTH, covariance, draws_of, table

import bayescale as bs
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.forecasts.curves import forecast_run

TOKENS = np.geomspace(1e9, 4e9, 6)
END = 1.6e10
NOISE = {"sigma": 0.01, "nu": 30.0, "run_share": 0.6, "path_share": 0.5}


@pytest.fixture(scope="module")
def known():
    """A fit whose draws are all the truth, so that forecasts can be held against it."""
    runs = bs.read_runs(table(), name="made")
    _, reference, posterior = draws_of(runs, count=500)
    exact = {"E": 1.69, "A": 291.0 * reference["N"] ** -0.34, "B": 155000.0 * reference["D"] ** -0.655}
    values = {**exact, "alpha": 0.34, "beta": 0.655, **NOISE}
    draws = xr.Dataset({name: (("chain", "draw"), np.full((1, 500), value)) for name, value in values.items()})
    assert set(draws) == set(posterior)
    return Fit.from_draws(runs, "chinchilla", draws, scale="reference")


def curve(seed, N=2e8):
    """A run's curve and its end: noise of the shares above, as normal as 30 degrees of freedom nearly are."""
    D = np.append(TOKENS, END)
    frame = pd.DataFrame({"N": N, "D": D, "training_run": "new"})
    root = np.linalg.cholesky(covariance(frame, NOISE["run_share"], NOISE["path_share"]))
    noise = NOISE["sigma"] * root @ np.random.default_rng(seed).standard_normal(D.size)
    loss = CHINCHILLA.loss(N=N, D=D, **TRUTH) * np.exp(noise)
    return frame.assign(loss=loss).iloc[:-1], float(loss[-1])


def test_intervals_of_the_end_hold_it_and_are_narrower_than_those_of_the_law(known):
    """Over 300 curves; intervals that hold 90% hold 85 to 95% of them but once in 300 times."""
    held, widths = [], []
    for seed in range(300):
        seen, final = curve(seed)
        found = forecast_run(known, seen, END, random_seed=seed)
        low, high = np.quantile(found.loss, [0.05, 0.95])
        held.append(low <= final <= high)
        widths.append(np.log(high / low))
    assert 0.85 <= np.mean(held) <= 0.95
    alone = 2 * 1.697 * NOISE["sigma"]  # 90% of a single row of 30 degrees of freedom
    assert np.median(widths) < 0.85 * alone


def test_a_run_that_lies_above_the_law_is_expected_to_end_above_it(known):
    seen, _ = curve(0)
    law = CHINCHILLA.loss(N=2e8, D=TOKENS, **TRUTH)
    for offset in (-0.03, 0.03):
        found = forecast_run(known, seen.assign(loss=law * np.exp(offset)), END)
        assert (found.above() > 0.95) == (offset > 0)
        assert (found.above() < 0.05) == (offset < 0)


def test_what_stopping_saves_is_the_compute_that_is_left(known):
    found = forecast_run(known, curve(0)[0], END)
    assert found.flops_left == pytest.approx(6 * 2e8 * (END - TOKENS[-1]), rel=1e-9)
    assert found.seen == pytest.approx(0.25)
    assert "stopping saves 1.44e19 FLOP" in " ".join(repr(found).split())


def test_rows_may_come_in_any_order(known):
    seen, _ = curve(3)
    first, second = (forecast_run(known, each, END) for each in (seen, seen.iloc[::-1]))
    np.testing.assert_array_equal(first.loss, second.loss)


def test_what_cannot_be_forecast_is_refused(known):
    seen, _ = curve(0)
    with pytest.raises(InputError, match="the run ends at 1e\\+09"):
        forecast_run(known, seen, 1e9)
    with pytest.raises(InputError, match="expected rows with N, D, loss"):
        forecast_run(known, seen.drop(columns="loss"), END)
    alone = known.data["posterior"].to_dataset().drop_vars(["run_share", "path_share"])
    plain = Fit.from_draws(known.runs, "chinchilla", alone, scale="reference")
    with pytest.raises(InputError, match="column training_run"):
        forecast_run(plain, seen, END)
