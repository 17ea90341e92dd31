"""Write docs/best-sizes.md: whether intervals of the best size hold, on every published table with isoFLOP slices.

    python docs/make_best_sizes.py [--further FOLDER] [--points FILE]

FOLDER holds tables that the catalogue cannot fetch, FILE the isoFLOP points of Porian et al. under all their counts of
parameters: tables that were not looked at when the method was chosen.
Results are kept in the cache, so that a second run is quick.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _tables import REFERENCES, Job, catalogued, further_jobs

import bayescale as bs
from bayescale.decisions.size_forecasts import IN_USE
from bayescale.decisions.size_scores import EDGES, overall, size_scores
from bayescale.fits.workers import on_workers
from bayescale.plots import plot_size_errors
from bayescale.storage import write_whole

HERE = Path(__file__).parent
PAGE, FIGURE = HERE / "best-sizes.md", HERE / "images" / "best-sizes.png"
EARNED = HERE.parent / "data" / "size-calibration.json"
LAW = "chinchilla"
SCHEDULES = {
    "porian.csv": tuple(
        (f"porian {corpus}, {name}", f"dataset == '{corpus}' and family == '{name}'", (LAW,))
        for corpus in ("RefinedWeb", "OpenWebText2")
        for name in ("base-long-kaplan", "base-short-kaplan", "base-short-chinchilla", "tuned-short-const")
    )
}
CORPORA = {"rw": "RefinedWeb", "owt2": "OpenWebText2"}
STANDARD = "standard"
"""The count of parameters of the tables above; the others of the file have other N, C and best sizes."""

WORDS = {
    "path": "the law and what it misses of the best size",
    "law": "the law alone",
    "line": "line through the minima (approach 2)",
    "parabola": "line through parabolas (approach 2)",
    "least_squares": "least squares, 1000 bootstraps (approach 3)",
}


def jobs(folder: Path | None) -> Iterator[Job]:
    """Yield every table with isoFLOP slices on which the method was chosen."""
    yield catalogued("chinchilla", (LAW,))
    if folder is not None:
        yield from further_jobs(folder, SCHEDULES)


def confirming_jobs(file: Path) -> Iterator[Job]:
    """Yield the tables on which the method was not chosen: schedules and counts of parameters that were left."""
    frame = pd.read_csv(file)
    left = frame[frame["param_count"] != STANDARD]
    for (corpus, *setting), own in left.groupby(["dataset", "hparams", "warmup", "decay", "param_count"]):
        title = f"porian {CORPORA[corpus]}, {'-'.join(setting[:3])}, N by '{setting[3]}'"
        yield Job(title, lambda own=own, title=title: _points_table(own, title), (LAW,))


def _points_table(own: pd.DataFrame, title: str) -> bs.RunTable:
    columns = own.rename(columns={"n": "N", "t": "D", "flops": "C"})[["N", "D", "C", "loss"]].astype(float)
    columns.insert(0, "run", [f"point {i}" for i in range(1, len(columns) + 1)])
    return bs.RunTable.from_frame(columns, name=title, record={"reference": REFERENCES["porian"]})


def collect(tables: Sequence[Job]) -> tuple[pd.DataFrame, list[str]]:
    """Backtest the best sizes of every table: points with the table's title, and what could not be scored."""
    points, notes = [], []
    for i, job in enumerate(tables):
        sys.stderr.write(f"{i + 1}/{len(tables)} {job.title}\n")
        try:
            found = bs.backtest_sizes(job.load(), [LAW])
        except bs.InputError as error:
            notes.append(f"{job.title}: {error}")
            continue
        notes += [f"{job.title}: {note}" for note in found.notes]
        points.append(found.points.assign(table=job.title))
    return pd.concat(points, ignore_index=True), notes


# The page


def alike(points: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each method and bin as means over tables, each of equal weight; r.m.s. over all of them."""
    by_table = pd.concat(
        [size_scores(own).assign(table=title) for title, own in points.groupby("table", sort=False)], ignore_index=True
    )
    by_table["square"] = by_table["rmse"] ** 2
    names = ["coverage_50", "coverage_80", "coverage_90", "width", "bias", "square", "lpd"]
    found = by_table.groupby(["law", "method", "low", "high"], sort=False)[names].mean()
    found["rmse"] = np.sqrt(found.pop("square"))
    pooled = size_scores(points).set_index(["law", "method", "low", "high"])
    return found.join(pooled[["held_out", "factor", "extra_mean", "extra_median", "extra_95"]]).reset_index()


def pooled_text(points: pd.DataFrame) -> str:
    """Return the scores over all distances as a table of the page."""
    lines = [
        "| ln N* from | forecasts | 50% | 80% | 90% | width | bias | r.m.s. error | lpd | wasted compute: mean | "
        "median | 95% point |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for _, row in overall(alike(points)).iterrows():
        inside = " | ".join(f"{100 * row[f'coverage_{p}']:.0f}" for p in (50, 80, 90))
        wasted = " | ".join(f"{100 * row[name]:.1f}%" for name in ("extra_mean", "extra_median", "extra_95"))
        lines.append(
            f"| {WORDS[row['method']]} | {row['held_out']} | {inside} | {row['width']:.2f} | {row['bias']:+.2f} | "
            f"{row['rmse']:.2f} | {row['lpd']:.2f} | {wasted} |"
        )
    return "\n".join(lines)


def reach_text(points: pd.DataFrame) -> str:
    """Return coverage, error and waste of each method by distance."""
    scores = size_scores(points)
    scores = scores.drop(index=overall(scores).index)
    bins = [(low, high) for low, high in itertools.pairwise(EDGES) if (scores["low"] == low).any()]
    titles = [f"{low:g} to {high:g} times" if np.isfinite(high) else f"over {low:g} times" for low, high in bins]
    lines = [f"| ln N* from | {' | '.join(titles)} |", "|---|" + "---|" * len(bins)]
    for method in scores["method"].unique():
        own = scores[scores["method"] == method].set_index("low")
        cells = [_cell(own.loc[low]) if low in own.index else "" for low, _ in bins]
        lines.append(f"| {WORDS[method]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table_text(points: pd.DataFrame) -> str:
    """Return a line for each table."""
    methods = list(dict.fromkeys(points["method"]))
    lines = [f"| table | {' | '.join(methods)} |", "|---|" + "---|" * len(methods)]
    for title, own in points.groupby("table", sort=False):
        scores = overall(size_scores(own)).set_index("method")
        cells = [_cell(scores.loc[method]) if method in scores.index else "" for method in methods]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: pd.Series) -> str:
    held = f"{row['coverage_90'] * row['held_out']:.0f} of {row['held_out']:.0f}"
    return f"{held} / {row['rmse']:.2f} / {100 * row['extra_mean']:.1f}%"


def earned(points: pd.DataFrame) -> dict[str, object]:
    """Return how often the 90% intervals of the best size held, by extrapolation factor: what a decision quotes."""
    own = points[points["method"] == IN_USE]
    place = np.digitize(own["factor"].to_numpy(), EDGES) - 1
    bins = [
        {
            "low": EDGES[i],
            "high": None if np.isinf(EDGES[i + 1]) else EDGES[i + 1],
            "tables": int(group["table"].nunique()),
            "forecasts": len(group),
            "inside": int(group["inside_90"].sum()),
            "reached": float(f"{group['factor'].max():.3g}"),
            "extra_compute": float(f"{group['extra_compute'].mean():.3g}"),
            "extra_compute_95": float(f"{group['extra_compute'].quantile(0.95):.3g}"),
        }
        for i, group in own.groupby(place)
    ]
    return {"law": LAW, "probability": 0.9, "page": "docs/best-sizes.md", "bins": bins}


def page(points: pd.DataFrame, notes: Sequence[str], unseen: Sequence[str] = ()) -> str:
    """Return the page; ``unseen`` are the titles of tables on which the method was not chosen."""
    text = HEAD.format(tables=points["table"].nunique(), law=LAW)
    text += "\n" + pooled_text(points) + "\n"
    if unseen:
        apart = points["table"].isin(unseen)
        parts = [pooled_text(points[own]) for own in (apart, ~apart)]
        counts = [points[own]["table"].nunique() for own in (apart, ~apart)]
        text += UNSEEN.format(*itertools.chain(*zip(counts, parts, strict=True)))
    text += REACH + "\n" + reach_text(points) + "\n" + FIGURE_TEXT
    text += "\n## Table by table\n\n" + CELLS + "\n\n" + table_text(points) + "\n"
    listed = "\n".join(f"- {note}" for note in notes)
    return text + (f"\n## Notes\n\n{listed}\n" if notes else "")


HEAD = """# Do the intervals of the best size hold?

Written by `docs/make_best_sizes.py`; every number is computed. The recommended size is a forecast, too. On each of
{tables} tables with isoFLOP slices the 1, 2, 3 and 5 largest slices were held out, all smaller runs were fitted (law
`{law}`), and ln N of the best split was forecast for the slices held out. What is compared is the minimum that the
runs of such a slice show (`bs.minima.isoflop_minima`), which has an error s of its own: it is inside an interval of
the forecast to which Normal(0, s) has been added, and lpd is the log density of it there. `bs.backtest_sizes(runs)`,
or `bayescale backtest RUNS --of size`, does the same on your table. `allocate` and reports
use the first of the methods below.

Width of the 90% interval (of the forecast without s), bias and r.m.s. error are in ln N: 0.1 is a factor 1.1. Wasted
is the extra compute that the median of the forecast would have cost: for u = ln N less that of the minimum,
`cosh(0.35 u)^(2 / 0.35) - 1`, which is exact for a law that falls as N^-0.35 and D^-0.35, and is 18% at 2 times off,
91% at 4. An error in the minimum counts as waste, too, so even a perfect forecast would waste a few tenths of a per
cent. Coverage, width, bias, error and lpd are means over tables, each of equal weight; wasted compute is over all
forecasts. Forecasts of one table share runs and held-out slices, so there are fewer independent ones than the counts
say.
"""

UNSEEN = """
## Tables on which the method was not chosen

Scales and form of what a law misses were chosen on some of these tables, and then left as they were. On the {0} others,
with other schedules, or with N and C counted in other ways:

{1}

On the {2} on which it was chosen:

{3}
"""

REACH = """
## How far beyond the data

By the budget of a slice over the largest run fitted. Each cell: forecasts inside the 90% interval / r.m.s. error of ln
N / wasted compute on average.
"""

FIGURE_TEXT = """
![Forecast size over the one found, against the extrapolation factor, by method](images/best-sizes.png)
"""

CELLS = "Cells as above."


def main() -> None:
    """Run the backtests and write page, figure and the coverage that decisions quote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--further", type=Path, help="folder of tables that the catalogue cannot fetch")
    parser.add_argument("--points", type=Path, help="isoFLOP points of Porian et al. under every count of parameters")
    parser.add_argument("--workers", help="address of a dask scheduler whose workers do it")
    asked = parser.parse_args()
    unseen = list(confirming_jobs(asked.points)) if asked.points else []
    with on_workers(asked.workers):
        points, notes = collect([*jobs(asked.further), *unseen])
    axes = plot_size_errors(points)
    write_whole(FIGURE, lambda path: axes.figure.savefig(path, dpi=150))
    write_whole(EARNED, lambda path: path.write_text(json.dumps(earned(points), indent=1) + "\n"))
    write_whole(PAGE, lambda path: path.write_text(page(points, notes, [job.title for job in unseen])))


if __name__ == "__main__":
    main()
