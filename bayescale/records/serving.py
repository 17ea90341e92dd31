"""What serving and an end of the data change, as plain data."""

from typing import Any

import numpy as np
import xarray as xr

from bayescale.decisions.serving import DataLimit, Serving
from bayescale.intervals import credible_interval
from bayescale.splits.frontier import CLOSE


def serving_record(found: Serving) -> dict[str, Any]:
    """Return plain data, one entry per budget and demand."""
    return {
        "probability": found.probability,
        "weights": dict(found.weights),
        "budgets": [_serving_record(found, i) for i in range(found.draws.sizes["budget"])],
        "notes": list(found.notes),
        "doubts": list(found.doubts),
    }


def _serving_record(found: Serving, budget: int) -> dict[str, Any]:
    draws = found.draws.isel(budget=budget)
    training = {"N": draws["training_N"], "D": draws["training_D"], "loss": draws["loss"]}
    return {
        "flops": float(draws["flops"]),
        "training_only": {name: _interval(values, found.probability) for name, values in training.items()},
        "demands": [_demand_record(draws.isel(demand=k), found.probability) for k in range(draws.sizes["demand"])],
    }


def _demand_record(draws: xr.Dataset, probability: float) -> dict[str, Any]:
    N, D, first_N, first_D = (draws[name] for name in ("N", "D", "training_N", "training_D"))
    quantities = {
        "N": N,
        "D": D,
        "tokens_per_parameter": D / N,
        "N_ratio": N / first_N,
        "D_ratio": D / first_D,
        "total_flops": draws["total_flops"],
        "saved": draws["saved"],
    }
    served = float(draws["served_tokens"])
    return {
        "served_tokens": served,
        "multiple": served / float(first_D.median()),
        **{name: _interval(values, probability) for name, values in quantities.items()},
        "smaller": _chance(N / first_N < 1, N),
        "more_tokens": _chance(D / first_D > 1, D),
        "below_training_only": _chance(N / first_N.median() < 1, N),
    }


def _interval(values: xr.DataArray, probability: float) -> dict[str, float] | None:
    known = values.to_numpy()[np.isfinite(values.to_numpy())]
    return credible_interval(known, probability).record() if known.size else None


def _chance(holds: xr.DataArray, values: xr.DataArray) -> float:
    """Return the part of the draws in which something holds, among those that have a value."""
    return float(holds.where(values.notnull()).mean())


def data_limit_record(found: DataLimit) -> dict[str, Any]:
    """Return plain data, one entry per budget."""
    return {
        "unique_tokens": found.unique_tokens,
        "repetition": found.repetition,
        "probability": found.probability,
        "weights": dict(found.weights),
        "begins": _interval(found.draws["begins"], found.probability),
        "budgets": [_limits_record(found, i) for i in range(found.draws.sizes["budget"])],
        "notes": list(found.notes),
        "doubts": list(found.doubts),
    }


def _limits_record(found: DataLimit, budget: int) -> dict[str, Any]:
    draws = found.draws.isel(budget=budget)
    free = draws.sel(case="free")
    cases = [str(name) for name in draws["case"].to_numpy()]
    return {
        "flops": float(draws["flops"]),
        "binds": _chance(free["D"] > found.unique_tokens * (1 + CLOSE), free["D"]),
        **{case: _case_record(found, draws.sel(case=case), free) for case in cases},
    }


def _case_record(found: DataLimit, draws: xr.Dataset, free: xr.Dataset) -> dict[str, Any]:
    quantities = {
        "N": draws["N"],
        "D": draws["D"],
        "tokens_per_parameter": draws["D"] / draws["N"],
        "loss": draws["loss"],
    }
    if str(draws["case"].to_numpy()) != "free":
        quantities |= {
            "epochs": draws["D"] / found.unique_tokens,
            "N_ratio": draws["N"] / free["N"],
            "loss_excess": draws["loss"] - free["loss"],
        }
    record: dict[str, Any] = {name: _interval(values, found.probability) for name, values in quantities.items()}
    if str(draws["case"].to_numpy()) != "free":
        record["larger"] = _chance(draws["N"] > free["N"] * (1 + CLOSE), free["N"])
    return record
