"""Skills: the model's densities, what follows from a posterior, forecasts, and the verdict."""

import dataclasses

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy.stats import multivariate_normal, norm
from skills_made import LOADINGS, comparison_of, made_scores, made_skill_fit

from bayescale.errors import InputError
from bayescale.fits.settings import Settings
from bayescale.skills import (
    SKILL_LAWS,
    SkillComparison,
    compare_skills,
    equivalent_compute,
    family_table,
    fit_skills,
    forecast_scores,
    judge_skills,
    next_scores,
    read_scores,
    with_publication,
    with_second_skill,
)
from bayescale.skills.comparison import planned_refits
from bayescale.skills.families import family_draws
from bayescale.skills.folds import score_folds, table_by
from bayescale.skills.laws import skill_law
from bayescale.skills.model import _log_density, build_model


@pytest.fixture(scope="module")
def fitted():
    return made_skill_fit()


@pytest.fixture(scope="module")
def table():
    return read_scores(made_scores()[0], name="made")


# Permutations


def test_the_order_of_rows_and_columns_changes_nothing(table):
    frame = made_scores()[0]
    shuffled = frame.sample(frac=1, random_state=1)[[*frame.columns[:3], *frame.columns[:2:-1]]]
    assert read_scores(shuffled, name="made").hash == table.hash


@pytest.mark.parametrize("name", ["family_slope", "family_benchmark"])
def test_other_names_of_models_families_and_responses_leave_the_density_as_it_is(name):
    """Whatever comes first; the density of the model is compared at points that correspond."""
    law, sizes = SKILL_LAWS[name], {"run": 6, "response": 3, "family": 3}
    model = build_model(law, *sizes.values())
    rng = np.random.default_rng(1)
    orders = {dim: rng.permutation(size) for dim, size in sizes.items()}
    family = np.array([0, 0, 1, 1, 2, 2])
    data = {"x": rng.normal(size=6), "x_sd": rng.uniform(0.02, 0.2, 6), "score": rng.uniform(0.3, 0.9, (6, 3))}
    data |= {"seen": (rng.uniform(size=(6, 3)) > 0.2).astype(float), "chance": np.array([0.25, 0.0, 0.5])}
    dims = {"x": ["run"], "x_sd": ["run"], "score": ["run", "response"], "seen": ["run", "response"]}
    dims |= {"chance": ["response"], "log_loading": ["response"], "intercept": ["response"], "noise": ["response"]}
    dims |= {"floor_score": ["response"], "skill_offset": ["run"], "level_scale": ["response"]}
    dims |= {"level_score": ["family", "response"]}
    shapes = {each.name: each.eval(mode="FAST_COMPILE").shape for each in model.free_RVs}
    point = {each: np.abs(rng.normal(size=shape)) for each, shape in shapes.items()}
    for each in ("log_loading", "skill_offset"):
        point[each] = point[each] - point[each].mean()

    def moved(values):
        return {
            key: value[np.ix_(*(orders[dim] for dim in dims[key]))] if key in dims else value
            for key, value in values.items()
        }

    def density(given, at):
        with model:
            pm.set_data(given)
        transformed = {
            each: at[each.name] if (change := model.rvs_to_transforms[each]) is None
            else change.forward(pt.as_tensor(at[each.name]), *each.owner.inputs).eval(mode="FAST_COMPILE")
            for each in model.free_RVs
        }  # fmt: skip
        values = {model.rvs_to_values[each].name: value for each, value in transformed.items()}
        return float(model.compile_logp(mode="FAST_COMPILE")(values))

    place = np.argsort(orders["family"])  # where each family went
    first = density({**data, "family": family}, point)
    second = density({**moved(data), "family": place[family[orders["run"]]]}, moved(point))
    assert first == pytest.approx(second)


# What is integrated out


def covariance(x, family, variance, gain, turn):
    same = (family[:, None] == family).astype(float)
    return np.diag(variance) + same * (gain + turn * np.outer(x, x))


@pytest.mark.parametrize(("gain", "turn"), [(0.3, 0.0), (0.3, 0.1), (0.0, 0.0)])
def test_density_of_skills_is_that_of_the_joint_normal_less_its_mean(gain, turn):
    rng = np.random.default_rng(1)
    x, family, variance = rng.normal(size=9), np.array([0, 0, 1, 1, 1, 2, 3, 3, 3]), rng.uniform(0.05, 0.2, 9)
    member = (np.arange(4)[:, None] == family).astype(float)

    def density(misfit):
        arrays = [pt.as_tensor(each) for each in (misfit, x, 1 / variance)]
        scales = {"gain": pt.as_tensor(gain), "turn": pt.as_tensor(turn)}
        return float(_log_density(*arrays, member=pt.as_tensor(member), **scales).eval(mode="FAST_COMPILE"))

    def expected(misfit):
        inverse = np.linalg.inv(covariance(x, family, variance, gain, turn))
        weight = inverse.sum()
        mean = (inverse @ misfit).sum() / weight
        return multivariate_normal(np.full(9, mean), np.linalg.inv(inverse)).logpdf(misfit) - np.log(weight) / 2

    first, second = rng.normal(size=9), rng.normal(size=9)
    assert density(first) - density(second) == pytest.approx(expected(first) - expected(second))
    assert density(first + 2.5) == pytest.approx(density(first))
    assert density(first) - expected(first) == pytest.approx(4.5 * np.log(2 * np.pi))


def test_gains_of_families_are_drawn_from_their_normal_distribution():
    rng = np.random.default_rng(2)
    x, family, draws = rng.normal(size=8), np.array([0, 0, 0, 1, 1, 2, 2, 2]), 40_000
    misfit = rng.normal(size=8) * 0.4
    scales = {name: np.full((1, draws), value) for name, value in
              {"residual": 0.3, "gain_scale": 0.5, "turn_scale": 0.4}.items()}  # fmt: skip
    data = {"x": x, "x_sd": np.full(8, 0.05), "family": family}
    skill = np.broadcast_to(x + misfit, (1, draws, 8))
    location, gain, turn = family_draws(SKILL_LAWS["family_slope"], data, skill, scales, 3, random_seed=0)
    wide = covariance(x, family, np.full(8, 0.3**2 + 0.05**2), 0.25, 0.16) + 1e6  # a flat prior of the mean
    inverse = np.linalg.inv(wide)
    same = family == np.arange(3)[:, None]
    assert location.mean() == pytest.approx(1e6 * (inverse @ misfit).sum(), abs=0.01)
    for found, prior in ((gain, 0.25 * same), (turn, 0.16 * same * x)):
        spread = {0.25: 0.25, 0.16: 0.16}[0.25 if found is gain else 0.16] - np.einsum(
            "fi,ij,fj->f", prior, inverse, prior
        )
        assert found[0].mean(axis=0) == pytest.approx(prior @ inverse @ misfit, abs=0.015)
        assert found[0].var(axis=0) == pytest.approx(spread, rel=0.03)


def test_gains_that_go_with_compute_are_drawn_around_where_compute_puts_them():
    """As much as a law without publication gives of skills from which that part was taken away."""
    rng = np.random.default_rng(3)
    family = np.array([0, 0, 1, 1, 2, 2])
    data = {"x": rng.normal(size=6), "x_sd": np.full(6, 0.05), "family": family, "family_x": family - 1.0}
    scales = {name: np.full((1, 500), value) for name, value in
              {"residual": 0.3, "gain_scale": 0.5, "turn_scale": 0.0, "publication": 0.8}.items()}  # fmt: skip
    skill = np.broadcast_to(data["x"] + rng.normal(size=6), (1, 500, 6))
    law = with_publication("family")
    found = family_draws(law, data, skill, scales, 3, random_seed=0)
    plain = family_draws(SKILL_LAWS["family"], data, skill - 0.4 * data["family_x"], scales, 3, random_seed=0)
    assert found[0] == pytest.approx(plain[0])
    assert found[1] == pytest.approx(plain[1] + 0.4 * np.array([-1.0, 0.0, 1.0]))


def test_where_gains_go_with_compute_a_new_family_gains_from_compute_twice():
    plain, law = made_skill_fit(), made_skill_fit(with_publication("family_benchmark"))
    gained = []
    for each in (plain, law):
        found = forecast_scores(each, flops=[1e21, 1e23], responses=["MMLU"], random_seed=1)
        gained.append(np.diff(np.median(found.scores[:, :, 0], axis=0))[0])
    assert gained[1] > gained[0] + 0.03
    known = [
        forecast_scores(each, family="family-0", flops=1e23, random_seed=1).table["score"] for each in (plain, law)
    ]
    assert known[0].to_numpy() == pytest.approx(known[1].to_numpy(), abs=0.03)
    with pytest.raises(InputError, match="no gains of families"):
        with_publication("compute")


def test_a_law_without_families_has_no_gains():
    fitted = made_skill_fit("compute")
    assert not fitted.flat("gain").any()
    assert not fitted.flat("level").any()
    assert family_table(fitted)["multiplier"].eq(1).all()


# What follows


def test_multipliers_are_over_the_average_family(fitted):
    gains = made_scores()[1]
    average = np.mean([*gains.values()])
    found = family_table(fitted).set_index("family")
    for name, gain in gains.items():
        assert found.loc[name, "multiplier_lower"] < 10 ** (gain - average) < found.loc[name, "multiplier_upper"]
    assert found["multiplier"].is_monotonic_decreasing
    logs = np.log10(found["multiplier"])
    assert logs.mean() == pytest.approx(0, abs=0.02)


def test_a_forecast_rises_with_compute_and_widens_for_a_new_family(fitted):
    known = forecast_scores(fitted, family="family-0", flops=[1e22, 1e24], random_seed=1)
    new = forecast_scores(fitted, flops=[1e22, 1e24], random_seed=1)
    for j in range(len(known.responses)):
        assert known.interval(1, j).median > known.interval(0, j).median
        assert (
            new.interval(0, j).upper - new.interval(0, j).lower
            > known.interval(0, j).upper - known.interval(0, j).lower
        )
    assert "a new family" in new.notes[0]
    assert known.scores.min() >= 0
    assert known.scores.max() <= 1


def test_the_compute_of_a_threshold_gives_its_probability(fitted):
    found = forecast_scores(fitted, family="family-1", flops=1e22, threshold=0.6, random_seed=2)
    for chance in (0.5, 0.9):
        for j, response in enumerate(found.responses):
            needed = found.needed.loc[response, chance]
            again = forecast_scores(fitted, family="family-1", flops=needed, threshold=0.6, random_seed=2)
            assert again.passes(0, j) == pytest.approx(chance, abs=0.03)
    assert (found.needed[0.9] > found.needed[0.5]).all()


def test_a_threshold_that_is_never_passed_needs_no_compute(fitted):
    found = forecast_scores(fitted, family="family-1", flops=1e22, responses=["MMLU"], threshold=1 - 1e-9)
    assert found.needed.isna().all(axis=None)
    assert found.passes(0, 0) < 0.05


def test_a_model_of_the_table_is_forecast_by_its_own_skill(fitted):
    run = fitted.table.models["run"].iloc[5]
    found = forecast_scores(fitted, run=run)
    family = forecast_scores(fitted, family=found.family, flops=found.flops)
    widths = [each.interval(0, 0).upper - each.interval(0, 0).lower for each in (found, family)]
    assert widths[0] < widths[1]


def test_equivalent_compute_of_a_models_own_family_is_near_its_compute(fitted):
    found = equivalent_compute(fitted, "family-3")
    own = found[found["family"] == "family-3"]
    assert np.log10(own["equivalent"]).to_numpy() == pytest.approx(np.log10(own["C"]).to_numpy(), abs=0.3)
    assert (found["equivalent_lower"] < found["equivalent_upper"]).all()


def test_what_is_not_there_is_refused(fitted):
    for options, expected in (
        ({"family": "GPT"}, "there is no family 'GPT'"),
        ({"responses": ["ARC"]}, "there is no response ARC"),
        ({"run": "nobody"}, "there is no model 'nobody'"),
        ({"threshold": 50}, "between 0 and 1"),
    ):
        with pytest.raises(InputError, match=expected):
            forecast_scores(fitted, flops=1e22, **options)
    with pytest.raises(InputError, match="there is no family 'GPT'"):
        equivalent_compute(fitted, "GPT")


def test_the_next_score_to_measure_is_the_one_that_moves_with_the_forecast():
    fitted = made_skill_fit(missing=[("model-01", "MMLU"), ("model-17", "MMLU"), ("model-17", "GSM8K")])
    family = fitted.table.models.set_index("run").loc["model-17", "family"]
    posterior = fitted.posterior.copy(deep=True)
    unknown = 0.3 * np.random.default_rng(0).standard_normal((4, 60))  # of model 17 and so of its family
    posterior["skill"].loc[{"run": "model-17"}] += unknown
    posterior["gain"].loc[{"family": family}] += unknown
    found = next_scores(dataclasses.replace(fitted, posterior=posterior), "MMLU", flops=1e23, family=family)
    assert found["run"].tolist() == ["model-17", "model-17", "model-01"]
    assert found["reduction"].iloc[1] > 0.3 > 10 * found["reduction"].iloc[2]
    with pytest.raises(InputError, match="there is no response"):
        next_scores(fitted, "ARC", flops=1e23)


# Laws and folds


def test_a_prior_of_ones_own_replaces_the_laws():
    law = skill_law("family", {"gain_scale": "HalfNormal(0.1)"})
    assert str(law.priors["gain_scale"]) == "HalfNormal(sigma=0.1)"
    with pytest.raises(InputError, match="no parameter level_scale"):
        skill_law("family", {"level_scale": "HalfNormal(1)"})
    with pytest.raises(InputError, match="the laws are compute, separate"):
        skill_law("chinchilla")


def test_a_prior_of_one_law_goes_to_it_alone():
    priors = {"gain_scale": "HalfNormal(0.1)", "family.gain_scale": "HalfNormal(0.2)"}
    found = {name: str(skill_law(name, priors).priors["gain_scale"]) for name in ("family", "family_slope")}
    assert found == {"family": "HalfNormal(sigma=0.2)", "family_slope": "HalfNormal(sigma=0.1)"}
    with pytest.raises(InputError, match="no law of skill 'chinchilla'"):
        skill_law("family", {"chinchilla.gain_scale": "HalfNormal(0.2)"})


def test_a_second_skill_widens_the_forecasts_of_its_responses_alone():
    law = with_second_skill("family_benchmark", ["MMLU", "GSM8K", "TruthfulQA"])
    plain, second = (
        forecast_scores(each, family="family-0", flops=1e23) for each in (made_skill_fit(), made_skill_fit(law))
    )
    wider = {
        name: (second.scores[:, 0, j].std() / plain.scores[:, 0, j].std()) for j, name in enumerate(plain.responses)
    }
    assert wider["HellaSwag"] == pytest.approx(1, abs=0.1)
    assert min(wider["MMLU"], wider["TruthfulQA"]) > 1.02


def test_a_second_skill_needs_three_responses_that_are_there():
    with pytest.raises(InputError, match="expected at least 3 responses"):
        with_second_skill("family_benchmark", ["MMLU", "GSM8K"])
    law = with_second_skill("family_benchmark", ["MMLU", "GSM8K", "Coding"])
    with pytest.raises(InputError, match="second skill of Coding, which is no response here"):
        made_skill_fit(law)


@pytest.mark.parametrize("by", ["model", "family", "cell"])
def test_folds_hold_out_each_score_once(table, by):
    folds = score_folds(table, by, folds=None, cutoff=None, target=None, random_seed=0)
    assert sum(fold.held.astype(int) for fold in folds).max() == 1
    assert sum(fold.held for fold in folds).sum() == np.isfinite(table.scores).sum()
    for fold in folds:
        rows = fold.held[table.family_of == 0] if by == "family" else fold.held
        assert by == "cell" or (rows.all(axis=1) | ~rows.any(axis=1)).all()


def test_largest_and_response_hold_out_models_above_the_cutoff(table):
    compute = table.models["C"].to_numpy()
    (largest,) = score_folds(table, "largest", folds=None, cutoff=3e22, target=None, random_seed=0)
    assert (largest.held.any(axis=1) == (compute > 3e22)).all()
    (one,) = score_folds(table, "response", folds=None, cutoff="3e22", target="MMLU", random_seed=0)
    assert one.held.sum() == (compute > 3e22).sum()
    assert set(np.flatnonzero(one.held.any(axis=0))) == {table.names.index("MMLU")}


def test_dates_divide_a_table_and_are_needed_for_it(table):
    with pytest.raises(InputError, match="give a column date"):
        score_folds(table, "date", folds=None, cutoff=None, target=None, random_seed=0)
    frame = made_scores()[0]
    frame["date"] = [f"2024-{1 + i % 12:02d}-01" for i in range(len(frame))]
    dated = read_scores(frame)
    (fold,) = score_folds(dated, "date", folds=None, cutoff="2024-10-01", target=None, random_seed=0)
    assert (fold.held.any(axis=1) == (dated.models["date"] >= "2024-10-01")).all()


def test_models_without_a_date_are_neither_fitted_nor_forecast_by_date():
    frame = made_scores()[0]
    frame["date"] = [f"2024-{1 + i % 12:02d}-01" if i % 4 else None for i in range(len(frame))]
    table = read_scores(frame)
    kept = table_by(table, "date")
    assert list(kept.models["run"]) == [run for i, run in enumerate(table.models["run"]) if i % 4]
    assert kept.scores.shape == (24, 4)
    assert "8 models have no date" in kept.notes[-1]
    assert table_by(table, "model") is table


@pytest.mark.usefixtures("own_cache")
def test_planned_refits_count_folds_of_each_law(table):
    assert planned_refits(table, ["compute", "family"], by="model") == {"compute": (5, 0), "family": (5, 0)}


def test_laws_are_compared_on_scores_that_they_did_not_see(monkeypatch, table):
    """Whatever a law is called; each fold is forecast by a fit that has seen nothing of it."""
    seen = []

    def without_sampling(law, scores, mask, settings, **options):
        del settings, options
        seen.append(mask)
        return dataclasses.replace(made_skill_fit(law), table=scores)

    monkeypatch.setattr("bayescale.skills.comparison.sample_fit", without_sampling)
    found = compare_skills(table, ["compute", "family"], folds=2, cache=False)
    assert [*found.pointwise.index.names] == ["run", "family"]
    assert set(found.pointwise.columns) == {"compute", "family"}
    assert len(found.pointwise) == len(table.models)
    assert (sum(~mask for mask in seen) == 2).all()  # each score left out once for each law
    row = found.table.set_index("law").loc["family"]
    own = found.cells[found.cells["law"] == "family"]
    assert row["elpd"] == pytest.approx(found.pointwise["family"].sum())
    assert row["coverage_90"] == ((own["lower"] <= own["score"]) & (own["score"] <= own["upper"])).mean()
    assert found.table["elpd_diff"].iloc[0] == 0
    assert judge_skills(found, made_skill_fit()).family_law == "family"


# The verdict


@pytest.mark.parametrize(
    ("better", "answer"), [(3.0, "family_matters"), (-3.0, "compute_suffices"), (0.0, "cannot_tell")]
)
def test_verdict_follows_the_scores_left_out(fitted, better, answer):
    verdict = judge_skills(comparison_of(fitted.table, better), fitted)
    difference = verdict.elpd_diff / verdict.dse
    assert verdict.answer == answer
    assert verdict.probability == pytest.approx(norm.cdf(difference), abs=0.08)
    assert 10**0.4 < verdict.effect.median < 10**0.6


def test_few_families_cannot_tell():
    frame = made_scores(families=4)[0]
    fitted = made_skill_fit()
    verdict = judge_skills(comparison_of(read_scores(frame), 3.0), fitted)
    assert verdict.answer == "cannot_tell"
    assert "4 families" in verdict.reasons[0]


def test_a_verdict_needs_a_law_of_compute_alone(fitted):
    comparison = comparison_of(fitted.table, 1.0)
    only = comparison.table[comparison.table["law"] != "compute"]
    with pytest.raises(InputError, match="needs the law compute"):
        judge_skills(SkillComparison(only, comparison.pointwise, pd.DataFrame(), "model", fitted.table, (), ()), fitted)


# Sampling


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_a_fit_recovers_gains_passes_its_gate_and_is_kept():
    frame, gains = made_scores(families=10, models=4, seed=3)
    table = read_scores(frame, name="made")
    fitted = fit_skills(table, random_seed=1)
    assert fitted.diagnostics.passed, fitted.diagnostics.failures
    found = family_table(fitted).set_index("family")
    logs = {name: gain - np.mean([*gains.values()]) for name, gain in gains.items()}
    inside = [found.loc[n, "multiplier_lower"] < 10**g < found.loc[n, "multiplier_upper"] for n, g in logs.items()]
    assert np.mean(inside) >= 0.7
    loading = dict(zip(table.names, fitted.flat("loading").mean(axis=0), strict=True))
    assert all(0.6 < loading[name] / LOADINGS[name] < 1.6 for name in LOADINGS)
    again = fit_skills(table, random_seed=1)
    assert again == fitted
    comparison = compare_skills(table, ["compute", "family"], folds=2, random_seed=1)
    assert comparison.table["law"].iloc[0] == "family"
    assert comparison.cells.groupby("law").size().eq(np.isfinite(table.scores).sum()).all()
    assert judge_skills(comparison, fitted).answer == "family_matters"
    assert fitted.settings == Settings(1000, 700, 4, 1)
