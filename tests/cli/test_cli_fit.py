"""The command ``fit``: its wiring, default laws and saved fits."""

from types import SimpleNamespace
from unittest.mock import patch

import pandas as pd
import pytest

import bayescale as bs
from bayescale.cli import main, steps
from bayescale.cli.options import Sampling
from bayescale.laws import LAWS
from bayescale.laws.usual import USUAL_LAWS

INTERVAL = {"median", "lower", "upper"}


def test_fit_hands_its_options_to_fit_laws(verbs, wide_runs):
    options = ["--laws", "tilt,chinchilla", "--seed", "7", "--draws", "300", "--no-cache", "--where", "N > 1"]
    assert main(["fit", "wide", *options]) == 0
    assert verbs.resolve_runs.call_args.kwargs["where"] == "N > 1"
    (runs, names), keywords = verbs.fit_laws.call_args
    assert (runs, names) == (wide_runs, ["tilt", "chinchilla"])
    assert callable(keywords.pop("progress"))
    assert keywords == {"priors": None, "draws": 300, "random_seed": 7, "cache": False}


@pytest.mark.usefixtures("verbs")
def test_fit_prints_parameters_at_both_scales_and_diagnostics(run_json, capsys):
    record = run_json("fit", "wide", "--law", "chinchilla", "--probability", "0.5")
    assert (record["schema"], record["probability"]) == ("bayescale/fits/1", 0.5)
    law = record["fits"][0]
    assert law["law"] == "chinchilla"
    assert law["diagnostics"]["passed"]
    entries = {entry["name"]: entry for entry in law["parameters"]}
    assert list(entries) == ["E", "A", "B", "alpha", "beta", "sigma", "nu"]
    assert set(entries["A"]["reference"]) == set(entries["A"]["published"]) == INTERVAL
    assert entries["sigma"]["published"] is None
    assert main(["fit", "wide"]) == 0
    printed = capsys.readouterr().out
    assert "diagnostics passed" in printed
    assert "50%" not in printed
    assert "90% credible interval" in printed


@pytest.mark.usefixtures("verbs")
def test_derived_quantities_have_no_reference_scale(run_json):
    fits = run_json("fit", "wide")["fits"]
    entries = {entry["name"]: entry for law in fits if law["law"] == "kaplan_n" for entry in law["parameters"]}
    assert entries["N_c"]["reference"] is None
    assert entries["N_c"]["published"]["lower"] > 0


def test_fits_are_saved_in_a_folder_or_one_in_a_file(verbs, wide_fit, tmp_path, capsys):
    assert main(["fit", "wide", "--output", str(tmp_path / "fits")]) == 0
    saved = {path.name for path in (tmp_path / "fits").iterdir()}
    assert saved == {"chinchilla.nc", "compute_floor.nc", "tilt.nc", "kaplan_n.nc"}
    verbs.fit_laws.return_value = {"chinchilla": wide_fit}
    assert main(["fit", "wide", "--law", "chinchilla", "--output", str(tmp_path / "one.nc")]) == 0
    assert bs.load_fit(tmp_path / "one.nc").law.name == "chinchilla"
    assert f"saved: {tmp_path / 'one.nc'}" in capsys.readouterr().out


@pytest.mark.parametrize("laws", [(), ("--laws", "tilt,chinchilla")])
def test_one_file_for_several_fits_is_a_usage_error(laws, verbs, tmp_path, capsys):
    assert main(["fit", "wide", *laws, "--output", str(tmp_path / "one.nc")]) == 2
    assert "name a folder" in capsys.readouterr().err
    verbs.fit_laws.assert_not_called()


@pytest.mark.parametrize(("response", "first"), [("loss", "compute_power"), ("bpc", "guo_compute")])
def test_default_laws_suit_the_response_and_are_stated(response, first):
    table = SimpleNamespace(response=response, frame=pd.DataFrame(columns=["N", "D", "C", response]))
    names, notes = steps.choose_laws(table, None)
    assert names[0] == first
    assert set(names) <= set(LAWS)
    assert "chinchilla" in names
    assert ", ".join(names) in notes[0]
    assert steps.choose_laws(table, "tilt, chinchilla") == (["tilt", "chinchilla"], [])


def test_a_table_without_sizes_gets_the_laws_of_the_columns_it_has():
    table = SimpleNamespace(response="error", frame=pd.DataFrame(columns=["run", "D", "error"]), name="curves")
    names, notes = steps.choose_laws(table, None)
    assert {"m1", "m2", "m3", "m4", "bnsl"} <= set(names)
    assert all(LAWS[name].covariates == ("D",) for name in names)
    assert ", ".join(names) in notes[0]
    with pytest.raises(bs.InputError, match="curves: no law describes gain by the columns run, D, gain"):
        steps.choose_laws(
            SimpleNamespace(response="gain", frame=pd.DataFrame(columns=["run", "D", "gain"]), name="curves"), None
        )


def test_needed_columns_reach_the_table(verbs):
    assert main(["check", "some.csv", "--needs", "D, steps"]) == 0
    assert verbs.resolve_runs.call_args.kwargs["needs"] == ["D", "steps"]


def test_a_law_is_drawn_before_it_has_seen_a_run(tmp_path, run_json):
    path = tmp_path / "prior.svg"
    law = run_json("laws", "moe_granular", "--figure", str(path))["laws"][0]
    assert law["figure"] == str(path)
    assert path.read_text(encoding="utf-8").count("<svg") == 1
    assert main(["laws", "--figure", str(path), "--quiet"]) == 2
    assert main(["laws", "chinchilla", "--figure", str(tmp_path / "prior.xls"), "--quiet"]) == 3


def test_the_default_laws_are_stated_in_the_help(capsys):
    assert main(["fit", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for names in USUAL_LAWS.values():
        assert ", ".join(names) in text


@pytest.mark.usefixtures("own_cache")
def test_progress_tells_what_is_done_of_what_the_cache_lacks(said, wide_runs, monkeypatch):
    monkeypatch.setattr(steps, "waiting_laws", lambda _table, _names, _sampling: ["kaplan_n", "chinchilla"])

    def fitted(_runs, names, **options):
        for name in names:
            options["progress"](name)
        return {}

    with patch("bayescale.fit_laws", autospec=True, side_effect=fitted):
        steps.fit_laws(wide_runs, ["tilt", "kaplan_n", "chinchilla"], Sampling(), said)
    work = "compiling and sampling 2 laws (1 in the cache)"
    assert said.told == [work, (0, 2), (0, 2), (1, 2), (2, 2)]
