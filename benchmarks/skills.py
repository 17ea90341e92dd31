"""How well laws of skill forecast scores of public models, beside what was aimed at.

``python benchmarks/skills.py [LAW ...]`` adds to ``skills.json`` what it measures. The table must have been fetched
(``bayescale data get obsscaling``), or ``BAYESCALE_MIRROR`` name a copy. Aims: with models left out a joint density of
at least 1800, coverage of 90% intervals between 0.88 and 0.94, mean error of at most 0.041; with the models above
Llama-2 7B left out, density and coverage above those of the baseline; with five benchmarks of these seen, coverage of
at least 0.85.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

import bayescale as bs
from bayescale.skills.table import ScoreTable

RESULT = Path(__file__).with_suffix(".json")
STRONG = 8.4e22
"""Training FLOP of Llama-2 7B."""

UNSEEN = ("GSM8K", "HumanEval", "XWinograd")
LAWS = {
    **bs.skills.SKILL_LAWS,
    "second": bs.skills.with_second_skill("family_benchmark", ["GSM8K", "HumanEval", "MMLU", "TruthfulQA"]),
}
SCHEMES = {
    "models left out": {"by": "model"},
    "strong models left out": {"by": "largest", "cutoff": STRONG},
    "strong models, five benchmarks seen": {"by": "response", "cutoff": STRONG, "target": UNSEEN},
}
AIMS = {
    "models left out": "elpd >= 1800, coverage 0.88 to 0.94, mean error <= 0.041",
    "strong models left out": "density and coverage above the baseline's (separate)",
    "strong models, five benchmarks seen": "coverage >= 0.85",
}


def known_models() -> ScoreTable:
    """Return the base models of published compute."""
    table = bs.skills.load_scores("obsscaling")
    return table.only(table.models["C"].notna().to_numpy(), "models of published compute")


def measure(law: str, table: ScoreTable) -> dict[str, dict[str, float]]:
    """Return the scores of a law in each scheme."""
    found = {}
    for scheme, options in SCHEMES.items():
        begun = time.process_time()
        comparison = bs.skills.compare_skills(table, [LAWS[law]], **options, random_seed=1)
        row = comparison.table.iloc[0]
        names = ("elpd", "se", "coverage_90", "mean_error", "width", "doubtful")
        found[scheme] = {name: round(float(row[name]), 4) for name in names}
        siblings = with_siblings(table, comparison)
        found[scheme] |= {"cells": len(comparison.cells), "cpu_seconds": round(time.process_time() - begun, 1)}
        found[scheme] |= siblings if options["by"] == "largest" else {}
        print(law, scheme, found[scheme], flush=True)
    return found


def with_siblings(table: ScoreTable, comparison: bs.skills.SkillComparison) -> dict[str, float]:
    """Return the scores of the strong models whose family has weaker ones."""
    weak = table.models["C"] <= STRONG
    families = set(table.models.loc[weak, "family"])
    kept = comparison.pointwise[comparison.pointwise.index.isin(families, level="family")]
    cells = comparison.cells[comparison.cells["run"].isin(kept.index.get_level_values("run"))]
    inside = (cells["lower"] <= cells["score"]) & (cells["score"] <= cells["upper"])
    error = np.abs(cells["score"] - cells["median"])
    return {
        "with_siblings_elpd": round(float(kept.iloc[:, 0].sum()), 1),
        "with_siblings_coverage": round(float(inside.mean()), 3),
        "with_siblings_mean_error": round(float(error.mean()), 4),
        "with_siblings_cells": len(cells),
    }


def main() -> None:
    """Measure the laws that are named, or all."""
    table = known_models()
    kept = json.loads(RESULT.read_text(encoding="utf-8"))["laws"] if RESULT.exists() else {}
    for law in sys.argv[1:] or list(LAWS):
        kept[law] = measure(law, table)
        RESULT.write_text(json.dumps({"aims": AIMS, "laws": kept}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
