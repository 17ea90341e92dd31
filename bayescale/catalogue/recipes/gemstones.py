"""A crossed grid of widths and depths, logged along training (McLeish et al. 2025)."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the checkpoints of one phase; the table has one file."""
    (path,) = files.values()
    rows = pd.read_json(path, lines=True).astype({"params_active_precise": float, "tokens": float})
    model = rows["run_name"].str.removesuffix("_pretrain")
    frame = pd.DataFrame(
        {
            "run": model + " at " + rows["tokens"].map("{:.0f}".format),
            "N": rows["params_active_precise"],
            "D": rows["tokens"],
            "loss": rows["final_loss"],
            "training_run": model,
            "width": rows["width"],
            "depth": rows["depth"],
            "steps": rows["step"],
            "phase": variant,
        }
    )
    runs = model.nunique()
    return Extract(frame, (f"{len(frame)} checkpoints of {runs} runs, marked by training_run",))
