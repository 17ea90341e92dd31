"""Replay of `bayescale plan` on finished tables: how much compute it needs, against random choice and usual designs.

Each start fits the law to a few cheap runs of a table. Every way of choosing then picks more of the table's runs, the
law is refitted with them, and its split at the largest run's compute is judged by the posterior of the whole table.

    python benchmarks/replay.py chinchilla gemstones-cooled "porian.csv::dataset == 'RefinedWeb'" --starts 50

Posteriors are sampled by tempering in NumPy (a few tenths of a second), not by the package's sampler, which takes
seconds for each of the thousands of refits; `--check` compares the two.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import gammaln

import bayescale as bs
from bayescale.fits.diagnostics import Diagnostics
from bayescale.fits.fit import fit_record, reference_values
from bayescale.fits.fitting import sample_posterior_alone, sampler_data
from bayescale.fits.settings import Settings
from bayescale.fits.tree import canonical_frame, table_hash
from bayescale.laws import SMALLEST_VALUE, Law, get_law
from bayescale.laws.priors import free_priors, from_normal, parameters_from_free
from bayescale.planning.beliefs import Outcomes, believe, candidate_points, decide, foresee, split_loss
from bayescale.planning.goals import choose
from bayescale.splits.optimum import find_optimum

LAW = get_law("chinchilla")
FIRST = 10
CHEAP = 1 / 3
"""Runs of a start, drawn from this part of the table, the cheapest."""

COUNTS = (5, 10, 20)
PARTS = (0.25, 0.5, 1.0)
"""Runs to choose, and what they may cost over what as many random ones cost."""

LARGEST = 0.1
"""Part of the table, the largest runs, whose forecasts are scored."""

PARTICLES, MOVES, LAST = 800, 4, 40
SCORES = np.linspace(-7.5, 7.5, 3001)
USUAL = 20.0


class Sampler:
    """Posterior of the law on some runs: particles go from prior to posterior by tempering and differential evolution.

    Del Moral et al. (2006), doi:10.1111/j.1467-9868.2006.00553.x; ter Braak (2006), doi:10.1007/s11222-006-8769-1.
    """

    tables: ClassVar[dict[str, dict[str, np.ndarray]]] = {}

    def __init__(self, law: Law, runs: bs.RunTable, seed: int) -> None:
        self.law, self.rng = law, np.random.default_rng(seed)
        self.frame = canonical_frame(runs)
        self.reference = reference_values(self.frame, runs.response, law)
        self.data = sampler_data(law, self.frame, runs.response, self.reference)
        if law.name not in self.tables:
            self.tables[law.name] = {name: from_normal(prior, SCORES) for name, prior in free_priors(law).items()}
        self.names = list(self.tables[law.name])

    def parameters(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Return parameters, sigma and nu at normal scores (particle, variable)."""
        known = self.tables[self.law.name]
        free = {name: np.interp(scores[:, i], SCORES, known[name]) for i, name in enumerate(self.names)}
        return parameters_from_free(self.law, free, float(self.data["loss_unit"]))

    def density(self, scores: np.ndarray) -> np.ndarray:
        """Return the log likelihood (particle,)."""
        values = self.parameters(scores)
        nu, sigma = values["nu"], np.maximum(values["sigma"], 1e-6)
        columns = {name: self.data[name] for name in self.law.covariates}
        law = self.law.loss(**columns, **{name: values[name][:, None] for name in self.law.parameters})
        center = np.log(np.maximum(law, SMALLEST_VALUE * self.data["loss_unit"]))
        away = ((self.data["log_response"] - center) / sigma[:, None]) ** 2 / nu[:, None]
        each = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi) - np.log(sigma)
        total = away.shape[1] * each - (nu + 1) / 2 * np.log1p(away).sum(axis=1)
        return np.where(np.isfinite(total), total, -1e10)

    def sample(self, count: int = PARTICLES, moves: int = MOVES, last: int = LAST) -> dict[str, np.ndarray]:
        """Return draws of the parameters (draw,)."""
        scores = self.rng.standard_normal((count, len(self.names)))
        density, power = self.density(scores), 0.0
        while power < 1:
            step = _step(density, 1 - power)
            weights = np.exp(step * (density - density.max()))
            power = min(1.0, power + step)
            place = (self.rng.random() + np.arange(count)) / count
            kept = np.searchsorted(np.cumsum(weights) / weights.sum(), place).clip(0, count - 1)
            scores, density = scores[kept], density[kept]
            for _ in range(moves if power < 1 else last):
                self.move(scores, density, power)
        return self.parameters(scores[self.rng.permutation(count)])

    def move(self, scores: np.ndarray, density: np.ndarray, power: float) -> None:
        """Move one half of the particles along differences of the other, then the other half."""
        count, width = scores.shape
        halves = np.split(self.rng.permutation(count), 2)
        for own, other in (halves, halves[::-1]):
            pairs = [other[self.rng.integers(len(other), size=len(own))] for _ in range(2)]
            usual = 2.38 / np.sqrt(2 * width) * self.rng.uniform(0.5, 1.1, len(own))
            scale = np.where(self.rng.random(len(own)) < 0.1, 1.0, usual)
            noise = 1e-3 * self.rng.standard_normal((len(own), width))
            moved = scores[own] + scale[:, None] * (scores[pairs[0]] - scores[pairs[1]]) + noise
            found = self.density(moved)
            prior = 0.5 * ((scores[own] ** 2).sum(axis=1) - (moved**2).sum(axis=1))
            taken = np.log(self.rng.random(len(own))) < power * (found - density[own]) + prior
            scores[own[taken]], density[own[taken]] = moved[taken], found[taken]


def _step(density: np.ndarray, most: float) -> float:
    """Return the largest step of the likelihood's power that leaves half of the particles effective."""

    def effective(step: float) -> float:
        weights = np.exp(step * (density - density.max()))
        return float(weights.sum() ** 2 / (weights**2).sum())

    low, high = 0.0, most
    if effective(high) >= density.size / 2:
        return most
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) >= density.size / 2 else (low, middle)
    return low


def quick_fit(runs: bs.RunTable, seed: int, **options: int) -> bs.Fit:
    """Return a fit of the law without PyMC."""
    sampler = Sampler(LAW, runs, seed)
    draws = sampler.sample(**options)
    count = len(draws["sigma"])
    label = {"run": sampler.frame["run"].to_numpy(dtype=str)}
    groups = {
        "posterior": xr.Dataset({name: (("chain", "draw"), values.reshape(4, -1)) for name, values in draws.items()}),
        "observed_data": xr.Dataset({"log_response": ("run", sampler.data["log_response"])}, coords=label),
        "constant_data": xr.Dataset(
            {name: ("run", sampler.frame[name].to_numpy()) for name in ("N", "D", "C")}, coords=label
        ),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["bayescale"] = fit_record(
        LAW,
        runs,
        table_hash(sampler.frame, runs.response),
        settings=Settings(count // 4, 1, 4, seed),
        reference=sampler.reference,
        diagnostics=Diagnostics((), 1.0, count, count, 1.0, 0, 0, count),
        attempt={"adaptation": "low_rank", "target_accept": 0.95, "factor": 1},
    )
    return bs.Fit(LAW, tree)


def _read(name: str) -> bs.RunTable:
    """Return a table of the catalogue, or some rows of a file."""
    path, _, condition = name.partition("::")
    if not Path(path).is_file():
        return bs.select_runs(bs.load_runs(path), condition) if condition else bs.load_runs(path)
    frame = pd.read_csv(path)
    frame = frame.query(condition) if condition else frame
    return bs.RunTable.from_frame(frame.reset_index(drop=True), name=f"{Path(path).stem} [{condition}]")


class Table:
    """A finished table, the posterior of all its runs, and the decision at the largest."""

    def __init__(self, name: str) -> None:
        self.runs = runs = _read(name)
        self.name = runs.name
        self.C = runs.frame["C"].to_numpy()
        self.flops = np.array([self.C.max()])
        whole = quick_fit(runs, 99, last=120)
        self.laws, _ = believe(whole, self.flops)
        self.best = decide(self.laws, self.flops)
        self.largest = runs.frame[np.quantile(self.C, 1 - LARGEST) <= self.C]

    def part(self, rows: Sequence[int]) -> bs.RunTable:
        """Return some of the runs."""
        return dataclasses.replace(self.runs, frame=self.runs.frame.iloc[sorted(rows)].reset_index(drop=True))

    def scores(self, fitted: bs.Fit) -> tuple[float, float]:
        """Return the expected regret of a fit's split under the whole table's posterior, and its forecast error."""
        chosen = decide(believe(fitted, self.flops)[0], self.flops).chosen
        regret = split_loss(self.laws, self.flops, chosen[None, :]) - np.exp(self.best.log_loss)
        forecast = np.median(fitted.draws.log_value(self.largest, self.runs.response), axis=0)
        error = forecast - np.log(self.largest[self.runs.response].to_numpy())
        return float(regret.mean()), float(np.sqrt((error**2).mean()))


@dataclasses.dataclass(frozen=True)
class Information:
    """Bayesian D-optimality: the information of outcomes about all parameters, to first order."""

    covariance: np.ndarray
    noise: np.ndarray

    @property
    def size(self) -> int:
        """Number of candidates."""
        return len(self.noise)

    def left(self, chosen: Sequence[int]) -> float:
        """Return minus the information."""
        rows = list(chosen)
        scaled = self.covariance[np.ix_(rows, rows)] / np.sqrt(np.outer(self.noise[rows], self.noise[rows]))
        return -0.5 * float(np.linalg.slogdet(np.eye(len(rows)) + scaled)[1])

    def gains(self, chosen: Sequence[int]) -> np.ndarray:
        """Return the information that each candidate adds."""
        rows = list(chosen)
        seen = self.covariance[np.ix_(rows, rows)] + np.diag(self.noise[rows])
        across = self.covariance[rows]
        variance = np.diagonal(self.covariance) - (across * np.linalg.solve(seen, across)).sum(axis=0)
        gains = 0.5 * np.log1p(np.maximum(variance, 0.0) / self.noise)
        gains[rows] = 0.0
        return np.asarray(gains)


def within(order: Sequence[int], costs: np.ndarray, spend: float, count: int) -> list[int]:
    """Return the first candidates of an order that the spend and the count allow."""
    chosen: list[int] = []
    for run in order:
        if len(chosen) < count and costs[run] <= spend:
            chosen.append(int(run))
            spend -= float(costs[run])
    return chosen


def simple_designs(frame: pd.DataFrame, spend: float, count: int) -> Iterator[tuple[str, list[int]]]:
    """Yield designs that need no fit."""
    costs = frame["C"].to_numpy()
    yield "largest", within(np.argsort(-costs), costs, spend, count)
    usual = np.abs(np.log(frame["D"] / frame["N"] / USUAL).to_numpy())
    yield "usual D/N", within(np.lexsort((-costs, np.round(usual))), costs, spend, count)
    near = np.flatnonzero(costs <= spend / count)
    near = near[np.argsort(-costs[near])][: 3 * count]
    near = near[np.argsort(frame["N"].to_numpy()[near])]
    yield "one budget", [int(near[i]) for i in np.linspace(0, near.size - 1, min(count, near.size)).round().astype(int)]


def choices(table: Table, base: bs.Fit, rest: np.ndarray, count: int, spend: float) -> Iterator[tuple]:
    """Yield every way of choosing: its name, its part of the spend, and the candidates."""
    frame = table.runs.frame.iloc[rest].reset_index(drop=True)
    costs = frame["C"].to_numpy()
    for part in PARTS:
        found = bs.plan(base, frame, spend=max(part * spend, costs.min()), target=table.flops[0], runs=count)
        yield "plan", part, found.runs["candidate"].to_list()
    outcomes = _outcomes(table, base, frame)
    information = Information(np.cov(outcomes.log_law, rowvar=False), outcomes.noise)
    yield "D-optimal", 0.5, choose(information, costs, 0.5 * spend, count)
    for name, chosen in simple_designs(frame, 0.5 * spend, count):
        yield name, 0.5, chosen


def _outcomes(table: Table, base: bs.Fit, frame: pd.DataFrame) -> Outcomes:
    return foresee(believe(base, table.flops)[0], candidate_points({LAW.name: base}, frame))


def replay(table: Table, start: int) -> Iterator[dict]:
    """Yield the scores of every way of choosing, from one start."""
    rng = np.random.default_rng(start)
    cheap = np.argsort(table.C, kind="stable")[: int(CHEAP * table.C.size)]
    first = rng.choice(cheap, FIRST, replace=False)
    rest = np.setdiff1d(np.arange(table.C.size), first)
    base = quick_fit(table.part(first), start)
    random = rng.permutation(rest.size)

    def score(name: str, part: float, count: int, chosen: Sequence[int]) -> dict:
        rows = rest[list(chosen)]
        fitted = quick_fit(table.part([*first, *rows]), start) if len(rows) else base
        regret, error = table.scores(fitted)
        share = float(table.C[rows].sum() / table.C.sum())
        return {"way": name, "part": part, "count": count, "flops": share, "regret": regret, "error": error}

    yield score("first runs", 0.0, 0, [])
    for count in COUNTS:
        yield score("random", 1.0, count, random[:count])
        spend = float(table.C[rest[random[:count]]].sum())
        for name, part, chosen in choices(table, base, rest, count, spend):
            yield score(name, part, count, chosen)


def summary(frame: pd.DataFrame) -> list[dict]:
    """Return means over the starts, and what part of the random choice's FLOP the plan needs for its regret."""
    rows = []
    for (count, way, part), each in frame.groupby(["count", "way", "part"]):
        rows.append(
            {
                "count": int(count),
                "way": way,
                "part": float(part),
                "flops": each["flops"].mean(),
                "regret": each["regret"].mean(),
                "regret_se": each["regret"].std() / np.sqrt(len(each)),
                "regret_median": each["regret"].median(),
                "error": each["error"].mean(),
            }
        )
    return rows


def needed(rows: Sequence[dict], count: int) -> float | None:
    """Return the FLOP that the plan needs for the random choice's mean regret, over the FLOP of that choice."""
    random = next(row for row in rows if row["count"] == count and row["way"] == "random")
    steps = sorted((row for row in rows if row["count"] == count and row["way"] == "plan"), key=lambda row: row["part"])
    reached = [i for i, row in enumerate(steps) if row["regret"] <= random["regret"]]
    if not reached:
        return None
    last = steps[reached[0]]
    if reached[0] == 0:
        return last["flops"] / random["flops"]
    before = steps[reached[0] - 1]
    way = np.log(before["regret"] / random["regret"]) / np.log(before["regret"] / last["regret"])
    return float(np.exp(np.log(before["flops"]) + way * np.log(last["flops"] / before["flops"])) / random["flops"])


def check(table: Table, starts: Sequence[int]) -> None:
    """Print ln N* at the target by tempering and by the package's sampler."""
    for start in starts:
        cheap = np.argsort(table.C, kind="stable")[: int(CHEAP * table.C.size)]
        part = table.part(np.random.default_rng(start).choice(cheap, FIRST, replace=False))
        fits = {"tempering": quick_fit(part, start), "sampler": sample_posterior_alone(LAW, part, Settings(1000))}
        for name, fitted in fits.items():
            found = find_optimum(fitted.draws, table.flops)
            ends = np.nanquantile(np.log(found.N), [0.05, 0.25, 0.5, 0.75, 0.95])
            print(table.name, start, name, ends.round(2), "" if fitted.diagnostics.passed else "(doubtful)")


def main() -> None:
    """Replay the tables in turn, start by start, until all starts are done or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", metavar="NAME|PATH[::CONDITION]")
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=np.inf)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--check", action="store_true", help="compare posteriors instead")
    asked = parser.parse_args()
    tables = [Table(name) for name in asked.tables]
    if asked.check:
        for table in tables:
            check(table, range(min(asked.starts, 3)))
        return
    began, found = time.time(), {table.name: [] for table in tables}
    for start in range(asked.starts):
        if time.time() - began > 60 * asked.minutes:
            break
        for table in tables:
            found[table.name] += [{"start": start, **row} for row in replay(table, start)]
        asked.output.write_text(json.dumps(_record(tables, found, time.time() - began), indent=1) + "\n")
    for name, rows in found.items():
        print(name, "\n", pd.DataFrame(summary(pd.DataFrame(rows))).round(5).to_string())


def _record(tables: Sequence[Table], found: dict[str, list[dict]], seconds: float) -> dict:
    results = []
    for table in tables:
        frame = pd.DataFrame(found[table.name])
        rows = summary(frame)
        results.append(
            {
                "table": table.name,
                "rows": len(table.C),
                "starts": int(frame["start"].nunique()),
                "target": float(table.flops[0]),
                "least_regret": float(table.best.regret.mean()),
                "flops_needed": {str(count): needed(rows, count) for count in COUNTS},
                "ways": rows,
            }
        )
    return {"law": LAW.name, "first": FIRST, "seconds": round(seconds), "tables": results}


if __name__ == "__main__":
    main()
