"""Time and peak memory of the main job, ``bayescale report chinchilla``: by stage, and as a whole command.

Run ``python benchmarks/stages.py``; ``--help`` lists the parts. The numbers go to ``benchmarks/stages.json``.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

LAWS = ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla")
PARTS = ("stages", "stone-cold", "cold", "warm")
SEED = 1
LIBRARIES = "import pymc, arviz, nutpie"
REPEATS = 3
POLL_SECONDS = 0.5  # asking the kernel for shared pages is slow enough to disturb what is measured

type Row = dict[str, str | float | None]


def main() -> None:
    """Run the parts asked for, print a table and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--table", default="chinchilla", help="table of runs")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("stages.json"))
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    if options.in_this_process:
        print(json.dumps(stages(options.table)))
        return
    rows = measure(options.parts or PARTS, options.table)
    record = {"table": options.table, "machine": machine(), "rows": rows, "ratios": ratios(rows)}
    options.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    show(rows, record["ratios"])
    print(f"\nwritten: {options.output}")


def measure(parts: list[str] | tuple[str, ...], table: str) -> list[Row]:
    """Measure in folders of their own, so that neither the user's cache nor an earlier part speeds a part up."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bayescale-bench-") as name:
        folder = Path(name)
        if "stages" in parts:
            command = [sys.executable, __file__, "--in-this-process", "--table", table]
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=environment(folder / "stages")
            )
            rows += json.loads(done.stdout)
        if "stone-cold" in parts:
            compiled = {
                "PYTENSOR_FLAGS": f"base_compiledir={folder / 'pytensor'}",
                "NUMBA_CACHE_DIR": str(folder / "numba"),
            }
            rows.append(command_row("stone-cold", table, folder, {**environment(folder / "stone"), **compiled}))
        if "cold" in parts:
            rows.append(command_row("cold", table, folder, environment(folder / "cold")))
        if "warm" in parts:
            if "cold" not in parts:
                command_row("cold", table, folder, environment(folder / "cold"))
            rows += warm_rows(table, folder, environment(folder / "cold"))
    return rows


def warm_rows(table: str, folder: Path, env: Mapping[str, str]) -> list[Row]:
    """Time the command in turn with importing the libraries that it stands on, and return the middle one of each."""
    pairs = [
        (
            process_row("yardstick", LIBRARIES, [sys.executable, "-c", LIBRARIES], env),
            command_row("warm", table, folder, env),
        )
        for _ in range(REPEATS)
    ]
    return [sorted(each, key=lambda row: float(row["wall_s"] or 0))[REPEATS // 2] for each in zip(*pairs, strict=True)]


def environment(cache: Path) -> dict[str, str]:
    """Return the environment of a process that keeps fits in this folder."""
    return {**os.environ, "BAYESCALE_CACHE": str(cache)}


# Stages, in a process of their own


def stages(table: str) -> list[Row]:
    """Run the job stage by stage, one law after the other, in this process."""
    rows: list[Row] = []
    with stage(rows, "import"):
        import bayescale as bs  # noqa: PLC0415  (its time is measured)
        from bayescale.fits.sampling import compiled_model  # noqa: PLC0415
        from bayescale.laws import get_law  # noqa: PLC0415

        verbs = (bs.compare, bs.judge, bs.allocate, bs.fit)
    with stage(rows, "read table"):
        runs = bs.load_runs(table)
    with stage(rows, "compile"):
        for name in LAWS:
            compiled_model(get_law(name))
    with stage(rows, "sample"):
        fits = {name: bs.fit(runs, name, random_seed=SEED, cache=False) for name in LAWS}
    with stage(rows, "leave one out"):
        comparison = bs.compare(fits, cache=False)
    with stage(rows, "judge"):
        verdict = bs.judge(comparison)
    with stage(rows, "allocate"):
        largest = runs.frame["C"].max()
        allocation = bs.allocate(comparison, [largest, 10 * largest, 100 * largest])
    with stage(rows, "draw and write"), tempfile.TemporaryDirectory() as folder:
        bs.write_report(Path(folder) / "report.html", comparison, verdict, allocation)
    draws = fits["chinchilla"].draws["sigma"].size
    with stage(rows, f"allocate {draws} draws x 50 budgets"):
        bs.allocate(fits["chinchilla"], [1e18 * 10 ** (k / 7) for k in range(50)])
    del verbs
    return rows


@contextmanager
def stage(rows: list[Row], name: str) -> Iterator[None]:
    """Append the time of a stage, and the largest memory of this process up to its end."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    row = {"part": "stages", "what": name, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    rows.append({**row, "peak_mb": megabytes(resource.getrusage(resource.RUSAGE_SELF))})


# The whole command


def command_row(part: str, table: str, folder: Path, env: Mapping[str, str]) -> Row:
    """Run ``bayescale report`` as a process and return its time and memory."""
    output = str(folder / "report.html")
    command = [sys.executable, "-m", "bayescale", "report", table, "--seed", str(SEED), "--quiet", "--output", output]
    return process_row(part, "bayescale report", command, env)


def process_row(part: str, what: str, command: list[str], env: Mapping[str, str]) -> Row:
    """Run a process and return its time, and its memory with that of the processes it starts."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    together: float | None = None
    while process.returncode is None:
        together = max(filter(None, (together, tree_megabytes(process.pid))), default=None)
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"part": part, "what": what, "wall_s": wall, "cpu_s": cpu, "peak_mb": together}


def tree_megabytes(root: int) -> float | None:
    """Return the memory of a process and its descendants, shared pages counted once; None where there is no /proc."""
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        parents.setdefault(parent, []).append(int(status.parent.name))
    waiting, total = [root], 0
    while waiting:
        process = waiting.pop()
        waiting += parents.get(process, [])
        total += proportional_kilobytes(process)
    return total / 1024


def proportional_kilobytes(process: int) -> int:
    """Return the proportional set size of a process, 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def megabytes(usage: resource.struct_rusage) -> float:
    """Return the largest resident size; the unit is bytes on macOS and kibibytes elsewhere."""
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


# What is said


def machine() -> dict[str, str | int | None]:
    """Return what the absolute times depend on."""
    return {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()} | {
        "python": platform.python_version()
    }


def ratios(rows: list[Row]) -> dict[str, float]:
    """Return what can be compared between machines: wall times over one another."""
    wall = {(row["part"], row["what"]): float(row["wall_s"] or 0) for row in rows}
    whole = {part: seconds for (part, what), seconds in wall.items() if what == "bayescale report"}
    found = {
        f"{above} / {below}": whole[above] / whole[below]
        for above, below in (("cold", "warm"), ("stone-cold", "cold"))
        if {above, below} <= set(whole)
    }
    if "warm" in whole:
        found["warm / yardstick"] = whole["warm"] / wall["yardstick", LIBRARIES]
    job = {what: seconds for (part, what), seconds in wall.items() if part == "stages" and " draws x " not in str(what)}
    shares = {f"share of {what}": job[what] / sum(job.values()) for what in ("import", "compile", "sample") if job}
    return {**found, **shares}


def show(rows: list[Row], found: Mapping[str, float]) -> None:
    """Print the numbers as a table."""
    print(f"{'part':<11} {'what':<34} {'wall s':>8} {'cpu s':>8} {'peak MB':>8}")
    for row in rows:
        peak = "" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"
        print(f"{row['part']:<11} {row['what']:<34} {row['wall_s']:>8.2f} {row['cpu_s']:>8.2f} {peak:>8}")
    for name, value in found.items():
        print(f"{name}: {value:.2f}")


if __name__ == "__main__":
    main()
