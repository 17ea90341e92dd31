"""Further scores of simulated tables: by other criteria than single rows, and by full fits.

    python benchmarks/check_verdict_scores.py FOLDER criteria --tables 70    # four seconds a table
    python benchmarks/check_verdict_scores.py FOLDER full --tables 20        # fifteen seconds a table

``criteria`` leaves out budgets, training runs or the largest fifth of the rows, with refits by short chains as in
``simulate_verdicts.py``. ``full`` makes the fits that users make, and compares them as ``bayescale.compare`` does.
Tables are spread over all of ``simulate_verdicts.py``; both go on where they stopped, one JSON line a table.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import simulate_verdicts as plain

MOST_FOLDS = 6
STRIDE = 29
"""Every so manieth table is taken, so that designs, truths and noises take turns."""


def table_of(facts: dict[str, Any], frame: pd.DataFrame) -> Any:  # noqa: ANN401  (a RunTable, imported where needed)
    """Return a simulated table as bayescale reads it."""
    from bayescale.runs import RunTable  # noqa: PLC0415

    own = frame.assign(run=[f"run {row}" for row in range(len(frame))])
    if facts["design"] == "checkpoints":
        own = own.assign(training_run=[f"training run {unit}" for unit in facts["unit"]])
    return RunTable.from_frame(own, name=f"table {facts['index']}", response="loss")


def criteria_of(facts: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """Return the density of rows left out by each law and criterion, and the group of each row."""
    from bayescale.runs.folds import ALONE, grouping_of  # noqa: PLC0415

    table, found = table_of(facts, frame), {}
    for by in ("budget", "largest", "training_run"):
        if by == "training_run" and "training_run" not in table.frame:
            continue
        grouping = grouping_of(table, by, None, 0)
        if by != "largest" and grouping.count > MOST_FOLDS:
            grouping = grouping_of(table, by, MOST_FOLDS, 0)
        held = np.flatnonzero(grouping.folds != ALONE)
        if len(frame) - max(np.bincount(grouping.folds[held])) < 9:
            continue
        laws = {law: left_out(law, frame, grouping.folds, facts["index"])[held] for law in plain.LAWS}
        units = np.array(facts["unit"])[held] if by == "largest" else grouping.units[held]
        found[by] = {"unit": units.tolist(), "laws": {law: {"elpd_i": _rounded(each)} for law, each in laws.items()}}
    return found


def left_out(name: str, frame: pd.DataFrame, folds: np.ndarray, seed: int) -> np.ndarray:
    """Return the log density of each row under the posterior of the rows outside its fold (row,)."""
    from bayescale.fits.fit import reference_values  # noqa: PLC0415
    from bayescale.laws import get_law  # noqa: PLC0415

    law = get_law(name)
    reference, found = reference_values(frame, "loss", law), np.full(len(frame), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        held = folds == fold
        posterior = plain.sampled(law, frame[~held], reference, seed)
        density = plain.density(law, posterior, frame[held], reference)
        found[held] = np.logaddexp.reduce(density, axis=1) - np.log(density.shape[1])
    return found


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def full_of(facts: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """Return what the fits that users make say: differences of the laws, the probability and the answer."""
    import bayescale as bs  # noqa: PLC0415

    fits = bs.fit_laws(table_of(facts | {"design": ""}, frame), list(plain.LAWS), random_seed=1, cache=False)
    comparison = bs.compare(fits, max_refits=plain.MAX_REFITS, cache=False)
    verdict = bs.judge(comparison)
    return {
        "probability": verdict.probability,
        "answer": verdict.answer,
        "above": verdict.effect_above_tolerance,
        "elpd": {name: float(comparison.table.loc[name, "elpd"]) for name in plain.LAWS},
        "passed": all(fit.diagnostics.passed for fit in fits.values()),
    }


def chosen(tables: int) -> Iterator[int]:
    """Yield numbers of tables, from all over."""
    yield from ((place * STRIDE) % 2000 for place in range(tables))


def main() -> None:
    """Score tables, each written as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("criteria", "full"))
    parser.add_argument("--tables", type=int, required=True)
    asked = parser.parse_args()
    path = asked.folder / f"{asked.what}.jsonl"
    known = {json.loads(line)["index"] for line in path.read_text().splitlines()} if path.exists() else set()
    work = criteria_of if asked.what == "criteria" else full_of
    for index in chosen(asked.tables):
        if index in known:
            continue
        facts, frame = plain.describe_table(index, mix=False)
        with path.open("a") as file:
            file.write(json.dumps(facts | {asked.what: work(facts, frame)}) + "\n")


if __name__ == "__main__":
    main()
