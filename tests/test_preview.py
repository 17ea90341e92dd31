"""A preview is close to the posterior, quick, and never taken for it."""

import dataclasses
import json

import numpy as np
import pytest

import bayescale as bs
from bayescale.cli import main
from bayescale.errors import InputError
from bayescale.laws import LAWS, Prior


@pytest.fixture(scope="module")
def previewed():
    return bs.fit(bs.load_runs("chinchilla"), "chinchilla", preview=True, cache=False)


def test_a_preview_never_passes_and_says_what_it_is(previewed):
    assert not previewed.diagnostics.passed
    assert "this is a preview" in previewed.diagnostics.failures[0]
    assert "Pareto k" in previewed.diagnostics.failures[0]
    assert any("this is a preview" in doubt for doubt in bs.allocate(previewed, [1e22]).doubts)


def test_a_preview_is_the_same_for_the_same_seed(previewed):
    again = bs.fit(bs.load_runs("chinchilla"), "chinchilla", preview=True, cache=False)
    other = bs.fit(bs.load_runs("chinchilla"), "chinchilla", preview=True, cache=False, random_seed=1)
    assert again.data["posterior"].equals(previewed.data["posterior"])
    assert not other.data["posterior"].equals(previewed.data["posterior"])


def test_a_preview_of_a_law_without_machine_code_says_to_fit(small_runs):
    law = LAWS["compute_floor"]
    odd = dataclasses.replace(law, priors={**law.priors, "gamma": Prior("HalfCauchy", {"beta": 0.3})})
    with pytest.raises(InputError, match="fit it without preview"):
        bs.fit(small_runs, odd, preview=True, cache=False)


def test_a_fit_in_the_cache_is_better_than_a_preview(small_runs, own_cache):
    del own_cache
    known = bs.fit(small_runs, "compute_power", draws=200, tune=300)
    assert (
        bs.fit(small_runs, "compute_power", draws=200, tune=300, preview=True)
        .data["posterior"]
        .equals(known.data["posterior"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chinchilla", "kaplan_nd", "tilt"])
def test_a_preview_is_close_to_the_posterior(name):
    runs = bs.load_runs("chinchilla")
    preview, posterior = (bs.fit(runs, name, preview=quick, cache=False) for quick in (True, False))
    for parameter in posterior.draws:
        ends = [np.quantile(fitted.draws[parameter], [0.05, 0.5, 0.95]) for fitted in (preview, posterior)]
        width = ends[1][2] - ends[1][0]
        assert abs(ends[0][1] - ends[1][1]) < 0.05 * width
        np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=0.2 * width)


def test_the_command_marks_a_preview_in_text_and_in_json(capsys):
    asked = ["allocate", "chinchilla", "--laws", "chinchilla", "--budget", "1e22", "--preview", "--no-cache", "--quiet"]
    assert main([*asked, "--strict"]) == 4
    assert "this is a preview" in " ".join(capsys.readouterr().out.split())
    assert main([*asked, "--json"]) == 0
    assert "this is a preview" in " ".join(json.loads(capsys.readouterr().out)["doubts"])


def test_the_command_previews_one_law_alone(capsys):
    assert main(["allocate", "chinchilla", "--budget", "1e22", "--preview", "--quiet"]) == 2
    assert "choose one by --laws NAME" in " ".join(capsys.readouterr().err.split())
