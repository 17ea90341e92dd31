"""Simulated tables that the question of compute alone is asked of, and the laws' scores on each.

    python benchmarks/simulate_verdicts.py FOLDER --tables 2000    # a second a table; goes on where it stopped

Each table has a design, a size, a noise and a truth of its own. Every usual law is sampled by a shorter run of the
sampler that fits use (2 chains of 300 draws) and scored by PSIS-LOO, with exact refits of up to 5 rows of high Pareto
k. The scores of all rows are kept, one JSON line a table. ``calibrate_verdicts.py`` reads them.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

LAWS = ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla")
TOLERANCE = 0.05
OWN = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quantiles of the runs' D/N at which the true cost of the split is averaged."""

DRAWS, CHAINS, MAX_REFITS, THIN = 300, 2, 5, 6

MIX = tuple((design, truth, noise) for design in ("mix-gadre", "mix-ladder", "mix-isoflop") for truth in
            ("compute_floor", "chinchilla") for noise in (0.004, 0.015))  # fmt: skip
"""The mix of 144 tables on which the plain probability was first tried."""

type Truth = Callable[[np.ndarray, np.ndarray], np.ndarray]


# Designs


@dataclass(frozen=True)
class Design:
    """Runs of one simulated table."""

    N: np.ndarray
    D: np.ndarray
    unit: np.ndarray


def _of(C: np.ndarray, ratio: np.ndarray, unit: np.ndarray | None = None) -> Design:
    C, ratio = np.asarray(C, dtype=float).ravel(), np.asarray(ratio, dtype=float).ravel()
    N = np.sqrt(C / 6 / ratio)
    return Design(N, C / 6 / N, np.arange(N.size) if unit is None else unit)


def ladder(rng: np.random.Generator, rows: int, low: float, decades: float, width: float) -> Design:
    """Sizes, each at a few tokens per parameter."""
    count = int(rng.integers(2, 6))
    ratios = 10 ** (np.log10(rng.uniform(8, 60)) + np.linspace(-width / 2, width / 2, count))
    sizes = np.sqrt(low / 120) * np.geomspace(1, 10 ** (decades / 2), max(2, round(rows / count)))
    N, ratio = np.meshgrid(sizes, ratios)
    return _of(6 * N**2 * ratio, ratio)


def gadre(rng: np.random.Generator, rows: int, low: float, decades: float, width: float) -> Design:
    """Sizes far beyond their best tokens: 5 to 640 a parameter, the largest sizes on fewer."""
    del width
    sizes = np.sqrt(low / 120) * np.geomspace(1, 10 ** (decades / 2), max(2, round(rows / 7)))
    N, ratio = np.meshgrid(sizes, 5 * 2.0 ** np.arange(8))
    keep = N**2 * ratio <= np.quantile(N**2 * ratio, rng.uniform(0.75, 1.0))
    return _of((6 * N**2 * ratio)[keep], ratio[keep])


def grid(rng: np.random.Generator, rows: int, low: float, decades: float, width: float) -> Design:
    """Every size on every number of tokens."""
    count = int(rng.integers(3, 9))
    middle = np.sqrt(low * 10 ** (decades / 2) / 6 / rng.uniform(8, 60))
    sizes = middle * np.geomspace(10 ** (-decades / 4), 10 ** (decades / 4), count)
    tokens = (
        low * 10 ** (decades / 2) / 6 / middle * 10 ** np.linspace(-width / 2, width / 2, max(2, round(rows / count)))
    )
    N, D = np.meshgrid(sizes, tokens)
    return _of(6 * N * D, D / N)


def isoflop(rng: np.random.Generator, rows: int, low: float, decades: float, width: float) -> Design:
    """Budgets, each at several sizes; C misses its budget by a few percent."""
    count = int(np.clip(rng.integers(3, 10), 2, rows // 3))
    budgets = low * np.geomspace(1, 10**decades, count)
    log_ratio = np.log10(rng.uniform(8, 60)) + np.linspace(-width, width, max(3, round(rows / count)))
    C, ratio = np.meshgrid(budgets, 10**log_ratio)
    return _of(C * np.exp(rng.normal(0, 0.03, C.shape)), ratio)


def narrow(rng: np.random.Generator, rows: int, low: float, decades: float, width: float) -> Design:
    """IsoFLOP slices of 10 to 40 tokens per parameter."""
    del width
    count = int(np.clip(rng.integers(3, 8), 2, rows // 3))
    C, ratio = np.meshgrid(low * np.geomspace(1, 10**decades, count), np.geomspace(10, 40, max(3, round(rows / count))))
    return _of(C * np.exp(rng.normal(0, 0.03, C.shape)), ratio)


def scattered(rng: np.random.Generator, rows: int, low: float, decades: float, width: float) -> Design:
    """Scatter runs without a plan."""
    log_ratio = np.log10(rng.uniform(8, 60)) + rng.uniform(-width, width, rows)
    return _of(low * 10 ** rng.uniform(0, decades, rows), 10**log_ratio)


def checkpoints(rng: np.random.Generator, rows: int, low: float, decades: float, width: float) -> Design:
    """Training runs of several sizes, each read at several numbers of tokens."""
    reads = int(rng.integers(4, 11))
    runs = max(5, round(rows / reads))
    N = np.sqrt(low / 120) * 10 ** rng.uniform(0, decades / 2, runs)
    last = 10 ** (np.log10(rng.uniform(20, 100)) + rng.uniform(-width / 2, width / 2, runs))
    ratio = last[:, None] * np.geomspace(0.1, 1, reads)
    return _of(6 * N[:, None] ** 2 * ratio, ratio, np.repeat(np.arange(runs), reads))


DESIGNS = {each.__name__: each for each in (ladder, gadre, grid, isoflop, narrow, scattered, checkpoints)}


def mixed(name: str) -> Design:
    """Return a design of the mix on which the plain probability was first tried."""
    if name == "mix-isoflop":
        C, ratio = np.meshgrid(np.geomspace(1e18, 1e21, 5), 20 * np.geomspace(1 / 16, 16, 6))
        return _of(C, ratio)
    ratios, count = (5 * 4.0 ** np.arange(5), 7) if name == "mix-gadre" else (np.array([10.0, 20.0, 40.0]), 10)
    N, ratio = np.meshgrid(np.geomspace(1e7, 4e8 if name == "mix-gadre" else 1e9, count), ratios)
    return _of(6 * N**2 * ratio, ratio)


# Truths


def _law(name: str, **values: float) -> Truth:
    from bayescale.laws import LAWS as ALL  # noqa: PLC0415

    law = ALL[name]

    def truth(N: np.ndarray, D: np.ndarray) -> np.ndarray:
        columns = {"N": N, "D": D, "C": 6 * N * D}
        return np.asarray(law.loss(**{each: columns[each] for each in law.covariates}, **values))

    return truth


def compute_power(rng: np.random.Generator, typical: float) -> Truth:
    """Return a power of compute."""
    gamma = rng.uniform(0.03, 0.12)
    return _law("compute_power", K=rng.uniform(2, 4) * typical**gamma, gamma=gamma)


def compute_floor(rng: np.random.Generator, typical: float) -> Truth:
    """Return a floor and a power of compute."""
    gamma = rng.uniform(0.08, 0.3)
    return _law("compute_floor", E=rng.uniform(1.2, 2.2), K=rng.uniform(0.5, 1.8) * typical**gamma, gamma=gamma)


def bend(rng: np.random.Generator, typical: float) -> Truth:
    """Return compute alone, by a law that is not compared: two powers that meet, and a ripple."""
    first, second = rng.uniform(0.08, 0.3, 2)
    E, K, ripple, phase = rng.uniform(1.2, 2.2), rng.uniform(0.5, 1.8), rng.uniform(0, 0.004), rng.uniform(0, 7)

    def truth(N: np.ndarray, D: np.ndarray) -> np.ndarray:
        x = np.log(6 * N * D / typical)
        falling = K * (np.exp(first * x) + np.exp(second * x)) ** -1.0 * 2
        return np.asarray((E + falling) * np.exp(ripple * np.sin(1.2 * x + phase)))

    return truth


def tilt(rng: np.random.Generator, typical: float) -> Truth:
    """Return a floor and a power of compute in which N and D have different slopes."""
    gamma, delta = rng.uniform(0.08, 0.3), rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.05), np.log(0.5)))
    K = rng.uniform(0.5, 1.8) * (typical / 6) ** gamma / 20 ** (gamma * delta)
    return _law("tilt", E=rng.uniform(1.2, 2.2), K=K, gamma=gamma, delta=delta)


def _additive(rng: np.random.Generator, typical: float) -> dict[str, float]:
    """Return a law of the chinchilla kind whose best D/N at the typical budget is between 5 and 100."""
    alpha, beta = rng.uniform(0.22, 0.5, 2)
    N = np.sqrt(typical / 6 / np.exp(rng.uniform(np.log(5), np.log(100))))
    at_N = rng.uniform(0.5, 1.8) * beta / (alpha + beta)
    return {
        "E": rng.uniform(1.2, 2.2),
        "A": at_N * N**alpha,
        "B": at_N * alpha / beta * (typical / 6 / N) ** beta,
        "alpha": alpha,
        "beta": beta,
    }


def chinchilla(rng: np.random.Generator, typical: float) -> Truth:
    """Return a floor, a power of N and a power of D."""
    return _law("chinchilla", **_additive(rng, typical))


def isoflop_law(rng: np.random.Generator, typical: float) -> Truth:
    """Return slices of equal compute with exponents of their own."""
    from bayescale.laws.isoflop import from_chinchilla  # noqa: PLC0415

    found = from_chinchilla(**_additive(rng, typical))
    turn = rng.normal(0, 0.05)
    found["G"] *= (typical / 6) ** -turn
    found |= {"a": found["a"] + turn, "span": rng.uniform(2, 6)}
    found |= {name: found[name] * rng.uniform(0.7, 1.8) for name in ("alpha", "beta")}
    return _law("isoflop", **found)


def farseer(rng: np.random.Generator, typical: float) -> Truth:
    """Return the law of Li et al. (2025), moved to the table's sizes."""
    from bayescale.laws import LAWS as ALL  # noqa: PLC0415

    values = dict(next(iter(ALL["farseer"].published.values())))
    for name in ("floor_slope", "amplitude_slope", "exponent_slope"):
        values[name] *= rng.uniform(0.8, 1.2)
    law, shift = _law("farseer", **values), 1e9 / np.sqrt(typical / 120)
    return lambda N, D: law(N * shift, D * shift)


def joined(rng: np.random.Generator, typical: float) -> Truth:
    """Return a law of N and D that is not compared: two powers joined by a norm, and ripples in both."""
    found, norm = _additive(rng, typical), np.exp(rng.uniform(np.log(0.6), np.log(2.5)))
    ripple, phases = rng.uniform(0, 0.004, 2), rng.uniform(0, 7, 2)

    def truth(N: np.ndarray, D: np.ndarray) -> np.ndarray:
        parts = found["A"] / N ** found["alpha"], found["B"] / D ** found["beta"]
        both = (parts[0] ** norm + parts[1] ** norm) ** (1 / norm) * 2 ** (1 - 1 / norm)
        waves = (ripple[i] * np.sin(1.2 * np.log(x) + phases[i]) for i, x in enumerate((N, D)))
        return np.asarray((found["E"] + both) * np.exp(sum(waves)))

    return truth


COMPUTE = {each.__name__: each for each in (compute_power, compute_floor, bend)}
SPLIT = {each.__name__: each for each in (tilt, chinchilla, isoflop_law, farseer, joined)}


def true_cost(truth: Truth, design: Design) -> float:
    """Return the extra compute of the runs' own D/N, averaged over its quantiles, at the typical budget."""
    flops = np.exp(np.log(6 * design.N * design.D).mean())
    own = np.log(np.quantile(design.D / design.N, OWN))
    wide = np.linspace(np.log(0.01), np.log(1e5), 400)
    budgets = np.log(flops) + np.linspace(0, np.log(1e-6), 700)

    def loss(log_flops: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
        N = np.sqrt(np.exp(log_flops - log_ratio) / 6)
        return truth(N, np.exp(log_flops) / 6 / N)

    best = loss(budgets[:, None], wide[None, :]).min(axis=1)
    needed = np.interp(loss(np.full(own.size, np.log(flops)), own), np.maximum.accumulate(best), budgets)
    return float(np.mean(flops / np.exp(needed) - 1))


# Tables


def describe_table(index: int, *, mix: bool) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return what one table is, and its runs."""
    rng = np.random.default_rng([index, int(mix)])
    if mix:
        design_name, truth_name, sigma = MIX[index % len(MIX)]
        design, nu = mixed(design_name), 8.0
    else:
        design_name = list(DESIGNS)[index % len(DESIGNS)]
        kind = COMPUTE if (index // len(DESIGNS)) % 2 else SPLIT
        truth_name = list(kind)[int(rng.integers(len(kind)))]
        rows = round(np.exp(rng.uniform(np.log(9), np.log(250))))
        design = DESIGNS[design_name](
            rng, rows, 10 ** rng.uniform(17, 19.5), rng.uniform(1, 3.5), rng.uniform(0.5, 2.2)
        )
        sigma, nu = np.exp(rng.uniform(np.log(0.001), np.log(0.03))), float(rng.choice([3.0, 8.0]))
    typical = float(np.exp(np.log(6 * design.N * design.D).mean()))
    truth = (COMPUTE | SPLIT)[truth_name](rng, typical)
    shared = (
        sigma * rng.standard_normal(int(design.unit.max()) + 1)[design.unit] if design_name == "checkpoints" else 0.0
    )
    noise = sigma * rng.standard_t(nu, design.N.size) + shared
    frame = pd.DataFrame({"N": design.N, "D": design.D, "C": 6 * design.N * design.D})
    frame["loss"] = truth(design.N, design.D) * np.exp(noise)
    facts = {"index": index, "mix": mix, "design": design_name, "truth": truth_name, "rows": len(frame),
             "units": int(design.unit.max()) + 1, "sigma": float(sigma), "nu": nu,
             "cost": true_cost(truth, design) if truth_name in SPLIT else 0.0}  # fmt: skip
    return facts | {"unit": design.unit.tolist()}, frame


# Scores


def sampled(law: Any, frame: pd.DataFrame, reference: Mapping[str, float], seed: int) -> xr.Dataset:  # noqa: ANN401
    """Return a short posterior."""
    from bayescale.fits.sampling import Attempt, _sample_once  # noqa: PLC0415
    from bayescale.fits.settings import Settings  # noqa: PLC0415
    from bayescale.fits.tree import sampler_data  # noqa: PLC0415

    settings = Settings(DRAWS, DRAWS, CHAINS, seed)
    return _sample_once(law, sampler_data(law, frame, "loss", reference), settings, Attempt("low_rank", 0.9, 1))[0]


def density(law: Any, posterior: xr.Dataset, frame: pd.DataFrame, reference: Mapping[str, float]) -> np.ndarray:  # noqa: ANN401
    """Return the log density of each row under each draw (row, draw)."""
    from bayescale.fits.likelihood import log_likelihood  # noqa: PLC0415

    found, _ = log_likelihood(law, posterior, frame, "loss", reference, random_seed=0)
    return found["log_response"].to_numpy().reshape(-1, len(frame)).T


def scores(name: str, frame: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return a law's density of each row left out, how many are not to be trusted, and what it says of the split."""
    from arviz_stats.base import array_stats  # noqa: PLC0415

    from bayescale.fits.fit import reference_values  # noqa: PLC0415
    from bayescale.laws import get_law  # noqa: PLC0415

    law = get_law(name)
    reference = reference_values(frame, "loss", law)
    posterior = sampled(law, frame, reference, seed)
    found = density(law, posterior, frame, reference)
    weights, pareto_k = array_stats.psislw(found, axis=-1)  # it takes log densities, and weighs by their inverse
    elpd = np.logaddexp.reduce(weights + found, axis=-1)
    limit = min(1 - 1 / np.log10(found.shape[1]), 0.7)
    bad = np.flatnonzero(pareto_k > limit)
    for row in bad[np.argsort(-pareto_k[bad])][:MAX_REFITS]:
        again = sampled(law, frame.drop(index=row), reference, seed)
        held = density(law, again, frame.loc[[row]], reference).ravel()
        elpd[row] = np.logaddexp.reduce(held) - np.log(held.size)
    facts = {"elpd_i": [round(float(value), 4) for value in elpd], "bad_k": max(0, bad.size - MAX_REFITS)}
    return facts | (split_facts(law, posterior, frame, reference) if name in ("kaplan_nd", "chinchilla") else {})


def split_facts(law: Any, posterior: xr.Dataset, frame: pd.DataFrame, reference: Mapping[str, float]) -> dict[str, Any]:  # noqa: ANN401
    """Return the best D/N of some draws, and what the runs' own D/N cost under each, in closed form."""
    draw = {name: values.to_numpy().ravel()[::THIN] for name, values in posterior.items()}
    flops = float(np.exp(np.log(frame["C"]).mean()))
    own = np.quantile(frame["D"] / frame["N"], OWN)
    N = np.sqrt(flops / 6 / own)
    at = {"N": N[None] / reference["N"], "D": flops / 6 / N[None] / reference["D"]}
    if law.name == "chinchilla":
        p, q, A, B = draw["alpha"], draw["beta"], draw["A"], draw["B"]
    else:
        q = np.ones_like(draw["A"])
        p, A, B = (draw["alpha_N"] / draw["alpha_D"], *(draw[name] ** (1 / draw["alpha_D"]) for name in ("A", "B")))
    p, q, A, B = (each[:, None] for each in (p, q, A, B))
    product = flops / 6 / (reference["N"] * reference["D"])
    best = (p * A / (q * B)) ** (1 / (p + q)) * product ** (q / (p + q))

    def above(N: np.ndarray, D: np.ndarray) -> np.ndarray:
        return np.asarray(A / N**p + B / D**q)

    cost = (above(at["N"], at["D"]) / above(best, product / best)) ** ((p + q) / (p * q)) - 1
    ratio = np.log10(product / best**2 * reference["D"] / reference["N"])[:, 0]
    return {
        "best": [round(float(value), 3) for value in ratio],
        "cost_draws": [round(float(value), 4) for value in cost.mean(axis=1)],
    }


def read(path: Path) -> dict[int, dict[str, Any]]:
    """Return the tables of a file by their numbers; laws that were scored later are added to the others."""
    found: dict[int, dict[str, Any]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        each = json.loads(line)
        found.setdefault(each["index"], each)["laws"] |= each["laws"]
    return found


def main() -> None:
    """Simulate and score tables, each written as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", type=int, default=2000)
    parser.add_argument("--mix", action="store_true", help="the mix of best known tables instead")
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help="which of how many parts, for two processes")
    asked = parser.parse_args()
    path = asked.folder / f"{'mix' if asked.mix else 'tables'}-{asked.part[0]}-{asked.part[1]}.jsonl"
    asked.folder.mkdir(parents=True, exist_ok=True)
    known = {name: each["laws"] for name, each in read(path).items()}
    for index in range(asked.part[0], asked.tables, asked.part[1]):
        missing = [name for name in LAWS if name not in known.get(index, {})]
        if not missing:
            continue
        facts, frame = describe_table(index, mix=asked.mix)
        laws = {name: scores(name, frame, index) for name in missing}
        with path.open("a") as file:
            file.write(json.dumps(facts | {"laws": laws}) + "\n")


if __name__ == "__main__":
    main()
