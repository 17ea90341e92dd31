import copy
import pickle

import numpy as np
import pytest

from bayescale.fits.draws import Draws, evenly_spaced
from bayescale.laws import LAWS


@pytest.mark.parametrize(("count", "available"), [(1, 1), (1, 7), (2, 7), (7, 7), (400, 4000), (9, 4)])
def test_evenly_spaced_draws_are_as_many_as_asked_for_and_as_far_apart_as_whole_numbers_allow(count, available):
    places = evenly_spaced(count, available)
    assert places.size == count
    assert places[0] == 0
    assert places[-1] == (available - 1 if count > 1 else 0)
    gaps = np.diff(places)
    assert gaps.size == 0 or np.ptp(gaps) <= 1


@pytest.fixture
def draws():
    arrays = {"E": [1.7, 1.8], "A": [0.5, 0.6], "B": [0.4, 0.5], "alpha": [0.34, 0.35], "beta": [0.28, 0.3]}
    return Draws(LAWS["chinchilla"], {name: np.array(values) for name, values in arrays.items()}, {"N": 1e9, "D": 2e10})


def test_draws_are_a_mapping_of_parameters(draws):
    assert list(draws) == ["E", "A", "B", "alpha", "beta"]
    assert len(draws) == 5
    assert draws.count == 2
    np.testing.assert_array_equal(draws["alpha"], [0.34, 0.35])


def test_the_value_of_draws_is_the_law_at_each_point(draws):
    N, D = np.array([1e9, 2e9, 4e9]), np.array([2e10, 2e10, 1e10])
    expected = [
        E + A * (N / 1e9) ** -alpha + B * (D / 2e10) ** -beta
        for E, A, B, alpha, beta in zip(*draws.values(), strict=True)
    ]
    np.testing.assert_allclose(draws.value({"N": N, "D": D}), expected, rtol=1e-14)


def test_points_of_their_own_are_those_of_each_draw(draws):
    N = np.array([[1e9], [2e9]])
    own = draws.value({"N": N, "D": np.full((2, 1), 2e10)})
    for row in range(2):
        alone = draws.take(np.array([row])).value({"N": N[row], "D": np.array([2e10])})
        np.testing.assert_array_equal(own[[row]], alone)


def test_the_log_of_the_law_has_a_floor(draws):
    below = Draws(draws.law, {**draws, "E": np.array([-9.0, 1.8])}, {**draws.reference, "loss": 3.0})
    floor, above = below.log_value({"N": np.array([1e9]), "D": np.array([2e10])}, "loss")[:, 0]
    assert floor == np.log(3e-6)
    assert above == pytest.approx(np.log(1.8 + 0.6 + 0.5))


def test_draws_are_equal_if_law_reference_and_arrays_are(draws):
    assert Draws(draws.law, {name: values.copy() for name, values in draws.items()}, draws.reference) == draws
    assert draws.take(slice(1)) != draws
    assert Draws(draws.law, draws, {"N": 1e9, "D": 1e10}) != draws


def test_draws_are_copied_whole(draws):
    for other in (pickle.loads(pickle.dumps(draws)), copy.deepcopy(draws)):
        assert other == draws
        assert other["alpha"] is not draws["alpha"]
