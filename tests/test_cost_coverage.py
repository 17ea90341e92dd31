"""How often 90% intervals hold where a token does not cost 6 N: 2 to 10 times off, by a factor that varies with size.

docs/decisions/0017-cost.md holds the measured numbers.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale.decisions.mixture import mixture
from bayescale.decisions.own_cost import own_cost
from bayescale.designs.simulation import simulate
from bayescale.fits import sampling
from bayescale.fits.fitting import sample_posterior_alone
from bayescale.fits.settings import Settings
from bayescale.laws import LAWS
from bayescale.laws.measured import MeasuredCost
from bayescale.runs import RunTable

pytestmark = pytest.mark.slow

TABLES = 100
SHORT = {"draws": 400, "tune": 500, "chains": 2}
TRUTH = LAWS["chinchilla"].published["Besiroglu et al. (2024)"]
RUN_BUDGETS = np.geomspace(1e18, 1e22, 5)
BUDGETS = np.array([1e20, 1e22, 1e23])
"""FLOP of the decisions: inside the runs, at the largest, and 10 times beyond."""

RATIOS = np.geomspace(0.1, 10.0, 8)
SCATTER = 0.01
FALSE_ALARM = 0.01


def attention(N, strength, level):
    """Return the factor of attention over long contexts: its share falls with the width of the model."""
    return level * (1 + strength * (N / 1e8) ** (-1 / 3))


def embeddings(N, strength, level):
    """Return the factor where embeddings are counted in N and cost nothing."""
    return level / (1 + strength * (N / 1e8) ** (-1 / 2))


def power(N, strength, level):
    """Return a factor that grows with size."""
    return level * (N / 1e9) ** (0.05 * strength)


SHAPES = (attention, embeddings, power)


def factor_of(seed):
    """Return the factor of a table: 2 to 10 times at a typical size, up or down, by one of three shapes."""
    rng = np.random.default_rng(seed)
    shape, strength = SHAPES[seed % len(SHAPES)], rng.uniform(0.5, 2.5)
    typical = np.exp(rng.uniform(np.log(2), np.log(10)) * rng.choice([-1, 1]))
    level = typical / shape(np.array(1e9), strength, 1.0)
    return lambda N: shape(N, strength, level)


def best_run(factor, budget):
    """Return N, D and loss of the best run of a budget under the true law and cost, by search on a fine grid."""
    N = np.geomspace(1e6, 1e13, 100_001)
    D = budget / (6 * N * factor(N))
    losses = LAWS["chinchilla"].loss(N, D, **TRUTH)
    best = np.argmin(losses)
    return N[best], D[best], losses[best]


def table(factor, seed):
    """Return 40 runs along isoFLOPs of the true cost, around the best sizes."""
    rng = np.random.default_rng(10_000 + seed)
    N = np.concatenate([best_run(factor, budget)[0] * RATIOS**0.5 for budget in RUN_BUDGETS])
    C = np.repeat(RUN_BUDGETS, len(RATIOS))
    cost = 6 * N * factor(N) * np.exp(SCATTER * rng.standard_normal(N.size))
    frame = simulate(pd.DataFrame({"N": N, "D": C / cost}), "chinchilla", TRUTH, random_seed=seed).frame
    return RunTable.from_frame(frame.assign(C=C))


def study(seed):
    """Return whether the intervals of N*, D* and loss hold the truth at each budget, and which cost was used."""
    factor = factor_of(seed)
    fitted = sample_posterior_alone(LAWS["chinchilla"], table(factor, seed), Settings(**SHORT, random_seed=seed))
    held = {}
    for whose, alone in (("", True), ("allocated ", False)):
        laws, best = mixture(fitted, BUDGETS, alone=alone).locate(BUDGETS)
        best = own_cost(laws, best, BUDGETS)
        for place, (name, found) in enumerate((("N", best.N), ("D", best.D), ("loss", best.loss))):
            low, high = np.quantile(found, [0.05, 0.95], axis=0)
            for i, budget in enumerate(BUDGETS):
                held[f"{whose}{name} at {budget:g}"] = low[i] <= best_run(factor, budget)[place] <= high[i]
    return held | {"measured": isinstance(fitted.draws.cost, MeasuredCost)}


@pytest.fixture(scope="module")
def rows():
    """Let two short chains pass the gate, which needs four, and study every table."""
    diagnose = sampling.diagnose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "diagnose", lambda *given: replace(diagnose(*given), failures=()))
        return pd.DataFrame([study(seed) for seed in range(TABLES)]).astype(float)


def test_intervals_of_the_best_run_hold_where_a_token_does_not_cost_6N(rows):
    assert rows.pop("measured").all()
    held = rows.mean().groupby(lambda name: name.split(" at ")[0]).mean()
    by_law = held.drop([name for name in held.index if name.startswith("allocated")])
    assert ((by_law >= 0.88) & (by_law <= 0.94)).all(), rows.mean()
    assert (held >= 0.88).all(), rows.mean()  # sizes that allow for what a right law does not miss hold more: 0.95
    least = stats.binom(TABLES, 0.9).ppf(FALSE_ALARM / rows.shape[1]) / TABLES
    assert (rows.mean() >= least).all(), rows.mean()
