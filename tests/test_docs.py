"""The code in the how-tos runs, in the order of the page."""

import re
from pathlib import Path

import pytest

import bayescale as bs

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_a_law_of_ones_own_takes_ten_lines_and_passes_its_check(capsys):
    names = {}
    define, check, *_ = blocks(DOCS / "your-own-law.md")
    exec(define, names)
    assert len(define.split("tokens_count_less = ")[0].split("def ")[1].splitlines()) < 10
    exec(check, names)
    assert capsys.readouterr().out.rstrip().endswith("nothing is wrong")


def test_the_front_page_asks_a_law_for_its_best_experts(capsys):
    _, best, *_ = blocks(DOCS.parent / "README.md")
    exec(best, {"bs": bs})
    granularity, N, D = map(float, capsys.readouterr().out.split())
    assert granularity == 16
    assert 5e10 < N < 2e11
    assert 3e10 < D < 1e11


@pytest.mark.slow
def test_the_how_to_of_ones_own_law_runs_to_its_end():
    names = {}
    for block in blocks(DOCS / "your-own-law.md"):
        exec(block, names)
    assert names["fit"].diagnostics.passed
    found = bs.credible_interval(bs.published_draws(names["fit"])["gamma"], 0.99)
    assert found.lower < names["truth"]["gamma"] < found.upper
    assert set(names["fits"]) == {"compute_floor", "chinchilla", "tokens_count_less"}
