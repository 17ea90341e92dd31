"""Grids of learning rate and batch size, dense and mixture of experts (Li et al. 2025, Step Law)."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out

SEQUENCE = 2048  # tokens


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return every setting (``dense``, ``moe``), or the best of each size and data (``dense-best``, ``moe-best``)."""
    kind, _, best = variant.partition("-")
    rows = pd.read_csv(files[f"{kind}_lr_bs_loss.csv"])
    frame = _dense(rows) if kind == "dense" else _moe(rows)
    if not best:
        return Extract(frame)
    cells = ["N", "D", *(["active_N"] if kind == "moe" else [])]
    kept = frame.loc[frame.groupby(cells)["loss"].idxmin()].sort_index().reset_index(drop=True)
    reason = "another learning rate or batch size reached a lower loss at the same size and data"
    return Extract(kept, left_out(len(frame) - len(kept), reason))


def _dense(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": rows["exp_name"],
            "N": rows["N"].astype(float),
            "D": rows["D"].astype(float),
            "C": 6.0 * rows["N"].astype(float) * rows["D"],
            "loss": rows["smooth loss"],
            "width": rows["h"],
            "depth": rows["numl"],
            "steps": rows["ti"],
            "batch": SEQUENCE * rows["bs"],
            "learning_rate": rows["lr"],
            "last_loss": rows["loss"],
        }
    )


def _moe(rows: pd.DataFrame) -> pd.DataFrame:
    active = rows["Na"].astype(float)
    frame = _dense(rows).assign(C=6.0 * active * rows["D"], active_N=active, experts=rows["nume"])
    return frame.assign(
        top_k=rows["topk"], expert_width=rows["moeh"], dense_width=rows["ffnh"], shared_expert_width=rows["sed"]
    )
