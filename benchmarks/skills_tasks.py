"""Three tasks of the new leaderboard forecast for strong models, jointly: beside the errors that two steps printed.

``python benchmarks/skills_tasks.py FOLDER [LAW ...]``, where FOLDER has ``base_llm_benchmark_eval.csv`` and
``base_llm_leaderboard_v2_eval.csv`` of Ruan, Maddison and Hashimoto (2024). Seven benchmarks of all their models are
seen, and each task only for models up to the paper's cutoff of compute. Aims: mean squared errors, over chance, of at
most 1.5 times those printed; 90% intervals that hold 80 to 97% of the 56 scores. It writes ``skills_tasks.json``.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.fits.settings import Settings
from bayescale.skills.comparison import _scored
from bayescale.skills.fitting import sample_fit

RESULT = Path(__file__).with_suffix(".json")
FLOPS = "FLOPs (1E21)"
TASKS = {"leaderboard_gpqa": (0.25, 168, 8.3e-4), "leaderboard_math_hard": (0.0, 252, 2.2e-3)} | {
    "leaderboard_bbh": (0.287, 84, 1.5e-3)
}
FAMILIES = (
    ("Llama-2", "Llama", "Llama-3", "Llama-3.1", "Qwen1.5", "Qwen", "Mistral", "Mixtral", "Yi", "Yi-1.5", "Gemma"),
    ("Gemma-2", "Falcon", "Phi", "Pythia", "BLOOM", "GPT-Neo/J", "OPT", "MPT", "XGLM", "CodeLlama", "StarCoder"),
    ("StarCoder2", "DeepSeek-Coder", "Jamba"),
)
LAWS = {
    **bs.skills.SKILL_LAWS,
    "second": bs.skills.with_second_skill("family_benchmark", ["HumanEval", "MMLU", *TASKS]),
}
TESTED_WITHOUT_COMPUTE = ("Qwen/Qwen1.5-110B", "ai21labs/Jamba-v0.1")


def main() -> None:
    """Measure the laws that are named, or the default and the baseline."""
    folder = Path(sys.argv[1])
    base = pd.read_csv(folder / "base_llm_benchmark_eval.csv").drop(columns="GSM8K")
    base = base[base["Model Family"].isin(sum(FAMILIES, ()))]
    tasks = pd.read_csv(folder / "base_llm_leaderboard_v2_eval.csv")[["Model", *TASKS]]
    frame = base.merge(tasks, on="Model", how="left")
    untested = frame[FLOPS].isna() & ~frame["Model"].isin(TESTED_WITHOUT_COMPUTE)
    frame.loc[untested, list(TASKS)] = np.nan
    table = bs.skills.read_scores(frame, chance={name: chance for name, (chance, _, _) in TASKS.items()})
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for law in sys.argv[2:] or ("family_benchmark", "second", "separate"):
        kept[law] = measure(law, table)
        print(law, kept[law], flush=True)
        RESULT.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def measure(law: str, table: bs.skills.ScoreTable) -> dict[str, object]:
    """Return error and coverage of each task, and of all."""
    compute = table.models["C"].to_numpy(dtype=float) / 1e21
    held = np.zeros_like(table.scores, dtype=bool)
    for task, (_, cutoff, _) in TASKS.items():
        held[:, table.names.index(task)] = ~(compute <= cutoff * 1.001)
    held &= np.isfinite(table.scores)
    fitted = sample_fit(LAWS[law], table, ~held, Settings(800, 500, 4, 1), attempts=(0.8,))
    scored = _scored(fitted, held)
    cells = pd.DataFrame(scored["cells"], columns=["run", "response"])
    cells = cells.assign(score=table.scores[cells["run"], cells["response"]])
    cells = cells.assign(**{name: scored[name] for name in ("lower", "median", "upper")})
    inside = (cells["lower"] <= cells["score"]) & (cells["score"] <= cells["upper"])
    found: dict[str, object] = {"cells": len(cells), "coverage_90": round(float(inside.mean()), 3)}
    found["failures"] = list(scored["failures"])
    for task, (chance, _, printed) in TASKS.items():
        own = cells[cells["response"] == table.names.index(task)]
        error = (((own["score"] - own["median"]) / (1 - chance)) ** 2).mean()
        width = (own["upper"] - own["lower"]).mean()
        part = float(inside[own.index].mean())
        found[task] = {
            "mse": float(f"{error:.2e}"),
            "printed": printed,
            "coverage_90": round(part, 3),
            "width": round(width, 3),
        }
    return found


if __name__ == "__main__":
    main()
