"""``bayescale curve``: its JSON, its lines, and what it refuses."""

import pytest
from test_trajectories import made, parted

from bayescale.cli import main


@pytest.fixture
def files(tmp_path):
    finished, seen, end, _ = parted(made())
    paths = [str(tmp_path / name) for name in ("finished.csv", "now.csv")]
    finished.to_csv(paths[0], index=False)
    seen.to_csv(paths[1], index=False)
    return [*paths, "--tokens", f"{end:.6g}"]


def test_json_has_the_shape_that_others_rely_on(files, run_json):
    record = run_json("curve", *files)
    assert record["schema"] == "bayescale/curve/1"
    assert record["seen"] == pytest.approx(0.25, rel=1e-4)
    assert record["final"]["lower"] < record["final"]["median"] < record["final"]["upper"]
    assert {"promised", "above", "stop", "flops_left", "expected_saving"} <= set(record)
    assert record["expected_saving"] == pytest.approx(record["above"]["by_excess"] * record["flops_left"])


def test_it_says_stop_where_the_excess_is_certain_and_go_on_where_it_is_not(files, capsys):
    assert main(["curve", *files]) == 0
    assert "go on; " in capsys.readouterr().out
    assert main(["curve", *files, "--excess", "-0.5"]) == 0
    assert "stop; " in capsys.readouterr().out


def test_a_curve_past_its_end_is_unusable_data(files, capsys):
    assert main(["curve", *files[:2], "--tokens", "1e6"]) == 3
    assert "expected more" in capsys.readouterr().err
