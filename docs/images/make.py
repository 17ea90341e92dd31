"""Draw the README's picture from the shipped Chinchilla runs."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import bayescale as bs

LAWS = ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla")


def main() -> None:
    """Fit, judge, allocate, and write chinchilla.png beside this file."""
    runs = bs.load_runs("chinchilla")
    comparison = bs.compare(bs.fit_laws(runs, LAWS, random_seed=1))
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    bs.plots.plot_allocation(bs.allocate(comparison, np.geomspace(1e18, 1e25, 40)), "N", left)
    bs.plots.plot_ratio_range(bs.judge(comparison), runs, right)
    figure.savefig(Path(__file__).with_name("chinchilla.png"), dpi=120)


if __name__ == "__main__":
    main()
