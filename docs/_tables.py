"""What the pages about every table share: the tables, those beyond the catalogue, and fitting all laws that fit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import bayescale as bs

MAIN = ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla", "overtrain")


@dataclass(frozen=True)
class Job:
    """A table, the laws that are fitted to it, and what to bear in mind."""

    title: str
    load: Callable[[], bs.RunTable]
    laws: Sequence[str]
    remark: str = ""


def catalogued(name: str, laws: Sequence[str], where: str | None = None, remark: str = "") -> Job:
    """Return the job of a table of the catalogue."""

    def load() -> bs.RunTable:
        table = bs.load_runs(name)
        return bs.select_runs(table, where) if where else table

    return Job(name if where is None else f"{name} [{where}]", load, laws, remark)


LEFT_OUT = {
    "epoch-chinchilla": "the same runs as chinchilla",
    "steplaw-dense": "most rows are badly chosen learning rates and batch sizes; steplaw-dense-best holds the best",
    "steplaw-moe": "N is the same in every row, and no law here is of active_N and D",
    "steplaw-moe-best": "N is the same in every row, and no law here is of active_N and D",
    "sloth-mmlu": "the models of obsscaling-mmlu and llm-skills-mmlu again, some instructed",
    "sloth-bbh": "the models of llm-skills-bbh again",
    "regmix-pile-cc": "differs in the mixture of data, and no law here is of mixtures",
}
"""Tables of the catalogue that are not fitted, and why."""


REFERENCES = {
    "gadre": "Gadre et al. (2024), arXiv:2403.08540",
    "porian": "Porian et al. (2024), arXiv:2406.19146, Chinchilla-like schedules",
    "datablations": "Muennighoff et al. (2023), arXiv:2305.16264",
}

FURTHER = {
    "gadre-overtrain.csv": (
        ("gadre C4", "dataset == 'C4'", MAIN),
        ("gadre RedPajama", "dataset == 'RedPajama'", MAIN),
        ("gadre RefinedWeb", "dataset == 'RefinedWeb'", MAIN),
    ),
    "porian.csv": (
        ("porian RefinedWeb", "dataset == 'RefinedWeb' and family == 'base-short-chinchilla'", MAIN),
        ("porian OpenWebText2", "dataset == 'OpenWebText2' and family == 'base-short-chinchilla'", MAIN),
    ),
    "datablations.csv": (
        ("datablations C4, one epoch", "dataset == 'C4' and epochs < 1.001 and is_seed_replicate == 0", MAIN[:5]),
        (
            "datablations C4, as published",
            "in_published_fit == 1",
            ("data_constrained", "chinchilla", "bounded", "compute_floor"),
        ),
    ),
}
"""Title, rows and laws of each table that is not in the catalogue."""


type Parts = Mapping[str, Sequence[tuple[str, str, Sequence[str]]]]


def further_jobs(folder: Path, tables: Parts = FURTHER) -> Iterator[Job]:
    """Yield a job for each table that is not in the catalogue, from the files in a folder."""
    for file, parts in tables.items():
        for title, where, laws in parts:
            yield Job(title, lambda file=file, where=where, title=title: _further(folder / file, where, title), laws)


def _further(path: Path, where: str, title: str) -> bs.RunTable:
    frame = pd.read_csv(path).query(where).reset_index(drop=True)
    frame = frame.rename(columns={"run_id": "run", "params": "N", "tokens": "D", "flops": "C"})
    columns = ["run", "N", "D", "C", "loss", *(name for name in ("unique_tokens",) if name in frame)]
    # Two runs with the same label are two seeds of one cell.
    frame["run"] = frame["run"].astype(str) + frame.groupby("run").cumcount().map(lambda k: f" ({k + 1})" if k else "")
    record = {"reference": REFERENCES[title.split(maxsplit=1)[0]]}
    return bs.RunTable.from_frame(frame[columns].astype({"C": float}), name=title, record=record)


SHORTER = {"draws": 500, "tune": 500}
"""Settings for tables whose rows share noise, which sample ten times as slowly."""


def settings_of(runs: bs.RunTable) -> Mapping[str, int]:
    """Return how a table is sampled: as by default, or by shorter chains where its rows share noise."""
    return SHORTER if "training_run" in runs.frame and runs.frame["training_run"].duplicated().any() else {}


def fit_all(runs: bs.RunTable, laws: Sequence[str], **settings: int) -> tuple[dict[str, bs.Fit], list[str]]:
    """Fit the laws that this table can serve; say why the others were not."""
    fits, refused = {}, []
    for law in laws:
        try:
            fits[law] = bs.fit(runs, law, **settings)
        except bs.InputError as error:
            refused.append(f"{law} not fitted: {error}")
    return fits, refused
