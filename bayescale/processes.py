"""Work shared between this process and as many others as there are cores."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from queue import SimpleQueue


def in_processes[T, R](function: Callable[[T], R], items: Sequence[T], size: Callable[[T], int]) -> Iterator[R]:
    """Yield what a function returns for each item, as they are done.

    This process takes the largest item, and each process the next one when it is free. What a process has compiled it
    keeps.

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
    others = min(len(items), os.cpu_count() or 1) - 1
    if others < 1:
        yield from map(function, ordered)
        return
    from joblib.externals.loky import get_reusable_executor  # noqa: PLC0415  (0.3 s that cached results do not need)

    work = _Work(function, ordered, get_reusable_executor(max_workers=others))
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
