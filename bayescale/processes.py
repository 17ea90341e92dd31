"""Work shared between processes, as many as there are cores for, between threads, or as joblib is configured."""

import importlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING

from bayescale.storage import abandon, sweep_cache

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

ENOUGH = 3
"""Items that another process has before it: the one it does, and those that it takes up without waiting."""

THREADS = 2
"""Beyond so many, threads that do arithmetic wait for Python more than they gain."""

PART = 2000
"""Draws that one thread handles at once."""

WATCH = 0.5
"""Seconds between two looks at whether the process is still there that began this one."""

_PREPARED: "list[ProcessPoolExecutor]" = []
"""The process that is prepared, if any."""


def in_processes[T, R](function: Callable[[T], R], items: Sequence[T], size: Callable[[T], int]) -> Iterator[R]:
    """Yield what a function returns for each item, as they are done.

    This process takes the largest item, and each process the next one when it is free. What a process has compiled it
    keeps. Under ``joblib.parallel_config`` the items go where that says, such as to the workers of a cluster.

    Parameters
    ----------
    function : callable
        Takes an item; it and the items are sent to the other processes.
    items : sequence
        The items.
    size : callable
        Takes an item, and says how much work it is: here the parameters of a law.
    """
    ordered = sorted(items, key=size, reverse=True)
    if workers() is not None:
        yield from _as_configured(function, ordered)
        return
    others = min(len(items), _cores()) - 1 if len(items) > 1 else 0
    if not others:
        yield from map(function, ordered)
        return
    work = _Work(function, ordered, _pool(others))
    left, own = len(items), work.take()
    for _ in range(others):
        work.hand_over()
    try:
        while left:
            for item in own:
                yield function(item)
                left -= 1
            own = work.take()
            while left and not (own and work.done.empty()):
                yield work.done.get().result()
                left -= 1
    finally:
        work.waiting.clear()


def workers() -> int | None:
    """Return how many workers ``joblib.parallel_config`` has chosen; None where nobody has chosen any."""
    if "joblib" not in sys.modules:
        return None
    from joblib import effective_n_jobs  # noqa: PLC0415  (it is there, or nobody has configured it)
    from joblib.parallel import get_active_backend  # noqa: PLC0415  (as above)

    backend, jobs = get_active_backend()
    if jobs is None and type(backend).__name__ == "LokyBackend":
        return None
    return int(effective_n_jobs(-1 if jobs is None else jobs))


def in_shares[T](items: Sequence[T], groups: int) -> list[tuple[T, ...]]:
    """Return the items of one of so many groups in shares, so many that each worker gets one; else in a single one.

    A group is what a worker compiles once for: it stays together as far as there are no more workers than groups.
    """
    count = max(min(len(items), -(-(workers() or 1) // max(groups, 1))), 1)
    return [tuple(items[first::count]) for first in range(count)]


def _as_configured[T, R](function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    from joblib import Parallel, delayed  # noqa: PLC0415  (as above)

    work = Parallel(batch_size=1, pre_dispatch="all", return_as="generator_unordered")
    yield from work(delayed(_with_one_thread)(function, item) for item in items)


def _with_one_thread[T, R](function: Callable[[T], R], item: T) -> R:
    """Do an item with one thread for arithmetic, whatever the worker has: the chains have their own."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  (few need it)

    with threadpool_limits(1):
        return function(item)


def alongside[T, R](function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what a function returns for each item, in their order; another process works while items are made here.

    Parameters
    ----------
    function : callable
        Takes an item; it and the items are sent to the other process.
    items : iterable
        Makes the items one by one. This process does an item as well whenever the other one has enough to do.
    """
    if _cores() < 2:
        return [function(item) for item in items]
    pool = _PREPARED.pop() if _PREPARED else _companion()
    given: list[Future[R]] = []
    try:
        for item in items:
            busy = sum(not future.done() for future in given)
            given.append(pool.submit(function, item) if busy < ENOUGH else _finished(function(item)))
        return [future.result() for future in given]
    finally:
        pool.shutdown(wait=False, kill_workers=True)


def _finished[R](result: R) -> Future[R]:
    future: Future[R] = Future()
    future.set_result(result)
    return future


def in_threads[T, R](function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return what a function returns for each item, in their order, in threads: for arithmetic of large arrays.

    NumPy lets other threads work meanwhile. Numbers are the same as one after the other.

    Parameters
    ----------
    function : callable
        Takes an item.
    items : sequence
        The items.
    """
    if len(items) < 2:
        return [function(item) for item in items]
    contexts = [copy_context() for _ in items]  # NumPy's error state among others
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda context, item: context.run(function, item), contexts, items))


def in_parts[R](function: Callable[[slice], R], rows: int) -> list[R]:
    """Return what a function returns for each part of so many rows, as :func:`in_threads` does."""
    return in_threads(function, [slice(start, start + PART) for start in range(0, max(rows, 1), PART)])


def prepare(module: str) -> None:
    """Start the process that :func:`alongside` will use next, and let it import a module."""
    if _cores() > 1 and not _PREPARED:
        _PREPARED.append(_companion())
        _PREPARED[0].submit(_import, module)


def _import(module: str) -> None:
    importlib.import_module(module)


def stop(*, wait: bool = False) -> None:
    """End all other processes at once, whatever they do, and wait until they have ended if that matters."""
    if "loky" in sys.modules:
        for pool in (*_PREPARED, _pool()):
            pool.shutdown(wait=wait, kill_workers=True)
        _PREPARED.clear()


def leave_nothing() -> None:
    """End all other processes, and remove the files that they and this one were writing."""
    stop(wait=True)
    abandon()
    sweep_cache()


def _watch(parent: int) -> None:
    """Let this process end when the one that began it has ended, however that came: nobody reads its results."""
    if os.name == "posix":
        threading.Thread(target=_end_with, args=(parent,), name="bayescale-watch", daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH)
    abandon()
    os._exit(1)


def _cores() -> int:
    """Return the processors that this process may use, which a container or a batch job limits; 1 where it is alone."""
    import loky  # noqa: PLC0415  (0.1 s that few commands need)

    return int(loky.cpu_count())


def _companion() -> "ProcessPoolExecutor":
    """Return a process of its own: loky ends one of the others that grows, and with it what it has compiled."""
    from loky import ProcessPoolExecutor  # noqa: PLC0415  (as above)

    return ProcessPoolExecutor(max_workers=1, initializer=_watch, initargs=(os.getpid(),))


def _pool(processes: int | None = None) -> "ProcessPoolExecutor":
    """Return the processes that fit laws: so many, or those that there are."""
    from loky import get_reusable_executor  # noqa: PLC0415  (as above)

    return get_reusable_executor(
        max_workers=processes, reuse="auto" if processes else True, initializer=_watch, initargs=(os.getpid(),)
    )


class _Work[T, R]:
    """Items that no process has begun, and results of the other processes that nobody has seen."""

    def __init__(self, function: Callable[[T], R], items: Sequence[T], pool: Executor) -> None:
        self.function, self.pool = function, pool
        self.waiting, self.done = deque(items), SimpleQueue[Future[R]]()

    def take(self) -> list[T]:
        """Return the next item, or nothing."""
        try:
            return [self.waiting.popleft()]
        except IndexError:
            return []

    def hand_over(self) -> None:
        """Let another process do the next item, and go on when it is done."""
        for item in self.take():
            self.pool.submit(self.function, item).add_done_callback(self._finish)

    def _finish(self, future: Future[R]) -> None:
        self.done.put(future)
        self.hand_over()
