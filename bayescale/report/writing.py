"""write_report: one page of finished results, and its numbers beside it."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.comparison.verdict import Verdict
from bayescale.decisions.allocation import Allocation
from bayescale.decisions.prior_shift import PriorShift
from bayescale.decisions.size_backtesting import SizeBacktest
from bayescale.errors import InputError
from bayescale.forecasts.backtesting import Backtest
from bayescale.planning.plan import Plan
from bayescale.records.report import law_in_use, own_backtest, own_size_backtest, report_record
from bayescale.report.explorer import explorer_data
from bayescale.report.figures import Picture, draw_figures
from bayescale.report.page import render_markdown, render_page
from bayescale.report.pdf import check_pdf, page_as_pdf
from bayescale.storage import write_whole

FORMATS = (".html", ".md", ".pdf")
REPORTS = ("bayescale/report/", "bayescale/skills/")
"""How the schema of a report's numbers begins: of runs, or of scores."""


def check_report_name(path: str | os.PathLike[str]) -> Path:
    """Return where a report is to be written, if it can be.

    Raises
    ------
    InputError
        If the name ends in none of ``.html``, ``.md`` and ``.pdf``, PDF cannot be made here, or what goes beside the
        page would replace a file that is not of a report.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise InputError(f"{target}: a report is a page whose name ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if target.suffix.lower() == ".pdf":
        check_pdf()
    check_beside(target)
    return target


def check_beside(target: Path) -> None:
    """Refuse to replace what nobody named, unless an earlier report left it there."""
    numbers, folder = target.with_suffix(".json"), _figures_folder(target)
    if _is_report(numbers):
        return
    remedy = "and what is there is not of a report; move it, or name the report otherwise"
    if numbers.exists():
        raise InputError(f"{numbers}: the numbers of {target.name} go there, {remedy}")
    if target.suffix.lower() == ".md" and folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder}: the figures of {target.name} go there, {remedy}")


def _is_report(path: Path) -> bool:
    """Return whether a file holds the numbers of a report."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and str(content.get("schema", "")).startswith(REPORTS)


def _figures_folder(target: Path) -> Path:
    return target.with_name(f"{target.stem}-figures")


@checks.kinds
def write_report(
    path: str | os.PathLike[str],
    comparison: Comparison,
    verdict: Verdict,
    allocation: Allocation | None,
    *,
    backtest: Backtest | None = None,
    size_backtest: SizeBacktest | None = None,
    plan: Plan | None = None,
    shift: PriorShift | None = None,
    command: str = "",
    title: str = "",
    author: str = "",
    date: str = "",
    spent: Sequence[str] = (),
    refusal: str = "",
    asked: Sequence[float] = (),
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
    size_backtest : SizeBacktest, optional
        How forecasts of the best sizes of held-out isoFLOP slices of this table have done, by the same law.
    plan : Plan, optional
        The next runs to do.
    shift : PriorShift, optional
        How far numbers move against the laws' own priors; see
        ``bayescale.decisions.prior_shift.against_own_priors``.
    command : str
        The command that makes the report again, shown in it.
    title, author, date : str
        Shown at the top; by default the name of the table, nobody and no date.
    spent : sequence of str
        What each budget takes in hours or money, in words.
    refusal : str
        Why there is no allocation, where there is none.
    asked : sequence of float
        Compute budgets that were asked about, in FLOP, shown where there is no allocation.

    Returns
    -------
    dict
        The numbers, as they were written beside the page.

    Raises
    ------
    InputError
        If the page's name has another ending, PDF cannot be made here, or a backtest is of other laws or methods.
    """
    target = check_report_name(path)
    law = law_in_use(comparison, allocation)
    own = None if backtest is None else own_backtest(backtest, law)
    sizes = None if size_backtest is None else own_size_backtest(size_backtest, law)
    given: dict[str, Any] = {"backtest": own, "size_backtest": sizes, "plan": plan, "shift": shift, "command": command}
    heading = {"title": title, "author": author, "date": date}
    given |= {"heading": heading, "refusal": refusal, "spent": spent, "asked": asked}
    record = report_record(comparison, verdict, allocation, **given)
    figures = draw_figures(comparison, verdict, allocation, own, plan, shift=shift)
    explorer = explorer_data(comparison, allocation) if allocation and target.suffix.lower() == ".html" else None
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    shown = record | {"json_sha256": hashlib.sha256(text.encode()).hexdigest(), "page": target.name}
    match target.suffix.lower():
        case ".html":
            page = render_page(shown, figures, explorer).encode()
        case ".md":
            page = render_markdown(shown, figures, _write_figures(target, figures)).encode()
        case _:
            page = page_as_pdf(render_page(shown, figures, paper=True), itertools.chain(*figures.values()))
    write_whole(target.with_suffix(".json"), _writer(text))
    write_whole(target, lambda temporary: temporary.write_bytes(page))  # last: where it is, all is
    return record


def _writer(text: str) -> Callable[[Path], object]:
    return lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n")


def _write_figures(target: Path, figures: Mapping[str, tuple[Picture, ...]]) -> str:
    """Write each drawing and its data into a folder beside the page, and return the folder's name."""
    folder = _figures_folder(target)
    folder.mkdir(exist_ok=True)
    for picture in itertools.chain(*figures.values()):
        write_whole(folder / f"{picture.name}.svg", _writer(picture.on_white))
        write_whole(folder / f"{picture.name}.csv", _writer(picture.csv))
    return folder.name
