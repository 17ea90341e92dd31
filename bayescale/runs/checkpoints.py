"""Rows of one training run: which they are, and how their noise goes together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.runs.units import units_are_families, units_of

RUN_SHARE, PATH_SHARE = SHARES = ("run_share", "path_share")
"""Parts of the variance of the noise on log response: ``run_share`` of all of it is one offset for all rows of a
training run; ``path_share`` of the rest wanders along the run, and what is left is of each row alone."""

MEMORY = 0.5 * float(np.log(10.0))
"""e-folds of tokens over which the wandering part forgets: half a decade, as a run's offset from its law drifts by a
decade or so of its curve, and rows nearer than a tenth of a decade hardly differ in it."""

TOGETHER = ("neighbours", "rotation", "spread", "together", "member")
"""Arrays that say how the noise of rows goes together; see :func:`rotated`."""

EXPECTED_SHARES = (0.5, 0.5)
"""Shares to expect of a table before it is fitted: the means of their priors."""


@dataclass(frozen=True, eq=False)
class Checkpoints:
    """Rows of which several come from one training run.

    Attributes
    ----------
    units : numpy.ndarray
        Number of each row's training run, from 0 (row,).
    progress : numpy.ndarray
        How far along each row is: the log of its tokens, or of its compute (row,).
    """

    units: np.ndarray
    progress: np.ndarray

    def runs(self) -> Iterator[np.ndarray]:
        """Return the rows of each training run in turn, in the order of progress."""
        order = np.argsort(self.units, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(self.units[order])) + 1):
            yield rows[np.argsort(self.progress[rows], kind="stable")]

    def drift(self, rows: np.ndarray) -> np.ndarray:
        """Return the correlations of the part of the noise that wanders along a training run (row, row)."""
        return np.asarray(np.exp(-np.abs(np.subtract.outer(self.progress[rows], self.progress[rows])) / MEMORY))

    def whiten(self, values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
        """Return values whose noise is independent between rows, of the same scale (..., row).

        Parameters
        ----------
        values : numpy.ndarray
            With noise that rows of a training run share (..., row).
        shares : sequence of float
            ``run_share`` and ``path_share``.
        """
        found = np.empty_like(values, dtype=float)
        run_share, path_share = shares
        for rows in self.runs():
            within = path_share * self.drift(rows) + (1 - path_share) * np.eye(rows.size)
            root = np.linalg.cholesky(run_share + (1 - run_share) * within)
            found[..., rows] = np.linalg.solve(
                root, np.moveaxis(values[..., rows], -1, 0).reshape(rows.size, -1)
            ).T.reshape(*values.shape[:-1], rows.size)
        return found


def checkpoints_of(frame: pd.DataFrame) -> Checkpoints | None:
    """Return which rows of a table share a training run; None where each row is a run of its own."""
    units = units_of(frame)
    if units.size == 0 or units.max() + 1 == units.size:
        return None
    return Checkpoints(units, _progress(frame))


def _progress(frame: pd.DataFrame) -> np.ndarray:
    """Return the log of the tokens of each row, or of its compute; far apart where rows are no points of a run (row,).

    Models of one family share a level and nothing else, and so do rows of which neither is known.
    """
    for name in () if units_are_families(frame) else ("D", "C"):
        if name in frame and (frame[name] > 0).all():
            return np.asarray(np.log(frame[name].to_numpy(dtype=float)))
    return np.arange(len(frame)) * 1e3 * MEMORY


def rotated(checkpoints: Checkpoints) -> dict[str, np.ndarray]:
    """Return what makes rows of a training run independent but for their common offset, whatever the shares.

    The correlations of the wandering part are ``rotation' * spread * rotation`` in every run.

    Returns
    -------
    dict of str to numpy.ndarray
        ``neighbours``, the rows of each row's training run, and ``rotation``, their weights, zero where there are no
        more of them (row, place); ``spread``, the eigenvalues, and ``together``, where an offset of 1 goes (row,);
        ``member``, 1 where a row is of a training run, else 0 (training run, row).
    """
    count, widest = checkpoints.units.size, int(np.bincount(checkpoints.units).max())
    neighbours, rotation = np.zeros((count, widest)), np.zeros((count, widest))
    spread, together = np.ones(count), np.ones(count)
    for rows in checkpoints.runs():
        sizes, basis = np.linalg.eigh(checkpoints.drift(rows))
        neighbours[rows, : rows.size], rotation[rows, : rows.size] = rows, basis.T
        spread[rows], together[rows] = np.maximum(sizes, 0.0), basis.sum(axis=0)
    member = np.equal.outer(np.arange(checkpoints.units.max() + 1), checkpoints.units).astype(float)
    return dict(zip(TOGETHER, (neighbours, rotation, spread, together, member), strict=True))
