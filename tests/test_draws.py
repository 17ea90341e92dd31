import numpy as np
import pytest

from bayescale.fits.draws import evenly_spaced


@pytest.mark.parametrize(("count", "available"), [(1, 1), (1, 7), (2, 7), (7, 7), (400, 4000), (9, 4)])
def test_evenly_spaced_draws_are_as_many_as_asked_for_and_as_far_apart_as_whole_numbers_allow(count, available):
    places = evenly_spaced(count, available)
    assert places.size == count
    assert places[0] == 0
    assert places[-1] == (available - 1 if count > 1 else 0)
    gaps = np.diff(places)
    assert gaps.size == 0 or np.ptp(gaps) <= 1
