"""write_report: one self-contained document from finished results, and its numbers beside it."""

import json
import os
from pathlib import Path
from typing import Any

from bayescale.allocation import Allocation
from bayescale.backtesting import Backtest
from bayescale.comparison import Comparison
from bayescale.errors import InputError
from bayescale.report.explorer import explorer_data
from bayescale.report.figures import draw_figures
from bayescale.report.page import render_page
from bayescale.report.record import law_in_use, own_backtest, report_record
from bayescale.storage import write_whole
from bayescale.verdict import Verdict

__all__ = ["law_in_use", "report_record", "write_report"]


def write_report(
    path: str | os.PathLike[str],
    comparison: Comparison,
    verdict: Verdict,
    allocation: Allocation | None,
    *,
    backtest: Backtest | None = None,
    command: str = "",
) -> dict[str, Any]:
    """Write what was found as one HTML file, and its numbers as JSON of the same name beside it.

    The page needs no network, and its script runs in the page alone; it is the same to the byte for the same results.

    Parameters
    ----------
    path : str or path
        Where to write, such as ``report.html``; the numbers go to ``report.json``.
    comparison : Comparison
        The laws that were compared.
    verdict : Verdict
        Whether compute alone explains loss.
    allocation : Allocation or None
        The recommended splits; None when no law has a best split.
    backtest : Backtest, optional
        How forecasts of held-out runs of this table have done, by the law that :func:`law_in_use` names.
    command : str
        The command that makes the report again, shown in it.

    Returns
    -------
    dict
        The numbers, as they were written beside the page.

    Raises
    ------
    InputError
        If the name of the page would be that of its numbers, or the backtest is of other laws or methods.
    """
    target = Path(path)
    numbers = target.with_suffix(".json")
    if numbers == target:
        raise InputError(f"{target}: the numbers are written there; name the page {target.with_suffix('.html')}")
    own = None if backtest is None else own_backtest(backtest, law_in_use(comparison, allocation))
    record = report_record(comparison, verdict, allocation, backtest=own, command=command)
    explorer = explorer_data(comparison, allocation) if allocation else None
    page = render_page(record, draw_figures(comparison, verdict, allocation, own), explorer)
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(numbers, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))
    write_whole(target, lambda temporary: temporary.write_text(page, encoding="utf-8", newline="\n"))
    return record
