"""The pages of a report: templates filled from the record, with every number written in one way."""

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bayescale.forecasts.backtesting import threshold_text
from bayescale.records.badges import SAME
from bayescale.report.explorer import explorer_script, page_script
from bayescale.report.figures import CARDS, Picture, inline_svg
from bayescale.report.terms import TERMS, with_terms
from bayescale.words import capital, count_text, odds, percent, short, typed

MARKS = re.compile(r"[\\`*{}\[\]<>|#~$]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown would take as more than text; an underscore inside a word is text."""

AS_THEY_ARE = ("figures", "command", "python", "bibtex", "glossary")
"""Facts that Markdown gets without marks: blocks of code, and what is no text."""

FAILURES_AT_ONCE = 2
"""Failed diagnostics of a law that stand above the answer."""

HERE = Path(__file__).parent

HARDLY = 0.05
"""Part of its interval that a number must move by to be described on its own."""

NOTHING = "\N{EN DASH}"
ANSWERS = {
    "compute_suffices": "Compute alone suffices here",
    "probably_suffices": "Compute alone probably suffices here",
    "probably_matters": "The split between parameters and tokens probably matters",
    "split_matters": "The split between parameters and tokens matters",
    "cannot_tell": "These runs cannot tell",
}


def _on_page(write: Callable[[float, int], str]) -> Callable[..., str]:
    """Return what writes a number of a page: a dash where there is none, and never broken before its unit."""

    def written(value: float | None, digits: int = 3) -> str:
        return NOTHING if value is None else write(value, digits).replace(" ", "\N{NO-BREAK SPACE}")

    return written


NUMBERS: Mapping[str, Callable[..., str]] = {
    "count": _on_page(count_text),
    "flops": _on_page(typed),
    "number": _on_page(short),
    "percent": _on_page(percent),
}
"""The kinds of numbers on a page, each a filter of its templates."""


def render_page(
    record: Mapping[str, Any],
    figures: Mapping[str, tuple[Picture, ...]],
    explorer: Mapping[str, Any] | None = None,
    *,
    paper: bool = False,
) -> str:
    """Return the HTML page of a report.

    Parameters
    ----------
    record : mapping
        What :func:`bayescale.records.report.report_record` returned.
    figures : mapping of str to tuple of Picture
        Figures by section.
    explorer : mapping, optional
        What :func:`bayescale.report.explorer.explorer_data` returned; None leaves the explorer out.
    paper : bool
        Whether it is to be printed: figures in colours of their own, and their data attached rather than linked.
    """
    script = explorer_script(explorer) if explorer else None
    return render_template(
        "report.html.j2", {**_facts(record, figures), "explorer": explorer, "script": script}, paper=paper
    )


def render_template(name: str, facts: Mapping[str, Any], *, paper: bool = False) -> str:
    """Return a page of one of the templates here, with the style and the script that all pages have.

    Parameters
    ----------
    name : str
        Of the template.
    facts : mapping
        What it is filled with.
    paper : bool
        As for :func:`render_page`.
    """
    css = Markup((HERE / "report.css").read_text(encoding="utf-8"))
    environment = _environment(autoescape=True)
    environment.filters |= {
        "csv_link": lambda picture: _data_link(picture.csv, "text/csv"),
        "data_link": _data_link,
        "file_name": lambda name: re.sub(r"\W+", "-", name).strip("-") or "report",
        "inline": partial(inline_svg, paper=paper),
    }
    page = environment.get_template(name)
    text = page.render(**{**facts, "css": css, "page_script": page_script(), "paper": paper})
    return with_terms(text, facts["glossary"])


def render_markdown(record: Mapping[str, Any], figures: Mapping[str, tuple[Picture, ...]], folder: str) -> str:
    """Return the Markdown page of a report.

    Parameters
    ----------
    record, figures
        As for :func:`render_page`.
    folder : str
        Where the figures and their data lie, as seen from the page.
    """
    environment = _environment(autoescape=False)
    environment.filters["code"] = _code
    facts = _facts(record, figures)
    told = {name: value if name in AS_THEY_ARE else _literal(value) for name, value in facts.items()}
    page = environment.get_template("report.md.j2").render(**told, folder=folder, literal=_literal)
    return re.sub(r"\n{3,}", "\n\n", page)


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**NUMBERS, "odds": odds, "reach": reach, "sentence": sentence}
    kinds = {f"{kind}s": write for kind, write in NUMBERS.items()}
    environment.globals |= {**kinds, "threshold_text": threshold_text}
    return environment


def _facts(record: Mapping[str, Any], figures: Mapping[str, tuple[Picture, ...]]) -> dict[str, Any]:
    """Return what templates are filled with."""
    failed = {name: found["failures"] for name, found in record["diagnostics"].items() if not found["passed"]}
    used = {
        record["verdict"]["compute_law"],
        record["verdict"]["split_law"],
        *(record["allocation"] or {}).get("weights", ()),
    }
    return {
        **record,
        "title": record["heading"]["title"] or f"Scaling report: {record['data']['name']}",
        "figures": figures,
        "failed": failed,
        "serious": {name: _first(failures) for name, failures in failed.items() if name in used},
        "left_out": _left_out(record, [name for name in failed if name not in used]),
        "doubts": record["allocation"]["doubts"] if record["allocation"] else [],
        "shifts": _shifts(record),
        "glossary": TERMS,
        "cards": CARDS,
        "answers": ANSWERS,
        "python": python_script(record),
        "seeds": _seeds(record),
    }


def _shifts(record: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return which numbers of a decision move with the weight of prior or runs, and which hardly do."""
    numbers = record["sensitivity"]["numbers"] if record["sensitivity"] else []
    loss = record["data"]["response"]
    chosen = [
        shift
        for shift in numbers
        if shift["diagnosis"]
        or (" at " in shift["quantity"] and not shift["quantity"].startswith(("D/N", loss)))
        or shift["quantity"].startswith("tilt")
    ]
    large = [shift for shift in chosen if shift["diagnosis"] or _moved(shift) >= HARDLY]
    return {"large": large, "small": [shift["quantity"] for shift in chosen if shift not in large]}


def _moved(shift: Mapping[str, Any]) -> float:
    """Return how far the median moves at most, over the width of the interval."""
    fitted, others = shift["fitted"], [each["interval"] for each in shift["rescaled"]]
    if None in others:
        return math.inf
    width = fitted["upper"] - fitted["lower"]
    return max((abs(each["median"] - fitted["median"]) / width for each in others), default=0.0)


def _first(failures: Sequence[str]) -> list[str]:
    """Return the first failures of a law; the section on diagnostics has all of them."""
    more = len(failures) - FAILURES_AT_ONCE
    return [*failures[:FAILURES_AT_ONCE], *([f"{more} more stand under Diagnostics"] if more > 0 else [])]


def _literal(value: Any) -> Any:  # noqa: ANN401  (any plain data)
    """Return the same data, its words written so that Markdown takes them as they are."""
    if isinstance(value, Mapping):
        return {_literal(name): _literal(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_literal(entry) for entry in value]
    return MARKS.sub(r"\\\g<0>", " ".join(value.split())) if isinstance(value, str) else value


def _code(text: str) -> str:
    """Return text as a block of code, by indents: nothing in it can end the block."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _data_link(text: str, kind: str) -> str:
    """Return an address that holds a file."""
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"


def sentence(note: str) -> str:
    """Return a note as a sentence: it begins with a capital, unless with a name, and ends with a stop."""
    text = capital(note) if re.match(r"[a-z]+[ ,:]", note) else note
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _left_out(record: Mapping[str, Any], names: Sequence[str]) -> str:
    """Say which laws failed their diagnostics and are not used."""
    if not names:
        return ""
    rhat = {name: record["diagnostics"][name]["rhat"] for name in names}
    laws = [f"{name} (R-hat {short(rhat[name], 3)})" if rhat[name] else name for name in names]
    return f"{', '.join(laws)} did not converge, and no number above rests on {'it' if len(laws) == 1 else 'them'}."


def reach(extrapolation: float) -> str:
    """Say where a budget lies against the largest run."""
    if extrapolation > SAME:
        return f"{short(extrapolation)} times beyond the largest run"
    if extrapolation > 1 / SAME:
        return "as much compute as the largest run"
    return f"within the runs: {short(extrapolation)} of the largest run's compute"


def _seeds(record: Mapping[str, Any]) -> list[int]:
    return sorted({settings["random_seed"] for settings in record["settings"].values()})


def python_script(record: Mapping[str, Any]) -> str:
    """Return Python that makes the report again, where its JSON is, for when no command was given."""
    laws, page = list(record["laws"]), record.get("page", "report.html")
    settings = next(iter(record["settings"].values()))
    options = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    lines = [
        *_runs_lines(record["data"], page),
        f"comparison = bs.compare(bs.fit_laws(runs, {laws!r}, {_priors_option(record)}{options}))",
    ]
    allocation, source = record["allocation"], "comparison"
    asked_at = [entry["flops"] for entry in allocation["allocations"]] if allocation else []
    ratios = record["verdict"]["tokens_per_parameter"]
    judged = [f"{name}={ratios[name]!r}" for name in ("tolerance", "probability")]
    judged += [f"budgets={asked_at!r}"] if asked_at else []
    lines.append(f"verdict = bs.judge(comparison, {', '.join(judged)})")
    if allocation:
        alone = None if allocation["averaged"] else next(iter(allocation["weights"]))
        source = f"comparison.fits[{alone!r}]" if alone else source
        asked = allocation["constraints"]
        limits = f", constraints=bs.Constraints(**{asked!r})" if asked else ""
        lines.append(
            f"allocation = bs.allocate({source}, {asked_at!r}, probability={allocation['probability']!r}, "
            f"tolerance={allocation['allocations'][0]['near_optimal']['tolerance']!r}{limits})"
        )
    given = ["comparison", "verdict", "allocation" if allocation else "None"]
    if record["backtest"]:
        lines.append(_backtest_line(record, settings["random_seed"]))
        given.append("backtest=backtest")
    if record["size_backtest"]:
        lines.append(_size_backtest_line(record["size_backtest"], settings["random_seed"]))
        given.append("size_backtest=size_backtest")
    if record["prior_shift"]:
        lines += _shift_lines(record, source)
        given.append("shift=shift")
    if record["plan"]:
        lines.append(_plan_line(record["plan"], source, settings["random_seed"]))
        given.append("plan=plan")
    lines.append(f"bs.write_report({page!r}, {', '.join(given)})")
    return "\n".join(lines)


def _runs_lines(data: Mapping[str, Any], page: str) -> list[str]:
    """Return the lines that read the runs: a table that ships, or those kept beside the page."""
    if data["runs"] is None:
        return ["import bayescale as bs", f"runs = bs.load_runs({data['name']!r})"]
    named = ", ".join(f"{name}={data[name]!r}" for name in ("response", "unit", "name"))
    needs = [name for name in ("N", "D", "C") if name in data["runs"]]
    return [
        "import json",
        "import bayescale as bs",
        f"with open({str(Path(page).with_suffix('.json'))!r}, encoding='utf-8') as file:",
        "    runs = json.load(file)['data']['runs']",
        f"runs = bs.read_runs(runs, {named}, needs={needs!r})",
    ]


def _priors_option(record: Mapping[str, Any]) -> str:
    given = {f"{each['law']}.{each['parameter']}": each["prior"] for each in record["priors"]}
    return f"priors={given!r}, " if given else ""


def _shift_lines(record: Mapping[str, Any], source: str) -> list[str]:
    allocation = "allocation" if record["allocation"] else "None"
    return [
        "from bayescale.decisions.prior_shift import against_own_priors",
        f"shift = against_own_priors(runs, {source}, {allocation})",
    ]


def _backtest_line(record: Mapping[str, Any], random_seed: int) -> str:
    backtest = record["backtest"]
    law = f"comparison.fits[{backtest['law']!r}].law" if record["priors"] else repr(backtest["law"])
    thresholds = list(dict.fromkeys(row["threshold"] for row in backtest["scores"]))
    chosen = "" if isinstance(thresholds[0], str) else f"thresholds={thresholds!r}, "
    return (
        f"backtest = bs.backtest(runs, [{law}], by={backtest['by']!r}, {chosen}"
        f"methods={backtest['methods']!r}, random_seed={random_seed})"
    )


def _size_backtest_line(found: Mapping[str, Any], random_seed: int) -> str:
    asked = f"held_out={found['slices_held_out']!r}, random_seed={random_seed}"
    return f"size_backtest = bs.backtest_sizes(runs, [{found['law']!r}], {asked})"


def _plan_line(found: Mapping[str, Any], source: str, random_seed: int) -> str:
    targets, most = [target["flops"] for target in found["targets"]], max(len(found["next_runs"]), 1)
    return (
        f"plan = bs.plan({source}, spend={found['spend']!r}, target={targets!r}, runs={most!r}, "
        f"probability={found['probability']!r}, random_seed={random_seed})"
    )
