"""Fits of several responses made without sampling."""

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.fits.diagnostics import Diagnostics
from bayescale.groups import Response, ResponseFit
from bayescale.groups.response_fitting import _typical
from bayescale.groups.responses import cells_of
from bayescale.laws import LAWS

PASSED = Diagnostics((), 1.0, 4000.0, 4000.0, 1.0, 0, 0, 4000)


def runs(**columns):
    N = np.geomspace(1e8, 1e9, 6)
    return pd.DataFrame({"N": N, "D": 20 * N, **columns})


def made(slopes, *, better="lower", form="number", items=None, bend=0.0, count=400, seed=0):
    """A fit of responses whose draws are around known slopes a decade."""
    rng = np.random.default_rng(seed)
    names = [f"g{i}" for i in range(len(slopes))]
    responses = tuple(Response(name, better=better, items=items if i == 0 else None) for i, name in enumerate(names))
    frame = runs(**{name: np.linspace(0.5, 0.6, 6) for name in names})
    name, cells = cells_of(frame, responses)
    typical = _typical(cells, None, form, len(names))
    typical["scale"], typical["center"] = np.ones(len(names)), np.zeros(len(names))
    draws = np.asarray(slopes) + 0.01 * rng.standard_normal((1, count, len(names)))
    values = {"level": np.zeros_like(draws), "slope": draws, "bend": np.full_like(draws, bend)}
    posterior = xr.Dataset({key: (("chain", "draw", "group"), each) for key, each in values.items()})
    return ResponseFit(name, None, form, responses, cells, typical, posterior, PASSED)


def of_laws(**own):
    """A fit of two losses whose parameters are known."""
    frame = runs(a=np.linspace(3, 2, 6), b=np.linspace(3, 2, 6))
    responses = (Response("a"), Response("b"))
    name, cells = cells_of(frame, responses)
    law = LAWS["chinchilla"]
    posterior = xr.Dataset(
        {"level": (("chain", "draw", "group"), np.ones((1, 1, 2)))}
        | {f"{k}_group": (("chain", "draw", "group"), np.array(v)[None, None]) for k, v in own.items()}
    )
    return ResponseFit(name, law, "law", responses, cells, _typical(cells, law, "law", 2), posterior, PASSED)


ALIKE = {"E": [0.6, 0.6], "A": [0.2, 0.2], "B": [0.2, 0.2], "alpha": [0.3, 0.3], "beta": [0.3, 0.3], "turn": [0.0, 0.0]}
