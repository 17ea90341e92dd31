"""The usual laws: those that are fitted to a table where none are named."""

from typing import TYPE_CHECKING

from bayescale.errors import InputError
from bayescale.laws import LAWS

if TYPE_CHECKING:
    from bayescale.runs import RunTable

USUAL_LAWS = {
    "loss": ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla"),
    "bpc": ("guo_compute", "compute_floor", "tilt", "kaplan_n", "chinchilla"),
    "error": ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla"),
}
"""Laws of compute alone, compute with a tilt, size alone or with data, and size and data apart, for each response."""


def usual_laws(runs: "RunTable") -> list[str]:
    """Return the usual laws of the response where the table has N and D, otherwise every law of the columns it has.

    Parameters
    ----------
    runs : RunTable
        The runs.

    Raises
    ------
    InputError
        If no built-in law describes the response by these columns.
    """
    usual = USUAL_LAWS.get(runs.response, ())
    if usual and {"N", "D"} <= set(runs.frame):
        return list(usual)
    fitting = [
        law.name for law in LAWS.values() if runs.response in law.responses and set(law.covariates) <= set(runs.frame)
    ]
    if not fitting:
        columns = ", ".join(map(str, runs.frame))
        raise InputError(
            f"{runs.name}: no law describes {runs.response} by the columns {columns}; see `bayescale laws`, or "
            "write a law of your own"
        )
    return fitting
