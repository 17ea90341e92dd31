"""Infer priors of the additive law from public tables: ``python benchmarks/catalogue_priors.py FOLDER``.

FOLDER holds ``tidy``, the public tables with columns ``params``, ``tokens`` and ``loss``. With ``--write FILE`` the
population of all tables goes into FILE (``data/catalogue-priors.json``), with the tables it rests on. Then each table's
forecasts are scored with the law's own priors and with those that all other papers' tables know.

A table's posterior under the law's own priors is taken once. The population of a parameter is normal on its log, or a
Dirichlet distribution of the shares; its likelihood is the mean, over the draws of each table, of its density over the
prior's (importance with the table's own posterior), and is climbed by expectation and maximisation.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import gammaln

import bayescale as bs
from bayescale.fits.discrepancy import discrepancy_group
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import sample_posterior_alone
from bayescale.fits.settings import Settings
from bayescale.fits.student import log_student
from bayescale.laws import LAWS
from bayescale.splits.optimum import find_optimum

LAW = LAWS["chinchilla"]
EXPONENTS = ("alpha", "beta")
SHARES = ("E", "A", "B")
SETTINGS = Settings(draws=400, tune=400, chains=4, random_seed=1)
SUBSETS = (8, 12)
STEPS = 60
WIDEST = 20.0
"""Largest concentration of shares: with it a floor of two thirds of the loss has a standard deviation of a tenth."""

EXPECTED = (4.0, 0.2)
"""Prior of the scale of a population: as many tables as if they had been seen, with this standard deviation. A handful
of tables that each know little would have none at all by maximum likelihood."""


@dataclass(frozen=True)
class Population:
    """What tables have in common: mean and scale of log exponents, and concentrations of shares."""

    mean: np.ndarray
    scale: np.ndarray
    shares: np.ndarray

    def log_density(self, logs: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return the log density of draws of a table (draw,)."""
        normal = -0.5 * ((logs - self.mean) / self.scale) ** 2 - np.log(self.scale)
        return np.asarray(normal.sum(axis=-1) + log_dirichlet(self.shares, shares))


def own_priors() -> Population:
    """Return the law's own priors in the same form."""
    normals = [LAW.priors[name].parameters for name in EXPONENTS]
    shares = np.array([LAW.priors[name].concentration for name in SHARES])
    return Population(np.array([each["mu"] for each in normals]), np.array([each["sigma"] for each in normals]), shares)


def log_dirichlet(concentration: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the log density of shares (draw, share)."""
    constant = gammaln(concentration.sum()) - gammaln(concentration).sum()
    return np.asarray(constant + ((concentration - 1) * np.log(shares)).sum(axis=-1))


def tables(folder: Path) -> dict[str, bs.RunTable]:
    """Return public tables of losses, one of each recipe."""
    found = {"chinchilla": _shipped()}
    found["datablations-c4"] = read(folder, "datablations").query("dataset == 'C4' and epochs == 1 and suspect == 0")
    found["gemstones-cooled"] = read(folder, "gemstones").query("phase == 'cool_end'")
    for corpus in ("C4", "RedPajama", "RefinedWeb"):
        rows = read(folder, "gadre-overtrain")
        found[f"gadre-{corpus.lower()}"] = rows[(rows["dataset"] == corpus) & (rows["N"] > 2e7)]
    for corpus in ("RefinedWeb", "OpenWebText2"):
        rows = read(folder, "porian").query("family == 'tuned-short-const' and dataset == @corpus")
        found[f"porian-{corpus.lower()}"] = rows
    found["steplaw-dense-best"] = read(folder, "steplaw-dense").query("is_grid_best == 1")
    return {
        name: rows if isinstance(rows, bs.RunTable) else bs.read_runs(_independent(rows), name=name)
        for name, rows in found.items()
    }


def _independent(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row of each training run, drawn at random."""
    if "training_run" in rows:
        rows = rows.groupby("training_run").sample(1, random_state=0)
    return rows[["run", "N", "D", "loss"]].reset_index(drop=True)


def _shipped() -> bs.RunTable:
    return bs.catalogue.resolve_runs("chinchilla")


@cache
def read(folder: Path, name: str) -> pd.DataFrame:
    """Return a public table under the usual names."""
    names = {"run_id": "run", "params": "N", "tokens": "D"}
    return pd.read_csv(folder / "tidy" / f"{name}.csv").rename(columns=names)


def parts(fitted: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Return log exponents and shares of a posterior (draw, parameter)."""
    draws = fitted.draws
    logs = np.stack([np.log(draws[name]) for name in EXPONENTS], axis=-1)
    values = np.stack([draws[name] for name in SHARES], axis=-1)
    return logs, values / values.sum(axis=-1, keepdims=True)


def population(posteriors: Sequence[tuple[np.ndarray, np.ndarray]]) -> Population:
    """Return the population of several tables' posteriors under the law's own priors."""
    own = own_priors()
    found, prior = own, [own.log_density(*each) for each in posteriors]
    for _ in range(STEPS):
        weights = [normalised(found.log_density(*each) - base) for each, base in zip(posteriors, prior, strict=True)]
        means = [(w @ logs, w @ shares) for w, (logs, shares) in zip(weights, posteriors, strict=True)]
        mean, share = (np.mean([each[i] for each in means], axis=0) for i in range(2))
        spread, share_spread = (
            np.mean([w @ (each[i] - at) ** 2 for w, each in zip(weights, posteriors, strict=True)], axis=0)
            for i, at in ((0, mean), (1, share))
        )
        total = float(np.mean(share * (1 - share) / share_spread)) - 1
        count, (before, expected) = len(posteriors), EXPECTED
        widened = np.sqrt((count * spread + before * expected**2) / (count + before + 2) * (1 + 1 / count))
        found = Population(mean, widened, share * min(max(total, 3.0), WIDEST))
    return found


def normalised(logs: np.ndarray) -> np.ndarray:
    """Return weights that sum to one."""
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def sample(table: bs.RunTable) -> Fit:
    """Return the posterior under the law's own priors."""
    return sample_posterior_alone(LAW, table, SETTINGS)


def subset(table: bs.RunTable, rows: np.ndarray) -> bs.RunTable:
    """Return these rows of a table."""
    return bs.RunTable.from_frame(table.frame.iloc[np.sort(rows)].reset_index(drop=True), name=table.name)


def cases(table: bs.RunTable, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield what is fitted and what is forecast: all but the largest fifth, and eight and twelve runs at random."""
    order = np.argsort(table.frame["C"].to_numpy(), kind="stable")
    cut = int(np.ceil(0.8 * order.size))
    yield "largest fifth", order[:cut], order[cut:]
    for count in SUBSETS:
        drawn = rng.permutation(order.size)
        yield f"{count} runs", drawn[:count], drawn[count:]


def scores(fitted: Fit, table: bs.RunTable, rows: np.ndarray, weights: np.ndarray, best: float) -> dict[str, float]:
    """Return how well rows left out and the best size are forecast under weighted draws."""
    draws, held = fitted.draws, table.frame.iloc[rows]
    centre = draws.log_value({name: held[name].to_numpy() for name in ("N", "D")}, "loss")
    y, nu, sigma = np.log(held["loss"].to_numpy()), draws["nu"][:, None], draws["sigma"][:, None]
    density = np.log(weights @ np.exp(log_student(y - centre, nu, sigma)))
    rng = np.random.default_rng(0)
    picked = rng.choice(weights.size, 2000, p=weights)
    ends = np.quantile(
        centre[picked] + sigma[picked] * rng.standard_t(nu[picked], (2000, y.size)), [0.05, 0.95], axis=0
    )
    sizes = np.log(find_optimum(draws, np.array([table.frame["C"].max()])).N[:, 0])[picked]
    low, high = np.quantile(sizes[np.isfinite(sizes)], [0.05, 0.95])
    return {
        "density": float(density.mean()),
        "held": float(((ends[0] <= y) & (y <= ends[1])).mean()),
        "width": float((ends[1] - ends[0]).mean()),
        "size_held": float(low <= best <= high),
        "size_width": float(high - low),
        "effective": float(1 / (weights**2).sum()),
    }


def left_out(found: Mapping[str, bs.RunTable], fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Return the scores of each table under its own priors and those of all others."""
    rows = []
    for name, table in found.items():
        others = population([parts(each) for other, each in fits.items() if family(other) != family(name)])
        best = float(np.nanmedian(np.log(find_optimum(fits[name].draws, np.array([table.frame["C"].max()])).N)))
        for case, fitted_to, held in cases(table, np.random.default_rng(len(rows))):
            if len(fitted_to) < min(SUBSETS) or len(held) < 2:
                continue
            fitted = sample(subset(table, fitted_to))
            logs, shares = parts(fitted)
            shift = others.log_density(logs, shares) - own_priors().log_density(logs, shares)
            for prior, weights in (("own", np.full(len(logs), 1 / len(logs))), ("catalogue", normalised(shift))):
                rows.append({"table": name, "case": case, "prior": prior, **scores(fitted, table, held, weights, best)})
            print(pd.DataFrame(rows[-2:]).round(3).to_string(header=False), flush=True)
    return pd.DataFrame(rows)


def family(name: str) -> str:
    """Return what a table is left out with: all tables of its paper."""
    return name.partition("-")[0]


def main() -> None:
    """Write the population, and print the scores of leaving tables out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--write", type=Path, metavar="FILE")
    asked = parser.parse_args()
    found = tables(asked.folder)
    fits = {name: sample(table) for name, table in found.items()}
    for name, fitted in fits.items():
        logs, shares = parts(fitted)
        print(
            name,
            len(fitted.runs.frame),
            np.exp(np.median(logs, axis=0)).round(3),
            shares.mean(axis=0).round(3),
            fitted.diagnostics.rhat.__round__(3),
            flush=True,
        )
    everything = population([parts(each) for each in fits.values()])
    print(everything)
    if asked.write:
        asked.write.write_text(json.dumps(record(fits, everything), indent=1) + "\n", encoding="utf-8")
    scored = left_out(found, fits)
    columns = ["density", "held", "width", "size_held", "size_width"]
    print(scored.groupby(["case", "prior"])[columns].mean().round(3).to_string())
    gain = scored[scored["prior"] == "catalogue"].set_index(["table", "case"])["density"]
    gain -= scored[scored["prior"] == "own"].set_index(["table", "case"])["density"]
    print(gain.round(3).to_string())


def record(fits: Mapping[str, Fit], found: Population) -> dict[str, object]:
    """Return the population as plain data, with the tables it rests on."""
    noise = {name: float(np.median(each.draws["sigma"])) for name, each in fits.items()}
    missed = {name: float(discrepancy_group(each)["tau"].median()) for name, each in fits.items()}
    exponents = {
        name: {"family": "LogNormal", "mu": round(float(mu), 3), "sigma": round(float(sigma), 3)}
        for name, mu, sigma in zip(EXPONENTS, found.mean, found.scale, strict=True)
    }
    shares = {name: {"share": round(float(at), 2)} for name, at in zip(SHARES, found.shares, strict=True)}
    return {
        "schema": "bayescale/catalogue-priors/1",
        "made_by": "benchmarks/catalogue_priors.py",
        "laws": {LAW.name: {**exponents, **shares}},
        "tables": [
            {
                "name": name,
                "runs": len(each.runs.frame),
                "noise": round(noise[name], 5),
                "discrepancy": round(missed[name], 5),
            }
            for name, each in fits.items()
        ],
    }


if __name__ == "__main__":
    main()
