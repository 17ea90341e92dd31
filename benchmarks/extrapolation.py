"""How often intervals of larger runs hold: fit without the largest fifth of the runs, forecast those."""

import numpy as np

import bayescale as bs

HELD_OUT = 0.2
PROBABILITY = 0.9


def coverage(table: str, law: str) -> tuple[int, float, float]:
    """Return runs held out, and the coverage of intervals of a single run and of the law alone."""
    runs = bs.load_runs(table)
    largest = float(runs.frame["C"].quantile(1 - HELD_OUT))
    fitted = bs.fit(bs.select_runs(runs, f"C <= {largest}"), law, random_seed=1)
    held_out = runs.frame[runs.frame["C"] > largest]
    covariates = {name: held_out[name].to_numpy() for name in ("N", "D", "C")}
    center = np.log(fitted.draws.value(covariates))
    noise = np.random.default_rng(1).standard_t(fitted.draws["nu"][:, None], size=center.shape)
    observed = np.log(held_out[runs.response].to_numpy())
    held = [_part_inside(observed, draws) for draws in (center + fitted.draws["sigma"][:, None] * noise, center)]
    return len(held_out), held[0], held[1]


def _part_inside(observed: np.ndarray, draws: np.ndarray) -> float:
    low, high = np.quantile(draws, [(1 - PROBABILITY) / 2, (1 + PROBABILITY) / 2], axis=0)
    return float(((observed > low) & (observed < high)).mean())


if __name__ == "__main__":
    print(f"nominal {PROBABILITY:.0%} intervals, largest {HELD_OUT:.0%} of the runs by C held out")
    for law in ("compute_floor", "kaplan_nd", "chinchilla"):
        count, run, alone = coverage("chinchilla", law)
        print(f"chinchilla table, law {law:<14} {count} runs: single run {run:.0%}, law alone {alone:.0%}")
