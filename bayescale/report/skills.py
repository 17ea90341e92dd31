"""write_skills_report: one page of what models would score, of a table of scores, and its numbers beside it."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.versions import versions
from bayescale.plots.rendering import render, rendering_settings
from bayescale.plots.skills import plot_families, plot_loadings, plot_score_calibration, plot_scores, plot_skills
from bayescale.records.plain import without_infinities
from bayescale.records.skills import skills_record
from bayescale.report.figures import Picture, Plot
from bayescale.report.page import render_template
from bayescale.report.writing import check_beside
from bayescale.skills import ScoreForecast, SkillComparison, SkillFit, SkillVerdict, forecast_scores
from bayescale.storage import write_whole
from bayescale.words import percent, short, typed

POINTS = 25
"""Budgets at which a curve of scores is drawn."""

PAGE = ".html"

ANSWERS = {
    "compute_suffices": "Compute alone suffices here",
    "probably_suffices": "Compute alone probably suffices here",
    "probably_matters": "Families probably differ at equal compute",
    "family_matters": "Families differ at equal compute",
    "cannot_tell": "These scores cannot tell whether families differ",
}

TERMS = {
    "compute multiplier": "Compute that the average family needs for the skill of this one, over what this one has.",
    "credible interval": "Holds the quantity with the probability named, given the model and the scores; equal-tailed.",
    "elpd": "Log predictive density of scores that a law was not fitted to, those of one model jointly. Higher is "
    "better, and only differences mean anything.",
    "family": "Models of one recipe and corpus; tuned models are families of their own.",
    "loading": "Logits that a response gains for ten times the compute.",
    "nats": "Unit of logarithms to base e; of a difference in elpd, 4 are much.",
    "R-hat": "Whether chains agree; near 1, at most 1.01.",
    "skill": "Compute of the average family with which a model would have its scores, in decades.",
}


def check_skills_page(path: str | os.PathLike[str]) -> Path:
    """Return where a page of scores is to be written, if it can be.

    Raises
    ------
    InputError
        If its name does not end in ``.html``, or what goes beside it would replace a file that is not of a report.
    """
    target = Path(path)
    if target.suffix.lower() != PAGE:
        raise InputError(f"{target}: a page of scores is HTML; name it {target.with_suffix(PAGE)}")
    check_beside(target)
    return target


@checks.kinds
def write_skills_report(
    path: str | os.PathLike[str],
    fitted: SkillFit,
    forecast: ScoreForecast,
    comparison: SkillComparison | None = None,
    verdict: SkillVerdict | None = None,
    *,
    probability: float = 0.9,
    defaults: Sequence[str] = (),
    command: str = "",
    title: str = "",
    date: str = "",
) -> dict[str, Any]:
    """Write what models would score as one HTML page, and its numbers as JSON beside it.

    Parameters
    ----------
    path : str or path-like
        Where to write, such as ``scores.html``; the numbers go to ``scores.json``.
    fitted : SkillFit
        The fit that the forecast is of.
    forecast : ScoreForecast
        What is asked: the answer at the top.
    comparison : SkillComparison, optional
        How well laws forecast scores left out.
    verdict : SkillVerdict, optional
        Whether compute alone explains capability.
    probability : float
        Of the credible intervals.
    defaults : sequence of str
        What was chosen by default.
    command : str
        The command that makes the page again, shown in it.
    title, date : str
        Shown at the top; by default the name of the table, and no date.

    Returns
    -------
    dict
        The numbers, as they were written beside the page.

    Raises
    ------
    InputError
        If the page's name has another ending, or the numbers would replace a file that is not of a report.
    """
    target = check_skills_page(path)
    record = skills_record(fitted, comparison, verdict, [forecast], probability=probability, defaults=defaults)
    shown = without_infinities(record)
    text = json.dumps(shown, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    facts = {
        "record": shown,
        "title": title or f"Scores of {fitted.table.name}",
        "date": date,
        "command": command,
        "asked": forecast,
        "gate": fitted.diagnostics,
        "formula": fitted.law.formula,
        "settings": fitted.settings,
        "trust": _trust(comparison),
        "answers": ANSWERS,
        "glossary": TERMS,
        "versions": versions(),
        "json_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "failed": {fitted.law.name: fitted.diagnostics.failures} if not fitted.diagnostics.passed else {},
        "figures": _figures(fitted, forecast, comparison),
        "paper": False,
    }
    page = render_template("skills.html.j2", facts)
    write_whole(target.with_suffix(".json"), lambda file: file.write_text(text, encoding="utf-8", newline="\n"))
    write_whole(target, lambda file: file.write_text(page, encoding="utf-8", newline="\n"))  # last: where it is, all is
    return record


def _trust(comparison: SkillComparison | None) -> str:
    """Say how such forecasts have done on scores left out, beside the plain baseline."""
    if comparison is None:
        return "Laws were not compared, so how far such forecasts hold on this table is not known."
    rows = comparison.table.set_index("law")
    best = rows.iloc[0]
    said = (
        f"Left out by {comparison.by}, {percent(best['coverage_90'])} of {len(comparison.cells) // len(rows)} scores "
        f"were inside the 90% interval of {rows.index[0]}; its median is {short(best['mean_error'], 2)} off on average"
    )
    if "separate" not in rows.index or rows.index[0] == "separate":
        return f"{said}."
    plain = rows.loc["separate"]
    return (
        f"{said}. The plain baseline, each benchmark alone, is {short(plain['mean_error'], 2)} off and its intervals "
        f"held {percent(plain['coverage_90'])}."
    )


def _figures(
    fitted: SkillFit, forecast: ScoreForecast, comparison: SkillComparison | None
) -> dict[str, tuple[Picture, ...]]:
    figures: dict[str, list[Picture]] = {name: [] for name in ("answer", "forecasts", "families", "laws", "responses")}
    settings = rendering_settings()
    for section, plot in _plots(fitted, forecast, comparison):
        texts = render((plot.name, plot.draw()), settings)
        figures[section].append(Picture(plot.name, *texts, plot.caption, plot.laws))
    return {section: tuple(pictures) for section, pictures in figures.items()}


def _plots(fitted: SkillFit, forecast: ScoreForecast, comparison: SkillComparison | None) -> Iterator[tuple[str, Plot]]:
    laws, wide = (fitted.law.name,), forecast.probability
    if forecast.run is None:
        curve = _curve(fitted, forecast)
        for position, response in enumerate(forecast.responses):
            draw = partial(plot_scores, curve, response, comparison=comparison)
            section = "answer" if position == 0 else "forecasts"
            yield section, Plot(f"score-{position + 1}", draw, _caption(curve, response, comparison), laws)
    if fitted.law.gain:
        multipliers = "What compute is worth in each family over the average one; in brackets the number of its models."
        yield (
            "families",
            Plot("families", partial(plot_families, fitted, probability=wide), multipliers, laws),
        )
    skills = "Each model's skill against its compute; above the dashed line it is worth more compute than was spent."
    yield "families", Plot("skills", partial(plot_skills, fitted, probability=wide), skills, laws)
    if comparison is not None:
        held = "Left of the line, intervals of a law held fewer scores of the response than they promise."
        names = tuple(str(name) for name in comparison.table["law"])
        yield "laws", Plot("calibration", partial(plot_score_calibration, comparison), held, names)
    loadings = "How steeply each response rises with skill: a response that rises little separates models little."
    yield (
        "responses",
        Plot("loadings", partial(plot_loadings, fitted, probability=wide), loadings, laws),
    )


def _curve(fitted: SkillFit, forecast: ScoreForecast) -> ScoreForecast:
    """Return the same forecast at many budgets, from the family's smallest model to the largest budget asked for."""
    models = fitted.table.models
    family = None if forecast.family == "new family" else forecast.family
    own = models if family is None else models[models["family"] == family]
    known = own["C"].dropna().to_numpy(dtype=float)
    lowest, highest = (
        min(*each, *forecast.flops) if least else max(*each, *forecast.flops)
        for each, least in ((known, True), (known, False))
    )
    return forecast_scores(
        fitted,
        family=family,
        flops=np.geomspace(lowest, highest, POINTS),
        responses=forecast.responses,
        threshold=forecast.threshold,
        probability=forecast.probability,
    )


def _caption(curve: ScoreForecast, response: str, comparison: SkillComparison | None) -> str:
    position = curve.responses.index(response)
    ends = [curve.interval(budget, position).median for budget in (0, -1)]
    seen = "; squares are its models, bars what was forecast for them when they were left out" if comparison else ""
    return (
        f"{response} of {curve.family} goes from {short(ends[0], 2)} to {short(ends[1], 2)} between "
        f"{typed(curve.flops[0])} and {typed(curve.flops[-1])} FLOP{seen}."
    )
