"""Designs that identify the further laws, with the truth that they follow."""

import itertools

import numpy as np
import pandas as pd
from recovery import Case

from bayescale.designs.grids import isoflop_design
from bayescale.laws import LAWS
from bayescale.laws.bounded import MADE_UP as BOUNDED
from bayescale.laws.isoflop import MADE_UP as ISOFLOP
from bayescale.laws.three_term import MADE_UP as THREE_TERM
from bayescale.laws.vocabulary import AS_PRINTED
from bayescale.tradeoffs import learning_rate_columns, learning_rate_pieces


def grid(**columns):
    """Return every combination of the values of each column."""
    rows = itertools.product(*columns.values())
    return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in rows]).astype(float)


def published(law, source):
    """Return a law's published values."""
    (values,) = (values for key, values in LAWS[law].published.items() if key.startswith(source))
    return values


def curve(low, high, count):
    """Return a learning curve's design."""
    return pd.DataFrame({"D": np.geomspace(low, high, count)})


def over_multipliers(sizes, multipliers):
    """Return runs of every size at every number of tokens per parameter."""
    frame = grid(N=sizes, D=multipliers)
    return frame.assign(D=frame["N"] * frame["D"])


def vocabularies():
    """Return the authors' sizes and widths, with three vocabularies and four numbers of tokens each."""
    shapes = {33e6: 512, 85e6: 768, 302e6: 1024, 631e6: 1536, 1.13e9: 2048}
    frame = grid(N=shapes, vocabulary=(4096, 16384, 96256), D=np.geomspace(3e9, 1e11, 5))
    return frame.assign(width=frame["N"].map(shapes))


BITS = ((16, 16, 16), (8, 8, 8), (6, 6, 6), (4, 16, 16), (16, 4, 16), (16, 16, 4), (3, 8, 16), (16, 3, 8), (8, 16, 3))
BITS = (*BITS, (4, 4, 4), (2, 16, 16), (16, 2, 16), (16, 16, 2))


def precisions():
    """Return sizes and tokens in many precisions of the three parts."""
    frame = grid(N=(3e7, 6e7, 1.1e8, 2.2e8), D=(1.5e9, 6e9, 2.6e10), bits=range(len(BITS)))
    parts = np.array(BITS, dtype=float)[frame["bits"].astype(int)]
    columns = dict(zip(("bits_weights", "bits_activations", "bits_cache"), parts.T, strict=True))
    return frame.drop(columns="bits").assign(**columns)


def quantised():
    """Return the same runs, each quantised after training."""
    frame = precisions()
    return frame.assign(bits_post=np.resize([16.0, 5.0, 4.0, 3.0, 6.0], len(frame)))


def annealed():
    """Return constant, cosine and warm-up-stable-decay schedules of several lengths and peaks, at their ends."""
    rows = []
    for steps, peak in itertools.product((4000, 12000, 36000), (3e-4, 1e-3)):
        time = np.arange(steps) / steps
        stable = peak * np.interp(time, [0, 0.8, 1], [1, 1, 0.1])
        for shape in (np.full(steps, peak), peak * (0.55 + 0.45 * np.cos(np.pi * time)), stable):
            columns = learning_rate_columns(shape, fading=0.999)
            rows.extend(
                {"lr_sum": columns.lr_sum[at - 1], "lr_drop": columns.lr_drop[at - 1]}
                for at in (steps // 2, int(0.9 * steps), steps)
            )
    return pd.DataFrame(rows).drop_duplicates().clip(lower=0)


def schedules():
    """Return points along cosine, stable, linear, two-stage and constant schedules of several lengths and peaks."""
    rows = []
    for steps, peak in itertools.product((4000, 16000, 64000), (3e-4, 1e-3)):
        time = np.arange(steps) / steps
        shapes = (
            np.ones(steps),
            0.55 + 0.45 * np.cos(np.pi * time),
            np.interp(time, [0, 0.7, 1], [1, 1, 0.1]),
            1 - 0.95 * time,
            np.where(time < 0.5, 1.0, 0.3),
            np.where(time < 0.5, 1.0, 0.1),
        )
        for shape in shapes:
            columns = {"lr_sum": np.cumsum(peak * shape), **learning_rate_pieces(peak * shape)}
            at = (np.array([0.25, 0.505, 0.55, 0.72, 0.85, 1.0]) * steps).astype(int) - 1
            rows.append(pd.DataFrame(columns).iloc[at])
    return pd.concat(rows, ignore_index=True).drop_duplicates(ignore_index=True)


CURVE = {"a": 0.8, "c_0": 0.10, "c_1": 0.25, "d_1": 1e9, "f_1": 0.4}
FARSEER = {
    "floor": 0.40,
    "amplitude": 0.085,
    "exponent": 0.31,
    "floor_slope": -0.12,
    "amplitude_slope": 0.2,
    "exponent_slope": -0.2,
    "q": 0.13,
    "b": -0.17,
    "a": 0.05,
    "N_0": 1e9,
    "D_0": 2e10,
}

CASES: dict[str, Case] = {
    "overtrain": Case(
        over_multipliers(np.geomspace(1e7, 7e9, 6), (5, 20, 80, 320)), published("overtrain", "Gadre et al. (2024), C4")
    ),
    "loss_to_error": Case(
        pd.DataFrame({"loss": np.linspace(2.2, 5.0, 40)}), published("loss_to_error", "Gadre et al. (2024), C4, 17")
    ),
    "bnsl": Case(curve(1e6, 1e12, 60), {**CURVE, "b_1": 12.0}, loose=("f_1",)),
    "bnsl_two": Case(
        # Falls, rises and falls again, which no limit can stand for.
        curve(1e6, 1e12, 70),
        {**CURVE, "a": 0.3, "b_1": 60.0, "c_0": 0.2, "c_1": -0.35, "d_1": 1e8}
        | {"c_2": 0.5, "gap": float(np.log(1e2)), "f_2": 0.4},
        loose=("f_1", "f_2"),
    ),
    "m1": Case(curve(1e4, 1e9, 24), {"beta": 4.0, "c": 0.12}),
    "m2": Case(curve(1e4, 1e9, 24), {"eps_inf": 0.12, "beta": 30.0, "c": 0.4}),
    "m3": Case(curve(1e4, 1e9, 24), {"beta": 40.0, "gamma": 2e-7, "c": 0.35}),
    "m4": Case(
        curve(1e4, 1e10, 30), {"eps_inf": 0.12, "amount": 600.0, "c": 0.5, "alpha": 0.8, "span": 0.85}, loose=("alpha",)
    ),
    "routed": Case(
        grid(active_N=(25e6, 55e6, 130e6, 370e6, 1.3e9), experts=2.0 ** np.arange(10)),
        published("routed", "Clark et al. (2022), S-Base"),
    ),
    "routed_separable": Case(
        grid(active_N=(25e6, 55e6, 130e6, 370e6, 1.3e9), experts=2.0 ** np.arange(10)),
        {"A": 10**1.0089, "a": -0.0701, "b": -0.0380, "E_start": 1.964, "E_max": 236.0},
    ),
    "vocabulary": Case(vocabularies(), LAWS["vocabulary"].published[AS_PRINTED], loose=("A_2", "alpha_2")),
    "precision": Case(precisions(), published("precision", "Kumar")),
    "precision_post": Case(quantised(), published("precision_post", "Kumar")),
    "lr_anneal": Case(annealed(), {"L_0": 2.6, "A": 0.45, "alpha": 0.5, "C": 0.5}),
    "multi_power": Case(schedules(), published("multi_power", "Luo et al. (2025), 400M")),
    "farseer": Case(
        grid(N=np.geomspace(1e8, 1e10, 7), D=np.geomspace(2e9, 2e11, 7)), FARSEER, loose=("q", "b", "a", "N_0", "D_0")
    ),
    "isoflop": Case(isoflop_design(np.geomspace(1e18, 1e22, 7), [0.3, 1.5, 6.0, 20.0, 60.0, 250.0, 1200.0]), ISOFLOP),
    "nonembedding": Case(
        over_multipliers(np.geomspace(5e5, 3e9, 10), (20, 80, 320)),
        published("nonembedding", "Pearce & Song (2024) with Besiroglu"),
    ),
    "bounded": Case(
        pd.DataFrame(
            [
                {"N": N, "D": D, "unique_tokens": D * part}
                for N, D, part in itertools.product((1e6, 1e7, 1e8, 1e9, 5e9), (1e8, 1e9, 1e10, 1e11), (1.0, 0.1, 0.01))
            ]
        ),
        BOUNDED,
        loose=("K", "gamma", "delta", "span"),
    ),
    "three_term": Case(
        grid(N=np.geomspace(1e7, 5e9, 4), steps=np.geomspace(2e3, 2e5, 4), batch=np.geomspace(6e4, 4e6, 4)), THREE_TERM
    ),
}
