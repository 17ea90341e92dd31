"""Memory: how much of it is free, and how much is written."""

from contextlib import suppress
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")
"""Where Linux says how much memory a container or a batch job may use."""

LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Files of limit and use, in version 2 and in version 1 of control groups."""


def free_memory() -> float:
    """Return the bytes that this process can still use: of the machine, or of its container or batch job."""
    import psutil  # noqa: PLC0415  (few commands need it)

    free = float(psutil.virtual_memory().available)
    for limit, use in LIMITS:
        with suppress(OSError, ValueError):  # no such file, or no limit
            free = min(free, float((GROUP / limit).read_text()) - float((GROUP / use).read_text()))
    return max(free, 0.0)


def gigabytes(size: float) -> str:
    """Return bytes as gigabytes, in words."""
    return f"{size / 1e9:.2g} GB"
