"""The verdict on a mean of responses, and the responses on which it fails."""

from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.comparison.metrics import judge_metrics
from bayescale.errors import InputError

ANSWERS = {"mean": "split_matters", "web": "split_matters", "code": "cannot_tell"}
BEST = {"mean": "chinchilla", "web": "chinchilla", "code": "compute_floor"}


def losses():
    N = np.geomspace(1e8, 1e9, 8)
    return pd.DataFrame(
        {"N": N, "D": 20 * N[::-1], "web": np.linspace(3, 2, 8), "code": [np.nan, *np.linspace(1.5, 1, 7)]}
    )


@pytest.fixture
def judged():
    """Replace what samples by what the name of the table says."""

    def fit_laws(table, *_, **__):
        return table

    def compare(table, **_):
        best = BEST[table.name.removeprefix("runs: ")]
        ranked = {"elpd_diff": [0.0, -3.0], "dse": [0.0, 1.5], "weight": [0.8, 0.2]}
        other = {"chinchilla": "compute_floor", "compute_floor": "chinchilla"}[best]
        return SimpleNamespace(table=pd.DataFrame(ranked, index=[best, other]), name=table.name, runs=table.frame)

    def judge(comparison):
        return SimpleNamespace(answer=ANSWERS[comparison.name.removeprefix("runs: ")], probability=0.97)

    place = "bayescale.comparison.metrics."
    with (
        patch(f"{place}fit_laws", side_effect=fit_laws) as fit,
        patch(f"{place}compare", side_effect=compare),
        patch(f"{place}judge", side_effect=judge),
    ):
        yield fit


@pytest.mark.usefixtures("judged")
def test_a_verdict_on_the_mean_names_the_responses_on_which_it_fails():
    found = judge_metrics(losses(), ["web", "code"], ["chinchilla", "compute_floor"])
    assert list(found.table.index) == ["mean", "web", "code"]
    assert found.fails == ("code",)
    assert found.same_winner == 0.5
    assert "it fails on code (cannot_tell)" in found.statements
    assert found.table.loc["web", ["best", "second", "elpd_diff"]].tolist() == ["chinchilla", "compute_floor", -3.0]


def test_every_law_is_fitted_to_the_same_rows_of_each_response(judged):
    judge_metrics(losses(), ["web", "code"])
    mean, web, code = (call.args[0].frame for call in judged.call_args_list)
    assert len(mean) == len(web) == len(code) == 7
    np.testing.assert_allclose(mean["loss"], (web["loss"] + code["loss"]) / 2)


@pytest.mark.parametrize(
    ("responses", "said"), [(["web"], "two or more"), (["web", "mean"], "none called mean"), (["web", "x"], "column x")]
)
def test_what_cannot_be_judged_is_refused(responses, said):
    with pytest.raises(InputError, match=said):
        judge_metrics(losses(), responses)


def test_the_interface_has_it():
    assert bs.metrics.judge_metrics is judge_metrics
