"""disparities: which groups gain by scale, which get worse, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.groups.response_fitting import ResponseFit, few_items
from bayescale.groups.reversals import check_weights, mean_change
from bayescale.hardware import FLOPS_PER_TOKEN, read_budgets
from bayescale.intervals import credible_interval
from bayescale.values import Value
from bayescale.words import chance, short

GRID = 121
"""Points of compute among which a reversal is looked for."""

BEYOND = 100.0
"""How far beyond the largest run one is looked for."""

RAW_NOISE = 0.02
"""What is added to standard errors in the raw slopes of shares and numbers, so that no value counts for all others."""


@dataclass(frozen=True, eq=False, repr=False)
class Disparities(Value):
    """What scale does to each group.

    Attributes
    ----------
    fitted : ResponseFit
        The fit.
    from_flops, to_flops : float
        Between which scales, in FLOP.
    tokens_per_parameter : float
        D/N of the runs compared, of a law of N and D.
    reference : str
        The group whose gap to others is reported.
    probability : float
        Of the intervals.
    table : pandas.DataFrame
        One row for each group: ``response``, ``raw`` (slope by least squares for each alone), ``slope`` and its ends
        ``slope_lower``, ``slope_upper`` (of log response of a law, else of the response, a decade of compute),
        ``worsens`` (probability of being worse at the second scale), ``reversal`` (median FLOP at which it turns,
        where it does), ``reversal_inside`` (probability of a reversal inside the data), ``gap_from`` and ``gap_to``
        (median gap to the reference: of logs of a law's, else of values), ``gap_grows`` (probability), ``judged``
        (whether it has items enough for a verdict).
    slopes : numpy.ndarray
        Slope of each group (draw, group).
    gaps : numpy.ndarray
        Gap of each group to the reference at both scales (draw, scale, group).
    some_worsens : float
        Probability that some group gets worse, by the joint posterior.
    expected_worsening : float
        Expected number of groups that do.
    within, composition : numpy.ndarray
        Change of the weighted mean within groups, and by their weights (draw,).
    doubts : tuple of str
        What speaks against these numbers.
    """

    fitted: ResponseFit
    from_flops: float
    to_flops: float
    tokens_per_parameter: float
    reference: str
    probability: float
    table: pd.DataFrame
    slopes: np.ndarray
    gaps: np.ndarray
    some_worsens: float
    expected_worsening: float
    within: np.ndarray
    composition: np.ndarray
    doubts: tuple[str, ...]

    @property
    def statements(self) -> tuple[str, ...]:
        """The same in words."""
        return _statements(self)

    def _lines(self) -> list[str]:
        return list(self.statements)

    def _shown(self) -> pd.DataFrame:
        return self.table


@checks.kinds
def disparities(
    fitted: ResponseFit,
    from_flops: float,
    to_flops: float,
    *,
    reference: str | None = None,
    tokens_per_parameter: float | None = None,
    weights: Sequence[float] | None = None,
    weights_to: Sequence[float] | None = None,
    probability: float = 0.9,
) -> Disparities:
    """Report which groups gain between two scales and which get worse.

    Whether some group gets worse is read off the joint posterior: the part of draws in which any does. Groups of fewer
    than 30 items, where their number is known, take part in the model and get no verdict.

    Parameters
    ----------
    fitted : ResponseFit
        Of :func:`bayescale.fit_responses`.
    from_flops, to_flops : float
        The scales, in FLOP, the smaller first.
    reference : str, optional
        Group to which gaps are taken; the first by default.
    tokens_per_parameter : float, optional
        D/N of the runs compared, of a law of N and D; the geometric mean of the table's by default.
    weights, weights_to : sequence of float, optional
        Part of each group in the mean at the first scale, and at the second; equal, and the same, by default.
    probability : float
        Of the intervals.

    Returns
    -------
    Disparities
        Probabilities, slopes, reversals and gaps of each group.

    Raises
    ------
    InputError
        If the scales are not in order, or the reference is no group.
    """
    checks.probability(probability)
    low, high = read_budgets([from_flops, to_flops], "from_flops and to_flops")
    if not low < high:
        raise InputError(f"from_flops is {low:g} and to_flops {high:g}; expected the smaller first")
    groups = fitted.groups
    chosen = groups[0] if reference is None else reference
    if chosen not in groups:
        raise InputError(f"reference is {chosen!r}; expected one of {', '.join(groups)}")
    ratio = _ratio(fitted, tokens_per_parameter)
    values = fitted.curves(_path(np.array([low, high]), ratio))
    first, second = values[..., 0], values[..., 1]
    worse = np.stack([each.worsening(first[:, i], second[:, i]) for i, each in enumerate(fitted.responses)], axis=1)
    logs = fitted.form == "law"
    both = np.stack([first, second], axis=1)
    scaled = np.log(both) if logs else both
    gaps = scaled - scaled[..., groups.index(chosen)][..., None]
    slopes = (scaled[:, 1] - scaled[:, 0]) / np.log10(high / low)
    judged = np.array([name not in few_items(fitted) for name in groups])
    before = check_weights(np.ones(len(groups)) if weights is None else np.asarray(weights), len(groups))
    after = before if weights_to is None else check_weights(np.asarray(weights_to), len(groups))
    within, composition = mean_change((before, after), (first, second))
    bad = worse[:, judged] > 0
    return Disparities(
        fitted=fitted,
        from_flops=float(low),
        to_flops=float(high),
        tokens_per_parameter=ratio,
        reference=chosen,
        probability=probability,
        table=_table(fitted, slopes, worse, gaps=gaps, judged=judged, ratio=ratio, probability=probability),
        slopes=slopes,
        gaps=gaps,
        some_worsens=float(bad.any(axis=1).mean()),
        expected_worsening=float(bad.sum(axis=1).mean()),
        within=within,
        composition=composition,
        doubts=_doubts(fitted, low, high),
    )


def _ratio(fitted: ResponseFit, given: float | None) -> float:
    """Return tokens per parameter: as given, else the geometric mean of the table's; NaN where there are none."""
    if given is not None:
        return checks.above_zero("tokens_per_parameter", given, "tokens per parameter", "20")
    columns = fitted.cells.columns
    if not {"N", "D"} <= set(columns):
        return float("nan")
    return float(np.exp(np.log(columns["D"] / columns["N"]).mean()))


def _path(flops: np.ndarray, ratio: float) -> dict[str, np.ndarray]:
    """Return runs of these budgets at one ratio of tokens to parameters."""
    N = np.sqrt(flops / FLOPS_PER_TOKEN / ratio)
    return {"N": N, "D": ratio * N, "C": flops}


def _table(
    fitted: ResponseFit,
    slopes: np.ndarray,
    worse: np.ndarray,
    *,
    gaps: np.ndarray,
    judged: np.ndarray,
    ratio: float,
    probability: float,
) -> pd.DataFrame:
    reversal, inside = _reversals(fitted, ratio)
    rows = []
    for i, response in enumerate(fitted.responses):
        found = credible_interval(slopes[:, i], probability)
        turned = reversal[np.isfinite(reversal[:, i]), i]
        rows.append(
            {
                "response": response.column,
                "raw": _raw_slope(fitted, i),
                "slope": found.median,
                "slope_lower": found.lower,
                "slope_upper": found.upper,
                "worsens": float((worse[:, i] > 0).mean()) if judged[i] else float("nan"),
                "reversal": float(np.median(turned)) if turned.size else float("nan"),
                "reversal_inside": float(inside[:, i].mean()),
                "gap_from": float(np.median(gaps[:, 0, i])),
                "gap_to": float(np.median(gaps[:, 1, i])),
                "gap_grows": float((np.abs(gaps[:, 1, i]) > np.abs(gaps[:, 0, i])).mean()),
                "judged": bool(judged[i]),
            }
        )
    return pd.DataFrame(rows, index=pd.Index(fitted.groups, name="group"))


def _reversals(fitted: ResponseFit, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the compute from which each group gets worse for good, and whether it is inside the data (draw, group)."""
    C = fitted.cells.columns["C"]
    flops = np.geomspace(C.min(), BEYOND * C.max(), GRID)
    values = fitted.curves(_path(flops, ratio))
    reversal = np.full(values.shape[:2], np.nan)
    for i, response in enumerate(fitted.responses):
        rising = response.worsening(values[:, i, :-1], values[:, i, 1:]) > 0
        falls = rising.shape[1] - np.argmin(rising[:, ::-1], axis=1)  # the first step after the last that gets better
        turns = rising[:, -1] & ~rising.all(axis=1)
        reversal[turns, i] = flops[np.minimum(falls[turns], GRID - 1)]
    return reversal, (reversal >= C.min()) & (reversal <= C.max())


def _raw_slope(fitted: ResponseFit, position: int) -> float:
    """Return the slope of one response alone by weighted least squares, of its log for a law, a decade of compute."""
    cells = fitted.cells
    own = cells.group == position
    x, y = np.log10(cells.columns["C"][cells.row[own]]), cells.measured[own]
    weights = 1 / (cells.errors[own] ** 2 + RAW_NOISE**2)
    if fitted.form == "law":
        y, weights = np.log(y), np.ones_like(y)
    away = x - (weights * x).sum() / weights.sum()
    return float((weights * away * y).sum() / (weights * away**2).sum())


def _doubts(fitted: ResponseFit, low: float, high: float) -> tuple[str, ...]:
    C = fitted.cells.columns["C"]
    doubts = [f"diagnostics failed: {failure}" for failure in fitted.diagnostics.failures[:2]]
    if low < C.min() / 1.01 or high > C.max() * 1.01:
        doubts.append(
            f"{short(low, 3)} to {short(high, 3)} FLOP reaches beyond the runs, which spent {short(C.min(), 3)} to "
            f"{short(C.max(), 3)}"
        )
    doubts += [f"{name} has too few items for a verdict" for name in few_items(fitted)]
    return tuple(doubts)


def _statements(found: Disparities) -> tuple[str, ...]:
    """Say which responses worsen, by metric and items, never by people."""
    fitted, table = found.fitted, found.table
    span = f"between {short(found.from_flops, 3)} and {short(found.to_flops, 3)} FLOP"
    runs = f"{fitted.cells.units.max() + 1} runs of {fitted.name}"
    judged = table[table["judged"]]
    worst = judged["worsens"].sort_values(ascending=False).head(3)
    named = ", ".join(f"{name} {chance(float(value))}" for name, value in worst.items())
    sentences = [
        f"on {len(judged)} responses of {runs}, some get worse {span} with probability {chance(found.some_worsens)}; "
        f"{short(found.expected_worsening)} are expected to",
        f"most likely to get worse: {named}",
    ]
    growing = judged.drop(index=found.reference, errors="ignore")["gap_grows"]
    if len(growing):
        name = str(growing.idxmax())
        sentences.append(
            f"the gap to {found.reference} most likely to grow is that of {name}: {chance(float(growing.max()))}"
        )
    return tuple(sentences)


@checks.kinds
def sign_conflicts(first: Disparities, second: Disparities) -> pd.DataFrame:
    """Return, for each group that two metrics share, how likely their slopes differ in sign.

    Parameters
    ----------
    first, second : Disparities
        Of two metrics of the same groups, each by a model of its own.

    Returns
    -------
    pandas.DataFrame
        One row for each group: ``up_first`` and ``up_second``, the probability that the slope is above zero, and
        ``conflict``, that the signs differ, the two posteriors taken as independent.

    Raises
    ------
    InputError
        If no group is in both.
    """
    shared = [name for name in first.fitted.groups if name in second.fitted.groups]
    if not shared:
        raise InputError(
            f"no group is in both: {', '.join(first.fitted.groups)} and {', '.join(second.fitted.groups)}; give "
            "responses the same group=NAME"
        )
    up = {
        label: np.array([(each.slopes[:, each.fitted.groups.index(name)] > 0).mean() for name in shared])
        for label, each in (("up_first", first), ("up_second", second))
    }
    a, b = up["up_first"], up["up_second"]
    columns: Mapping[str, np.ndarray] = {**up, "conflict": a * (1 - b) + b * (1 - a)}
    return pd.DataFrame(columns, index=pd.Index(shared, name="group"))
