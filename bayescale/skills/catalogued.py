"""load_scores: tables of scores in the catalogue, fetched and never shipped."""

import dataclasses
import os
from collections.abc import Callable, Mapping

import pandas as pd

from bayescale import checks
from bayescale.catalogue import source_files
from bayescale.catalogue.recipes import llm_skills, sloth
from bayescale.catalogue.recipes.obsscaling import TRILLIONS_TOO_LARGE
from bayescale.errors import InputError
from bayescale.skills.reading import read_scores
from bayescale.skills.table import ScoreTable

SHORT = {"N": "size * 1e9", "D": "tokens * 1e12", "C": "flops * 1e21"}
"""Columns of the leaderboard scores, whose headers name no unit."""


@checks.kinds
def load_scores(name: str, *, mirror: str | os.PathLike[str] | None = None) -> ScoreTable:
    """Load a table of scores of the catalogue by its name.

    Parameters
    ----------
    name : str
        One of :data:`bayescale.skills.SCORE_TABLES`.
    mirror : str or path-like, optional
        Folder or address with the files, as ``SOURCE/NAME``; by default what ``BAYESCALE_MIRROR`` says. Without either,
        they must have been fetched: nothing is downloaded here.

    Returns
    -------
    ScoreTable
        The table; its notes begin with its reference and what was corrected.

    Raises
    ------
    InputError
        If there is no such table, or its file has not been fetched or is not the one that was catalogued.
    """
    if name not in SCORE_TABLES:
        raise InputError(f"no table of scores is called {name!r}; there are {', '.join(SCORE_TABLES)}")
    source, file, recipe = SCORE_TABLES[name]
    files, record = source_files(source, [file], mirror=mirror)
    table = recipe(pd.read_csv(files[file]))
    credit = f"{record['reference']}; {record['licence']}"
    return dataclasses.replace(table, name=name, notes=(credit, *table.notes))


def _obsscaling(frame: pd.DataFrame) -> ScoreTable:
    """Read base models, of which one has tokens 1000 times too large."""
    tokens, compute = "Pretraining Data Size (T)", "FLOPs (1E21)"
    slip = (frame["Model"] == TRILLIONS_TOO_LARGE) & (frame[tokens] > 100)
    frame = frame.assign(**{each: frame[each].where(~slip, frame[each] / 1000) for each in (tokens, compute)})
    table = read_scores(frame)
    note = f"{TRILLIONS_TOO_LARGE}: 627T tokens upstream, corrected to 0.627T"
    return dataclasses.replace(table, notes=(note, *table.notes)) if slip.any() else table


def _leaderboard(frame: pd.DataFrame) -> ScoreTable:
    """Read base and instructed models, of which some stand in the file twice."""
    frame = frame.drop(columns=frame.columns[0]).drop_duplicates("model")
    return read_scores(frame, columns=SHORT)


def _second_leaderboard(frame: pd.DataFrame) -> ScoreTable:
    """Read scores of which half are over those of guessing, and put these back to parts of questions."""
    models, notes = llm_skills.as_parts(frame.drop(columns=frame.columns[0]).drop_duplicates("model"))
    table = read_scores(models, columns=SHORT)
    return dataclasses.replace(table, notes=(*notes, *table.notes))


BOTH_LEADERBOARDS = (
    ("MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"),
    ("IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO"),
)
"""Benchmarks of the table with dates; its other columns are parts of them, or judges' scores of four models."""


def _dated(frame: pd.DataFrame) -> ScoreTable:
    """Read base and instructed models with dates, of which the instructed are families of their own."""
    return read_scores(frame.assign(Family=sloth.families(frame)), responses=sum(BOTH_LEADERBOARDS, ()))


SCORE_TABLES: Mapping[str, tuple[str, str, Callable[[pd.DataFrame], ScoreTable]]] = {
    "obsscaling": ("obsscaling", "base_llm_benchmark_eval.csv", _obsscaling),
    "llm-skills-v1": ("llm-skills", "df_full_v1.csv", _leaderboard),
    "llm-skills-v2": ("llm-skills", "df_full_v2.csv", _second_leaderboard),
    "sloth": ("sloth", "data_v1.csv", _dated),
}
"""Tables of scores: source in the catalogue, file, and how it is read; ``bayescale data get SOURCE`` fetches them."""
