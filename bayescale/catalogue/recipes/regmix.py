"""Mixtures of 17 domains of the Pile (Liu et al. 2024): the loss on Pile-CC at three scales."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract

PARTS = {"train_1m": (1e6, 1e9), "test_1m": (1e6, 1e9), "test_60m": (60e6, 1e9), "test_1B": (1e9, 25e9)}
"""Parameters and tokens of each part: the sizes as named by the files, the tokens from the paper."""


def extract(files: Mapping[str, Path], _: str) -> Extract:
    """Return one row per trained mixture; its 17 shares are columns ``share_...``."""
    return Extract(pd.concat([_part(files, part) for part in PARTS], ignore_index=True))


def _part(files: Mapping[str, Path], part: str) -> pd.DataFrame:
    split, _, scale = part.partition("_")
    shares = pd.read_csv(files[f"{split}_mixture_{scale}.csv"]).set_index("index")
    losses = pd.read_csv(files[f"{split}_pile_loss_{scale}.csv"]).set_index("index").loc[shares.index]
    N, D = PARTS[part]
    facts = pd.DataFrame(
        {
            "run": [f"{scale} {split} mixture {number}" for number in shares.index],
            "N": N,
            "D": D,
            "loss": losses["metric/the_pile_pile_cc_val_loss"].to_numpy(),
        }
    )
    named = shares.rename(columns=lambda header: header.replace("train_the_pile_", "share_"))
    return pd.concat([facts, named.reset_index(drop=True)], axis=1)
