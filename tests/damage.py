"""Damage to bytes, and how a program ends that is given something damaged."""

import random
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import bayescale as bs

LONGEST = 20_000
FINE = ("accepted", "refused", "unchanged")

type Outcome = str


# Mutations of bytes


def flip(content: bytes, rng: random.Random, first: int | None = None) -> bytes:
    place = rng.randrange(min(len(content), first or len(content)))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def flip_early(content: bytes, rng: random.Random) -> bytes:
    return flip(content, rng, 20_000)


def zero(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(max(len(content) - 4096, 1))
    return content[:place] + bytes(len(content[place : place + 4096])) + content[place + 4096 :]


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def insert(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + rng.randbytes(8) + content[place:]


def exchange(content: bytes, rng: random.Random) -> bytes:
    first, second = sorted(rng.randrange(len(content)) for _ in range(2))
    size = min(512, second - first)
    one, other = content[first : first + size], content[second : second + size]
    return content[:first] + other + content[first + size : second] + one + content[second + size :]


DAMAGE: tuple[Callable[[bytes, random.Random], bytes], ...] = (flip, flip_early, zero, cut, insert, exchange)


# Outcomes


def outcome_of(act: Callable[[], object]) -> Outcome:
    """Return how an attack ended: accepted, refused, or what the fault is."""
    try:
        with warnings.catch_warnings(record=True) as escaped:
            warnings.simplefilter("always")
            act()
    except bs.InputError as error:
        return "message too long" if len(str(error)) > LONGEST else "refused"
    except Exception as error:
        return f"foreign {type(error).__name__}"
    ours = [each for each in escaped if issubclass(each.category, UserWarning | RuntimeWarning | SyntaxWarning)]
    return f"warning {ours[0].category.__name__}" if ours else "accepted"


def in_process(act: Callable[..., Outcome], jobs: dict[str, list[tuple]]) -> dict[str, Counter[Outcome]]:
    """Count the outcomes of the jobs of each class in another process; one that dies is a crash of the job it did."""
    found = {title: Counter() for title in jobs}
    waiting = [(title, job) for title, each in jobs.items() for job in each]
    while waiting:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            try:
                while waiting:
                    title, job = waiting[0]
                    found[title][pool.submit(act, *job).result()] += 1
                    waiting.pop(0)
            except BrokenProcessPool:
                found[title]["crash"] += 1
                waiting.pop(0)
    return found
