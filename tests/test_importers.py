"""Importers, on files that the trackers' own libraries wrote (tests/fixtures/importers/README.md)."""

import contextlib
import importlib
import json
import lzma
import math
import shutil
import sqlite3
import subprocess
import sys
import warnings
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest.mock import patch

import pytest

import bayescale as bs
from bayescale import importers
from bayescale.cli import main
from bayescale.cli.commands.import_runs import parse_counts
from bayescale.importers import IMPORTERS, Importer, TrackedRun
from bayescale.importers.keys import evaluation_keys
from bayescale.importers.rows import choose_loss, finished_loss, rows_of
from bayescale.importers.schedule import reasons

FILES = Path(__file__).parent / "fixtures" / "importers"
TRAINER, EVENTS, TABLE = FILES / "trainer", FILES / "tensorboard", FILES / "wandb_export.csv"
SIZES = {"w32": 14816, "w48": 31392, "w64": 54208}
LABELS = ("w32-s80", "w32-s160", "w48-s120", "w48-s240", "w64-s200", "w64-stopped", "w32-crashed")
N = {label: SIZES[label[:3]] for label in LABELS}
UNFINISHED = {"w64-stopped", "w32-crashed"}
STEPS = {"w32-s80": 80, "w32-s160": 160, "w48-s120": 120, "w48-s240": 240, "w64-s200": 200}
STEPS |= {"w64-stopped": 120, "w32-crashed": 80}  # the last that was logged, of 90


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    path.write_bytes(lzma.decompress((FILES / "mlflow.db.xz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def imported(database):
    """Import the seven runs from every tracker that kept them, once."""
    needed = {"tensorboard": "tensorboard", "mlflow": "mlflow"}
    paths = {"wandb": TABLE, "trainer_state": TRAINER, "tensorboard": EVENTS, "mlflow": database}

    def read(kind, tables={}):  # noqa: B006  a cache
        if kind in needed:
            pytest.importorskip(needed[kind], reason=f"the extra {kind} is not installed")
        if kind not in tables:
            tables[kind] = bs.import_runs(paths[kind], N=None if kind == "wandb" else N)
        return tables[kind]

    return read


def states():
    """Read the last state of each run without the importer."""
    for label in LABELS:
        folder = TRAINER / label
        path = folder / "trainer_state.json"
        yield label, json.loads((path if path.exists() else folder / "checkpoint-80" / path.name).read_text())


def column(table, name):
    return dict(zip(table.frame["run"], table.frame[name], strict=True))


def series(*values, every=10):
    return [(float(every * place), float(value)) for place, value in enumerate(values, 1)]


# Every tracker, on the same runs


@pytest.mark.parametrize("kind", sorted(IMPORTERS))
def test_the_loss_of_a_run_is_its_last_evaluation(kind, imported):
    losses = column(imported(kind), "loss")
    expected = {
        label: next(entry["eval_loss"] for entry in reversed(state["log_history"]) if "eval_loss" in entry)
        for label, state in states()
    }
    assert losses == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", sorted(IMPORTERS))
def test_tokens_and_steps_are_those_of_the_run(kind, imported):
    table = imported(kind)
    assert column(table, "steps") == STEPS
    assert column(table, "D") == {label: 256.0 * steps for label, steps in STEPS.items()}


@pytest.mark.parametrize("kind", sorted(IMPORTERS))
def test_runs_before_the_end_of_their_schedule_are_kept_marked_and_told(kind, imported):
    table = imported(kind)
    assert column(table, "finished") == {label: float(label not in UNFINISHED) for label in LABELS}
    assert table.notes[0].startswith("2 of 7 runs look UNFINISHED")
    for label in UNFINISHED:
        assert sum(note.startswith(f"UNFINISHED: {label!r}: ") for note in table.notes) == 1
    assert set(bs.select_runs(table, "finished == 1").frame["run"]) == set(LABELS) - UNFINISHED


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("wandb", "W&B says failed"), ("mlflow", "MLflow says FAILED"), ("trainer_state", "it stopped at step 80 of 240")],
)
def test_the_reason_is_the_trackers_own(kind, reason, imported):
    assert any("'w32-crashed'" in note and reason in note for note in imported(kind).notes)


@pytest.mark.parametrize("kind", sorted(IMPORTERS))
def test_a_hot_learning_rate_is_a_reason(kind, imported):
    (note,) = (note for note in imported(kind).notes if note.startswith("UNFINISHED: 'w64-stopped'"))
    assert "its learning rate ended at 0.0027, 54% of its peak" in note


@pytest.mark.parametrize("kind", sorted(IMPORTERS))
def test_notes_say_where_loss_and_tokens_are_from(kind, imported):
    notes = "\n".join(imported(kind).notes)
    assert "loss is the last value of 'eval" in notes
    assert "D is taken from '" in notes
    assert "total_flos' is not taken" in notes


# W&B


def test_a_run_table_has_sizes_under_its_own_keys(imported):
    assert column(imported("wandb"), "N")["w32-s80"] == SIZES["w32"]
    assert "N is taken from 'model/num_parameters'" in imported("wandb").notes


def test_compute_of_the_tracker_is_taken_when_asked_for():
    with pytest.raises(bs.InputError, match="column C is missing for run 'w32-crashed'"):
        bs.import_runs(TABLE, columns={"C": "total_flos"})
    table = bs.import_runs(TABLE, columns={"C": "total_flos"}, only="w*-s*")
    assert table.compute == "given"
    assert len(table.frame) == 6
    assert "6 of 7 runs are called 'w*-s*'; the others are left out" in table.notes


def test_runs_that_never_reached_the_loss_are_left_out_aloud():
    table = bs.import_runs(TABLE, columns={"loss": "train_loss"})
    assert "w32-crashed" not in set(table.frame["run"])
    assert any("1 of 7 runs are LEFT OUT" in note and "W&B says failed" in note for note in table.notes)


def test_the_mean_over_the_whole_training_is_not_its_end():
    (run, *_) = IMPORTERS["wandb"].read([str(TABLE)])
    without = TrackedRun(run.label, run.place, {k: v for k, v in run.facts.items() if k != "eval/loss"})
    assert choose_loss("t", [without]) == "train/loss"


def test_runs_of_one_name_are_told_apart_by_their_line(tmp_path):
    path = tmp_path / "same.csv"
    path.write_text(TABLE.read_text().replace('"w32-s160"', '"w32-s80"'), encoding="utf-8")
    labels = [run.label for run in IMPORTERS["wandb"].read([str(path)])]
    assert {"w32-s80 (line 7)", "w32-s80 (line 8)"} <= set(labels)


def test_a_table_without_names_is_no_run_table(tmp_path):
    path = tmp_path / "chart.csv"
    path.write_text("Step,a - loss\n1,2\n", encoding="utf-8")
    with pytest.raises(bs.InputError, match=r"chart\.csv: there is no column Name.*not a chart"):
        bs.import_runs(path, kind="wandb")


# trainer_state.json


def test_of_several_checkpoints_the_last_tells_of_the_run(tmp_path):
    run = tmp_path / "sweep" / "w32-s80"
    for place in ("checkpoint-80", ""):
        (run / place).mkdir(parents=True, exist_ok=True)
        (run / place / "trainer_state.json").write_bytes(
            (TRAINER / "w32-s80" / place / "trainer_state.json").read_bytes()
        )
    paths = sorted(map(str, run.rglob("*.json")))
    assert len(paths) == 2
    (found,) = IMPORTERS["trainer_state"].read(paths)
    assert found.label == "w32-s80"
    assert found.place == str(run / "trainer_state.json")


def test_runs_in_folders_of_one_name_are_told_apart_by_those_above(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "out").mkdir(parents=True)
        (tmp_path / name / "out" / "trainer_state.json").write_bytes(
            (TRAINER / "w32-s80/trainer_state.json").read_bytes()
        )
    assert [run.label for run in IMPORTERS["trainer_state"].read([str(tmp_path)])] == ["a/out", "b/out"]


def test_the_size_is_counted_from_the_weights_beside_the_state():
    (run,) = IMPORTERS["trainer_state"].read([str(TRAINER / "w32-s80")])
    assert run.facts["num_parameters"] == SIZES["w32"]
    assert run.notes == ("N of run 'w32-s80' is the number of weights in its model.safetensors",)


@pytest.mark.parametrize("best", [None, 80, 40])
def test_a_run_whose_best_checkpoint_is_not_its_last_is_named(tmp_path, best):
    state = json.loads((TRAINER / "w32-s80/trainer_state.json").read_text())
    metric = None if best is None else 3.21
    (tmp_path / "trainer_state.json").write_text(json.dumps(state | {"best_metric": metric, "best_global_step": best}))
    (run,) = IMPORTERS["trainer_state"].read([str(tmp_path)])
    said = [note for note in run.notes if "was best at step 40 of 80 (3.21)" in note]
    assert len(said) == (best == 40)


def test_broken_weights_are_no_size(tmp_path):
    (tmp_path / "trainer_state.json").write_bytes((TRAINER / "w32-s80/trainer_state.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes((TRAINER / "w32-s80/model.safetensors").read_bytes()[:100])
    (run,) = IMPORTERS["trainer_state"].read([str(tmp_path)])
    assert "num_parameters" not in run.facts


def test_missing_sizes_are_named_with_both_remedies():
    with pytest.raises(bs.InputError) as error:
        bs.import_runs(TRAINER)
    for words in ("N (trained parameters) is not kept", "'w32-s160'", "N={'w32-crashed': 124e6}", "--map N=KEY"):
        assert words in str(error.value)
    assert "'w32-s80'" not in str(error.value)


@pytest.mark.parametrize(("text", "words"), [("{", "this is no JSON"), ("{}", "there is no log_history")])
def test_a_state_that_is_none_is_refused(text, words, tmp_path):
    path = tmp_path / "trainer_state.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(bs.InputError, match=words):
        bs.import_runs(path)


def test_a_training_loss_is_averaged_over_its_last_part():
    table = bs.import_runs(TRAINER, N=N, columns={"loss": "loss"})
    assert any("mean of the last 5% of 'loss', a training loss" in note for note in table.notes)
    assert column(table, "loss")["w32-s80"] == pytest.approx(2.6687063217163085)
    run = TrackedRun("a", "here", series={"train/loss": series(*range(100, 0, -1))})
    assert finished_loss(run, "train/loss") == 3.0


# TensorBoard


def test_event_files_of_tensorboards_own_writer_are_read(tmp_path):
    summary = pytest.importorskip("tensorboard.summary", reason="the extra tensorboard is not installed")
    for size in range(1, 7):
        writer = summary.Writer(str(tmp_path / f"run-{size}"))
        for step in (10, 20, 30):
            writer.add_scalar("val/loss", 4 - 0.1 * size - 0.01 * step, step)
            writer.add_scalar("tokens_seen", 1e5 * size * step, step)
        writer.close()
    table = bs.import_runs(tmp_path, N={f"run-{size}": 1e6 * size for size in range(1, 7)})
    assert column(table, "loss")["run-2"] == pytest.approx(3.5)
    assert column(table, "D")["run-2"] == pytest.approx(6e6)
    assert any("nothing shows how 'run-1'" in note and "finished = 1 is assumed" in note for note in table.notes)


def test_hyperparameters_in_a_folder_below_belong_to_the_run():
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    (run,) = IMPORTERS["tensorboard"].read([str(FILES / "hyperparameters")])
    assert run.label == "by-hand"
    assert dict(run.facts) == {"n_params": 7e7, "optimizer": "adamw", "tied": True}
    assert run.series == {"val/loss": [(100.0, 3.5), (200.0, 3.0)]}


def test_settings_logged_as_text_are_facts():
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    (run,) = IMPORTERS["tensorboard"].read([str(EVENTS / "w32-s80")])
    assert run.facts["max_steps"] == 80
    (same,) = IMPORTERS["tensorboard"].read([str(next((EVENTS / "w32-s80").iterdir()))])
    assert (same.label, same.series) == (run.label, run.series)


def test_an_event_file_cut_short_is_read_as_far_as_it_goes(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    content = next((EVENTS / "w32-s80").iterdir()).read_bytes()
    (tmp_path / "events.out.tfevents.1.host.0").write_bytes(content[: len(content) * 3 // 4])
    (run,) = IMPORTERS["tensorboard"].read([str(tmp_path)])
    assert 0 < run.last_step < 80
    (tmp_path / "events.out.tfevents.1.host.0").write_bytes(b"no events at all")
    with pytest.raises(bs.InputError, match="no key is known to be a loss"):
        bs.import_runs(tmp_path)


# MLflow


def test_reading_a_database_leaves_it_as_it_was(database):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    before = database.read_bytes()
    assert len(list(IMPORTERS["mlflow"].read([f"sqlite:///{database}"]))) == 7
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == ["mlflow.db"]


@pytest.fixture(scope="session")
def written_folder(tmp_path_factory):
    """Two experiments in MLflow's folder format, one run of which still trains, written once."""
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    folder = tmp_path_factory.mktemp("tracking") / "mlruns"
    with warnings.catch_warnings(action="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=folder.as_uri())
        for name in ("small", "large"):
            experiment = client.create_experiment(name)
            for size in (1, 2, 3):
                run = client.create_run(experiment, run_name=f"run-{size}").info.run_id
                client.log_param(run, "n_params", f"{size + 3 * (name == 'large')}00000000")
                client.log_param(run, "tokens", f"{size}e9")
                for step in (1, 2):
                    client.log_metric(run, "val_loss", 4 - size / 10 - step / 10, step=step)
                if (name, size) != ("large", 3):
                    client.set_terminated(run)
    return folder


@pytest.fixture
def tracking_folder(written_folder, tmp_path):
    """A tracking folder that a test may damage."""
    return Path(shutil.copytree(written_folder, tmp_path / "mlruns"))


def test_runs_in_a_tracking_folder_are_named_with_their_experiment(tracking_folder):
    table = bs.import_runs(tracking_folder)
    assert set(table.frame["run"]) == {f"{name}/run-{size}" for name in ("small", "large") for size in (1, 2, 3)}
    assert column(table, "N")["large/run-2"] == 5e8
    assert column(table, "D")["small/run-3"] == 3e9
    assert column(table, "loss")["small/run-1"] == pytest.approx(3.7)
    assert "UNFINISHED: 'large/run-3': MLflow says RUNNING" in table.notes
    assert any("may be what was planned" in note for note in table.notes)
    labels = [run.label for run in importers.matching(IMPORTERS["mlflow"].read([str(tracking_folder)]), "small/*")]
    assert len(labels) == 3
    experiments = [path.parent for path in tracking_folder.glob("*/meta.yaml")]
    assert len(experiments) == 3  # MLflow adds one of its own, without runs
    for experiment in experiments:
        with pytest.raises(bs.InputError, match="the folder of one experiment; give the one above it"):
            bs.import_runs(experiment)


def everything_in(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_reading_a_tracking_folder_leaves_it_as_it_was(tracking_folder):
    (tracking_folder / ".trash").rmdir()  # MLflow makes it again where it reads
    before = everything_in(tracking_folder)
    assert len(bs.import_runs(tracking_folder).frame) == 6
    assert everything_in(tracking_folder) == before


@pytest.mark.parametrize("content", [b"\xff", b"[1, 2", b"", b"3", b"!!python/object/apply:os.system [true]"])
def test_one_damaged_description_in_a_tracking_folder_is_named(content, tracking_folder):
    path = sorted(tracking_folder.glob("*/*/meta.yaml"))[0]
    path.write_bytes(content)
    with pytest.raises(bs.InputError, match=rf"{path.parent.name}/meta\.yaml: this is no description of a run"):
        bs.import_runs(tracking_folder)


def test_a_database_with_a_value_that_is_no_number_names_the_run(database, tmp_path):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    copy = tmp_path / "mlflow.db"
    copy.write_bytes(database.read_bytes())
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE metrics SET value = 'x' WHERE key LIKE '%loss%'")
        connection.commit()
    with pytest.raises(bs.InputError, match=r"mlflow\.db: run .* cannot be read \("):
        bs.import_runs(copy, N=N)


def test_a_damaged_database_is_refused(database, tmp_path):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    content = database.read_bytes()
    (tmp_path / "mlflow.db").write_bytes(content[:3000] + bytes(9000) + content[12000:])
    with pytest.raises(bs.InputError, match=r"mlflow\.db: cannot be read \("):
        bs.import_runs(tmp_path / "mlflow.db", N=N)


def test_a_damaged_event_names_run_and_file(tmp_path):
    writer = pytest.importorskip(
        "tensorboard.summary.writer.record_writer", reason="the extra tensorboard is not installed"
    )
    path = tmp_path / "run-a" / "events.out.tfevents.1.x"
    path.parent.mkdir()
    with path.open("wb") as file:
        writer.RecordWriter(file).write(b"\xff\xff no event")  # its checksum is right
    with pytest.raises(bs.InputError, match=r"run-a: run 'run-a' cannot be read \(DecodeError"):
        bs.import_runs(tmp_path)


@pytest.mark.parametrize(("value", "words"), [("true", "loss"), ("1" + "0" * 400, "finite|diverged|loss")])
def test_a_yes_is_no_loss_and_no_number_is_too_long(value, words, tmp_path):
    state = '{"global_step": 100, "max_steps": 100, "log_history": [{"step": 100, "eval_loss": VALUE}]}'.replace(
        "VALUE", value
    )
    for label in "abcde":
        (tmp_path / label).mkdir()
        (tmp_path / label / "trainer_state.json").write_text(state)
    with pytest.raises(bs.InputError, match=words):
        bs.import_runs(tmp_path, N=dict.fromkeys("abcde", "1B"), D=dict.fromkeys("abcde", "20B"))


def test_an_importer_that_fails_refuses_the_path(tmp_path, monkeypatch):
    def fail(_):
        raise ZeroDivisionError("of a library")

    (tmp_path / "x.csv").write_text("Name,State\na,finished\n")
    monkeypatch.setitem(IMPORTERS, "wandb", Importer("wandb", "", lambda _: True, fail))
    with pytest.raises(bs.InputError, match=r"x\.csv: cannot be read \(ZeroDivisionError: of a library\)"):
        bs.import_runs(tmp_path / "x.csv")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    with pytest.raises(bs.InputError, match="this is no MLflow database"):
        bs.import_runs(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()


# Libraries


def test_a_missing_library_is_named_with_its_extra(database, monkeypatch):
    monkeypatch.setattr("bayescale.importers.mlflow.importlib.util.find_spec", lambda _: None)
    with pytest.raises(bs.InputError, match=r"needs mlflow, sqlalchemy, alembic; pip install 'bayescale\[mlflow\]'"):
        bs.import_runs(database)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing", None)
    with pytest.raises(bs.InputError, match=r"needs tensorboard; pip install 'bayescale\[tensorboard\]'"):
        bs.import_runs(EVENTS)


def test_the_libraries_are_loaded_only_by_those_who_need_them():
    check = (
        f"import sys, bayescale\nbayescale.import_runs({str(TABLE)!r})\n"
        "print(*{'mlflow', 'sqlalchemy', 'tensorboard', 'tensorflow', 'pymc'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# Choosing an importer


def test_paths_that_nothing_reads_are_told_what_can_be_read(tmp_path):
    with pytest.raises(bs.InputError, match="there is no such file or folder; expected the CSV export of a W&B"):
        bs.import_runs(tmp_path / "absent")
    with pytest.raises(bs.InputError, match="no one importer recognises all of them"):
        bs.import_runs([TABLE, TRAINER])
    with pytest.raises(bs.InputError, match="runs of several kinds, trainer_state, tensorboard; choose with kind="):
        bs.import_runs(FILES)
    with pytest.raises(bs.InputError, match="no path of runs is given"):
        bs.import_runs([])
    with pytest.raises(bs.InputError, match="kind='wb' is not known; the kinds are wandb, trainer_state"):
        bs.import_runs(TABLE, kind="wb")


def made_runs(locations):
    for size in range(1, 7):
        yield TrackedRun(
            f"{Path(locations[0]).stem}-{size}", "here", {"N": 1e8 * size, "D": 1e9 * size, "val_loss": 4 - size / 10}
        )


MADE = Importer("made", "files that end in .made", lambda location: location.endswith(".made"), made_runs)


def test_importers_of_other_packages_are_found_by_their_entry_point(tmp_path):
    path = tmp_path / "runs.made"
    path.touch()
    good = EntryPoint("made", f"{__name__}:MADE", importers.GROUP)
    broken = EntryPoint("broken", "absent_package:NOTHING", importers.GROUP)
    with patch.object(importers, "entry_points", autospec=True, side_effect=lambda **_: [good]) as asked:
        assert len(bs.import_runs(TABLE).frame) == 7
        asked.assert_not_called()
        with patch.object(EntryPoint, "load", autospec=True, return_value=MADE):
            assert column(bs.import_runs(path), "N")["runs-1"] == 1e8
            assert column(bs.import_runs(path, kind="made"), "N")["runs-1"] == 1e8
    with (
        patch.object(importers, "entry_points", autospec=True, side_effect=lambda **_: [broken]),
        pytest.raises(bs.InputError, match=r"the importer 'broken' .* cannot be loaded"),
    ):
        bs.import_runs(path)


# What was asked for


def test_labels_and_keys_that_are_not_there_are_told_with_the_nearest():
    with pytest.raises(bs.InputError, match="N= names 'w32-s81', which no run is called; found 'w32-s80'"):
        bs.import_runs(TABLE, N={"w32-s81": 1e6})
    with pytest.raises(bs.InputError, match="takes loss from 'eval/los', which no run has; found 'eval/loss'"):
        bs.import_runs(TABLE, columns={"loss": "eval/los"})
    with pytest.raises(bs.InputError, match="none matches 'x\\*'; their labels are 'w32-crashed'"):
        bs.import_runs(TABLE, only="x*")
    with pytest.raises(bs.InputError, match="columns= names run"):
        bs.import_runs(TABLE, columns={"run": "run_name"})


def test_the_users_counts_come_first_and_may_have_suffixes():
    table = bs.import_runs(TABLE, N={"w32-s80": "20k"})
    assert column(table, "N")["w32-s80"] == 20000
    assert column(table, "N")["w32-s160"] == SIZES["w32"]


def test_losses_on_several_sets_are_not_chosen_between():
    keys = ["eval_c4_loss", "eval_pile_loss", "loss"]
    assert evaluation_keys(keys) == keys[:2]
    runs = [TrackedRun("a", "here", dict.fromkeys(keys, 3.0))]
    with pytest.raises(bs.InputError, match="keys 'eval_c4_loss', 'eval_pile_loss' can each be the loss"):
        choose_loss("made", runs)
    with pytest.raises(bs.InputError, match="no key is known to be a loss; found 'accuracy'"):
        choose_loss("made", [TrackedRun("a", "here", {"accuracy": 0.5})])


# Schedules


def test_an_old_evaluation_is_not_that_of_the_finished_model():
    run = TrackedRun("a", "here", series={"val_loss": series(3, 2, every=40), "loss": series(*[2] * 10)})
    assert reasons(run, "val_loss") == ["its last 'val_loss' is of step 80 of 100"]
    assert reasons(run, "loss") == []


def test_a_rate_brought_down_to_a_tenth_is_a_finished_schedule():
    finished = TrackedRun("a", "here", series={"train/lr": series(1, 10, 5, 1)})
    constant = TrackedRun("a", "here", series={"train/lr": series(10, 10, 10)})
    assert reasons(finished, "loss") == []
    assert reasons(constant, "loss") == ["its learning rate ended at 10, 100% of its peak"]


def test_the_last_step_may_come_one_interval_after_the_last_that_was_logged():
    logged = {"loss": series(3, 2, 1)}
    assert reasons(TrackedRun("a", "here", {"max_steps": 35}, logged), "loss") == []
    assert reasons(TrackedRun("a", "here", {"max_steps": 45}, logged), "loss") == ["it was logged to step 30 of 45"]
    assert reasons(TrackedRun("a", "here", {"max_steps": -1}, logged), "loss") == []


def test_a_run_that_diverged_is_left_out_aloud():
    runs = list(made_runs(["a"]))
    diverged = TrackedRun("wild", "there", {"N": 1e8, "D": 1e9}, {"val_loss": series(3, math.nan)})
    rows = rows_of("made", [*runs, diverged], {}, {})
    assert "wild" not in set(rows.frame["run"])
    assert any("1 of 7 runs are LEFT OUT, without a finite 'val_loss': 'wild'" in note for note in rows.notes)


# Command line


def test_the_command_writes_a_table_that_reads_back(tmp_path, capsys):
    path = tmp_path / "runs.csv"
    assert main(["import", str(TABLE), "--output", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "7 runs, of which 2 look unfinished" in out
    assert err.startswith("2 of 7 runs look UNFINISHED")
    again, table = bs.read_runs(path), bs.import_runs(TABLE)
    assert again.frame.equals(table.frame)
    assert again.compute == table.compute == "6ND"


def test_the_command_takes_counts_keys_and_a_kind(tmp_path, capsys):
    path = tmp_path / "runs.csv"
    counts = ",".join(f"{label}={count}" for label, count in N.items())
    options = ["--kind", "trainer_state", "--N", counts, "--map", "loss=loss", "--unit", "bits per token", "--json"]
    paths = sorted(map(str, TRAINER.iterdir()))
    assert main(["import", *paths, "--output", str(path), *options]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "bayescale/import/1"
    assert (record["rows"], record["unit"]) == (7, "bits per token")
    assert set(record["unfinished"]) == UNFINISHED
    assert bs.read_runs(path).unit == "bits per token"


def test_the_command_writes_nothing_when_runs_cannot_be_used(tmp_path, capsys):
    path = tmp_path / "runs.csv"
    assert main(["import", str(TRAINER), "--output", str(path)]) == 3
    assert "N (trained parameters) is not kept" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_does_not_write_over_what_it_reads(tmp_path, capsys):
    path = tmp_path / "export.csv"
    path.write_bytes(TABLE.read_bytes())
    assert main(["import", str(path), "--output", str(path)]) == 2
    assert "which is read; name another file" in capsys.readouterr().err
    assert path.read_bytes() == TABLE.read_bytes()
    assert main(["import", str(path), "--output", str(tmp_path / "runs.txt")]) == 2


def test_counts_are_read_from_pairs():
    assert parse_counts("a=b=124M, c=1") == {"a=b": "124M", "c": "1"}
    for text, words in (("a", "expected RUN=COUNT pairs"), ("a=1,a=2", "a is given twice, as 1 and 2")):
        with pytest.raises(ValueError, match=words):
            parse_counts(text)
