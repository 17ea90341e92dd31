"""What fans out goes where joblib is configured to, with the same numbers, and is kept here."""

import dataclasses
import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.cli import main
from bayescale.comparison import refits as crossing
from bayescale.errors import InputError
from bayescale.fits import fitting
from bayescale.fits import workers as module
from bayescale.fits.settings import Settings
from bayescale.fits.versions import versions
from bayescale.fits.workers import on_workers
from bayescale.forecasts import refits
from bayescale.forecasts.refits import Kind, Task, run
from bayescale.processes import in_processes, in_shares, workers
from bayescale.runs.folds import Fold


@pytest.fixture
def three():
    """Let joblib have three workers."""
    with joblib.parallel_config("threading", n_jobs=3):
        yield


def where(item):
    time.sleep(0.02)
    return item, threading.get_ident()


# Sharing out


@pytest.mark.usefixtures("three")
def test_items_go_where_joblib_is_configured_to():
    done = list(in_processes(where, range(9), int))
    assert sorted(item for item, _ in done) == list(range(9))
    assert len({thread for _, thread in done}) > 1
    assert threading.get_ident() not in {thread for _, thread in done}


def test_only_a_configuration_counts_as_workers(three):
    del three
    assert workers() == 3
    with joblib.parallel_config(n_jobs=1):
        assert workers() == 1


def test_without_one_the_folds_of_a_law_stay_together():
    assert workers() is None
    assert in_shares(range(7), 2) == [(0, 1, 2, 3, 4, 5, 6)]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("groups", "shares"), [(1, 3), (2, 2), (3, 1), (5, 1)])
def test_laws_are_shared_out_only_where_there_are_more_workers(groups, shares):
    found = in_shares(range(7), groups)
    assert len(found) == shares
    assert sorted(sum(found, ())) == list(range(7))


@pytest.mark.usefixtures("three")
def test_there_are_no_more_shares_than_items():
    assert in_shares(range(2), 1) == [(0,), (1,)]
    assert in_shares([], 1) == [()]


# Folds


def answer(task, fold, method, fitted):
    """Return a number that only the fold decides."""
    assert fitted is None
    return {"law": task.law.name, "threshold": fold.threshold, "method": method, "found": 10 * fold.threshold}


def refuse(*_):
    raise AssertionError("this was known")


MADE = Kind(
    "made", (), frozenset({"first", "second"}), answer, lambda result, fold: result["threshold"] == fold.threshold
)


def task_of(runs, law="compute_floor", kind=MADE):
    folds = tuple(Fold(i, (i,), tuple(range(10, 20))) for i in range(5))
    return Task(kind, "C", bs.LAWS[law], runs, folds, ("first", "second"), 0, cache=True)


@pytest.mark.usefixtures("own_cache")
def test_shared_folds_come_back_in_order_are_counted_and_kept(wide_runs, three):
    del three
    tasks, told = [task_of(wide_runs), task_of(wide_runs, "tilt")], []
    found = {results[0]["law"]: results for results in run(tasks, lambda *each: told.append(each))}
    for results in found.values():
        assert [result["threshold"] for result in results] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        assert [result["method"] for result in results] == ["first", "second"] * 5
    assert {each for each in told if each[1] == each[2]} == {("compute_floor", 5, 5), ("tilt", 5, 5)}
    known = dataclasses.replace(MADE, answer=refuse)
    again = {results[0]["law"]: results for results in run([task_of(wide_runs, kind=known)], None)}
    assert again["compute_floor"] == found["compute_floor"]


def test_what_a_worker_kept_elsewhere_is_kept_here_too(wide_runs, own_cache, three, monkeypatch):
    del three
    monkeypatch.setattr(
        refits, "in_processes", lambda function, items, _: [_elsewhere(function, item) for item in items]
    )
    list(run([task_of(wide_runs)], None))
    assert len(list((own_cache / "made").iterdir())) == 10


def _elsewhere(function, item):
    """Do an item without a cache, as a worker does whose cache is on another machine."""
    return function(dataclasses.replace(item, cache=False))


def test_refits_of_a_comparison_are_the_same_elsewhere(wide_fit, own_cache, monkeypatch):
    def made_up(refits_, rows):
        return {"elpd": (0.1 * np.array(rows) - len(refits_.law.name)).tolist(), "passed": True}

    monkeypatch.setattr(crossing, "_refit_without", made_up)
    each = {"chinchilla": crossing.refits_of(wide_fit, np.arange(120) // 10)}
    here, _ = crossing.score(each, 120, cache=False, progress=None)
    with joblib.parallel_config("threading", n_jobs=3):
        there, _ = crossing.score(each, 120, cache=True, progress=None)
    np.testing.assert_array_equal(there["chinchilla"], here["chinchilla"])
    assert len(list((own_cache / "folds").iterdir())) == 12
    monkeypatch.setattr(crossing, "_refit_without", refuse)
    again, _ = crossing.score(each, 120, cache=True, progress=None)
    np.testing.assert_array_equal(again["chinchilla"], here["chinchilla"])


@pytest.mark.usefixtures("own_cache", "three")
def test_fits_that_workers_made_are_kept_here(wide_runs, synthetic_fit, monkeypatch):
    settings = Settings(draws=20, tune=20)
    made = {name: synthetic_fit(name, wide_runs, draws=20) for name in ("chinchilla", "tilt")}
    monkeypatch.setattr(fitting, "_fit", lambda law, **_: made[law.name])
    found = bs.fit_laws(wide_runs, ["chinchilla", "tilt"], draws=20, tune=20, progress=False)
    assert found == made
    assert all(fitting.is_cached(fit.law, wide_runs, settings) for fit in made.values())


# Clusters that cannot be used


def test_no_address_leaves_everything_here():
    with on_workers(None):
        assert workers() is None


def test_a_cluster_without_its_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'bayescale\[dask\]'"), on_workers("tcp://127.0.0.1:1"):
        pass


def test_an_address_where_nobody_answers_is_refused(monkeypatch):
    pytest.importorskip("distributed", reason="dask.distributed is an extra")
    monkeypatch.setattr(module, "SECONDS", 0.5)
    with (
        pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:1: no scheduler answers"),
        on_workers("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize(
    ("there", "message"),
    [({"nutpie": "0.1"}, "one has nutpie 0.1 there and"), ({"model": "other"}, "one has model other there and")],
)
def test_workers_of_other_versions_are_refused(there, message):
    pytest.importorskip("distributed", reason="dask.distributed is an extra")
    client = SimpleNamespace(wait_for_workers=lambda *_, **__: None, run=lambda _: {"one": versions() | there})
    with pytest.raises(InputError, match=message):
        module._check(client, "tcp://there:1")
    module._check(SimpleNamespace(wait_for_workers=lambda *_, **__: None, run=lambda _: {"one": versions()}), "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "chinchilla", "--workers", "here"], "expected the address of a dask scheduler"),
        (["skills", "sloth", "--workers", "tcp://h:1"], "skills samples one model"),
        (["groups", "chinchilla", "--responses", "loss", "--workers", "tcp://h:1"], "groups samples one model"),
    ],
)
def test_workers_that_are_no_use_are_refused(arguments, said, capsys):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


# A real cluster


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cluster_that_loses_a_worker_gives_the_same_numbers(small_runs, own_cache, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is an extra")
    asked = {"by": "N", "thresholds": [0.15, 0.2, 0.25, 0.3, 0.35, 0.4], "methods": ("plain",), "random_seed": 3}
    here = bs.backtest(small_runs, ["compute_floor"], cache=False, **asked)
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        killed = threading.Thread(target=_kill_one, args=(cluster, own_cache / "backtests"), daemon=True)
        killed.start()
        with on_workers(cluster.scheduler_address):
            there = bs.backtest(small_runs, ["compute_floor"], **asked)
        killed.join(60)
        assert not killed.is_alive()
    assert len(here.scores) == 6
    pd.testing.assert_frame_equal(there.points, here.points, check_exact=True)
    monkeypatch.setattr(refits, "_refit", refuse)
    again = bs.backtest(small_runs, ["compute_floor"], **asked)
    pd.testing.assert_frame_equal(again.points, here.points, check_exact=True)


def _kill_one(cluster, folder):
    """End a worker, without a word to it, as soon as the first fold is done."""
    while not (folder.is_dir() and any(folder.glob("*.json"))):
        time.sleep(0.05)
    with cluster.get_client() as client:
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
