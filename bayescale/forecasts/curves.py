"""forecast_run: where a run in progress will end, from its own curve and all finished runs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.fit import Fit, complete_points
from bayescale.fits.likelihood import next_row, run_densities
from bayescale.intervals import credible_interval
from bayescale.runs.checkpoints import RUN_SHARE, Checkpoints
from bayescale.runs.frames import Frame, to_pandas
from bayescale.values import Value
from bayescale.words import chance, percent, short

FEWEST_EFFECTIVE = 100
"""Effective draws below which the finished runs hardly allow for the curve."""


@dataclass(frozen=True, eq=False, repr=False)
class RunForecast(Value):
    """Where a run in progress will end.

    Attributes
    ----------
    fitted : Fit
        The fit of finished runs.
    tokens : float
        Tokens at the end of the run.
    seen : float
        Part of them that the curve reaches.
    loss : numpy.ndarray
        Draws of the response at the end (draw,).
    promised : numpy.ndarray
        The law there under the same draws: what finished runs promise a run of average offset (draw,).
    flops_left : float
        Compute from the end of the curve to the end of the run: what stopping would save.
    effective : float
        Number of posterior draws that agree with the curve.
    probability : float
        Of the intervals.
    """

    fitted: Fit
    tokens: float
    seen: float
    loss: np.ndarray
    promised: np.ndarray
    flops_left: float
    effective: float
    probability: float

    def above(self, excess: float = 0.0) -> float:
        """Return the probability that the run ends above what finished runs promise by more than this part of it."""
        return float((self.loss > self.promised * (1 + excess)).mean())

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against the forecast."""
        found = [f"diagnostics failed: {each}" for each in self.fitted.diagnostics.failures[:1]]
        if self.effective < FEWEST_EFFECTIVE:
            found.append(
                f"only {short(self.effective)} draws of the finished runs agree with this curve; it is a run of "
                "another kind, or a mid-schedule loss read as a short run's"
            )
        return tuple(found)

    def _lines(self) -> list[str]:
        found = credible_interval(self.loss, self.probability)
        return [
            f"at {percent(self.seen)} of its tokens: ends at {short(found.median, 4)} ({percent(self.probability)} "
            f"interval {short(found.lower, 4)} to {short(found.upper, 4)})",
            f"above what finished runs promise with probability {chance(self.above())}, by more than 1% with "
            f"{chance(self.above(0.01))}; stopping saves {short(self.flops_left, 3)} FLOP",
            *self.doubts,
        ]


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
        If the fit is of runs of one row each, the law has no D, a column is missing, or the curve is past the end.
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
    return RunForecast(
        fitted=fitted,
        tokens=float(tokens),
        seen=float(rows["D"][-1] / tokens),
        loss=np.exp(final),
        promised=np.exp(law_there[places]),
        flops_left=left,
        effective=float(1 / (weights**2).sum()),
        probability=probability,
    )


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
    if not frame["D"].iloc[-1] < tokens:
        raise InputError(
            f"the curve reaches {frame['D'].iloc[-1]:g} tokens and the run ends at {tokens:g}; expected more"
        )
    own = {name: frame[name].to_numpy(dtype=float) for name in needed}
    further = {name: values for name, values in own.items() if name != fitted.runs.response}
    last = {name: values[-1:] for name, values in further.items()} | {"D": np.array([float(tokens)])}
    rows = complete_points(fitted.draws, further) | {fitted.runs.response: own[fitted.runs.response]}
    return rows, complete_points(fitted.draws, last)
