import hashlib
import os
import stat
from pathlib import Path

import pytest

from bayescale.storage import cache_dir, content_hash, write_whole


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
