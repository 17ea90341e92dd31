"""Recipes: on made-up files of the same form, and on those upstream, compared with tables made by other means."""

import numpy as np
import pandas as pd
import published
import pytest
import upstream

from bayescale.catalogue import TABLES, catalogue_entry, load_runs, table_names
from bayescale.catalogue.recipes import RECIPES, make_table, multipower
from bayescale.catalogue.recipes.llm_skills import GUESSING, as_parts
from bayescale.laws import LAWS
from bayescale.runs import describe
from bayescale.skills.benchmarks import KNOWN
from bayescale.tradeoffs import MULTI_POWER, multi_power_loss, tokens_per_character

FETCHED = table_names()[len(TABLES) :]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a function that loads a table from the files upstream, fetched or copied, which it takes for a mirror."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAYESCALE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield lambda name: load_runs(name, mirror=published.mirror(name))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a function that makes a table from made-up files of the same form as those upstream."""
    folder = tmp_path_factory.mktemp("upstream")
    for source in upstream.SOURCES:
        upstream.write_source(source, folder)

    def make(name):
        entry = catalogue_entry(name)
        facts = {key: entry.record[key] for key in ("response", "unit")}
        files = {file.name: folder / file.key for file in entry.files}
        return make_table(
            entry.recipe, files, entry.variant, name=name, needs=entry.needs, record=entry.record, **facts
        )

    return make


def tidy(name, condition=None):
    table = pd.read_csv(published.tidy(name))
    return table.query(condition).reset_index(drop=True) if condition else table


def agree(frame, other, columns, order=None, rtol=1e-7):
    """Assert that two tables hold the same numbers, in one order or when both are sorted."""
    assert len(frame) == len(other)
    left = frame[list(columns)].to_numpy(dtype=float)
    right = other[list(columns.values())].to_numpy(dtype=float)
    if order is not None:
        left, right = (values[np.lexsort(values[:, order].T)] for values in (left, right))
    np.testing.assert_allclose(left, right, rtol=rtol)


# Made-up files of the same form


@pytest.mark.parametrize("name", FETCHED)
def test_every_recipe_makes_a_table_of_files_with_the_columns_of_those_upstream(name, made):
    entry, table = catalogue_entry(name), made(name)
    assert (table.name, table.response, table.unit) == (name, entry.record["response"], entry.record["unit"])
    assert np.isfinite(table.frame[[*entry.needs, table.response]].to_numpy(dtype=float)).all()
    assert table.frame["run"].is_unique
    assert len(table.frame) >= 6
    assert describe(table).rows == len(table.frame)
    assert {**entry.record, "exclusions": table.record["exclusions"]} == dict(table.record)


SAME = ["epoch-chinchilla", "gemstones-hot", "gemstones-cooled", "opt-trajectories", "steplaw-dense-best"]


@pytest.mark.parametrize("name", SAME)
def test_losses_are_those_of_the_sizes_and_tokens_that_the_file_gives(name, made):
    frame = made(name).frame
    np.testing.assert_allclose(frame["loss"], upstream.loss(frame["N"], frame["D"]), rtol=1e-9)
    assert frame["N"].between(1e8, 2e10).all()
    assert frame["D"].between(1e9, 1e12).all()


def test_the_five_highest_losses_are_marked_as_excluded_by_the_authors(made):
    frame = made("epoch-chinchilla").frame
    marked = frame["excluded_by_authors"] == 1
    assert marked.sum() == 5
    assert frame.loc[marked, "loss"].min() > frame.loc[~marked, "loss"].max()


def test_copied_logs_and_evaluations_before_the_end_are_left_out(made):
    table = made("datablations-c4")
    assert sorted(set(table.frame["epochs"])) == [1, 2]  # those of 4 and 5 epochs have one log
    np.testing.assert_allclose(table.frame["D"], table.frame["unique_tokens"] * table.frame["epochs"])
    assert set(table.frame["N"]) == {2.81e9, 4.2465e9, 8.67e9}
    assert table.notes[0] == "12 rows left out: evaluations before the end of a run, in mid-schedule"
    assert table.notes[1].startswith("6 rows left out: two runs with different repetition have the same log")


def test_the_slip_in_one_count_of_tokens_is_corrected_and_said(made):
    table = made("obsscaling-mmlu")
    assert table.frame.loc[table.frame["run"].str.contains("btlm"), "D"].item() == pytest.approx(6.27e11)
    assert len(table.frame) == upstream.ROWS - 2
    for note in (
        "1 row left out: the number of training tokens is not published",
        "1 row left out: no score on MMLU",
        "cerebras/btlm-3b-8k-base: 627T tokens upstream, corrected to 0.627T",
    ):
        assert note in table.notes
    other = table.frame[~table.frame["run"].str.contains("btlm")]
    np.testing.assert_allclose(other["error"], 1 - np.exp(-0.4 * upstream.loss(other["N"], other["D"])), rtol=1e-9)


def test_the_best_learning_rate_of_each_size_and_data_is_kept(made):
    every, best = made("steplaw-moe").frame, made("steplaw-moe-best").frame
    assert set(every["learning_rate"]) == {1e-2, 1e-3}
    assert set(best["learning_rate"]) == {1e-3}
    assert 2 * len(best) == len(every)
    np.testing.assert_allclose(best["C"], 6 * best["active_N"] * best["D"])


def test_routed_models_are_the_last_evaluations_of_one_router_one_expert_and_one_seed(made):
    frame = made("routed-hash").frame
    assert frame["router"].value_counts().to_dict() == {"Dense": 4, "Hash": 4}
    np.testing.assert_allclose(frame["loss"], upstream.loss(frame["active_N"] * frame["experts"] ** 0.3, 1e11))
    assert "2 rows left out: other routing frequency" in made("routed-s-base").record["exclusions"]


def test_the_last_checkpoint_of_each_vocabulary_is_final_and_tokens_come_from_characters(made):
    frame = made("vocab-scaling").frame
    assert frame["is_final"].sum() == frame["training_run"].nunique() == 4
    assert (frame["gain"] > 0).all()
    np.testing.assert_allclose(frame["D"], frame["characters"] * tokens_per_character(frame["vocabulary"]))


def test_scores_on_imagenet_alone_are_errors_of_image_text_models(made):
    table = made("openclip")
    assert "12 rows left out: scores on other data sets than ImageNet-1k" in table.notes
    np.testing.assert_allclose(table.frame["error"], 0.7 - 0.05 * np.log10(table.frame["D"] / 1e9))
    np.testing.assert_allclose(table.frame["epochs"] * table.frame["unique_tokens"], table.frame["D"])


def test_losses_and_mixtures_go_together_by_their_index(made):
    frame = made("regmix-pile-cc").frame
    shares = frame.filter(like="share_")
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    expected = upstream.loss(frame["N"], 1e9) + 0.5 * (1 - frame["share_pile_cc"])
    np.testing.assert_allclose(frame["loss"], expected)
    assert frame.loc[frame["N"] == 1e9, "D"].eq(25e9).all()


def test_rows_that_stand_twice_count_once(made):
    for name in ("llm-skills-arc", "alabdulmohsin-lm"):
        assert made(name).record["exclusions"].startswith("1 row left out:")
    assert "training_run" not in made("alabdulmohsin-nmt").frame
    assert made("alabdulmohsin-birds-5").response == "error"


def test_scores_over_guessing_are_put_back_to_parts_of_questions_and_the_others_stay():
    scores = pd.DataFrame({"gpqa": [0.04, 0.28], "bbh": [0.10, 0.45], **dict.fromkeys(("ifeval", "math", "musr"), 0.2)})
    parts, (note,) = as_parts(scores.assign(**{"mmlu-pro": [0.0, 0.11]}))
    assert parts["gpqa"].tolist() == pytest.approx([0.28, 0.28])
    assert parts["bbh"].tolist() == pytest.approx([0.361, 0.45])
    assert parts["mmlu-pro"].tolist() == pytest.approx([0.1, 0.11])
    assert parts["ifeval"].tolist() == [0.2, 0.2]
    assert note.startswith("of 1 models the scores are over those of guessing")
    first = pd.DataFrame({"arc": [0.1]})
    assert as_parts(first)[0] is first


def test_chance_of_the_recipe_is_that_of_known_benchmarks():
    assert {name: KNOWN[name.replace("-", "")].chance for name in GUESSING} == GUESSING


# The files upstream

BASIC = {"N": "params", "D": "tokens", "C": "flops"}


@pytest.mark.parametrize("name", FETCHED)
def test_every_recipe_makes_the_catalogued_table(name, runs):
    entry, table = catalogue_entry(name), runs(name)
    assert len(table.frame) == entry.rows
    assert (table.name, table.response, table.unit) == (name, entry.record["response"], entry.record["unit"])
    assert set(entry.needs) <= set(table.frame)
    assert np.isfinite(table.frame[[*entry.needs, table.response]].to_numpy(dtype=float)).all()
    assert {**entry.record, "exclusions": table.record["exclusions"]} == dict(table.record)
    checkpoints = "checkpoint" in entry.record["caveats"].casefold() or "points along" in entry.record["caveats"]
    assert "training_run" in table.frame or not checkpoints
    assert describe(table).rows == entry.rows


def test_the_points_of_the_replication_agree(runs):
    frame = runs("epoch-chinchilla").frame
    agree(frame, tidy("epoch-chinchilla"), BASIC | {"loss": "loss", "excluded_by_authors": "excluded_by_authors"})
    shipped = load_runs("chinchilla").frame
    np.testing.assert_allclose(np.sort(frame["loss"]), np.sort(shipped["loss"]), rtol=2e-4)


@pytest.mark.parametrize(("name", "phase"), [("gemstones-hot", "hot"), ("gemstones-cooled", "cool_end")])
def test_the_gemstones_agree(name, phase, runs):
    columns = BASIC | {"loss": "loss", "width": "width", "depth": "depth"}
    frame, other = runs(name).frame, tidy("gemstones", f"phase == '{phase}'")
    agree(frame, other, columns, order=[3, 1, 0])
    assert frame["training_run"].nunique() == other["training_run"].nunique()


def test_losses_on_held_out_text_are_those_of_the_same_models(runs):
    sizes = {*runs("gemstones-hot").frame["N"]}
    for name in ("gemstones-fineweb-edu", "gemstones-dclm"):
        frame = runs(name).frame
        assert {*frame["N"]} == sizes
        assert (frame["D"].min(), frame["D"].max()) == pytest.approx((1e10, 3.5e11), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "router"), [("routed-s-base", "S-Base"), ("routed-rl-r", "RL-R"), ("routed-hash", "Hash")]
)
def test_the_routed_models_agree(name, router, runs):
    condition = f"family in ('{router}', 'Dense') and routing_frequency == 0.5 and top_k == 1 and seed == 42"
    columns = {"N": "params", "active_N": "active_params", "experts": "experts", "loss": "loss", "steps": "steps"}
    table = runs(name)
    agree(table.frame, tidy("routed-lm", condition), columns, order=[3, 0])
    assert table.compute == "unknown"
    assert {"Dense": 5, router: len(table.frame) - 5} == table.frame["router"].value_counts().to_dict()


def test_the_grids_of_learning_rates_agree(runs):
    columns = BASIC | {"loss": "loss", "learning_rate": "learning_rate", "last_loss": "loss_last"}
    agree(runs("steplaw-dense").frame, tidy("steplaw-dense"), columns)
    agree(runs("steplaw-dense-best").frame, tidy("steplaw-dense", "is_grid_best == 1"), columns, order=[3, 0])
    columns |= {"active_N": "active_params", "experts": "experts"}
    agree(runs("steplaw-moe").frame, tidy("steplaw-moe"), columns)
    agree(runs("steplaw-moe-best").frame, tidy("steplaw-moe", "is_grid_best == 1"), columns, order=[3, 0])
    grid = runs("steplaw-dense").frame
    np.testing.assert_allclose(grid["batch"] * grid["steps"], grid["D"], rtol=3e-3)


def test_the_vocabularies_agree_and_the_gain_is_positive(runs):
    frame = runs("vocab-scaling").frame
    other = tidy("vocab-scaling").assign(gain=lambda table: -table["loss"])
    columns = {"N": "params_non_vocab", "D": "tokens", "C": "flops", "vocabulary": "vocab", "width": "embed_dim"}
    agree(frame, other, columns | {"gain": "gain", "is_final": "is_final"}, order=[5, 3, 0], rtol=1e-6)
    assert (frame["gain"] > 0).all()
    assert frame["is_final"].sum() == frame["training_run"].nunique() == 60
    np.testing.assert_allclose(
        frame["C"], 6 * (frame["N"] + frame["vocabulary"] * frame["width"]) * frame["D"], rtol=1e-9
    )


def test_the_trajectories_agree(runs):
    table = runs("opt-trajectories")
    agree(table.frame, tidy("opt-trajectories"), BASIC | {"loss": "loss"})
    assert table.frame["training_run"].nunique() == 6
    assert any("6 training runs" in note for note in table.notes)


def test_the_image_text_models_agree(runs):
    frame = runs("openclip").frame
    columns = {"N": "params", "D": "tokens", "unique_tokens": "unique_tokens", "epochs": "epochs", "error": "loss"}
    agree(frame, tidy("openclip"), columns)


def test_the_repeated_data_agree_without_the_copied_logs(runs):
    table = runs("datablations-oscar")
    other = tidy("datablations", "dataset == 'OSCAR' and suspect == 0")
    columns = BASIC | {"loss": "loss", "unique_tokens": "unique_tokens", "epochs": "epochs"}
    agree(table.frame, other, columns, order=[3, 0])
    assert any("2 rows left out: two runs with different repetition have the same log" in note for note in table.notes)


def test_the_repeated_data_on_c4_are_near_the_losses_of_the_notebook(runs):
    frame = runs("datablations-c4").frame
    other = tidy("datablations", "dataset == 'C4' and is_seed_replicate == 0")
    gaps = []
    for row in frame.itertuples():
        like = other[(abs(other["params"] / row.N - 1) < 0.01) & (abs(other["tokens"] / row.D - 1) < 0.02)]
        like = like[abs(like["unique_tokens"] / row.unique_tokens - 1) < 0.1]
        gaps += [float((like["loss"] - row.loss).abs().min())] if len(like) else []
    assert len(gaps) > 20
    assert max(gaps) < 0.01


@pytest.mark.parametrize(("name", "column"), [("mmlu", "MMLU"), ("arc-c", "ARC-C"), ("humaneval", "HumanEval")])
def test_the_benchmarks_agree_but_for_the_slip_in_one_count_of_tokens(name, column, runs):
    table = runs(f"obsscaling-{name}")
    other = tidy("obsscaling").dropna(subset=["tokens", column])
    slip = other["run_id"].str.contains("btlm")
    assert slip.sum() == 1
    other = other.assign(error=1 - other[column])
    other.loc[slip, ["tokens", "flops"]] /= 1000
    agree(table.frame, other, BASIC | {"error": "error"})
    assert table.frame.loc[table.frame["run"].str.contains("btlm"), "D"].item() == pytest.approx(6.27e11)
    assert "cerebras/btlm-3b-8k-base: 627T tokens upstream, corrected to 0.627T" in table.notes


def test_the_learning_curves_agree_without_repeated_rows(runs):
    other, seen = tidy("alabdulmohsin"), 0
    for name in (name for name in FETCHED if name.startswith("alabdulmohsin")):
        table, (domain, _, task) = runs(name), catalogue_entry(name).variant.partition(" ")
        rows = other[(other["domain"] == domain) & (other["task"] == task)]
        columns = {"D": "tokens", table.response: "loss", "is_train_split": "is_train_split"}
        agree(table.frame, rows, columns, order=[1, 0])
        seen += len(rows)
    assert seen == len(other) == 19_595


def test_the_mixtures_sum_to_one_and_the_loss_falls_with_size(runs):
    frame = runs("regmix-pile-cc").frame
    shares = frame.filter(like="share_")
    assert shares.shape[1] == 17
    assert shares.sum(axis=1).between(0.99, 1.01).all()
    assert frame["N"].value_counts().to_dict() == {1e6: 768, 6e7: 256, 1e9: 64}
    assert frame.groupby("N")["loss"].mean().is_monotonic_decreasing


@pytest.mark.parametrize("size", ["25m", "100m", "400m"])
def test_the_rebuilt_schedules_give_every_learning_rate_of_the_files(size, runs):
    frame = runs(f"multipower-{size}").frame
    for run, rows in frame.groupby("training_run"):
        rates = multipower.learning_rates(run.partition(" ")[2])
        np.testing.assert_allclose(rates[rows["steps"].astype(int)], rows["learning_rate"], rtol=1e-12)
    assert frame["training_run"].nunique() == 9
    assert (frame["lr_drop"] >= 0).all()


def test_the_pieces_of_the_schedules_give_the_multi_power_law(runs):
    frame = runs("multipower-25m").frame
    values = MULTI_POWER["Luo et al. (2025), 25M"]
    found = LAWS["multi_power"].loss(**frame[list(LAWS["multi_power"].covariates)].to_dict("series"), **values)
    for run, every in frame.groupby("training_run"):
        rates = multipower.learning_rates(run.partition(" ")[2])
        some = every.iloc[::20]
        steps, warmup_sum = some["steps"].astype(int) - multipower.WARMUP, rates[: multipower.WARMUP].sum()
        expected = multi_power_loss(values, rates[multipower.WARMUP :], steps, warmup_sum=warmup_sum)
        np.testing.assert_allclose(found[some.index], expected, atol=3e-4)


def test_the_annealing_area_is_the_double_sum_of_its_definition():
    rates = multipower.learning_rates("wsdcon_9")
    steps = (0, 100, multipower.WARMUP, 7999, 8000, 8003, 12_000)
    areas = multipower.annealing_area(rates)[list(steps)]
    drop = 3e-4 - 9e-5  # one drop, at step 8000, whose momentum fades by 0.999 a step
    expected = [drop * (1 - 0.999 ** max(0, step - 7999)) / 0.001 for step in steps]
    np.testing.assert_allclose(areas, expected, rtol=1e-9, atol=1e-18)


def test_schedules_end_where_their_names_say():
    for schedule in multipower.SCHEDULES:
        rates = multipower.learning_rates(schedule)
        assert (rates[0], rates[multipower.WARMUP]) == (0.0, pytest.approx(3e-4))
    assert multipower.learning_rates("cosine_24000")[-1] == pytest.approx(3e-5)
    assert multipower.learning_rates("wsd_20000_24000")[22_000] == pytest.approx(np.sqrt(3e-4 * 3e-5))
    assert multipower.learning_rates("wsdld_20000_24000")[22_000] == pytest.approx((3e-4 + 3e-5) / 2)


def test_every_recipe_is_used():
    assert {catalogue_entry(name).recipe for name in FETCHED} == set(RECIPES)
