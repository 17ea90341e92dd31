"""Recipes: every one on copies of the upstream files, compared with tables made from them by other means."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.catalogue import TABLES, catalogue_entry, load_runs, table_names
from bayescale.catalogue.recipes import RECIPES, multipower
from bayescale.laws import LAWS
from bayescale.runs import describe
from bayescale.tradeoffs import MULTI_POWER, multi_power_loss

SHARED = Path(__file__).parents[2] / "shared" / "data"  # copies of public tables; never part of the repository
RAW, TIDY = SHARED / "raw", SHARED / "tidy"
FETCHED = table_names()[len(TABLES) :]

needs_copies = pytest.mark.skipif(
    not RAW.is_dir(), reason="the copies of the upstream files are not beside the checkout"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a function that loads a table from the copies, which it takes for a mirror."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAYESCALE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield lambda name: load_runs(name, mirror=RAW)


def tidy(name, condition=None):
    table = pd.read_csv(TIDY / f"{name}.csv")
    return table.query(condition).reset_index(drop=True) if condition else table


def agree(frame, other, columns, order=None, rtol=1e-7):
    """Assert that two tables hold the same numbers, in one order or when both are sorted."""
    assert len(frame) == len(other)
    left = frame[list(columns)].to_numpy(dtype=float)
    right = other[list(columns.values())].to_numpy(dtype=float)
    if order is not None:
        left, right = (values[np.lexsort(values[:, order].T)] for values in (left, right))
    np.testing.assert_allclose(left, right, rtol=rtol)


BASIC = {"N": "params", "D": "tokens", "C": "flops"}


@needs_copies
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


@needs_copies
def test_the_points_of_the_replication_agree(runs):
    frame = runs("epoch-chinchilla").frame
    agree(frame, tidy("epoch-chinchilla"), BASIC | {"loss": "loss", "excluded_by_authors": "excluded_by_authors"})
    shipped = load_runs("chinchilla").frame
    np.testing.assert_allclose(np.sort(frame["loss"]), np.sort(shipped["loss"]), rtol=2e-4)


@needs_copies
@pytest.mark.parametrize(("name", "phase"), [("gemstones-hot", "hot"), ("gemstones-cooled", "cool_end")])
def test_the_gemstones_agree(name, phase, runs):
    columns = BASIC | {"loss": "loss", "width": "width", "depth": "depth"}
    frame, other = runs(name).frame, tidy("gemstones", f"phase == '{phase}'")
    agree(frame, other, columns, order=[3, 1, 0])
    assert frame["training_run"].nunique() == other["training_run"].nunique()


@needs_copies
def test_losses_on_held_out_text_are_those_of_the_same_models(runs):
    sizes = {*runs("gemstones-hot").frame["N"]}
    for name in ("gemstones-fineweb-edu", "gemstones-dclm"):
        frame = runs(name).frame
        assert {*frame["N"]} == sizes
        assert (frame["D"].min(), frame["D"].max()) == pytest.approx((1e10, 3.5e11), rel=1e-3)


@needs_copies
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


@needs_copies
def test_the_grids_of_learning_rates_agree(runs):
    columns = BASIC | {"loss": "loss", "learning_rate": "learning_rate", "last_loss": "loss_last"}
    agree(runs("steplaw-dense").frame, tidy("steplaw-dense"), columns)
    agree(runs("steplaw-dense-best").frame, tidy("steplaw-dense", "is_grid_best == 1"), columns, order=[3, 0])
    columns |= {"active_N": "active_params", "experts": "experts"}
    agree(runs("steplaw-moe").frame, tidy("steplaw-moe"), columns)
    agree(runs("steplaw-moe-best").frame, tidy("steplaw-moe", "is_grid_best == 1"), columns, order=[3, 0])
    grid = runs("steplaw-dense").frame
    np.testing.assert_allclose(grid["batch"] * grid["steps"], grid["D"], rtol=3e-3)


@needs_copies
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


@needs_copies
def test_the_trajectories_agree(runs):
    table = runs("opt-trajectories")
    agree(table.frame, tidy("opt-trajectories"), BASIC | {"loss": "loss"})
    assert table.frame["training_run"].nunique() == 6
    assert any("6 training runs" in note for note in table.notes)


@needs_copies
def test_the_image_text_models_agree(runs):
    frame = runs("openclip").frame
    columns = {"N": "params", "D": "tokens", "unique_tokens": "unique_tokens", "epochs": "epochs", "error": "loss"}
    agree(frame, tidy("openclip"), columns)


@needs_copies
def test_the_repeated_data_agree_without_the_copied_logs(runs):
    table = runs("datablations-oscar")
    other = tidy("datablations", "dataset == 'OSCAR' and suspect == 0")
    columns = BASIC | {"loss": "loss", "unique_tokens": "unique_tokens", "epochs": "epochs"}
    agree(table.frame, other, columns, order=[3, 0])
    assert any("2 rows left out: two runs with different repetition have the same log" in note for note in table.notes)


@needs_copies
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


@needs_copies
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
    assert "cerebras/btlm-3b-8k-base: 627 T tokens upstream, corrected to 0.627 T" in table.notes


@needs_copies
def test_the_learning_curves_agree_without_repeated_rows(runs):
    other, seen = tidy("alabdulmohsin"), 0
    for name in (name for name in FETCHED if name.startswith("alabdulmohsin")):
        table, (domain, _, task) = runs(name), catalogue_entry(name).variant.partition(" ")
        rows = other[(other["domain"] == domain) & (other["task"] == task)]
        columns = {"D": "tokens", table.response: "loss", "is_train_split": "is_train_split"}
        agree(table.frame, rows, columns, order=[1, 0])
        seen += len(rows)
    assert seen == len(other) == 19_595


@needs_copies
def test_the_mixtures_sum_to_one_and_the_loss_falls_with_size(runs):
    frame = runs("regmix-pile-cc").frame
    shares = frame.filter(like="share_")
    assert shares.shape[1] == 17
    assert shares.sum(axis=1).between(0.99, 1.01).all()
    assert frame["N"].value_counts().to_dict() == {1e6: 768, 6e7: 256, 1e9: 64}
    assert frame.groupby("N")["loss"].mean().is_monotonic_decreasing


@needs_copies
@pytest.mark.parametrize("size", ["25m", "100m", "400m"])
def test_the_rebuilt_schedules_give_every_learning_rate_of_the_files(size, runs):
    frame = runs(f"multipower-{size}").frame
    for run, rows in frame.groupby("training_run"):
        rates = multipower.learning_rates(run.partition(" ")[2])
        np.testing.assert_allclose(rates[rows["steps"].astype(int)], rows["learning_rate"], rtol=1e-12)
    assert frame["training_run"].nunique() == 9
    assert (frame["lr_drop"] >= 0).all()


@needs_copies
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
