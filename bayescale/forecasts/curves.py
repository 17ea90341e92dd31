"""forecast_run: where a run in progress will end, from its own curve and all finished runs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.fit import Fit, complete_points
from bayescale.fits.likelihood import next_row, run_densities
from bayescale.forecasts.run_forecast import RunForecast, rates
from bayescale.forecasts.trajectories import forecast_end
from bayescale.runs.checkpoints import RUN_SHARE, Checkpoints
from bayescale.runs.frames import Frame, to_pandas
from bayescale.words import short

__all__ = ["RunForecast", "forecast_end", "forecast_run"]

FALLEN = 0.9
"""Part of its peak below which a learning rate is falling, so that a row is none of a run that ends there."""

FEWEST_EFFECTIVE = 100
"""Effective draws below which the finished runs hardly allow for the curve."""


@checks.kinds
def forecast_run(
    fitted: Fit, curve: Frame, tokens: float, *, probability: float = 0.9, random_seed: int = 0
) -> RunForecast:
    """Forecast the end of a run in progress.

    The posterior of the finished runs is weighted by the density of the curve so far, and the end is drawn given the
    curve: its offset from the law carries on, and its path forgets by half a decade of tokens.

    Parameters
    ----------
    fitted : Fit
        Of finished runs with several rows each, marked by ``training_run``.
    curve : DataFrame, table or mapping
        The rows of the run so far: the law's columns and the response. Of the same kind as the rows of the finished
        runs: a law without a schedule must not be given losses of a schedule's middle unless its runs had them, too.
    tokens : float
        Tokens at the end of the run; its other columns stay what they were last.
    probability : float
        Of the intervals.
    random_seed : int
        Seed.

    Returns
    -------
    RunForecast
        Draws of the final response, and of what finished runs promise.

    Raises
    ------
    InputError
        If the fit is of runs of one row each, the law has no D, a column is missing, the curve is past the end, or its
        learning rate falls and the law knows no schedule.
    """
    checks.probability(probability)
    law, response, draws = fitted.law, fitted.runs.response, fitted.draws
    if RUN_SHARE not in draws or "D" not in law.covariates:
        raise InputError(
            f"the fit of law '{law.name}' does not say how rows of one run go together; fit a law of D to finished "
            "runs of several rows each, with the name of the run in column training_run"
        )
    rows, end = _points(fitted, curve, tokens)
    residuals = np.log(rows[response]) - draws.log_value(rows, response)
    progress = np.log(rows["D"])
    shared = Checkpoints(np.zeros(progress.size, dtype=int), progress)
    density = run_densities(residuals, draws, shared).sum(axis=1)
    weights = np.exp(density - density.max())
    weights /= weights.sum()
    rng = np.random.default_rng(random_seed)
    places = rng.choice(weights.size, weights.size, p=weights)
    centre, scale, nu = next_row(residuals, draws, progress, float(np.log(tokens)))
    law_there = draws.log_value(end, response)[:, 0]
    final = (law_there + centre + scale * rng.standard_t(nu))[places]
    left = float(end["C"][0] - rows["C"][-1]) if "C" in rows else float("nan")
    effective = float(1 / (weights**2).sum())
    return RunForecast(
        tokens=float(tokens),
        seen=float(rows["D"][-1] / tokens),
        loss=np.exp(final),
        promised=np.exp(law_there[places]),
        flops_left=left,
        effective=effective,
        doubts=_doubts(fitted, effective),
        probability=probability,
    )


def _check_schedule(frame: pd.DataFrame, covariates: Sequence[str]) -> None:
    """Raise InputError if the curve's learning rate falls and the law knows no schedule."""
    rate = rates("curve", frame)
    if rate is None or set(covariates) - {"N", "D", "C"} or not rate[-1] < FALLEN:
        return
    raise InputError(
        f"the learning rate of the curve has fallen to {rate[-1]:.2f} of its peak, and its rows are none of runs that "
        "end there; give forecast_end the curves of finished runs of this schedule, or fit a law of the schedule such "
        "as lr_anneal"
    )


def _doubts(fitted: Fit, effective: float) -> tuple[str, ...]:
    found = [f"diagnostics failed: {each}" for each in fitted.diagnostics.failures[:1]]
    if effective < FEWEST_EFFECTIVE:
        found.append(
            f"only {short(effective)} draws of the finished runs agree with this curve; it is a run of another kind, "
            "or a mid-schedule loss read as a short run's"
        )
    return tuple(found)


def _points(fitted: Fit, curve: Frame, tokens: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the rows of the curve in their order, and the end, each with all columns of the law and C."""
    frame: pd.DataFrame = to_pandas("curve", curve)
    needed = [*(name for name in fitted.law.covariates if name != "C"), fitted.runs.response]
    missing = [name for name in needed if name not in frame]
    if missing or not len(frame):
        raise InputError(
            f"curve: expected rows with {', '.join(needed)}; found {', '.join(map(str, frame)) or 'nothing'}"
        )
    frame = frame.sort_values("D", ignore_index=True)
    _check_schedule(frame, fitted.law.covariates)
    if not frame["D"].iloc[-1] < tokens:
        raise InputError(
            f"the curve reaches {frame['D'].iloc[-1]:g} tokens and the run ends at {tokens:g}; expected more"
        )
    own = {name: frame[name].to_numpy(dtype=float) for name in needed}
    further = {name: values for name, values in own.items() if name != fitted.runs.response}
    last = {name: values[-1:] for name, values in further.items()} | {"D": np.array([float(tokens)])}
    rows = complete_points(fitted.draws, further) | {fitted.runs.response: own[fitted.runs.response]}
    return rows, complete_points(fitted.draws, last)
