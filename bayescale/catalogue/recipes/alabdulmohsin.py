"""Learning curves in vision and language (Alabdulmohsin, Neyshabur and Zhai 2022): laws of data alone."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out

SEPARATE_RUNS = "NMT"  # each data size was trained on its own; the other domains follow one training


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the curves of one task, ``DOMAIN TASK``: one per model, marked by ``family``; the table has one file."""
    (path,) = files.values()
    rows = pd.read_csv(path)
    domain, _, task = variant.partition(" ")
    rows = rows[(rows["Domain"] == domain) & (rows["Task"] == task)]
    again = rows.duplicated()
    rows = rows[~again].reset_index(drop=True)
    response = "error" if domain in ("IC", "BB") else "loss"
    frame = pd.DataFrame(
        {
            "run": rows["Model"] + " at " + rows["Seen Examples"].map("{:.0f}".format),
            "D": rows["Seen Examples"],
            response: rows["Loss"],
            "family": rows["Model"],
            "is_train_split": rows["Training"],
        }
    )
    if domain != SEPARATE_RUNS:
        frame["training_run"] = rows["Model"]
    return Extract(frame, left_out(int(again.sum()), "the same row stands in the file before"))
