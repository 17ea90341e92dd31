"""The command line: each command reads a table, calls the public verbs, and writes.

Results go to stdout, progress to stderr. The process ends with 0 (fine), 1 (unexpected), 2 (usage), 3 (unusable
data), 4 (doubtful diagnostics under ``--strict``) or 130 (interrupted).
"""

from bayescale.cli.app import app
from bayescale.cli.program import main

__all__ = ["app", "main"]
