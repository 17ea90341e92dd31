"""Read, check, select and describe a table of finished training runs.

The verbs are :func:`read_runs` (a file), :func:`table_from_frame` (a DataFrame), :func:`select_runs` and
:func:`describe`; the nouns are :class:`RunTable` and :class:`Description`.
"""

from bayescale.runs.description import LOST_CONDITION, WEAK_CONDITION, Description, describe, description_record
from bayescale.runs.headers import ALIASES, MEANINGS
from bayescale.runs.reading import read_runs, table_from_frame
from bayescale.runs.table import RunTable, select_runs

__all__ = [
    "ALIASES",
    "LOST_CONDITION",
    "MEANINGS",
    "WEAK_CONDITION",
    "Description",
    "RunTable",
    "describe",
    "description_record",
    "read_runs",
    "select_runs",
    "table_from_frame",
]
