"""What a fit found of each parameter, as a table."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

type Draws = Mapping[str, np.ndarray]

NOISE = ("sigma", "nu", "run_share", "path_share")
"""Parameters of the noise, which have one scale only."""


def summary_table(
    published: Draws, draws: Draws, prior: Draws, contraction: Mapping[str, float | None], probability: float
) -> pd.DataFrame:
    """Return parameters as rows; see :meth:`bayescale.Fit.summary`.

    Parameters
    ----------
    published : mapping of str to numpy.ndarray
        Posterior draws at the scale of published values, quantities of the paper after the parameters (draw,).
    draws, prior : mapping of str to numpy.ndarray
        Posterior and prior draws at reference scale, noise included (draw,).
    contraction : mapping of str to float or None
        How much of each parameter the runs decide.
    probability : float
        Of the credible intervals.
    """
    scales = {"published": published, "reference": draws, "prior": prior}
    names = [*published, *(name for name in NOISE if name in draws)]
    rows = [
        dict(entry for scale, found in scales.items() for entry in _ends(scale, found.get(name), probability))
        for name in names
    ]
    table = pd.DataFrame(rows, index=pd.Index(names, name="parameter"))
    table["contraction"] = [np.nan if contraction.get(name) is None else contraction[name] for name in names]
    return table.astype(float)


def _ends(scale: str, values: np.ndarray | None, probability: float) -> list[tuple[str, float]]:
    """Return median and interval under the name of a scale; NaN where there are no draws."""
    parts = [0.5, (1 - probability) / 2, (1 + probability) / 2]
    found = np.full(3, np.nan) if values is None else np.quantile(values, parts)
    return list(zip((scale, f"{scale}_lower", f"{scale}_upper"), map(float, found), strict=True))
