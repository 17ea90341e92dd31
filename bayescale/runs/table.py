"""A checked table of training runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from bayescale.values import Value
from bayescale.words import count_text, short, typed

if TYPE_CHECKING:
    from bayescale.runs.frames import Frame

FEWEST_ROWS = 5
"""Rows that a table needs before a law can be fitted to it."""

ROWS_SHOWN = 8
"""A notebook shows at most this many rows of a table of runs."""


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

    @classmethod
    def from_frame(
        cls,
        frame: "Frame",
        *,
        columns: Mapping[str, str] | None = None,
        response: str | None = None,
        unit: str | None = None,
        needs: Sequence[str] | None = None,
        name: str | None = None,
        record: Mapping[str, str] | None = None,
    ) -> "RunTable":
        """Check a table in memory with one row per finished training run.

        Parameters
        ----------
        frame : pandas.DataFrame, polars.DataFrame, pyarrow.Table or mapping of str to sequence
            The runs; they are not changed. A named index counts as a column.
        columns, response, unit, needs, name, record
            As in :func:`bayescale.read_runs`, which does the same for whatever it is given.

        Returns
        -------
        RunTable
            The runs in the order of the table.

        Raises
        ------
        InputError
            If it is no table, or has faults; ``faults`` lists all of them. Rows are counted from 1.
        """
        # These make tables, and import this module.
        from bayescale.runs.frames import to_pandas  # noqa: PLC0415
        from bayescale.runs.reading import read_runs  # noqa: PLC0415

        cells = to_pandas(name or "runs", frame)
        return read_runs(cells, columns=columns, response=response, unit=unit, needs=needs, name=name, record=record)

    def _lines(self) -> list[str]:
        ranges = (
            f"{name} {write(self.frame[name].min(), 3)} to {write(self.frame[name].max(), 3)}"
            for name, write in {"N": count_text, "D": count_text, "C": typed, self.response: short}.items()
            if name in self.frame
        )
        unit = f" ({self.unit})" if self.unit else ""
        return [f"{len(self.frame)} runs of {self.name}", ", ".join(ranges) + unit]

    def _shown(self) -> pd.DataFrame:
        return self.frame.head(ROWS_SHOWN)
