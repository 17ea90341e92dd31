"""Repeated data (Muennighoff et al. 2023): the last validation loss of each run whose log ColPret collected."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out

SIZES = {"2.8B": 2.81e9, "4.2B": 4.2465e9, "8.7B": 8.67e9}
"""As the authors' notebook counts them."""


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the last evaluations on ``c4`` or ``oscar``; the column ``flops`` falls with tokens and is not used."""
    log = pd.read_csv(files["colpret_datablations_losses.csv"])
    log = log[log["data"] == variant].sort_values(["num_params", "epochs", "token_num"])
    last = log.groupby(["num_params", "epochs"]).tail(1)
    same = last.duplicated(["num_params", "loss"], keep=False)
    rows = last[~same].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "run": rows["num_params"] + " " + variant + " " + rows["epochs"].astype(str) + " epochs",
            "N": rows["num_params"].map(SIZES),
            "D": rows["token_num"].astype(float),
            "loss": rows["loss"],
            "unique_tokens": rows["tokens_per_epoch"],
            "epochs": rows["epochs"],
        }
    )
    copied = "two runs with different repetition have the same log, so one is a copy, and nobody can tell which"
    return Extract(
        frame,
        (
            *left_out(len(log) - len(last), "evaluations before the end of a run, in mid-schedule"),
            *left_out(int(same.sum()), copied),
            "C is 6 N D: the file's flops fall with the number of tokens and are not used",
        ),
    )
