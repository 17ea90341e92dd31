"""How long such work took on this machine, kept in the cache: the only basis of an estimate before work begins."""

import json

from bayescale.storage import cache_dir, write_whole

FILE = "timings.json"


def keep_timing(work: str, seconds: float | None) -> None:
    """Keep how many seconds one item of some work took last; an estimate is not worth an error."""
    if seconds is None:
        return
    kept = _timings() | {work: round(seconds, 3)}
    try:
        write_whole(cache_dir() / FILE, lambda path: path.write_text(json.dumps(kept), encoding="utf-8"))
    except OSError:
        return


def seconds_each(work: str) -> float | None:
    """Return how many seconds one item of some work took last; None where it was never done here."""
    seconds = _timings().get(work)
    return seconds if isinstance(seconds, int | float) else None


def _timings() -> dict[str, float]:
    try:
        return dict(json.loads((cache_dir() / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
