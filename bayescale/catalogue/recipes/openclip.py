"""Zero-shot ImageNet error of contrastive image-text models (Cherti et al. 2022)."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out

SAMPLES = {"CLIP-WIT": 400e6, "LAION-80M": 80e6, "LAION-400M": 407e6, "LAION-2B": 2.3e9}
"""Image-text pairs of each training set; the published names round them."""


def extract(files: Mapping[str, Path], _: str) -> Extract:
    """Return one row per trained model; ``D`` counts samples seen, as no tokens are given."""
    results = pd.read_csv(files["zeroshot_results.csv"])
    rows = results[results["downstream_dataset"] == "imagenet1k"].reset_index(drop=True)
    sizes = pd.read_csv(files["arch_info.csv"]).set_index("model")["mparams"]
    unique = rows["upstream_dataset"].map(SAMPLES)
    frame = pd.DataFrame(
        {
            "run": rows["arch"] + " " + rows["upstream_dataset"] + " " + rows["samples_seen_pretty"],
            "N": 1e6 * rows["arch"].map(sizes),
            "D": rows["samples_seen"],
            "error": 1.0 - rows["acc1"],
            "unique_tokens": unique,
            "epochs": rows["samples_seen"] / unique,
            "family": rows["arch"],
            "training_data": rows["upstream_dataset"],
            "gmacs_total": rows["gmacs_total"],
        }
    )
    return Extract(frame, left_out(len(results) - len(rows), "scores on other data sets than ImageNet-1k"))
