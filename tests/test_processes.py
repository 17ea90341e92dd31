"""Work shared between processes: each item is done once, wherever, and faults arrive."""

import os
import time

import pytest

from bayescale.processes import in_processes


def smaller(item):
    """Say that an item is the smaller work the greater it is."""
    return -item


def slowly(item):
    """Return an item and the process that took it up, after a while."""
    time.sleep(0.2)
    return item, os.getpid()


def refused(item):
    """Refuse the item 3."""
    if item == 3:
        raise ValueError("three")
    return item


@pytest.fixture
def two_cores(monkeypatch):
    """Let the machine have two cores."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)


@pytest.mark.usefixtures("two_cores")
def test_every_item_is_done_once_and_this_process_takes_the_first_and_a_share():
    list(in_processes(slowly, range(2), smaller))  # the other process is there
    done = list(in_processes(slowly, range(12), smaller))
    assert sorted(item for item, _ in done) == list(range(12))
    here = [item for item, process in done if process == os.getpid()]
    assert here[0] == 0
    assert 3 <= len(here) <= 9
    assert here == sorted(here)


def test_one_core_or_one_item_starts_no_process(monkeypatch):
    monkeypatch.setattr("joblib.externals.loky.get_reusable_executor", None)
    assert [process for _, process in in_processes(slowly, ["only"], len)] == [os.getpid()]
    assert list(in_processes(slowly, [], smaller)) == []
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert [item for item, _ in in_processes(slowly, [1, 2], smaller)] == [1, 2]


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("items", [[3, 1], [1, 3]])
def test_a_fault_arrives_from_here_and_from_elsewhere(items):
    with pytest.raises(ValueError, match="three"):
        list(in_processes(refused, items, smaller if items[0] == 1 else int))


@pytest.mark.usefixtures("two_cores")
def test_what_is_not_begun_when_the_reader_ends_is_never_done(tmp_path):
    def leave_a_mark(item):
        time.sleep(0.3)
        (tmp_path / str(item)).touch()
        return item

    found = in_processes(leave_a_mark, range(20), smaller)
    assert next(found) == 0
    found.close()
    time.sleep(2)
    assert len(list(tmp_path.iterdir())) <= 6
