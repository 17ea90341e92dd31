"""Leaderboard scores of public models with their dates (Maia Polo et al. 2024, Sloth): errors, never losses."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out

INSTRUCTED = " (instructed)"
"""Behind the name of a family, for its instructed models: upstream gives them and the base models one name."""


def families(models: pd.DataFrame) -> "pd.Series[str]":
    """Return the family of each model; instructed models are of a family of their own."""
    return models["Family"] + models["Instruct"].map({True: INSTRUCTED, False: ""})


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the error of each model on one benchmark, ``1 - score``; the table has one file."""
    (path,) = files.values()
    models = pd.read_csv(path, index_col=0)
    frame = pd.DataFrame(
        {
            "run": models["Model"],
            "N": 1e9 * models["#Params (B)"],
            "D": 1e12 * models["Pretraining Data Size (T)"],
            "C": 1e21 * models["FLOPs (1E21)"],
            "error": 1.0 - models[variant],
            "family": families(models),
        }
    )
    without_tokens, without_score = frame["D"].isna(), frame["error"].isna()
    notes = (
        *left_out(int(without_tokens.sum()), "the number of training tokens is not published"),
        *left_out(int((without_score & ~without_tokens).sum()), f"no score on {variant}"),
    )
    return Extract(frame[~without_tokens & ~without_score].reset_index(drop=True), notes)
