"""What a table of runs can identify, before any law is fitted."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.runs.costs import flops_per_token
from bayescale.runs.frames import Runs
from bayescale.runs.headers import MEANINGS
from bayescale.runs.reading import as_table
from bayescale.runs.table import RunTable
from bayescale.values import Value
from bayescale.words import capital, count_text, typed

TYPICAL_EXPONENT = 0.35  # alpha and beta of the Chinchilla law, near enough
WEAK_CONDITION = 200.0
LOST_CONDITION = 1e6
BINS_PER_DECADE = 4
LIKE_SIZES = 3  # decimals of log10 within which digitised sizes count as one (0.2%)
ENOUGH_SPREAD = 0.1  # dex; an isoFLOP grid has about 0.3
ENOUGH_SPAN = 0.5  # dex, a factor of 3 in N at like C
ENOUGH_DECADES = 1.5  # of C, below which a floor and a slope look alike
ENOUGH_ROWS = 100

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, eq=False, repr=False)
class Description(Value):
    """The design of a table of runs, and what follows from it.

    Attributes
    ----------
    rows : int
        Number of runs.
    response, unit : str
        The response column and its unit.
    ranges : dict of str to (float, float)
        Lowest and highest N (parameters), D (tokens), C (FLOP), ``tokens_per_parameter`` (D/N) and response; of every
        numeric column where N or D is not there.
    distinct_N, distinct_D : int
        Number of sizes; those that agree to 0.2% count once.
    correlation : float
        Correlation of log N and log D; NaN where one never varies.
    spread_N_at_like_C : float
        Residual standard deviation of log10 N regressed on log10 C, in dex.
    span_N_at_like_C : float
        Largest range of log10 N inside a quarter-decade bin of C, in dex.
    condition : float
        Condition number of the column-normalised Jacobian of an additive law of N and D with exponents 0.35:
        about 30 on sound designs, doubtful above 200, not identified above 1e6.
    can, cannot : tuple of str
        Sentences: what the table can identify; what it cannot, and which runs would change that.
    """

    rows: int
    response: str
    unit: str
    ranges: dict[str, tuple[float, float]]
    distinct_N: int
    distinct_D: int
    correlation: float
    spread_N_at_like_C: float
    span_N_at_like_C: float
    condition: float
    can: tuple[str, ...]
    cannot: tuple[str, ...]


@checks.kinds
def describe(runs: Runs) -> Description:
    """Describe the design of a table of runs: its ranges, and what it can and cannot identify.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The runs, as :func:`read_runs` takes them.

    Returns
    -------
    Description
        The order of the rows does not matter.
    """
    runs = as_table(runs)
    if not {"N", "D"} <= set(runs.frame):
        return _without_sizes(runs)
    N, D, C = (runs.frame[column].to_numpy(dtype=np.float64) for column in ("N", "D", "C"))
    response = runs.frame[runs.response].to_numpy(dtype=np.float64)
    columns = {"N": N, "D": D, "C": C, "tokens_per_parameter": D / N, runs.response: response}
    facts = Description(
        rows=len(runs.frame),
        response=runs.response,
        unit=runs.unit,
        ranges={name: (float(values.min()), float(values.max())) for name, values in columns.items()},
        distinct_N=_distinct(N),
        distinct_D=_distinct(D),
        correlation=_correlation(np.log(N), np.log(D)),
        spread_N_at_like_C=residual_spread(np.log10(N), np.log10(C), max(len(N) - 2, 1)),
        span_N_at_like_C=_span(np.log10(N), np.log10(C)),
        condition=condition_number(N, D),
        can=(),
        cannot=(),
    )
    findings = [*_findings(facts, _remedy(facts, runs.frame)), *_families(runs.frame), _noise(runs.frame)]
    return replace(
        facts,
        can=tuple(finding.sentence for finding in findings if finding.possible),
        cannot=tuple(finding.sentence for finding in findings if not finding.possible),
    )


def _without_sizes(runs: RunTable) -> Description:
    """Describe a table without N or without D, which serves laws of other columns only."""
    columns = [name for name in runs.frame.select_dtypes("number") if name in MEANINGS]
    absent = [name for name in ("N", "D") if name not in runs.frame]
    sizes = {name: _distinct(runs.frame[name].to_numpy(dtype=np.float64)) for name in ("N", "D") if name in runs.frame}
    return Description(
        rows=len(runs.frame),
        response=runs.response,
        unit=runs.unit,
        ranges={name: (float(runs.frame[name].min()), float(runs.frame[name].max())) for name in columns},
        distinct_N=sizes.get("N", 0),
        distinct_D=sizes.get("D", 0),
        correlation=math.nan,
        spread_N_at_like_C=math.nan,
        span_N_at_like_C=math.nan,
        condition=math.inf,
        can=(f"Laws of {', '.join(name for name in columns if name != runs.response)} (bayescale laws lists them).",),
        cannot=(
            f"Laws of N and D, whether compute alone explains the {runs.response}, or how to split a budget: "
            f"the table has no {' and no '.join(absent)}.",
        ),
    )


def split_problem(runs: RunTable) -> tuple[str, str] | None:
    """Return why runs cannot say how to split compute, and the runs that would help, in words; None where they can."""
    if not {"N", "D"} <= set(runs.frame):
        return None
    facts = describe(runs)
    if facts.condition <= LOST_CONDITION:
        return None
    why, _, remedy = _why_lost(facts, _remedy(facts, runs.frame)).partition("; ")
    return capital(why), capital(remedy)


def condition_number(N: Vector, D: Vector) -> float:
    """Return the condition number of the column-normalised Jacobian of ``E + A N**-a + B D**-b`` at a = b = 0.35.

    The columns are ``1, e^(-.35 x), e^(-.35 z), x e^(-.35 x), z e^(-.35 z)``, with x and z the centred natural
    logs of N and D. Infinite where a column vanishes.
    """
    x, z = np.log(N) - np.log(N).mean(), np.log(D) - np.log(D).mean()
    power_x, power_z = np.exp(-TYPICAL_EXPONENT * x), np.exp(-TYPICAL_EXPONENT * z)
    jacobian = np.column_stack([np.ones_like(x), power_x, power_z, x * power_x, z * power_z])
    norms = np.linalg.norm(jacobian, axis=0)
    if not np.all(norms > 1e-12):
        return math.inf
    return float(np.linalg.cond(jacobian / norms))


def _distinct(values: Vector) -> int:
    """Count sizes by chaining: a step to the next size of less than 0.2% is digitising jitter."""
    steps = np.diff(np.sort(np.log10(values)))
    return 1 + int(np.sum(steps > 10.0**-LIKE_SIZES))


def _correlation(x: Vector, z: Vector) -> float:
    if np.ptp(x) < 1e-9 or np.ptp(z) < 1e-9:
        return math.nan
    return float(np.corrcoef(x, z)[0, 1])


def residual_spread(log_N: Vector, log_C: Vector, free: int) -> float:
    """Return the residual standard deviation of log N regressed on log C, with its degrees of freedom."""
    centred = log_C - log_C.mean()
    square = float(centred @ centred)
    slope = float(centred @ log_N) / square if square > 1e-12 else 0.0
    residual = log_N - log_N.mean() - slope * centred
    return float(np.sqrt(residual @ residual / free))


def _span(log_N: Vector, log_C: Vector) -> float:
    bins = pd.Series(log_N).groupby(np.floor(log_C * BINS_PER_DECADE))
    return float((bins.max() - bins.min()).max())


@dataclass(frozen=True)
class _Finding:
    possible: bool
    sentence: str


def _findings(facts: Description, remedy: str) -> list[_Finding]:
    return [_inside(facts), _exponents(facts, remedy), _compute_alone(facts, remedy), _floor(facts), _decision(facts)]


def _inside(facts: Description) -> _Finding:
    (low, high), unit = facts.ranges["C"], facts.unit
    return _Finding(
        True,
        f"The {facts.response} ({unit}) of runs inside the table, {typed(low, 4)} to {typed(high, 4)} FLOP; "
        "beyond that a forecast leans on the law.",
    )


def _exponents(facts: Description, remedy: str) -> _Finding:
    what = "separate exponents of N and D, and with them the compute-optimal allocation"
    condition = f"condition number {_rounded(facts.condition)}"
    if facts.condition > LOST_CONDITION:
        return _Finding(False, f"{capital(what)}, are not identified ({condition}): {_why_lost(facts, remedy)}.")
    if facts.condition > WEAK_CONDITION:
        decades = [f"{math.log10(high / low):.1f} decades in {name}" for name, (low, high) in _sizes(facts).items()]
        return _Finding(
            False,
            f"{capital(what)}, are weakly identified ({condition}, doubtful above {WEAK_CONDITION:.0f}): "
            f"the runs span {' and '.join(decades)}; add runs three to ten times smaller or larger in both.",
        )
    return _Finding(True, f"{capital(what)} ({condition}).")


def _why_lost(facts: Description, remedy: str) -> str:
    for name, distinct in (("N", facts.distinct_N), ("D", facts.distinct_D)):
        if distinct < 3:
            low, high = facts.ranges[name]
            third = math.sqrt(low * high) if high > 2 * low else 4 * high
            words = "1 value; add runs at two others" if distinct == 1 else "2 values; add runs at a third"
            return f"{name} has only {words}, such as {name} = {_rounded(third)}"
    if abs(facts.correlation) > 0.999:
        low, high = facts.ranges["tokens_per_parameter"]
        ratio = f"D is {typed(low, 4)} N in every run" if high < 1.05 * low else "D is a function of N"
        return f"{ratio}; {remedy}"
    return f"the runs differ in too few directions; {remedy}"


def _compute_alone(facts: Description, remedy: str) -> _Finding:
    what = "whether compute alone explains the loss"
    factor = _rounded(10**facts.span_N_at_like_C)
    seen = f"at like C, N differs by at most a factor of {factor} (spread {facts.spread_N_at_like_C:.2f} dex)"
    if factor == "1":
        seen = "all runs of equal compute have the same size"
    if facts.spread_N_at_like_C < ENOUGH_SPREAD or facts.span_N_at_like_C < ENOUGH_SPAN:
        return _Finding(False, f"{capital(what)} cannot be decided: {seen}; {remedy}.")
    return _Finding(True, f"{capital(what)}: {seen}.")


def _floor(facts: Description) -> _Finding:
    low, high = facts.ranges["C"]
    decades = math.log10(high / low)
    if decades < ENOUGH_DECADES:
        return _Finding(
            False,
            f"The irreducible loss cannot be separated from the exponents: C spans {decades:.1f} decades; add runs of "
            f"{typed(low / 10, 4)} or {typed(high * 10, 4)} FLOP.",
        )
    return _Finding(
        True, f"How the loss falls over {decades:.1f} decades of compute; a floor below the data leans on the law."
    )


def _decision(facts: Description) -> _Finding:
    if facts.rows < ENOUGH_ROWS:
        return _Finding(
            False,
            f"Laws that predict almost equally well cannot be ranked on {facts.rows} runs: below about "
            f"{ENOUGH_ROWS}, only large differences of elpd count, and are called decided.",
        )
    return _Finding(True, f"Which of several laws predicts best, where they differ clearly ({facts.rows} runs).")


def _families(frame: pd.DataFrame) -> list[_Finding]:
    count = frame["family"].nunique() if "family" in frame else 1
    if count < 2:
        return []
    sentence = (
        f"The effect of N and D cannot be separated from other differences between the {count} families; "
        "give each family its own level, or select one."
    )
    return [_Finding(False, sentence)]


def _noise(frame: pd.DataFrame) -> _Finding:
    grouped = "family" in frame
    shared = int(frame.duplicated(["N", "D", *(["family"] if grouped else [])], keep=False).sum())
    if shared:
        return _Finding(
            True,
            f"The noise between runs of the same N and D ({shared} runs share theirs with another), "
            "where they differ in the seed alone.",
        )
    within = " within a family" if grouped else ""
    return _Finding(
        False,
        f"Noise cannot be separated from a misfit of the law: no N and D was run twice{within}; "
        "repeat one run with another seed.",
    )


def _sizes(facts: Description) -> dict[str, tuple[float, float]]:
    return {name: facts.ranges[name] for name in ("N", "D")}


def _remedy(facts: Description, frame: pd.DataFrame) -> str:
    """Name the runs that would help: three sizes at one compute in the middle of the table, a factor of 3 apart."""
    C, ratio = (math.sqrt(low * high) for low, high in (facts.ranges["C"], facts.ranges["tokens_per_parameter"]))
    price = float(np.exp(np.log(frame["C"] / (frame["N"] * frame["D"])).mean()))  # a parameter and token
    sizes = math.sqrt(C / price / ratio) * np.array([1 / 3, 1.0, 3.0])
    pairs = zip(sizes, C / flops_per_token(frame, sizes), strict=True)
    runs = ", ".join(f"N = {count_text(N, 2)} with D = {count_text(D, 2)}" for N, D in pairs)
    return f"at one C, such as {_rounded(C)} FLOP, add {runs}"


def _rounded(value: float) -> str:
    return typed(value, 2)
