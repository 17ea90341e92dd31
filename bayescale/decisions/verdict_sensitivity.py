"""verdict_sensitivity: how far the probability of a verdict moves with the priors' weight and with the criterion."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bayescale.comparison.comparison import Comparison
from bayescale.comparison.odds import split_odds
from bayescale.comparison.verdict import Verdict, used_kinds
from bayescale.decisions.sensitivity import FACTORS, densities
from bayescale.fits.fit import Fit
from bayescale.fits.likelihood import density_blocks
from bayescale.fits.loo import left_out_together
from bayescale.fits.pareto import smoothed
from bayescale.words import odds

CRITERIA = {"point": "single rows"}
"""What criteria leave out, where their name does not say it."""

SILENT = 0.5
"""Probability of a table that says nothing of the split, which no prior moves."""


def verdict_sensitivity(comparison: Comparison, verdict: Verdict) -> tuple[str, ...]:
    """Say how far the probability that the split matters moves with the priors' weight, and with what is left out.

    Densities of rows left out under priors of another weight come from the draws at hand, by Pareto-smoothed
    importance weights; nothing is fitted again.

    Parameters
    ----------
    comparison : Comparison
        The comparison.
    verdict : Verdict
        Its verdict.

    Raises
    ------
    InputError
        If a fit was saved without its prior's densities.
    """
    said = []
    if verdict.probability != SILENT:
        now, *moved = map(odds, (verdict.probability, *probabilities_under(comparison, verdict, FACTORS)))
        said.append(
            f"Halving the weight of the priors takes the probability that the split matters from {now} to {moved[0]}, "
            f"doubling it to {moved[1]}."
            if set(moved) != {now}
            else f"Halved or doubled, the weight of the priors leaves the probability that the split matters at {now}."
        )
    if len(verdict.by_criterion) > 1:
        sides = ", ".join(f"{odds(p)} ({CRITERIA.get(name, name)})" for name, p in verdict.by_criterion.items())
        said.append(
            f"By what is left out it is {sides}; {_agreement(verdict)}. Only that by single rows is calibrated."
        )
    return tuple(said)


def _agreement(verdict: Verdict) -> str:
    """Say whether all criteria are on one side."""
    sides = {p > SILENT for p in verdict.by_criterion.values()}
    return (
        "all are on one side" if len(sides) == 1 else "they disagree, so that the answer depends on what is predicted"
    )


def probabilities_under(comparison: Comparison, verdict: Verdict, factors: Sequence[float]) -> list[float]:
    """Return the probability that the split matters with the density of all priors raised to each power (factor,)."""
    kinds = used_kinds(comparison, verdict.tokens_per_parameter.flops)
    changes = {name: _changes(comparison.fits[name], factors) for name in kinds.names}
    found = []
    for place in range(len(factors)):
        moved = {
            name: dataclasses.replace(loo, elpd_i=loo.elpd_i + changes[name][place]) if name in changes else loo
            for name, loo in comparison.pointwise.items()
        }
        found.append(split_odds(dataclasses.replace(comparison, pointwise=moved), kinds).probability)
    return found


def _changes(fitted: Fit, factors: Sequence[float]) -> np.ndarray:
    """Return by how much the log density of each row left out changes with each power of the prior (factor, run)."""
    prior, units = densities(fitted)["prior"], left_out_together(fitted.data)
    found = np.empty((len(factors), units.size))
    for rows, density in density_blocks(fitted, units):
        values = density["log_response"].transpose("run", "chain", "draw").to_numpy().reshape(rows.size, -1)
        before = _left_out(values, -values)
        for place, factor in enumerate(factors):
            found[place, rows] = _left_out(values, -values + (factor - 1) * prior) - before
    return found


def _left_out(rows: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """Return the log density of each row left out, from its densities and log weights (row, draw)."""
    weights, _ = smoothed(log_weights)
    return np.asarray(np.logaddexp.reduce(weights + rows, axis=-1))
