"""Leaderboard scores of public models, base and instructed (Maia Polo et al. 2024): errors, never losses."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out

GUESSING = {"ifeval": 0.0, "bbh": 0.29, "math": 0.0, "mmlu-pro": 0.1, "gpqa": 0.25, "musr": 0.36}
"""Mean score of guessing on each benchmark of the second leaderboard."""

NEVER_NORMALISED = 0.2
"""Scores on GPQA of at least this are parts of questions: over chance none here is so high, as such none so low."""


def as_parts(models: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put scores over those of guessing back to parts of questions: the second leaderboard's file mixes both.

    Parameters
    ----------
    models : pandas.DataFrame
        One row for each model, a column for each benchmark, as upstream has them.

    Returns
    -------
    models : pandas.DataFrame
        The same with scores on one scale.
    notes : tuple of str
        How many models were put back; empty for files that have no scores over chance.
    """
    if not set(GUESSING) <= set(models):
        return models, ()
    over = models["gpqa"] < NEVER_NORMALISED
    parts = {name: models[name].where(~over, chance + (1 - chance) * models[name]) for name, chance in GUESSING.items()}
    note = (
        f"of {int(over.sum())} models the scores are over those of guessing upstream, of the others they are not: put "
        "back to parts of questions, by the mean score of guessing where tasks differ in it"
    )
    return models.assign(**parts), (note,) if over.any() else ()


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the error of each model on one benchmark, ``1 - score``; the table has one file."""
    (path,) = files.values()
    models = pd.read_csv(path, index_col=0)
    again = models["model"].duplicated()
    models, notes = as_parts(models[~again].reset_index(drop=True))
    frame = pd.DataFrame(
        {
            "run": models["model"],
            "N": 1e9 * models["size"],
            "D": 1e12 * models["tokens"],
            "C": 1e21 * models["flops"],
            "error": 1.0 - models[variant],
            "family": models["family"],
        }
    )
    return Extract(frame, (*left_out(int(again.sum()), "the model stands in the file a second time"), *notes))
