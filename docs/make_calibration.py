"""Write docs/calibration.md: whether forecast intervals hold, over many published tables and beside other methods.

    python docs/make_calibration.py [--further FOLDER]

Tables of the catalogue are downloaded (or taken from BAYESCALE_MIRROR); FOLDER holds tables that the catalogue cannot
fetch. Results are kept in the cache, so that a second run is quick.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _tables import Job, catalogued, further_jobs

import bayescale as bs
from bayescale.fits.workers import on_workers
from bayescale.forecasts.backtesting import METHODS, backtest
from bayescale.plots.calibration import plot_calibration
from bayescale.storage import write_whole

HERE = Path(__file__).parent
PAGE, FIGURE = HERE / "calibration.md", HERE / "images" / "calibration.png"
EARNED = HERE.parent / "data" / "calibration.json"
LAW = "chinchilla"
LARGEST = 0.2
EDGES = (1.0, 3.0, 10.0, 30.0, np.inf)
CHOSEN_ON = ("chinchilla", "porian", "gadre")
SEEN = ("datablations", "gemstones-hot", "gemstones-cooled", "steplaw", "opt", "openclip", "public-models")
CATALOGUED = (
    *("chinchilla", "public-models", "gemstones-hot", "gemstones-cooled", "gemstones-slow"),
    *("steplaw-dense-best", "opt-trajectories", "openclip"),
    *(f"obsscaling-{task}" for task in ("mmlu", "arc-c", "hellaswag", "winograd", "truthfulqa", "gsm8k")),
    *("obsscaling-xwinograd", "obsscaling-humaneval"),
)
SCHEDULES = {
    "porian.csv": tuple(
        (f"porian {corpus}, {name}", f"dataset == '{corpus}' and family == '{name}'", (LAW,))
        for corpus in ("RefinedWeb", "OpenWebText2")
        for name in ("base-long-kaplan", "base-short-kaplan", "tuned-short-const")
    )
}
ROLES = {
    "chosen": "The discrepancy was chosen on these",
    "seen": "Looked at while choosing, twice; no setting was fitted to them",
    "fresh": "Not looked at before the choice was made",
}
WORDS = {
    "discrepancy": "bayescale: the law and what it misses",
    "plain": "the law with constant noise",
    "least_squares": "least squares, 1000 bootstraps",
    "huber": "Huber, 1000 bootstraps",
    "conformal": "conformal on residuals",
}


def role(title: str) -> str:
    """Return what part a table had in choosing the discrepancy."""
    if title.startswith(CHOSEN_ON):
        return "chosen"
    return "seen" if title.startswith(SEEN) else "fresh"


def jobs(folder: Path | None) -> Iterator[Job]:
    """Yield every table whose response a law of N and D can describe."""
    yield from (catalogued(name, (LAW,)) for name in CATALOGUED)
    if folder is not None:
        yield from (job for job in further_jobs(folder) if LAW in job.laws and "as published" not in job.title)
        yield from further_jobs(folder, SCHEDULES)


def collect(tables: Sequence[Job], methods: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Backtest the law on every table: points and scores with the table's title, and what could not be scored."""
    points, scores, notes = [], [], []
    for i, job in enumerate(tables):
        sys.stderr.write(f"{i + 1}/{len(tables)} {job.title}\n")
        try:
            runs = job.load()
            found = backtest(runs, [LAW], methods=methods)
        except bs.InputError as error:
            notes.append(f"{job.title}: {error}")
            continue
        notes += [f"{job.title}: {note}" for note in found.notes]
        points.append(found.points.assign(table=job.title, role=role(job.title), response=runs.response))
        scores.append(found.scores.assign(table=job.title, role=role(job.title), rows=len(found.runs.frame)))
    return pd.concat(points, ignore_index=True), pd.concat(scores, ignore_index=True), notes


# The page


def pooled(points: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each method over all these points, each table once more as one of equal weight."""
    rows = []
    for method, group in points.groupby("method", sort=False):
        by_table = group.groupby("table")
        rows.append(
            {
                "method": method,
                "tables": group["table"].nunique(),
                "runs": len(group),
                **{f"inside_{p}": group[f"inside_{p}"].mean() for p in (50, 80, 90, 95)},
                "inside_90_tables": by_table["inside_90"].mean().mean(),
                "width": group["width_90"].mean(),
                "width_tables": by_table["width_90"].mean().mean(),
                "lpd": group["lpd"].mean(),
                "lpd_tables": by_table["lpd"].mean().mean(),
                "rmse": float(np.sqrt((group["error"] ** 2).mean())),
            }
        )
    return pd.DataFrame(rows).set_index("method")


def pooled_text(points: pd.DataFrame) -> str:
    """Return the pooled scores as a table of the page."""
    lines = [
        "| method | runs | 50% | 80% | 90% | 95% | 90%, tables alike | width | width, tables alike | lpd | lpd, "
        "tables alike |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for method, row in pooled(points).iterrows():
        inside = " | ".join(f"{100 * row[f'inside_{p}']:.0f}" for p in (50, 80, 90, 95))
        lines.append(
            f"| {WORDS[str(method)]} | {row['runs']:.0f} | {inside} | {100 * row['inside_90_tables']:.0f} | "
            f"{row['width']:.3f} | {row['width_tables']:.3f} | {row['lpd']:.2f} | {row['lpd_tables']:.2f} |"
        )
    return "\n".join(lines)


def table_text(scores: pd.DataFrame) -> str:
    """Return a line for each table: coverage, width and density of every method, largest fifth held out."""
    methods = list(dict.fromkeys(scores["method"]))
    lines = [
        "| table | fitted to | held out | factor | " + " | ".join(methods) + " |",
        "|---|---|---|---|" + "---|" * len(methods),
    ]
    for (title, part), group in scores.groupby(["table", "role"], sort=False):
        first = group.iloc[0]
        cells = [_cell(group[group["method"] == method].iloc[0]) for method in methods]
        fitted = int(first["rows"] - first["held_out"])
        lines.append(
            f"| {title} ({part}) | {fitted} | {first['held_out']} | {first['factor']:.2g} | " + " | ".join(cells) + " |"
        )
    return "\n".join(lines)


def _cell(row: pd.Series) -> str:
    mark = "" if row["passed"] else " (!)"
    return f"{100 * row['coverage_90']:.0f} / {row['width']:.3f} / {row['lpd']:.2f}{mark}"


def earned(points: pd.DataFrame) -> dict[str, object]:
    """Return how often the 90% intervals of a loss held, by extrapolation factor: what a forecast quotes."""
    own = points[(points["method"] == "discrepancy") & points["response"].isin(("loss", "bpc"))]
    own = own[own["factor"] > 1]
    place = np.digitize(own["factor"].to_numpy(), EDGES) - 1
    bins = [
        {
            "low": EDGES[i],
            "high": None if np.isinf(EDGES[i + 1]) else EDGES[i + 1],
            "tables": int(group["table"].nunique()),
            "forecasts": len(group),
            "inside": int(group["inside_90"].sum()),
            "reached": float(f"{group['factor'].max():.3g}"),
        }
        for i, group in own.groupby(place)
    ]
    return {"law": LAW, "probability": 0.9, "page": "docs/calibration.md", "bins": bins}


def page(points: pd.DataFrame, scores: pd.DataFrame, notes: Sequence[str]) -> str:
    """Return the page."""
    largest, fifth = points[points["threshold"] == LARGEST], scores[scores["threshold"] == LARGEST]
    titles = {part: sorted(points.loc[points["role"] == part, "table"].unique()) for part in ROLES}
    text = HEAD.format(tables=points["table"].nunique(), law=LAW)
    text += "\n## The largest fifth of the runs\n\n" + pooled_text(largest) + "\n"
    for part, words in ROLES.items():
        if titles[part]:
            text += f"\n{words}: {', '.join(titles[part])}.\n\n{pooled_text(largest[largest['role'] == part])}\n"
    text += "\n## Other thresholds, all tables\n"
    for threshold in (0.4, 10.0, 30.0):
        words = (
            f"Largest {threshold:.0%} held out" if threshold < 1 else f"Fitted below a {threshold:g}th of the largest C"
        )
        text += f"\n{words}:\n\n{pooled_text(points[points['threshold'] == threshold])}\n"
    text += FIGURE_TEXT + "\n## Table by table\n\n" + TABLE_HEAD + "\n" + table_text(fifth) + "\n"
    return text + "\n## Notes\n\n" + "\n".join(f"- {note}" for note in notes) + "\n"


HEAD = """# Do the intervals hold?

Written by `docs/make_calibration.py`; every number is computed. On {tables} tables the largest runs were held out, the
law `{law}` was fitted to the rest, and the held-out runs were forecast by five methods, on the same rows.
`discrepancy` is what bayescale forecasts with: the posterior of the law, what it misses ([decision
8](decisions/0008-discrepancy.md)) and the noise of single runs. The others are what people use: the same law with
constant noise (`plain`), least squares and Huber's loss with 1000 bootstraps each, and conformal intervals on the
residuals.

Columns: the part of the held-out runs inside the 50, 80, 90 and 95% intervals; mean width of the 90% interval in the
response's unit (nats per token for most tables); lpd, the mean log predictive density of log response in nats per run.
"tables alike" is the mean over tables, whatever their number of runs. Checkpoints of one training run are rows of
their own here, so tables with many of them weigh much in the first columns. Left out are gemstones-fineweb-edu and
gemstones-dclm (770 checkpoints each of the 22 runs that gemstones-hot has), the tables of llm-skills (the models of
obsscaling, scored again), and tables in which N or D does not vary or is not known.
"""

FIGURE_TEXT = """
## How far beyond the data

![Coverage of 90% intervals against extrapolation factor, by method](images/calibration.png)

All thresholds pooled; the factor is the C of a run over the largest C of the runs that were fitted. Bars are 90%
intervals of the part by the number of different runs, as if those of one table were independent, which they are not.
"""

TABLE_HEAD = """Largest fifth by C held out. Each cell: runs inside the 90% interval in per cent / mean width / lpd;
(!): the fit failed the diagnostics gate.
"""


def main() -> None:
    """Run the backtests and write page, figure and the coverage that forecasts quote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--further", type=Path, help="folder of tables that the catalogue cannot fetch")
    parser.add_argument("--workers", help="address of a dask scheduler whose workers do it")
    asked = parser.parse_args()
    with on_workers(asked.workers):
        points, scores, notes = collect(list(jobs(asked.further)), METHODS)
    axes = plot_calibration(points)
    write_whole(FIGURE, lambda path: axes.figure.savefig(path, dpi=150))
    write_whole(EARNED, lambda path: path.write_text(json.dumps(earned(points), indent=1) + "\n"))
    write_whole(PAGE, lambda path: path.write_text(page(points, scores, notes)))


if __name__ == "__main__":
    main()
