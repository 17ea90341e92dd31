import numpy as np
from scipy.stats import t

from bayescale.fits.student import log_student


def test_the_log_density_is_that_of_scipy():
    rng = np.random.default_rng(0)
    x, nu, scale = rng.normal(size=200), rng.uniform(2, 60, (50, 1)), rng.uniform(0.001, 2, (50, 1))
    np.testing.assert_allclose(log_student(x, nu, scale), t.logpdf(x, nu, scale=scale), rtol=1e-10, atol=1e-10)
