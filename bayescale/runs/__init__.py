"""Read, check, select and describe a table of finished training runs.

The verbs are :func:`read_runs` (a file, or a table in memory), :func:`select_runs` and :func:`describe`; the
nouns are :class:`RunTable` and :class:`Description`.
"""

from bayescale.runs.description import LOST_CONDITION, WEAK_CONDITION, Description, describe
from bayescale.runs.frames import Frame, Runs
from bayescale.runs.headers import ALIASES, MEANINGS
from bayescale.runs.reading import as_table, read_runs
from bayescale.runs.selection import select_runs
from bayescale.runs.table import RunTable

__all__ = [
    "ALIASES",
    "LOST_CONDITION",
    "MEANINGS",
    "WEAK_CONDITION",
    "Description",
    "Frame",
    "RunTable",
    "Runs",
    "as_table",
    "describe",
    "read_runs",
    "select_runs",
]
