"""The usual laws and budgets: what Python and the command line take where nothing is named."""

from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from bayescale.decisions.allocation import allocate
from bayescale.decisions.budgets import usual_budgets
from bayescale.decisions.serving import data_limit, serve
from bayescale.errors import InputError
from bayescale.fits.fitting import fit_laws
from bayescale.laws import LAWS
from bayescale.laws.usual import USUAL_LAWS, usual_laws


def table(response, *columns):
    return SimpleNamespace(response=response, frame=pd.DataFrame(columns=[*columns, response]), name="made")


@pytest.mark.parametrize("response", sorted(USUAL_LAWS))
def test_usual_laws_describe_the_response_by_sizes_and_compute(response):
    names = usual_laws(table(response, "N", "D", "C"))
    assert names == list(USUAL_LAWS[response])
    for name in names:
        assert response in LAWS[name].responses
        assert set(LAWS[name].covariates) <= {"N", "D", "C"}


def test_a_table_without_sizes_has_the_laws_of_its_columns():
    names = usual_laws(table("error", "run", "D"))
    assert set(names) >= {"m1", "bnsl"}
    assert all(LAWS[name].covariates == ("D",) for name in names)
    with pytest.raises(InputError, match="made: no law describes gain by the columns run, D, gain"):
        usual_laws(table("gain", "run", "D"))


def test_fit_laws_without_laws_fits_the_usual_ones(wide_runs):
    def fitted(law, *_, **__):
        return SimpleNamespace(law=law)

    with (
        patch("bayescale.fits.fitting._fit", fitted),
        patch("bayescale.fits.fitting.in_processes", lambda work, laws, _: map(work, laws)),
    ):
        assert list(fit_laws(wide_runs, cache=False)) == usual_laws(wide_runs)
        assert list(fit_laws(wide_runs.frame, cache=False)) == usual_laws(wide_runs)


def test_decisions_without_budgets_are_for_the_usual_ones(wide_fit, wide_runs):
    usual = usual_budgets(wide_runs)
    np.testing.assert_allclose(usual, wide_runs.frame["C"].max() * np.array([1, 10, 100]))
    for found in (allocate(wide_fit).recommended, serve(wide_fit).draws, data_limit(wide_fit, None, 1e12).draws):
        np.testing.assert_allclose(found["flops"], usual)


def test_a_table_without_compute_has_no_usual_budgets():
    with pytest.raises(InputError, match="made: a budget is FLOP to split between N and D; the table has no C"):
        usual_budgets(table("loss", "D"))
