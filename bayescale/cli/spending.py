"""Budgets in FLOP, hours or money: what is asked for, and what it comes to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from bayescale.cli import steps
from bayescale.cli.parsing import UsageError
from bayescale.errors import InputError
from bayescale.hardware import HARDWARE, flops_of, get_hardware, hours_from_flops, money_from_flops, read_amount
from bayescale.words import percent, typed

if TYPE_CHECKING:
    from bayescale.runs import RunTable

_HARDWARE = Group.create_ordered("Budgets in hours and money")


@Parameter(name="*", group=_HARDWARE)
@dataclass(frozen=True)
class Spending:
    """What an hour of hardware does and costs."""

    hardware: Annotated[
        str | None,
        Parameter(
            metavar="NAME|FLOP/S",
            help=f"{', '.join(HARDWARE)}, or the peak of yours in FLOP per second, such as 989e12.",
        ),
    ] = None

    utilisation: Annotated[float | None, Parameter(name=["--utilisation", "--utilization"], metavar="PART")] = None
    """Part of the hardware's peak that training reaches, such as 0.4."""

    price: Annotated[float | None, Parameter(metavar="MONEY")] = None
    """Of one accelerator for one hour, such as 2.5."""


SPENDING = Spending()

FAR = 1e5
"""Budgets over the largest run from which on they are doubted: five decades, where no published law was checked."""


def choose_budgets(table: "RunTable", asked: Sequence[str], spending: Spending) -> tuple[list[float], list[str]]:
    """Return budgets in FLOP, those asked for or the default, and sentences on where they come from and what they cost.

    Raises
    ------
    UsageError
        If the hardware is unknown, or what hours and money need is missing or out of range.
    """
    try:
        _check(spending)
        flops = [flops_of(read_amount(text), spending.hardware, spending.utilisation, spending.price) for text in asked]
    except InputError as error:
        raise UsageError(str(error)) from error
    budgets, notes = steps.choose_budgets(table, flops)
    return budgets, [*notes, *_far_out(table, budgets), *_costs(budgets, spending)]


def _far_out(table: "RunTable", budgets: Sequence[float]) -> list[str]:
    """Doubt budgets that nothing in the table speaks of."""
    largest = float(table.frame["C"].max()) if "C" in table.frame else math.inf
    return [
        f"{typed(flops)} FLOP is {typed(flops / largest, 1)} times the largest run, {typed(largest)} FLOP: nothing "
        "checks a law so far out; is the budget in FLOP?"
        for flops in budgets
        if flops > FAR * largest
    ]


def _check(spending: Spending) -> None:
    """Refuse what cannot be meant, also where no budget is in hours or money."""
    hardware, utilisation, price = spending.hardware, spending.utilisation, spending.price
    if hardware is None:
        if (utilisation, price) != (None, None):
            raise InputError("--utilisation and --price say nothing without the --hardware they are for")
        return
    if utilisation is None:
        raise InputError("--hardware needs --utilisation, the part of its peak that training reaches, such as 0.4")
    money_from_flops(1.0, 1.0 if price is None else price, hardware, utilisation)


def spent_texts(budgets: Sequence[float], spending: Spending) -> list[str]:
    """Say what each budget takes of the hardware; nothing where none is given."""
    if spending.hardware is None or spending.utilisation is None:
        return []
    hardware, part = get_hardware(spending.hardware), percent(spending.utilisation)
    texts = []
    for flops in budgets:
        hours = hours_from_flops(flops, hardware, spending.utilisation)
        text = f"{hours:,.0f} hours of one {hardware.name} at {part} of its peak"
        if spending.price is not None:
            cost = money_from_flops(flops, spending.price, hardware, spending.utilisation)
            text += f", {cost:,.0f} at {spending.price:g} an hour"
        texts.append(text)
    return texts


def _costs(budgets: Sequence[float], spending: Spending) -> list[str]:
    """Say what each budget takes of the hardware, each in a sentence."""
    texts = spent_texts(budgets, spending)
    return [f"{typed(flops)} FLOP take {text}" for flops, text in zip(budgets, texts, strict=bool(texts))]
