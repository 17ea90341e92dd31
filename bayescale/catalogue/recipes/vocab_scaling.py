"""Vocabulary sizes (Tao et al. 2024): how far each model is below a unigram model, along training."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.catalogue.recipes.base import Extract


def tokens_per_character(vocabulary: "pd.Series[float]") -> "pd.Series[float]":
    """Return the authors' compression, ``0.00639222 ln^2 V - 0.15811069 ln V + 1.20470122``."""
    log = np.log(vocabulary)
    return 0.00639222 * log**2 - 0.15811069 * log + 1.20470122


def extract(files: Mapping[str, Path], _: str) -> Extract:
    """Return 20 checkpoints of each of 60 runs; the response is the gain ``-Lossu``, so that higher is better."""
    rows = pd.read_csv(files["exp_data.csv"])
    label = (
        rows["Non_vocab_parameters"].map("{:.0f}".format) + " parameters, V " + rows["vocab_size"].map("{:.0f}".format)
    )
    tokens = rows["num_characters"] * tokens_per_character(rows["vocab_size"])
    frame = pd.DataFrame(
        {
            "run": label + " at " + tokens.map("{:.4g}".format),
            "N": rows["Non_vocab_parameters"],
            "D": tokens,
            "C": rows["FLOPs"],
            "gain": -rows["Lossu"],
            "training_run": label,
            "vocabulary": rows["vocab_size"],
            "width": rows["embed_dim"],
            "characters": rows["num_characters"],
            "is_final": (tokens == tokens.groupby(label).transform("max")).astype(int),
        }
    )
    return Extract(
        frame, (f"{len(frame)} checkpoints of {label.nunique()} runs; is_final == 1 marks the last of each",)
    )
