"""Routed language models at one data size (Clark et al. 2022): a law of active parameters and experts."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the final evaluation of each setting of one router, and of the dense models, which have one expert.

    Kept is what the authors' notebook fits: routing in every second layer, one expert per token, seed 42.
    """
    curves = pd.read_csv(files["curves.csv.gz"])
    last = curves.sort_values("step").groupby("hyper_id").tail(1).sort_values("hyper_id")
    last = last[last["router_type"].isin([variant, "Dense"])]
    kept = (last["routing_frequency"] == 0.5) & (last["k"] == 1) & (last["seed"] == 42)
    rows = last[kept].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "run": "setting " + rows["hyper_id"].astype(str),
            "N": rows["total_parameter_count"],
            "active_N": rows["dense_parameter_count"],
            "experts": rows["num_experts"],
            "loss": rows["loss_validation"],
            "steps": rows["step"],
            "width": rows["d_model"],
            "depth": rows["num_blocks"],
            "router": rows["router_type"],
            "flops_per_step": rows["flops_per_step"],
        }
    )
    other = left_out(int((~kept).sum()), "other routing frequency, experts per token or seed than the authors fit")
    earlier = left_out(len(curves) - curves["hyper_id"].nunique(), "earlier evaluations of a run, of all routers")
    return Extract(frame, (*earlier, *other))
