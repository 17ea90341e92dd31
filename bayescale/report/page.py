"""The page of a report: a template filled from the record, with every number written in one way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bayescale.backtesting import threshold_text
from bayescale.intervals import short
from bayescale.plots.style import count_text, percent_text, power_text
from bayescale.report.explorer import explorer_script
from bayescale.report.figures import CARDS, Picture

HERE = Path(__file__).parent
NOTHING = "\N{EN DASH}"
ANSWERS = {
    "compute_suffices": "Compute alone suffices here",
    "split_matters": "The split between parameters and tokens matters",
    "cannot_tell": "These runs cannot tell",
}


def render_page(
    record: Mapping[str, Any], figures: Mapping[str, tuple[Picture, ...]], explorer: Mapping[str, Any] | None = None
) -> str:
    """Return the HTML page of a report.

    Parameters
    ----------
    record : mapping
        What :func:`bayescale.report.record.report_record` returned.
    figures : mapping of str to tuple of Picture
        Figures by section.
    explorer : mapping, optional
        What :func:`bayescale.report.explorer.explorer_data` returned; None leaves the explorer out.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": count, "flops": flops, "number": number, "percent": percent, "reach": reach}
    environment.globals |= {"counts": count, "numbers": number, "percents": percent, "threshold_text": threshold_text}
    css = Markup((HERE / "report.css").read_text(encoding="utf-8"))
    failed = {name: found["failures"] for name, found in record["diagnostics"].items() if not found["passed"]}
    extra = {"css": css, "figures": figures, "failed": failed, "cards": CARDS, "answers": ANSWERS}
    facts = {
        "doubts": record["allocation"]["doubts"] if record["allocation"] else [],
        "python": python_script(record),
        "seeds": _seeds(record),
        "explorer": explorer,
        "script": explorer_script(explorer) if explorer else None,
    }
    return environment.get_template("report.html.j2").render(**record, **extra, **facts)


def count(value: float | None, digits: int = 3) -> str:
    """Return a count with its unit set apart: 86.8 B."""
    if value is None:
        return NOTHING
    text = count_text(value, digits)
    return f"{text[:-1]}\N{NO-BREAK SPACE}{text[-1]}" if text[-1].isalpha() else text


def flops(value: float | None) -> str:
    """Return compute as people type it: 5.76e23."""
    return NOTHING if value is None else power_text(value)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits."""
    return NOTHING if value is None else short(value, digits)


def percent(value: float | None, digits: int = 3) -> str:
    """Return a part as a percentage."""
    return NOTHING if value is None else percent_text(float(f"{value:.{digits}g}")).replace(" ", "\N{NO-BREAK SPACE}")


def reach(extrapolation: float) -> str:
    """Say where a budget lies against the largest run."""
    if extrapolation > 1:
        return f"{short(extrapolation)} times beyond the largest run"
    return f"within the runs: {short(extrapolation)} of the largest run's compute"


def _seeds(record: Mapping[str, Any]) -> list[int]:
    return sorted({settings["random_seed"] for settings in record["settings"].values()})


def python_script(record: Mapping[str, Any]) -> str:
    """Return Python that makes the report again, for when no command was given."""
    laws, table = list(record["laws"]), record["data"]["name"]
    settings = next(iter(record["settings"].values()))
    options = ", ".join(f"{name}={value}" for name, value in settings.items())
    lines = [
        "import bayescale as bs",
        f"runs = bs.resolve_runs({table!r})  # or the path of the file",
        f"comparison = bs.compare(bs.fit_laws(runs, {laws!r}, {options}))",
        "verdict = bs.judge(comparison)",
    ]
    allocation = record["allocation"]
    if allocation:
        budgets = [entry["flops"] for entry in allocation["allocations"]]
        asked = allocation["constraints"]
        limits = f", constraints=bs.Constraints(**{asked!r})" if asked else ""
        lines.append(
            f"allocation = bs.allocate(comparison, {budgets!r}, probability={allocation['probability']!r}, "
            f"tolerance={allocation['allocations'][0]['near_optimal']['tolerance']!r}{limits})"
        )
    given = ["comparison", "verdict", "allocation" if allocation else "None"]
    if record["backtest"]:
        lines.append(_backtest_line(record["backtest"], settings["random_seed"]))
        given.append("backtest=backtest")
    lines.append(f'bs.write_report("report.html", {", ".join(given)})')
    return "\n".join(lines)


def _backtest_line(backtest: Mapping[str, Any], random_seed: int) -> str:
    thresholds = list(dict.fromkeys(row["threshold"] for row in backtest["scores"]))
    chosen = "" if isinstance(thresholds[0], str) else f"thresholds={thresholds!r}, "
    return (
        f"backtest = bs.backtest(runs, [{backtest['law']!r}], by={backtest['by']!r}, {chosen}"
        f"methods={backtest['methods']!r}, random_seed={random_seed})"
    )
