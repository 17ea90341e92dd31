"""write_report: one self-contained document from finished results, and its numbers beside it."""

import itertools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.comparison.verdict import Verdict
from bayescale.decisions.allocation import Allocation
from bayescale.errors import InputError
from bayescale.forecasts.backtesting import Backtest
from bayescale.planning.plan import Plan
from bayescale.records.report import law_in_use, own_backtest, report_record
from bayescale.report.explorer import explorer_data
from bayescale.report.figures import Picture, draw_figures
from bayescale.report.page import render_markdown, render_page
from bayescale.report.pdf import check_pdf, page_as_pdf
from bayescale.storage import write_whole

__all__ = ["check_report_name", "law_in_use", "report_record", "write_report"]

FORMATS = (".html", ".md", ".pdf")


def check_report_name(path: str | os.PathLike[str]) -> Path:
    """Return where a report is to be written, if it can be.

    Raises
    ------
    InputError
        If the name ends in none of ``.html``, ``.md`` and ``.pdf``, or PDF cannot be made here.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise InputError(f"{target}: a report is a page whose name ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if target.suffix.lower() == ".pdf":
        check_pdf()
    return target


@checks.kinds
def write_report(
    path: str | os.PathLike[str],
    comparison: Comparison,
    verdict: Verdict,
    allocation: Allocation | None,
    *,
    backtest: Backtest | None = None,
    plan: Plan | None = None,
    command: str = "",
) -> dict[str, Any]:
    """Write what was found as one page, HTML, Markdown or PDF by its name, and its numbers as JSON beside it.

    The HTML page needs no network, and its script runs in the page alone. Each figure carries what it shows as CSV: in
    the page itself, attached to the PDF, or for Markdown beside the drawing in a folder of the page's name. The same
    results give the same bytes.

    Parameters
    ----------
    path : str or path
        Where to write, such as ``report.html``; the numbers go to ``report.json``, and the figures of ``report.md``
        into the folder ``report-figures``. ``report.pdf`` needs the extra ``bayescale[pdf]``.
    comparison : Comparison
        The laws that were compared.
    verdict : Verdict
        Whether compute alone explains loss.
    allocation : Allocation or None
        The recommended splits; None when no law has a best split.
    backtest : Backtest, optional
        How forecasts of held-out runs of this table have done, by the law that :func:`law_in_use` names.
    plan : Plan, optional
        The next runs to do.
    command : str
        The command that makes the report again, shown in it.

    Returns
    -------
    dict
        The numbers, as they were written beside the page.

    Raises
    ------
    InputError
        If the page's name has another ending, PDF cannot be made here, or the backtest is of other laws or methods.
    """
    target = check_report_name(path)
    own = None if backtest is None else own_backtest(backtest, law_in_use(comparison, allocation))
    record = report_record(comparison, verdict, allocation, backtest=own, plan=plan, command=command)
    figures = draw_figures(comparison, verdict, allocation, own, plan)
    explorer = explorer_data(comparison, allocation) if allocation and target.suffix.lower() == ".html" else None
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(target.with_suffix(".json"), _writer(text))
    match target.suffix.lower():
        case ".html":
            write_whole(target, _writer(render_page(record, figures, explorer)))
        case ".md":
            folder = _write_figures(target, figures)
            write_whole(target, _writer(render_markdown(record, figures, folder)))
        case _:
            content = page_as_pdf(render_page(record, figures, paper=True), itertools.chain(*figures.values()))
            write_whole(target, lambda temporary: temporary.write_bytes(content))
    return record


def _writer(text: str) -> Callable[[Path], object]:
    return lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n")


def _write_figures(target: Path, figures: Mapping[str, tuple[Picture, ...]]) -> str:
    """Write each drawing and its data into a folder beside the page, and return the folder's name."""
    folder = target.with_name(f"{target.stem}-figures")
    folder.mkdir(exist_ok=True)
    for picture in itertools.chain(*figures.values()):
        write_whole(folder / f"{picture.name}.svg", _writer(picture.on_white))
        write_whole(folder / f"{picture.name}.csv", _writer(picture.csv))
    return folder.name
