"""Simulation-based calibration of laws: ``python benchmarks/calibrate_laws.py [LAW ...] [--tables 60] [--output F]``.

Parameters and noise are drawn from the prior, a table is simulated with each on the design of the recovery tests, and
refitted. Averaged over the prior, ranks of the truth are uniform and 90 % intervals hold it in 90 % of the tables
(Talts et al. 2018, arXiv:1804.06788). Takes about a minute a law.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from calibration import CASES, calibrate


def main() -> None:
    """Calibrate laws one after the other, and write each result as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("laws", nargs="*", default=sorted(CASES))
    parser.add_argument("--tables", type=int, default=60)
    parser.add_argument("--output", type=Path, default=Path("calibration.json"))
    arguments = parser.parse_args()
    results = {}
    for name in arguments.laws:
        start = time.monotonic()
        found = calibrate(name, arguments.tables, seed=1000 * (1 + sorted(CASES).index(name)))
        p, coverage = found.p_values(), found.coverage()
        seconds = time.monotonic() - start
        results[name] = {"p": p, "coverage": coverage, "divergent": found.divergent, "seconds": round(seconds, 1)}
        arguments.output.write_text(json.dumps({"tables": arguments.tables, "laws": results}, indent=1) + "\n")
        lowest = min(p, key=lambda key: p[key])
        mean = sum(coverage.values()) / len(coverage)
        print(
            f"{name:<18} least p {p[lowest]:.4f} ({lowest}), coverage {min(coverage.values()):.2f} to "
            f"{max(coverage.values()):.2f}, mean {mean:.3f}, divergent {found.divergent}, {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
