"""Whether a run came to the end of its schedule: one small function per sign that it did not."""

from collections.abc import Callable, Iterator

from bayescale.importers.base import TrackedRun, as_number
from bayescale.importers.keys import LAST_RATE, LEARNING_RATE, PEAK_RATE, STEPS_DONE, STEPS_PLANNED, ranked
from bayescale.runs.headers import normalised

DECAYED = 0.2  # of the peak: schedules end at a tenth or at zero, and the last value logged lies a little before
RECENT = 0.95  # of the steps, within which the last evaluation counts as one of the finished model


def reasons(run: TrackedRun, loss: str) -> list[str]:
    """Say why a run looks unfinished; empty where nothing speaks for it."""
    return [*(run.unfinished or ()), *(reason for sign in SIGNS for reason in sign(run, loss))]


def is_known(run: TrackedRun) -> bool:
    """Tell whether anything says how the run ended."""
    return run.unfinished is not None or _planned(run) is not None or _rates(run) is not None


def stopped_early(run: TrackedRun, _: str) -> Iterator[str]:
    """Tell a run whose last step lies before the last one planned."""
    planned, done = _planned(run), steps(run)
    if run.unfinished or planned is None or done is None:
        return
    if done + _interval(run) < planned:
        yield f"it was logged to step {done:.0f} of {planned:.0f}"


def still_hot(run: TrackedRun, _: str) -> Iterator[str]:
    """Tell a run whose learning rate was not brought down."""
    rates = _rates(run)
    if rates is not None and rates[1] > DECAYED * rates[0]:
        yield f"its learning rate ended at {rates[1]:.3g}, {rates[1] / rates[0]:.0%} of its peak"


def stale_evaluation(run: TrackedRun, loss: str) -> Iterator[str]:
    """Tell a run whose last evaluation lies well before its end."""
    points, last = run.series.get(loss), run.last_step
    if points and last and points[-1][0] < RECENT * last:
        yield f"its last {loss!r} is of step {points[-1][0]:.0f} of {last:.0f}"


def steps(run: TrackedRun) -> float | None:
    """Return how many steps a run was trained."""
    named = _first(run, STEPS_DONE)
    return run.last_step if named is None else max(named, run.last_step or 0.0)


def _planned(run: TrackedRun) -> float | None:
    planned = _first(run, STEPS_PLANNED)
    return planned if planned and planned > 0 else None


def _interval(run: TrackedRun) -> float:
    """Return the steps between the last two values logged: the end may come so much later."""
    ends = [points[-1][0] - points[-2][0] for points in run.series.values() if len(points) > 1]
    return min((gap for gap in ends if gap > 0), default=0.0)


def _rates(run: TrackedRun) -> tuple[float, float] | None:
    """Return the highest and the last learning rate."""
    for key, points in run.series.items():
        if len(points) > 1 and LEARNING_RATE.fullmatch(normalised(key)):
            peak = max(value for _, value in points)
            return (peak, points[-1][1]) if peak > 0 else None
    keys = {key: value for key, value in run.facts.items() if as_number(value) is not None}
    last = next((key for name in LAST_RATE for key in keys if key == name), None)
    peak_keys = [key for key in ranked(list(keys), PEAK_RATE) if key != last and key not in LAST_RATE]
    if last is None or not peak_keys:
        return None
    highest, final = (as_number(keys[key]) for key in (peak_keys[0], last))
    return (highest, final) if highest and final is not None else None


def _first(run: TrackedRun, names: tuple[str, ...]) -> float | None:
    values = (as_number(run.value(key)) for key in ranked(run.keys, names))
    return next((value for value in values if value is not None), None)


SIGNS: tuple[Callable[[TrackedRun, str], Iterator[str]], ...] = (stopped_early, still_hot, stale_evaluation)
