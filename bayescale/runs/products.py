"""Which product of columns may be the training tokens, where no column holds them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.runs.formulas import Vector
from bayescale.runs.grammar import counted_noun, quantity
from bayescale.runs.headers import how_to_map, normalised

LARGEST_BATCH = 16384
"""Sequences a step that hardly any run exceeds; a batch of more is one of tokens."""
CLOSE = 2.0
"""A product agrees with C / 6 N within this factor."""
SEQUENCES = ("samples", "sample", "sequences", "sequence", "examples", "example")
LENGTH = 2048
"""Tokens of a sequence, where a remedy must name some."""


@dataclass(frozen=True)
class Product:
    """Columns whose product may be the tokens, the median of what it gives, and whether it varies."""

    parts: tuple[str, ...]
    typical: float
    varies: bool
    note: str = ""

    @property
    def offer(self) -> str:
        """Say how to take it."""
        return f"compute it with {how_to_map('D', '*'.join(self.parts))}{self.note}"


def offers_of_tokens(values: Mapping[str, Vector], meant: Mapping[str, str]) -> list[str]:
    """Say which products may be the training tokens: steps times the tokens of a step, or C / 6 N.

    Parameters
    ----------
    values : mapping of str to array
        Columns that are numbers, by their headers as written.
    meant : mapping of str to str
        Canonical name to its header.
    """
    found = [*_pairs(values, meant), *_products(values)]
    if not {"C", "N"} <= set(meant):
        return [product.offer for product in found]
    by_compute = f"compute it with {how_to_map('D', 'C/6N')}"
    if not {meant["C"], meant["N"]} <= set(values):
        return [*(product.offer for product in found), by_compute]
    by_C = values[meant["C"]] / (FLOPS_PER_TOKEN * values[meant["N"]])
    tokens = _median(by_C)
    varying = [product for product in found if product.varies or not _varies(by_C)]
    close = [product for product in varying if tokens / CLOSE < product.typical < tokens * CLOSE]
    return [*(product.offer for product in close), by_compute]


def _pairs(values: Mapping[str, Vector], meant: Mapping[str, str]) -> Iterator[Product]:
    """Yield tokens per parameter times N, epochs times the tokens of the data, sequences times their length."""
    sequences = [header for header in values if counted_noun(header) in SEQUENCES]
    N = [meant["N"]] if meant.get("N") in values else []
    for first, second in (
        (_called(values, "ratio"), N),
        (_called(values, "data set"), _called(values, "epochs")),
        (sequences, _called(values, "length")),
    ):
        if first and second:
            yield _product((first[0], second[0]), values)


def _products(values: Mapping[str, Vector]) -> Iterator[Product]:
    """Yield steps times batch: as it is where it counts tokens, else times the length of a sequence."""
    steps, batches, lengths = (_called(values, name) for name in ("steps", "batch", "length"))
    if not steps or not batches:
        return
    step, batch = steps[0], batches[0]
    if "token" in normalised(batch) or _median(values[batch]) > LARGEST_BATCH:
        yield _product((step, batch), values)
        return
    for length in lengths:
        yield _product((step, batch, length), values)
    if not lengths:
        yield _product((step, batch, str(LENGTH)), values, f", with the tokens of a sequence for {LENGTH}")


def _product(parts: tuple[str, ...], values: Mapping[str, Vector], note: str = "") -> Product:
    found: Vector = np.multiply.reduce([values[part] for part in parts if part in values])
    times = math.prod(float(part) for part in parts if part not in values)
    return Product(parts, _median(found * times), _varies(found), note)


def _varies(values: Vector) -> bool:
    return len(np.unique(values[np.isfinite(values)].round(6))) > 1


def _called(values: Mapping[str, Vector], name: str) -> Sequence[str]:
    return [header for header in values if quantity(header) == name]


def _median(values: Vector) -> float:
    sound = values[np.isfinite(values)]
    return float(np.median(sound)) if len(sound) else math.nan
