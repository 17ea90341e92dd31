"""Validation perplexity of the OPT models along training (Zhang et al. 2022), as ColPret collected it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.catalogue.recipes.base import Extract

SCALES = {"m": 1e6, "b": 1e9}


def extract(files: Mapping[str, Path], _: str) -> Extract:
    """Return the log of the perplexity at each checkpoint; the file gives tokens and FLOP as powers of ten."""
    rows = pd.read_csv(files["opt_trajectories.csv"])
    label = "opt-" + rows["model_size"]
    frame = pd.DataFrame(
        {
            "run": label + " step " + rows["steps"].astype(str),
            "N": [float(size[:-1]) * SCALES[size[-1]] for size in rows["model_size"]],
            "D": 10.0 ** rows["num_token"],
            "C": 10.0 ** rows["flops"],
            "loss": np.log(rows["ppl"]),
            "training_run": label,
            "steps": rows["steps"],
        }
    )
    return Extract(frame, (f"{len(frame)} checkpoints of {label.nunique()} runs, most of them in mid-schedule",))
