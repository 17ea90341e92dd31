"""One page for each law, written from the law itself, and a table of all."""

import functools
import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from math import exp
from pathlib import Path
from typing import Any

from formulas import pieces, symbol

import bayescale as bs
from bayescale.fits.prior_predictive import prior_predictive
from bayescale.laws import Share
from bayescale.laws.bibliography import bibtex
from bayescale.laws.groups import ORDER, group_of
from bayescale.plots.priors import save_prior_predictive
from bayescale.runs import headers

PACKAGE = Path(bs.__file__).parent
DRAWN_FROM = (PACKAGE / "laws", PACKAGE / "plots")
"""Folders of what a picture of a prior is drawn from; drawing all takes most of a build."""

CALIBRATION = Path(__file__).parents[2] / "benchmarks" / "calibrate_laws.json"

RESPONSES = {"loss": "nats per token", "bpc": "bits per character", "error": "a fraction", "gain": "nats per token"}
VERIFIED = "Formula and values were checked against the paper."


def write_laws(folder: Path) -> None:
    """Write the pages of all laws, their pictures and the table of laws into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for law in bs.LAWS.values():
        draw_prior(law, folder / f"{law.name}.svg")
        write_changed(folder / f"{law.name}.md", law_page(law))
    write_changed(folder / "index.md", index_page(bs.LAWS.values()))
    remove_others(folder, {"index", *bs.LAWS})


def write_changed(path: Path, text: str) -> None:
    """Write a file unless it holds this text: what is not new is not built again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def remove_others(folder: Path, names: Set[str]) -> None:
    """Remove pages and pictures of an earlier build whose names, without endings, are not among these."""
    for path in folder.glob("*.*"):
        if path.stem not in names:
            path.unlink()


def draw_prior(law: bs.Law, path: Path) -> None:
    """Draw what the prior expects, unless there is a picture newer than what it is drawn from."""
    drawn = path.stat().st_mtime if path.exists() else 0.0
    if any(source.stat().st_mtime > drawn for folder in DRAWN_FROM for source in folder.glob("*.py")):
        save_prior_predictive(prior_predictive(law), path)


# The page of a law


def law_page(law: bs.Law) -> str:
    """Return the page of a law."""
    parts = [
        f"# {law.name}",
        summary(law),
        *formula(law),
        status(law),
        "## Columns",
        table(("column", "meaning", "counted in"), column_rows(law)),
        directions(law),
        "## Parameters",
        table(("symbol", "name", "meaning", "unit at published scale", "prior at a typical run"), parameter_rows(law)),
        f"R is the unit of the response ({responses(law)}). How the priors are meant: [the contract](../contract.md).",
        *published(law),
        *examples(law),
        "## What the prior expects",
        f"![Median, 50% and 90% of the prior of {law.name}, along each of its columns]({law.name}.svg)",
        "Before a run is seen: the law over its value at a typical run (1000 draws), without the noise of single runs.",
        calibration(law.name, calibrated()),
        "## The code",
        f"```python\n{inspect.getsource(inspect.unwrap(law.loss)).rstrip()}\n```",
        use(law),
        "## Reference",
        sentence(law.reference),
        f"```bibtex\n{bibtex([law.reference]).rstrip()}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(law: bs.Law) -> str:
    """Return the first line of what the law's module says."""
    return (sys.modules[law.loss.__module__].__doc__ or "").split("\n\n")[0].replace("\n", " ")


def formula(law: bs.Law) -> Iterator[str]:
    """Yield the formula in display, its further parts, and what the code says of it."""
    words = {*law.covariates, *law.parameters, *law.responses}
    response = symbol(law.responses[0])
    for i, (kind, text) in enumerate(pieces(law.formula, words)):
        bare = i == 0 and "=" not in text
        yield f"$$\n{response + ' = ' if bare else ''}{text}\n$$" if kind == "math" else text
    yield from (line.replace("``", "`") for line in inspect.cleandoc(law.loss.__doc__ or "").split("\n\n")[1:])


def status(law: bs.Law) -> str:
    """Return the box that says what was not read in the paper itself."""
    if law.unverified:
        return f":::{{warning}}\n**Not all verified.** {sentence(law.unverified)}\n:::"
    return f":::{{note}}\n{VERIFIED}\n:::"


def sentence(text: str) -> str:
    """Return a text with a capital and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def column_rows(law: bs.Law) -> Iterator[tuple[str, ...]]:
    """Yield name, meaning and unit of each column."""
    for name in law.covariates:
        unit = law.units.get(name, "its geometric mean over the table (inside the fit)")
        text = f"the unit of `{unit}`" if unit in headers.ALIASES else unit if isinstance(unit, str) else f"{unit:g}"
        yield f"`{name}`", headers.MEANINGS[name], text


def directions(law: bs.Law) -> str:
    """Return where the law never rises, and what it tends to."""
    what, verb = law.responses[0].capitalize(), "rises" if law.responses[0] == "gain" else "falls"
    names = ", ".join(f"`{name}`" for name in law.decreasing)
    towards = f", towards `{law.floor}`" if law.floor else ""
    return f"{what} {verb} with {names}{towards}." if names else ""


def parameter_rows(law: bs.Law) -> Iterator[tuple[str, ...]]:
    """Yield symbol, name, meaning, unit and prior of each parameter."""
    for name in law.parameters:
        what, unit = law.meanings[name]
        shown = "" if symbol(name).startswith(r"\text") else f"{{math}}`{symbol(name)}`"
        yield shown, f"`{name}`", what, unit, prior_text(law, name)


def prior_text(law: bs.Law, name: str) -> str:
    """Return a prior in words, those of PyMC where there are none."""
    match law.priors[name]:
        case Share(concentration, power):
            total = sum(prior.concentration for prior in law.priors.values() if isinstance(prior, Share))
            text = "the level" if concentration == total else f"share of the level, mean {concentration / total:.2g}"
            return text + (f", to the power `{power}`" if power else "")
        case bs.Prior("LogNormal", {"mu": mu, "sigma": sigma}, relative):
            text = f"log-normal, median {exp(mu):.3g}, s.d. of log {sigma:g}"
        case bs.Prior("Normal", {"mu": mu, "sigma": sigma}, relative):
            text = f"normal, mean {mu:g}, s.d. {sigma:g}"
        case prior:
            return f"`{prior}`"
    return text + (" (times typical response)" if relative else "")


def responses(law: bs.Law) -> str:
    """Return the responses a law can describe, with their units."""
    return ", ".join(f"{name}: {RESPONSES[name]}" for name in law.responses)


def published(law: bs.Law) -> Iterator[str]:
    """Yield the tables of published values, one for each few sources."""
    if not law.published:
        yield "## Published values\n\nNone."
        return
    yield f"## Published values\n\nFor the response {law.published_response}, at N = D = C = 1."
    sources = list(law.published)
    for start in range(0, len(sources), 3):
        chosen = sources[start : start + 3]
        yield table(("parameter", *chosen), published_rows(law, chosen))
    if published_errors(law):
        yield "In brackets: the published standard error."


def published_errors(law: bs.Law) -> Mapping[str, Mapping[str, float]]:
    """Return the standard errors of the parameters themselves by source, where a law's module has them."""
    return dict(getattr(sys.modules[law.loss.__module__], "PUBLISHED_ERRORS", {}))


def published_rows(law: bs.Law, sources: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the values of each parameter, then of the paper's derived quantities."""
    values = {source: {**law.published[source], **derived(law, law.published[source])} for source in sources}
    errors = published_errors(law)
    for name in values[sources[0]]:
        cells = (value_text(values[source][name], errors.get(source, {}).get(name)) for source in sources)
        yield f"`{name}`" + ("" if name in law.parameters else " (derived)"), *cells


def derived(law: bs.Law, values: Mapping[str, float]) -> dict[str, float]:
    """Return the paper's own quantities."""
    return dict(law.derived(**values)) if law.derived else {}


def value_text(value: float, error: float | None) -> str:
    """Return a value, with its standard error if there is one."""
    return f"{value:.6g}" + (f" ({error:.4g})" if error is not None else "")


def examples(law: bs.Law) -> Iterator[str]:
    """Yield the values that the law must give, beside those it gives."""
    if law.examples:
        yield "## Examples"
        yield table(("parameters", "at", "must be", "the code gives"), example_rows(law))


def example_rows(law: bs.Law) -> Iterator[tuple[str, ...]]:
    """Yield parameters, place, value, and what the formula gives there."""
    for example in law.examples:
        values = law.published[example.source] if example.source else example.parameters
        found = float(law.loss(**example.at, **values))
        source = example.source or "made up: " + listed(example.parameters)
        yield source, listed(example.at), f"{example.value:.7g}", f"{found:.7g}"


def listed(values: Mapping[str, float]) -> str:
    """Return values as text; numbered columns that are alike are told once."""
    shown = {name: f"{value:.4g}" for name, value in values.items()}
    if len(shown) > 8:
        groups: dict[tuple[str, str], list[str]] = {}
        for name, text in shown.items():
            groups.setdefault((name.rstrip("0123456789"), text), []).append(name)
        shown = {names[0] + (f" to {names[-1]}" if names[1:] else ""): text for (_, text), names in groups.items()}
    return ", ".join(f"{name} = {text}" for name, text in shown.items())


@functools.cache
def calibrated() -> Mapping[str, Mapping[str, Any]]:
    """Return what the calibration of laws found, by law."""
    return dict(json.loads(CALIBRATION.read_text(encoding="utf-8"))["laws"])


def calibration(name: str, results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return how often the intervals of a law held what they promise in simulated tables."""
    if name not in results:
        return (
            "## Calibration\n\n**Not calibrated yet**: nobody has measured how often the intervals of this law hold. "
            f"`python benchmarks/calibrate_laws.py {name}` does, in a minute or a few."
        )
    found = results[name]
    held = [100 * value for value in found["coverage"].values()]
    return (
        f"## Calibration\n\nIn {found['tables']} simulated tables, 90% intervals held the truth in "
        f"{sum(held) / len(held):.1f}% of cases ({min(held):.0f} to {max(held):.0f}% by quantity): "
        "[all laws](../laws-calibration.md)."
    )


def use(law: bs.Law) -> str:
    """Return how the law is used."""
    lines = [f'fit = bs.fit(runs, "{law.name}")']
    if law.splits_compute:
        lines.append("allocation = bs.allocate(fit, flops=[1e24])")
    return "## Use\n\n```python\n" + "\n".join(lines) + f"\n```\n\n```console\n$ bayescale laws {law.name}\n```"


# Tables


def index_page(laws: Iterable[bs.Law]) -> str:
    """Return the table of all laws."""
    laws = list(laws)
    text = (
        f"# Laws\n\n{len(laws)} laws, each a value of the package from which its page is written: formula, symbols, "
        "priors, published values, examples that the code must give, and what of it could not be read in the paper "
        "itself. Which of them to fit depends on the columns of the table; [a law of your own](../your-own-law.md) "
        "goes wherever a name goes.\n"
    )
    header = ("law", "columns", "formula", "from", "verified")
    groups = [[law for law in laws if group_of(law) == name] for name in ORDER]
    lists = "\n\n".join(f"## {group_of(group[0])}\n\n{table(header, index_rows(group))}" for group in groups if group)
    toctree = "\n".join(["```{toctree}\n:hidden:\n", *(law.name for law in laws), "```"])
    return f"{text}\n{lists}\n\n{toctree}\n"


def index_rows(laws: Iterable[bs.Law]) -> Iterator[tuple[str, ...]]:
    """Yield name, columns, formula and source of each law."""
    for law in laws:
        yield f"[{law.name}]({law.name}.md)", some(law.covariates), formula_cell(law), origin(law), verified(law)


def some(columns: Sequence[str]) -> str:
    """Return the first few columns."""
    return ", ".join(columns[:4]) + (", ..." if columns[4:] else "")


def origin(law: bs.Law) -> str:
    """Return who a law is from, without the rest of its reference."""
    return "bayescale" if law.reference.startswith("bayescale:") else law.reference.partition(")")[0] + ")"


def verified(law: bs.Law) -> str:
    """Return whether anything of a law is marked as unverified."""
    return "in part" if law.unverified else "yes"


def formula_cell(law: bs.Law) -> str:
    """Return the first part of the formula, small enough for a cell of a table."""
    kind, text = next(pieces(law.formula, {*law.covariates, *law.parameters, *law.responses}))
    return f"{{math}}`{text}`" if kind == "math" else text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
