"""``bayescale serve`` and ``bayescale data-limit``: the two ways away from the compute-optimal split."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import bayescale as bs
from bayescale.cli.limits import parse_count
from bayescale.cli.options import (
    READING,
    SAMPLING,
    WATCHING,
    Budgets,
    JsonFile,
    Laws,
    OneLaw,
    Picture,
    Probability,
    Reading,
    Runs,
    Sampling,
    Strict,
    UsageError,
    Watching,
)
from bayescale.cli.output import emit
from bayescale.cli.spending import SPENDING, Spending, choose_budgets
from bayescale.cli.stages import Stages, progress
from bayescale.cli.steps import choose_laws, fit_laws, fitted_or_compared, load_table
from bayescale.cli.tables import interval, number, show_hanging

if TYPE_CHECKING:
    from bayescale.comparison.comparison import Comparison
    from bayescale.fits.fit import Fit
    from bayescale.runs import RunTable

FIGURE_MULTIPLES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Demands of a figure, over the training tokens of the training-only optimum."""

FIGURE_DECADES = 2.0
"""How far a figure reaches on both sides of the budget at which the data end."""

FIGURE_BUDGETS = 25


def parse_demands(texts: Sequence[str]) -> tuple[list[float], list[float]]:
    """Read ``10x`` (multiples of the training tokens) and ``5T`` (tokens); return tokens and multiples.

    Raises
    ------
    ValueError
        If a part is neither, or not above zero.
    """
    tokens: list[float] = []
    multiples: list[float] = []
    for text in (part.strip() for given in texts for part in given.split(",")):
        value = parse_count(text.removesuffix("x"))
        (multiples if text.endswith("x") else tokens).append(_above_zero(text, value))
    return tokens, multiples


def _above_zero(text: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"expected a number above zero; found {text!r}")
    return value


def _check_demands(_: object, texts: tuple[str, ...]) -> None:
    parse_demands(texts)


def _check_tokens(_: object, text: str) -> None:
    _above_zero(text, parse_count(text))


def _check_scale(_: object, value: float | None) -> None:
    if value is not None:
        _above_zero(f"{value:g}", value)


Demands = Annotated[
    tuple[str, ...],
    Parameter(
        name="--demand",
        help="Tokens to serve, such as 5T or 5e12, or over the training tokens of the training-only optimum, such as "
        "10x; repeat it, or separate several by commas. By default 1x,10x,100x.",
        metavar="TOKENS|Kx,...",
        validator=_check_demands,
    ),
]
UniqueTokens = Annotated[
    str,
    Parameter(help="Distinct tokens that there are, such as 15T or 15e12.", metavar="TOKENS", validator=_check_tokens),
]
Repetition = Annotated[
    float | None,
    Parameter(
        help="R_D of the law data_constrained, by which repeats are worth less; Muennighoff et al. (2023) found 15.4.",
        metavar="R_D",
        validator=_check_scale,
    ),
]
Figure = Annotated[Picture, Parameter(help="Draw it in this file (.svg, .png or .pdf).")]


def serve(
    runs: Runs,
    /,
    *,
    budgets: Budgets = (),
    demands: Demands = (),
    spending: Spending = SPENDING,
    laws: Laws = None,
    law: OneLaw = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    strict: Strict = False,
    figure: Figure = None,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Tell how much smaller a model should be, and on how many more tokens trained, if it must be served."""
    tokens, multiples = parse_demands(demands)
    with progress(printing) as say:
        from bayescale.decisions.serving import serving_record  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        source, law_note = _source(table, laws, law, sampling, say)
        flops, budget_note = choose_budgets(table, budgets, spending)
        say("searching the cheapest runs of the same loss")
        found = bs.serve(source, flops, tokens, multiples=multiples, probability=probability)
        if figure is not None:
            _draw(bs.serve(source, flops, multiples=FIGURE_MULTIPLES, probability=probability), figure)
    record = _record("serve", table, serving_record(found), [*law_note, *budget_note], figure)
    return emit(record, show_serving, printing, output=output, strict=strict)


def data_limit(
    runs: Runs,
    /,
    *,
    unique_tokens: UniqueTokens,
    repetition: Repetition = None,
    budgets: Budgets = (),
    spending: Spending = SPENDING,
    laws: Laws = None,
    law: OneLaw = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    strict: Strict = False,
    figure: Figure = None,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Tell how much larger a model should be when the data end, and from which budget on they do."""
    tokens = parse_count(unique_tokens)
    with progress(printing) as say:
        from bayescale.decisions.serving import data_limit_record  # noqa: PLC0415  (as above)

        table = load_table(runs, reading, say)
        source, law_note = _source(table, laws, law, sampling, say)
        flops, budget_note = choose_budgets(table, budgets, spending)
        say("searching the best splits with and without an end of the data")
        options: dict[str, Any] = {"probability": probability, "random_seed": sampling.seed}
        found = bs.data_limit(source, flops, tokens, repetition, **options)
        numbers = data_limit_record(found)
        if figure is not None:
            grid = _figure_budgets(numbers["begins"], flops)
            _draw(bs.data_limit(source, grid, tokens, repetition, **options), figure)
    record = _record("data-limit", table, numbers, [*law_note, *budget_note], figure)
    return emit(record, show_data_limit, printing, output=output, strict=strict)


def _source(
    table: "RunTable", laws: str | None, law: str | None, sampling: Sampling, say: Stages
) -> "tuple[Fit | Comparison, list[str]]":
    """Fit the laws, and compare them where they are several."""
    if laws is not None and law is not None:
        raise UsageError("--laws averages laws and --law takes one alone; choose one of them")
    names, note = choose_laws(table, law or laws)
    return fitted_or_compared(fit_laws(table, names, sampling, say), sampling, say), note


def _figure_budgets(begins: Mapping[str, float] | None, flops: Sequence[float]) -> list[float]:
    """Return budgets around the one at which the data end, and those asked for."""
    import numpy as np  # noqa: PLC0415  (which --help does not need)

    around = 10.0**FIGURE_DECADES
    ends = [begins["median"] / around, begins["median"] * around] if begins else []
    return [float(each) for each in np.geomspace(min([*ends, *flops]), max([*ends, *flops]), FIGURE_BUDGETS)]


def _draw(found: object, figure: Path) -> None:
    from bayescale.plots.serving import save_prediction  # noqa: PLC0415  (Matplotlib, for this alone)

    save_prediction(found, figure)  # type: ignore[arg-type]


def _record(
    command: str, table: "RunTable", numbers: Mapping[str, Any], defaults: Sequence[str], figure: Path | None
) -> dict[str, Any]:
    runs = {"name": table.name, "rows": len(table.frame), "response": table.response, "unit": table.unit}
    drawn = {"figure": str(figure)} if figure is not None else {}
    return {"schema": f"bayescale/{command}/1", "runs": runs, **numbers, "defaults": list(defaults), **drawn}


def _heading(console: Console, record: Mapping[str, Any]) -> None:
    runs = record["runs"]
    title = f"{runs['name']}: {runs['rows']} runs, response {runs['response']} ({runs['unit']})"
    console.print(Text(title, style="bold"))
    for sentence in record["defaults"]:
        show_hanging(console, sentence, "")


def _show_rows(console: Console, columns: Mapping[str, Mapping[str, Any]], rows: Mapping[str, str]) -> None:
    """Print quantities below one another, beside their names, a block for each column."""
    for title, entry in columns.items():
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=max(map(len, rows.values())))
        table.add_column()
        for name, words in rows.items():
            if entry.get(name) is not None:
                value = entry[name]
                table.add_row(words, f"{value:.2f}" if isinstance(value, float) else interval(value))
        console.print(Text(title))
        console.print(Padding(table, (0, 0, 0, 2), expand=False))


def _end(console: Console, record: Mapping[str, Any]) -> None:
    console.print()
    for note in record["notes"]:
        show_hanging(console, note, "- ")
    for doubt in record["doubts"]:
        show_hanging(console, f"doubtful: {doubt}", "- ")
    if "figure" in record:
        show_hanging(console, f"figure: {record['figure']}", "")


SERVED_ROWS = {
    "N": "N (parameters)",
    "D": "D (training tokens)",
    "tokens_per_parameter": "tokens per parameter",
    "N_ratio": "N over the training-only N",
    "D_ratio": "D over the training-only D",
    "saved": "part of all compute saved",
    "below_training_only": "probability that N is smaller",
}
TRAINED_ROWS = {"N": "N (parameters)", "D": "D (training tokens)", "loss": "loss"}


def show_serving(console: Console, record: Mapping[str, Any]) -> None:
    """Print the training-only optimum of each budget, and what each demand makes of it."""
    _heading(console, record)
    for budget in record["budgets"]:
        console.print()
        console.print(Text(f"{number(budget['flops'])} FLOP of training alone", style="bold"))
        _show_rows(console, {"nothing served": budget["training_only"]}, TRAINED_ROWS)
        served = {_demand_text(demand): demand for demand in budget["demands"]}
        _show_rows(console, served, SERVED_ROWS)
    console.print()
    show_hanging(
        console,
        "Each is the run that takes least compute of training and serving at the loss of the training-only optimum. "
        "Ratios are of the same draw; smaller: than the median of the training-only N.",
        "",
    )
    _end(console, record)


def _demand_text(demand: Mapping[str, Any]) -> str:
    return f"{number(demand['served_tokens'])} tokens served, {number(demand['multiple'])} times the training-only D"


CASE_ROWS = {
    "N": "N (parameters)",
    "D": "D (repeats counted)",
    "epochs": "epochs",
    "loss": "loss",
    "N_ratio": "N over that without an end",
    "larger": "probability that N is larger",
}
CASE_TITLES = {"free": "no end of the data", "once": "no token used twice", "repeated": "repeated where it helps"}


def show_data_limit(console: Console, record: Mapping[str, Any]) -> None:
    """Print from which budget on the data end, and the best run of each budget with and without an end."""
    _heading(console, record)
    begins = interval(record["begins"]) or "no budget"
    show_hanging(console, f"all of {number(record['unique_tokens'])} unique tokens are used from {begins} FLOP on", "")
    if record["repetition"] is not None:
        show_hanging(console, f"repeats are weighed by R_D = {number(record['repetition'])}", "")
    for budget in record["budgets"]:
        console.print()
        title = f"{number(budget['flops'])} FLOP: the data end with probability {budget['binds']:.2f}"
        console.print(Text(title, style="bold"))
        cases = {CASE_TITLES[case]: budget[case] for case in CASE_TITLES if case in budget}
        _show_rows(console, cases, CASE_ROWS)
    _end(console, record)
