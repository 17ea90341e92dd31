"""Simulation-based calibration of laws: ``python benchmarks/calibrate_laws.py [LAW ...] [--tables 60]``.

Parameters and noise are drawn from the prior, a table is simulated with each on the design of the recovery tests, and
refitted. Averaged over the prior, ranks of the truth are uniform and 90% intervals hold it in 90% of the tables
(Talts et al. 2018, arXiv:1804.06788). Takes a minute or a few a law on an idle core. Results are kept in
``calibrate_laws.json``, where those of other laws stay; ``--show`` prints them as the table of
docs/laws-calibration.md.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

OUTPUT = HERE / "calibrate_laws.json"


def table_text(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a line for each law."""
    lines = [
        "| law | tables | least p (quantity) | quantities | coverage, least to greatest (%) | mean (%) | divergent |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in sorted(results.items()):
        p, held = found["p"], [100 * value for value in found["coverage"].values()]
        lowest = min(p, key=lambda key: p[key])
        lines.append(
            f"| {name} | {found['tables']} | {p[lowest]:.2g} ({lowest}) | {len(p)} | {min(held):.0f} to "
            f"{max(held):.0f} | {sum(held) / len(held):.1f} | {found['divergent']} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Calibrate laws one after the other, and write each result as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("laws", nargs="*")
    parser.add_argument("--tables", type=int, default=60)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--show", action="store_true", help="print what is known and end")
    arguments = parser.parse_args()
    results = json.loads(arguments.output.read_text())["laws"] if arguments.output.exists() else {}
    if arguments.show:
        print(table_text(results))
        return
    from calibration import CASES, calibrate  # noqa: PLC0415  (imports PyMC, which --show does without)

    for name in arguments.laws or sorted(CASES):
        start = time.monotonic()
        found = calibrate(name, arguments.tables, seed=1000 * (1 + sorted(CASES).index(name)))
        results[name] = {
            "tables": arguments.tables,
            "p": found.p_values(),
            "coverage": found.coverage(),
            "divergent": found.divergent,
            "seconds": round(time.monotonic() - start, 1),
        }
        arguments.output.write_text(json.dumps({"laws": dict(sorted(results.items()))}, indent=1) + "\n")
        print(table_text({name: results[name]}).splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
