"""Compute: FLOP of a run, and budgets in accelerator hours and in money, and back."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bayescale import checks
from bayescale.errors import InputError
from bayescale.values import FrozenMapping
from bayescale.words import typed

if TYPE_CHECKING:
    import numpy as np

FLOPS_PER_TOKEN = 6.0
"""Training takes six FLOP per parameter and token: C = 6 N D (Kaplan et al. 2020, Hoffmann et al. 2022)."""

SECONDS = 3600.0

_QUOTED = "read where others quote it, not in the datasheet itself"


@dataclass(frozen=True)
class Hardware:
    """One accelerator.

    Attributes
    ----------
    name : str
        Name on the command line and in notes.
    peak : float
        FLOP per second with dense matrices in bfloat16; with sparsity datasheets give twice that, which no training
        of dense models reaches.
    source : str
        Where the number comes from.
    unverified : str
        What of it was not read in the source itself; empty when all was.
    """

    name: str
    peak: float
    source: str = "your own number"
    unverified: str = ""


HARDWARE: Mapping[str, Hardware] = FrozenMapping(
    {
        each.name: each
        for each in (
            Hardware("a100", 312e12, "NVIDIA A100 Tensor Core GPU, datasheet (SXM)", _QUOTED),
            Hardware("h100", 989.4e12, "NVIDIA H100 Tensor Core GPU, datasheet (SXM)", _QUOTED),
            Hardware("h200", 989.4e12, "NVIDIA H200 Tensor Core GPU, datasheet (SXM)", _QUOTED),
            Hardware("b200", 2250e12, "NVIDIA Blackwell Architecture Technical Brief (HGX B200, 1000 W)", _QUOTED),
            Hardware(
                "mi300x",
                1307.4e12,
                "AMD Instinct MI300X accelerator, data sheet",
                "from memory; the data sheet was not found",
            ),
            Hardware("tpu-v4", 275e12, "Google Cloud documentation, TPU v4, peak compute per chip"),
            Hardware("tpu-v5e", 197e12, "Google Cloud documentation, TPU v5e, peak compute per chip (bf16)"),
            Hardware("tpu-v5p", 459e12, "Google Cloud documentation, TPU v5p, peak compute per chip (bf16)"),
        )
    }
)
"""Accelerators by name. No run reaches the peak: 0.3 to 0.5 of it is usual, and only you know yours."""

_BUDGET = re.compile(
    r"(?P<sign>\$?)(?P<number>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)\s*(?P<unit>|flops?|h|hours?|usd|dollars?)",
    re.IGNORECASE,
)
_FORMS = "FLOP such as 5.76e23, accelerator hours such as 1000h, or money such as '$50000' or 50000usd"


@dataclass(frozen=True)
class Amount:
    """A budget as it was asked for.

    Attributes
    ----------
    value : float
        How much.
    unit : str
        ``flops``, ``hours`` or ``money``.
    """

    value: float
    unit: str


def flops_from_hours(hours: float, hardware: str | float | Hardware, utilisation: float) -> float:
    """Return the compute of accelerator hours.

    Parameters
    ----------
    hours : float
        Accelerators times hours.
    hardware : str, float or Hardware
        A name in ``HARDWARE``, or your own peak in FLOP per second.
    utilisation : float
        Part of the peak that training reaches, above 0 and at most 1.

    Returns
    -------
    float
        FLOP.

    Raises
    ------
    InputError
        If the hardware is unknown, or a number is out of its range.
    """
    return checks.above_zero("hours", hours) * SECONDS * _speed(hardware, utilisation)


def hours_from_flops(flops: float, hardware: str | float | Hardware, utilisation: float) -> float:
    """Return the accelerator hours that a compute budget takes: the way back of :func:`flops_from_hours`."""
    return checks.above_zero("flops", flops) / (SECONDS * _speed(hardware, utilisation))


def flops_from_money(
    money: float, price_per_hour: float, hardware: str | float | Hardware, utilisation: float
) -> float:
    """Return the compute that money buys.

    Parameters
    ----------
    money : float
        In the currency of the price.
    price_per_hour : float
        Of one accelerator for one hour.
    hardware, utilisation
        As for :func:`flops_from_hours`.

    Returns
    -------
    float
        FLOP.

    Raises
    ------
    InputError
        If the hardware is unknown, or a number is out of its range.
    """
    return flops_from_hours(
        checks.above_zero("money", money) / checks.above_zero("price_per_hour", price_per_hour), hardware, utilisation
    )


def money_from_flops(
    flops: float, price_per_hour: float, hardware: str | float | Hardware, utilisation: float
) -> float:
    """Return what a compute budget costs: the way back of :func:`flops_from_money`."""
    return hours_from_flops(flops, hardware, utilisation) * checks.above_zero("price_per_hour", price_per_hour)


def params_that_fit(gigabytes: float, bits: float = 16.0) -> float:
    """Return the parameters whose weights fill so much memory: the largest N for ``Constraints(max_params=...)``.

    Parameters
    ----------
    gigabytes : float
        Memory for weights alone, in 1e9 bytes: what is left beside caches and activations.
    bits : float
        Of one weight, such as 16, or 4 for a quantised model. What quantising costs in loss is not in this number; the
        law ``precision_post`` knows it.

    Raises
    ------
    InputError
        If a number is not above zero.
    """
    return checks.above_zero("gigabytes", gigabytes) * 8e9 / checks.above_zero("bits", bits)


def get_hardware(hardware: str | float | Hardware) -> Hardware:
    """Return an accelerator by its name, or by a peak of your own in FLOP per second.

    Raises
    ------
    InputError
        If the name is unknown, or the number is no speed of an accelerator.
    """
    if isinstance(hardware, Hardware):
        _check_peak(hardware.peak)
        return hardware
    name = str(hardware).strip().lower().replace(" ", "-")
    if name in HARDWARE:
        return HARDWARE[name]
    try:
        peak = float(hardware)
    except ValueError:
        raise InputError(
            f"hardware '{hardware}' is unknown; expected one of {', '.join(HARDWARE)}, or the peak of yours in FLOP "
            "per second, such as 989e12"
        ) from None
    return Hardware(f"hardware of {typed(_check_peak(peak), 4)} FLOP/s", peak)


def _check_peak(peak: float) -> float:
    """Refuse TFLOP written as FLOP, and what is no number at all."""
    if not 1e9 <= peak < math.inf:
        raise InputError(f"hardware of {typed(peak, 6)} FLOP per second; expected a peak such as 989e12 (989 TFLOP/s)")
    return peak


def _speed(hardware: str | float | Hardware, utilisation: float) -> float:
    if not 0 < utilisation <= 1:
        raise InputError(
            f"utilisation is {utilisation:g}; expected the part of the peak that training reaches, above 0 and at "
            "most 1, such as 0.4"
        )
    return get_hardware(hardware).peak * utilisation


def read_amount(text: str) -> Amount:
    """Read a budget: ``5.76e23``, ``1000h``, ``$50000`` or ``50000usd``.

    Raises
    ------
    InputError
        If it is none of these, or not above zero.
    """
    found = _BUDGET.fullmatch(text.strip().replace(",", "").replace("_", ""))
    if found is None or (found["sign"] and found["unit"]):
        raise InputError(f"budget {text!r} cannot be read; expected {_FORMS}")
    unit = {"": "flops", "f": "flops", "h": "hours"}.get(found["unit"][:1].lower(), "money")
    value = checks.above_zero(f"budget {text}", float(found["number"]))
    return Amount(value, "money" if found["sign"] else unit)


def flops_of(
    amount: Amount,
    hardware: str | float | Hardware | None = None,
    utilisation: float | None = None,
    price_per_hour: float | None = None,
) -> float:
    """Return a budget in FLOP, whatever unit it was asked for in.

    Parameters
    ----------
    amount : Amount
        The budget.
    hardware, utilisation, price_per_hour
        As for :func:`flops_from_money`; hours need the first two, money all three.

    Raises
    ------
    InputError
        If what the unit needs is not given.
    """
    if amount.unit == "flops":
        return amount.value
    if hardware is None or utilisation is None:
        raise InputError(f"a budget in {amount.unit} needs the hardware and its utilisation, such as h100 and 0.4")
    if amount.unit == "hours":
        return flops_from_hours(amount.value, hardware, utilisation)
    if price_per_hour is None:
        raise InputError("a budget in money needs the price of one accelerator for one hour, such as 2.5")
    return flops_from_money(amount.value, price_per_hour, hardware, utilisation)


def read_budgets(flops: object, name: str = "flops") -> "np.ndarray":
    """Return budgets, numbers in FLOP or text, as an array (budget,); ``InputError`` unless all are above zero."""
    return checks.several(name, _in_flops(flops), "budgets in FLOP, such as 1e21")


def _in_flops(flops: object) -> object:
    """Read budgets that are text as the command line reads them; leave the others as they are."""
    if isinstance(flops, str):
        return flops_of(read_amount(flops))
    if isinstance(flops, list | tuple):
        return [_in_flops(each) for each in flops]
    return flops
