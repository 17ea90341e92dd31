"""What the numbers of a report rest on, as sentences."""

from bayescale.comparison.comparison import Comparison
from bayescale.decisions.allocation import Allocation
from bayescale.laws.measured import spending_sentence, table_cost
from bayescale.records.allocation import limit_texts
from bayescale.splits.constraints import Constraints

AVERAGED = " and of the laws' weights"


def assumptions(comparison: Comparison, allocation: Allocation | None) -> list[str]:
    """Return what a reader takes on trust with these numbers."""
    runs = comparison.runs
    several = allocation is not None and len(allocation.weights) > 1
    cost = table_cost(runs) if allocation is None else allocation.cost
    return [
        "Beyond the runs, sizes rest on the law. Intervals of N, D and D/N hold the uncertainty of a law's parameters"
        f"{AVERAGED if several else ''} and what the law misses of best sizes: as this table's own isoFLOP slices show "
        "it or, without such slices, as other tables do. The forecast of a run's loss holds what the law misses "
        "among the runs, which grows with distance.",
        f"{spending_sentence(cost, runs)} A token served costs a third of a training token.",
        *_counted(comparison),
        f"The logarithm of the {runs.response} scatters about each law by a Student t distribution with inferred scale "
        "and tails, the same for every law and every size of run; outliers are kept and weigh less.",
        "Laws of compute alone, and laws that are monotone in D/N, have no best split and take no part in the "
        "allocation, whatever their weight.",
        "Weights are prediction weights from leaving single runs out. They reward interpolation, and are not the "
        "probability that a law is true.",
        "Runs are treated as independent given the law, and as of one recipe. They were not randomised: the figures "
        "describe runs like these, and claim no cause.",
        f"What is best here is the {runs.response} at the end of training for a given {_given(allocation)}",
    ]


def _counted(comparison: Comparison) -> list[str]:
    """Say which parameters the laws are fitted to, where the table has several counts of them."""
    told = [each.statement for each in comparison.conventions]
    counts = comparison.runs.record.get("N", "as the table gives it")
    return [f"The laws are fitted to N, {counts}. {'; '.join(told)}."] if told else []


def _given(allocation: Allocation | None) -> str:
    if allocation is None or not allocation.constraints.record():
        return "training compute. Cost of serving, limits of data and of hardware are not part of it."
    return f"compute, within limits: {limits_text(allocation.constraints)}."


def limits_text(limits: Constraints) -> str:
    """Return the limits that were asked for in one line."""
    return "; ".join(limit_texts(limits.record(), 3))
