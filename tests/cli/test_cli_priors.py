"""Priors by hand on the command line: where they go, that it is said, and what is refused."""

import json
from pathlib import Path

import pytest

import bayescale as bs
from bayescale.cli import main
from bayescale.cli.app import app
from bayescale.laws import LAWS, Prior, with_priors

PRIOR = "alpha=Normal(0.34, 0.05)"
SAMPLING = ("fit", "compare", "allocate", "plan", "serve", "data-limit", "multiplier", "backtest", "report")


@pytest.mark.parametrize("command", SAMPLING)
def test_every_command_that_samples_takes_priors(command, capsys):
    assert main([command, "--help"]) == 0
    assert "--prior PARAMETER=PRIOR" in capsys.readouterr().out


def test_no_other_command_takes_priors():
    for name in ("check", "laws", "data", "import"):
        assert "--prior" not in "".join(str(argument.names) for argument in app[name].assemble_argument_collection())


@pytest.fixture
def given_comparison(verbs, wide_runs, wide_comparison, synthetic_fit):
    """A comparison in which alpha of chinchilla has a prior by hand."""
    law = with_priors(LAWS["chinchilla"], {"alpha": "Normal(0.34, 0.05)"})
    fits = {**wide_comparison.fits, "chinchilla": synthetic_fit(law, wide_runs)}
    verbs.fit_laws.return_value = fits
    return fits


@pytest.mark.usefixtures("given_comparison")
def test_fit_passes_priors_on_and_says_whose_they_are(verbs, capsys, run_json):
    command = ["fit", "wide", "--laws", "compute_floor,tilt,chinchilla", "--prior", PRIOR, "--prior", "E=Share(6)"]
    record = run_json(*command)
    assert verbs.fit_laws.call_args.kwargs["priors"] == {"alpha": "Normal(0.34, 0.05)", "E": "Share(6)"}
    own = str(LAWS["chinchilla"].priors["alpha"])
    assert record["priors"] == [
        {"law": "chinchilla", "parameter": "alpha", "prior": "Normal(mu=0.34, sigma=0.05)", "own": own}
    ]
    (chinchilla,) = (law for law in record["fits"] if law["law"] == "chinchilla")
    given = {each["name"]: (each["given"], each["prior"]) for each in chinchilla["parameters"]}
    assert given["alpha"] == (True, "Normal(mu=0.34, sigma=0.05)")
    assert given["beta"] == (False, str(LAWS["chinchilla"].priors["beta"]))
    assert main(command) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"prior by hand: alpha ~ Normal(mu=0.34, sigma=0.05), for chinchilla (its own: {own})" in printed
    assert "prior by hand: E ~ typical loss x Dirichlet part(6), for compute_floor (its own:" in printed


def test_without_priors_none_are_the_users(verbs, run_json):
    record = run_json("fit", "wide")
    assert verbs.fit_laws.call_args.kwargs["priors"] is None
    assert record["priors"] == []


def test_backtest_holds_out_with_the_priors(verbs, run_json):
    record = run_json("backtest", "wide", "--law", "kaplan_n", "--prior", "alpha_N=Normal(0.08, 0.01)")
    ((_, (law,)), _) = verbs.backtest.call_args
    assert law.priors["alpha_N"] == Prior("Normal", {"mu": 0.08, "sigma": 0.01})
    assert [entry["parameter"] for entry in record["priors"]] == ["alpha_N"]


def test_a_dry_run_counts_fits_with_other_priors_as_other_fits(small_runs, own_cache, tmp_path, run_json):
    del own_cache
    path = tmp_path / "small.csv"
    small_runs.frame.drop(columns="C").to_csv(path, index=False)
    runs = bs.read_runs(path)
    bs.fit_laws(runs, ["compute_power", "compute_floor"], draws=50)
    command = ["compare", str(path), "--laws", "compute_power,compute_floor", "--draws", "50", "--dry-run"]
    assert run_json(*command)["to_sample"] == 0
    work = run_json(*command, "--prior", "E=Share(9)")["work"]
    assert {each["law"]: each["cached"] for each in work} == {"compute_power": 1, "compute_floor": 0}


@pytest.mark.parametrize(
    ("prior", "status", "said"),
    [
        ("alpha=Nomal(0.34, 0.05)", 2, "did you mean Normal"),
        ("alpha=Normal(0.34)", 2, "expected Normal(mu, sigma), all numbers given; found mu"),
        ("alpha=Normal(0.34, -1)", 2, "expected a number above zero"),
        ("Normal(0.34, 1)", 2, "expected PARAMETER=DISTRIBUTION"),
        ("omega=Normal(0.34, 1)", 3, "no law here has the parameter omega"),
        ("alpha=Normal(0.34, 1)", 3, "take a distribution that lies there"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "allocate", "backtest"])
def test_a_prior_that_cannot_be_meant_is_refused_before_anything_is_fitted(
    command, prior, *, status, said, verbs, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "400")
    assert main([command, "wide", "--law", "chinchilla", "--prior", prior]) == status
    assert said in " ".join(capsys.readouterr().err.split())
    verbs.fit_laws.assert_not_called()
    verbs.backtest.assert_not_called()


def test_multiplier_gives_the_prior_to_the_law_that_groups_share(small_runs, tmp_path, run_json):
    path = Path(tmp_path / "small.csv")
    small_runs.frame.drop(columns="C").assign(family=["a", "b"] * 12).to_csv(path, index=False)
    command = ["multiplier", str(path), "--law", "compute_floor", "--prior", "gamma=Normal(0.17, 0.01)"]
    record = run_json(*command, "--draws", "100")
    assert [(entry["law"], entry["prior"]) for entry in record["priors"]] == [
        ("compute_floor", "Normal(mu=0.17, sigma=0.01)")
    ]
    assert json.dumps(record["defaults"]).count("prior by hand: gamma") == 1


def test_allocate_shows_how_far_numbers_move_against_the_laws_own_priors(
    given_comparison, verbs, wide_comparison, *, run_json, capsys, monkeypatch
):
    own = wide_comparison.fits["chinchilla"]
    monkeypatch.setattr("bayescale.decisions.prior_shift.fit_laws", lambda *_, **__: {"chinchilla": own})
    verbs.fit_laws.return_value = {"chinchilla": given_comparison["chinchilla"]}
    command = ["allocate", "wide", "--law", "chinchilla", "--budget", "1e22", "--prior", PRIOR]
    record = run_json(*command)
    assert [entry["parameter"] for entry in record["priors"]] == ["alpha"]
    moved = record["prior_shift"]["moved"]
    assert [each["quantity"] for each in moved] == ["N", "D", "tokens_per_parameter", "loss"]
    assert moved[0]["given"] == record["allocations"][0]["N"]
    assert main(command) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Against the laws' own priors, by a second fit" in printed
    assert moved[0]["sentence"] in printed


def test_allocate_without_priors_by_hand_fits_nothing_again(verbs, wide_fit, run_json):
    verbs.fit_laws.return_value = {"chinchilla": wide_fit}
    assert run_json("allocate", "wide", "--law", "chinchilla", "--budget", "1e22")["prior_shift"] is None
