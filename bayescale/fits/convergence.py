"""R-hat, effective sample sizes and Monte Carlo errors of one quantity (chain, draw).

The numbers are ArviZ's, which tests compare with: rank-normalised R-hat and effective sample sizes (Vehtari et al.
2021, doi:10.1214/20-BA1221). Importing ArviZ takes longer than sampling a law does.
"""

import numpy as np

LEAST_DRAWS = 4
BLOM = 3 / 8
TAILS = (0.11, 0.89)
"""Quantiles whose effective sample sizes are those of the tails: ArviZ's default."""

ONE_SIGMA = (0.1586553, 0.8413447)


def rhat(values: np.ndarray, method: str) -> float:
    """Return R-hat of a quantity (chain, draw): ``rank`` takes the larger of bulk and folded, ``folded`` the latter."""
    values = np.asarray(values, dtype=float)
    if not _whole(values, chains=2):
        return float("nan")
    halves = _halves(values)
    folded = _rhat(_scores(abs(halves - np.median(halves))))
    return folded if method == "folded" else max(_rhat(_scores(halves)), folded)


def ess(values: np.ndarray, method: str) -> float:
    """Return the effective sample size of a quantity (chain, draw): of its ``bulk``, its ``tail`` or its ``mean``."""
    values = np.asarray(values, dtype=float)
    if not _whole(values):
        return float("nan")
    if method == "tail":
        return min(_ess_of_quantile(values, chance) for chance in TAILS)
    return _ess(_scores(_halves(values)) if method == "bulk" else _halves(values))


def tail_part(values: np.ndarray) -> float:
    """Return the effective part, at most 1, of draws of the tails beyond 5%, all as one chain (draw,)."""
    chain = np.asarray(values, dtype=float)[None]
    return min(1.0, *(_ess_of_quantile(chain, chance) / chain.size for chance in (0.05, 0.95)))


def quantile_error(values: np.ndarray, chance: float) -> float:
    """Return the Monte Carlo standard error of a quantile of a quantity (chain, draw)."""
    from scipy.special import betaincinv  # noqa: PLC0415  (0.3 s that reading a fit does not need)

    values = np.asarray(values, dtype=float)
    if not _whole(values):
        return float("nan")
    size, count = _ess_of_quantile(values, chance), values.size
    ends = betaincinv(size * chance + 1, size * (1 - chance) + 1, np.array(ONE_SIGMA)) * count - 1
    ordered = np.sort(values, axis=None)
    low, high = ordered[int(np.floor(max(ends[0], 0)))], ordered[int(np.ceil(min(ends[1], count - 1)))]
    return float((high - low) / 2)


def bfmi(energy: np.ndarray) -> np.ndarray:
    """Return the estimated fraction of missing information of each chain, from its energies (chain, draw)."""
    energy = np.asarray(energy, dtype=float)
    return np.asarray((np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1, ddof=1))


def _whole(values: np.ndarray, *, chains: int = 1) -> bool:
    return not np.isnan(values).any() and values.shape[0] >= chains and values.shape[1] >= LEAST_DRAWS


def _halves(values: np.ndarray) -> np.ndarray:
    half = values.shape[1] // 2
    return np.vstack([values[:, :half], values[:, -half:]])


def _scores(values: np.ndarray) -> np.ndarray:
    """Return the normal scores of ranks, equal values with the middle of theirs."""
    from scipy.special import ndtri  # noqa: PLC0415  (as above)

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(values.shape)]
    return np.asarray(ndtri((ranks - BLOM) / (values.size - 2 * BLOM + 1)))


def _rhat(values: np.ndarray) -> float:
    count = values.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = count * values.mean(axis=1).var(ddof=1) / values.var(axis=1, ddof=1).mean()
    return float(np.sqrt((between + count - 1) / count))


def _ess_of_quantile(values: np.ndarray, chance: float) -> float:
    return _ess(_halves((values <= np.quantile(values, chance)).astype(float)))


def _ess(values: np.ndarray) -> float:
    """Return the effective sample size of the mean, by Geyer's initial monotone sequence over all chains."""
    if np.ptp(values) < np.finfo(float).resolution:
        return float(values.size)
    chains, count = values.shape
    covariance = _autocovariance(values).mean(axis=0)
    within = covariance[0] * count / (count - 1)
    total = within * (count - 1) / count + (values.mean(axis=1).var(ddof=1) if chains > 1 else 0.0)
    correlation = 1 - (within - covariance) / total
    correlation[0] = 1.0
    return float(values.size / max(_autocorrelation_time(correlation), 1 / np.log10(values.size)))


def _autocorrelation_time(correlation: np.ndarray) -> float:
    """Return how many draws are worth one, from the correlations at each lag (lag,)."""
    kept = np.zeros_like(correlation)
    kept[:2] = correlation[:2]
    at, even, odd = 1, 1.0, correlation[1]
    while at < correlation.size - 3 and even + odd > 0:  # the initial positive sequence
        even, odd = correlation[at + 1 : at + 3]
        if even + odd >= 0:
            kept[at + 1 : at + 3] = even, odd
        at += 2
    last = at - 2
    if even > 0:
        kept[last + 1] = even
    for at in range(1, last - 1, 2):  # the initial monotone sequence
        before = kept[at - 1] + kept[at]
        if kept[at + 1] + kept[at + 2] > before:
            kept[at + 1 : at + 3] = before / 2
    return float(-1 + 2 * kept[: last + 1].sum() + kept[last + 1 : last + 2].sum())


def _autocovariance(values: np.ndarray) -> np.ndarray:
    """Return the autocovariance of each chain at every lag (chain, lag)."""
    count = values.shape[1]
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(values - values.mean(axis=1, keepdims=True), n=size, axis=1)
    return np.asarray(np.fft.irfft(abs(spectrum) ** 2, n=size, axis=1)[:, :count] / count)
