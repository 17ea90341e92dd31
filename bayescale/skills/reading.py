"""read_scores: a long or wide table of scores, checked."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.runs.frames import Frame, to_pandas
from bayescale.runs.source import Source, frame_source, read_source
from bayescale.skills.benchmarks import Benchmark, known_benchmark
from bayescale.skills.columns import Columns, find_columns, numbers, texts, unreadable
from bayescale.skills.rules import faults_of_models, faults_of_responses, faults_of_rows, notes_of
from bayescale.skills.table import QUALITIES, UNKNOWN, ScoreTable

type Scores = ScoreTable | Frame | str | os.PathLike[str]
"""What every function takes for its scores: a checked table, a table in memory, or the path of a file."""

SAME = 0.01
"""Compute within this part of 6 N D was derived from it."""


@checks.kinds
def read_scores(
    scores: Scores,
    *,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    responses: Sequence[str] | None = None,
    chance: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
) -> ScoreTable:
    """Read a table of scores of models on benchmarks, and check it.

    A wide table has a row for each model and a column for each benchmark; a long one a row for each score, with columns
    ``response`` and ``score`` (or ``correct`` and ``items``). Both name each model (``run``) and its ``family``, and
    have ``C`` in FLOP, or ``N`` and ``D``, where they are known. A long table may have ``items``, ``chance``,
    ``ceiling``, ``kind`` (count, probability or bounded) and ``protocol``; scores of different protocols are different
    responses. Either may have ``quality`` of C (reported, derived, estimated or unknown) and ``date`` of release.

    Parameters
    ----------
    scores : ScoreTable, DataFrame, table, mapping or path-like
        The table; a checked one is returned as it is.
    name : str, optional
        Of the table; by default that of the file.
    columns : mapping of str to str, optional
        Columns whose headers are not the usual ones, such as ``{"C": "compute * 1e21", "BLEU": "BLEU / 100"}``.
    responses : sequence of str, optional
        Responses to read; by default all.
    chance : mapping of str to float, optional
        Score of guessing for each response that is not known by its name, or is measured in another way.
    ignore : sequence of str
        Headers to read the table without.

    Returns
    -------
    ScoreTable
        Models and responses sorted by name, so that the order of rows and columns cannot matter.

    Raises
    ------
    InputError
        With every fault of the table: text in numbers, scores in per cent, an unknown score of guessing, repeated
        models, implausible tokens, missing families.
    """
    if isinstance(scores, ScoreTable):
        return scores
    source = _source(scores, name)
    found = find_columns(source, columns, responses, ignore)
    missing = [each for each in ("run", "family") if each not in found.formulas]
    if missing:
        raise InputError(
            *(
                f"{source.name}: there is no column {each}; name the header with columns={{{each!r}: HEADER}} "
                f"(--map {each}=HEADER); found {', '.join(map(str, source.frame.columns))}"
                for each in missing
            )
        )
    faults = [*source.faults, *unreadable(source, found)]
    long = _long(source, found)
    if responses is not None:
        long = long[long["response"].isin(list(responses))]
    faults += faults_of_rows(source.name, long)
    if faults:
        raise InputError(*faults)
    return _table(source, long, chance or {})


def _source(scores: Frame | str | os.PathLike[str], name: str | None) -> Source:
    if isinstance(scores, str | os.PathLike):
        return read_source(Path(scores))
    return frame_source(name or "scores", to_pandas(name or "scores", scores))


def _long(source: Source, columns: Columns) -> pd.DataFrame:
    """Return one row for each score there is, with the columns of its model."""
    frame = pd.DataFrame({"place": source.places})
    for each in ("run", "family", "quality", "date", "response", "kind", "protocol"):
        found = texts(source, columns, each)
        frame[each] = "" if found is None else found.to_numpy()
    for each in ("N", "D", "C", "score", "correct", "items", "chance", "ceiling"):
        values = numbers(source, columns, each)
        frame[each] = np.nan if values is None else values
    if columns.responses:
        wide = {each: numbers(source, columns, each) for each in columns.responses}
        parts = [frame.assign(response=each, score=values) for each, values in wide.items()]
        frame = pd.concat(parts, ignore_index=True)
    frame["score"] = frame["score"].fillna(frame["correct"] / frame["items"])
    different = frame.groupby("response")["protocol"].transform("nunique") > 1
    frame.loc[different, "response"] += " (" + frame["protocol"] + ")"
    return frame


def _table(source: Source, long: pd.DataFrame, chance: Mapping[str, float]) -> ScoreTable:
    models = _models(long)
    responses = _responses(long, chance)
    faults = [*faults_of_models(source.name, models), *faults_of_responses(source.name, long, responses)]
    if faults:
        raise InputError(*faults)
    wide = long.set_index(["run", "response"])["score"].unstack()  # noqa: PD010  (a table for each pair would average)
    scored = wide.notna().any(axis=1)
    models = models[models["run"].isin(wide.index[scored])].reset_index(drop=True)
    scores = wide.loc[models["run"], responses["response"]].to_numpy(dtype=float)
    notes = (*source.notes, *notes_of(models, responses, scores, int((~scored).sum())))
    return ScoreTable(models, responses, scores, source.name, tuple(notes))


def _models(long: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each model, with its compute and how that is known."""
    frame = long.groupby("run", sort=True)[["family", "N", "D", "C", "quality", "date"]].first().reset_index()
    product = 6.0 * frame["N"] * frame["D"]
    derived = frame["C"].isna() | ((frame["C"] / product - 1).abs() < SAME)
    frame["C"] = frame["C"].fillna(product)
    usual = np.where(frame["C"].isna(), UNKNOWN, np.where(derived, "derived", "reported"))
    frame["quality"] = np.where(frame["quality"] == "", usual, frame["quality"].str.casefold())
    frame.loc[frame["quality"] == UNKNOWN, "C"] = np.nan
    frame["date"] = pd.to_datetime(frame["date"].where(frame["date"] != ""), errors="coerce")
    return frame


def _responses(long: pd.DataFrame, chance: Mapping[str, float]) -> pd.DataFrame:
    """Return one row for each response: what the table says of it, else what is known of its name."""
    rows = []
    for response, own in long[long["score"].notna()].groupby("response", sort=True):
        known = known_benchmark(str(response)) or Benchmark(np.nan)
        written = own["kind"].replace("", np.nan).dropna()
        kind = str(written.iloc[0]).casefold() if len(written) else known.kind
        rows.append(
            {
                "response": str(response),
                "chance": float(chance.get(str(response), _first(own["chance"], known.chance))),
                "ceiling": _first(own["ceiling"], 1.0),
                "items": _first(own["items"], np.nan if known.items is None else known.items),
                "kind": kind,
                "protocol": own["protocol"].iloc[0],
            }
        )
    columns = ["response", "chance", "ceiling", "items", "kind", "protocol"]
    return pd.DataFrame(rows, columns=columns)


def _first(column: "pd.Series[float]", otherwise: float) -> float:
    given = column.dropna()
    return float(given.iloc[0]) if len(given) else float(otherwise)


def log_compute(table: ScoreTable) -> tuple[np.ndarray, np.ndarray]:
    """Return log10 of each model's compute, and its standard deviation (run,).

    Where compute is unknown but N is not, tokens are ``10**(12.2 +- 0.6)``, those of public models of 2021 to 2024;
    where neither is known, compute is that of the table's models, twice as widely spread.
    """
    models = table.models
    logs = np.log10(models["C"].to_numpy(dtype=float))
    spread = models["quality"].map(dict(QUALITIES)).to_numpy(dtype=float)
    unknown = np.isnan(logs)
    known = logs[~unknown]
    guess = np.log10(6.0 * models["N"].to_numpy(dtype=float)) + 12.2
    logs = np.where(unknown, np.where(np.isnan(guess), known.mean(), guess), logs)
    width = np.where(np.isnan(guess), max(1.0, 2 * known.std()), 0.6)
    return logs, np.where(unknown, width, spread)
