"""Run tests under several kernels of linear algebra, numbers of threads and windows, one line a setting.

    python tests/everywhere.py                            # the numerically sensitive quick tests, every setting
    python tests/everywhere.py -s nehalem,columns tests/test_optimum.py
    python tests/everywhere.py --slow --all               # hours: every test there is

Results of linear algebra differ in their last digits between processors, for OpenBLAS chooses a kernel and Numba emits
code for the one it finds. A test that passes here by rounding alone fails for somebody. A line says what passed, what
failed, or that the process crashed, as it does where a kernel needs what this processor lacks (SkylakeX: AVX-512). The
exit status is 1 if any setting did not pass.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SENSITIVE = (
    "allocation",
    "comparison",
    "constraints",
    "discrepancy",
    "identifiability",
    "intervals",
    "optimum",
    "ranges",
    "scores",
    "slices",
    "verdict",
)
"""Modules whose tests compare numbers closely and sample little."""

SETTINGS: dict[str, dict[str, str]] = {
    "plain": {},
    "haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "skylakex": {"OPENBLAS_CORETYPE": "SkylakeX"},
    "zen": {"OPENBLAS_CORETYPE": "Zen"},
    "nehalem": {"OPENBLAS_CORETYPE": "Nehalem"},
    "generic": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
    "one-thread": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    "two-threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"},
    "xdist": {},
    "columns": {"COLUMNS": "100"},
    "home": {},
}
"""What each setting adds to an environment without any of these variables; ``xdist`` and ``home`` do more."""

TIME_LIMIT = 6 * 3600
"""Seconds for a setting."""


def environment(setting: str, home: str) -> dict[str, str]:
    """Return the environment of a setting: nothing but the setting decides kernels, threads, width and home."""
    own = {name for added in SETTINGS.values() for name in added} | {"OPENBLAS_L2_SIZE", "LINES", "BAYESCALE_CACHE"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    kept |= SETTINGS[setting]
    if setting == "home":  # neither a cache nor a configuration of this user
        kept = {name: value for name, value in kept.items() if not name.startswith("XDG_")} | {"HOME": home}
    return kept


def run(setting: str, arguments: list[str]) -> tuple[bool, str]:
    """Run the tests under a setting, and return whether all passed and a line about them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    command += ["-n", "2"] if setting == "xdist" else ["-p", "no:xdist"]
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        options = {"env": environment(setting, home), "timeout": TIME_LIMIT}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.M)
    seconds = time.monotonic() - start
    if done.returncode == 0:
        return True, f"{done.stdout.strip().splitlines()[-1]}"
    if done.returncode < 0:
        return False, f"crashed by signal {-done.returncode} after {seconds:.0f} s"
    return False, f"failed in {seconds:.0f} s: {', '.join(failed) or done.stderr.strip()[-300:]}"


def main() -> int:
    """Run the settings asked for, and return how to exit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", help="test files (default: the numerically sensitive ones)")
    parser.add_argument("-s", "--settings", default=",".join(SETTINGS), help=f"some of {', '.join(SETTINGS)}")
    parser.add_argument("--all", action="store_true", help="every test file")
    parser.add_argument("--slow", action="store_true", help="the slow tests too")
    asked = parser.parse_args()
    chosen = asked.settings.split(",")
    if unknown := set(chosen) - set(SETTINGS):
        parser.error(f"there is no setting {', '.join(sorted(unknown))}; choose some of {', '.join(SETTINGS)}")
    paths = ["tests"] if asked.all else asked.paths or [f"tests/test_{name}.py" for name in SENSITIVE]
    passed = []
    for setting in chosen:
        fine, line = run(setting, [*paths, *([] if asked.slow else ["-m", "not slow"])])
        passed.append(fine)
        sys.stdout.write(f"{setting:12} {line}\n")
        sys.stdout.flush()
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
