"""``bayescale curve``: where a run in progress will end, and whether to stop it."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

import bayescale as bs
from bayescale import checks
from bayescale.cli.options import PRINTING, RESULT, JsonFile, NoSeed, Printing, Probability
from bayescale.cli.output import emit
from bayescale.cli.parsing import parse_count
from bayescale.cli.steps import source_of
from bayescale.cli.tables import show_hanging
from bayescale.words import chance, percent, short


def _check_tokens(_: object, text: str) -> None:
    checks.above_zero("--tokens", parse_count(text))


Finished = Annotated[
    str,
    Parameter(
        help="A file with curves of finished runs of the same schedule (training_run, D, the loss, and N and lr if "
        "known), or - for standard input.",
        allow_leading_hyphen=True,  # of - itself
    ),
]
Curve = Annotated[
    str, Parameter(help="A file with the run so far: D and the loss, and N and lr where finished runs have them.")
]
Tokens = Annotated[
    str, Parameter(help="Tokens at the end of the run, such as 100B.", metavar="TOKENS", validator=_check_tokens)
]
Response = Annotated[str, Parameter(help="Column of the loss.", metavar="COLUMN", show_default=True)]
Excess = Annotated[
    float,
    Parameter(
        help="Part of the promised loss above which a run is not worth its end.",
        metavar="PART",
        show_default=True,
        group=RESULT,
    ),
]
Certainty = Annotated[
    float,
    Parameter(
        help="Probability of ending so far above from which the advice is to stop.",
        metavar="P",
        show_default=True,
        group=RESULT,
    ),
]


def curve(
    runs: Finished,
    run_so_far: Curve,
    /,
    *,
    tokens: Tokens,
    response: Response = "loss",
    excess: Excess = 0.01,
    certainty: Certainty = 0.9,
    seed: NoSeed = 0,
    probability: Probability = 0.9,
    output: JsonFile = None,
    printing: Printing = PRINTING,
) -> int:
    """Forecast where a run in progress ends, from curves of finished runs of its schedule, and say stop or go."""
    from bayescale.records.curves import curve_record  # noqa: PLC0415  (ArviZ, which --help does not need)

    with source_of(runs) as path:
        found = bs.curves.forecast_end(
            path,
            run_so_far,
            parse_count(tokens),
            response=response,
            probability=probability,
            random_seed=seed,
        )
    names = {"finished": runs, "curve": run_so_far, "response": response}
    return emit(curve_record(found, names, excess=excess, certainty=certainty), show, printing, output=output)


def show(console: Console, record: Mapping[str, Any]) -> None:
    """Print the forecast, what finished runs promise, and the advice."""
    final, promised, above = record["final"], record["promised"], record["above"]
    console.print(Text(f"{record['curve']}: {percent(record['seen'])} of its tokens", style="bold"))
    for what, found in (
        (f"{record['response']} at the end", final),
        ("what finished runs promise a run of this size and length", promised),
    ):
        interval = f"{short(found['lower'], 4)} to {short(found['upper'], 4)}"
        show_hanging(console, f"{what}: {short(found['median'], 4)} ({interval}, {percent(record['probability'])})", "")
    show_hanging(
        console,
        f"above that with probability {chance(above['any'])}, by more than {percent(above['excess'])} with "
        f"{chance(above['by_excess'])}",
        "",
    )
    advice, left = "stop" if record["stop"] else "go on", record["flops_left"]
    if left is not None and math.isfinite(left):
        advice += (
            f"; {short(left, 3)} FLOP are left, and stopping is expected to save {short(record['expected_saving'], 3)}"
        )
    show_hanging(console, advice, "")
