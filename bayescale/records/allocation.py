"""An allocation as plain data, for JSON and reports."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayescale.decisions.allocation import Allocation
from bayescale.intervals import credible_interval
from bayescale.laws.measured import cost_record
from bayescale.words import short


def allocation_record(allocation: Allocation) -> dict[str, Any]:
    """Return an allocation as plain data, one entry per budget.

    ``loss`` forecasts one run at the best split, noise of single runs included; ``law_loss`` is the law's own.
    """
    return {
        "probability": allocation.probability,
        "constraints": allocation.constraints.record(),
        "weights": dict(allocation.weights),
        "cost": cost_record(allocation.cost, allocation.runs),
        "averaged": allocation.averaged,
        "allocations": [_budget_record(allocation, i) for i in range(allocation.optima.sizes["budget"])],
        "data_limit": _exhausted_record(allocation),
        "notes": list(allocation.notes),
        "doubts": list(allocation.doubts),
    }


def limit_texts(constraints: Mapping[str, Any], digits: int) -> Iterator[str]:
    """Give each limit of a record of constraints in words, with so many significant digits."""
    for name, value in constraints.items():
        if isinstance(value, Mapping):
            yield from limit_texts(value, digits)
        else:
            values = value if isinstance(value, list | tuple) else [value]
            yield f"{name.replace('_', ' ')} {', '.join(short(each, digits) for each in values)}"


def _budget_record(allocation: Allocation, budget: int) -> dict[str, Any]:
    optima = allocation.optima.isel(budget=budget)
    best = allocation.recommended.isel(budget=budget)
    quantities = {
        "N": "N",
        "D": "D",
        "tokens_per_parameter": "tokens_per_parameter",
        "loss": "forecast",
        "law_loss": "loss",
        **({"epochs": "epochs"} if "epochs" in optima else {}),
    }
    intervals = {name: _interval(optima[variable], allocation) for name, variable in quantities.items()}
    fields = ("N", "D", "expected_loss", "expected_regret", "flops_used")
    return {
        "flops": float(best["flops"]),
        **intervals,
        "recommended": {
            **{name: float(best[name]) for name in fields},
            "regret_95": float(best["high_regret"]),
            **{name: float(best[variable]) for name, variable in EXTRA_FIELDS.items()},
            "covariates": _columns_record(allocation, budget, int(best["option"])),
        },
        "near_optimal": _near_record(allocation, best),
        "spread": {
            "ln_N_sd": float(np.sqrt(best["spread"])),
            "laws": float(best["spread_by_law"]),
            "parameters": float(1 - best["spread_by_law"]) if best["spread"] > 0 else 0.0,
        },
        "candidates": _rows(allocation.regret.isel(budget=budget), "size", CANDIDATE_FIELDS),
        "binding": _rows(allocation.binding.isel(budget=budget), "limit", BINDING_FIELDS),
        "options": _options_record(allocation, budget),
        "sizes": _ladder_record(allocation, budget),
        "serving": _serving_record(allocation, budget),
        "target": _target_record(allocation, budget),
        "extrapolation": float(best["extrapolation"]),
    }


def near_optimal(allocation: Allocation, budget: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the sizes that cost little extra compute, and what the recommended one costs, as they are recorded."""
    best = allocation.recommended.isel(budget=budget)
    own = {"N": float(best["N"])}
    own |= {name: float(best[variable]) for name, variable in EXTRA_FIELDS.items()}
    return _near_record(allocation, best), own


def _near_record(allocation: Allocation, best: xr.Dataset) -> dict[str, Any]:
    """Return the sizes that cost little with the probability; None where no size does."""
    ends = [float(best["near_low"]), float(best["near_high"])]
    return {
        "tolerance": allocation.tolerance,
        "probability": allocation.probability,
        "N": ends if np.isfinite(ends).all() else None,
    }


EXTRA_FIELDS = {"extra_compute": "extra_compute", "extra_compute_95": "high_extra_compute"}
CANDIDATE_FIELDS = {
    "N": "N",
    "D": "D",
    "expected_regret": "expected_regret",
    "regret_95": "high_regret",
    **EXTRA_FIELDS,
}
BINDING_FIELDS = {"limit": "limit", "probability": "probability", "recommended": "recommended"}
LADDER_FIELDS = {
    "N": "size",
    "probability": "probability",
    **{name: CANDIDATE_FIELDS[name] for name in ("D", "expected_regret", "regret_95", *EXTRA_FIELDS)},
}
OPTION_FIELDS = {name: name for name in ("N", "expected_loss", "expected_regret", "extra_compute", "probability")}


def _interval(draws: xr.DataArray | np.ndarray, allocation: Allocation) -> dict[str, float]:
    return credible_interval(np.asarray(draws), allocation.probability).record()


def _rows(table: xr.Dataset, dim: str, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a table as one entry for each of its rows; what does not exist is None."""
    columns = {name: table[variable].to_numpy().tolist() for name, variable in fields.items()}
    return [{name: _known(values[i]) for name, values in columns.items()} for i in range(table.sizes[dim])]


def _known(value: Any) -> Any:  # noqa: ANN401  (any plain data)
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _columns_record(allocation: Allocation, budget: int, option: int) -> dict[str, float]:
    """Return the further columns of an option."""
    del budget
    table = allocation.options
    return {str(name): float(table[name][option]) for name in table.coords if table[name].dims == ("option",)}


def _options_record(allocation: Allocation, budget: int) -> list[dict[str, Any]]:
    table = allocation.options.isel(budget=budget)
    if table.sizes["option"] == 1:
        return []
    rows = _rows(table, "option", OPTION_FIELDS)
    return [{"covariates": _columns_record(allocation, budget, k), **row} for k, row in enumerate(rows)]


def _ladder_record(allocation: Allocation, budget: int) -> list[dict[str, Any]] | None:
    if allocation.ladder is None:
        return None
    return _rows(allocation.ladder.isel(budget=budget), "size", LADDER_FIELDS)


def _serving_record(allocation: Allocation, budget: int) -> dict[str, Any] | None:
    """Return what the best run saves against the model that is cheapest to train to the same loss."""
    if allocation.serving is None:
        return None
    serving = allocation.serving.isel(budget=budget).dropna("serving_draw")
    if not serving.sizes["serving_draw"]:
        return None
    return {
        "inference_tokens": allocation.constraints.inference_tokens,
        "saved": _interval(serving["saved"], allocation),
        "training_only": {name: _interval(serving[name], allocation) for name in ("N", "D")},
    }


def _target_record(allocation: Allocation, budget: int) -> dict[str, Any] | None:
    """Return the cheapest run that reaches a loss; an end of its compute beyond which draws never reach it is None."""
    if allocation.targets is None:
        return None
    target = allocation.targets.isel(budget=budget)
    reached = target[["N", "D"]].dropna("draw")
    flops = target["flops"].to_numpy()
    tail = (1 - allocation.probability) / 2
    ends = {"median": 0.5, "lower": tail, "upper": 1 - tail}
    assured = {name: _known(float(target[f"assured_{name}"])) for name in ("N", "D", "flops")}
    return {
        "loss": float(target["target_loss"]),
        "probability": float(target["probability"]),
        "never": int(np.isinf(flops).sum()),
        "draws": int(flops.size),
        "flops": {name: _known(float(np.quantile(flops, part, method="higher"))) for name, part in ends.items()},
        "N": _interval(reached["N"], allocation),
        "D": _interval(reached["D"], allocation),
        "law_reaches": float(target["law_reaches"]),
        "run_reaches": float(target["run_reaches"]),
        "assured": None if assured["flops"] is None else {"probability": allocation.probability, **assured},
    }


def _exhausted_record(allocation: Allocation) -> dict[str, Any] | None:
    """Return the budget from which on all tokens are used, and how many draws have one."""
    if allocation.exhausted is None:
        return None
    flops = allocation.exhausted["flops"].to_numpy()
    known = flops[np.isfinite(flops)]
    return {
        "tokens": float(allocation.exhausted.attrs["tokens"]),
        "repeated": bool(allocation.exhausted.attrs["repeated"]),
        "probability": known.size / flops.size,
        "flops": _interval(known, allocation) if known.size else None,
    }
