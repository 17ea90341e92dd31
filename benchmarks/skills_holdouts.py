"""Later models forecast from earlier ones, and eleven models of another paper: laws of skill beside the plain baseline.

``python benchmarks/skills_holdouts.py [SCHEME ...]`` writes ``skills_holdouts.json``. It needs the scores of ``sloth``
and ``llm-skills`` (``bayescale data get``, or ``BAYESCALE_MIRROR``). Schemes:

- ``dates``: base and instructed models with dates, those since June 2024 forecast from those before (sloth);
- ``eleven``: the eleven models that arXiv:2512.06553 holds out, whose families are known by other models, while every
  model tuned from one of them is left out. Printed mean absolute errors: 0.071 (their best), 0.059 (Sloth
  of three skills), 0.048 (an intercept of each family and log FLOP, each benchmark alone). Aim: at most 0.060, and 90%
  intervals that hold 80 to 97%.
"""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.skills.comparison import REFIT, forecast_fold
from bayescale.skills.folds import ScoreFold, score_folds, table_by

RESULT = Path(__file__).with_suffix(".json")
LAWS = ("family_benchmark", "separate")
SINCE = "2024-06-01"
ELEVEN = (
    (
        "meta-llama-3-70b",
        "meta-llama-3-70b-instruct",
        "qwen2-72b",
        "qwen2-72b-instruct",
        "yi-1.5-34b",
        "yi-1.5-34b-chat",
    ),
    ("olmo-7b", "smollm-1.7b", "smollm-1.7b-instruct", "gemma-2-9b", "gemma-2-9b-it"),
)
TUNED_FROM = "llama-3-70b|qwen2-72b|yi-1.5-34b|olmo-7b|smollm-1.7b|gemma-2-9b"
"""What a model tuned from one of them has in its name."""


def joined() -> bs.skills.ScoreTable:
    """Return the two leaderboards of llm-skills as one table."""
    parts = [bs.skills.load_scores(name) for name in ("llm-skills-v1", "llm-skills-v2")]
    frames = [part.models.assign(**dict(zip(part.names, part.scores.T, strict=True))) for part in parts]
    both = frames[0].set_index("run").combine_first(frames[1].set_index("run")).reset_index()
    chance = {row["response"]: row["chance"] for part in parts for row in part.responses.to_dict("records")}
    return bs.skills.read_scores(both.drop(columns=["quality", "date"]), name="llm-skills", chance=chance)


def eleven() -> tuple[bs.skills.ScoreTable, ScoreFold]:
    """Return the table without models tuned from the eleven, and what is held out."""
    table = joined()
    names = table.models["run"]
    held = names.isin(sum(ELEVEN, ()))
    tuned = names.str.contains(TUNED_FROM) & ~held
    table = table.only(~tuned.to_numpy(), f"{int(tuned.sum())} models tuned from those held out are left out")
    held = table.models["run"].isin(sum(ELEVEN, ())).to_numpy()
    return table, ScoreFold(held[:, None] & np.isfinite(table.scores), "eleven models")


def dates() -> tuple[bs.skills.ScoreTable, ScoreFold]:
    """Return the models with dates, and those that were released since."""
    table = table_by(bs.skills.load_scores("sloth"), "date")
    (fold,) = score_folds(table, "date", folds=None, cutoff=SINCE, target=None, random_seed=0)
    return table, fold


SCHEMES = {"dates": dates, "eleven": eleven}


def measure(law: str, table: bs.skills.ScoreTable, fold: ScoreFold) -> dict[str, object]:
    """Return error and coverage, together and by response."""
    settings = dataclasses.replace(REFIT, random_seed=1)
    found = forecast_fold(bs.skills.SKILL_LAWS[law], table, fold, settings, cache=False)
    run, response = np.array(found["cells"]).T
    cells = pd.DataFrame({name: found[name] for name in ("lower", "median", "upper")})
    cells = cells.assign(response=np.array(table.names)[response], score=table.scores[run, response])
    cells["held"] = cells["score"].between(cells["lower"], cells["upper"])
    cells["error"] = (cells["score"] - cells["median"]).abs()
    by_response = cells.groupby("response")[["error", "held"]].mean().round(3)
    return {
        "models": len(np.unique(run)),
        "cells": len(cells),
        "elpd": round(float(sum(found["elpd"])), 1),
        "coverage_90": round(float(cells["held"].mean()), 3),
        "mean_error": round(float(cells["error"].mean()), 4),
        "width": round(float((cells["upper"] - cells["lower"]).mean()), 3),
        "failures": found["failures"],
        "responses": {str(name): row.to_dict() for name, row in by_response.iterrows()},
    }


def main() -> None:
    """Measure the schemes that are named, or all."""
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for scheme in sys.argv[1:] or SCHEMES:
        table, fold = SCHEMES[scheme]()
        for law in LAWS:
            kept.setdefault(scheme, {})[law] = measure(law, table, fold)
            print(scheme, law, kept[scheme][law], flush=True)
            RESULT.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
