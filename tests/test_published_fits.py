"""Published fits of public runs, found again with the papers' own estimators; the runs are not shipped."""

import json

import numpy as np
import pandas as pd
import pytest
from published import raw
from scipy.optimize import least_squares, minimize

from bayescale.laws import LAWS
from bayescale.laws.vocabulary import AS_PRINTED, REFITTED
from bayescale.tradeoffs import MULTI_POWER, multi_power_loss, saturating_experts, tokens_per_character


def huber(residual, delta):
    """Return Huber's loss of each residual."""
    size = np.abs(residual)
    return np.where(size <= delta, residual**2 / 2, delta * (size - delta / 2))


def explained(observed, predicted):
    """Return R squared."""
    return 1 - ((observed - predicted) ** 2).sum() / ((observed - observed.mean()) ** 2).sum()


# Gadre et al. 2024


FITTED = ("d=96_l=8_h=4-1.0", "d=512_l=8_h=4-1.0", "d=576_l=24_h=8-1.0", "d=1024_l=24_h=8-1.0", "d=96_l=8_h=4-16.0")
CORPORA = {"c4_original": "C4", "rpj": "RedPajama", "rw_original": "RefinedWeb"}


def gadre_runs(corpus):
    runs = pd.read_csv(raw("gadre-overtrain/models_losses_evals.csv")).set_index("name")
    runs = runs[runs["dataset"] == corpus]
    runs.index = runs.index.str.removeprefix(f"{corpus}-")
    return runs.astype({"params": float, "tokens": float})  # 6 N D does not fit into whole numbers


def predicted_loss(values, runs):
    return LAWS["overtrain"].loss(runs["params"], runs["tokens"], **values)


@pytest.mark.parametrize("corpus", CORPORA)
def test_five_runs_give_the_published_law_of_over_training(corpus):
    runs = gadre_runs(corpus).loc[list(FITTED)]
    published = LAWS["overtrain"].published[f"Gadre et al. (2024), {CORPORA[corpus]}"]
    # As the authors write it, in compute and tokens per parameter.
    C, M = 6 * runs["params"] * runs["tokens"], runs["tokens"] / runs["params"]

    def residuals(x):
        E, log_a, log_b, eta = x
        return E + (np.exp(log_a) * M**eta + np.exp(log_b) / M**eta) / C**eta - runs["loss_c4_val"]

    found = least_squares(residuals, [1.5, 5.0, 5.3, 0.12], x_scale="jac", ftol=1e-15, xtol=1e-15, gtol=1e-15)
    names = LAWS["overtrain"].derived(**published)
    assert found.x[0] == pytest.approx(published["E"], rel=1e-6)
    assert np.exp(found.x[1:3]) == pytest.approx([names["a"], names["b"]], rel=1e-5)
    assert found.x[3] == pytest.approx(published["eta"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "observed", "predicted", "percent"),
    [("open_lm_1b-32.0", 2.502054, 2.519827, 0.7103), ("open_lm_7b-1.0", 2.424993, 2.442745, 0.7320)],
)
def test_the_large_red_pajama_runs_are_predicted_as_published(name, observed, predicted, percent):
    run = gadre_runs("rpj").loc[name]
    found = predicted_loss(LAWS["overtrain"].published["Gadre et al. (2024), RedPajama"], run)
    assert run["loss_c4_val"] == pytest.approx(observed, abs=5e-7)
    assert found == pytest.approx(predicted, abs=5e-7)
    assert 100 * abs(found - observed) / observed == pytest.approx(percent, abs=6e-5)


# Muennighoff et al. 2023


A, B, E, ALPHA = np.exp(6.255414), np.exp(7.3049974), np.exp(0.6254804), 0.3526596
PUBLISHED_REPEATS = (15.387756, 5.309743)


def repeated_runs():
    runs = pd.read_csv(raw("datablations/c4_run_losses.csv"))
    runs = runs[runs["in_fit_182"] == 1]
    return (runs[name].to_numpy(dtype=float) for name in ("params", "tokens", "unique_tokens", "loss"))


def repeated_loss(N, D, unique, R_D, R_N):
    # With alpha = beta the best size for U tokens is G squared times U, and G = (A / B)**(1 / (2 alpha)).
    best = np.minimum(N, (A / B) ** (1 / ALPHA) * unique)
    sizes, data = N / best - 1, np.maximum(D / unique - 1, 0)
    N_eff = best * (1 + R_N * -np.expm1(-sizes / R_N))
    D_eff = unique * (1 + R_D * -np.expm1(-data / R_D))
    return E + A / N_eff**ALPHA + B / D_eff**ALPHA


def test_repeated_data_are_explained_as_well_as_published():
    N, D, unique, loss = repeated_runs()
    assert loss.size == 182
    predicted = repeated_loss(N, D, unique, *PUBLISHED_REPEATS)
    assert explained(loss, predicted) == pytest.approx(0.7722, abs=5e-5)
    assert explained(loss, E + A / N**ALPHA + B / D**ALPHA) == pytest.approx(0.4452, abs=5e-5)
    assert huber(np.log(predicted / loss), 1e-3).sum() == pytest.approx(0.01582594, abs=5e-9)


def test_the_worth_of_repeated_tokens_is_hardly_identified():
    N, D, unique, loss = repeated_runs()

    def objective(R_D, log_R_N):
        return huber(np.log(repeated_loss(N, D, unique, R_D, np.exp(log_R_N)) / loss), 1e-3).sum()

    grid = np.linspace(-3, 4, 701)
    profile = {R_D: min(objective(R_D, x) for x in grid) for R_D in (5, 10, 15.4, 30, 47, 100, 1000)}
    expected = {5: 0.01616, 10: 0.01591, 15.4: 0.01583, 30: 0.01582, 47: 0.01581, 100: 0.01581, 1000: 0.01588}
    assert profile == pytest.approx(expected, abs=5.5e-6)
    other = minimize(
        lambda x: 1e3 * objective(np.exp(x[0]), x[1]),
        np.log([47, 2.3]),
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-9},
    )
    assert np.exp(other.x) == pytest.approx([47.0, 2.33], rel=5e-3)
    assert other.fun / 1e3 == pytest.approx(0.0158074, abs=5e-8)
    assert profile[100] < other.fun / 1e3  # nor is that the lowest


# McLeish et al. 2025


@pytest.mark.parametrize(
    ("phase", "stated", "lowest", "exponents", "share"),
    [
        ("hot", 2.076018e-4, 2.07505e-4, (0.2928, 0.7289), 0.713),
        ("cool_end", 2.0594e-4, 2.0478e-4, (0.3006, 0.5860), 0.661),
    ],
)
def test_the_published_gemstones_fit_is_not_the_lowest(phase, stated, lowest, exponents, share):
    runs = pd.read_json(raw(f"gemstones/wandb_df_for_fitting_{phase}.jsonl"), lines=True)
    fits = json.loads(raw("gemstones/published_fits.json").read_text())
    fit = fits[f"parameters_delta-4/approach_3_parameters_grid_search_0_{phase}.json"]
    log_N, log_D = np.log(runs["params_active_precise"]), np.log(runs["tokens"])
    loss = np.log(runs["final_loss"])

    def objective(x):
        a, alpha, b, beta, e = x
        predicted = np.logaddexp(np.logaddexp(a - alpha * log_N, b - beta * log_D), e)
        return huber(predicted - loss, 1e-4).sum()

    (alpha, beta), (a, b) = fit["exponents"]["0"], fit["coefficients"]["0"]
    start = np.array([a, alpha, b, beta, fit["irreducible_error"]["0"]])
    assert objective(start) == pytest.approx(stated, abs=6e-9)
    near = np.array([5.4, exponents[0], 15.77 if phase == "hot" else 12.64, exponents[1], start[4]])
    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 8000, "maxfev": 20000, "adaptive": True}
    for _ in range(3):
        near = minimize(lambda x: 1e4 * objective(x), near, method="Nelder-Mead", options=options).x
    assert objective(near) == pytest.approx(lowest, abs=6e-9)
    assert near[[1, 3]] == pytest.approx(exponents, abs=2e-3)
    assert near[3] / (near[1] + near[3]) == pytest.approx(share, abs=1e-3)


# Porian et al. 2024


@pytest.mark.parametrize(
    ("setting", "refined_web", "open_web"),
    [
        (("base", "long", "kaplan", "kaplan", "train"), 0.835, 0.864),
        (("base", "long", "kaplan", "standard", "val"), 0.706, 0.699),
        (("base", "short", "kaplan", "standard", "val"), 0.602, 0.603),
        (("base", "short", "chinchilla", "standard", "val"), 0.571, 0.574),
        (("tuned", "short", "const", "standard", "val"), 0.497, 0.518),
    ],
)
def test_the_steps_from_kaplan_to_chinchilla_give_the_published_exponents(setting, refined_web, open_web):
    keys = ["hparams", "warmup", "decay", "param_count", "val"]
    pairs = pd.read_csv(raw("porian/optimal_pairs.csv"))
    fits = pd.read_csv(raw("porian/published_fits.csv")).query("kind == 'weighted'")
    for corpus, printed in (("rw", refined_web), ("owt2", open_web)):
        rows, fit = (
            table[(table["dataset"] == corpus) & (table[keys] == list(setting)).all(axis=1)] for table in (pairs, fits)
        )
        rows = rows[rows["n_star_std"] > 0]
        slope = np.polyfit(np.log(rows["flops"]), np.log(rows["n"]), 1, w=1 / rows["n_star_std"])[0]
        assert slope == pytest.approx(fit["n_exponent"].item(), abs=5e-5)
        assert slope == pytest.approx(printed, abs=1.1e-3)


# Clark et al. 2022


ROUTERS = {"S-Base": 58, "RL-R": 59, "Hash": 56}


def routed_runs(router):
    """Return the last evaluation of runs with every second layer routed to one expert, and of the dense ones."""
    curves = pd.read_csv(raw("routed-lm/curves.csv.gz"))
    last = curves.sort_values("step").groupby("hyper_id").tail(1)
    chosen = last["router_type"].isin([router, "Dense"]) & (last["k"] == 1) & (last["routing_frequency"] == 0.5)
    return last[chosen & (last["seed"] == 42)]


def fit_routed(runs, start, *, product):
    """Return parameters a, b, c, d, E_start, E_max and the root of the mean square in log10 of the loss."""
    size, loss = np.log10(runs["dense_parameter_count"].to_numpy()), np.log10(runs["loss_validation"].to_numpy())

    def unpack(x):
        a, b, d, log_start, log_max, *c = x
        return a, b, c[0] if c else 0.0, d, 1 + np.exp(log_start), np.exp(log_max)

    def residuals(x):
        a, b, c, d, E_start, E_max = unpack(x)
        count = np.log10(saturating_experts({"E_start": E_start, "E_max": E_max}, runs["num_experts"].to_numpy()))
        return a * size + b * count + c * size * count + d - loss

    found = least_squares(residuals, [*start, 0.01] if product else start, x_scale="jac", max_nfev=5000)
    return unpack(found.x), np.sqrt((found.fun**2).mean())


@pytest.mark.parametrize(
    ("router", "values", "both", "separable"),
    [
        ("S-Base", (-0.0830, -0.1180, 0.0099, 1.1136, 2.07, 239), 0.0032, 0.0053),
        ("RL-R", (-0.0827, -0.1234, 0.0112, 1.1070, 1.72, 470), 0.0032, 0.0062),
        ("Hash", (-0.0874, -0.1384, 0.0126, 1.1595, 4.27, 427), 0.0030, 0.0059),
    ],
)
def test_the_product_of_size_and_experts_is_needed(router, values, both, separable):
    runs = routed_runs(router)
    assert len(runs) == ROUTERS[router]
    start = [-0.08, -0.12, 1.1, 0.0, 5.9]
    found, spread = fit_routed(runs, start, product=True)
    assert found[:4] == pytest.approx(values[:4], abs=6e-5)
    assert found[4:] == pytest.approx(values[4:], rel=3e-3)
    assert spread == pytest.approx(both, abs=5e-5)
    assert fit_routed(runs, start, product=False)[1] == pytest.approx(separable, abs=5e-5)
    published = LAWS["routed"].published[f"Clark et al. (2022), {router}"]
    predicted = LAWS["routed"].loss(
        runs["dense_parameter_count"].to_numpy(), runs["num_experts"].to_numpy(), **published
    )
    assert np.abs(np.log10(predicted / runs["loss_validation"])).mean() < 0.007


@pytest.mark.parametrize(
    ("router", "both", "separable"),
    [("S-Base", 0.00378, 0.00569), ("RL-R", 0.00346, 0.00635), ("Hash", 0.00374, 0.00628)],
)
def test_without_saturation_the_product_is_needed_too(router, both, separable):
    runs = routed_runs(router)
    size, count = np.log10(runs["dense_parameter_count"]), np.log10(runs["num_experts"])
    loss = np.log10(runs["loss_validation"])
    for columns, spread in (((size, count, size * count), both), ((size, count), separable)):
        design = np.stack([*columns, np.ones(len(runs))], axis=1)
        found = np.linalg.lstsq(design, loss)[0]
        assert np.sqrt(((design @ found - loss) ** 2).mean()) == pytest.approx(spread, abs=5e-6)


# Tao et al. 2024


def vocabulary_runs(entries_unit):
    """Return the checkpoints that the authors fit, with tokens counted for the vocabulary in a unit."""
    runs = pd.read_csv(raw("vocab-scaling/exp_data.csv")).query("FLOPs >= 2.18e17")
    columns = {"N": "Non_vocab_parameters", "vocabulary": "vocab_size", "width": "embed_dim"}
    points = {name: runs[column].to_numpy() for name, column in columns.items()}
    points["D"] = runs["num_characters"].to_numpy() * tokens_per_character(points["vocabulary"] / entries_unit)
    return points, -runs["Lossu"].to_numpy()


def fit_vocabulary(points, gain):
    """Return the authors' estimate in their units: E, A_1, A_2, B, alpha_2 and beta = alpha_1."""
    size, entries = points["N"] / 1e6, points["vocabulary"] * points["width"] / 1e6
    tokens = points["D"] / 1e9

    def residuals(x):
        E, A_1, A_2, B, alpha_2, beta = x
        return gain - (E - A_1 / size**beta - A_2 / entries**alpha_2 - B / tokens**beta)

    start = [5.5, 1.9, 0.13, 1.4, 0.9, 0.44]
    return least_squares(
        residuals, start, loss="huber", f_scale=1e-3, x_scale="jac", max_nfev=5000, bounds=(1e-4, [20, 20, 5, 20, 3, 2])
    )


def test_the_published_law_of_vocabulary_holds_for_miscounted_tokens_only():
    values = LAWS["vocabulary"].published[AS_PRINTED]
    miscounted, gain = vocabulary_runs(1000)
    true, _ = vocabulary_runs(1)
    assert gain.size == 1054
    assert explained(gain, LAWS["vocabulary"].loss(**miscounted, **values)) == pytest.approx(0.9716, abs=5e-5)
    assert explained(gain, LAWS["vocabulary"].loss(**true, **values)) == pytest.approx(0.0358, abs=5e-5)


def test_the_true_tokens_are_those_that_the_compute_was_counted_with():
    points, _ = vocabulary_runs(1)
    runs = pd.read_csv(raw("vocab-scaling/exp_data.csv")).query("FLOPs >= 2.18e17")
    flops = 6 * (points["N"] + points["vocabulary"] * points["width"]) * points["D"]
    assert flops == pytest.approx(runs["FLOPs"].to_numpy(), rel=1e-12)


def test_true_tokens_give_the_refitted_law_of_vocabulary():
    points, gain = vocabulary_runs(1)
    found = fit_vocabulary(points, gain)
    assert found.x == pytest.approx([5.5369, 1.9035, 0.1286, 1.3313, 1.0587, 0.4398], abs=2e-4)
    values = LAWS["vocabulary"].published[REFITTED]
    assert explained(gain, LAWS["vocabulary"].loss(**points, **values)) == pytest.approx(0.9677, abs=5e-5)


# Luo et al. 2025


PEAK, WARMUP_STEPS = 3e-4, 2160


@pytest.mark.parametrize(
    ("size", "schedule", "offset", "least"),
    [
        ("25M", "cosine_24000", 0.106, 0.999),
        ("25M", "wsd_20000_24000", 0.111, 0.999),
        ("25M", "wsdcon_9", 0.111, 0.994),
        ("100M", "cosine_24000", 0.129, 0.999),
        ("400M", "cosine_24000", 0.147, 0.999),
    ],
)
def test_the_multi_power_law_gives_the_shape_of_the_released_curves(size, schedule, offset, least):
    curve = pd.read_csv(raw(f"multipower-curves/{size}_{schedule}.csv"))
    steps = curve["step"].to_numpy()
    rates = np.interp(np.arange(WARMUP_STEPS, steps.max() + 1), steps, curve["lr"])
    chosen = np.arange(1, steps.size, 15)
    loss = curve["loss"].to_numpy()[chosen]
    values = MULTI_POWER[f"Luo et al. (2025), {size}"]
    found = multi_power_loss(values, rates, steps[chosen] - WARMUP_STEPS, warmup_sum=PEAK * WARMUP_STEPS / 2)
    # The height is not that of the published L_0.
    assert (loss - found).mean() == pytest.approx(offset, abs=2e-3)
    assert explained(loss, found + (loss - found).mean()) > least
