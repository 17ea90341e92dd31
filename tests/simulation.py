"""Tables simulated from the prior and refitted, and the model's density written without PyMC, for the slow tests."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bayescale.fits import sampling
from bayescale.fits.settings import Settings
from bayescale.laws import SMALLEST_VALUE, Law, Prior

CALIBRATED = ("guo_compute", "compute_power", "compute_floor", "tilt", "kaplan_n", "kaplan_nd", "chinchilla")
"""The laws that a verdict and an allocation rest on."""

UNIT = 3.0
"""Typical response of every simulated table. A unit taken from each table's own responses would make the prior depend
on the data, and ranks of the truth are uniform only for a prior that was there first."""

BUDGET = 1e24
"""FLOP of the allocation that is calibrated: 100 times the largest run."""

FLOPS = np.repeat(10.0 ** np.linspace(18, 22, 6), 8)
RATIO = np.tile(np.geomspace(1.0, 400.0, 8), 6)
SIZES = np.sqrt(FLOPS / (6.0 * RATIO))
DESIGN = {"N": SIZES, "D": FLOPS / (6.0 * SIZES), "C": FLOPS}
"""48 runs: eight tokens per parameter from 1 to 400 at each of six budgets."""

REFERENCE = {name: float(np.exp(np.log(values).mean())) for name, values in DESIGN.items()}
SCALED = {name: values / REFERENCE[name] for name, values in DESIGN.items()}


@dataclass(frozen=True)
class Table:
    """A simulated table: the parameters it was drawn with, each (1,), and its log responses (run,)."""

    truth: dict[str, np.ndarray]
    log_response: np.ndarray


def simulate_tables(law: Law, count: int, seed: int) -> list[Table]:
    """Draw parameters from the law's prior, and one table with each."""
    prior = sampling.sample_prior(law, UNIT, count, seed)
    rng = np.random.default_rng(seed)
    tables = []
    for i in range(count):
        truth = {str(name): values.to_numpy()[0, i : i + 1] for name, values in prior.items()}
        noise = rng.standard_t(truth["nu"], size=FLOPS.size)
        tables.append(Table(truth, log_center(law, truth)[0] + truth["sigma"] * noise))
    return tables


def log_center(law: Law, values: dict[str, np.ndarray]) -> np.ndarray:
    """Return the log of the law at every run of the design (draw, run), floored as the model floors it."""
    columns = {name: values[name][:, None] for name in law.parameters}
    value = law.loss(**{name: SCALED[name] for name in law.covariates}, **columns)
    return np.log(np.maximum(value, SMALLEST_VALUE * UNIT))


def table_data(law: Law, table: Table) -> dict[str, np.ndarray]:
    """Return a table as the sampler takes it."""
    covariates = {name: SCALED[name] for name in law.covariates}
    return {**covariates, "log_response": table.log_response, "loss_unit": np.asarray(UNIT)}


def refit_briefly(law: Law, table: Table, settings: Settings) -> tuple[dict[str, np.ndarray], int]:
    """Return posterior draws (draw,) and the number of divergences, from the first attempt only."""
    posterior, statistics = sampling._sample_once(law, table_data(law, table), settings, sampling.ATTEMPTS[0])
    draws = {str(name): values.to_numpy().ravel() for name, values in posterior.items()}
    return draws, int(statistics["diverging"].sum())


def has_best_split(law: Law) -> bool:
    """Return whether the law has a closed form of the best split that the tests know."""
    return law.name in {"chinchilla", "kaplan_nd"}


def log_best_size(law: Law, values: dict[str, np.ndarray]) -> np.ndarray:
    """Return ln N* at the budget (draw,), by the closed form; Kaplan's law is a power of an additive one."""
    if law.name == "kaplan_nd":
        root = 1 / values["alpha_D"]
        alpha, beta = values["alpha_N"] * root, 1.0
        A, B = values["A"] ** root, values["B"] ** root
    else:
        alpha, beta, A, B = (values[name] for name in ("alpha", "beta", "A", "B"))
    product = BUDGET / 6.0 / (REFERENCE["N"] * REFERENCE["D"])
    relative = (np.log(alpha * A / (beta * B)) + beta * np.log(product)) / (alpha + beta)
    return relative + np.log(REFERENCE["N"])


def quantities(law: Law, values: dict[str, np.ndarray], log_response: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is calibrated (draw,): parameters, noise, log likelihood of the table, and ln N* at the budget."""
    density = stats.t.logpdf(
        log_response, df=values["nu"][:, None], loc=log_center(law, values), scale=values["sigma"][:, None]
    )
    found = {**values, "log_likelihood": density.sum(axis=1)}
    return {**found, "log_best_N": log_best_size(law, values)} if has_best_split(law) else found


def log_prior(law: Law, free: dict[str, np.ndarray]) -> np.ndarray:
    """Return the log prior density of the model's free variables, with the parts' own Dirichlet density."""
    total = stats.halfnorm.logpdf(free["sigma"], scale=0.05) + stats.expon.logpdf(free["nu_above_2"], scale=10.0)
    for name, prior in law.priors.items():
        if isinstance(prior, Prior):
            total = total + _log_plain_prior(prior, free[f"{name}_relative" if prior.relative else name])
    shares = {name: prior.concentration for name, prior in law.priors.items() if not isinstance(prior, Prior)}
    total = total + stats.lognorm.logpdf(free["level"], s=0.3)
    return total + _log_parts_prior(shares, free)


def _log_plain_prior(prior: Prior, value: np.ndarray) -> np.ndarray:
    arguments = prior.parameters
    if prior.family == "LogNormal":
        return stats.lognorm.logpdf(value, s=arguments["sigma"], scale=np.exp(arguments["mu"]))
    if prior.family == "Normal":
        return stats.norm.logpdf(value, arguments["mu"], arguments["sigma"])
    end = (arguments["upper"] - arguments["mu"]) / arguments["sigma"]
    return stats.truncnorm.logpdf(value, -np.inf, end, arguments["mu"], arguments["sigma"])


def _log_parts_prior(shares: dict[str, float], free: dict[str, np.ndarray]) -> np.ndarray:
    """Return the density of the breaks of a stick whose pieces are Dirichlet: every break scales what is left."""
    left, jacobian, pieces = 1.0, 0.0, []
    for name in list(shares)[:-1]:
        pieces.append(left * free[f"{name}_part"])
        jacobian = jacobian + np.log(left)
        left = left - pieces[-1]
    if not pieces:
        return np.asarray(0.0)
    return stats.dirichlet.logpdf(np.array([*pieces, left]), list(shares.values())) + jacobian
