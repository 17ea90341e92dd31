"""Leaderboard scores of public models, base and instructed (Maia Polo et al. 2024): errors, never losses."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the error of each model on one benchmark, ``1 - score``; the table has one file."""
    (path,) = files.values()
    models = pd.read_csv(path, index_col=0)
    again = models["model"].duplicated()
    models = models[~again].reset_index(drop=True)
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
    return Extract(frame, left_out(int(again.sum()), "the model stands in the file a second time"))
