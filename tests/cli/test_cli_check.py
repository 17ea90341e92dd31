"""The command ``check``: what a table can identify, and its faults."""

import json

from bayescale.cli import main


def test_check_tells_what_a_table_can_and_cannot_identify(run_json, capsys):
    record = run_json("check", "chinchilla")
    assert record["schema"] == "bayescale/check/1"
    assert record["usable"]
    assert record["faults"] == []
    assert record["rows"] == 245
    assert {"ranges", "spread_N_at_like_C", "correlation", "condition", "can", "cannot", "notes"} <= set(record)
    assert main(["check", "chinchilla"]) == 0
    printed = capsys.readouterr().out
    for words in ("Can identify", "Cannot identify", "s.d. of log10 N at like C", "correlation", "given by the table"):
        assert words in printed


def test_check_prints_null_where_json_has_no_number(tmp_path, run_json, capsys):
    path = tmp_path / "same_ratio.csv"
    path.write_text("N,D,loss\n" + "".join(f"1e8,{k}e9,{4 - k / 10}\n2e8,{k}e9,{3.9 - k / 10}\n" for k in (2, 3, 5)))
    record = run_json("check", str(path))
    assert record["condition"] is None or record["condition"] > 1e6
    assert main(["check", str(path)]) == 0
    assert "condition number" in capsys.readouterr().out


def test_check_prints_every_fault_on_stderr_and_ends_with_3(tmp_path, capsys):
    path = tmp_path / "bad.csv"
    path.write_text("run,N,D,loss\na,1e8,2e9,x\nb,2,3e9,3.3\n", encoding="utf-8")
    assert main(["check", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "column N is 2 for run 'b' (line 3)" in err
    assert "column loss is 'x' for run 'a' (line 2)" in err
    assert "Traceback" not in err
    assert main(["check", str(path), "--json"]) == 3
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert (record["schema"], record["usable"], len(record["faults"])) == ("bayescale/check/1", False, 3)
    assert err.splitlines()[:-1] == [f"bayescale check: {fault}" for fault in record["faults"]]


def test_columns_and_a_selection_reach_the_table(runs_file, run_json):
    record = run_json("check", str(runs_file), "--map", "N=model_size,loss=val/loss", "--where", "N < 2e10")
    assert (record["rows"], record["name"]) == (8, "mine [N < 2e10]")
    assert record["response"] == "loss"


def test_what_to_leave_out_reaches_the_table(verbs):
    options = ["--ignore", "a b,c", "--drop-unfinished", "--drop-duplicates", "--last-of", "run", "--best-of", "N,D"]
    assert main(["check", "some.csv", *options]) == 0
    asked = verbs.resolve_runs.call_args.kwargs
    assert asked["ignore"] == ["a b", "c"]
    assert asked["drop"] == ["unfinished", "duplicates"]
    assert (asked["last_of"], asked["best_of"]) == ("run", ["N", "D"])


def test_response_and_unit_reach_the_table(verbs):
    assert main(["check", "some.csv", "--response", "bpc", "--unit", "bits per byte", "--map", "N=n"]) == 0
    verbs.resolve_runs.assert_called_once_with(
        "some.csv", columns={"N": "n"}, response="bpc", unit="bits per byte", needs=None, where=None
    )
