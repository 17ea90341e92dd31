"""Write docs/verdict-calibration.md: how often the split matters where a verdict says so, on simulated tables.

    python benchmarks/simulate_verdicts.py SCORES --tables 2000         # an hour on a core; goes on where it stopped
    python benchmarks/simulate_verdicts.py SCORES --mix --tables 144
    python benchmarks/simulate_family_verdicts.py SCORES --tables 160   # tables that pool families
    python benchmarks/check_verdict_scores.py SCORES criteria --tables 70
    python benchmarks/check_verdict_scores.py SCORES full --tables 20
    python docs/make_verdict_calibration.py SCORES                      # a minute

By how much a law of N and D must lead is chosen on one half of the tables and confirmed on the other. The choice, and
what was measured of it, is written to data/verdict-calibration.json, from which ``bayescale.judge`` reads it.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bayescale.comparison.odds import UNKNOWN, Kinds, Lead, drawn_totals, score_of
from bayescale.comparison.silence import LEAST_SPREAD
from bayescale.comparison.verdict import ANSWERS, answer_at
from bayescale.storage import write_whole

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "benchmarks"))

from simulate_verdicts import COMPUTE, DESIGNS, SPLIT, TOLERANCE, read  # noqa: E402

PAGE, PICTURE = HERE / "verdict-calibration.md", HERE / "images" / "verdict-reliability.png"
DATA = HERE.parent / "data" / "verdict-calibration.json"
KINDS = Kinds(("compute_power", "compute_floor"), ("kaplan_nd", "chinchilla"), ("tilt",))
OFF_LIST = ("bend", "joined", "farseer", "isoflop_law")
"""Truths that are no law among those compared."""

MARGINS = {"split": (-1.0, 0.0, 1.0, 2.0), "lean": (2.0, 4.0, 6.0), "error": (0.0, 1.0, 2.0, 3.0)}
"""Margins and errors that are tried, in nats."""

CLOSE = 0.002
"""Log scores that differ by no more, on a thousand tables, are as good as each other."""

LEAST = 0.005
"""No probability is nearer to 0 or 1: the tables that are surer are some hundreds."""

SURE = 0.45
"""Distance from one half from which a probability counts as sure."""

DRAWS = 4000
BINS = (0.0, 0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)
ENOUGH = 50
"""Tables from which a bin of the reliability diagram counts."""


@dataclass(frozen=True, eq=False)
class Table:
    """One simulated table."""

    facts: Mapping[str, Any]
    totals: np.ndarray

    @property
    def matters(self) -> bool:
        """Whether the truth is a law of N and D."""
        return self.facts["truth"] in SPLIT

    @property
    def first_half(self) -> bool:
        """Whether it serves to choose: of each design and kind of truth every other one."""
        return self.facts["index"] // (2 * len(DESIGNS)) % 2 == 0

    def probability(self, lead: Lead) -> float:
        """Return the probability that the split matters."""
        return float(np.clip(score_of(self.totals, KINDS, lead)[0], LEAST, 1 - LEAST))

    def above(self, lead: Lead) -> float:
        """Return the probability that ignoring the split costs more than the tolerance at the runs' own D/N."""
        best = np.bincount(score_of(self.totals, KINDS, lead)[1], minlength=len(KINDS.split) + len(KINDS.lean))
        shares = best / best.sum()
        costs = [np.array(self.facts["laws"][name]["cost_draws"], dtype=float) for name in KINDS.split]
        over = [float(np.mean(~(cost <= TOLERANCE))) for cost in costs] + [1.0] * len(KINDS.lean)
        return self.probability(lead) * float(shares @ over)


def load(folder: Path, name: str) -> list[Table]:
    """Read the scores of simulated tables from all parts, and draw the laws' totals."""
    found = {index: facts for path in sorted(folder.glob(f"{name}-*.jsonl")) for index, facts in read(path).items()}
    return [Table(facts, _totals(facts)) for facts in found.values() if set(KINDS.names) <= set(facts["laws"])]


def _totals(facts: Mapping[str, Any], counted: np.ndarray | None = None) -> np.ndarray:
    """Draw the totals of one table; rows of high Pareto k that were not refitted are not known by place."""
    counted = np.ones(len(facts["unit"]), dtype=bool) if counted is None else counted
    elpd_i = np.array([facts["laws"][name]["elpd_i"] for name in KINDS.names])[:, counted]
    units = np.unique(np.array(facts["unit"])[counted], return_inverse=True)[1]
    return drawn_totals(elpd_i, units, np.zeros(elpd_i.shape, dtype=bool), random_seed=facts["index"])[:DRAWS]


def load_families(folder: Path) -> list[Table]:
    """Read the scores of tables that pool families; the first model of each family shows its level and does not count.

    Models are in the order of their sizes, as in a fit.
    """
    found = {i: facts for path in sorted(folder.glob("families-*.jsonl")) for i, facts in read(path).items()}
    tables = []
    for facts in found.values():
        counted = np.ones(facts["rows"], dtype=bool)
        counted[np.unique(facts["unit"], return_index=True)[1]] = False
        tables.append(Table(facts, _totals(facts, counted)))
    return tables


def by_criterion(folder: Path, tables: Sequence[Table], lead: Lead) -> dict[str, dict[str, Any]]:
    """Return how well the probability holds by further criteria, and by single rows on the same tables."""
    point, path = {each.facts["index"]: each for each in tables}, folder / "criteria.jsonl"
    found: dict[str, list[tuple[float, float, bool]]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        facts = json.loads(line)
        for by, scored in facts["criteria"].items():
            table = Table(facts, _totals({**facts, **scored}))
            same = point[facts["index"]].probability(lead)
            found.setdefault(by, []).append((table.probability(lead), same, table.matters))
    return {by: _held(np.array(each, dtype=float)) for by, each in found.items()}


def _held(found: np.ndarray) -> dict[str, Any]:
    """Return Brier scores of a criterion and of single rows, and how often the criterion is sure and wrong."""
    probability, point, matters = found.T
    sure = np.abs(probability - UNKNOWN) >= SURE
    return {
        "tables": len(found),
        "brier": float(np.mean((probability - matters) ** 2)),
        "point_brier": float(np.mean((point - matters) ** 2)),
        "sure": int(sure.sum()),
        "sure_and_wrong": int((sure & ((probability > UNKNOWN) != matters)).sum()),
    }


def full_fits(folder: Path, tables: Sequence[Table], lead: Lead) -> list[dict[str, Any]]:
    """Return what full fits say beside the short chains of the simulation, table by table."""
    short, path, rows = {each.facts["index"]: each for each in tables}, folder / "full.jsonl", []
    for line in path.read_text().splitlines() if path.exists() else ():
        facts = json.loads(line)
        full, table = facts["full"], short[facts["index"]]
        totals = {name: sum(each["elpd_i"]) for name, each in table.facts["laws"].items()}
        moved = {name: full["elpd"][name] - totals[name] for name in totals}
        rows.append(
            {name: facts[name] for name in ("index", "design", "truth", "rows")}
            | {"short": table.probability(lead), "full": full["probability"]}
            | {"short_answer": answer_at(table.above(lead)), "full_answer": full["answer"]}
            | {"farthest": max(abs(moved[name] - moved["compute_floor"]) for name in moved)}
        )
    return rows


def log_score(tables: Sequence[Table], lead: Lead) -> float:
    """Return the mean log score of the probabilities; lower is better."""
    return float(-np.mean([np.log(p if t.matters else 1 - p) for t, p in ((t, t.probability(lead)) for t in tables)]))


def choose(tables: Sequence[Table]) -> Lead:
    """Return the margins and the error: of those whose log score is near the least, those nearest to the diagonal."""
    tried = [Lead(*values) for values in itertools.product(*MARGINS.values())]
    scores = {lead: log_score(tables, lead) for lead in tried}
    near = [lead for lead in tried if scores[lead] <= min(scores.values()) + CLOSE]
    return min(near, key=lambda lead: farthest(measured(tables, lead)))


# What came out


def measured(tables: Sequence[Table], lead: Lead) -> dict[str, Any]:
    """Return Brier score, reliability, and how often answers are decided and wrong."""
    p = np.array([each.probability(lead) for each in tables])
    matters = np.array([each.matters for each in tables])
    costs = np.array([each.facts["cost"] > TOLERANCE for each in tables])
    answers = np.array([answer_at(each.above(lead)) for each in tables])
    says_matters, says_suffices = answers == "split_matters", answers == "compute_suffices"
    return {
        "tables": len(tables),
        "brier": float(np.mean((p - matters) ** 2)),
        "bins": list(_bins(p, matters)),
        "answers": {name: int((answers == name).sum()) for name in ANSWERS},
        "wrong_matters": int((says_matters & ~matters).sum()),
        "wrong_suffices": int((says_suffices & costs).sum()),
        "right_side": float(np.mean(np.where(p > UNKNOWN, matters, ~matters))),
    }


def _bins(p: np.ndarray, matters: np.ndarray) -> Iterator[dict[str, float]]:
    place = np.clip(np.digitize(p, BINS) - 1, 0, len(BINS) - 2)
    for i in range(len(BINS) - 1):
        held = place == i
        if held.any():
            rate = float(matters[held].mean())
            yield {
                "low": BINS[i],
                "high": BINS[i + 1],
                "tables": int(held.sum()),
                "mean": float(p[held].mean()),
                "rate": rate,
                "error": float(np.sqrt(max(rate * (1 - rate), 0.25 / held.sum()) / held.sum())),
            }


def decided(found: Mapping[str, Any]) -> float:
    """Return in what part of the tables the answer is decided or probable."""
    return 1 - found["answers"]["cannot_tell"] / found["tables"]


def wrong(found: Mapping[str, Any]) -> float:
    """Return in what part of the tables a decided answer is wrong."""
    return float((found["wrong_matters"] + found["wrong_suffices"]) / found["tables"])


def farthest(found: Mapping[str, Any]) -> float:
    """Return the largest distance from the diagonal of a bin of enough tables."""
    return max((abs(each["mean"] - each["rate"]) for each in found["bins"] if each["tables"] >= ENOUGH), default=0.0)


# The page


def part(value: float) -> str:
    """Return a part of one as a percentage."""
    return f"{100 * value:.1f}%"


def aims(groups: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what was aimed at beside what came out."""
    everything, off = groups["both halves"], groups["truths not compared"]
    mix = groups.get("first mix")
    yield "| aim | came out | |"
    yield "|---|---|---|"
    near, brier = farthest(everything), f"{mix['brier']:.3f}" if mix else "not measured"
    rows = (
        (f"every bin of {ENOUGH} tables within 0.07 of the diagonal", f"{near:.3f}", near <= 0.07),
        ("the same, truths that are not compared", f"{farthest(off):.3f}", farthest(off) <= 0.07),
        ("Brier score on the first mix at most 0.075", brier, bool(mix) and mix["brier"] <= 0.075),
        ("'matters' or 'suffices' wrong in at most 3%", part(wrong(everything)), wrong(everything) <= 0.03),
        ("decided or probable in at least 75%", part(decided(everything)), decided(everything) >= 0.75),
        ("2,000 tables", f"{everything['tables']}", everything["tables"] >= 2000),
    )  # fmt: skip
    yield from (f"| {aim} | {found} | {'met' if met else 'not met'} |" for aim, found, met in rows)


def summary(groups: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a row for each group of tables."""
    yield "| tables | number | Brier | farthest bin | decided or probable | wrong 'matters' | wrong 'suffices' |"
    yield "|---|---|---|---|---|---|---|"
    for name, found in groups.items():
        yield (
            f"| {name} | {found['tables']} | {found['brier']:.3f} | {farthest(found):.3f} | {part(decided(found))} | "
            f"{found['wrong_matters']} | {found['wrong_suffices']} |"
        )


def reliability(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the bins of the reliability diagram."""
    yield "| probability said | tables | mean of it | the split mattered in |"
    yield "|---|---|---|---|"
    for each in found["bins"]:
        yield f"| {each['low']:g} to {each['high']:g} | {each['tables']} | {each['mean']:.3f} | {part(each['rate'])} |"


def further_criteria(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield how well the probability holds by further criteria."""
    yield "| left out | tables | Brier | single rows, same tables | below 0.05 or above 0.95 | of these wrong |"
    yield "|---|---|---|---|---|---|"
    for by, each in found.items():
        yield (
            f"| {by} | {each['tables']} | {each['brier']:.3f} | {each['point_brier']:.3f} | {each['sure']} | "
            f"{each['sure_and_wrong']} |"
        )


def beside_full_fits(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what full fits say, table by table."""
    speak = [each for each in found if each["full"] != UNKNOWN]
    moved = np.abs([each["full"] - each["short"] for each in speak])
    yield (
        "The tables above are sampled by 2 chains of 300 draws, those of users by 4 of 1000. Of "
        f"{len(found)} tables fitted both ways {len(found) - len(speak)} are silent on the split by their design alone "
        "(0.500), which the simulation does not ask. On the others the probability moves by "
        f"{np.median(moved):.3f} in the median and {moved.max():.3f} at most. An answer becomes 'cannot tell' where "
        "the diagnostics of a full fit failed."
    )
    yield ""
    yield "| table | design, truth | rows | short chains | full fits | answers | elpd moves by at most (nats) |"
    yield "|---|---|---|---|---|---|---|"
    for each in found:
        answers = dict.fromkeys(each[name].replace("_", " ") for name in ("short_answer", "full_answer"))
        yield (
            f"| {each['index']} | {each['design']}, {each['truth']} | {each['rows']} | {each['short']:.3f} | "
            f"{each['full']:.3f} | {', then '.join(answers)} | {each['farthest']:.1f} |"
        )


def page(record: Mapping[str, Any]) -> str:
    """Return the page of what was chosen and measured."""
    groups, lead = record["measured"], Lead(**record["lead"])
    both = groups["both halves"]
    counts = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in both["answers"].items())
    sections = [
        INTRODUCTION,
        "## Aims, and what came out\n\n" + "\n".join(aims(groups)),
        PICTURED,
        f"## Reliability\n\nAll {both['tables']} tables of every design and truth; the\nanswers: {counts}.\n\n"
        + "\n".join(reliability(both)),
        "## By half, truth, design and size\n\n" + GROUPS + "\n\n" + "\n".join(summary(groups)),
        "## Within families\n\n" + WITHIN + "\n\n" + "\n".join(summary(record["families"])),
        "## By other criteria\n\n" + FURTHER + "\n\n" + "\n".join(further_criteria(record["criteria"])),
        "## Beside full fits\n\n" + "\n".join(beside_full_fits(record["full"])),
        METHOD.format(**asdict(lead), least=LEAST),
    ]
    return "\n\n".join(sections) + "\n"


INTRODUCTION = """# Does the split matter as often as verdicts say?

Made by `python docs/make_verdict_calibration.py`; do not edit. `verdict.probability` is the probability that the split
of compute between N and D matters: that a law of N and D predicts better than compute alone. Here it is held against
simulated tables whose truth is known. Half of them follow compute alone (a power, a floor and a power, and two powers
that meet, with a ripple), half a law of N and D (`tilt`, `chinchilla`, `isoflop`, `farseer`, and two powers joined by
a norm, with ripples); 8 to 250 runs of seven designs, noise of 0.1 to 3%, with tails of Student t of 3 or 8 degrees.
Laws compared are the usual ones, so that the ripples, the norm, `isoflop` and `farseer` are truths that none of them
has."""

PICTURED = """![How often the split mattered, by the probability said](images/verdict-reliability.png)

*Each point is a bin of tables; bars are one standard error of the rate, and sizes of points the number of tables. On
the diagonal the probability holds.*"""

GROUPS = f"""A wrong "matters" is said of a truth of compute alone; a wrong "suffices" where the true cost at the D/N
of the runs is above {100 * TOLERANCE:g}%. Bins count from {ENOUGH} tables. The first mix is that of 12
designs, truths and noises on which the plain probability was tried first."""

WITHIN = f"""Tables that pool 5 to 60 families of 1 to 9 models. Each family has a level of its own, 0.2 to 10
times the noise; in half of the tables a slope on compute, too; in a third ("levels go with D/N") younger families with
more tokens per parameter are better, or worse, for other reasons. Laws are compared with a partially pooled level,
families are left out as a whole, and the first model of each shows the level and does not count. The margins are those
chosen above, on tables without families. Where sizes at like compute spread by less than {LEAST_SPREAD} (s.d. of log10
N within families) a verdict refuses."""

FURTHER = """Only the probability by single rows, or whole training runs and families, is calibrated. With other
groups left out the same rule gives these scores; where they are worse, the probability by that criterion is a matter of
what is predicted, not of what is true."""

METHOD = """## How it is found

The laws' densities of rows left out are summed over each training run. Totals of all laws are drawn jointly from the
Student t distribution of a sum over so many units, so that few units make a wide one; in each draw the best law of
each kind is chosen anew. A law with a best split leads when it is {split:g} nats ahead, and a law of N and D without
one (`tilt`, which holds compute alone as a case) when it is {lean:g} nats ahead; an error of {error:g} nats is added.
The three were chosen on one half of the tables, by log score and then by how near its bins are to the diagonal, and the
other half confirms them. No probability is
nearer to 0 or 1 than {least:g}.

Posteriors here are 2 chains of 300 draws, where a fit has 4 of 1000: the difference of two laws' elpd moves by a few
tenths of a nat. Up to 5 rows of high Pareto k are refitted for each law."""


def draw(found: Mapping[str, Any], off: Mapping[str, Any]) -> None:
    """Draw the reliability diagram."""
    import matplotlib as mpl  # noqa: PLC0415  (its backend is chosen first)

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, ax = plt.subplots(figsize=(5, 4.6), layout="constrained")
    ax.plot([0, 1], [0, 1], color="0.6", lw=1)
    for each, color, label in ((found, "C0", "all tables"), (off, "C1", "truths not compared")):
        bins = {key: np.array([one[key] for one in each["bins"]]) for key in ("mean", "rate", "error", "tables")}
        ax.errorbar(bins["mean"], bins["rate"], bins["error"], fmt="none", color=color, lw=1)
        ax.scatter(bins["mean"], bins["rate"], s=8 * np.sqrt(bins["tables"]), color=color, label=label, alpha=0.8)
    ax.set(xlabel="probability that the split matters", ylabel="part of the tables in which it does")
    ax.legend(frameon=False)

    def write(temporary: Path) -> None:
        figure.savefig(temporary, dpi=120, facecolor="white", format="png", metadata={"Software": None})

    write_whole(PICTURE, write)


def grouped(tables: Sequence[Table], mix: Sequence[Table], lead: Lead) -> dict[str, dict[str, Any]]:
    """Return what came out, for all tables and parts of them."""
    groups: dict[str, Sequence[Table]] = {
        "both halves": tables,
        "half that chose": [each for each in tables if each.first_half],
        "half that confirms": [each for each in tables if not each.first_half],
        "first mix": mix,
        "truths not compared": [each for each in tables if each.facts["truth"] in (*COMPUTE, *OFF_LIST)
                                and each.facts["truth"] not in ("compute_power", "compute_floor")],
    }  # fmt: skip
    for truth in (*COMPUTE, *SPLIT):
        groups[f"truth {truth}"] = [each for each in tables if each.facts["truth"] == truth]
    for design in DESIGNS:
        groups[f"design {design}"] = [each for each in tables if each.facts["design"] == design]
    for low, high in ((8, 20), (20, 60), (60, 260)):
        groups[f"{low} to {high - 1} rows"] = [each for each in tables if low <= each.facts["rows"] < high]
    return {name: measured(each, lead) for name, each in groups.items() if each}


def grouped_families(tables: Sequence[Table], lead: Lead) -> dict[str, dict[str, Any]]:
    """Return what came out on tables that pool families, for all and parts of them."""
    asked = [each for each in tables if each.facts["spread"] >= LEAST_SPREAD]
    groups = {
        "of enough spread": asked,
        "levels go with D/N": [each for each in asked if each.facts["confounded"]],
        "slopes of their own": [each for each in asked if each.facts["slope"] > 0],
        "truths not compared": [each for each in asked if each.facts["truth"] in OFF_LIST],
        "of too little spread": [each for each in tables if each.facts["spread"] < LEAST_SPREAD],
    }
    return {name: measured(each, lead) for name, each in groups.items() if each}


def main() -> None:
    """Choose, confirm, and write the numbers, the figure and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--show", action="store_true", help="print the page; write nothing")
    asked = parser.parse_args()
    tables, mix = (load(asked.scores, name) for name in ("tables", "mix"))
    lead = choose([each for each in tables if each.first_half])
    groups = grouped(tables, mix, lead)
    record = {
        "lead": asdict(lead),
        "least": LEAST,
        "measured": groups,
        "families": grouped_families(load_families(asked.scores), lead),
        "criteria": by_criterion(asked.scores, tables, lead),
        "full": full_fits(asked.scores, tables, lead),
    }
    if asked.show:
        print(page(record))  # noqa: T201
        return
    write_whole(DATA, lambda path: path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8"))
    draw(groups["both halves"], groups["truths not compared"])
    write_whole(PAGE, lambda path: path.write_text(page(record), encoding="utf-8"))


if __name__ == "__main__":
    main()
