"""Print the tables of docs/isoflop-minima.md: ``python benchmarks/isoflop_minima.py FOLDER``.

FOLDER holds ``tidy/porian.csv``, ``raw/porian/optimal_pairs.csv`` and ``raw/porian/published_fits.csv``: the runs,
isoFLOP minima and exponents of Porian et al. (2024, arXiv:2406.19146). Each of four laws is fitted to eight
combinations of corpus and schedule, to the runs near their minima, and to the runs below the largest fifth.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import sample_posterior_alone
from bayescale.fits.settings import Settings
from bayescale.laws import LAWS
from bayescale.splits.minima import isoflop_minima, line_sizes
from bayescale.splits.optimum import find_optimum

CORPORA = {"rw": "RefinedWeb", "owt2": "OpenWebText2"}
SCHEDULES = ("base-long-kaplan", "base-short-kaplan", "base-short-chinchilla", "tuned-short-const")
NAMES = ("chinchilla", "farseer", "kaplan_nd", "isoflop")
NEAR = 1.1
"""Runs near the minima: those whose loss is at most this times the least of their budget."""

type Refit = Callable[[str, bs.RunTable], Fit]


@dataclass(frozen=True, eq=False)
class Case:
    """Runs of one corpus and schedule, with what is published of their minima."""

    title: str
    runs: bs.RunTable
    minima: pd.DataFrame
    exponent: tuple[float, float, float]


def read_cases(folder: Path) -> Iterator[Case]:
    """Yield the eight combinations of corpus and schedule."""
    raw = folder / "raw" / "porian"
    runs = pd.read_csv(folder / "tidy" / "porian.csv").astype({"flops": float})
    runs = runs.rename(columns={"run_id": "run", "params": "N", "tokens": "D", "flops": "C"})
    minima, fits = pd.read_csv(raw / "optimal_pairs.csv"), pd.read_csv(raw / "published_fits.csv")
    for corpus, dataset in CORPORA.items():
        for schedule in SCHEDULES:
            own = runs[(runs["dataset"] == dataset) & (runs["family"] == schedule)].reset_index(drop=True)
            title = f"{dataset}, {schedule}"
            keys = dict(zip(("hparams", "warmup", "decay"), schedule.split("-"), strict=True))
            keys |= {"dataset": corpus, "param_count": "standard", "val": "val"}
            (fit,) = _chosen(fits, keys | {"kind": "bs_median_weighted"}).itertuples()
            table = bs.RunTable.from_frame(own[["run", "N", "D", "C", "loss"]], name=title)
            exponent = (fit.n_exponent, fit.n_exponent_boot_lo, fit.n_exponent_boot_hi)
            yield Case(title, table, _chosen(minima, keys).sort_values("flops"), exponent)


def _chosen(frame: pd.DataFrame, keys: Mapping[str, str]) -> pd.DataFrame:
    return frame[np.logical_and.reduce([frame[key] == value for key, value in keys.items()])]


def near_minima(runs: bs.RunTable) -> bs.RunTable:
    """Return the runs whose loss is near the least of their budget."""
    frame = runs.frame
    least = frame.groupby(np.log(frame["C"]).round(2))["loss"].transform("min")
    return bs.RunTable.from_frame(frame[frame["loss"] <= NEAR * least].reset_index(drop=True), name=runs.name)


def log_best(fitted: Fit, flops: np.ndarray) -> np.ndarray:
    """Return ln N of the law's best split (draw, budget)."""
    return np.log(find_optimum(fitted.draws.take(slice(None, None, 10)), flops).N)


@dataclass(frozen=True)
class Agreement:
    """How best sizes agree with published minima: exponent, part covered, part agreeing, gap at either end."""

    exponent: tuple[float, float, float]
    inside: float
    agree: float
    gaps: tuple[float, float]
    rms: float

    def text(self) -> str:
        """Return the agreement as a cell."""
        low, middle, high = self.exponent
        ratios = " to ".join(f"{np.exp(gap):.2f}" for gap in self.gaps)
        return f"{middle:.3f} ({low:.3f} to {high:.3f}); {100 * self.inside:.0f}, {100 * self.agree:.0f}; {ratios}"


def agreement(log_sizes: np.ndarray, minima: pd.DataFrame) -> Agreement:
    """Compare samples of ln N (sample, budget) with published minima and their standard deviations."""
    flops, published = minima["flops"].to_numpy(), np.log(minima["n"].to_numpy())
    low, middle, high = np.quantile(log_sizes, [0.05, 0.5, 0.95], axis=0)
    slope = (log_sizes[:, -1] - log_sizes[:, 0]) / np.log(flops[-1] / flops[0])
    ends = tuple(float(value) for value in np.quantile(slope, [0.05, 0.5, 0.95]))
    spread = np.hypot(log_sizes.std(axis=0), minima["n_star_std"].to_numpy())
    gaps = middle - published
    agree = float((np.abs(gaps) < 1.645 * spread).mean())
    inside = float(((low <= published) & (published <= high)).mean())
    return Agreement(ends, inside, agree, (float(gaps[0]), float(gaps[-1])), float(np.sqrt(np.mean(gaps**2))))


def inside_table(cases: list[Case], refit: Refit) -> str:
    """Return the table of best sizes inside the runs."""
    heads = ["line through the minima", *NAMES, f"chinchilla, loss within {100 * (NEAR - 1):.0f}%"]
    lines = [f"| runs | published exponent | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    for case in cases:
        known = case.minima.dropna(subset=["n"])
        flops = known["flops"].to_numpy()
        samples = [np.log(line_sizes(isoflop_minima(case.runs), flops))]
        samples += [log_best(refit(name, case.runs), flops) for name in NAMES]
        samples += [log_best(refit("chinchilla", near_minima(case.runs)), flops)]
        cells = [agreement(each, known).text() for each in samples]
        middle, low, high = case.exponent
        lines.append(f"| {case.title} | {middle:.3f} ({low:.3f} to {high:.3f}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def beyond_table(
    cases: list[Case], refit: Refit, laws: tuple[str, ...] = ("chinchilla", "kaplan_nd", "isoflop")
) -> str:
    """Return the table of best sizes beyond the runs: agreement with larger published minima, all tables together."""
    lines = [
        "| fitted below the largest | method | minima | inside (%) | agree (%) | mean ratio | r.m.s. |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in (0.2, 0.4):
        found: dict[str, list[np.ndarray]] = {}
        for case in cases:
            limit = float(case.runs.frame["C"].quantile(1 - part))
            smaller = bs.select_runs(case.runs, f"C <= {limit!r}")
            larger = case.minima[case.minima["flops"] > smaller.frame["C"].max() * 1.01]
            flops = larger["flops"].to_numpy()
            samples = {"line through the minima": np.log(line_sizes(isoflop_minima(smaller), flops))}
            samples |= {name: log_best(refit(name, smaller), flops) for name in laws}
            for name, each in samples.items():
                found.setdefault(name, []).append(_marks(each, larger))
        for name, parts in found.items():
            inside, agree, gaps = np.concatenate(parts, axis=1)
            lines.append(
                f"| {100 * part:.0f}% | {name} | {gaps.size} | {100 * inside.mean():.0f} | {100 * agree.mean():.0f} | "
                f"{np.exp(gaps.mean()):.2f} | {np.exp(np.sqrt(np.mean(gaps**2))):.2f} |"
            )
    return "\n".join(lines)


def _marks(log_sizes: np.ndarray, minima: pd.DataFrame) -> np.ndarray:
    """Return whether each minimum is inside the interval, whether it agrees, and the gap (3, budget)."""
    published = np.log(minima["n"].to_numpy())
    low, middle, high = np.quantile(log_sizes, [0.05, 0.5, 0.95], axis=0)
    spread = np.hypot(log_sizes.std(axis=0), minima["n_star_std"].to_numpy())
    gaps = middle - published
    return np.stack([(low <= published) & (published <= high), np.abs(gaps) < 1.645 * spread, gaps])


def sampled(law: str, runs: bs.RunTable) -> Fit:
    """Fit a law to runs, without what only comparisons need."""
    return sample_posterior_alone(LAWS[law], runs, Settings(random_seed=0))


def main() -> None:
    """Fit, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    cases = list(read_cases(parser.parse_args().folder))
    print(inside_table(cases, sampled))
    print(beyond_table(cases, sampled))


if __name__ == "__main__":
    main()
