"""Records as tables and text that fit the terminal."""

import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bayescale.words import short

type Record = Mapping[str, Any]

UNLIMITED = 10_000
"""Columns where nothing has to fit: a file or another program."""


def number(value: float | None, digits: int = 3, *, missing: str = "none") -> str:
    """Return a number with so many significant digits, and another word for what JSON has as null."""
    return missing if value is None else short(value, digits)


def interval(entry: Record | None, digits: int = 3) -> str:
    """Return an interval's median and ends, with more digits where they would hide its width."""
    if entry is None:
        return ""
    median, lower, upper = entry["median"], entry["lower"], entry["upper"]
    if None not in (median, lower, upper) and median and upper > lower:
        digits = max(digits, min(6, 1 + math.ceil(math.log10(abs(median) / (upper - lower)))))
    return f"{number(median, digits)} [{number(lower, digits)}, {number(upper, digits)}]"


def percent(value: float | None) -> str:
    """Return a part as per cent, with a digit more where it is small."""
    return "none" if value is None else f"{value:.0%}" if value >= 0.095 else f"{value:.1%}"


def make_table(*columns: str, title: str | None = None, wide: Sequence[str] = ()) -> Table:
    """Return an empty table: numbers to the right, the first column and the wide ones to the left."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        text = place == 0 or column in wide
        table.add_column(column, justify="left" if text else "right", no_wrap=column not in wide, overflow="fold")
    return table


def show_table(console: Console, table: Table) -> None:
    """Print a table below its title: closer together where it is too wide, and else a row after the other.

    Rich would crop what does not fit, numbers too.
    """
    if table.title:
        show_hanging(console, str(table.title), "", "bold")
        table.title = None
    for padding in ((0, 1), (0, 1, 0, 0), (0, 0)):
        table.padding = padding
        if console.measure(table, options=console.options.update(max_width=UNLIMITED)).maximum <= console.width:
            console.print(table)
            return
    _show_rows(console, table)


def _show_rows(console: Console, table: Table) -> None:
    """Print each row as its first cell, and below it the others with their headers; without any, as a heading."""
    headers = [str(column.header) for column in table.columns[1:]]
    for first, *cells in zip(*(map(str, column.cells) for column in table.columns), strict=True):
        told = [f"{header} {cell}".strip() for header, cell in zip(headers, cells, strict=True) if cell]
        name = first.lstrip()
        indent = first[: len(first) - len(name)]
        show_hanging(console, name, indent, "" if told else "bold")
        if told:
            show_hanging(console, "; ".join(told), f"{indent}  ")
    console.print()


def show_list(console: Console, title: str, sentences: Iterable[str]) -> None:
    """Print a titled list of sentences, unless it is empty."""
    lines = list(sentences)
    if lines:
        console.print(Text(title, style="bold"))
    for line in lines:
        show_hanging(console, line, "- ")


def show_hanging(console: Console, sentence: str, first: str, style: str = "") -> None:
    """Print a sentence whose further lines hang by two; a number stays with its per cent."""
    width, whole = max(console.width, 20), sentence.replace(" %", "\u00a0%")
    rest = "  " + (first if first.isspace() else "")
    text = textwrap.fill(whole, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    console.print(Text(text.replace("\u00a0%", " %"), style=style), soft_wrap=True)


def show_heading(console: Console, record: Record) -> None:
    """Print the table's name and what was chosen by default."""
    runs = record["runs"]
    unit = f" ({runs['unit']})" if "unit" in runs else ""
    console.print(Text(f"{runs['name']}: {runs['rows']} runs, response {runs['response']}{unit}", style="bold"))
    for sentence in record["defaults"]:
        show_hanging(console, sentence, "")


def show_nothing(console: Console, record: Record) -> None:
    """Print nothing."""
    del console, record


def show_laws(console: Console, record: Record) -> None:
    """Print each law with its formula, columns and source."""
    for entry in record["laws"]:
        show_hanging(console, f"{entry['name']} ({', '.join(entry['covariates'])}; {entry['response']})", "", "bold")
        show_hanging(console, entry["formula"], "  ")
        mark = "; in parts not verified" if entry["unverified"] else ""
        show_hanging(console, f"{entry['reference']}{mark}", "  ")


def show_law(console: Console, record: Record) -> None:
    """Print all about one law."""
    law = record["laws"][0]
    show_hanging(console, f"{law['name']}: {law['formula']}", "", "bold")
    show_hanging(console, f"response: {law['response']}", "")
    show_hanging(console, f"columns: {', '.join(_folded_columns(law['columns']))}", "")
    show_hanging(console, f"source: {law['reference']}", "")
    if law["unverified"]:
        show_hanging(console, f"not verified: {law['unverified']}", "")
    table = make_table(
        "parameter", "prior at the scale of a typical run", wide=("prior at the scale of a typical run",)
    )
    for name, prior in law["priors"].items():
        table.add_row(name, prior)
    show_table(console, table)
    published = (
        f"{source}: {', '.join(f'{name} = {number(value, 4)}' for name, value in values.items())}"
        for source, values in law["published"].items()
    )
    show_list(console, "Published values (columns counted in ones)", published)
    examples = (
        f"{', '.join(f'{name} = {number(value)}' for name, value in _first_few(each['at']))}: "
        f"{number(each['value'], 7)} ({each['source']})"
        for each in law["examples"]
    )
    show_list(console, "Examples (each a test)", examples)
    picture = law.get("figure")
    if picture:
        console.print(f"picture of what the prior expects: {picture}", soft_wrap=True)
    else:
        command = f"bayescale laws {law['name']} --figure {law['name']}.svg"
        show_hanging(console, f"A picture of what the prior expects: {command}", "")


def _folded_columns(columns: Mapping[str, str]) -> list[str]:
    """Return each column with its meaning, and a numbered set of them as one."""
    stems = {name: re.sub(r"_\d+$", "", name) for name in columns}
    sets = {stem: [name for name in columns if stems[name] == stem] for stem in dict.fromkeys(stems.values())}
    folded = {names[0]: f" to {names[-1]}" if len(names) > 1 else "" for names in sets.values()}
    return [f"{name}{more} ({columns[name]}{', and so on' if more else ''})" for name, more in folded.items()]


def _first_few(columns: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the columns of an example; of a long one those that carry no number."""
    items = list(columns.items())
    return items if len(items) <= 6 else [(name, value) for name, value in items if not name[-1].isdigit()]


def show_check(console: Console, record: Record) -> None:
    """Print what a table of runs can and cannot identify."""
    response = f"{record['response']} ({record['unit']})"
    console.print(Text(f"{record['name']}: {record['rows']} runs, response {response}", style="bold"))
    table = make_table("", "lowest", "highest", "sizes")
    sizes = {"N": str(record["distinct_N"]), "D": str(record["distinct_D"])}
    for name, (low, high) in record["ranges"].items():
        label = {"N": "N (parameters)", "D": "D (tokens)", "C": "C (FLOP)", "tokens_per_parameter": "D/N"}
        table.add_row(label.get(name, response), number(low, 4), number(high, 4), sizes.get(name, ""))
    show_table(console, table)
    facts = make_table("design", "value", "sound")
    facts.add_row("s.d. of log10 N at like C (decades)", number(record["spread_N_at_like_C"], 2), "0.1 or more")
    facts.add_row("range of log10 N at like C (decades)", number(record["span_N_at_like_C"], 2), "0.5 or more")
    facts.add_row(
        "correlation of log N and log D", number(record["correlation"], 2, missing="undefined"), "below 0.999"
    )
    facts.add_row(
        "condition number of a law of N and D", number(record["condition"], 2, missing="infinite"), "below 200"
    )
    show_table(console, facts)
    show_list(console, "Can identify", record["can"])
    show_list(console, "Cannot identify", record["cannot"])
    if record["identifiability"] is not None:
        show_list(console, "Expected of a fit", record["identifiability"]["statements"])
    origins = {
        "given": "given by the table",
        "6ND": "6ND, as the table has none",
        "unknown": "not known without N and D",
    }
    compute = origins[record["compute"]]
    show_list(console, "Notes", [f"C is {compute}", *record["notes"]])


def show_fit(console: Console, record: Record) -> None:
    """Print each law's parameters at both scales, and its diagnostics."""
    show_heading(console, record)
    for law in record["fits"]:
        console.print()
        console.print(Text(f"{law['law']}: {law['formula']}", style="bold"))
        table = make_table("parameter", "at a typical run", "at published scale")
        for entry in law["parameters"]:
            table.add_row(entry["name"], interval(entry["reference"]), interval(entry["published"]))
        show_table(console, table)
        if law["decided_by_prior"]:
            doubted = ", ".join(law["decided_by_prior"])
            show_hanging(console, f"The prior decides {doubted}: these runs say little of it.", "")
        show_hanging(console, _diagnosis(law["diagnostics"]), "")
        if law["path"] is not None:
            console.print(f"saved: {law['path']}", soft_wrap=True)
    typical = record["fits"][0]["typical_run"]
    sizes = ", ".join(f"{name} = {number(value)}" for name, value in typical.items())
    console.print()
    show_hanging(
        console,
        f"Median and equal-tailed {record['probability']:.0%} credible interval. A typical run is the geometric mean "
        f"of the table, {sizes}; the published scale counts columns in ones.",
        "",
    )


def _diagnosis(diagnostics: Record) -> str:
    """Return one line for a sound posterior, and every failure of another."""
    values = (
        f"R-hat {number(diagnostics['rhat'], 4)}, ESS {number(diagnostics['ess_bulk'], 2)} bulk "
        f"and {number(diagnostics['ess_tail'], 2)} tail, E-BFMI {number(diagnostics['bfmi'], 2)}, "
        f"{diagnostics['divergences']} divergences"
    )
    if diagnostics["passed"]:
        return f"diagnostics passed: {values}"
    return f"diagnostics FAILED ({'; '.join(diagnostics['failures'])}): {values}"


def show_compare(console: Console, record: Record) -> None:
    """Print the comparison, the verdict and what it rests on."""
    show_heading(console, record)
    table = make_table("law", "elpd", "se", "p", "elpd_diff", "dse", "weight", "best", "missed", "bad_k")
    for law in record["laws"]:
        shown = [number_of(law, column) for column in ("elpd", "se", "p", "elpd_diff", "dse")]
        name = law["name"] if law["diagnostics_passed"] else f"{law['name']} (doubtful)"
        parts = (f"{law['weight']:.2f}", number_of(law, "best_probability", 2), f"{100 * law['missed']:.1f} %")
        table.add_row(name, *shown, *parts, str(law["bad_k"]))
    show_table(console, table)
    show_hanging(
        console,
        "elpd: expected log predictive density of runs left out, in nats (higher is better); p: effective parameters; "
        "dse: standard error of the difference; weight: stacking; best: probability of being the best law; missed: "
        "the smooth part of what the law misses, at a typical run; bad_k: runs of high Pareto k not refitted.",
        "",
    )
    show_hanging(console, _stays(record), "")
    show_list(console, "Notes", record["notes"])
    for criterion in record["criteria"]:
        _show_criterion(console, criterion)
    if record["criteria"]:
        _show_sides(console, record)
    if record["verdict"] is not None:
        console.print()
        show_verdict(console, record["verdict"])


def _stays(ranked: Record) -> str:
    if ranked["ranking_probability"] is None:
        return "This order of the laws has no probability: what was left out counts as one run."
    return f"This order of the laws has a probability of {ranked['ranking_probability']:.2f}."


def _show_criterion(console: Console, criterion: Record) -> None:
    """Print the comparison with groups of runs left out."""
    console.print()
    folds = f"{criterion['folds']} refit{'s' if criterion['folds'] > 1 else ''} of each law"
    title = f"By {criterion['by']}: {criterion['rows']} runs left out in {folds}"
    table = make_table("law", "elpd", "se", "elpd_diff", "dse", "weight", "best", "", title=title)
    for place, law in enumerate(criterion["laws"]):
        shown = [number_of(law, column) for column in ("elpd", "se", "elpd_diff", "dse")]
        name = f"{law['name']} (doubtful)" if law["failed_folds"] else law["name"]
        said = "" if law["decided"] or not place else "not decided"
        table.add_row(name, *shown, f"{law['weight']:.2f}", number_of(law, "best_probability", 2), said)
    show_table(console, table)
    show_hanging(console, _stays(criterion), "")
    show_list(console, "Notes", criterion["notes"])


def _show_sides(console: Console, record: Record) -> None:
    """Print the stacking weights of each criterion side by side."""
    console.print()
    sides = {"single rows": record["laws"], **{each["by"]: each["laws"] for each in record["criteria"]}}
    table = make_table("law", *sides, title="Stacking weights by what is left out")
    weights = {name: {law["name"]: law["weight"] for law in laws} for name, laws in sides.items()}
    for law in record["laws"]:
        table.add_row(law["name"], *(f"{weight[law['name']]:.2f}" for weight in weights.values()))
    show_table(console, table)


def number_of(law: Record, column: str, decimals: int = 1) -> str:
    """Return an entry of the comparison, by default with one decimal; nats mean nothing beyond it."""
    return "none" if law[column] is None else f"{law[column]:.{decimals}f}"


def show_verdict(console: Console, verdict: Record) -> None:
    """Print the verdict, its range of D/N, its tilt, the table of waste and what would decide."""
    console.print(Text(f"Verdict: {verdict['answer'].replace('_', ' ')}", style="bold"))
    show_hanging(console, verdict["statement"], "")
    within = f"{verdict['tokens_per_parameter']['probability']:.0%} interval"
    show_hanging(
        console,
        f"Tilt: {interval(verdict['tilt'], 2)} ({within}, law {verdict['tilt_law']}); 0 is compute alone, above 0 "
        "favours parameters.",
        "",
    )
    table = make_table(
        "N off its best by", "if too small", "if too large", "the worse", title=f"Extra compute, median [{within}]"
    )
    for waste in verdict["waste"]:
        cells = (_part_interval(waste[name]) for name in ("too_small", "too_large", "extra_compute"))
        table.add_row(f"{waste['factor']:g} times", *cells)
    show_table(console, table)
    show_list(console, "Runs that would decide", verdict["remedies"])


def _part_interval(entry: Record) -> str:
    return f"{percent(entry['median'])} [{percent(entry['lower'])}, {percent(entry['upper'])}]"


def show_backtest(console: Console, record: Record) -> None:
    """Print the scores of each threshold, coverage by reach, and what to take from them."""
    from bayescale.forecasts.backtesting import threshold_text  # noqa: PLC0415  (NumPy, which --help does not need)

    show_heading(console, record)
    for _, scores in _grouped(record["scores"], "threshold"):
        console.print()
        show_table(console, _scores_table(scores, threshold_text(scores[0]["threshold"], record["by"])))
    unit = record["runs"]["unit"]
    show_hanging(
        console,
        "50 to 95 %: part of the runs inside the interval of that probability; width: of the 90 % interval; lpd: log "
        "predictive density, in nats per run (higher is better); CRPS: lower is better; bias: predicted less observed; "
        f"width, CRPS, bias and RMSE are in {unit}.",
        "",
    )
    console.print()
    show_table(console, _reach_table(record))
    show_hanging(console, record["statement"], "", "bold")
    show_hanging(
        console,
        "A run held out under several thresholds counts once for each, and runs that one fit forecasts err together.",
        "",
    )
    show_list(console, "Notes", record["notes"])
    compiled = record["compilations"]
    console.print(f"{compiled} model{'s' if compiled != 1 else ''} compiled; results in the cache need none.")


def _grouped(rows: Iterable[Record], name: str) -> list[tuple[Any, list[Record]]]:
    """Return rows by a field, in the order of its first appearance."""
    groups: dict[Any, list[Record]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return list(groups.items())


def _scores_table(scores: Sequence[Record], what: str) -> Table:
    """Return the scores of one threshold: a line for each law, below it one for each method."""
    probabilities = ("0.5", "0.8", "0.9", "0.95")
    columns = ("law, method", "50 %", "80 %", "90 %", "95 %", "width", "lpd", "CRPS", "bias", "RMSE")
    reach = f"{scores[0]['held_out']} runs held out, to {number(scores[0]['factor'], 2)} times the training runs"
    table = make_table(*columns, title=f"{what[0].upper()}{what[1:]}: {reach}", wide=columns[:1])
    for law, rows in _grouped(scores, "law"):
        table.add_row(Text(law, style="bold"))
        for row in rows:
            mark = "" if row["diagnostics_passed"] else " (doubtful)"
            coverage = (f"{100 * row['coverage'][p]:.0f}" for p in probabilities)
            others = (number(row[name], 2) for name in ("width", "lpd", "crps", "bias", "rmse"))
            table.add_row(f"  {row['method']}{mark}", *coverage, *others)
    return table


def _reach_table(record: Record) -> Table:
    """Return how many 90 % intervals held, by law and method, for each bin of the extrapolation factor."""
    cells = {(row["law"], row["method"], *row["factor"]): row for row in record["by_factor"]}
    bins = sorted({tuple(row["factor"]) for row in record["by_factor"]}, key=lambda ends: ends[0])
    title = "90 % intervals that held, by times beyond the training runs"
    table = make_table("law, method", *map(_bin_text, bins), title=title, wide=("law, method",))
    for law, rows in _grouped(record["scores"], "law"):
        table.add_row(Text(law, style="bold"))
        for method, _ in _grouped(rows, "method"):
            table.add_row(f"  {method}", *(_held(cells.get((law, method, *ends))) for ends in bins))
    return table


def _bin_text(ends: Sequence[float | None]) -> str:
    low, high = ends
    return f"over {low:g}" if high is None else f"{low:g} to {high:g}"


def _held(row: Record | None) -> str:
    return "" if row is None else f"{row['coverage']['0.9'] * row['held_out']:.0f} of {row['held_out']}"


def show_report(console: Console, record: Record) -> None:
    """Print the verdict's statement, the recommended splits and where the report is."""
    show_heading(console, {"runs": record["data"], "defaults": record["defaults"]})
    console.print(f"\n{record['verdict']['statement']}")
    if record["allocation"] is not None:
        show_table(console, _recommended(record["allocation"]["allocations"]))
    show_list(console, "Doubts", record["doubts"])
    console.print(f"report: {record['path']}", soft_wrap=True)


def _recommended(allocations: Iterable[Record]) -> Table:
    table = make_table("FLOP", "N", "D", "D/N", "near-optimal N", "over the largest run", title="Recommended splits")
    for allocation in allocations:
        best, (low, high) = allocation["recommended"], allocation["near_optimal"]["N"]
        table.add_row(
            number(allocation["flops"]),
            number(best["N"]),
            number(best["D"]),
            number(best["D"] / best["N"], 2),
            f"{number(low, 2)} to {number(high, 2)}",
            f"{number(allocation['extrapolation'], 2)} times",
        )
    return table
