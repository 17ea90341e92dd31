"""Work shared between processes: each item is done once, wherever, and faults arrive."""

import os
import sys
import threading
import time

import numpy as np
import pytest

from bayescale.processes import alongside, in_parts, in_processes, in_threads, prepare, stop


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
    monkeypatch.setattr("loky.cpu_count", lambda: 2)


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
    monkeypatch.setattr("loky.get_reusable_executor", None)
    assert [process for _, process in in_processes(slowly, ["only"], len)] == [os.getpid()]
    assert list(in_processes(slowly, [], smaller)) == []
    monkeypatch.setattr("loky.cpu_count", lambda: 1)
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


@pytest.mark.usefixtures("two_cores")
def test_while_items_are_made_another_process_works_and_the_order_stays():
    done = alongside(slowly, range(12))
    assert [item for item, _ in done] == list(range(12))
    elsewhere = {process for _, process in done} - {os.getpid()}
    assert len(elsewhere) == 1
    assert sum(process == os.getpid() for _, process in done) >= 3  # this one, whenever the other has enough to do


def test_one_core_makes_and_does_items_itself(monkeypatch):
    monkeypatch.setattr("loky.ProcessPoolExecutor", None)
    monkeypatch.setattr("loky.cpu_count", lambda: 1)
    prepare("wave")
    assert alongside(slowly, iter("ab")) == [("a", os.getpid()), ("b", os.getpid())]


@pytest.mark.usefixtures("two_cores")
def test_a_fault_in_making_or_doing_arrives_and_leaves_no_process():
    with pytest.raises(ValueError, match="three"):
        alongside(refused, [3, 1])
    with pytest.raises(ZeroDivisionError):
        alongside(slowly, (1 // item for item in (1, 0)))
    assert alongside(slowly, []) == []


def is_imported(module):
    """Return whether this process has imported a module, and its number."""
    return module in sys.modules, os.getpid()


@pytest.mark.usefixtures("two_cores")
def test_a_prepared_process_has_imported_the_module_and_is_used_once():
    prepare("wave")
    first, second = (alongside(is_imported, ["wave"])[0] for _ in range(2))
    assert first[0]
    assert not second[0]
    assert len({os.getpid(), first[1], second[1]}) == 3


@pytest.mark.usefixtures("two_cores")
def test_stopping_ends_every_process_at_once():
    prepare("wave")
    waiting = in_processes(slowly, range(6), smaller)
    _, here = next(waiting)
    there = next(process for _, process in waiting if process != here)
    stop()
    time.sleep(1)
    with pytest.raises(ProcessLookupError):
        os.kill(there, 0)
    prepare("wave")
    assert alongside(is_imported, ["wave"])[0][0]


def test_threads_keep_the_order_and_the_callers_error_state():
    def where_and_how(item):
        time.sleep(0.05 / item)
        return item, threading.get_ident(), np.geterr()["over"]

    with np.errstate(over="ignore"):
        done = in_threads(where_and_how, [1, 2, 3, 4])
    assert [item for item, *_ in done] == [1, 2, 3, 4]
    assert len({thread for _, thread, _ in done} - {threading.get_ident()}) == 2
    assert {how for *_, how in done} == {"ignore"}
    assert in_threads(where_and_how, [1])[0][1] == threading.get_ident()


@pytest.mark.parametrize(("rows", "sizes"), [(0, [0]), (5, [5]), (2000, [2000]), (4001, [2000, 2000, 1])])
def test_parts_cover_all_rows(rows, sizes):
    values = np.arange(rows)
    found = in_parts(lambda part: values[part], rows)
    assert [part.size for part in found] == sizes
    np.testing.assert_array_equal(np.concatenate(found), values)
