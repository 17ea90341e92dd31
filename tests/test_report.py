"""The report of simulated results: complete, escaped, the same every time, and honest about doubt."""

import base64
import dataclasses
import functools
import hashlib
import io
import itertools
import json
import re
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from made import (
    BUDGETS,
    results,
    simulated_backtest,
    simulated_comparison,
    simulated_fit,
    simulated_runs,
    simulated_size_backtest,
)
from pages import Page, page_of

import bayescale as bs
from bayescale import plots
from bayescale.comparison.deciding import find_deciding_runs
from bayescale.comparison.verdict import judge
from bayescale.decisions.allocation import allocate
from bayescale.errors import InputError
from bayescale.forecasts.backtesting import can_backtest
from bayescale.laws import LAWS
from bayescale.planning.plan import plan
from bayescale.records.badges import SIZE_METHOD, badges, cause_record
from bayescale.records.report import report_record
from bayescale.report import captions, figures, write_report
from bayescale.report.page import NUMBERS, _shifts, python_script, reach, render_page
from bayescale.report.pdf import page_as_pdf
from bayescale.runs import RunTable

SECTIONS = (
    "answer",
    "decision",
    "verdict",
    "forecasts",
    "laws",
    "next",
    "diagnostics",
    "assumptions",
    "data",
    "provenance",
)
count, number, percent = (NUMBERS[kind] for kind in ("count", "number", "percent"))
HOSTILE = "<script>alert(1)</script>"


@functools.cache
def further():
    comparison, _, allocation = results()
    targets = allocation.recommended["flops"].to_numpy().tolist()
    found = plan(comparison, spend=float(comparison.runs.frame["C"].max()), target=targets, runs=3)
    return {"backtest": simulated_backtest(), "plan": found, "command": "bayescale report runs.csv --seed 7"}


@functools.cache
def written():
    """Return page and numbers of the plain case, written once."""
    path = Path(tempfile.mkdtemp()) / "report.html"
    write_report(path, *results(), **further())
    return path.read_text(encoding="utf-8"), path.with_suffix(".json").read_text(encoding="utf-8")


@functools.cache
def hostile_results():
    law = dataclasses.replace(LAWS["chinchilla"], name=f"{HOSTILE} & $x$", reference=HOSTILE, formula=HOSTILE)
    runs = simulated_runs(name=HOSTILE, labels=HOSTILE)
    runs = dataclasses.replace(runs, record={HOSTILE: HOSTILE}, notes=(HOSTILE,), unit=HOSTILE)
    comparison = simulated_comparison((LAWS["compute_floor"], law), runs)
    return comparison, judge(comparison), allocate(comparison, BUDGETS)


def test_page_has_every_section_in_order_and_closes_every_element():
    page = Page(written()[0])
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)
    assert not page.open
    assert len(page.ids) == len(set(page.ids))


def test_answer_stands_first_with_interval_and_reach():
    words = Page(written()[0]).text
    best = results()[2].recommended.isel(budget=1)
    opening = f"{count(float(best['N']), 2)} parameters \N{MULTIPLICATION SIGN} {count(float(best['D']), 2)} tokens"
    answer = words.split("Decision what each budget buys")[0]
    assert opening.replace("\N{NO-BREAK SPACE}", " ") in answer
    for part in ("For 5.76e23 FLOP", "Likely between", "Expected loss", "times beyond the runs", "inside the runs"):
        assert part in answer
    assert further()["plan"].headline in answer
    assert words.count(results()[1].statement) == 1


def unfolded(text: str) -> str:
    """Return the words of a page that are seen before anything is opened."""
    shown = re.sub(r"<abbr[^>]*>|</abbr>", "", text)
    folded = re.compile(r"(<details>\s*<summary>.*?</summary>).*?</details>", re.DOTALL)
    return Page(folded.sub(r"\1</details>", shown)).text


def test_a_page_is_two_screens_of_words_and_all_else_is_folded():
    text = written()[0]
    assert len(unfolded(text).split()) < 700
    assert len(Page(text).text.split()) < 4500
    assert "elpd" not in unfolded(text).split("Verdict which law")[0]


def test_no_sentence_stands_twice():
    page = re.sub(
        r"<svg.*?</svg>|<pre>.*?</pre>|<table>.*?</table>|<li>[^<]* FLOP: .*?</li>", " ", written()[0], flags=re.DOTALL
    )
    sentences = [each.strip() for each in re.split(r"(?<=[a-z0-9)])[.?] ", Page(page).text) if len(each.split()) > 7]
    assert [each for each in set(sentences) if sentences.count(each) > 1] == []


def test_numbers_that_hardly_move_are_named_together():
    def shift(quantity, median, diagnosis=""):
        ends = {"lower": 0.0, "upper": 10.0}
        rescaled = [{"interval": {"median": median, **ends}}]
        return {"quantity": quantity, "fitted": {"median": 5.0, **ends}, "rescaled": rescaled, "diagnosis": diagnosis}

    numbers = [shift("N* at 1e22 FLOP", 5.4), shift("N* at 1e23 FLOP", 5.6), shift("alpha", 5.1, "conflict")]
    unknown = {**shift("tilt of N against D", 5.0), "rescaled": [{"interval": None}]}
    numbers += [shift("loss at 1e22 FLOP", 9.0), shift("beta", 9.0), unknown]
    found = _shifts({"sensitivity": {"numbers": numbers}, "data": {"response": "loss"}})
    assert found["small"] == ["N* at 1e22 FLOP"]
    assert [each["quantity"] for each in found["large"]] == ["N* at 1e23 FLOP", "alpha", "tilt of N against D"]


def test_terms_are_explained_once_in_a_section_and_in_the_glossary():
    text = written()[0]
    verdict = text.split('<div id="verdict"')[1].split("</section>")[0]
    assert verdict.count("<abbr title=") == len(set(re.findall(r"<abbr[^>]*>([^<]+)", verdict))) > 0
    for term in ("elpd", "PSIS-LOO", "contraction", "tilt"):
        assert f"<dt>{term}</dt>" in text
        assert f">{term}</abbr>" in text


def test_title_author_and_date_are_shown_where_they_are_given(tmp_path):
    words = page_of(tmp_path, *results(), title="Size my run", author=HOSTILE, date="2026-11-30").text
    for part in ("Size my run", "alert(1)", "2026-11-30", "Asked: how large a model to train"):
        assert part in words
    assert "Scaling report: simulated" in Page(written()[0]).text


def test_runs_that_cannot_say_how_to_split_say_so_first_with_the_runs_that_would():
    runs = simulated_runs()
    N = np.geomspace(2e7, 2e9, len(runs.frame))
    ladder = dataclasses.replace(runs, frame=runs.frame.assign(N=N, D=20 * N, C=120 * N**2))
    cause = cause_record(ladder, ["chinchilla"], "never mind")
    assert cause["headline"] == "D is 20 N in every run, so these runs cannot say how to split compute."
    assert cause["reasons"][0].startswith("At one C, such as")
    assert cause["reasons"][0].count("with D =") == 3
    assert cause_record(runs, ["tilt"], "no law has one")["reasons"] == ["no law has one"]


def test_runs_without_a_split_say_so_before_any_doubt_and_name_what_was_asked(tmp_path):
    laws = (LAWS["compute_floor"], LAWS["chinchilla"])
    comparison = simulated_comparison(laws, simulated_runs(), failed=("chinchilla",))
    words = page_of(tmp_path, comparison, judge(comparison), None, asked=[1e22, 1e23]).text
    assert "how large a model to train, on how many tokens, with 1e22 or 1e23 FLOP?" in words
    assert words.index("No split of compute can be recommended") < words.index("Some numbers here are doubtful")


def test_failed_diagnostics_are_marked_beside_the_next_runs(tmp_path):
    laws = (LAWS["compute_floor"], LAWS["chinchilla"])
    comparison = simulated_comparison(laws, simulated_runs(), failed=("chinchilla",))
    found = further()["plan"]
    page_of(tmp_path, comparison, judge(comparison), allocate(comparison, [1e23]), plan=found)
    line = re.search(r"<strong>Run more first\?</strong>.*?</p>", (tmp_path / "r.html").read_text(), re.DOTALL)[0]
    assert found.headline in line
    assert "diagnostics of chinchilla failed" in line


def test_page_loads_nothing_and_runs_nothing():
    text = written()[0]
    page = Page(text)
    assert not {"link", "img", "iframe", "object", "embed", "foreignobject"} & {*page.tags}
    inside = [
        target[1:] for target in page.loads if not target.startswith(("data:text/csv;", "data:application/x-bibtex;"))
    ]
    assert len(inside) < len(page.loads)
    assert all(f"#{name}" in page.loads for name in inside)
    assert {*inside} <= {*page.ids}
    assert not page.handlers
    assert not re.search(r"https?://|@import|url\((?!#)", re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL))
    assert "default-src 'none'" in text


def test_figures_have_a_label_and_take_the_readers_colour():
    text = written()[0]
    drawings = re.findall(r"<svg[^>]*>", text)
    parts = {
        name: re.split(f'<(?:section|div) id="{name}"', text)[1].split("</section>")[0] for name in figures.SECTIONS
    }
    assert [name for name, part in parts.items() if "<figure>" not in part] == []
    assert len(drawings) == text.count("<figure>")
    assert text.count('.csv" href="data:text/csv;charset=utf-8;base64,') == len(drawings) - 1  # the explorer's changes
    assert all('role="img"' in drawing and re.search(r'aria-label="[^"]{20,}"', drawing) for drawing in drawings)
    assert "#1a1a1a" not in text.split("</style>", 1)[1]


def test_units_and_the_kind_of_interval_are_named():
    words = Page(written()[0]).text
    for part in ("nats per token", "tokens per parameter", "FLOP", "equal-tailed", "PSIS-LOO", "extra compute"):
        assert part in words


def test_numbers_are_valid_json_with_the_records():
    record = json.loads(written()[1], parse_constant=lambda name: pytest.fail(f"{name} in the numbers"))
    comparison, _, allocation = results()
    assert record["schema"] == "bayescale/report/2"
    assert [law["name"] for law in record["comparison"]["laws"]] == list(comparison.table.index)
    assert [entry["flops"] for entry in record["allocation"]["allocations"]] == list(BUDGETS)
    assert record["allocation"]["probability"] == allocation.probability
    assert set(record["posteriors"]) == set(record["diagnostics"]) == set(comparison.fits)
    alpha = record["posteriors"]["chinchilla"]["alpha"]
    assert alpha["reference"] == alpha["published"]
    assert alpha["published_values"]["Besiroglu et al. (2024)"] == 0.3478
    assert record["settings"]["chinchilla"]["random_seed"] == 7
    assert "numpy" in record["versions"]["chinchilla"]
    assert record["data"]["description"]["rows"] == 48
    assert record["command"] == "bayescale report runs.csv --seed 7"


def test_contraction_is_one_less_the_ratio_of_variances_and_a_prior_that_decides_is_called_so(tmp_path):
    comparison, verdict, allocation = results()
    fitted = comparison.fits["chinchilla"]
    tree = fitted.data.copy()
    tree["prior"] = tree["posterior"].to_dataset()[list(fitted.draws)].isel(chain=[0])
    same = dataclasses.replace(
        comparison, fits={**comparison.fits, "chinchilla": dataclasses.replace(fitted, data=tree)}
    )
    found = report_record(same, verdict, allocation)["posteriors"]["chinchilla"]["beta"]["contraction"]
    draws = fitted.data["posterior"]["beta"].to_numpy()
    assert found == pytest.approx(1 - draws.var() / draws[0].var())
    assert "the prior decides this number" in page_of(tmp_path, same, verdict, allocation).text
    assert "beta" in written()[0]
    assert "the prior decides this number" not in Page(written()[0]).text


def test_same_results_give_the_same_bytes(tmp_path):
    write_report(tmp_path / "report.html", *results(), **further())
    again = tuple((tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "json"))
    assert again == written()


def test_hostile_names_stay_text(tmp_path):
    page = page_of(tmp_path, *hostile_results(), drawn=True, command=f"{HOSTILE} 'x' \"y\"")
    assert page.tags.count("script") == 3  # what opens folds, the explorer and its data
    assert not page.handlers
    assert not page.open
    assert page.text.count("alert(1)") > 10
    assert json.loads((tmp_path / "r.json").read_text())["data"]["name"] == HOSTILE


def test_failed_diagnostics_stand_at_the_top_and_beside_each_number(tmp_path):
    laws = (LAWS["compute_floor"], LAWS["tilt"], LAWS["chinchilla"])
    comparison = simulated_comparison(laws, simulated_runs(), failed=("chinchilla",))
    words = page_of(tmp_path, comparison, judge(comparison), allocate(comparison, BUDGETS), drawn=True).text
    top, _, rest = words.partition("For 1e21 FLOP")
    assert "3 transitions diverged" in top.split("Glossary")[-1]
    assert rest.count("✗ diagnostics of chinchilla failed") >= 8
    assert rest.count("✗ doubtful") >= 2 * len(BUDGETS)
    assert "diagnostics of tilt failed" not in words


def test_a_failed_law_that_no_answer_uses_is_one_sentence(tmp_path):
    laws = (LAWS["compute_floor"], LAWS["tilt"], LAWS["chinchilla"])
    comparison = simulated_comparison(laws, simulated_runs(), failed=("tilt",))
    verdict = judge(comparison)
    assert verdict.compute_law == "compute_floor"
    words = page_of(tmp_path, comparison, verdict, allocate(comparison, BUDGETS)).text
    assert "Some numbers here are doubtful" not in words
    assert "did not converge, and no number above rests on it." in words


def test_no_doubt_is_shown_when_there_is_none():
    comparison, verdict, allocation = results()
    clean = report_record(comparison, verdict, dataclasses.replace(allocation, doubts=()))
    assert all(found["passed"] for found in clean["diagnostics"].values())
    assert "✗ diagnostics" not in written()[0]


def test_report_without_an_allocation_says_so(tmp_path):
    comparison, verdict, _ = results()
    page = page_of(tmp_path, comparison, verdict, None, drawn=True)
    assert "No split of compute can be recommended" in page.text
    assert "No law compared" in page.text
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)
    assert json.loads((tmp_path / "r.json").read_text())["allocation"] is None


def test_cannot_tell_shows_reasons_and_remedies(tmp_path):
    comparison, verdict, allocation = results()
    deciding = find_deciding_runs(comparison.fits[verdict.split_law], None)
    unsure = {"answer": "cannot_tell", "reasons": ("the runs hardly differ",), "deciding": deciding}
    ratios = dataclasses.replace(verdict.tokens_per_parameter, lower=None, upper=None)
    doubtful = dataclasses.replace(verdict, **unsure, tokens_per_parameter=ratios)
    words = page_of(tmp_path, comparison, doubtful, allocation).text
    for part in (
        "These runs cannot tell",
        "The runs hardly differ.",
        "uns of one recipe at",
        "nowhere that can be named",
    ):
        assert part in words


def test_notes_and_the_record_of_the_data_are_shown(tmp_path):
    comparison, verdict, allocation = results()
    noted = dataclasses.replace(comparison, notes=("mind the gap",))
    words = page_of(tmp_path, noted, verdict, dataclasses.replace(allocation, notes=("mind the step",))).text
    for part in ("Mind the gap.", "Mind the step.", "A table"):
        assert part in words


def test_many_budgets_stand_in_the_table_and_three_on_cards(tmp_path):
    comparison, verdict, _ = results()
    words = page_of(tmp_path, comparison, verdict, allocate(comparison, [1e20 * 2**i for i in range(8)])).text
    assert words.count("Likely between") == 3
    assert "5 more budgets are in the table" in words


def test_allocation_of_one_law_is_reported(tmp_path):
    comparison, verdict, _ = results()
    single = allocate(comparison.fits["chinchilla"], [1e21])
    assert "chinchilla 1.00" in page_of(tmp_path, comparison, verdict, single).text


def test_own_backtest_stands_in_its_section_and_beside_each_budget(tmp_path):
    found = simulated_backtest(failed=(10.0,))
    words = page_of(tmp_path, *results(), backtest=found).text
    record = json.loads((tmp_path / "r.json").read_text())["backtest"]
    section = words.split("Forecasts whether such forecasts have held")[1].split("Laws parameters, priors")[0]
    points = found.points[found.points["method"] == "discrepancy"]
    assert f"discrepancy {points['inside_90'].sum()} of {len(points)}" in section
    assert "Mind the fold." in section
    assert section.count("diagnostics of this refit failed") == 2
    assert (record["law"], record["methods"], len(record["scores"])) == ("chinchilla", ["discrepancy", "plain"], 4)
    assert record["scores"][0]["coverage"].keys() == {"0.5", "0.8", "0.9", "0.95"}
    inside = points["inside_90"][(points["factor"] >= 10) & (points["factor"] < 30)]
    (far, *_), reach = reversed(record["earned"]), results()[2].recommended["extrapolation"].to_numpy()
    assert far.startswith(f"90% intervals of runs 10 to 30 times beyond the fitted runs held {inside.sum()} of")
    assert far.endswith(f"none was as far as {reach[-1]:.0f} times")
    assert all(f"{each}." in section for each in record["earned"])
    badges = json.loads((tmp_path / "r.json").read_text())["badges"]
    assert [badge["kind"] for badge in badges] == ["inside", "unchecked"]  # none was as far as the largest budget
    assert badges[0]["text"].startswith("inside the runs: sizes unchecked, ")
    assert badges[1]["text"].endswith("times beyond the runs: unchecked")
    near = write_report(tmp_path / "near.md", *results()[:2], allocate(results()[0], [1e23]), backtest=found)
    (badge,) = near["badges"]
    assert badge["text"] == f"10 times beyond the runs: sizes unchecked, {inside.sum()} of {len(inside)} losses held"
    assert badge["kind"] == "unchecked"


def record_of_sizes(*inside, factor=12.0):
    """Return a backtest of sizes with one forecast for each of these, all so far beyond the runs."""
    found = simulated_size_backtest()
    points = pd.concat([found.points.iloc[:1]] * len(inside), ignore_index=True)
    return dataclasses.replace(found, points=points.assign(inside_90=inside, factor=factor, method=SIZE_METHOD))


@pytest.mark.parametrize(
    ("inside", "factor", "kind", "text", "likely"),
    [
        ([True] * 9 + [False], 12.0, "checked", "10 times beyond the runs: checked, 9 of 10 sizes held", True),
        (
            [True] * 4 + [False] * 7,
            12.0,
            "short",
            "10 times beyond the runs: intervals too short, 4 of 11 sizes held",
            False,
        ),
        (
            [True] * 9 + [False],
            4.0,
            "unchecked",
            "10 times beyond the runs: unchecked, nearer 9 of 10 sizes held",
            True,
        ),
        (
            [True] * 4 + [False] * 7,
            4.0,
            "unchecked",
            "10 times beyond the runs: unchecked, nearer 4 of 11 sizes held",
            False,
        ),
    ],
)
def test_the_word_on_a_card_is_no_better_than_what_intervals_of_sizes_held(inside, factor, kind, text, likely):
    allocation = allocate(results()[0], [1e23])
    (badge,) = badges(allocation, None, record_of_sizes(*inside, factor=factor))
    assert (badge["kind"], badge["text"], badge["likely"]) == (kind, text, likely)


def test_losses_stand_beside_sizes_and_do_not_vouch_for_them():
    allocation, losses = allocate(results()[0], [1e23]), simulated_backtest()
    (badge,) = badges(allocation, losses, record_of_sizes(*[True] * 9, False))
    assert re.fullmatch(r".*: checked, 9 of 10 sizes and \d+ of \d+ losses held", badge["text"])
    (badge,) = badges(allocation, losses, record_of_sizes(*[False] * 3, factor=4.0))
    assert re.fullmatch(r".*: \d+ of \d+ losses and nearer 0 of 3 sizes held", badge["text"])
    assert (badge["kind"], badge["likely"]) == ("unchecked", False)


def test_an_interval_that_was_not_borne_out_is_not_called_likely(tmp_path):
    comparison, verdict, _ = results()
    failed = record_of_sizes(*[False] * 3, factor=1e6)
    words = page_of(tmp_path, comparison, verdict, allocate(comparison, [1e23]), size_backtest=failed).text
    assert "By the model between" in words
    assert "(90%, not borne out)" in words
    assert "Likely between" not in words


def test_report_without_a_backtest_says_why(tmp_path):
    assert "None was asked for. In Python, bs.backtest(runs, ['chinchilla'])" in page_of(tmp_path, *results()).text
    few = dataclasses.replace(simulated_runs(), frame=simulated_runs().frame.iloc[:9])
    assert can_backtest(LAWS["chinchilla"], simulated_runs())
    assert not can_backtest(LAWS["chinchilla"], few)
    with mock.patch("bayescale.records.report.can_backtest", autospec=True, return_value=False):
        assert "48 runs are too few, or too alike in C" in page_of(tmp_path, *results()).text


def test_own_backtest_of_sizes_stands_in_its_section_and_on_each_card(tmp_path):
    page = page_of(tmp_path, *results(), size_backtest=simulated_size_backtest())
    record = json.loads((tmp_path / "r.json").read_text())["size_backtest"]
    assert record["schema"] == "bayescale/backtest-sizes/1"
    assert record["statement"] in page.text
    for entry in record["earned"]:
        assert page.text.count(entry) == 1
    assert "held 1 of 1" in record["earned"][-1]
    write_report(tmp_path / "r.md", *results(), size_backtest=simulated_size_backtest())
    assert record["statement"] in (tmp_path / "r.md").read_text()
    script = python_script(report_record(*results(), size_backtest=simulated_size_backtest()))
    assert "size_backtest = bs.backtest_sizes(runs, ['chinchilla'], held_out=[2], random_seed=" in script
    with pytest.raises(InputError, match="backtest of sizes of law 'chinchilla' by method path; found laws tilt"):
        write_report(tmp_path / "r.html", *results(), size_backtest=simulated_size_backtest("tilt"))


def test_report_without_a_backtest_of_sizes_says_why(tmp_path):
    asked = "None was asked for. In Python, bs.backtest_sizes(runs, ['chinchilla'])"
    cannot = "It cannot be made: too few slices."
    for why, words in (("", asked), ("too few slices", cannot)):
        with mock.patch("bayescale.records.report.why_no_size_backtest", autospec=True, return_value=why):
            assert words in page_of(tmp_path, *results()).text


def test_backtest_of_another_law_or_method_is_refused(tmp_path):
    with pytest.raises(InputError, match="backtest of law 'chinchilla' by method discrepancy; found laws tilt"):
        write_report(tmp_path / "r.html", *results(), backtest=simulated_backtest("tilt"))
    found = simulated_backtest()
    plain = dataclasses.replace(found, points=found.points[found.points["method"] == "plain"])
    with pytest.raises(InputError, match="and methods plain"):
        write_report(tmp_path / "r.html", *results(), backtest=plain)


@pytest.mark.parametrize("name", ["report.json", "report", "report.docx"])
def test_page_has_one_of_three_endings(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}: a report is a page whose name ends in \.html, \.md or \.pdf"):
        write_report(tmp_path / name, *results())
    assert not list(tmp_path.iterdir())


def test_each_figure_carries_what_it_shows():
    links = re.findall(r'download="([^"]+)\.csv" href="data:[^,]+,([^"]+)"', written()[0])
    tables = {name: pd.read_csv(io.BytesIO(base64.b64decode(content))) for name, content in links}
    assert len(tables) == len(links)
    assert all(len(table) and table["series"].notna().all() for table in tables.values())
    comparison, _, allocation = results()
    runs = tables["answer"][tables["answer"]["series"] == "runs"]
    assert runs["model size N (parameters)"].to_numpy() == pytest.approx(comparison.runs.frame["N"], rel=1e-5)
    best = tables["answer"][tables["answer"]["series"] == "budgets asked for"]
    asked = allocation.recommended["flops"].to_numpy()
    assert sorted(best["training compute C (FLOP)"]) == pytest.approx(sorted(asked), rel=1e-5)


def test_caption_of_the_loss_speaks_of_forecasts_where_there_are_some():
    comparison, _, allocation = results()
    for source in (plots.loss_curve(comparison.fits["chinchilla"]), allocation):
        assert "held-out runs" in captions.loss(source, backtested=True)
        assert "held-out runs" not in captions.loss(source, backtested=False)


def test_caption_of_slices_speaks_of_runs_only_where_some_are_of_like_compute():
    N, D = [5e7, 5e7, 1.25e8, 1.25e8, 3.5e8, 3.5e8, 7.6e8, 1.3e9], [1e9, 4e9, 2.5e9, 1e10, 7e9, 2e10, 1.5e10, 2.6e10]
    frame = pd.DataFrame({"run": [f"run {i}" for i in range(8)], "N": N, "D": D})
    noise = 1 + 0.005 * np.random.default_rng(7).standard_normal(8)
    few = RunTable.from_frame(frame.assign(loss=(1.75 + 430 / frame["N"] ** 0.34 + 900 / frame["D"] ** 0.345) * noise))
    for runs, of_runs in ((few, False), (simulated_runs(), True)):
        found = plots.isoflop_slices(simulated_fit(LAWS["chinchilla"], runs))
        assert found.of_runs == of_runs
        words = captions.slices(found)
        assert ("the runs should scatter evenly" in words) == of_runs
        assert ("No runs here are of like compute" in words) == (not of_runs)


def test_caption_of_waste_says_when_the_prior_speaks_and_not_the_runs():
    comparison, verdict, _ = results()
    ladder = bs.designs.fixed_ratio_design([5e7, 2e8, 8e8, 3e9, 9e9], ratio=20.0).assign(loss=[3.4, 3.0, 2.7, 2.5, 2.4])
    words = captions.waste(verdict, RunTable.from_frame(ladder.assign(run=list("abcde"))))
    assert "these costs come from the prior" in words
    assert "prior" not in captions.waste(verdict, comparison.runs)


def test_next_runs_stand_in_their_section_or_it_says_why_not(tmp_path):
    found = further()["plan"]
    section = Page(written()[0]).text.split("Next runs what they cost")[1].split("Diagnostics whether")[0]
    for N in found.runs["N"]:
        assert count(float(N)).replace("\N{NO-BREAK SPACE}", " ") in section
    record = json.loads(written()[1])["plan"]
    assert [run["N"] for run in record["next_runs"]] == found.runs["N"].tolist()
    assert record["expected_regret_after"] <= record["expected_regret_before"]
    assert "There is no plan here. In Python, bs.plan makes one" in page_of(tmp_path, *results()).text


def test_what_is_cited_can_be_saved_as_bibtex():
    (link,) = re.findall(
        r'download="simulated.bib" href="data:application/x-bibtex;charset=utf-8;base64,([^"]+)"', written()[0]
    )
    saved, record = base64.b64decode(link).decode(), json.loads(written()[1])["bibtex"]
    assert saved == record
    for key in ("hoffmann2022training", "guo2024more", "vehtari2017practical", "bayescale"):
        assert f"{{{key}," in saved


# Markdown and PDF


@functools.cache
def markdown():
    path = Path(tempfile.mkdtemp()) / "report.md"
    write_report(path, *results(), **further())
    return path


def test_markdown_has_the_sections_the_numbers_and_every_figure_beside_it():
    path, text = markdown(), markdown().read_text(encoding="utf-8")
    titles = re.findall(r"^## (\d+)", text, flags=re.MULTILINE)
    assert titles == [str(i) for i in range(1, len(SECTIONS) + 1)]
    linked = re.findall(r"\]\((report-figures/[^)]+)\)", text)
    assert {path.parent / name for name in linked} == {*(path.parent / "report-figures").iterdir()}
    html = [name for name in re.findall(r'download="([^"]+)\.csv"', written()[0]) if name != "explorer"]
    assert [Path(name).stem for name in linked if name.endswith(".csv")] == html
    assert path.with_suffix(".json").read_text(encoding="utf-8") == written()[1]
    assert results()[1].statement in text
    assert all(cells in text for cells in ("| 5.76e23 |", "chinchilla 1.0"))


def test_markdown_tables_have_as_many_cells_in_each_row():
    rows = [line for line in markdown().read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(rows) > 30
    for above, below in itertools.pairwise(markdown().read_text(encoding="utf-8").splitlines()):
        if above.startswith("|") and below.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", above)) == len(re.findall(r"(?<!\\)\|", below)), below


def test_hostile_names_are_text_in_markdown(tmp_path):
    nothing = dict.fromkeys(figures.SECTIONS, ())
    with mock.patch("bayescale.report.writing.draw_figures", autospec=True, return_value=nothing):
        write_report(tmp_path / "r.md", *hostile_results(), command=f"{HOSTILE}\n``` [x](y)")
    lines = (tmp_path / "r.md").read_text(encoding="utf-8").splitlines()
    words = "\n".join(line for line in lines if not line.startswith("    "))
    assert r"\<script\>alert(1)" in words
    assert not re.search(r"(?<!\\)<|(?<!\\)`", words)


@pytest.fixture
def with_pdf():
    pytest.importorskip("weasyprint", reason="PDF needs the extra, and the library Pango", exc_type=Exception)


@pytest.mark.usefixtures("with_pdf")
def test_pdf_carries_the_data_of_figures_and_is_the_same_every_time():
    picture = figures.Picture("elpd", "", "a\n1\n", "", ())
    first, second = (page_as_pdf("<p>elpd</p>", [picture]) for _ in range(2))
    assert first == second
    assert first.startswith(b"%PDF-")
    assert b"/EmbeddedFile" in first
    assert b"text/csv" not in first


def test_a_page_for_paper_names_the_data_attached_and_has_colours_of_its_own():
    drawn = '<svg viewBox="0 0 9 9"><path stroke="#1a1a1a" fill="#0072b2"/></svg>'
    picture = figures.Picture("elpd", drawn, "a\n1\n", "currentColor and var(--blue)", ())
    shown = {**dict.fromkeys(figures.SECTIONS, ()), "laws": (picture,)}
    paper, screen = (render_page(report_record(*results()), shown, paper=each) for each in (True, False))
    assert "Data: elpd.csv, attached." in paper
    assert "data:text/csv" not in paper
    assert 'stroke="#1a1a1a" fill="#0072b2"' in paper
    assert "currentColor and var(--blue)" in paper
    assert 'stroke="currentColor" fill="var(--blue)"' in screen
    assert 'download="elpd.csv" href="data:text/csv;' in screen


@pytest.mark.slow
@pytest.mark.usefixtures("with_pdf")
def test_report_is_written_as_pdf(tmp_path):
    write_report(tmp_path / "r.pdf", *results(), **further())
    content = (tmp_path / "r.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.count(b"/EmbeddedFile") >= 14
    assert (tmp_path / "r.json").read_text(encoding="utf-8") == written()[1]


def test_pdf_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(InputError, match=r"needs WeasyPrint, which is not installed; install bayescale\[pdf\]"):
        write_report(tmp_path / "r.pdf", *results())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["r.html", "deep dive.md"])
def test_the_lines_at_the_end_of_a_report_run_as_they_are_and_make_the_same_numbers(tmp_path, monkeypatch, name):
    comparison, _, allocation = results()
    verdict = bs.judge(comparison, tolerance=0.1, probability=0.8, budgets=allocation.recommended["flops"].to_numpy())
    record = write_report(tmp_path / name, comparison, verdict, allocation)
    fit_laws = mock.create_autospec(bs.fit_laws, return_value=comparison.fits)
    monkeypatch.setattr(bs, "fit_laws", fit_laws)
    monkeypatch.chdir(tmp_path)
    exec(compile(python_script(record | {"page": name}), "script", "exec"), {})
    digest = hashlib.sha256((tmp_path / name).with_suffix(".json").read_bytes()).hexdigest()
    assert digest in (tmp_path / name).read_text()  # a page beside the JSON of another is known by it
    assert json.loads((tmp_path / name).with_suffix(".json").read_text()) == json.loads(json.dumps(record))
    (runs, laws), _ = fit_laws.call_args
    assert laws == list(record["laws"])
    columns = ["N", "D", "C", "loss"]
    pd.testing.assert_frame_equal(runs.frame[columns], comparison.runs.frame[columns], check_exact=True)
    assert (runs.name, runs.unit, runs.compute) == (comparison.runs.name, comparison.runs.unit, comparison.runs.compute)


def test_script_is_python_and_names_laws_budgets_and_seed():
    script = python_script(report_record(*results()))
    compile(script, "script", "exec")
    assert "backtest" not in script
    longer = python_script(report_record(*results(), backtest=simulated_backtest()))
    compile(longer, "script", "exec")
    assert (
        "bs.backtest(runs, ['chinchilla'], by='C', thresholds=[0.2, 10.0], methods=['discrepancy', 'plain']" in longer
    )
    assert "allocation, backtest=backtest)" in longer
    for part in ("['compute_floor', 'tilt', 'chinchilla']", "5.76e+23", "random_seed=7", "probability=0.9"):
        assert part in script


def test_script_allocates_by_the_one_law_that_was_asked_for():
    comparison, verdict, averaged = results()
    alone = allocate(comparison.fits["chinchilla"], [1e22])
    script = python_script(report_record(comparison, verdict, alone, plan=further()["plan"]))
    for verb in ("bs.allocate", "bs.plan"):
        assert f"{verb}(comparison.fits['chinchilla'], " in script
    assert "bs.allocate(comparison, " in python_script(report_record(comparison, verdict, averaged))


def test_numbers_are_written_in_one_way():
    assert [count(8.68e10), count(4.15e11, 2), count(None)] == ["86.8B", "420B", "\N{EN DASH}"]
    assert [number(None), number(0.12345), percent(0.1840)] == ["\N{EN DASH}", "0.123", "18.4%"]
    assert reach(1.001) == "as much compute as the largest run"
    assert reach(44.4) == "44 times beyond the largest run"
    assert reach(0.077) == "within the runs: 0.077 of the largest run's compute"
