"""A checked table of training runs, and a selection of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from bayescale.errors import InputError
from bayescale.values import Value

FEWEST_ROWS = 5
QUERY_ERRORS = (SyntaxError, NameError, TypeError, ValueError, KeyError, AttributeError, NotImplementedError)


@dataclass(frozen=True, eq=False, repr=False)
class RunTable(Value):
    """A checked table, one row per finished training run.

    Attributes
    ----------
    name : str
        Name of the catalogued table, or the stem of the user's file.
    frame : pandas.DataFrame
        RangeIndex; columns ``run`` (str), those there are of ``N`` (parameters), ``D`` (tokens) and ``C`` (FLOP), the
        response (all float64), then the other recognised covariates, then the columns left over.
    response : str
        The column that holds the response: ``loss``, ``bpc``, ``error`` or ``gain``.
    unit : str
        Unit of the response, such as ``nats per token``.
    compute : str
        Where ``C`` comes from: ``given`` by the table, ``6ND``, or ``unknown`` where there is none.
    record : mapping of str to str
        Title, reference, licence, caveats, what N and D count; may be empty for a user's table.
    notes : tuple of str
        Everything worth saying about the table that is not a fault.
    """

    name: str
    frame: pd.DataFrame
    response: str
    unit: str
    compute: str
    record: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def select_runs(runs: RunTable, condition: str) -> RunTable:
    """Keep the runs for which a condition holds.

    Parameters
    ----------
    runs : RunTable
        The table to select from; it is not changed.
    condition : str
        A pandas query expression over the columns, such as ``10 <= D / N <= 40`` or ``family == 'llama'``.

    Returns
    -------
    RunTable
        The rows that satisfy the condition, named ``chinchilla [10 <= D / N <= 40]``.

    Raises
    ------
    InputError
        If the condition cannot be evaluated, is no yes-or-no question, or leaves too few rows, or rows in
        which N, D or the response never varies.
    """
    name = f"{runs.name} [{condition}]"
    kept = runs.frame[_holds(runs, condition)].reset_index(drop=True)
    if len(kept) < FEWEST_ROWS:
        raise InputError(
            f"{name}: {len(kept)} of {len(runs.frame)} rows are left, and a law needs at least {FEWEST_ROWS}; "
            "widen the condition"
        )
    faults = [
        f"{name}: column {column} is {kept[column].iloc[0]:.6g} in every row left; widen the condition"
        for column in ("N", "D", runs.response)
        if column in kept and kept[column].min() == kept[column].max() and _varies(runs.frame[column])
    ]
    if faults:
        raise InputError(*faults)
    note = f"{len(kept)} of {len(runs.frame)} rows selected by {condition}"
    return replace(runs, name=name, frame=kept, notes=(*runs.notes, note))


def _varies(values: "pd.Series[float]") -> bool:
    return bool(values.min() < values.max())


def _holds(runs: RunTable, condition: str) -> "pd.Series[bool]":
    remedy = f"write a comparison over the columns {', '.join(map(str, runs.frame.columns))}"
    try:
        # No outside names: an expression sees the columns and nothing of the calling program.
        mask = runs.frame.eval(condition, engine="python", local_dict={}, global_dict={})
    except QUERY_ERRORS as error:
        raise InputError(f"{runs.name}: cannot select by {condition!r} ({error}); {remedy}") from None
    if not isinstance(mask, pd.Series) or mask.dtype != bool:
        raise InputError(f"{runs.name}: {condition!r} is true or false of no row; {remedy}")
    return mask
