"""One law from a table to an allocation, beside other packages: CPU-seconds, wall time and memory of whole processes.

The peers are installed into an environment of their own in a temporary folder. Everything runs in turn, so that what
the machine does meanwhile falls on all alike; the table of benchmarks/README.md is written here.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "data" / "chinchilla.csv"
PAGE = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- peers: written by peers.py -->\n", "<!-- peers: end -->\n"
PEERS = ("simple-scaling-laws==0.2.0", "chinchilla==0.2.0")
RIVAL = "simple-scaling-laws 0.2.0"
BUDGET = 5.76e23

SIMPLE = f"""
import sys
import polars as pl
from simple_scaling_laws import fit
from simple_scaling_laws.cost import cost_model
runs = pl.read_csv(sys.argv[1])
frame = runs.select(
    training_run_id=pl.col("run").cast(str), train_set_id=pl.lit("a"), test_set_id=pl.lit("a"),
    model_size__N=pl.col("N"), dataset_size__D=pl.col("D"), test_loss__loss=pl.col("loss"),
)
model = fit(frame, law="separable-power", n_draws=1000, seed=0)
print(model.optimal_allocation([{BUDGET}], cost_model("power", k=6.0, a=1.0, b=1.0)))
"""
"""Its law of N and D with 1000 bootstrap draws, and the best split with its intervals."""

POINT = f"""
import sys, tempfile
import numpy as np, pandas as pd
from chinchilla import Chinchilla
runs = pd.read_csv(sys.argv[1])
grid = dict(
    E=np.log([1.0, 1.5, 2.0]), A=np.log([100.0, 400.0, 1600.0]), B=np.log([100.0, 400.0, 1600.0]),
    alpha=[0.3, 0.5], beta=[0.3, 0.5],
)
with tempfile.TemporaryDirectory() as folder:
    found = Chinchilla(folder, param_grid=grid, log_level=40)
    for row in runs.itertuples():
        found.database.append(C=row.C, N=row.N, D=row.D, loss=row.loss)
    found.fit(parallel=False)
    print(found.allocate_compute({BUDGET}))
"""
"""A point estimate from a grid of 108 starts, without intervals; several processes would cost more."""

GIVES = {
    "bayescale, cold": "posterior, discrepancy and allocation with intervals, diagnostics; nothing kept from before",
    "bayescale, warm": "the same from the cache",
    "bayescale, preview": "the same by Laplace's method with importance weights, marked as such",
    RIVAL: "1000 bootstrap draws, allocation with intervals",
    "chinchilla 0.2.0": "a point estimate and its allocation",
}


def environment(folder: Path) -> str:
    """Install the peers into an environment of their own; return its Python."""
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *PEERS], check=True)
    return python


def measured(command: Sequence[str], cache: Path) -> tuple[float, float, float]:
    """Return CPU-seconds, wall seconds and peak MB of a process that must succeed."""
    begun = time.perf_counter()
    environ = {**os.environ, "BAYESCALE_CACHE": str(cache), "MPLBACKEND": "agg"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=environ)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:4]} ended with {process.returncode}")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return used.ru_utime + used.ru_stime, time.perf_counter() - begun, used.ru_maxrss / unit


def one_round(ours: str, theirs: str, folder: Path) -> dict[str, tuple[float, float, float]]:
    """Run everything once, in turn."""
    asked = [ours, "-m", "bayescale", "allocate", str(TABLE), "--laws", "chinchilla", "--budget", f"{BUDGET:g}", "-q"]
    cold, fresh = (Path(tempfile.mkdtemp(dir=folder)) for _ in range(2))
    return {
        "bayescale, cold": measured(asked, cold),
        RIVAL: measured([theirs, "-c", SIMPLE, str(TABLE)], cold),
        "bayescale, warm": measured(asked, cold),
        "chinchilla 0.2.0": measured([theirs, "-c", POINT, str(TABLE)], cold),
        "bayescale, preview": measured([*asked, "--preview"], fresh),
    }


def table_of(rounds: Sequence[Mapping[str, tuple[float, float, float]]]) -> str:
    """Return the medians as Markdown, and ratios of CPU-seconds within each round."""
    lines = ["| | CPU-s | wall s | peak MB | CPU over rival | what it gives |", "|---|---|---|---|---|---|"]
    for name, gives in GIVES.items():
        cpu, wall, peak = (statistics.median(each[name][i] for each in rounds) for i in range(3))
        ratio = statistics.median(each[name][0] / each[RIVAL][0] for each in rounds)
        lines.append(f"| {name} | {cpu:.1f} | {wall:.1f} | {peak:.0f} | {ratio:.2f} | {gives} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", default=sys.executable, help="the Python that has bayescale")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        theirs = environment(folder / "peers")
        rounds = [one_round(options.python, theirs, folder) for _ in range(options.rounds)]
    runs = len(TABLE.read_text().splitlines()) - 1
    text = (
        f"One law on the {runs} runs of the Chinchilla table, from a new process to the "
        f"split of {BUDGET:.3g} FLOP; medians over rounds: {options.rounds}, load "
        f"{os.getloadavg()[0]:.0f} on {os.cpu_count()} processors.\n\n{table_of(rounds)}"
    )
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
