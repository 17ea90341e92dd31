"""What makes a table of scores unusable, and what a reader must know of one that is not."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescale.runs.draft import listed
from bayescale.skills.benchmarks import KINDS
from bayescale.skills.table import QUALITIES, UNKNOWN
from bayescale.words import short, typed

MOST_TOKENS = 1e14
"""No model was trained on so many tokens: a column in trillions was filled in billions."""

FEW_MODELS, FEW_RESPONSES, FEW_IN_FAMILY = 3, 2, 3
BELOW_CHANCE = 0.05
SHOWN = 5


def faults_of_rows(source: str, long: pd.DataFrame) -> Iterator[str]:
    """Say which rows cannot be read as a score of a model."""
    for column in ("run", "family"):
        empty = long.loc[long[column] == "", "place"].unique()
        if len(empty):
            yield f"{source}: {column} is missing on {_listed(empty)}; name it, or leave these rows out"
    repeated = long[long.duplicated(["run", "response"], keep=False)]
    if len(repeated):
        cases = repeated["run"].unique()
        yield (
            f"{source}: more than one score of {_listed(cases)} on {repeated['response'].iloc[0]}; keep one row of "
            "each model, or give different builds different names"
        )
    negative = {each: long.loc[long[each] <= 0, "run"].unique() for each in ("N", "D", "C", "items")}
    for column, cases in negative.items():
        if len(cases):
            yield f"{source}: {column} is not above zero for {_listed(cases)}; leave the cell empty where it is unknown"
    yield from _unlike_scores(source, long)


def _unlike_scores(source: str, long: pd.DataFrame) -> Iterator[str]:
    for response, own in long.groupby("response"):
        low, high = own["score"].min(), own["score"].max()
        if low < 0:
            yield (
                f"{source}: {response} has scores down to {typed(low)}; a score is between 0 and 1: leave this "
                f"response out (ignore={[response]!r}), or map it to a positive column"
            )
        elif high > 1:
            remedy = f'columns={{{str(response)!r}: "{response} / 100"}} (--map "{response}={response} / 100")'
            per_cent = (
                "in a long table write them divided by 100" if (long["place"].duplicated().sum() == 0) else remedy
            )
            yield (
                f"{source}: {response} has scores up to {typed(high)}; a score is between 0 and 1. "
                f"Where it counts from 0 to 100, {per_cent if high <= 100 else 'rescale it, or leave it out'}"
            )


def faults_of_models(source: str, models: pd.DataFrame) -> Iterator[str]:
    """Say which models have compute or tokens that cannot be."""
    many = models[models["D"] > MOST_TOKENS]
    if len(many):
        first = many.iloc[0]
        yield (
            f"{source}: D is {typed(first['D'])} for {_listed(many['run'])}; no model was trained on more than "
            f"{typed(MOST_TOKENS)} tokens: is it 1000 times too large? Write {typed(first['D'] / 1000)}, or leave the "
            "cell empty"
        )
    unknown = sorted(set(models["quality"]) - {*QUALITIES, UNKNOWN})
    if unknown:
        yield f"{source}: quality is {', '.join(map(repr, unknown))}; expected {', '.join(QUALITIES)} or {UNKNOWN}"
    if models["C"].notna().sum() < FEW_MODELS:
        yield (
            f"{source}: compute is known of {int(models['C'].notna().sum())} models; at least {FEW_MODELS} are needed: "
            "give C in FLOP, or N and D"
        )


def faults_of_responses(source: str, long: pd.DataFrame, responses: pd.DataFrame) -> Iterator[str]:
    """Say which responses lack what a fit needs."""
    if len(responses) < FEW_RESPONSES:
        found = ", ".join(responses["response"]) or "none"
        yield f"{source}: the responses are {found}; a skill needs at least {FEW_RESPONSES}"
    for row in responses.to_dict("records"):
        name, own = row["response"], long.loc[long["response"] == row["response"], "score"].dropna()
        if row["kind"] not in KINDS:
            yield f"{source}: kind of {name} is {row['kind']!r}; expected {', '.join(KINDS)}"
        if len(own) < FEW_MODELS:
            yield f"{source}: {name} has scores of {len(own)} models; leave it out (ignore={[name]!r}, --ignore {name})"
        elif np.isnan(row["chance"]):
            yield (
                f"{source}: the score of guessing is not known for {name}; give it, as in chance={{{name!r}: 0.25}} "
                f'(--chance "{name}=0.25"): one over the number of choices, 0 for open answers'
            )
        elif not 0 <= row["chance"] < row["ceiling"] <= 1:
            yield (
                f"{source}: {name} has chance {row['chance']} and ceiling {row['ceiling']}; expected chance below "
                "ceiling, both between 0 and 1"
            )
        elif own.median() < row["chance"] - BELOW_CHANCE:
            yield (
                f"{source}: half of the models score below {short(own.median())} on {name}, and guessing gives "
                f"{short(row['chance'])}; its scores are normalised, or another chance is right, as in "
                f"chance={{{name!r}: 0}}"
            )


def notes_of(models: pd.DataFrame, responses: pd.DataFrame, scores: np.ndarray, unscored: int) -> Iterator[str]:
    """Say what a reader must know of a table that can be used."""
    if unscored:
        yield f"{unscored} models have no score and are left out"
    unknown = int(models["C"].isna().sum())
    if unknown:
        yield f"compute is unknown for {unknown} models: it is a parameter of each"
    missing = int(np.isnan(scores).sum())
    if missing:
        yield f"{missing} of {scores.size} scores are missing; nothing is put in their place"
    sizes = models["family"].value_counts()
    small = int((sizes < FEW_IN_FAMILY).sum())
    if small:
        yield f"{small} of {len(sizes)} families have fewer than {FEW_IN_FAMILY} models and lean on the others"
    unlike = models[(models["C"] / (6 * models["N"] * models["D"])).pipe(np.log).abs() > np.log(3)]
    if len(unlike):
        yield f"C is more than 3 times away from 6 N D for {_listed(unlike['run'])}; C is used"
    unsure = responses.loc[(responses["kind"] == "count") & responses["items"].isna(), "response"]
    if len(unsure):
        yield f"the number of questions is not known for {_listed(unsure)}: the noise of few questions is in sigma"


def _listed(cases: "pd.Series[str] | np.ndarray") -> str:
    return listed([str(each) for each in cases[:SHOWN]], len(cases))
