"""Where a run in progress will end, as plain data."""

from typing import Any

from bayescale.forecasts.run_forecast import RunForecast
from bayescale.intervals import credible_interval


def curve_record(found: RunForecast, names: dict[str, str], *, excess: float, certainty: float) -> dict[str, Any]:
    """Return where a run in progress will end as plain data; ``stop`` says whether that is certain to be too high."""
    return {
        "schema": "bayescale/curve/1",
        **names,
        "tokens": found.tokens,
        "seen": found.seen,
        "final": credible_interval(found.loss, found.probability).record(),
        "promised": credible_interval(found.promised, found.probability).record(),
        "above": {"any": found.above(), "excess": excess, "by_excess": found.above(excess)},
        "stop": found.stop(excess, certainty),
        "certainty": certainty,
        "flops_left": found.flops_left,
        "expected_saving": found.expected_saving(excess),
        "probability": found.probability,
        "doubts": list(found.doubts),
    }
