"""Tables of the kinds that went wrong in the hands of users: each does now what is right."""

import json
import math
import re

import numpy as np
import pytest

import bayescale as bs
from bayescale.errors import InputError
from bayescale.runs import read_runs

MOE = """\
budget,width,tokens,pile macro,status,active_params,total_params
2e18,d384,9.90e+09,3.52,done,3.37e+07,2.1e+08
2e18,d640,4.10e+09,3.41,done,8.13e+07,7.0e+08
2e18,d896,1.64e+09,3.47,done,2.03e+08,1.7e+09
8e18,d384,3.96e+10,3.33,done,3.37e+07,2.1e+08
8e18,d640,1.64e+10,3.19,done,8.13e+07,7.0e+08
8e18,d896,6.57e+09,3.16,done,2.03e+08,1.7e+09
8e18,d1152,3.60e+09,5.95,diverged,3.70e+08,3.1e+09
8e18,d1408,2.40e+09,,running,5.55e+08,4.6e+09
"""
MAP = {"C": "budget", "D": "tokens", "loss": "pile macro", "N": "total_params"}


def table(tmp_path, text, name="runs.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_condition_takes_rows_out_before_their_values_are_checked(tmp_path):
    path = table(tmp_path, MOE)
    with pytest.raises(InputError, match=r"column loss .* is missing .*--drop-unfinished"):
        read_runs(path, columns=MAP)
    runs = read_runs(path, columns=MAP, where="status == 'done'")
    assert len(runs.frame) == 6
    assert runs.name == "runs [status == 'done']"
    assert "6 of 8 rows selected by status == 'done'" in runs.notes
    dropped = read_runs(path, columns=MAP, drop=["unfinished"])
    assert dropped.frame["loss"].tolist() == runs.frame["loss"].tolist()
    assert any(note.startswith("2 of 8 rows dropped as unfinished") for note in dropped.notes)


def test_a_column_that_nobody_asked_for_does_not_stop_a_table(tmp_path):
    runs = read_runs(table(tmp_path, MOE), columns=MAP, where="status == 'done'")
    assert "width" not in runs.frame
    assert any(
        note.startswith("column width is left out, as nothing that was asked for needs it") for note in runs.notes
    )
    with pytest.raises(InputError, match="column width is 'd384'"):
        read_runs(table(tmp_path, MOE), columns={**MAP, "width": "width"}, where="status == 'done'")


def test_several_ways_to_count_parameters_are_told(tmp_path):
    runs = read_runs(table(tmp_path, MOE), columns=MAP, where="status == 'done'")
    assert any("N counts the parameters of 'total_params' (total); there are others" in note for note in runs.notes)
    assert runs.frame["active_N"].iloc[0] == 3.37e7


def test_the_last_checkpoint_of_each_training_run_can_be_kept(tmp_path):
    rows = [
        f"s{size}M,{size}M,{tokens},{3 - size / 900 + 40 / tokens**0.3:.4f}"
        for size in (40, 80, 160, 240, 320, 640)
        for tokens in (10**8, 4 * 10**8, 16 * 10**8 + size * 10**6)
    ]
    path = table(tmp_path, "\n".join(["training_run,params,tokens,loss", *rows]))
    runs = read_runs(path, last_of="training_run")
    assert len(runs.frame) == 6
    assert runs.frame["D"].min() > 1.6e9
    assert "12 of 18 rows dropped: the last of each training_run, by D, is kept" in runs.notes


MILLIONS = "Model,Params (M),Tokens (B),Val loss\n" + "\n".join(
    f"m{i},{n},{d},{loss}"
    for i, (n, d, loss) in enumerate(
        [(41.5, 3.3, 2.41), (77, 3.3, 2.3), (140, 3.3, 2.2), (260, 1.6, 2.2), (410, 0.8, 2.3)]
    )
)


def test_a_header_in_millions_is_one_factor_for_its_column(tmp_path):
    runs = read_runs(table(tmp_path, MILLIONS))
    assert runs.frame["N"].tolist() == pytest.approx([41.5e6, 77e6, 140e6, 260e6, 410e6])
    assert runs.frame["D"].tolist() == pytest.approx([3.3e9, 3.3e9, 3.3e9, 1.6e9, 0.8e9])
    assert "N is 'Params (M)' times 1e6, as the header says" in runs.notes
    again = read_runs(table(tmp_path, MILLIONS), columns={"N": "Params (M) * 1e6", "D": "Tokens (B) * 1e9"})
    assert again.frame["N"].tolist() == runs.frame["N"].tolist()


PERPLEXITY = "model_name,num_params,perplexity,peak_memory_mb\n" + "\n".join(
    f"m{i},{n},{ppl},{700 + n / 1e6}"
    for i, (n, ppl) in enumerate([(120e6, 12.1), (340e6, 9.2), (610e6, 8.1), (1.1e9, 7.2), (1.6e9, 6.6), (210e6, 10.4)])
)


@pytest.mark.parametrize("columns", [None, {"loss": "perplexity"}])
def test_perplexities_below_15_are_perplexities_by_their_header(tmp_path, columns):
    runs = read_runs(table(tmp_path, PERPLEXITY), columns=columns, needs=["N"])
    assert runs.frame["loss"].iloc[0] == pytest.approx(math.log(12.1))
    assert runs.unit == "nats per token"
    assert "the loss is the natural logarithm of the perplexity 'perplexity'" in runs.notes
    slope = np.polyfit(np.log(runs.frame["N"]), np.log(runs.frame["loss"]), 1)[0]
    assert slope == pytest.approx(-0.107, abs=0.005)


COMPUTE = "Config,Type,Loss,±SE,PPL,FLOPs (P),Visual Tokens\n" + "\n".join(
    f"S,{kind},{loss},0.06,{math.exp(loss):.2f},{pflop},{visual}"
    for kind, loss, pflop, visual in [
        ("plain", 4.2, 3.1, 16), ("plain", 3.9, 9.4, 16), ("plain", 3.7, 31.5, 16), ("plain", 3.6, 96.0, 16),
        ("thin", 4.3, 2.0, 1), ("thin", 4.0, 6.0, 1), ("thin", 3.8, 20.0, 1),
    ]
)  # fmt: skip


def test_compute_in_petaflop_is_read_by_its_header(tmp_path):
    runs = read_runs(table(tmp_path, COMPUTE), needs=["C"])
    assert runs.frame["C"].iloc[0] == pytest.approx(3.1e15)
    assert (runs.response, runs.unit) == ("loss", "nats per token")
    assert runs.frame["loss"].iloc[0] == 4.2


def test_compute_without_sizes_is_checked_too(tmp_path):
    path = table(tmp_path, COMPUTE.replace("FLOPs (P)", "flops"))
    with pytest.raises(InputError, match=r"no training takes so few FLOP.*in petaFLOP: .*--map 'C=flops \* 1e15'"):
        read_runs(path, needs=["C"])
    assert read_runs(path, needs=["C"], columns={"C": "flops * 1e15"}).frame["C"].iloc[0] == pytest.approx(3.1e15)


ROWS_OF_DATA = "config_name,seed,n_train,params,train_deviance,test_deviance\n" + "\n".join(
    f"net,{i},{n},{params},{0.23 + 3 / n**0.5:.6f},{0.24 + 3 / n**0.5 + i / 1e5:.6f}"
    for i, (n, params) in enumerate(
        [(20000, 1317), (20000, 110), (45000, 1317), (45000, 110), (90000, 1317), (180000, 110)]
    )
)


def test_small_models_of_rows_pass_where_tokens_are_not_counted(tmp_path):
    runs = read_runs(table(tmp_path, ROWS_OF_DATA), columns={"D": "n_train", "loss": "test_deviance"}, needs=["D"])
    assert runs.frame["N"].min() == 110
    assert any(note.startswith("D counts samples ('n_train'), not tokens") for note in runs.notes)


NESTED = [
    {
        "arch": {"batch": 32, "block": 64},
        "train": {"steps": steps},
        "val_bpc": 2.0 + 40 / steps**0.5 + 3e4 / n,
        "flops": 6 * n * steps * 2048,
        "weight_params": n,
        "total_params": n + 9000,
        "curve": [[1, 2.0], [2, 1.5]],
    }
    for n in (100_000, 200_000, 400_000)
    for steps in (1000, 3000)
]


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.json"])
def test_nested_fields_bits_per_character_and_a_list_of_objects_are_read(tmp_path, name):
    lines = "\n".join(map(json.dumps, NESTED)) if name.endswith("l") else json.dumps(NESTED, indent=1)
    path = table(tmp_path, lines, name)
    with pytest.raises(InputError) as caught:
        read_runs(path)
    assert "'D': 'C/6N'" in str(caught.value)
    assert "(--map 'D=train.steps*arch.batch*arch.block')" in str(caught.value)
    runs = read_runs(path, columns={"D": "train.steps*arch.batch*arch.block"})
    assert (runs.response, runs.unit) == ("bpc", "bits per character")
    assert runs.frame["D"].iloc[0] == 1000 * 32 * 64
    assert "D is computed as train.steps*arch.batch*arch.block" in runs.notes
    by_compute = read_runs(path, columns={"D": "C/6N", "N": "weight_params", "loss": "val_bpc"})
    assert by_compute.frame["D"].tolist() == pytest.approx(runs.frame["D"].tolist())
    assert by_compute.response == "bpc"
    assert read_runs(path, columns={"D": "train.steps * 2048"}).frame["D"].iloc[0] == 2048e3


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Step,run-a - val/loss,run-a - val/loss__MIN,run-a - val/loss__MAX", "a chart of W&B"),
        ("Wall time,Step,Value", "a chart of TensorBoard"),
    ],
)
def test_the_csv_of_a_trackers_chart_is_refused_with_what_to_export(tmp_path, header, words):
    with pytest.raises(InputError, match=words):
        read_runs(table(tmp_path, f"{header}\n" + "1,2,3,4\n" * 6))


EXPORT = "Name,State,depth,num_iterations,total_batch_size,train/loss,train/tok_per_sec,val/bpb\n" + "\n".join(
    f"d{i},finished,{i},{steps},262144,{loss},200000,{bpb}"
    for i, steps, loss, bpb in [
        (8, 2000, 3.2, 0.93), (10, 2900, 3.1, 0.90), (12, 4400, 3.0, 0.87), (14, 6800, 2.9, 0.84), (16, 9900, 2.8, 0.81)
    ]
)  # fmt: skip


def test_a_trackers_held_out_bits_per_byte_come_before_its_training_loss(tmp_path):
    path = table(tmp_path, EXPORT)
    sizes = {f"d{i}": 1e5 * i**3 for i in (8, 10, 12, 14, 16)}
    with pytest.raises(InputError, match=r"--map 'D=num_iterations\*total_batch_size'"):
        bs.import_runs(path, N=sizes)
    flops = ",".join(str(6e5 * i**3 * i * 2e9) for i in (8, 10, 12, 14, 16))
    lines = EXPORT.splitlines()
    costs = "\n".join(
        f"{line},{cost}" for line, cost in zip(lines, ["total_training_flops", *flops.split(",")], strict=True)
    )
    with pytest.raises(InputError, match="--map D=total_training_flops/6N"):
        bs.import_runs(table(tmp_path, costs), N=sizes)
    by_cost = bs.import_runs(table(tmp_path, costs), N=sizes, columns={"D": "total_training_flops/6N"})
    assert by_cost.frame["D"].tolist() == pytest.approx([i * 2e9 for i in (8, 10, 12, 14, 16)])
    runs = bs.import_runs(table(tmp_path, EXPORT), N=sizes, columns={"D": "num_iterations*total_batch_size"})
    assert (runs.response, runs.unit) == ("loss", "bits per byte")
    assert runs.frame["loss"].tolist() == [0.93, 0.90, 0.87, 0.84, 0.81]
    assert runs.frame["D"].iloc[0] == 2000 * 262144


def test_copies_of_runs_under_other_labels_are_refused_unless_a_column_tells_them_apart(tmp_path):
    rows = [f"{1e8 * i},{3e9 * i * i},{3 - i / 10}" for i in range(1, 7)]
    text = "run,N,D,loss\n" + "\n".join(f"r{i},{row}" for i, row in enumerate(rows * 2))
    with pytest.raises(InputError, match=r"12 of 12 rows are the same run as another.*--drop-duplicates"):
        read_runs(table(tmp_path, text))
    assert len(read_runs(table(tmp_path, text), drop=["duplicates"]).frame) == 6
    seeds = "run,seed,N,D,loss\n" + "\n".join(f"r{i},{i // 6},{row}" for i, row in enumerate(rows * 2))
    assert len(read_runs(table(tmp_path, seeds)).frame) == 12


def test_copies_that_differ_in_the_ninth_digit_are_copies(tmp_path):
    rows = [(1e8 * i, 3e9 * i * i, (3 - i / 10) * (1 + 1e-9 * copy)) for copy in range(5) for i in range(1, 7)]
    text = "run,N,D,loss\n" + "\n".join(f"r{i},{n},{d},{y!r}" for i, (n, d, y) in enumerate(rows))
    with pytest.raises(InputError, match=r"30 of 30 rows are the same run as another"):
        read_runs(table(tmp_path, text))


def test_swapped_sizes_and_tokens_are_refused_with_the_remedy(tmp_path):
    text = "run,N,D,loss\n" + "\n".join(f"r{i},{2e11 * i * i},{1e8 * i},{3 - i / 10}" for i in range(1, 7))
    with pytest.raises(InputError, match="where N and D are swapped: --map N=D,D=N"):
        read_runs(table(tmp_path, text))
    assert read_runs(table(tmp_path, text), columns={"N": "D", "D": "N"}).frame["N"].iloc[0] == 1e8


def design(sizes, tokens, header="N,D,loss"):
    rows = [(n, d, 1.5 + 30 / n**0.2 + 9 / (d + 100) ** 0.3) for n in sizes for d in tokens]
    return header + "\n" + "\n".join(f"{n:.6g},{d:.6g},{loss:.6g}" for n, d, loss in rows)


def test_few_tokens_per_parameter_are_judged_by_the_whole_column(tmp_path):
    begins_below = design(np.geomspace(1e5, 1e8, 5), np.geomspace(3e4, 1e8, 5))
    runs = read_runs(table(tmp_path, begins_below))
    assert (runs.frame["D"] / runs.frame["N"]).min() < 1e-3
    (remark,) = [note for note in runs.notes if note.startswith("tokens per parameter are 0.0")]
    assert "check the units of N and D" in remark
    with pytest.raises(InputError, match=r"where D counts no tokens: rename .D. to hours, images or what it counts"):
        read_runs(table(tmp_path, design(np.geomspace(1e8, 1e10, 4), np.geomspace(1e4, 1e6, 4))))


def test_one_row_in_another_unit_than_the_others_is_a_fault(tmp_path):
    rows = [f"{n:.6g},{20 * n if i != 2 else 2e4:.6g},{3 - i / 10}" for i, n in enumerate(np.geomspace(1e7, 1e9, 6))]
    with pytest.raises(InputError, match=r"0\.000317 on line 4, fewer .*in another unit than the others"):
        read_runs(table(tmp_path, "N,D,loss\n" + "\n".join(rows)))


def test_hours_and_images_are_data_where_they_are_named(tmp_path):
    hours = table(tmp_path, design(np.geomspace(1e7, 1e9, 4), (0.5, 10, 100, 960), "params,hours of speech,loss"))
    runs = read_runs(hours, columns={"D": "hours of speech"})
    assert runs.frame["D"].min() == 0.5
    assert any(note.startswith("D counts hours ('hours of speech'), not tokens") for note in runs.notes)
    images = table(tmp_path, design((5.5, 22, 86, 304), (1e9, 4e9), "params,images seen,loss"))
    with pytest.raises(InputError, match=r"in millions: .*--map 'N=params \* 1e6'"):
        read_runs(images, columns={"D": "images seen"})


def test_a_name_mapped_to_a_header_that_is_not_there_is_a_fault_beside_a_column_of_that_name(tmp_path):
    with pytest.raises(InputError, match="takes D from 'hours', which is not there; found "):
        read_runs(table(tmp_path, design((1e8, 1e9), (1e10, 1e11, 1e12))), columns={"D": "hours"})


@pytest.mark.parametrize(
    ("columns", "offered"),
    [
        ({"steps": 1e3, "batch_size": 256, "seq_len": 512}, ["steps*batch_size*seq_len"]),
        ({"steps": 1e3, "total_batch_size": 524288, "seq_len": 2048}, ["steps*total_batch_size"]),
        ({"steps": 1e3, "batch_tokens": 8192, "seq_len": 512}, ["steps*batch_tokens"]),
        ({"steps": 1e3, "batch_size": 64}, ["steps*batch_size*2048"]),
        ({"max_steps": 1e3, "per_device_train_batch_size": 64, "gradient_accumulation_steps": 2}, ["NAME"]),
        ({"logging_steps": 10, "batch_size": 64}, ["NAME"]),
        ({"steps": 1e3, "batch": 64, "block": 128, "n_ctx": 8, "C": 4.8e15}, ["steps*batch*block", "C/6N"]),
    ],
)  # fmt: skip
def test_tokens_are_offered_as_steps_times_what_a_step_reads(columns, offered):
    sizes = np.array([1e8, 2e8, 4e8, 8e8, 16e8])
    made = {name: value * sizes / 1e8 if name == "C" else [value] * 5 for name, value in columns.items()}
    with pytest.raises(InputError, match="no column D") as caught:
        read_runs({"N": sizes, "loss": [3.0, 2.9, 2.8, 2.7, 2.6], **made})
    assert re.findall(r"--map '?D=([^')]+)", str(caught.value)) == offered


def test_a_run_far_above_those_like_it_is_named(tmp_path):
    sizes = [(n, d) for n in (1e8, 2e8, 4e8, 8e8) for d in (2e9, 8e9, 32e9)]
    losses = [1.7 + 400 / n**0.34 + 400 / d**0.28 for n, d in sizes]
    losses[5] = 7.83
    rows = [f"r{i},{n},{d},{loss}" for i, ((n, d), loss) in enumerate(zip(sizes, losses, strict=True))]
    runs = read_runs(table(tmp_path, "run,N,D,loss\n" + "\n".join(rows)))
    (note,) = [note for note in runs.notes if "above runs like it" in note]
    assert note.startswith("the loss for run 'r5' (line 7) is 1")
    assert note.endswith("--where 'run != \"r5\"' takes it out")


def test_an_accuracy_is_read_as_the_part_that_is_wrong(tmp_path):
    text = "run,N,D,accuracy\n" + "\n".join(f"r{i},{1e8 * i},{3e9 * i * i},{20 + 8 * i}" for i in range(1, 7))
    with pytest.raises(InputError, match="--map error=accuracy"):
        read_runs(table(tmp_path, text))
    runs = read_runs(table(tmp_path, text), columns={"loss": "accuracy"})
    assert (runs.response, runs.frame["error"].iloc[0]) == ("error", pytest.approx(0.72))
    with pytest.raises(InputError, match="more of 'psnr' is better"):
        read_runs(table(tmp_path, text.replace("accuracy", "psnr")), columns={"error": "psnr"})
