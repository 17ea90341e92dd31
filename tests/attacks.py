"""Attack the package with damaged files, signals and hostile tables, and count what fails, class by class.

    python tests/attacks.py --fits 3000 --kills 20 --writes 20 --importers 2000 --tables 2000 --conditions 5000

A fault is anything but success or an ``InputError``, numbers other than those that were saved, a process or file left
behind, a warning that escapes, or a message of 20,000 characters. The same seed makes the same attacks; the moments of
signals depend on the machine.
"""

import argparse
import copy
import json
import lzma
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from damage import DAMAGE, FINE, Outcome, in_process, outcome_of

import bayescale as bs
from bayescale.fits.saving import load_fit
from bayescale.runs.conditions import ConditionError, rows_where
from bayescale.storage import TEMPORARY, kept

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "data" / "chinchilla.csv"
FIXTURES = ROOT / "tests" / "fixtures" / "importers"
SIZES = {"w32": 14816, "w48": 31392, "w64": 54208}
MARK = "BAYESCALE_ATTACK"
ODD = [
    "",
    "nan",
    "--inf",
    "-inf",
    "1e400",
    "9" * 400,
    "0x10",
    "1,234",
    "7B",
    "true",
    "null",
    "\x1b[2J",
    "\u202e",
    "x" * 70_000,
    "-1",
    "0",
    '"',
]
ODD_JSON = [True, False, None, 10**400, -1, 0, 1e308, "--inf", "x" * 70_000, [], {}, [[[]]], {"a": {"b": 1}}, "\x1b"]


# Saved fits


def attack_fits(trials: int, seed: int, folder: Path) -> dict[str, Counter[Outcome]]:
    whole = folder / "whole.nc"
    runs = bs.read_runs(pd.read_csv(TABLE).head(40))
    bs.fit(runs, "compute_floor", draws=200, tune=300, cache=False, progress=False).save(whole)
    each = -(-trials // len(DAMAGE))
    jobs = {
        f"saved fit: {damage.__name__}": [(whole, index, f"{seed} {number}") for number in range(each)]
        for index, damage in enumerate(DAMAGE)
    }
    return in_process(load_damaged, jobs)


def load_damaged(whole: Path, damage: int, seed: str) -> Outcome:
    content = whole.read_bytes()
    damaged = DAMAGE[damage](content, random.Random(f"{damage} {seed}"))
    path = whole.with_name("damaged.nc")
    path.write_bytes(damaged)
    try:
        loaded = load_fit(path)
    except bs.InputError:
        return "refused"
    except Exception as error:
        return f"foreign {type(error).__name__}"
    return "unchanged" if loaded.data.identical(load_fit(whole).data) else "other numbers"


# Signals


def attack_by_signals(trials: int, seed: int, folder: Path, *, writing: bool) -> dict[str, Counter[Outcome]]:
    """End a command at random moments, or whenever it writes, and look for what is left."""
    rng, counts = random.Random(seed), {}
    names = ["SIGTERM", "SIGKILL", "SIGINT", "SIGHUP"]
    for number in range(trials):
        name = names[number % len(names)]
        cache = Path(tempfile.mkdtemp(dir=folder))
        found = end_one(
            cache,
            getattr(signal, name),
            None if writing else rng.uniform(0.5, 20.0),
            f"{os.getpid()}-{number}-{writing}",
        )
        counts.setdefault(f"{name} {'while writing' if writing else 'at any moment'}", Counter()).update(found)
        shutil.rmtree(cache)
    return counts


def end_one(cache: Path, number: int, delay: float | None, mark: str) -> list[Outcome]:
    command = [
        sys.executable,
        "-m",
        "bayescale",
        "compare",
        str(TABLE),
        "--draws",
        "200",
        "--quiet",
        "--laws",
        "compute_floor,compute_power,tilt",
    ]
    environment = os.environ | {"BAYESCALE_CACHE": str(cache), MARK: mark}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_moment(process, cache, delay)
    process.send_signal(number)
    process.wait()
    left = list(left_behind(cache, mark))
    if number == signal.SIGKILL and "temporary file" in left:  # nobody can clean up then; the next command must
        subprocess.run(
            [sys.executable, "-m", "bayescale", "check", str(TABLE)], env=environment, check=False, capture_output=True
        )
        left = list(left_behind(cache, mark))
    return left or ["refused"]


def wait_for_moment(process: subprocess.Popen, cache: Path, delay: float | None) -> None:
    """Wait for so many seconds, or until the command writes, or until it ends."""
    until = time.monotonic() + (120 if delay is None else delay)
    while process.poll() is None and time.monotonic() < until:
        if delay is None and next(cache.rglob(f"{TEMPORARY}*"), None):
            return
        time.sleep(0.0005 if delay is None else 0.01)


def left_behind(cache: Path, mark: str) -> Iterator[Outcome]:
    until = time.monotonic() + 15
    while any(of_mark(mark)) and time.monotonic() < until:
        time.sleep(0.2)
    yield from ("process left" for _ in of_mark(mark))
    yield from ("temporary file" for _ in cache.rglob(f"{TEMPORARY}*"))
    for path in cache.rglob("*.nc"):
        if not path.name.startswith(TEMPORARY):
            yield from ["half-written file"] * (outcome_of(lambda path=path: load_fit(path)) != "accepted")
    for path in (path for path in cache.rglob("*.json") if path.parent != cache):
        yield from ["half-written file"] * (kept(path) is None)


def of_mark(mark: str) -> Iterator[int]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process.pid
        except psutil.Error:
            continue


# Importers


def attack_importers(trials: int, seed: int, folder: Path) -> dict[str, Counter[Outcome]]:
    each = -(-trials // 5)
    database = folder / "mlflow.db"
    database.write_bytes(lzma.decompress((FIXTURES / "mlflow.db.xz").read_bytes()))
    tracked = tracking_folder(folder / "mlruns")
    sources = {
        "trainer_state": (FIXTURES / "trainer", "**/trainer_state.json"),
        "tensorboard": (FIXTURES / "tensorboard", "**/*tfevents*"),
    }
    sources |= {
        "wandb": (FIXTURES, "wandb_export.csv"),
        "mlflow": (folder, "mlflow.db"),
        "mlflow folder": (tracked, "[0-9]*/**/*"),
    }
    jobs = {
        f"importer: {kind}": [(kind, root, pattern, folder / "attacked", f"{seed} {number}") for number in range(each)]
        for kind, (root, pattern) in sources.items()
    }
    return in_process(import_damaged, jobs)


def tracking_folder(path: Path) -> Path:
    os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    from mlflow.tracking import MlflowClient  # noqa: PLC0415

    client = MlflowClient(tracking_uri=path.as_uri())
    experiment = client.create_experiment("small")
    for size in range(1, 7):
        run = client.create_run(experiment, run_name=f"run-{size}").info.run_id
        client.log_param(run, "num_parameters", f"{size}e8")
        client.log_param(run, "tokens", f"{size * size}e9")
        client.log_metric(run, "val_loss", 4 - size / 10, step=2)
        client.set_terminated(run)
    return path


def import_damaged(kind: str, root: Path, pattern: str, place: Path, seed: str) -> Outcome:
    rng = random.Random(f"{kind} {seed}")
    shutil.rmtree(place, ignore_errors=True)
    if root.name in ("trainer", "tensorboard", "mlruns"):
        shutil.copytree(root, place / root.name)
        target = read = place / root.name
    else:
        place.mkdir()
        target = place
        read = Path(shutil.copy(root / pattern, place))
    victim = rng.choice(sorted(path for path in target.glob(pattern) if path.is_file()))
    victim.write_bytes(damaged_text(victim, rng))
    sizes = {
        f"{label}-{rest}": size
        for label, size in SIZES.items()
        for rest in ("s80", "s160", "s120", "s240", "s200", "stopped", "crashed")
    }
    given = sizes if kind in ("trainer_state", "tensorboard") else None
    return outcome_of(lambda: import_once(read, kind.split(maxsplit=1)[0], given))


def import_once(path: Path, kind: str, sizes: dict[str, int] | None) -> None:
    if sizes is None:
        bs.import_runs(path, kind=kind)
        return
    try:
        bs.import_runs(path, kind=kind, N=sizes)
    except bs.InputError as error:
        if "label" not in str(error):
            raise
        bs.import_runs(path, kind=kind, columns={"N": "num_parameters"})


def damaged_text(path: Path, rng: random.Random) -> bytes:
    """Return a file with bytes, cells or values of another kind."""
    content = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.7:
        document = json.loads(content)
        for _ in range(rng.randint(1, 3)):
            replace_leaf(document, rng)
        return json.dumps(document).encode()
    if path.suffix == ".csv" and rng.random() < 0.7:
        return damaged_cells(content.decode(), rng).encode("utf-8", "surrogatepass")
    return rng.choice(DAMAGE)(content, rng) if content else b"\xff"


def replace_leaf(document: object, rng: random.Random) -> None:
    while True:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not keys:
            return
        key = rng.choice(keys)
        if not isinstance(document[key], dict | list) or not document[key] or rng.random() < 0.1:
            document[key] = copy.deepcopy(rng.choice(ODD_JSON))  # another each time, that none holds itself
            return
        document = document[key]


# Tables and conditions


def damaged_cells(text: str, rng: random.Random) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(rng.randint(1, 4)):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(ODD)
    return "\n".join(",".join(row) for row in rows)


def attack_tables(trials: int, seed: int, folder: Path) -> dict[str, Counter[Outcome]]:
    whole = pd.read_csv(TABLE).head(30)
    forms = {"csv": whole.to_csv(index=False).encode(), "jsonl": whole.to_json(orient="records", lines=True).encode()}
    whole.to_parquet(folder / "whole.parquet")
    forms["parquet"] = (folder / "whole.parquet").read_bytes()
    each = -(-trials // len(forms))
    jobs = {
        f"table: {suffix}": [(folder, suffix, content, f"{seed} {number}") for number in range(each)]
        for suffix, content in forms.items()
    }
    return in_process(read_damaged, jobs)


def read_damaged(folder: Path, suffix: str, content: bytes, seed: str) -> Outcome:
    rng, path = random.Random(f"{suffix} {seed}"), folder / f"damaged.{suffix}"
    if suffix == "csv" and rng.random() < 0.6:
        damaged = damaged_cells(content.decode(), rng).encode("utf-8", "surrogatepass")
    elif suffix == "jsonl" and rng.random() < 0.6:
        lines = [json.loads(line) for line in content.splitlines()]
        replace_leaf(lines, rng)
        damaged = "\n".join(json.dumps(line) for line in lines).encode()
    else:
        damaged = rng.choice(DAMAGE)(content, rng)
    path.write_bytes(damaged)
    return outcome_of(lambda: bs.read_runs(path))


PIECES = [
    *"ND()&|~<>=-+*/%.,'`\"[]\\ \n",
    " and ",
    " or ",
    " in ",
    "not ",
    "==",
    "1e9",
    "'llama'",
    "9**9",
    "run",
    "loss",
    "()",
    ".to_csv",
    "@N",
    "\0",
]


def attack_conditions(trials: int, seed: int) -> dict[str, Counter[Outcome]]:
    frame, rng, found = pd.read_csv(TABLE).head(30), random.Random(seed), Counter()
    for _ in range(trials):
        text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 14)))
        try:
            rows = rows_where(frame, text)
            found["accepted" if rows.dtype == np.bool_ else "no answer"] += 1
        except ConditionError:
            found["refused"] += 1
        except Exception as error:
            found[f"foreign {type(error).__name__}"] += 1
    return {"condition": found}


# The command


def main() -> None:
    """Run the attacks asked for, and print a row for each class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("fits", "kills", "writes", "importers", "tables", "conditions"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bayescale-attacks-") as name:
        folder = Path(name)
        attacks: dict[str, Callable[[], dict[str, Counter[Outcome]]]] = {
            "fits": lambda: attack_fits(asked.fits, asked.seed, folder),
            "kills": lambda: attack_by_signals(asked.kills, asked.seed, folder, writing=False),
            "writes": lambda: attack_by_signals(asked.writes, asked.seed, folder, writing=True),
            "importers": lambda: attack_importers(asked.importers, asked.seed, folder),
            "tables": lambda: attack_tables(asked.tables, asked.seed, folder),
            "conditions": lambda: attack_conditions(asked.conditions, asked.seed),
        }
        sys.stdout.write("| class | tried | failed | how |\n| --- | --- | --- | --- |\n")
        for kind, attack in attacks.items():
            for title, found in (attack() if getattr(asked, kind) else {}).items():
                failed = {what: count for what, count in found.items() if what not in FINE}
                how = ", ".join(f"{count} {what}" for what, count in failed.items())
                sys.stdout.write(f"| {title} | {found.total()} | {sum(failed.values())} | {how} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
