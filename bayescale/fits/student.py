"""log_student: the log density of Student's t, which takes SciPy half a second to import."""

import numpy as np
from scipy.special import gammaln


def log_student(x: np.ndarray, nu: np.ndarray | float, scale: np.ndarray | float) -> np.ndarray:
    """Return the log density of Student's t around zero.

    Parameters
    ----------
    x : numpy.ndarray
        Where; all three arguments broadcast.
    nu : numpy.ndarray or float
        Degrees of freedom.
    scale : numpy.ndarray or float
        Scale, in the unit of ``x``.

    Returns
    -------
    numpy.ndarray
        Log density.
    """
    tail = (nu + 1) / 2 * np.log1p((x / scale) ** 2 / nu)
    return np.asarray(gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi) - np.log(scale) - tail)
