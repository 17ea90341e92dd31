"""Print how well ends of runs are forecast from parts of their curves: ``python benchmarks/curve_ends.py FOLDER``.

FOLDER holds ``gemstones``, ``multipower-curves``, ``datablations`` and ``pythia-evals`` with their upstream files. Each
run is forecast from 10, 25 and 50% of its tokens by all other runs of its table and schedule, and beside that by the
last value, and by a power law with a floor through the last decade of its own curve.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import bayescale as bs

PARTS = (0.1, 0.25, 0.5)
FEWEST = 3
"""Rows through which a power law is drawn."""

TOKENS_A_STEP = 2_097_152.0


@dataclass(frozen=True)
class Score:
    """How well one run's end was forecast: whether held, width of the interval, and errors, in log loss."""

    held: bool
    width: float
    error: float
    last: float
    power: float


def gemstones(folder: Path) -> pd.DataFrame:
    """Return 22 runs at a constant learning rate."""
    names = {"run_name": "training_run", "params_active_precise": "N", "tokens": "D", "final_loss": "loss"}
    table = pd.read_json(folder / "gemstones" / "wandb_df_for_fitting_hot.jsonl", lines=True)
    return table.rename(columns=names)[[*names.values()]].assign(schedule="constant")


def multipower(folder: Path) -> pd.DataFrame:
    """Return 27 runs of five kinds of schedule; tokens in steps."""
    parts = []
    for path in sorted((folder / "multipower-curves").glob("*.csv")):
        size, schedule = path.stem.split("_")[:2]
        table = pd.read_csv(path).query("step > 0").rename(columns={"step": "D"})
        N = float(size.removesuffix("M")) * 1e6
        parts.append(table[["D", "loss"]].assign(training_run=path.stem, N=N, schedule=schedule))
    return pd.concat(parts)


def datablations(folder: Path) -> pd.DataFrame:
    """Return 48 runs of a cosine on 1 to 44 epochs of two corpora."""
    table = pd.read_csv(folder / "datablations" / "colpret_datablations_losses.csv").dropna(subset=["loss"])
    keys = ["num_params", "data", "checkpoint", "tokens_per_epoch"]
    N = [float(re.sub(r"[^0-9.]", "", text)) * 1e9 for text in table["num_params"]]
    run = table[keys].astype(str).agg("/".join, axis=1)
    return table.rename(columns={"token_num": "D"})[["D", "loss"]].assign(training_run=run, N=N, schedule="cosine")


def pythia(folder: Path) -> pd.DataFrame:
    """Return the perplexity of 16 runs of a cosine on LAMBADA."""
    table = pd.read_csv(folder / "pythia-evals" / "evals.csv").query("metric == 'ppl' and step >= 1000")
    table = table.rename(columns={"run": "training_run", "params": "N", "value": "loss"})
    return table[["training_run", "N", "loss"]].assign(D=TOKENS_A_STEP * table["step"], schedule="cosine")


TABLES = {
    "Gemstones, loss": gemstones,
    "multi-power, loss": multipower,
    "datablations, loss": datablations,
    "Pythia, perplexity": pythia,
}


def power_law(D: np.ndarray, log_loss: np.ndarray, end: float) -> float:
    """Return the log loss at the end by ``E + B D^-beta`` through the last decade of a curve, and its last value."""
    late = D[-1] / 10 <= D
    x, y = np.log(D[late] / D[-1]), log_loss[late]
    if x.size < FEWEST:
        return float(log_loss[-1])

    def curve(p: np.ndarray, at: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(np.exp(p[0]) + np.exp(p[1] - np.exp(p[2]) * at)))

    start = [y[-1] - 0.7, y[-1] - 0.7, np.log(0.3)]
    p = least_squares(lambda p: curve(p, x) - y, start, bounds=([-5, -8, -3], [8, 9, 1])).x
    return float(log_loss[-1] + curve(p, np.log(end / D[-1])) - curve(p, np.zeros(1))[0])


def scores(table: pd.DataFrame, part: float) -> Iterator[Score]:
    """Yield how well the end of each run is forecast by the others of its schedule."""
    for _, alike in table.groupby("schedule"):
        for name, own in alike.sort_values("D").groupby("training_run"):
            end, final = float(own["D"].iloc[-1]), float(np.log(own["loss"].iloc[-1]))
            seen = own[own["D"] <= 1.0001 * part * end]
            if seen.empty:
                continue
            try:
                found = bs.curves.forecast_end(alike[alike["training_run"] != name], seen, end)
            except bs.InputError:  # too few others reach back so far
                continue
            low, middle, high = np.log(np.quantile(found.loss, [0.05, 0.5, 0.95]))
            logs = np.log(seen["loss"].to_numpy())
            power = power_law(seen["D"].to_numpy(), logs, end)
            yield Score(
                low <= final <= high, high - low, abs(middle - final), abs(logs[-1] - final), abs(power - final)
            )


def main() -> None:
    """Print one line for each table and part, and one for all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder = parser.parse_args().folder
    tables = {name: read(folder) for name, read in TABLES.items()}
    print("| table | seen | runs | 90% held | width | error | last value | power law |")
    print("|---|---|---|---|---|---|---|---|")
    for part in PARTS:
        found = {name: list(scores(table, part)) for name, table in tables.items()}
        everything = [score for scored in found.values() for score in scored]
        for name, each in {**found, "all": everything}.items():
            columns = pd.DataFrame(each)
            medians = " | ".join(f"{columns[what].median():.4f}" for what in ("width", "error", "last", "power"))
            print(f"| {name} | {part:.0%} | {len(each)} | {columns['held'].mean():.0%} | {medians} |")


if __name__ == "__main__":
    main()
