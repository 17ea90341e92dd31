"""within_families: a table that pools families of models, asked within the families."""

import dataclasses

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.runs.description import residual_spread
from bayescale.runs.frames import Runs
from bayescale.runs.reading import as_table
from bayescale.runs.table import RunTable


@checks.kinds
def within_families(runs: Runs) -> RunTable:
    """Return runs whose fits give each family a level of its own, so that laws are compared within families.

    The level is an offset of log response, partially pooled: its scale is inferred with the law, and it is integrated
    out. ``compare`` leaves out whole families, and :func:`bayescale.judge` counts only how well a law predicts the
    models of a family beyond its first one, which shows the level. What families differ in beside N and D (data,
    tokenizer, recipe) then does not pass for an effect of the split, as far as it moves all models of a family alike.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The runs, as :func:`bayescale.read_runs` takes them, with the column ``family``.

    Returns
    -------
    RunTable
        The same rows. ``training_run``, by which rows share noise, is their family.

    Raises
    ------
    InputError
        If there is no column ``family``, only one family, or none of two models or more; or if several rows come from
        one training run already.
    """
    table = as_table(runs)
    frame = table.frame
    if "family" not in frame:
        raise InputError(
            f"{table.name}: asking within families needs a column family; found {', '.join(map(str, frame))}; map one "
            "to it"
        )
    sizes = frame["family"].value_counts()
    if len(sizes) < 2 or sizes.max() < 2:
        few = "one family" if len(sizes) < 2 else f"{len(sizes)} families of one model each"
        raise InputError(
            f"{table.name}: asking within families needs two or more families, some with several models; found {few}; "
            "compare the table as it is"
        )
    if "training_run" in frame and frame["training_run"].duplicated().any():
        raise InputError(
            f"{table.name}: several rows come from one training run, and rows can share one kind of noise only; keep "
            'the last row of each run (last_of="training_run"), then ask within families'
        )
    return dataclasses.replace(table, frame=frame.assign(training_run=frame["family"]))


def spread_within_families(frame: pd.DataFrame) -> float:
    """Return the residual s.d. of log10 N on log10 C, both less their means in each family; NaN without several models.

    It takes one slope for all families: a family whose models all have the same number of tokens, and one with the same
    ratio of tokens to parameters, move through N and C at different slopes, and differ by it.
    """
    logs = np.log10(frame[["N", "C"]].astype(float))
    own = logs - logs.groupby(frame["family"].to_numpy()).transform("mean")
    free = len(frame) - frame["family"].nunique() - 1
    return residual_spread(own["N"].to_numpy(), own["C"].to_numpy(), free) if free > 0 else float("nan")
