"""``bayescale laws``: list the laws, or tell all about one."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

import bayescale as bs
from bayescale.cli.completion import complete_law
from bayescale.cli.options import PRINTING, JsonFile, NoSeed, Picture, Printing, check_law
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError
from bayescale.cli.tables import Record, make_table, number, show_hanging, show_list, show_table, writer

LawName = Annotated[
    str | None, Parameter(help="A law to describe in full.", validator=check_law, completer=complete_law)
]


def laws(
    name: LawName = None,
    /,
    *,
    figure: Picture = None,
    output: JsonFile = None,
    printing: Printing = PRINTING,
    seed: NoSeed = 0,
) -> int:
    """List the laws, or show one law's formula, columns, parameters, priors, published values and source."""
    if figure is not None and name is None:
        raise UsageError("--figure draws one law's prior; name the law: bayescale laws NAME --figure FILE")
    listed = bs.laws.list_laws() if name is None else [law_details(name)]
    if name is not None and figure is not None:
        from bayescale.fits.prior_predictive import prior_predictive  # noqa: PLC0415  (PyMC, for this alone)
        from bayescale.plots.priors import save_prior_predictive  # noqa: PLC0415  (matplotlib, for this alone)

        save_prior_predictive(prior_predictive(name, random_seed=seed), figure)
        listed[0]["figure"] = str(figure)
    show = show_laws if name is None else show_law
    return emit({"schema": "bayescale/laws/1", "laws": listed}, show, printing, output=output)


def law_details(name: str) -> dict[str, Any]:
    """Return a law's entry in the list of laws, and its priors and published values."""
    from bayescale.laws import get_law  # noqa: PLC0415  (NumPy, which other commands' help does not need)
    from bayescale.runs.headers import MEANINGS  # noqa: PLC0415  (pandas, which the list does not need)

    law = get_law(name)
    entry = next(entry for entry in bs.laws.list_laws() if entry["name"] == law.name)
    published = {
        source: {**values, **(law.derived(**values) if law.derived else {})} for source, values in law.published.items()
    }
    return {
        **entry,
        "columns": {column: MEANINGS.get(column, "a column of your own") for column in law.covariates},
        "priors": {each: str(prior) for each, prior in law.priors.items()},
        "published": published,
        "units": dict(law.units),
        "examples": [
            {"source": example.source or "made-up parameters", "at": dict(example.at), "value": example.value}
            for example in law.examples
        ],
    }


def show_laws(console: Console, record: Record) -> None:
    """Print each law with its formula, columns and source."""
    from bayescale.laws.groups import ORDER  # noqa: PLC0415  (NumPy, which other commands' help does not need)

    groups = {entry["name"]: entry["group"] for entry in record["laws"]}
    for group in sorted(set(groups.values()), key=ORDER.index):
        console.print(Text(f"\n{group}", style="bold underline"))
        _show_group(console, [entry for entry in record["laws"] if entry["group"] == group])


def _show_group(console: Console, entries: Sequence[Record]) -> None:
    for entry in entries:
        show_hanging(
            console,
            f"{entry['name']} ({', '.join(entry['covariates'])}; {' or '.join(entry['responses'])})",
            "",
            "bold",
        )
        show_hanging(console, entry["formula"], "  ")
        mark = "; in parts not verified" if entry["unverified"] else ""
        show_hanging(console, f"{entry['reference']}{mark}", "  ")


def show_law(console: Console, record: Record) -> None:
    """Print all about one law."""
    law = record["laws"][0]
    show_hanging(console, f"{law['name']}: {law['formula']}", "", "bold")
    show_hanging(console, f"response: {' or '.join(law['responses'])}", "")
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
        f"{', '.join(f'{name} = {writer(name)(value, 3)}' for name, value in _first_few(each['at']))}: "
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
