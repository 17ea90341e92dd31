"""Tasks of Ruan, Maddison and Hashimoto (2024) forecast for strong models, jointly, and the errors of their two steps.

``python benchmarks/skills_tasks.py FOLDER [SET.LAW ...]``, where FOLDER has ``base_llm_benchmark_eval.csv``,
``base_llm_leaderboard_v2_eval.csv`` and ``base_llm_emergent_capability_eval.csv``. Benchmarks of all their models are
seen, and each task only for models up to the paper's cutoff of compute. Aims, for the three tasks of the new
leaderboard: mean squared errors, over chance, of at most 1.5 times those printed; 90% intervals that hold 80 to 97% of
the 56 scores. What was tried was chosen on the tasks of one set and looked at on the others. It writes
``skills_tasks.json``.
"""

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.skills.comparison import REFIT, forecast_fold
from bayescale.skills.folds import ScoreFold

RESULT = Path(__file__).with_suffix(".json")
FLOPS = "FLOPs (1E21)"


@dataclass(frozen=True)
class Task:
    """Score of guessing, cutoff of compute in 1e21 FLOP, and mean squared error printed for three components."""

    chance: float
    cutoff: float
    printed: float


SETS: dict[str, dict[str, Task]] = {
    "leaderboard_v2": {
        "leaderboard_gpqa": Task(0.25, 168, 8.3e-4),
        "leaderboard_math_hard": Task(0.0, 252, 2.2e-3),
        "leaderboard_bbh": Task(0.287, 84, 1.5e-3),
    },
    "emergent_capability": {
        "word_unscrambling_2_exact_match": Task(0.0, 84, 4.0e-3),
        "arithmetic_3ds_2_acc": Task(0.0, 22, 1.3e-2),
        "arithmetic_2dm_2_acc": Task(0.0, 22, 9.9e-3),
    },
}
FAMILIES = (
    ("Llama-2", "Llama", "Llama-3", "Llama-3.1", "Qwen1.5", "Qwen", "Mistral", "Mixtral", "Yi", "Yi-1.5", "Gemma"),
    ("Gemma-2", "Falcon", "Phi", "Pythia", "BLOOM", "GPT-Neo/J", "OPT", "MPT", "XGLM", "CodeLlama", "StarCoder"),
    ("StarCoder2", "DeepSeek-Coder", "Jamba"),
)
TESTED_WITHOUT_COMPUTE = {"leaderboard_v2": ("Qwen/Qwen1.5-110B", "ai21labs/Jamba-v0.1"), "emergent_capability": ()}


def main() -> None:
    """Measure the sets and laws that are named, or the default and the baseline on both sets."""
    folder = Path(sys.argv[1])
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    usual = [f"{name}.{law}" for name in SETS for law in ("family_benchmark", "separate")]
    for asked in sys.argv[2:] or usual:
        name, law = asked.split(".")
        kept[asked] = measure(chosen_law(law, name), *read(folder, name))
        print(asked, kept[asked], flush=True)
        RESULT.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def chosen_law(law: str, name: str) -> str | bs.skills.SkillLaw:
    """Return a law by name; ``second`` has a second skill of HumanEval, MMLU and the tasks."""
    if law != "second":
        return bs.skills.SKILL_LAWS[law]
    return bs.skills.with_second_skill("family_benchmark", ["HumanEval", "MMLU", *SETS[name]])


def read(folder: Path, name: str) -> tuple[bs.skills.ScoreTable, dict[str, Task]]:
    """Return benchmarks and tasks of the models of the paper; GSM8K is left out, as the paper has it."""
    tasks = SETS[name]
    base = pd.read_csv(folder / "base_llm_benchmark_eval.csv").drop(columns="GSM8K")
    base = base[base["Model Family"].isin(sum(FAMILIES, ()))]
    scores = pd.read_csv(folder / f"base_llm_{name}_eval.csv")[["Model", *tasks]]
    frame = base.merge(scores, on="Model", how="left")
    untested = frame[FLOPS].isna() & ~frame["Model"].isin(TESTED_WITHOUT_COMPUTE[name])
    frame.loc[untested, list(tasks)] = np.nan
    return bs.skills.read_scores(frame, chance={task: facts.chance for task, facts in tasks.items()}), tasks


def measure(law: bs.skills.SkillLaw, table: bs.skills.ScoreTable, tasks: dict[str, Task]) -> dict[str, object]:
    """Return error and coverage of each task, and of all."""
    compute = table.models["C"].to_numpy(dtype=float) / 1e21
    held = np.zeros_like(table.scores, dtype=bool)
    for task, facts in tasks.items():
        held[:, table.names.index(task)] = ~(compute <= facts.cutoff * 1.001)
    held &= np.isfinite(table.scores)
    settings = dataclasses.replace(REFIT, random_seed=1)
    scored = forecast_fold(law, table, ScoreFold(held, "tasks of strong models"), settings, cache=False)
    cells = pd.DataFrame(scored["cells"], columns=["run", "response"])
    cells = cells.assign(score=table.scores[cells["run"], cells["response"]])
    cells = cells.assign(**{name: scored[name] for name in ("lower", "median", "upper")})
    cells["held"] = cells["score"].between(cells["lower"], cells["upper"])
    found: dict[str, object] = {"cells": len(cells), "coverage_90": round(float(cells["held"].mean()), 3)}
    found["failures"] = list(scored["failures"])
    for task, facts in tasks.items():
        own = cells[cells["response"] == table.names.index(task)]
        error = (own["score"] - own["median"]) / (1 - facts.chance)
        found[task] = {
            "mse": float(f"{(error**2).mean():.2e}"),
            "printed": facts.printed,
            "mean_error": round(float(error.mean()), 3),
            "coverage_90": round(float(own["held"].mean()), 3),
            "width": round(float((own["upper"] - own["lower"]).mean()), 3),
        }
    return found


if __name__ == "__main__":
    main()
