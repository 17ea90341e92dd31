"""What is known of common benchmarks: the score of guessing, the number of questions, and what a score is made of."""

import re
from dataclasses import dataclass
from typing import Literal

type Kind = Literal["count", "probability", "bounded"]
"""A part of questions that are right; a mean of probabilities; any other score with a largest and smallest value."""

KINDS: tuple[Kind, ...] = ("count", "probability", "bounded")


@dataclass(frozen=True)
class Benchmark:
    """Facts of a benchmark: expected score of guessing, number of questions, and kind of score."""

    chance: float
    items: int | None = None
    kind: Kind = "count"


_KNOWN = {
    ("mmlu",): Benchmark(0.25, 14042),
    ("arcc", "arc", "arcchallenge"): Benchmark(0.25, 1172),
    ("hellaswag",): Benchmark(0.25, 10042),
    ("winogrande", "winograd"): Benchmark(0.5, 1267),
    ("truthfulqa", "truthfulqamc2"): Benchmark(0.3, 817, "probability"),
    ("gsm8k",): Benchmark(0.0, 1319),
    ("xwinograd",): Benchmark(0.5, 2325),
    ("humaneval",): Benchmark(0.0, 164),
    ("mmlupro", "leaderboardmmlupro"): Benchmark(0.1, 12032),
    ("gpqa", "leaderboardgpqa"): Benchmark(0.25, 1192),
    ("mathhard", "mathlvl5", "math", "leaderboardmathhard"): Benchmark(0.0, 1324),
    ("ifeval", "leaderboardifeval"): Benchmark(0.0, 541),
    ("bbh", "leaderboardbbh"): Benchmark(0.29, 5761),
    ("musr", "leaderboardmusr"): Benchmark(0.36, 756),
}
KNOWN: dict[str, Benchmark] = {name: facts for names, facts in _KNOWN.items() for name in names}
"""By name, in lower case and without signs. Chance of TruthfulQA, BBH and MuSR: means over their questions or tasks."""


def known_benchmark(response: str) -> Benchmark | None:
    """Return the facts of a benchmark by its name, however it is written; None where it is not known."""
    return KNOWN.get(re.sub(r"[^a-z0-9]", "", response.casefold()))
