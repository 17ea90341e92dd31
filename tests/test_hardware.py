import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayescale as bs
from bayescale.cli.program import main
from bayescale.errors import InputError
from bayescale.hardware import HARDWARE, Hardware, flops_of, get_hardware, read_amount

PARTS = st.floats(0.01, 1.0)
AMOUNTS = st.floats(1e-3, 1e12)


def test_an_hour_is_3600_seconds_at_the_part_of_the_peak_that_is_used():
    assert bs.hardware.flops_from_hours(1000, "h100", 0.4) == pytest.approx(1000 * 3600 * 989.4e12 * 0.4)
    assert bs.hardware.flops_from_money(2500, 2.5, "h100", 0.4) == pytest.approx(
        bs.hardware.flops_from_hours(1000, "h100", 0.4)
    )


@given(AMOUNTS, AMOUNTS, PARTS, st.sampled_from(sorted(HARDWARE)))
def test_hours_and_money_go_there_and_back(amount, price, utilisation, name):
    hours = bs.hardware.hours_from_flops(bs.hardware.flops_from_hours(amount, name, utilisation), name, utilisation)
    money = bs.hardware.money_from_flops(
        bs.hardware.flops_from_money(amount, price, name, utilisation), price, name, utilisation
    )
    assert (hours, money) == (pytest.approx(amount), pytest.approx(amount))


def test_a_peak_of_ones_own_stands_where_a_name_goes():
    own = Hardware("ours", 5e14)
    by_name = bs.hardware.flops_from_hours(7, "a100", 0.5)
    assert bs.hardware.flops_from_hours(7, 312e12, 0.5) == bs.hardware.flops_from_hours(7, "312e12", 0.5) == by_name
    assert bs.hardware.flops_from_hours(7, own, 0.5) == 7 * 3600 * 2.5e14
    assert get_hardware("TPU v4") is HARDWARE["tpu-v4"]


def test_every_accelerator_says_where_its_number_comes_from():
    for name, each in HARDWARE.items():
        assert each.name == name
        assert each.source
        assert 1e14 < each.peak < 1e16


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: bs.hardware.flops_from_hours(1, "h900", 0.4),
            "hardware 'h900' is unknown; expected one of a100, h100",
        ),
        (lambda: bs.hardware.flops_from_hours(1, "h100", 0.0), "utilisation is 0"),
        (lambda: bs.hardware.flops_from_hours(1, "h100", 40), "utilisation is 40"),
        (lambda: bs.hardware.flops_from_hours(1, "h100", float("nan")), "utilisation is nan"),
        (lambda: bs.hardware.flops_from_hours(1, 989, 0.4), "expected a peak such as 989e12"),
        (lambda: bs.hardware.flops_from_hours(1, Hardware("ours", -1.0), 0.4), "expected a peak such as 989e12"),
        (lambda: bs.hardware.flops_from_hours(-1, "h100", 0.4), "hours is -1; expected a number above zero"),
        (lambda: bs.hardware.flops_from_money(1, 0, "h100", 0.4), "price_per_hour is 0; expected a number above zero"),
        (lambda: bs.hardware.flops_from_money(float("inf"), 1, "h100", 0.4), "money is inf"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5.76e23", 5.76e23, "flops"),
        ("1e21 FLOP", 1e21, "flops"),
        ("1000h", 1000, "hours"),
        ("1.5e3 hours", 1500, "hours"),
        ("$50,000", 50000, "money"),
        ("50000usd", 50000, "money"),
        ("2e6 dollars", 2e6, "money"),
    ],
)
def test_budgets_are_read_as_people_write_them(text, value, unit):
    amount = read_amount(text)
    assert (amount.value, amount.unit) == (value, unit)


@pytest.mark.parametrize("text", ["", "h", "$", "$5h", "-5", "0", "0h", "1e999", "inf", "nan", "5 weeks", "much"])
def test_budgets_that_cannot_be_read_are_refused(text):
    with pytest.raises(InputError, match="expected"):
        read_amount(text)


def test_hours_need_hardware_and_money_a_price():
    hours, money = read_amount("10h"), read_amount("$25")
    assert flops_of(read_amount("1e20")) == 1e20
    assert flops_of(money, "h100", 0.4, 2.5) == flops_of(hours, "h100", 0.4)
    for amount in (hours, money):
        with pytest.raises(InputError, match="needs the hardware and its utilisation"):
            flops_of(amount)
    with pytest.raises(InputError, match="needs the price"):
        flops_of(money, "h100", 0.4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "10h"], "needs the hardware"),
        (["--budget", "1e21", "--price", "2"], "say nothing without the --hardware"),
        (["--budget", "1e21", "--hardware", "h100"], "--hardware needs --utilisation"),
        (["--budget", "1e21", "--hardware", "h100", "--utilisation", "1.5"], "utilisation is 1.5"),
        (["--budget", "1e21", "--hardware", "h1", "--utilisation", "0.4"], "expected one of a100"),
        (["--hardware", "h100", "--utilisation", "0.4", "--price", "0"], "price_per_hour is 0"),
        (["--budget", "$10", "--hardware", "h100", "--utilisation", "0.4"], "needs the price"),
    ],
)
@pytest.mark.parametrize("command", ["allocate", "report"])
def test_the_command_line_refuses_budgets_it_cannot_price(command, options, words, capsys):
    assert main([command, "chinchilla", *options]) == 2
    assert words in capsys.readouterr().err


def test_the_command_line_splits_a_budget_in_money(monkeypatch, wide_fit, capsys):
    monkeypatch.setattr(bs, "fit_laws", lambda _, names, **__: dict.fromkeys(names, wide_fit))
    options = ["--hardware", "h100", "--utilisation", "0.4", "--price", "2.5", "--json"]
    assert main(["allocate", "chinchilla", "--law", "chinchilla", "--budget", "$2500", *options]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["allocations"][0]["flops"] == pytest.approx(1000 * 3600 * 0.4 * 989.4e12)
    assert "take 1,000 hours of one h100 at 40% of its peak, 2,500 at 2.5 an hour" in record["defaults"][-1]


def test_memory_becomes_the_largest_model_it_holds():
    assert bs.hardware.params_that_fit(80) == pytest.approx(40e9)
    assert bs.hardware.params_that_fit(80, bits=4) == pytest.approx(160e9)
    with pytest.raises(InputError, match="bits"):
        bs.hardware.params_that_fit(80, bits=0)
