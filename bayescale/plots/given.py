"""Priors by hand beside the posteriors they led to."""

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import gaussian_kde

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.fit import Fit, flat_draws
from bayescale.plots.style import BLUE, MUTED, ORANGE, SKY, finish, new_axes, styled

POINTS = 200

EDGES = {"posterior": 0.002, "prior": 0.05}
"""Part of the draws that may lie off the figure at either end; the tails of a prior may be long."""

LOOKS = ((ORANGE, "-"), (BLUE, "-"), (MUTED, "--"), (SKY, "--"))
"""Colour and line of each curve, in their order."""


@styled
@checks.kinds
def plot_given_prior(fitted: Fit, parameter: str, ax: Axes | None = None, *, own: Fit | None = None) -> Axes:
    """Draw a parameter's prior and posterior, and both of another fit of the law with the law's own prior.

    Parameters
    ----------
    fitted : Fit
        The fit.
    parameter : str
        Its parameter, which is drawn at reference scale, where priors are.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    own : Fit, optional
        A fit of the same law with its own priors.

    Returns
    -------
    matplotlib.axes.Axes
        Densities, each smoothed from draws.

    Raises
    ------
    InputError
        If the law has no such parameter.
    """
    if parameter not in fitted.law.parameters:
        raise InputError(
            f"law '{fitted.law.name}' has no parameter {parameter}; it has {', '.join(fitted.law.parameters)}"
        )
    ax = new_axes(ax)
    curves = {"prior by hand": _prior(fitted, parameter), "posterior": fitted.draws[parameter]}
    if own is not None:
        curves |= {
            "the law's own prior": _prior(own, parameter),
            "posterior with the law's own prior": own.draws[parameter],
        }
    low, high = _span(fitted, own, parameter)
    x = np.linspace(low, high, POINTS)
    for (name, draws), (color, line) in zip(curves.items(), LOOKS, strict=False):
        inside = draws[(draws >= low) & (draws <= high)]
        if inside.size > 2:
            ax.plot(x, gaussian_kde(inside)(x) * inside.size / draws.size, color=color, ls=line, lw=1.8, label=name)
    ax.set_xlim(low, high)
    ax.set_ylim(bottom=0.0)
    return finish(
        ax,
        title=f"{parameter} of {fitted.law.name}: prior by hand and posterior",
        xlabel=f"{parameter} (at a typical run)",
        ylabel=f"probability density (per unit of {parameter})",
    )


def _prior(fitted: Fit, parameter: str) -> np.ndarray:
    return flat_draws(fitted.data["prior"].to_dataset())[parameter]


def _span(fitted: Fit, own: Fit | None, parameter: str) -> tuple[float, float]:
    """Return ends between which lie all posteriors, and the prior by hand but for its tails."""
    posteriors = [each.draws[parameter] for each in (fitted, own) if each is not None]
    kinds = [*((draws, EDGES["posterior"]) for draws in posteriors), (_prior(fitted, parameter), EDGES["prior"])]
    ends = np.array([np.quantile(draws, [edge, 1 - edge]) for draws, edge in kinds])
    margin = 0.05 * (ends[:, 1].max() - ends[:, 0].min())
    return float(ends[:, 0].min() - margin), float(ends[:, 1].max() + margin)
