"""judge_metrics: the verdict on the mean of several responses of the same runs, and on each of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.comparison.comparison import compare
from bayescale.comparison.verdict import judge
from bayescale.errors import InputError
from bayescale.fits.fitting import fit_laws
from bayescale.laws import Law
from bayescale.runs import Runs, RunTable, read_runs
from bayescale.runs.columns import named_frame, numbers
from bayescale.values import Value
from bayescale.words import chance

MEAN = "mean"
"""What the mean of all responses is called."""

KEPT = ("run", "N", "D", "C", "training_run")


@dataclass(frozen=True, eq=False, repr=False)
class MetricVerdicts(Value):
    """Whether compute alone explains the mean of several responses, and each of them.

    Attributes
    ----------
    name : str
        Of the table.
    table : pandas.DataFrame
        One row for the mean and for each response: ``answer`` and ``probability`` of its verdict, ``best`` law, the
        next one (``second``), and by how much expected log predictive density is worse with it, ``elpd_diff`` and
        ``dse``; ``weight``, the stacking weight of the best.
    fails : tuple of str
        Responses whose answer is not that of the mean.
    """

    name: str
    table: pd.DataFrame
    fails: tuple[str, ...]

    @property
    def same_winner(self) -> float:
        """Return the share of responses whose best law is that of the mean."""
        each = self.table.drop(index=MEAN)["best"]
        return float((each == self.table.loc[MEAN, "best"]).mean())

    @property
    def statements(self) -> tuple[str, ...]:
        """The same in words."""
        mean = self.table.loc[MEAN]
        others = ", ".join(f"{name} ({self.table.loc[name, 'answer']})" for name in self.fails)
        return (
            f"{self.name}: on the mean of {len(self.table) - 1} responses {mean['answer']}, the split matters with "
            f"probability {chance(mean['probability'])}; best law {mean['best']}, as on {chance(self.same_winner)} of "
            "the responses",
            f"it fails on {others}" if others else "it holds on every response",
        )

    def _lines(self) -> list[str]:
        return list(self.statements)

    def _shown(self) -> pd.DataFrame:
        return self.table


@checks.kinds
def judge_metrics(
    runs: Runs,
    responses: Sequence[str],
    laws: Iterable[str | Law] | None = None,
    *,
    draws: int = 1000,
    random_seed: int = 0,
    cache: bool = True,
) -> MetricVerdicts:
    """Judge whether compute alone explains loss by each of several responses, and by their mean.

    The same laws are fitted to each on the rows that have all of them, compared and judged. A verdict on a mean may
    hide responses on which it fails; they are named.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        One row for each run or checkpoint, with N and D, and a column for each response.
    responses : sequence of str
        Columns of losses.
    laws : iterable of str or Law, optional
        As for :func:`bayescale.fit_laws`.
    draws, random_seed, cache
        As for :func:`bayescale.fit`.

    Returns
    -------
    MetricVerdicts
        A row for the mean and for each response.

    Raises
    ------
    InputError
        If there are fewer than two responses, a column is missing, or a table cannot be fitted.
    """
    chosen = list(dict.fromkeys(responses))
    if len(chosen) < 2 or MEAN in chosen:
        raise InputError(f"expected two or more different responses, none called {MEAN}; found {list(responses)}")
    asked = None if laws is None else list(laws)
    rows = {}
    for name, table in _tables(runs, chosen).items():
        fits = fit_laws(table, asked, draws=draws, random_seed=random_seed, cache=cache, progress=None)
        comparison = compare(fits, random_seed=random_seed, cache=cache)
        verdict, ranked = judge(comparison), comparison.table
        rows[name] = {
            "answer": verdict.answer,
            "probability": verdict.probability,
            "best": ranked.index[0],
            "second": ranked.index[1],
            "elpd_diff": float(ranked["elpd_diff"].iloc[1]),
            "dse": float(ranked["dse"].iloc[1]),
            "weight": float(ranked["weight"].iloc[0]),
        }
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("response")
    fails = found.index[found["answer"] != found.loc[MEAN, "answer"]]
    return MetricVerdicts(named_frame(runs)[0], found, tuple(map(str, fails)))


def _tables(runs: Runs, responses: Sequence[str]) -> dict[str, RunTable]:
    """Return a table of runs for the mean and for each response, of the rows that have all."""
    name, frame = named_frame(runs)
    values = np.stack([numbers(name, frame, each) for each in responses], axis=1)
    complete = np.isfinite(values).all(axis=1)
    rest = frame.loc[complete, [each for each in KEPT if each in frame]].reset_index(drop=True)
    losses = {MEAN: values[complete].mean(axis=1), **dict(zip(responses, values[complete].T, strict=True))}
    return {each: read_runs(rest.assign(loss=loss), name=f"{name}: {each}") for each, loss in losses.items()}
