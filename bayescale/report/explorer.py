"""What the page's explorer works with: the draws of each law that has a best split, and its formula in JavaScript."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from bayescale.comparison.comparison import Comparison
from bayescale.decisions.allocation import Allocation
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import MeasuredCost, TokenCost
from bayescale.report.twins import javascript
from bayescale.runs.costs import FADE, POWERS
from bayescale.splits.best_sizes import paths_of
from bayescale.splits.constraints import Constraints
from bayescale.splits.optimum import has_optimum
from bayescale.splits.paths import KNOTS, Paths

SCRIPT = Path(__file__).parent / "explorer.js"
PAGE_SCRIPT = Path(__file__).parent / "page.js"

BEYOND = 100.0
"""How far beyond the largest run the slider of the budget goes; a larger budget can be typed."""

STEP = 0.02
"""Of that slider, in powers of ten: 5%."""

ARGUMENTS = "N, D, C, ln_N, ln_D, ln_C, p, i"
"""Of a law's formula in the page: covariates over their reference values, their logs, parameters and the draw."""

SERVED, UNIQUE = (8.9, 15.0), (9.0, 14.5)
"""Ends of the sliders for tokens to serve, where the lowest is none, and unique ones, where the highest is no end."""

GRID_DRAWS, GRID_POINTS = 100, 40
"""Of a law without a formula in JavaScript."""

GRID_SIZES, GRID_TOKENS = (1e5, 1e14), (1e6, 1e17)


TINY = 1e-9
"""Paths are written in steps of at least this over 32767."""


def explorer_data(comparison: Comparison, allocation: Allocation) -> dict[str, Any]:
    """Return what the explorer computes with: plain data, draws as base64 of 32-bit floats.

    Parameters
    ----------
    comparison : Comparison
        The fits; those of laws with a best split are explored.
    allocation : Allocation
        For its budgets, weights, probability and tolerance.

    Returns
    -------
    dict
        ``laws``, ``formulas`` (JavaScript, by the laws' ``twin``), ``budget`` (powers of ten), ``largest`` (FLOP),
        ``probability``, ``tolerance``, whether laws are ``averaged``, and the ``cost`` of a token over 6 N.
    """
    budgets, C = allocation.recommended["flops"].to_numpy(), allocation.runs.frame["C"].to_numpy()
    fits = {name: fitted for name, fitted in _explored(comparison, allocation).items() if has_optimum(fitted, budgets)}
    formulas = [text for text in map(_formula, fits.values()) if text]
    return {
        "laws": [_law(name, fitted, formulas, allocation) for name, fitted in fits.items()],
        "formulas": formulas,
        "budget": _slider(float(budgets[0]), float(C.min()), max(float(C.max()) * BEYOND, float(budgets.max()))),
        "largest": float(C.max()),
        "probability": allocation.probability,
        "tolerance": allocation.tolerance,
        "averaged": len(allocation.weights) > 1,
        "cost": _cost(allocation.cost),
        **_needs(allocation.constraints),
    }


def _cost(cost: TokenCost) -> dict[str, Any] | None:
    """Return the smooth factor of the FLOP per token over 6 N; None where a token costs 6 N."""
    if not isinstance(cost, MeasuredCost) or cost.counted != DENSE:
        return None
    curve = cost.curve
    return {
        "coefficients": curve.coefficients[:POWERS].tolist(),
        "center": curve.center,
        "low": curve.low,
        "high": curve.high,
        "fade": FADE,
    }


def _needs(limits: Constraints) -> dict[str, Any]:
    """Return where the sliders of needs start: where the allocation's are, else at none and at no end."""
    served, unique = limits.inference_tokens, limits.unique_tokens
    others = set(limits.record()) - {"inference_tokens", "unique_tokens"}
    return {
        "served": _within(served, SERVED) if served else SERVED[0],
        "served_ends": SERVED,
        "unique": _within(unique, UNIQUE) if unique else UNIQUE[1],
        "unique_ends": UNIQUE,
        "left_out": sorted(name.replace("_", " ") for name in others),
    }


def _within(count: float, ends: tuple[float, float]) -> float:
    """Return a count as a power of ten, next to the ends at most: they stand for none and for no end."""
    return round(min(max(float(np.log10(count)), ends[0] + 0.1), ends[1] - 0.1), 3)


def _explored(comparison: Comparison, allocation: Allocation) -> dict[str, Fit]:
    """Return the fits, those of the allocation first and by their weight."""
    first = sorted(allocation.weights, key=lambda name: -allocation.weights[name])
    return {
        name: comparison.fits[name] for name in dict.fromkeys([*first, *comparison.fits]) if name in comparison.fits
    }


def _slider(start: float, least: float, most: float) -> dict[str, float]:
    """Return the ends and the start of a slider of powers of ten, so that the start is one of its steps."""
    power = round(float(np.log10(start)), 6)
    steps = [round((float(np.log10(end)) - power) / STEP) for end in (least, most)]
    low, high = (round(power + STEP * count, 6) for count in steps)
    return {"low": low, "high": high, "start": power, "step": STEP}


def _formula(fitted: Fit) -> str | None:
    return javascript(fitted.law) if set(fitted.law.covariates) <= {"N", "D", "C"} else None


def _law(name: str, fitted: Fit, formulas: list[str], allocation: Allocation) -> dict[str, Any]:
    formula = _formula(fitted)
    weight = float(allocation.weights.get(name, 0.0))
    told = {"name": name, "weight": weight, "remark": "" if weight else "not in the recommendation"}
    paths = paths_of(fitted, random_seed=allocation.random_seed)
    if formula is None:
        return told | _on_grid(fitted, paths)
    return told | {
        "paths": _path_data(paths),
        "twin": formulas.index(formula),
        "draws": int(fitted.draws["sigma"].size),
        "reference": {key: float(fitted.reference.get(key, 1.0)) for key in ("N", "D", "C")},
        "parameters": {parameter: _packed(fitted.draws[parameter]) for parameter in fitted.law.parameters},
        "grid": None,
    }


def _path_data(paths: Paths | None) -> dict[str, Any] | None:
    """Return what the law misses of ln N* at knots of ln FLOP, for each draw, as base64 of 16-bit integers.

    Each knot has a unit of its own: far from the runs paths are much wider than among them.
    """
    if paths is None:
        return None
    units = np.maximum(np.abs(paths.values).max(axis=0), TINY) / np.iinfo(np.int16).max
    values = np.round(paths.values / units).astype("<i2")
    return {
        "low": float(KNOTS[0]),
        "step": float(KNOTS[1] - KNOTS[0]),
        "count": KNOTS.size,
        "units": units.tolist(),
        "values": base64.b64encode(values.tobytes()).decode("ascii"),
    }


def _on_grid(fitted: Fit, paths: Paths | None) -> dict[str, Any]:
    """Return the log of a law on a grid of ln N and ln D under some of its draws."""
    picked = evenly_spaced(GRID_DRAWS, fitted.draws["sigma"].size)
    axes = [np.log(np.geomspace(low, high, GRID_POINTS)) for low, high in (GRID_SIZES, GRID_TOKENS)]
    N, D = (np.exp(axis).ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    values = fitted.draws.take(picked).value({"N": N, "D": D, "C": fitted.draws.flops(N, D)})
    told = [{"low": float(axis[0]), "step": float(axis[1] - axis[0]), "count": len(axis)} for axis in axes]
    grid = {"N": told[0], "D": told[1], "values": _packed(np.log(np.maximum(values, np.finfo(np.float32).tiny)))}
    path = _path_data(None if paths is None else paths.take(picked))
    return {"twin": None, "draws": GRID_DRAWS, "reference": {}, "parameters": {}, "grid": grid, "paths": path}


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")


class Script(NamedTuple):
    """What the page runs, its hash for the page's security policy, and the data as JSON that no tag can end."""

    code: Markup
    digest: Markup
    data: Markup


def page_script() -> Script:
    """Return the script that opens what is folded where it is printed or linked to."""
    return _script(PAGE_SCRIPT.read_text(encoding="utf-8"), "")


def _script(code: str, data: str) -> Script:
    digest = base64.b64encode(hashlib.sha256(code.encode("utf-8")).digest()).decode("ascii")
    return Script(Markup(code), Markup(f"'sha256-{digest}'"), Markup(data))


def explorer_script(data: Mapping[str, Any]) -> Script:
    """Return the script and the data of the explorer, as they stand in the page."""
    twins = ",\n".join(f"  ({ARGUMENTS}) => {{ {body} }}" for body in data["formulas"])
    script = f'"use strict";\nconst TWINS = [\n{twins}\n];\n{SCRIPT.read_text(encoding="utf-8")}'
    plain = {key: value for key, value in data.items() if key != "formulas"}
    text = json.dumps(plain, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    return _script(script, text)
