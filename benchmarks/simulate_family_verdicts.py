"""Simulated tables that pool families of models, and the laws' scores on each family left out.

    python benchmarks/simulate_family_verdicts.py FOLDER --tables 400    # two seconds a table; goes on where it stopped

Families have a level of their own, and in half of the tables a slope on compute as well; in a third of them the level
goes with the family's tokens per parameter, as where younger families have better data and more tokens. Within a
family sizes differ at one number of tokens, at one ratio of tokens to parameters, or at two numbers of tokens. Laws,
truths and sampling are those of ``simulate_verdicts.py``.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import simulate_verdicts as plain

LAWS = plain.LAWS
PATHS = ("tokens", "ratio", "two tokens")


def _families(rng: np.random.Generator) -> pd.DataFrame:
    """Return N, D and family of the models of one table."""
    count = round(np.exp(rng.uniform(np.log(5), np.log(60))))
    low, decades, width = 10 ** rng.uniform(7, 9), rng.uniform(1.5, 3), rng.uniform(0.2, 2.0)
    one_path = rng.choice(PATHS) if rng.uniform() < 0.3 else None
    parts = []
    for family in range(count):
        size = int(np.clip(rng.geometric(0.3), 1, 9))
        smallest = low * 10 ** rng.uniform(0, decades * 0.6)
        N = smallest * rng.uniform(1.6, 4) ** np.arange(size)
        ratio = 10 ** (np.log10(rng.uniform(20, 100)) + rng.uniform(-width / 2, width / 2))
        path = one_path or rng.choice(PATHS, p=(0.5, 0.2, 0.3))
        tokens = ratio * np.exp(np.log(N).mean())
        D = ratio * N if path == "ratio" else np.full(size, tokens)
        if path == "two tokens":
            D = D * np.where(np.arange(size) % 2, rng.uniform(1.5, 10), 1.0)
        parts.append(pd.DataFrame({"N": N, "D": D, "family": f"family {family}"}))
    return pd.concat(parts, ignore_index=True)


def within(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the logs of columns less their means in each family."""
    logs = np.log(frame[names])
    return logs - logs.groupby(frame["family"].to_numpy()).transform("mean")


def spread(frame: pd.DataFrame) -> float:
    """Return the residual s.d. of log10 N on log10 C within families."""
    logs = within(frame, ["N", "C"]) / np.log(10)
    slope = float(logs["C"] @ logs["N"] / max(logs["C"] @ logs["C"], 1e-12))
    free = len(frame) - frame["family"].nunique() - 1
    return float(np.sqrt(np.square(logs["N"] - slope * logs["C"]).sum() / max(free, 1)))


def describe_table(index: int) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return what one table is, and its rows in the order of a fit."""
    rng = np.random.default_rng([index, 2])
    frame = _families(rng)
    while len(frame) < 12 or len(frame) - frame["family"].nunique() < 6:
        frame = _families(rng)
    frame["C"] = 6 * frame["N"] * frame["D"]
    kind = plain.COMPUTE if index % 2 else plain.SPLIT
    truth_name = list(kind)[int(rng.integers(len(kind)))]
    typical = float(np.exp(np.log(frame["C"]).mean()))
    truth = (plain.COMPUTE | plain.SPLIT)[truth_name](rng, typical)
    clean = np.log(truth(frame["N"].to_numpy(), frame["D"].to_numpy()))
    sigma, nu = np.exp(rng.uniform(np.log(0.002), np.log(0.06))), float(rng.choice([3.0, 8.0]))
    level, slope = sigma * np.exp(rng.uniform(np.log(0.2), np.log(10))), rng.choice([0.0, rng.uniform(0, 0.3)])
    numbers = np.unique(frame["family"], return_inverse=True)[1]
    scores, turns = rng.standard_normal(numbers.max() + 1), rng.standard_normal(numbers.max() + 1)
    confounded = rng.uniform() < 1 / 3
    if confounded:
        ratio = np.log(frame["D"] / frame["N"]).groupby(numbers).mean().to_numpy()
        scores = (rng.choice([-1, 1]) * 0.7 * (ratio - ratio.mean()) / max(ratio.std(), 1e-9)) + 0.7 * scores
    fall = np.polyfit(np.log(frame["C"]), clean, 1)[0]
    own = level * scores[numbers] + slope * fall * turns[numbers] * within(frame, ["C"])["C"].to_numpy()
    frame["loss"] = np.exp(clean + own + sigma * rng.standard_t(nu, len(frame)))
    frame["training_run"] = frame["family"]
    frame = frame.sort_values(["N", "D", "C", "loss"], ignore_index=True)
    design = plain.Design(frame["N"].to_numpy(), frame["D"].to_numpy(), np.arange(len(frame)))
    facts = {"index": index, "truth": truth_name, "rows": len(frame), "families": int(frame["family"].nunique()),
             "several": int((frame["family"].value_counts() > 1).sum()), "spread": spread(frame), "sigma": float(sigma),
             "nu": nu, "level": float(level / sigma), "slope": float(slope), "confounded": bool(confounded),
             "cost": plain.true_cost(truth, design) if truth_name in plain.SPLIT else 0.0}  # fmt: skip
    return facts | {"unit": np.unique(frame["family"], return_inverse=True)[1].tolist()}, frame


def by_row(found: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return density (row,) and Pareto k (unit,) with each family left out, from densities (row, draw)."""
    from arviz_stats.base import array_stats  # noqa: PLC0415

    whole = np.stack([found[units == unit].sum(axis=0) for unit in range(units.max() + 1)])
    weights, pareto_k = array_stats.psislw(whole, axis=-1)
    elpd = np.empty(units.size)
    for unit, weight in enumerate(weights):
        rows = np.flatnonzero(units == unit)
        so_far = np.logaddexp.reduce(np.cumsum(found[rows], axis=0) + weight, axis=1)
        elpd[rows] = np.diff(so_far, prepend=np.logaddexp.reduce(weight))
    return elpd, pareto_k


def scores(name: str, frame: pd.DataFrame, units: np.ndarray, seed: int) -> dict[str, Any]:
    """Return a law's density of each row given those before it in its family and all other families."""
    from bayescale.fits.fit import reference_values  # noqa: PLC0415
    from bayescale.laws import get_law  # noqa: PLC0415

    law = get_law(name)
    reference = reference_values(frame, "loss", law)
    posterior = plain.sampled(law, frame, reference, seed)
    found = plain.density(law, posterior, frame, reference)
    elpd, pareto_k = by_row(found, units)
    bad = np.flatnonzero(pareto_k > min(1 - 1 / np.log10(found.shape[1]), 0.7))
    for unit in bad[np.argsort(-pareto_k[bad])][: plain.MAX_REFITS]:
        rows = np.flatnonzero(units == unit)
        again = plain.sampled(law, frame.drop(index=rows), reference, seed)
        held = plain.density(law, again, frame.loc[rows], reference)
        so_far = np.logaddexp.reduce(np.cumsum(held, axis=0), axis=1) - np.log(held.shape[1])
        elpd[rows] = np.diff(so_far, prepend=0.0)
    facts = {"elpd_i": [round(float(value), 4) for value in elpd], "bad_k": max(0, bad.size - plain.MAX_REFITS)}
    return facts | (plain.split_facts(law, posterior, frame, reference) if name in ("kaplan_nd", "chinchilla") else {})


def read(path: Path) -> Mapping[int, dict[str, Any]]:
    """Return the tables of a file by their numbers."""
    return plain.read(path)


def main() -> None:
    """Simulate and score tables, each written as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", type=int, default=400)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help="first table and step, for two processes")
    asked = parser.parse_args()
    path = asked.folder / f"families-{asked.part[0]}-{asked.part[1]}.jsonl"
    asked.folder.mkdir(parents=True, exist_ok=True)
    known = read(path)
    for index in range(asked.part[0], asked.tables, asked.part[1]):
        if index in known:
            continue
        facts, frame = describe_table(index)
        laws = {name: scores(name, frame, np.array(facts["unit"]), index) for name in LAWS}
        with path.open("a") as file:
            file.write(json.dumps(facts | {"laws": laws}) + "\n")


if __name__ == "__main__":
    main()
