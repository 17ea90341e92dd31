"""The usual budgets: those that are split where none are given."""

from bayescale.errors import InputError
from bayescale.runs import RunTable

USUAL_BUDGETS = (1.0, 10.0, 100.0)
"""The usual budgets, over the compute of the largest run of the table."""


def usual_budgets(runs: RunTable) -> list[float]:
    """Return 1, 10 and 100 times the compute of the largest run, in FLOP.

    Parameters
    ----------
    runs : RunTable
        The runs.

    Raises
    ------
    InputError
        If the table has no C.
    """
    if "C" not in runs.frame:
        raise InputError(f"{runs.name}: a budget is FLOP to split between N and D; the table has no C")
    largest = float(runs.frame["C"].max())
    return [factor * largest for factor in USUAL_BUDGETS]
