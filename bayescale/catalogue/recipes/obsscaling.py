"""Benchmarks of public base models (Ruan, Maddison and Hashimoto 2024): errors, never losses."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out

TRILLIONS_TOO_LARGE = "cerebras/btlm-3b-8k-base"  # 627 in a column of trillions; the model was trained on 627 billion


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the error of each model on one benchmark, ``1 - accuracy``."""
    models = pd.read_csv(files["base_llm_benchmark_eval.csv"])
    tokens = 1e12 * models["Pretraining Data Size (T)"]
    slip = (models["Model"] == TRILLIONS_TOO_LARGE) & (tokens > 1e14)
    tokens = tokens.where(~slip, tokens / 1000.0)
    frame = pd.DataFrame(
        {
            "run": models["Model"],
            "N": 1e9 * models["Model Size (B)"],
            "D": tokens,
            "C": 6.0 * 1e9 * models["Model Size (B)"] * tokens,
            "error": 1.0 - models[variant],
            "family": models["Model Family"],
        }
    )
    without_tokens, without_score = frame["D"].isna(), frame["error"].isna()
    notes = (
        *left_out(int(without_tokens.sum()), "the number of training tokens is not published"),
        *left_out(int((without_score & ~without_tokens).sum()), f"no score on {variant}"),
        *([f"{TRILLIONS_TOO_LARGE}: 627T tokens upstream, corrected to 0.627T"] if slip.any() else []),
    )
    return Extract(frame[~without_tokens & ~without_score].reset_index(drop=True), notes)
