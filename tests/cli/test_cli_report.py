"""The command ``report``: what it asks for, and what it prints."""

from datetime import UTC, datetime
from pathlib import Path

import bayescale as bs
from bayescale.cli import main


def test_report_makes_one_of_what_was_compared_and_shows_its_answers(verbs, wide_comparison, tmp_path, capsys):
    path = tmp_path / "my report.html"
    assert main(["report", "wide", "--budget", "1e22", "--seed", "5", "--no-cache", "--output", str(path)]) == 0
    (where, comparison, flops), options = verbs.make_report.call_args
    assert (where, comparison, flops) == (path, wide_comparison, [1e22])
    assert options.pop("progress")
    assert options == {
        "split_by": None,
        "probability": 0.9,
        "tolerance": 0.05,
        "random_seed": 5,
        "cache": False,
        "command": f"bayescale report wide --budget 1e22 --seed 5 --no-cache --output '{path}'",
        "title": "",
        "spent": [],
        "author": "",
        "date": datetime.now(UTC).date().isoformat(),
    }
    out = capsys.readouterr().out
    assert f"report: {path}" in out
    assert verbs.write_report.call_args.args[2].statement.split()[0] in out


def test_report_has_a_default_path_and_tells_it_in_json(verbs, run_json):
    record = run_json("report", "runs/wide.csv")
    assert verbs.make_report.call_args.args[0] == Path("wide-report.html")
    assert (record["schema"], record["path"]) == ("bayescale/report/2", "wide-report.html")
    assert {"comparison", "verdict", "allocation", "diagnostics", "doubts"} <= set(record)


def test_report_says_what_it_goes_without_and_why(verbs, tmp_path, capsys):
    verbs.allocate.side_effect = bs.InputError("none of the laws has a best split")
    verbs.backtest.side_effect = bs.InputError("no fold leaves enough runs")
    assert main(["report", "wide", "--output", str(tmp_path / "report.html")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No split of compute can be recommended.\nWhat to do\n- none of the laws has a best split\n")
    assert "no allocation" not in out
    assert "no backtest: no fold leaves enough runs" in out


def test_report_by_one_law_still_compares_all(verbs):
    assert main(["report", "wide", "--laws", "compute_floor,tilt", "--split-by", "chinchilla"]) == 0
    assert verbs.fit_laws.call_args.args[1] == ["compute_floor", "tilt", "chinchilla"]
    assert verbs.make_report.call_args.kwargs["split_by"] == "chinchilla"
