"""forecast_end: where a run of a learning-rate schedule ends, from finished runs at the same part of theirs."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.forecasts.run_forecast import RunForecast, rates
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.runs import Runs
from bayescale.runs.columns import named_frame, numbers

BACK = (2**-0.5, 0.5)
"""How far back on the curve, as parts of its tokens so far, the falls are taken that say how fast it still falls."""

FEWEST = 4
"""Finished runs below which nothing can be said of how runs differ."""

MOST_FEATURES = 3
"""Features that a regression uses at most together; which do is averaged over."""

SLOPE_SCALES = (1.0, 3.0, 10.0)
"""Prior scales of slopes on standardised features, over that of the noise; averaged over."""

LEVEL_SCALE = 10.0
"""The same of the level, after the finished runs' mean."""

NOISE = (1.0, 0.005)
"""Prior of the noise of log loss: of a gamma distribution's shape for its precision, and its scale."""

RATE_APART = 0.1
"""Parts of the peak learning rate by which two schedules differ at the same part of a run, if they are not one."""

DRAWS = 4000


@dataclass(frozen=True, eq=False)
class Curve:
    """The loss of a run along its tokens.

    Attributes
    ----------
    name : str
        Of the run.
    D, log_loss : numpy.ndarray
        Tokens and log loss of each row, in order (row,).
    end : float
        Tokens at the end of the run.
    N : float
        Its parameters; NaN if not known.
    rate : numpy.ndarray or None
        Learning rate over its peak so far (row,).
    """

    name: str
    D: np.ndarray
    log_loss: np.ndarray
    end: float
    N: float
    rate: np.ndarray | None

    def at(self, part: float) -> float:
        """Return the log loss at a part of the run."""
        return float(np.interp(np.log(part * self.end), np.log(self.D), self.log_loss))

    def reaches_back(self, part: float) -> bool:
        """Return whether the curve begins before a part of the run, or at it but for a tenth."""
        return bool(self.D[0] <= 1.1 * part * self.end)


@checks.kinds
def forecast_end(
    finished: Runs,
    curve: Runs,
    tokens: float,
    *,
    response: str = "loss",
    probability: float = 0.9,
    random_seed: int = 0,
) -> RunForecast:
    """Forecast the end of a run in progress from the curves of finished runs of the same schedule.

    What a run still loses, from the part of its tokens that it has seen to its end, is regressed over the finished runs
    on how fast it fell so far, on the loss, and on its size and length. So the fall of a learning rate that is still to
    come is part of the forecast, and a loss in the middle of a schedule is never read as that of a short run.

    Parameters
    ----------
    finished : RunTable, DataFrame, table, mapping or path-like
        Curves of finished runs: ``training_run``, D and the response, N if they differ in it, and ``lr`` if it is
        known. The last row of each is its end.
    curve : DataFrame, table, mapping or path-like
        The run so far: D and the response, and N and ``lr`` where finished runs have them.
    tokens : float
        Tokens at the end of the run.
    response : str
        Column of the loss, or of another number above zero of which less is better.
    probability : float
        Of the intervals.
    random_seed : int
        Seed.

    Returns
    -------
    RunForecast
        Draws of the response at the end. ``promised`` is what the ends of the finished runs, in line with their size
        and length, promise a run of average luck whatever its curve.

    Raises
    ------
    InputError
        If fewer than four finished runs reach back far enough, a column is missing, the curve is past the end, or its
        learning rate is that of another schedule.
    """
    checks.probability(probability)
    name, frame = named_frame(finished)
    runs = [_curve(name, str(label), rows, response) for label, rows in _by_run(name, frame)]
    new_name, rows = named_frame(curve, "curve")
    new = _curve(new_name, new_name, rows, response, end=checks.above_zero("tokens", tokens, "tokens", "1e11"))
    if not new.D[-1] < new.end:
        raise InputError(f"the curve reaches {new.D[-1]:g} tokens and the run ends at {new.end:g}; expected more")
    part = float(new.D[-1] / new.end)
    known = [each for each in runs if each.reaches_back(part)]
    if len(known) < FEWEST:
        raise InputError(
            f"{name}: {len(known)} of {len(runs)} finished runs have rows before {part:.0%} of their tokens; expected "
            f"at least {FEWEST}, so add the first rows of their curves, or wait for more of this one"
        )
    _check_rates(known, new, part)
    rng = np.random.default_rng(random_seed)
    falls = np.array([each.log_loss[-1] - each.at(part) for each in known])
    final = new.at(part) + _predict(*_features(known, new, part), falls, rng)
    ends = np.array([each.log_loss[-1] for each in known])
    promised = _predict(*_sizes(known, new), ends, rng, single=False)
    left = FLOPS_PER_TOKEN * new.N * (new.end - new.D[-1])
    return RunForecast(
        tokens=new.end,
        seen=part,
        loss=np.exp(final),
        promised=np.exp(promised),
        flops_left=float(left),
        effective=float("nan"),
        doubts=_doubts(known, new),
        probability=probability,
    )


def _by_run(name: str, frame: pd.DataFrame) -> list[tuple[object, pd.DataFrame]]:
    if "training_run" not in frame:
        raise InputError(
            f"{name}: there is no column training_run; expected the run of each row, found {', '.join(map(str, frame))}"
        )
    return [(label, rows) for label, rows in frame.groupby("training_run", sort=True) if len(rows) > 1]


def _curve(name: str, label: str, rows: pd.DataFrame, response: str, end: float | None = None) -> Curve:
    """Return the rows of a run in the order of their tokens; those without a loss are left out."""
    found = {each: numbers(name, rows, each) for each in ("D", response)}
    known = np.isfinite(found["D"]) & np.isfinite(found[response])
    if not known.any() or not all((values[known] > 0).all() for values in found.values()):
        raise InputError(f"{name}: run {label} needs D and {response} above zero in some rows; found none or others")
    order = np.argsort(found["D"][known], kind="stable")
    D, loss = (values[known][order] for values in found.values())
    sizes = numbers(name, rows, "N")[known][order] if "N" in rows else np.array([np.nan])
    rate = rates(name, rows.loc[known])
    return Curve(
        name=label,
        D=D,
        log_loss=np.log(loss),
        end=float(D[-1]) if end is None else end,
        N=float(sizes[-1]),
        rate=None if rate is None else rate[order],
    )


def _check_rates(known: Sequence[Curve], new: Curve, part: float) -> None:
    """Raise InputError if the learning rate, where it is known, says that the run follows another schedule."""
    theirs = [float(np.interp(part * each.end, each.D, each.rate)) for each in known if each.rate is not None]
    if new.rate is None or not theirs:
        return
    here = float(new.rate[-1])
    if not min(theirs) - RATE_APART <= here <= max(theirs) + RATE_APART:
        raise InputError(
            f"at {part:.0%} of its tokens the learning rate of this run is {here:.2f} of its peak, and those of "
            f"finished runs are {min(theirs):.2f} to {max(theirs):.2f}: it follows another schedule; "
            "give finished runs of its own schedule, or fit a law of the schedule such as lr_anneal"
        )


def _features(known: Sequence[Curve], new: Curve, part: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what the fall to come is regressed on, of finished runs (run, feature) and of the new one (feature,)."""
    everyone = [*known, new]
    falls = [
        [each.at(back * part) - each.at(part) for each in everyone]
        for back in BACK
        if all(each.reaches_back(back * part) for each in everyone)
    ]
    table = np.array([*falls, [each.at(part) for each in everyone], *_of_size(everyone)]).T
    return table[:-1], table[-1]


def _sizes(known: Sequence[Curve], new: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Return what the promise is regressed on: size and length alone."""
    columns = _of_size([*known, new])
    table = np.array(columns).T if columns else np.zeros((len(known) + 1, 0))
    return table[:-1], table[-1]


def _of_size(runs: Sequence[Curve]) -> list[list[float]]:
    """Return ln N, where it is known of all, and ln D at the end."""
    lengths = [float(np.log(each.end)) for each in runs]
    sizes = [float(np.log(each.N)) for each in runs]
    return [sizes, lengths] if np.isfinite(sizes).all() else [lengths]


def _predict(
    features: np.ndarray, here: np.ndarray, values: np.ndarray, rng: np.random.Generator, *, single: bool = True
) -> np.ndarray:
    """Return draws of a single value at other features, or of its mean (draw,).

    They are of linear regressions, averaged over which features they use.

    Each is conjugate, so its prediction is a Student t, and its weight its evidence (O'Hagan and Forster 2004, chapter
    11); regressions of as many features share the weight of one beforehand.
    """
    centre, spread = features.mean(axis=0), features.std(axis=0)
    used = np.flatnonzero(spread > 1e-9 * np.maximum(1.0, np.abs(centre)))
    standard, place = (features - centre)[:, used] / spread[used], (here - centre)[used] / spread[used]
    most = min(MOST_FEATURES, used.size, max(values.size - 3, 0))
    found = []
    for count in range(most + 1):
        chosen = list(itertools.combinations(range(used.size), count))
        for each in chosen:
            X, x = np.column_stack([np.ones(values.size), standard[:, each]]), np.append(1.0, place[list(each)])
            found += [
                (_regression(X, values - values.mean(), x, scale, single=single), -np.log(len(chosen) * len(scales)))
                for scales in [SLOPE_SCALES if count else SLOPE_SCALES[:1]]
                for scale in scales
            ]
    evidence = np.array([parts[0] + prior for parts, prior in found])
    weights = np.exp(evidence - evidence.max())
    picked = rng.choice(weights.size, DRAWS, p=weights / weights.sum())
    at, scale, degrees = np.array([parts[1:] for parts, _ in found]).T
    return np.asarray(values.mean() + at[picked] + scale[picked] * rng.standard_t(degrees[picked]))


def _regression(
    X: np.ndarray, y: np.ndarray, x: np.ndarray, scale: float, *, single: bool
) -> tuple[float, float, float, float]:
    """Return log evidence, and centre, scale and degrees of freedom of the prediction at a row."""
    from scipy.special import gammaln  # noqa: PLC0415  (slow to import)

    shape, noise = NOISE
    prior = np.append(LEVEL_SCALE**-2.0, np.full(x.size - 1, scale**-2.0))
    precision = X.T @ X + np.diag(prior)
    covariance = np.linalg.inv(precision)
    slopes = covariance @ X.T @ y
    more = shape + y.size / 2
    rate = shape * noise**2 + 0.5 * max(float(y @ y - slopes @ precision @ slopes), 0.0)
    evidence = 0.5 * np.log(prior).sum() - 0.5 * np.linalg.slogdet(precision)[1]
    evidence += shape * np.log(shape * noise**2) - more * np.log(rate) + gammaln(more) - gammaln(shape)
    width = np.sqrt(rate / more * (single + x @ covariance @ x))
    return float(evidence), float(x @ slopes), float(width), 2 * more


def _doubts(known: Sequence[Curve], new: Curve) -> tuple[str, ...]:
    """Say where the run is outside what finished runs span."""
    found = []
    for what, here, theirs in (
        ("parameters", new.N, [each.N for each in known]),
        ("tokens", new.end, [each.end for each in known]),
    ):
        if here > 1.05 * max(theirs) or here < min(theirs) / 1.05:
            found.append(
                f"its {what}, {here:.3g}, lie outside those of finished runs, {min(theirs):.3g} to {max(theirs):.3g}"
            )
    return tuple(found)
