import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bayescale import storage
from bayescale.storage import cache_dir, content_hash, keep, kept, sweep, sweep_cache, write_whole


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "result.txt"
    write_whole(path, lambda temporary: temporary.write_text("all"))
    assert path.read_text() == "all"
    assert list(path.parent.iterdir()) == [path]


def fail_midway(temporary):
    temporary.write_text("half")
    raise OSError("no space left")


def test_a_failure_in_the_middle_leaves_no_file(tmp_path):
    with pytest.raises(OSError, match="no space left"):
        write_whole(tmp_path / "result.txt", fail_midway)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, fail_midway)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def interrupt(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, interrupt)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_sees_the_file_before_it_is_whole(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    seen = []

    def write(temporary):
        temporary.write_text("new")
        seen.append(path.read_text())
        assert temporary.suffix == path.suffix  # writers choose a format by it
        assert temporary.parent == path.parent  # another file system could not replace in one step

    write_whole(path, write)
    assert (seen, path.read_text()) == (["old"], "new")


def test_a_file_has_the_usual_permissions(tmp_path):
    path = tmp_path / "result.txt"
    before = os.umask(0o027)
    try:
        write_whole(path, lambda temporary: temporary.write_text("all"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESCALE_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path


@pytest.mark.parametrize("value", [None, ""])
def test_the_cache_is_the_users_where_the_environment_says_nothing(value, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if value is None:
        monkeypatch.delenv("BAYESCALE_CACHE")
    else:
        monkeypatch.setenv("BAYESCALE_CACHE", value)
    assert cache_dir().name == "bayescale"
    assert cache_dir() != Path()


def test_a_hash_does_not_depend_on_the_order_of_names():
    assert content_hash({"a": 1, "b": [1.5, "x"]}) == content_hash({"b": [1.5, "x"], "a": 1})


@pytest.mark.parametrize("other", [{"a": 2}, {"b": 1}, {"a": [1]}, {"a": 1.0000000000000002}, {"a": "1"}, {}])
def test_a_hash_changes_with_the_content(other):
    assert content_hash({"a": 1}) != content_hash(other)


def test_a_hash_is_the_same_on_every_machine():
    text = '{"rows":[1,0.1,1e+21],"table":"größe"}'
    assert content_hash({"table": "größe", "rows": [1, 0.1, 1e21]}) == hashlib.sha256(text.encode()).hexdigest()


def test_a_home_is_expanded_in_the_name_of_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BAYESCALE_CACHE", "~/x")
    assert cache_dir() == tmp_path / "x"


def test_text_that_is_not_utf8_has_a_hash():
    assert content_hash("a\udcff") != content_hash("a")


def test_a_name_as_long_as_the_system_allows_is_written(tmp_path):
    path = tmp_path / f"{'x' * 250}.json"
    write_whole(path, lambda temporary: temporary.write_text("all"))
    assert path.read_text() == "all"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_an_error_of_the_system_names_the_file(tmp_path, number):
    def fail(_):
        raise OSError(number, os.strerror(number))

    with pytest.raises(OSError, match=f"result.txt: cannot be written: {os.strerror(number)}"):
        write_whole(tmp_path / "result.txt", fail)


def test_what_is_kept_is_read_and_what_is_damaged_or_under_another_name_is_not(tmp_path):
    path = tmp_path / "a.json"
    assert kept(path) is None
    keep(path, {"elpd": [1.25, -3.5]})
    assert kept(path) == {"elpd": [1.25, -3.5]}
    whole = path.read_text()
    (tmp_path / "b.json").write_text(whole)
    assert kept(tmp_path / "b.json") is None
    for damaged in (whole.replace("1.25", "1.35"), whole[:-2], "", "[]", "3"):
        path.write_text(damaged)
        assert kept(path) is None


def test_a_result_that_cannot_be_kept_costs_one_note(tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    keep(tmp_path / "file" / "a.json", 1)
    keep(tmp_path / "file" / "b.json", 2)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"note: nothing is kept in the cache ({tmp_path / 'file'}")


def test_what_killed_processes_left_is_removed_and_what_is_being_written_stays(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = {
        "ended": f".bayescale-{storage._host()}-{ended.pid}-a.nc",
        "alive": f".bayescale-{storage._host()}-{os.getpid()}-a.nc",
        "elsewhere": ".bayescale-00000000-7-a.nc",
        "long ago": ".bayescale-00000000-7-b.nc",
        "other": "runs.nc",
    }
    for name in names.values():
        (tmp_path / name).touch()
    os.utime(tmp_path / names["long ago"], (0, 0))
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {names[name] for name in ("alive", "elsewhere", "other")}


def test_the_first_file_written_in_a_folder_removes_what_was_left_there_and_a_command_in_all_of_the_cache(own_cache):
    left = f".bayescale-{storage._host()}-999999999-a.nc"
    for folder in (own_cache, own_cache / "fits", own_cache / "folds"):
        folder.mkdir()
        (folder / left).touch()
    write_whole(own_cache / "folds" / "a.json", lambda temporary: temporary.write_text("1"))
    assert not (own_cache / "folds" / left).exists()
    sweep_cache()
    assert [path.name for path in own_cache.rglob("*") if path.is_file()] == ["a.json"]


@pytest.mark.parametrize("place", ["touch", "replace", "unlink"])
def test_an_interrupt_at_any_step_of_writing_leaves_nothing_that_the_end_does_not_remove(tmp_path, monkeypatch, place):
    whole = getattr(Path, place)

    def interrupted(path, *given, **named):
        whole(path, *given, **named) if place == "touch" else None
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_whole(tmp_path / "a.json", lambda temporary: temporary.write_text("1"))
    storage.abandon()
    assert [path.name for path in tmp_path.iterdir() if path.name != "a.json"] == []


def test_a_file_asked_for_by_a_link_is_written_where_the_link_leads_and_a_link_in_the_cache_is_replaced(
    tmp_path, own_cache
):
    for folder in (tmp_path / "out", own_cache):
        folder.mkdir(exist_ok=True)
        (folder / "real.txt").write_text("old")
        (folder / "link.txt").symlink_to(folder / "real.txt")
        write_whole(folder / "link.txt", lambda temporary: temporary.write_text("new"))
    assert (tmp_path / "out" / "link.txt").is_symlink()
    assert (tmp_path / "out" / "real.txt").read_text() == "new"
    assert not (own_cache / "link.txt").is_symlink()
    assert (own_cache / "real.txt").read_text() == "old"
