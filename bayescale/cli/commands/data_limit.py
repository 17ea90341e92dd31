"""``bayescale data-limit``: how much larger a model should be once the data are used up."""

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
from bayescale.cli.parsing import parse_count, validate
from bayescale.cli.spending import SPENDING, Spending, choose_budgets
from bayescale.cli.stages import progress
from bayescale.cli.steps import about, choose_laws, fit_laws, fitted_or_compared, load_table, priors_record
from bayescale.cli.tables import count, flop, interval, number, show_end, show_hanging, show_heading, show_side_by_side
from bayescale.words import chance

FIGURE_DECADES = 2.0
"""How far a figure reaches on both sides of the budget at which the data end."""


FIGURE_BUDGETS = 25


def _check_tokens(_: object, text: str) -> None:
    tokens = parse_count(text)
    validate(lambda: checks.above_zero("unique_tokens", tokens, "tokens"))


def _check_scale(_: object, value: float | None) -> None:
    if value is not None:
        validate(lambda: checks.above_zero("repetition", value))


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


def data_limit(
    runs: Runs,
    /,
    *,
    unique_tokens: UniqueTokens,
    repetition: Repetition = None,
    budgets: Budgets = (),
    spending: Spending = SPENDING,
    laws: Laws = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    figure: Figure = None,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Say how much larger to make the model once you run out of data, and at which budget that happens."""
    tokens = parse_count(unique_tokens)
    with progress(printing) as say:
        from bayescale.records.serving import data_limit_record  # noqa: PLC0415  (as above)

        table = load_table(runs, reading, say)
        names, law_note = choose_laws(table, laws, sampling)
        flops, budget_note = choose_budgets(table, budgets, spending)
        if printing.dry_run:
            return emit_work(fits_record(table, names, sampling, [*law_note, *budget_note]), printing, say)
        source = fitted_or_compared(fit_laws(table, names, sampling, say), sampling, say)
        say("searching the best splits with and without an end of the data")
        options: dict[str, Any] = {"probability": probability, "random_seed": sampling.seed}
        found = bs.serving.data_limit(source, flops, tokens, repetition, **options)
        numbers = data_limit_record(found)
        if figure is not None:
            from bayescale.plots.serving import save_prediction  # noqa: PLC0415  (Matplotlib, for this alone)

            grid = _figure_budgets(numbers["begins"], flops)
            save_prediction(bs.serving.data_limit(source, grid, tokens, repetition, **options), figure)
    record = {
        "schema": "bayescale/data-limit/1",
        "runs": about(table),
        **numbers,
        "priors": priors_record(source),
        "defaults": [*law_note, *budget_note],
        **({"figure": str(figure)} if figure is not None else {}),
    }
    return emit(record, show_data_limit, printing, output=output)


def _figure_budgets(begins: Mapping[str, float] | None, flops: Sequence[float]) -> list[float]:
    """Return budgets around the one at which the data end, and those asked for."""
    import numpy as np  # noqa: PLC0415  (which --help does not need)

    around = 10.0**FIGURE_DECADES
    ends = [begins["median"] / around, begins["median"] * around] if begins else []
    return [float(each) for each in np.geomspace(min([*ends, *flops]), max([*ends, *flops]), FIGURE_BUDGETS)]


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
    show_heading(console, record)
    begins = interval(record["begins"], write=flop) or "no budget"
    show_hanging(console, f"all of {count(record['unique_tokens'])} unique tokens are used from {begins} FLOP on", "")
    if record["repetition"] is not None:
        show_hanging(console, f"repeats are weighed by R_D = {number(record['repetition'])}", "")
    for budget in record["budgets"]:
        console.print()
        title = f"{flop(budget['flops'])} FLOP: the data end with probability {chance(budget['binds'])}"
        console.print(Text(title, style="bold"))
        cases = {CASE_TITLES[case]: budget[case] for case in CASE_TITLES if case in budget}
        show_side_by_side(console, cases, CASE_ROWS)
    show_end(console, record)
