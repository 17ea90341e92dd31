"""Figure 4 of Hoffmann et al. (2022), as Besiroglu et al. (2024) read it off the vector graphic."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract

EXCLUDED_BY_AUTHORS = 5  # the highest losses, which the replication leaves out of its fit


def extract(files: Mapping[str, Path], _: str) -> Extract:
    """Return the 245 points; the file has no tokens, so ``D = C / (6 N)``."""
    points = pd.read_csv(files["svg_extracted_data.csv"])
    frame = pd.DataFrame(
        {
            "run": [f"point {row:03d}" for row in range(len(points))],
            "N": points["Model Size"],
            "D": points["Training FLOP"] / (6.0 * points["Model Size"]),
            "C": points["Training FLOP"],
            "loss": points["loss"],
            "excluded_by_authors": (points["loss"].rank(ascending=False) <= EXCLUDED_BY_AUTHORS).astype(int),
        }
    )
    return Extract(frame, ("D is C / (6 N): the file gives no tokens",))
