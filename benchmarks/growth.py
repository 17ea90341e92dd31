"""How time and memory grow with rows, laws, budgets times draws, and workers.

Run ``python benchmarks/growth.py``; each number comes from a process of its own, on tables made from the published law
of Hoffmann et al. (2022). CPU seconds, not wall time, so that a busy machine does not matter; ``ratio`` is what a row
of the table costs beside one of the smallest table (or a law, a budget, a worker), so that 1 is linear growth. The
numbers go to ``benchmarks/growth.json``.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

PARTS = {
    "rows": (250, 1000, 2500, 10_000, 100_000),
    "laws": (1, 2, 4),
    "budgets": (1, 10, 50, 200),
    "workers": (0, 1, 2),
}
"""What is measured, and how many of it."""

DRAWS, TUNE = 150, 150
"""Of each of four chains, once: growth does not depend on how many there are, and so few fail the gate."""

LAWS = ("chinchilla", "compute_floor", "tilt", "kaplan_nd")

type Row = dict[str, str | float]


def main() -> None:
    """Run the parts asked for, print a table and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--counts", type=int, nargs="+", help="other numbers of rows, laws, budgets or workers")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--one", nargs=2, metavar=("PART", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(MEASURE[options.one[0]](int(options.one[1]))))
        return
    known = json.loads(options.output.read_text())["rows"] if options.output.exists() else []
    for part in options.parts or PARTS:
        for count in options.counts or PARTS[part]:
            found = one(part, count)
            known = [row for row in known if (row["part"], row["count"]) != (part, count)] + found
            show(found)
            known.sort(key=lambda row: (list(PARTS).index(row["part"]), row["count"]))
            record = {"draws": DRAWS, "tune": TUNE, "rows": with_ratios(known)}
            options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def one(part: str, count: int) -> list[Row]:
    """Measure in a process and a cache of their own."""
    with tempfile.TemporaryDirectory(prefix="bayescale-growth-") as folder:
        command = [sys.executable, __file__, "--one", part, str(count)]
        env = {**os.environ, "BAYESCALE_CACHE": folder}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return [{"part": part, "count": count, **row} for row in json.loads(done.stdout.splitlines()[-1])]


def with_ratios(rows: list[Row]) -> list[Row]:
    """Add what one of the count costs beside one of the smallest count of the same stage."""
    for row in rows:
        same = [each for each in rows if (each["part"], each["what"]) == (row["part"], row["what"])]
        first = min(same, key=lambda each: float(each["count"]))
        per, of_first = (float(each["cpu_s"]) / max(float(each["count"]), 1) for each in (row, first))
        row["ratio"] = per / of_first if of_first > 0 else float("nan")
    return rows


def show(rows: list[Row]) -> None:
    """Print what was measured."""
    for row in rows:
        print(
            f"{row['part']:8} {row['count']:8} {row['what']:24} {row['cpu_s']:9.2f} s {row['peak_mb']:7.0f} MB",
            flush=True,
        )


@contextmanager
def stage(rows: list[Row], name: str) -> Iterator[None]:
    """Append the CPU time of a stage, and the largest memory of this process up to its end."""
    before = cpu_seconds()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    rows.append({"what": name, "cpu_s": cpu_seconds() - before, "peak_mb": peak})


def cpu_seconds() -> float:
    """Return the seconds of processor of this process and of those that have ended."""
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def made_table(rows: int) -> pd.DataFrame:
    """Return runs over four decades of compute and two and a half of tokens per parameter, with heavy-tailed noise."""
    rng = np.random.default_rng(0)
    C, ratio = 10 ** rng.uniform(18, 22, rows), 10 ** rng.uniform(0, 2.5, rows)
    N = np.sqrt(C / 6 / ratio)
    D = C / (6 * N)
    loss = (1.69 + 406.4 / N**0.34 + 410.7 / D**0.28) * np.exp(0.01 * rng.standard_t(4, rows))
    return pd.DataFrame({"run": [f"run {i}" for i in range(rows)], "N": N, "D": D, "C": C, "loss": loss})


def of_rows(count: int) -> list[Row]:
    """Measure a fit of so many rows, stage by stage, and what is made of it."""
    import bayescale as bs  # noqa: PLC0415  (each process imports what it measures)
    from bayescale.fits import sampling  # noqa: PLC0415
    from bayescale.fits.discrepancy import discrepancy_group  # noqa: PLC0415
    from bayescale.fits.fitting import sample_posterior_alone  # noqa: PLC0415
    from bayescale.fits.likelihood import kept_predictions  # noqa: PLC0415
    from bayescale.fits.loo import loo_group  # noqa: PLC0415
    from bayescale.fits.sampling import compiled_model  # noqa: PLC0415
    from bayescale.fits.settings import Settings  # noqa: PLC0415
    from bayescale.forecasts.backtesting import _own_points  # noqa: PLC0415

    found: list[Row] = []
    law = bs.LAWS["chinchilla"]
    sampling.ATTEMPTS = sampling.ATTEMPTS[:1]
    compiled_model(law)
    with stage(found, "read"):
        runs = bs.read_runs(made_table(count), name="made")
    with stage(found, "sample"):
        fitted = sample_posterior_alone(law, runs, Settings(DRAWS, TUNE, 4, 1))
    for name, group in (("log likelihood, predictions", kept_predictions), ("what the law misses", discrepancy_group)):
        with stage(found, name):
            made = group(fitted)
        fitted.data.update({each: tree_of(values) for each, values in groups_of(made).items()})
    with stage(found, "rows left out"):
        loo_group(fitted)
    with stage(found, "forecast of a fifth"):
        _own_points(fitted, fitted.runs.frame.iloc[::5], "discrepancy", 1)
    with stage(found, "save"):
        path = Path(os.environ["BAYESCALE_CACHE"]) / "fit.nc"
        fitted.save(path)
    found.append(
        {"what": "file (MB in place of s)", "cpu_s": path.stat().st_size / 1e6, "peak_mb": found[-1]["peak_mb"]}
    )
    return found


def groups_of(made: object) -> dict[str, object]:
    """Return groups by name, whether there are several or the discrepancy alone."""
    return made if isinstance(made, dict) else {"discrepancy": made}


def tree_of(values: object) -> object:
    """Return a dataset as a node of a fit's tree."""
    import xarray as xr  # noqa: PLC0415  (as above)

    return xr.DataTree(values)


def of_laws(count: int) -> list[Row]:
    """Measure fits of so many laws, compiled in this process one after the other."""
    import bayescale as bs  # noqa: PLC0415  (as above)

    found: list[Row] = []
    runs = bs.read_runs(made_table(250), name="made")
    with stage(found, "compile and fit"):
        for name in LAWS[:count]:
            bs.fit(runs, name, draws=DRAWS, tune=TUNE, random_seed=1, progress=False)
    return found


def of_budgets(count: int) -> list[Row]:
    """Measure allocations of so many budgets under 1000 draws and under 4000."""
    import bayescale as bs  # noqa: PLC0415  (as above)

    found: list[Row] = []
    runs = bs.read_runs(made_table(250), name="made")
    for draws in (250, 1000):
        fitted = bs.fit(runs, "chinchilla", draws=draws, tune=TUNE, random_seed=1, progress=False)
        bs.allocate(fitted, [1e22])  # what a fit computes once
        with stage(found, f"allocate, {4 * draws} draws"):
            bs.allocate(fitted, np.geomspace(1e21, 1e25, count).tolist())
    return found


def of_workers(count: int) -> list[Row]:
    """Measure a backtest of a law on a cluster of so many processes; with 0 in this process. Wall time as well."""
    import bayescale as bs  # noqa: PLC0415  (as above)
    from bayescale.fits.workers import on_workers  # noqa: PLC0415

    found: list[Row] = []
    runs = bs.read_runs(made_table(250), name="made")
    options = {"thresholds": [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45], "methods": ["plain"], "random_seed": 1}
    with cluster_of(count) as address:
        wall = time.perf_counter()
        with stage(found, "backtest, 8 folds"), on_workers(address):
            bs.backtest(runs, ["chinchilla"], **options)
        wall = time.perf_counter() - wall
    found[0] |= {"cpu_s": cpu_seconds(), "wall_s": wall}  # with those of the workers, which have ended
    return found


@contextmanager
def cluster_of(count: int) -> Iterator[str | None]:
    """Start so many workers on this machine, and give the address of their scheduler; None without any."""
    if not count:
        yield None
        return
    from distributed import LocalCluster  # noqa: PLC0415  (as above)

    with LocalCluster(count, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


MEASURE = {"rows": of_rows, "laws": of_laws, "budgets": of_budgets, "workers": of_workers}

if __name__ == "__main__":
    main()
