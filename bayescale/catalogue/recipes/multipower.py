"""Loss curves under nine learning-rate schedules (Luo et al. 2025), with the sums that laws of annealing use."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.catalogue.recipes.base import Extract, left_out
from bayescale.schedules import learning_rate_pieces

WARMUP, PEAK, END = 2160, 3e-4, 3e-5  # steps, and learning rates
SWITCH, SWITCHED = 8000, 16_000  # steps of the two-stage schedules
FADING = 0.999  # the lambda of the annealing area

SCHEDULES = (
    "constant_24000",
    "constant_72000",
    "cosine_24000",
    "cosine_72000",
    "wsd_20000_24000",
    "wsdld_20000_24000",
    "wsdcon_3",
    "wsdcon_9",
    "wsdcon_18",
)

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


def extract(files: Mapping[str, Path], variant: str) -> Extract:
    """Return the curves of one model size; steps that several files share, because they branch off, count once."""
    frame = pd.concat([_curve(files, variant, schedule) for schedule in SCHEDULES], ignore_index=True)
    again = frame.duplicated(["steps", "lr_sum", "lr_drop", "loss"])
    shared = left_out(int(again.sum()), "steps before a schedule branches off, which another file holds too")
    frame = frame[~again].reset_index(drop=True)
    runs = frame["training_run"].nunique()
    return Extract(frame, (*shared, f"{len(frame)} points along {runs} runs, marked by training_run"))


def _curve(files: Mapping[str, Path], size: str, schedule: str) -> pd.DataFrame:
    points = pd.read_csv(files[f"{size}_{schedule}.csv"])
    steps = points["step"].to_numpy(dtype=int)
    rates = learning_rates(schedule)[: steps.max() + 1]
    pieces = learning_rate_pieces(rates[WARMUP:])
    return pd.DataFrame(
        {
            "run": [f"{size} {schedule} step {step}" for step in steps],
            "steps": steps,
            "lr_sum": np.cumsum(rates)[steps],
            "lr_drop": annealing_area(rates)[steps],
            "loss": points["loss"],
            "training_run": f"{size} {schedule}",
            "learning_rate": points["lr"],
            **{name: column[steps - WARMUP] for name, column in pieces.items()},
        }
    )


def learning_rates(schedule: str) -> Vector:
    """Return the learning rate of every step, from the schedule's name: the files hold every 128th step only."""
    kind, *numbers = schedule.split("_")
    total = SWITCHED if kind == "wsdcon" else int(numbers[-1])
    steps = np.arange(total + 1, dtype=np.float64)
    if kind == "constant":
        rates = np.full_like(steps, PEAK)
    elif kind == "cosine":
        rates = END + 0.5 * (PEAK - END) * (1 + np.cos(np.pi * (steps - WARMUP) / (total - WARMUP)))
    elif kind == "wsdcon":
        rates = np.where(steps < SWITCH, PEAK, 1e-5 * int(numbers[0]))
    else:
        done = np.clip((steps - int(numbers[0])) / (total - int(numbers[0])), 0, 1)
        rates = PEAK * (END / PEAK) ** done if kind == "wsd" else PEAK + (END - PEAK) * done
    return np.where(steps < WARMUP, PEAK * steps / WARMUP, rates)


def annealing_area(rates: Vector) -> Vector:
    """Return ``S2(s) = sum_{i<=s} sum_{k<=i} (eta_{k-1} - eta_k) lambda^(i-k)`` for every step, after the warm-up.

    The rise during the warm-up is no annealing, so the sum over ``k`` begins behind it.
    """
    drops = np.zeros(len(rates))
    drops[WARMUP + 1 :] = rates[WARMUP:-1] - rates[WARMUP + 1 :]
    momentum = np.zeros(len(rates))
    for step in range(1, len(rates)):
        momentum[step] = FADING * momentum[step - 1] + drops[step]
    return np.cumsum(momentum)
