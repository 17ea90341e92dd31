"""Stages of long work on stderr: what is being done, how far it is, and how long each took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
from rich.text import Text

from bayescale.cli.options import Watching

AT_ONCE = 1.0
"""Seconds: what is done by then was known already, and says nothing of how long the rest will take."""

WIDE, NARROW = 100, 60
"""Columns from which on the bar is long, and below which there is none."""


class Stage:
    """What is being done since when, and what of it is done."""

    def __init__(self, doing: str) -> None:
        self.doing, self._begun = doing, time.monotonic()
        self._known, self._done, self._of, self._last = 0, 0, 0, 0.0

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._begun

    @property
    def seconds_each(self) -> float | None:
        """Seconds that one item took, of those that were not known already; None before the first."""
        done = self._done - self._known
        return self._last / done if done > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """About how many seconds the rest takes; None before the first item is done, and after the last."""
        each, left = self.seconds_each, self._of - self._done
        if each is None or left < 1:
            return None
        done = self._done - self._known
        return max(0.0, max(each, self.seconds / (done + 1)) * (done + left) - self.seconds)

    def count(self, done: int, of: int) -> None:
        """Take note of how many items are done."""
        if done != self._done:
            self._last = self.seconds
            self._known = done if self._last < AT_ONCE else self._known
        self._done, self._of = done, of


class Stages:
    """Tells what is being done: in one line that moves, and under ``--verbose`` in a line for each stage that ended.

    Parameters
    ----------
    console : Console
        Of stderr.
    bars : Progress, optional
        The line that moves; None where nobody would see it.
    verbose : bool
        Whether stages and their times stay to be read.
    """

    def __init__(self, console: Console, bars: Progress | None, *, verbose: bool) -> None:
        self._console, self._bars, self._verbose = console, bars, verbose
        self._begun = time.monotonic()
        self._stage: Stage | None = None

    @property
    def seconds_each(self) -> float | None:
        """Seconds that one item of this stage took; None where none was done."""
        return self._stage.seconds_each if self._stage else None

    def __call__(self, doing: str) -> None:
        """Begin a stage, which ends the one before."""
        self._end()
        self._stage = Stage(doing)
        if self._bars is not None:
            for task in self._bars.task_ids:
                self._bars.remove_task(task)
            self._bars.add_task(doing, total=None, stage=self._stage)

    def count(self, done: int, of: int) -> None:
        """Tell how many items of this stage are done."""
        if self._stage is not None:
            self._stage.count(done, of)
        if self._bars is not None:
            self._bars.update(self._bars.task_ids[-1], completed=done, total=of)

    def show(self, doing: str, done: int, of: int) -> None:
        """Begin a stage where nothing of it is counted yet, and count its items later."""
        if of:
            self.count(done, of)
        else:
            self(doing)

    def hide(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._bars is not None:
            self._bars.stop()

    def finish(self) -> None:
        """End the last stage, and tell how long all took."""
        self._end()
        if self._verbose:
            self._tell(time.monotonic() - self._begun, "in all")

    def _end(self) -> None:
        if self._verbose and self._stage is not None:
            self._tell(self._stage.seconds, self._stage.doing)

    def _tell(self, seconds: float, what: str) -> None:
        self._console.print(Text(f"{seconds:6.1f} s  {what}"), soft_wrap=True)


@contextmanager
def progress(printing: Watching) -> Iterator[Stages]:
    """Show progress on stderr where that is a terminal, take it away at the end, and keep stages where asked for."""
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if printing.quiet or not is_watched(console):
        stages = Stages(console, None, verbose=printing.verbose)
        stages("starting")
        yield stages
    else:
        with _bars(console) as bars:
            stages = Stages(console, bars, verbose=printing.verbose)
            stages("starting")
            yield stages
    stages.finish()


def is_watched(console: Console) -> bool:
    """Return whether stderr is a terminal on which a line can move, whatever colours are forced."""
    return console.is_interactive and sys.stderr.isatty()


def _bars(console: Console) -> Progress:
    """Return the line that moves, in ASCII where the terminal has nothing else."""
    columns = [SpinnerColumn("dots" if _has_unicode(console) else "line"), _Doing()]
    if console.width >= NARROW:
        columns.append(_Bar(20 if console.width >= WIDE else 10))
    return Progress(*columns, _Done(), _Times(), console=console, transient=True, redirect_stdout=False)


def _has_unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


class _Doing(ProgressColumn):
    """What is being done, cut where the line would be too long."""

    def render(self, task: Task) -> Text:
        return Text(task.description, no_wrap=True, overflow="crop")


class _Bar(BarColumn):
    """A bar, once there is something to count."""

    def __init__(self, width: int) -> None:
        super().__init__(bar_width=width)

    def render(self, task: Task) -> Text:  # type: ignore[override]
        return Text() if task.total is None else super().render(task)  # type: ignore[return-value]


class _Done(ProgressColumn):
    """How many of how many."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.completed:.0f} of {task.total:.0f}", no_wrap=True)


class _Times(ProgressColumn):
    """Time since the stage began, and once something is done about how long the rest will take."""

    def render(self, task: Task) -> Text:
        stage: Stage = task.fields["stage"]
        left = stage.seconds_left
        return Text(clock(stage.seconds) + (f", about {clock(left)} left" if left else ""), no_wrap=True)


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours where there are some."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
