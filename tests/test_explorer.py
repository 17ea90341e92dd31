"""The report's explorer: each law's twin in JavaScript, the data it works with, and the page in a real browser."""

import dataclasses
import functools
import json
import math
import re
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made import BUDGETS, results, simulated_backtest, simulated_comparison, simulated_runs

from bayescale import Constraints, allocate
from bayescale.comparison.verdict import judge
from bayescale.laws import LAWS, REAL_RUNS
from bayescale.report import write_report
from bayescale.report.explorer import explorer_data, explorer_script
from bayescale.report.twins import javascript
from bayescale.runs import RunTable

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""A browser that is installed; tests need one and never fetch one."""

FILTER = Path(__file__).parents[1] / "docs" / "_static" / "filter.js"

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

MATH = SimpleNamespace(
    exp=np.exp, log=np.log, log10=np.log10, log1p=np.log1p, expm1=np.expm1, sqrt=np.sqrt, tanh=np.tanh,
    abs=np.abs, max=np.maximum, min=np.minimum, pow=np.power,
)  # fmt: skip
"""JavaScript's Math, so that an expression of a twin can be worked out here: it is Python too."""


def points(law, count=40):
    """Draw covariates of real runs and parameters about the published ones or the middle of their priors."""
    rng = np.random.default_rng(5)
    columns = {name: np.exp(rng.uniform(*np.log(REAL_RUNS[name]), count)) for name in law.covariates}
    middle = next(iter(law.published.values()), dict.fromkeys(law.parameters, 0.5))
    spread = rng.uniform(0.9, 1.1, (len(law.parameters), count))
    return columns, {name: middle[name] * row for name, row in zip(law.parameters, spread, strict=True)}


def worked_out(body, columns, parameters):
    """Run the body of a twin as Python, point by point."""
    lines = [line.strip().removeprefix("const ") for line in body.split(";") if line.strip()]
    steps = compile("\n".join(lines).replace("return ", "result = "), "twin", "exec")
    names = dict(columns) | {f"ln_{name}": np.log(values) for name, values in columns.items()}
    found = []
    for i in range(len(next(iter(columns.values())))):
        here = {"Math": MATH, "p": SimpleNamespace(**parameters), "i": i}
        here |= {name: values[i] for name, values in names.items()}
        exec(steps, here)
        found.append(here["result"])
    return np.array(found)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:divide:RuntimeWarning")
def test_every_law_has_a_twin_that_is_the_law(law):
    columns, parameters = points(law)
    twin = worked_out(javascript(law), columns, parameters)
    exact = np.asarray(law.loss(*columns.values(), **parameters)) + np.zeros(twin.size)
    assert np.isfinite(exact).mean() > 0.5
    np.testing.assert_allclose(twin, exact, rtol=1e-9)


def test_a_formula_that_branches_has_no_twin():
    def loss(N, D, *, E, A, B, alpha, beta):
        return E + A / N**alpha + B / D**beta if D > 0 else E

    assert javascript(dataclasses.replace(LAWS["chinchilla"], loss=loss)) is None


def test_a_formula_of_other_functions_has_no_twin():
    def loss(N, D, *, E, A, B, alpha, beta):
        return E + A / N**alpha + math.exp(-beta * math.log(D / B))

    assert javascript(dataclasses.replace(LAWS["chinchilla"], loss=loss)) is None


def test_the_explorer_takes_the_laws_that_have_a_best_split():
    comparison, _, allocation = results()
    data = explorer_data(comparison, allocation)
    assert [law["name"] for law in data["laws"]] == ["chinchilla"]
    assert data["laws"][0]["weight"] == 1.0
    power = np.log10(BUDGETS[0])
    assert data["budget"]["start"] == pytest.approx(power, abs=1e-6)
    assert data["budget"]["low"] < power < data["budget"]["high"]
    steps = (data["budget"]["start"] - data["budget"]["low"]) / data["budget"]["step"]
    assert steps == pytest.approx(round(steps), abs=1e-3)


def test_the_data_cannot_end_the_script_they_stand_in():
    script = explorer_script({"laws": [{"name": "</script><img src=x>"}], "formulas": ["return N;"]})
    assert "<" not in script.data
    assert json.loads(script.data)["laws"][0]["name"] == "</script><img src=x>"


# In a browser


@functools.cache
def written(kind="plain"):
    """Return the path of a report: of plain results, of hostile names, or of a law without a twin."""
    path = Path(tempfile.mkdtemp()) / "report.html"
    finished = {"plain": results, "hostile": hostile, "branching": branching, "costly": costly}[kind]()
    write_report(path, *finished, backtest=simulated_backtest() if kind == "plain" else None)
    return path


def hostile():
    name = "<img src=x onerror=alert(1)>"
    law = dataclasses.replace(LAWS["chinchilla"], name=name, formula=name)
    comparison = simulated_comparison((LAWS["compute_floor"], law), simulated_runs(name=name, labels=name))
    return comparison, judge(comparison), allocate(comparison, BUDGETS)


def branching():
    def loss(N, D, *, E, A, B, alpha, beta):
        return E + A / N**alpha + B / D**beta if np.size(N) else E

    law = dataclasses.replace(LAWS["chinchilla"], name="branching", loss=loss)
    comparison = simulated_comparison((LAWS["compute_floor"], law), simulated_runs())
    return comparison, judge(comparison), allocate(comparison, BUDGETS)


@functools.cache
def costly():
    """Return results of runs whose tokens cost 4 to 2 times 6 N, falling with size."""
    frame = simulated_runs().frame
    frame = frame.assign(C=frame["C"] * 3 * (frame["N"] / 1e9) ** -0.08)
    comparison = simulated_comparison((LAWS["compute_floor"], LAWS["chinchilla"]), RunTable.from_frame(frame))
    return comparison, judge(comparison), allocate(comparison, BUDGETS)


@pytest.fixture(scope="module")
def browser():
    """Start a browser that is installed."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium; install it to test the page (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (only where there is a browser)

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Return a function that opens a report and gathers what it asks for and complains of."""
    pages = []

    def show(path, fragment="", **options):
        page = browser.new_page(**options)
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()


def solved(page, budget, served=0.0, unique=math.inf, choice="0"):
    script = "([choice, budget, served, unique]) => explorer.solve(choice, budget, served, unique ?? Infinity)"
    return page.evaluate(script, [choice, budget, served, None if math.isinf(unique) else unique])


def test_the_page_asks_for_nothing_and_complains_of_nothing(open_page):
    page = open_page(written())
    assert page.said == []
    assert page.asked == [written().as_uri()]
    assert not page.locator("#explorer-panel").is_visible()
    page.click("nav a[href='#explore']")
    assert page.locator("#explorer-panel").is_visible()


def test_javascript_computes_what_the_formula_does(open_page):
    page = open_page(written())
    for law in LAWS.values():
        columns, parameters = points(law, 12)
        names = ", ".join([*columns, *(f"ln_{name}" for name in columns), "p", "i"])
        given = [list(values) for values in columns.values()]
        script = f"""([columns, p]) => {{
            const twin = ({names}) => {{ {javascript(law)} }};
            return columns[0].map((_, i) => {{
                const here = columns.map((column) => column[i]);
                return twin(...here, ...here.map(Math.log), p, i);
            }});
        }}"""
        found = page.evaluate(script, [given, {name: list(values) for name, values in parameters.items()}])
        with np.errstate(all="ignore"):
            exact = np.asarray(law.loss(*columns.values(), **parameters)) + np.zeros(12)
        told = np.array([math.nan if value is None else float(value) for value in found])
        finite = np.isfinite(exact)
        np.testing.assert_allclose(told[finite], exact[finite], rtol=1e-9, err_msg=law.name)


@pytest.mark.parametrize("served", [0.0, 3e11, 1e13])
@pytest.mark.parametrize("kind", ["plain", "costly"])
def test_the_page_finds_the_splits_that_the_library_finds(open_page, served, kind):
    comparison, _, _ = {"plain": results, "costly": costly}[kind]()
    fitted = comparison.fits["chinchilla"]
    page = open_page(written(kind))
    for budget in (1e21, 1e23):
        found = solved(page, budget, served)
        exact = allocate(fitted, [budget], constraints=Constraints(inference_tokens=served))
        N = exact.optima["N"].to_numpy()[:, 0]
        loss = exact.optima["loss"].to_numpy()[:, 0]
        assert found["outside"] == 0
        for name, at in (("lower", 0.05), ("median", 0.5), ("upper", 0.95)):
            assert found["N"][name] == pytest.approx(np.quantile(N, at), rel=2e-3)
            assert found["loss"][name] == pytest.approx(np.quantile(loss, at), rel=1e-5)
        best = exact.recommended.isel(budget=0)
        assert found["recommended"]["N"] == pytest.approx(float(best["N"]), rel=3e-3)  # the same number as the table
        near = [float(best["near_low"]), float(best["near_high"])]
        if np.isfinite(near).all():
            assert found["near"] == pytest.approx(near, rel=0.02)
        else:
            assert found["near"] is None
        extra = [float(best["extra_compute"]), float(best["high_extra_compute"])]
        assert found["extra"] == pytest.approx(extra, rel=0.03, abs=1e-3)
        spent = found["training"] + found["serving"]
        assert spent == pytest.approx(budget, rel=1e-9)


def test_where_data_run_out_the_page_takes_a_larger_model(open_page):
    page = open_page(written())
    free, capped = solved(page, 1e23), solved(page, 1e23, unique=2e11)
    assert free["D"]["median"] > 2e11
    assert capped["bound"] > 0.99
    assert capped["D"]["median"] == pytest.approx(2e11, rel=1e-6)
    assert capped["N"]["median"] == pytest.approx(1e23 / 6 / 2e11, rel=1e-6)
    assert capped["near"][0] < capped["N"]["median"] < capped["near"][1]


def test_a_budget_that_cannot_serve_has_no_answer(open_page):
    page = open_page(written())
    assert solved(page, 1e15, served=1e17) is None


def test_sliders_start_where_the_allocation_stands():
    comparison, _, _ = results()
    limits = Constraints(inference_tokens=1e12, unique_tokens=15e12, max_params=8e9)
    data = explorer_data(comparison, allocate(comparison, BUDGETS, constraints=limits))
    assert (data["served"], data["unique"]) == pytest.approx((12.0, np.log10(15e12)), abs=1e-3)
    assert data["left_out"] == ["max params"]
    free = explorer_data(*results()[::2])
    assert (free["served"], free["unique"]) == (free["served_ends"][0], free["unique_ends"][1])


def test_moving_a_slider_changes_the_numbers(open_page):
    page = open_page(written())
    unfold(page)
    before = page.locator("#explorer-N").get_attribute("value")
    slider = page.locator("#explorer-budget")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(f"document.getElementById('explorer-N').value !== '{before}'")
    budget = 10 ** float(slider.input_value())
    assert budget > BUDGETS[0]
    shown = float(page.locator("#explorer-N").get_attribute("value"))
    assert shown == pytest.approx(solved(page, budget)["N"]["median"], rel=1e-9)
    assert slider.get_attribute("aria-valuetext").endswith("FLOP")
    assert "Train about" in page.locator("#explorer-said").inner_text()


def unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")


def test_a_budget_can_be_typed_is_kept_in_the_address_and_reset(open_page):
    page = open_page(written())
    unfold(page)
    page.fill("#explorer-budget-text", "5.76e23")
    page.press("#explorer-budget-text", "Enter")
    page.fill("#explorer-served-text", "2T")
    page.press("#explorer-served-text", "Tab")
    assert page.url.endswith("#explore?budget=5.76e23&served=2000000000000")
    shown = float(page.locator("#explorer-N").get_attribute("value"))
    assert shown == pytest.approx(solved(page, 5.76e23, 2e12)["N"]["median"], rel=1e-9)
    again = open_page(written(), fragment=page.url.partition("#")[2])
    assert again.locator("#explorer-panel").is_visible()
    assert float(again.locator("#explorer-N").get_attribute("value")) == shown
    assert again.said == []
    page.click("#explorer-reset")
    assert page.locator("#explorer-budget-text").input_value() == "1e21"
    assert page.locator("#explorer-served-text").input_value() == ""
    assert page.url.endswith("#explore")


def test_repeated_data_are_worth_less_as_in_the_library(open_page):
    fitted = results()[0].fits["chinchilla"]
    page = open_page(written())
    script = "([budget, unique, repeat]) => explorer.solve('0', budget, 0, unique, repeat)"
    found = page.evaluate(script, [1e23, 2e11, 15.4])
    limits = Constraints(unique_tokens=2e11, repetition=15.4)
    exact = allocate(fitted, [1e23], constraints=limits)
    assert found["N"]["median"] == pytest.approx(np.median(exact.optima["N"].to_numpy()), rel=0.01)
    assert found["recommended"]["D"] > 2e11
    assert found["loss"]["median"] == pytest.approx(np.median(exact.optima["loss"].to_numpy()), rel=1e-4)


def test_folds_open_in_print(open_page):
    page = open_page(written())
    closed = page.evaluate("[...document.querySelectorAll('details')].filter((fold) => !fold.open).length")
    assert closed > 8
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('details')].every((fold) => fold.open)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("[...document.querySelectorAll('details')].filter((fold) => !fold.open).length") == closed


def test_a_law_without_a_twin_is_told_from_a_grid(open_page):
    page = open_page(written("branching"))
    comparison, _, _ = branching()
    exact = allocate(comparison.fits["branching"], [1e22]).optima["N"].to_numpy()[:, 0]
    found = solved(page, 1e22)
    assert page.said == []
    assert found["N"]["median"] == pytest.approx(np.median(exact), rel=0.05)


def test_names_come_out_as_text(open_page):
    page = open_page(written("hostile"))
    unfold(page)
    assert page.said == []
    assert "<img" in page.locator("#explorer-law option").first.inner_text()
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_a_screen_reader(open_page, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    page = open_page(written(), color_scheme=scheme, bypass_csp=True)
    unfold(page)
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found] == []


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_overflows(open_page, width):
    page = open_page(written(), viewport={"width": width, "height": 800})
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_prints(open_page):
    page = open_page(written())
    printed = page.pdf()
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 1


def test_the_data_of_a_figure_can_be_saved(open_page):
    page = open_page(written())
    unfold(page)
    with page.expect_download() as saved:
        page.click('a[download="exponents.csv"]')
    assert saved.value.suggested_filename == "exponents.csv"
    assert Path(saved.value.path()).read_text(encoding="utf-8").startswith("series,row,exponent (no unit)")


# Beside the report


def test_long_tables_of_the_documentation_can_be_filtered(browser):
    rows = "".join(f"<tr><td>table-{i}</td><td>{'matters' if i % 3 else 'cannot tell'}</td></tr>" for i in range(15))
    tables = f"<table><tbody>{rows}</tbody></table><table><tbody><tr><td>short</td></tr></tbody></table>"
    page = browser.new_page()
    page.set_content(f'<div class="bd-article">{tables}</div><script>{FILTER.read_text()}</script>')
    shown = page.locator("tbody tr:visible")
    assert (page.locator("input").count(), shown.count()) == (1, 16)
    page.fill("input", "CANNOT table-1")
    assert [row.strip() for row in shown.all_inner_texts()] == ["table-12\tcannot tell", "short"]
    assert page.locator("[role=status]").inner_text() == "1 of 15 rows"
    page.fill("input", "")
    assert shown.count() == 16
    page.close()
