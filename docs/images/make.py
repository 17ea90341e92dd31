"""Draw the README's picture from the shipped Chinchilla runs."""

from pathlib import Path

import bayescale as bs

LAWS = ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla")
BUDGETS = (1e22, 5.76e23, 1e25)


def main() -> None:
    """Fit, allocate, and write chinchilla.png beside this file."""
    comparison = bs.compare(bs.fit_laws(bs.load_runs("chinchilla"), LAWS, random_seed=1))
    asked = bs.allocate(comparison, BUDGETS)
    axes = bs.plots.plot_answer(bs.plots.allocation_curve(comparison, asked), asked)
    axes.figure.savefig(Path(__file__).with_name("chinchilla.png"), dpi=160, facecolor="white")


if __name__ == "__main__":
    main()
