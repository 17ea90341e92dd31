"""``bayescale serve``: how much smaller a model should be if it must be served."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

import bayescale as bs
from bayescale import checks
from bayescale.cli.dry_run import emit_work, fits_record
from bayescale.cli.options import (
    READING,
    SAMPLING,
    WATCHING,
    Budgets,
    Figure,
    JsonFile,
    Laws,
    Probability,
    Reading,
    Runs,
    Sampling,
    Watching,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import parse_count
from bayescale.cli.spending import SPENDING, Spending, choose_budgets
from bayescale.cli.stages import progress
from bayescale.cli.steps import about, choose_laws, fit_laws, fitted_or_compared, load_table, priors_record
from bayescale.cli.tables import count, flop, number, show_end, show_hanging, show_heading, show_side_by_side

FIGURE_MULTIPLES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Demands of a figure, over the training tokens of the training-only optimum."""


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
        (multiples if text.endswith("x") else tokens).append(checks.above_zero(text, value))
    return tokens, multiples


def _check_demands(_: object, texts: tuple[str, ...]) -> None:
    parse_demands(texts)


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


def serve(
    runs: Runs,
    /,
    *,
    budgets: Budgets = (),
    demands: Demands = (),
    spending: Spending = SPENDING,
    laws: Laws = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    figure: Figure = None,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Say how much smaller a model should be, and on how many more tokens trained, if it must be served."""
    tokens, multiples = parse_demands(demands)
    with progress(printing) as say:
        from bayescale.records.serving import serving_record  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        names, law_note = choose_laws(table, laws, sampling)
        flops, budget_note = choose_budgets(table, budgets, spending)
        if printing.dry_run:
            return emit_work(fits_record(table, names, sampling, [*law_note, *budget_note]), printing, say)
        source = fitted_or_compared(fit_laws(table, names, sampling, say), sampling, say)
        say("searching the cheapest runs of the same loss")
        found = bs.serving.serve(source, flops, tokens, multiples=multiples, probability=probability)
        if figure is not None:
            from bayescale.plots.serving import save_prediction  # noqa: PLC0415  (Matplotlib, for this alone)

            save_prediction(
                bs.serving.serve(source, flops, multiples=FIGURE_MULTIPLES, probability=probability), figure
            )
    record = {
        "schema": "bayescale/serve/1",
        "runs": about(table),
        **serving_record(found),
        "priors": priors_record(source),
        "defaults": [*law_note, *budget_note],
        **({"figure": str(figure)} if figure is not None else {}),
    }
    return emit(record, show_serving, printing, output=output)


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
    show_heading(console, record)
    for budget in record["budgets"]:
        console.print()
        console.print(Text(f"{flop(budget['flops'])} FLOP of training alone", style="bold"))
        show_side_by_side(console, {"nothing served": budget["training_only"]}, TRAINED_ROWS)
        served = {_demand_text(demand): demand for demand in budget["demands"]}
        show_side_by_side(console, served, SERVED_ROWS)
    console.print()
    show_hanging(
        console,
        "Each is the run that takes least compute of training and serving at the loss of the training-only optimum. "
        "Ratios are of the same draw; smaller: than the median of the training-only N.",
        "",
    )
    show_end(console, record)


def _demand_text(demand: Mapping[str, Any]) -> str:
    return f"{count(demand['served_tokens'])} tokens served, {number(demand['multiple'])} times the training-only D"
