import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from bayescale.errors import InputError
from bayescale.fits.draws import Draws
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.laws import LAWS
from bayescale.laws.measured import sizes
from bayescale.splits import waste
from bayescale.splits.frontier import RATIOS
from bayescale.splits.optimum import check_splits, find_optimum, has_optimum, loss_on_budget
from bayescale.splits.waste import extra_compute

CHINCHILLA = LAWS["chinchilla"]
COUNTS = {"N": 1.0, "D": 1.0, "C": 1.0}  # reference values at which parameters are those of the papers


def as_draws(*sets, law=CHINCHILLA, reference=COUNTS):
    """Return parameter sets as draws (draw,)."""
    return Draws(law, {name: np.array([values[name] for values in sets]) for name in sets[0]}, reference)


def published(source, law=CHINCHILLA):
    (values,) = (values for key, values in law.published.items() if key.startswith(source))
    return as_draws(values, law=law)


def closed_form(A, B, alpha, beta, flops):
    """Return N* (Hoffmann et al. 2022, Eq. 4)."""
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return G * (flops / FLOPS_PER_TOKEN) ** (beta / (alpha + beta))


ADDITIVE = st.fixed_dictionaries(
    {
        "E": st.floats(0.5, 2.5),
        "A": st.floats(100, 1000),
        "B": st.floats(200, 4000),
        "alpha": st.floats(0.25, 0.5),
        "beta": st.floats(0.25, 0.5),
    }
)
BUDGETS = st.floats(17, 26).map(lambda decades: 10.0**decades)


# Published values


@pytest.mark.parametrize(
    ("source", "flops", "N"),
    [
        ("Hoffmann", 1e21, 2.21695e9),
        ("Besiroglu", 1e21, 2.77846e9),
        ("Hoffmann", 5.76e23, 4.03609e10),
        ("Besiroglu", 5.76e23, 7.22487e10),
    ],
)
def test_chinchilla_has_the_published_best_size(source, flops, N):
    found = find_optimum(published(source), np.array([flops]))
    assert found.located.all()
    assert sizes(np.array([flops]), found.log_ratio)[0].item() == pytest.approx(N, rel=3e-6)  # six printed digits


@pytest.mark.parametrize(
    ("source", "flops", "ratio"),
    [
        ("Hoffmann", 1e19, 22.7216),
        ("Hoffmann", 1e21, 33.9106),
        ("Hoffmann", 5.76e23, 58.9317),
        ("Hoffmann", 1e26, 92.2733),
        ("Besiroglu", 1e19, 24.2487),
        ("Besiroglu", 1e21, 21.5894),
        ("Besiroglu", 5.76e23, 18.3912),
        ("Besiroglu", 1e26, 16.1480),
    ],
)
def test_chinchilla_has_the_published_tokens_per_parameter(source, flops, ratio):
    found = find_optimum(published(source), np.array([flops]))
    assert np.exp(found.log_ratio).item() == pytest.approx(ratio, rel=5e-6)  # six printed digits


@pytest.mark.parametrize(("source", "loss"), [("Hoffmann", 2.295491), ("Besiroglu", 2.305529)])
def test_chinchilla_has_the_published_loss_at_the_optimum(source, loss):
    assert round(find_optimum(published(source), np.array([1e21])).loss.item(), 6) == loss


def test_kaplan_pushed_along_a_budget_grows_the_model_as_the_0_575th_power():
    budgets = np.array([1e19, 1e23])
    law = LAWS["kaplan_nd"]
    found = find_optimum(published("Kaplan", law), budgets)
    N, _ = sizes(budgets, found.log_ratio)
    assert round(np.log(N[0, 1] / N[0, 0]) / np.log(1e4), 3) == 0.575


# The closed form


@given(st.lists(ADDITIVE, min_size=1, max_size=5), st.lists(BUDGETS, min_size=1, max_size=3))
@settings(max_examples=20, phases=[Phase.explicit, Phase.generate])
def test_the_search_agrees_with_the_closed_form_for_every_draw_and_budget(sets, budgets):
    flops = np.array(budgets)
    draws = as_draws(*sets)
    found = find_optimum(draws, flops)
    columns = [draws[name][:, None] for name in ("A", "B", "alpha", "beta")]
    expected = closed_form(*columns, flops)
    inside = (np.log(flops / 6) - 2 * np.log(expected) < np.log(RATIOS[1]) - 1) & (
        np.log(flops / 6) - 2 * np.log(expected) > np.log(RATIOS[0]) + 1
    )
    N, _ = sizes(flops, found.log_ratio)
    assert found.located[inside].all()
    # The loss is flat at its minimum: a relative rounding of 1e-16 hides steps of 1e-8 / sqrt(curvature) in ln N.
    np.testing.assert_allclose(N[inside], expected[inside], rtol=2e-6)


@given(ADDITIVE, BUDGETS)
@settings(max_examples=20)
def test_no_other_split_is_better(values, flops):
    draws = as_draws(values)
    found = find_optimum(draws, np.array([flops]))
    grid = np.linspace(np.log(RATIOS[0]), np.log(RATIOS[1]), 400)
    losses = loss_on_budget(draws, np.full_like(grid, flops), grid)
    if found.located.all():
        assert found.loss.item() <= losses.min() + 1e-12
    else:
        assert np.argmin(losses) in range(12) or np.argmin(losses) in range(388, 400)  # at an end of the search


def test_reference_units_change_no_optimum():
    draws, reference = published("Besiroglu"), {"N": 3e8, "D": 7e9, "C": 1e19}
    scaled = dict(draws)
    scaled["A"] = draws["A"] * reference["N"] ** -draws["alpha"]
    scaled["B"] = draws["B"] * reference["D"] ** -draws["beta"]
    each = (draws, Draws(CHINCHILLA, scaled, reference))
    plain, other = (find_optimum(values, np.array([1e21])) for values in each)
    # Two roundings of the same flat minimum; see above.
    assert other.log_ratio.item() == pytest.approx(plain.log_ratio.item(), abs=4e-6)
    assert other.loss.item() == pytest.approx(plain.loss.item(), rel=1e-12)


def test_draws_may_have_budgets_of_their_own():
    draws = as_draws(*[{name: values[0] for name, values in published("Besiroglu").items()}] * 2)
    budgets = np.array([[1e19, 1e21], [1e21, 1e19]])
    found = find_optimum(draws, budgets)
    np.testing.assert_allclose(found.log_ratio[0], found.log_ratio[1, ::-1], atol=4e-6)


@given(BUDGETS, st.floats(np.log(RATIOS[0]), np.log(RATIOS[1])))
def test_sizes_spend_the_budget_exactly_at_their_ratio(flops, log_ratio):
    N, D = sizes(np.array([flops]), np.array([log_ratio]))
    # Three roundings of a double.
    assert (6 * N * D).item() == pytest.approx(flops, rel=1e-15)
    assert (D / N).item() == pytest.approx(np.exp(log_ratio), rel=1e-14)


# Laws without an optimum


@pytest.mark.parametrize("name", ["compute_floor", "compute_power", "guo_compute", "kaplan_n"])
def test_a_law_of_one_input_is_refused_by_what_it_is_a_law_of(name):
    law = LAWS[name]
    with pytest.raises(InputError) as caught:
        check_splits(law)
    assert str(caught.value) == (
        f"law '{name}' is a law of {law.covariates[0]}: along a budget it has no best split of N and D alone; "
        "allocate with a law of both and nothing else, such as chinchilla"
    )
    with pytest.raises(InputError):
        find_optimum(as_draws(dict.fromkeys(law.parameters, 1.0), law=law), np.array([1e21]))


@pytest.mark.parametrize("delta", [-0.3, 0.0, 0.3])
def test_a_tilt_has_no_optimum_inside_the_search(delta):
    draws = as_draws({"E": 1.8, "K": 1800.0, "gamma": 0.17, "delta": delta}, law=LAWS["tilt"])
    found = find_optimum(draws, np.array([1e21]))
    assert not found.located.any()
    assert np.isnan(found.log_ratio).all()
    assert np.isnan(found.loss).all()


def test_an_optimum_beyond_the_search_is_not_called_one():
    far = as_draws({"E": 1.8, "A": 1e-9, "B": 2e5, "alpha": 0.35, "beta": 0.37})
    assert not find_optimum(far, np.array([1e21])).located.any()


def test_the_edge_of_the_search_is_no_optimum_whatever_the_other_draws():
    plain = {name: values[0] for name, values in published("Besiroglu").items()}
    found = find_optimum(as_draws(plain, plain, plain | {"A": 1e-9}), np.array([1e21]))
    assert found.located[:, 0].tolist() == [True, True, False]


def test_a_fit_has_an_optimum_when_most_draws_have(wide_fit, synthetic_fit, wide_runs):
    budgets = np.array([1e19, 1e22])
    assert has_optimum(wide_fit, budgets)
    assert not has_optimum(synthetic_fit("tilt", wide_runs, draws=50), budgets)
    assert not has_optimum(synthetic_fit("compute_floor", wide_runs, draws=50), budgets)


# What a wrong size costs


def exact_waste(values, flops, factor):
    """Return the extra compute of an additive law: L* - E falls as the gamma-th power of compute."""
    A, B, alpha, beta = (values[name] for name in ("A", "B", "alpha", "beta"))
    N = closed_form(A, B, alpha, beta, flops)
    excess = [A / size**alpha + B / (flops / 6 / size) ** beta for size in (N, factor * N)]
    gamma = alpha * beta / (alpha + beta)
    return (excess[1] / excess[0]) ** (1 / gamma) - 1


FACTORS = np.array([0.1, 0.25, 0.5, 0.9, 1.1, 2.0, 4.0, 10.0])


@given(ADDITIVE)
@settings(max_examples=8)
def test_the_waste_agrees_with_the_closed_form(values):
    N = closed_form(**{name: values[name] for name in ("A", "B", "alpha", "beta")}, flops=1e21)
    assume(1e-1 < 1e21 / 6 / N**2 < 1e4)  # well inside the search, also at the smaller budgets
    found = extra_compute(as_draws(values), 1e21, FACTORS)[0]
    expected = [exact_waste(values, 1e21, factor) for factor in FACTORS]
    # The step in ln C at which the search ends, 1e-6, and the finite difference of the slope.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_waste_vanishes_with_the_error_and_grows_with_it():
    draws = published("Besiroglu")
    growing = np.geomspace(1, 20, 12)
    for factors in (growing, 1 / growing):
        waste = extra_compute(draws, 1e21, factors)[0]
        assert waste[0] == pytest.approx(0, abs=1e-5)  # the loss is known to 1e-16, its square root to 1e-8
        assert (np.diff(waste) > 0).all()


def test_the_waste_is_the_compute_that_a_brute_search_finds():
    draws, flops, factor = published("Hoffmann"), 1e21, 4.0
    best = find_optimum(draws, np.array([flops]))
    target = loss_on_budget(draws, np.array([flops]), best.log_ratio[0] - 2 * np.log(factor)).item()
    cheaper = flops * np.exp(-np.linspace(0, 2, 2001))
    losses = find_optimum(draws, cheaper).loss[0]
    needed = np.exp(np.interp(target, losses, np.log(cheaper)))
    waste = extra_compute(draws, flops, np.array([factor])).item()
    assert waste == pytest.approx(flops / needed - 1, rel=1e-5)  # interpolation between steps of 0.001 in ln C


def test_the_waste_of_a_kaplan_law_has_the_loss_of_the_best_smaller_run():
    law, flops = LAWS["kaplan_nd"], 1e21
    draws = published("Kaplan", law)
    waste = extra_compute(draws, flops, np.array([0.25, 4.0]))[0]
    best = find_optimum(draws, np.array([flops]))
    off = best.log_ratio[0] - 2 * np.log([0.25, 4.0])
    target = loss_on_budget(draws, np.full(2, flops), off)[0]
    np.testing.assert_allclose(find_optimum(draws, flops / (1 + waste)).loss[0], target, rtol=1e-7)


def test_one_draw_without_an_answer_takes_it_from_no_other():
    reference = {"N": 3.2e8, "D": 6.3e9, "C": 1.2e19}
    plain = {"E": 1.8, "A": 0.5, "B": 0.5, "alpha": 0.35, "beta": 0.35}
    steep = {"E": 1.8, "A": 0.37, "B": 0.65, "alpha": 0.1, "beta": 1.25}
    alone = extra_compute(as_draws(plain, plain, reference=reference), 1.2e19, FACTORS)
    together = extra_compute(as_draws(plain, plain, steep, reference=reference), 1.2e19, FACTORS)
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(together[:2], alone, rtol=1e-5, atol=1e-6)


def test_the_waste_is_known_for_the_draws_of_a_collinear_table(make_runs, synthetic_fit):
    N = np.geomspace(1e7, 1e10, 120)
    fitted = synthetic_fit("chinchilla", make_runs.of(N, 20 * N))
    best = find_optimum(fitted.draws, np.array([fitted.reference["C"]]))
    assert best.located.mean() > 0.99
    waste = extra_compute(fitted.draws, fitted.reference["C"], FACTORS)
    assert np.isfinite(waste).mean() > 0.9


def test_waste_that_newton_does_not_find_is_not_known(monkeypatch):
    draws = as_draws({"E": 1.7, "A": 400.0, "B": 400.0, "alpha": 0.34, "beta": 0.28})
    known = extra_compute(draws, 1e21, np.array([4.0, 1.0]))[0]
    assert np.isfinite(known).all()
    monkeypatch.setattr(waste, "NEWTON_STEPS", 1)
    found = extra_compute(draws, 1e21, np.array([4.0, 1.0]))[0]
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0, abs=1e-6)  # at the best size itself there is no way to go


@pytest.mark.parametrize("size", [1e-9, 1e-13, 1e-15, 1e-300])
def test_a_law_that_is_flat_to_rounding_has_no_waste_and_no_warning(size):
    flat = {"E": 3.0, "A": size, "B": size, "alpha": 0.05, "beta": 0.05}
    found = extra_compute(as_draws(flat), 1e21, np.array([2.0, 10.0]))
    assert (np.isnan(found) | (found >= 0)).all()
