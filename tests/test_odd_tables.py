"""Small nasty tables, as people hand them over: what is read is right, and what may be read in two ways is refused."""

import json
import math
import re

import numpy as np
import pytest

import bayescale as bs
from bayescale.errors import InputError
from bayescale.runs import read_runs

N = np.array([5e7, 1e8, 2e8, 4e8, 8e8, 1.6e9])
D = np.array([2e9, 3e9, 5e9, 9e9, 1.2e10, 4e10])
LOSS = np.array([3.6, 3.4, 3.15, 2.95, 2.8, 2.6])


def german(value, digits=2):
    return f"{value:,.{digits}f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def written(tmp_path, header, row, separator=","):
    lines = [separator.join(map(str, row(*values))) for values in zip(N, D, LOSS, strict=True)]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


READ = {
    "decimal commas": (
        "Parameter (Mio.);Token (Mrd.);Verlust",
        lambda n, d, y: map(german, (n / 1e6, d / 1e9, y)),
        ";",
    ),
    "points between thousands": ("N;D;loss", lambda n, d, y: (german(n, 0), german(d, 0), german(y)), ";"),
    "decimal commas in quotes": ("N,D,loss", lambda n, d, y: (f"{n:.0f}", f"{d:.0f}", f'"{german(y)}"'), ","),
    "thousands of millions in Spanish": (
        "parámetros (millones);tokens (miles de millones);pérdida",
        lambda n, d, y: map(german, (n / 1e6, d / 1e9, y)),
        ";",
    ),
    "Portuguese": (
        "parâmetros (milhões),tokens (bilhões),perda",
        lambda n, d, y: (n / 1e6, d / 1e9, y),
        ",",
    ),
    "Russian units": ("params (млн),tokens (млрд),loss", lambda n, d, y: (n / 1e6, d / 1e9, y), ","),
    "crores": ("params (crore),tokens (lakh),loss", lambda n, d, y: (n / 1e7, d / 1e5, y), ","),
    "hundreds of millions": ("params (億),tokens (万),loss", lambda n, d, y: (n / 1e8, d / 1e4, y), ","),
    "a German trillion": ("Parameter (Mio),Token (Billionen),Verlust", lambda n, d, y: (n / 1e6, d / 1e12, y), ","),
    "a line for Excel": ("sep=;\nN;D;loss", lambda n, d, y: (n, d, y), ";"),
    "tabs": ("params\ttokens\tloss", lambda n, d, y: (n, d, y), "\t"),
    "bars": ("params|tokens|loss", lambda n, d, y: (n, d, y), "|"),
    "Markdown": ("| params | tokens | loss |\n|---:|:---|---|", lambda n, d, y: ("", n, d, y, ""), " | "),
    "a comment above": ("# sweep of spring\nparams,tokens,loss", lambda n, d, y: (n, d, y), ","),
    "commas between thousands": ("N,D,loss", lambda n, d, y: (f'"{n:,.0f}"', f'"{d:,.0f}"', y), ","),
    "thousands and millions": ("Params (K),Tokens (M),loss", lambda n, d, y: (n / 1e3, d / 1e6, y), ","),
    "letters in cells and header": ("Params (M),D,loss", lambda n, d, y: (f"{n / 1e6:.0f}M", d, y), ","),
    "an empty last column": ("N,D,loss,", lambda n, d, y: (n, d, y, ""), ","),
    "perp": ("N,D,val perp", lambda n, d, y: (n, d, math.exp(y)), ","),
    "log10 of the perplexity": ("N,D,log10 ppl", lambda n, d, y: (n, d, y / math.log(10)), ","),
    "log of the perplexity": ("N,D,log ppl", lambda n, d, y: (n, d, y), ","),
    "the sign of a likelihood": ("N,D,neg_log_likelihood", lambda n, d, y: (n, d, y), ","),
    "a pass's GFLOPs": ("N,D,GFLOPs,loss", lambda n, d, y: (n, d, 2 * n / 1e9, y), ","),
}


@pytest.mark.parametrize("kind", READ)
def test_it_is_read_as_a_person_would(tmp_path, kind):
    header, row, separator = READ[kind]
    runs = read_runs(written(tmp_path, header, row, separator))
    np.testing.assert_allclose(runs.frame["N"], N)
    np.testing.assert_allclose(runs.frame["D"], D)
    np.testing.assert_allclose(runs.frame["C"], 6 * N * D)
    np.testing.assert_allclose(runs.frame["loss"], LOSS)
    assert runs.unit == "nats per token"


UNITS = {
    "word_perplexity": (lambda y: math.exp(1.3 * y), "nats per word", 1.3),
    "byte_perplexity": (lambda y: 2 ** (y / 3), "bits per byte", 1 / 3),
    "bits/subword": (lambda y: y / math.log(2), "bits per token", 1 / math.log(2)),
    "log2 perplexity": (lambda y: y / math.log(2), "bits per token", 1 / math.log(2)),
    "nats/byte": (lambda y: y / 4, "nats per byte", 1 / 4),
    "loss (nats/char)": (lambda y: y / 4, "nats per character", 1 / 4),
    "loss,unit": (lambda y: f"{y / 4},nats per byte", "nats per byte", 1 / 4),
    "bits/dim": (lambda y: y, "bits per dimension", 1),
    "bpd": (lambda y: y, "bits per dimension", 1),
    "Validation loss (bits per byte)": (lambda y: y / 3, "bits per byte", 1 / 3),
}


@pytest.mark.parametrize("header", UNITS)
def test_a_response_is_in_the_unit_of_its_own_words(tmp_path, header):
    cell, unit, factor = UNITS[header]
    runs = read_runs(written(tmp_path, f"N,D,{header}", lambda n, d, y: (n, d, cell(y))))
    assert runs.unit == unit
    np.testing.assert_allclose(runs.frame["loss"], factor * LOSS)


ERRORS = {
    "Top-1 error (%)": ("error=Top-1 error (%)", lambda y: 10 * y, LOSS / 10),
    "imagenet_error": ("error=imagenet_error", lambda y: y / 10, LOSS / 10),
    "wer": ("error=wer * 0.01", lambda y: 10 * y, LOSS / 10),
    "error (%)": ("error=error (%) * 0.01", lambda y: 10 * y, LOSS / 10),
    "1-accuracy": ("error=1-accuracy", lambda y: y / 10, LOSS / 10),
    "pass@1": ("error=pass@1", lambda y: 1 - y / 5, LOSS / 5),
    "accuracy (%)": ("error=accuracy (%)", lambda y: 100 - 20 * y, LOSS / 5),
    "acc": ("error=acc", lambda y: 100 - 20 * y, LOSS / 5),
    "win_rate": ("error=win_rate", lambda y: 1 - y / 5, LOSS / 5),
}


@pytest.mark.parametrize("header", ERRORS)
def test_a_part_that_is_right_or_wrong_is_the_part_that_is_wrong(tmp_path, header):
    column, cell, expected = ERRORS[header]
    name, _, product = column.partition("=")
    path = written(tmp_path, f"N,D,{header}", lambda n, d, y: (n, d, cell(y)))
    runs = read_runs(path, columns={name: product})
    assert (runs.response, runs.unit) == ("error", "fraction wrong")
    np.testing.assert_allclose(runs.frame["error"], expected)


REFUSED = {
    "a decimal comma or thousands": ("N;D;loss", lambda n, d, y: (n, d, f"{y:.3f}".replace(".", ",")), "2,13 as 2.13"),
    "thousands beside decimal commas": (
        "N;Tokens (M);loss",
        lambda n, d, y: (int(n), f"{d / 1e6:,.0f}", german(y)),
        r"D \('Tokens \(M\)'\) is '2,000' .* a comma may be a decimal point here",
    ),
    "apostrophes": ("N,D,loss", lambda n, d, y: (f"{n:,.0f}".replace(",", "'"), d, y), "write a count such as 7e9"),
    "a line of units": ("N,D,loss\n(M),(B),(nats)", lambda n, d, y: (n, d, y), r"N is '\(M\)' on line 2"),
    "a unit in each cell": ("N,D,loss", lambda n, d, y: (n, d, f"{y} nats"), "write a plain number such as 2.13"),
    "an error in each cell": ("N,D,loss", lambda n, d, y: (n, d, f"{y} ± 0.01"), "write a plain number such as 2.13"),
    "about": ("N,D,loss", lambda n, d, y: (f"~{n:.0f}", d, y), "write a count such as 7e9"),
    "percent signs": ("N,D,error", lambda n, d, y: (n, d, f"{10 * y:.1f}%"), r"write the part, such as 0\.231"),
    "logarithms under a plain header": (
        "params,D,loss",
        lambda n, d, y: (math.log10(n), d, y),
        r"where they are logarithms: write the counts themselves, 10 \*\* value",
    ),
    "logarithms by the header": (
        "log10_params,D,loss",
        lambda n, d, y: (math.log10(n), d, y),
        "'log10_params' holds logarithms",
    ),
    "logarithms of compute": (
        "N,D,C,loss",
        lambda n, d, y: (n, d, math.log10(6 * n * d), y),
        r"looks like its decimal logarithm",
    ),
    "a sum over a sequence": ("N,D,loss", lambda n, d, y: (n, d, 2048 * y), "may be a sum over a sequence or a batch"),
    "negative": ("N,D,loss", lambda n, d, y: (n, d, -y), r"--map 'loss=loss \* -1'"),
    "tokens of a step": (
        "N,steps,tokens_per_step,loss",
        lambda n, d, y: (n, d / 5e5, 500000, y),
        r"--map 'D=steps\*tokens_per_step'",
    ),
    "tokens of a parameter": (
        "params,tokens_per_param,loss",
        lambda n, d, y: (n, d / n, y),
        r"--map 'D=tokens_per_param\*params'",
    ),
    "compute of a token": ("N,D,FLOPs,loss", lambda n, d, y: (n, d, 6 * n, y), "take C out with"),
    "a loss of bytes": ("N,D,loss per byte", lambda n, d, y: (n, d, y / 4), "is per byte, in nats or in bits"),
    "sequences": ("N,samples,seq_len,loss", lambda n, d, y: (n, d / 2048, 2048, y), r"--map 'D=samples\*seq_len'"),
    "epochs": (
        "N,unique_tokens,epochs,loss",
        lambda n, d, y: (n, d / 2, 2, y),
        r"no column D .*; compute it with .*--map 'D=unique_tokens\*epochs'",
    ),
    "one header twice": ("N,D,loss,loss", lambda n, d, y: (n, d, y, y + 1), "more than one column is called 'loss'"),
    "two held-out texts": (
        "N,D,c4_loss,pile_loss",
        lambda n, d, y: (n, d, y, y / 2),
        "'c4_loss', 'pile_loss' can each be loss",
    ),
    "a loss beside bits of held-out bytes": (
        "N,D,loss,val/bpb",
        lambda n, d, y: (n, d, y, y / 4),
        "'loss', 'val/bpb' can each be loss",
    ),
    "a rating": ("N,D,elo", lambda n, d, y: (n, d, 1400 - 100 * y), "of Elo the part of games lost"),
    "a ratio of signal": (
        "N,D,psnr",
        lambda n, d, y: (n, d, 40 - y),
        r"of PSNR the mean squared error, 10 \*\* \(-PSNR / 10\)",
    ),
    "a mean below the runs": (
        "name,N,D,loss\nmean,520000000,11000000000,3.08",
        lambda n, d, y: (f"r{n:.0f}", n, d, y),
        "'mean' .* is a summary of the others",
    ),
}


OBJECTS = {
    "a list under a name": lambda rows: {"sweep": "spring", "runs": rows},
    "columns": lambda rows: {name: [row[name] for row in rows] for name in rows[0]},
    "runs by name": lambda rows: {f"r{number}": row for number, row in enumerate(rows)},
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_that_holds_the_runs_is_read(tmp_path, kind):
    rows = [{"params": n, "tokens": d, "loss": y} for n, d, y in zip(N, D, LOSS, strict=True)]
    path = tmp_path / "runs.json"
    path.write_text(json.dumps(OBJECTS[kind](rows)))
    runs = read_runs(path)
    np.testing.assert_allclose(runs.frame[["N", "D", "loss"]], np.transpose([N, D, LOSS]))
    assert kind != "runs by name" or runs.frame["run"].tolist() == [f"r{number}" for number in range(6)]


@pytest.mark.parametrize("content", ['{"a": 1}', '{"a": [1, 2], "b": [1]}', "{}", "[]", '{"a": {}}', "3"])
def test_an_object_that_holds_no_runs_is_refused_with_the_form_to_write(tmp_path, content):
    path = tmp_path / "runs.json"
    path.write_text(content)
    with pytest.raises(InputError):
        read_runs(path)


def test_bits_of_something_unknown_are_asked_for(tmp_path):
    path = written(tmp_path, "N,D,bits per glyph", lambda n, d, y: (n, d, y))
    with pytest.raises(InputError, match="it is not known what 'bits per glyph' is per; say it with unit="):
        read_runs(path, columns={"loss": "bits per glyph"})
    assert read_runs(path, columns={"loss": "bits per glyph"}, unit="bits per glyph").frame["loss"].tolist() == [*LOSS]


def test_a_response_that_is_not_there_is_named_by_the_remedy(tmp_path):
    path = written(tmp_path, "N,D,WER (%)", lambda n, d, y: (n, d, 10 * y))
    with pytest.raises(InputError, match=r"--map 'error=WER \(%\)'"):
        read_runs(path, response="error")
    runs = read_runs(path, columns={"error": "WER (%)"}, response="error")
    np.testing.assert_allclose(runs.frame["error"], LOSS / 10)


def test_columns_that_nobody_asked_for_may_be_called_twice(tmp_path):
    path = written(tmp_path, "N,D,loss,d_model,hidden_size", lambda n, d, y: (n, d, y, 512, 512))
    runs = read_runs(path)
    assert "columns 'd_model', 'hidden_size' can each be width, so none is" in runs.notes[0]
    with pytest.raises(InputError, match=r"can each be width; choose one with .*--map width=d_model"):
        read_runs(path, needs=["N", "D", "width"])


def test_thousands_of_steps_by_a_letter_are_steps(tmp_path):
    path = written(tmp_path, "N,kSteps,batch (seqs),ctx,loss", lambda n, d, y: (n, d / 512e3 / 2048, 512, 2048, y))
    with pytest.raises(InputError, match=r"--map 'D=kSteps\*batch \(seqs\)\*ctx'"):
        read_runs(path)
    np.testing.assert_allclose(read_runs(path, columns={"D": "kSteps*batch (seqs)*ctx"}).frame["D"], D)


def test_a_product_that_is_alike_in_every_row_is_no_remedy_beside_one_that_varies(tmp_path):
    path = written(tmp_path, "N,C,steps,batch_tokens,loss", lambda n, d, y: (n, 6 * n * d * 1.01, 2000, 4000000, y))
    with pytest.raises(InputError) as caught:
        read_runs(path)
    assert "D=C/6N" in str(caught.value)
    assert "steps*batch_tokens" not in str(caught.value)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_may_be_read_in_two_ways_is_refused_with_what_to_do(tmp_path, kind):
    header, row, words = REFUSED[kind]
    with pytest.raises(InputError, match=words):
        read_runs(written(tmp_path, header, row, ";" if ";" in header else ","))


def test_steps_in_thousands_times_a_batch_in_millions_are_tokens(tmp_path):
    path = written(tmp_path, "N,steps (K),Batch (M tokens),loss", lambda n, d, y: (n, d / 5e8, 0.5, y))
    with pytest.raises(InputError, match=r"--map 'D=steps \(K\)\*Batch \(M tokens\)'"):
        read_runs(path)
    runs = read_runs(path, columns={"D": "steps (K)*Batch (M tokens)"})
    np.testing.assert_allclose(runs.frame["D"], D)


def test_what_is_offered_for_tokens_is_what_they_are(tmp_path):
    path = written(tmp_path, "params,tokens_per_param,loss", lambda n, d, y: (n, d / n, y))
    np.testing.assert_allclose(read_runs(path, columns={"D": "tokens_per_param*params"}).frame["D"], D)
    path = written(tmp_path, "N,D,log_likelihood", lambda n, d, y: (n, d, -y))
    np.testing.assert_allclose(read_runs(path, columns={"loss": "log_likelihood * -1"}).frame["loss"], LOSS)


PAGE = "Start Time,Duration,Run ID,Name,Source Type,Source Name,User,Status,lr,n_params,tokens,train_loss,val_loss"
SEARCHED = "run_id,status,params.n_params,params.tokens,metrics.train_loss,metrics.val_loss,tags.mlflow.runName"


def test_the_table_of_mlflows_page_is_imported(tmp_path):
    rows = [
        f"2026-01-0{i},3.1h,id{i},run-{i},LOCAL,train.py,me,{'FAILED' if i == 4 else 'FINISHED'},"
        f"1e-3,{n},{d},{y + 0.1},{y}"
        for i, (n, d, y) in enumerate(zip(N, D, LOSS, strict=True))
    ]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([PAGE, *rows]), encoding="utf-8")
    runs = bs.import_runs(path)
    assert list(runs.frame["run"]) == [f"run-{i}" for i in range(6)]
    np.testing.assert_allclose(runs.frame["loss"], LOSS)
    assert list(runs.frame["finished"]) == [1, 1, 1, 1, 0, 1]
    assert "UNFINISHED: 'run-4': MLflow says FAILED" in runs.notes
    kept = read_runs(path, drop=["unfinished"])
    assert len(kept.frame) == 5


def test_what_mlflows_search_gives_is_imported_without_the_sections_of_its_keys(tmp_path):
    rows = [
        f"id{i},{'RUNNING' if i == 2 else 'FINISHED'},{n},{d},{y + 0.1},{y},run-{i}"
        for i, (n, d, y) in enumerate(zip(N, D, LOSS, strict=True))
    ]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([SEARCHED, *rows]), encoding="utf-8")
    runs = bs.import_runs(path)
    np.testing.assert_allclose(runs.frame["loss"], LOSS)
    assert {"loss is the last value of 'val_loss'", "UNFINISHED: 'run-2': MLflow says RUNNING"} <= set(runs.notes)
    assert not any(re.search("metrics[.]", note) for note in runs.notes)


def test_a_held_out_loss_without_values_gives_way_to_one_that_has_some():
    runs = read_runs({"N": N, "D": D, "val_loss": [math.nan] * 6, "train_loss": LOSS})
    np.testing.assert_allclose(runs.frame["loss"], LOSS)
    assert "column 'val_loss' has no values and is left out" in runs.notes
    assert any(note.startswith("loss is the training loss 'train_loss'") for note in runs.notes)


MAPPED = {
    "N=size (GB)": ("size (GB),D,loss", lambda n, d, y: (2 * n / 1e9, d, y), r"a size in memory; .*size \(GB\) \* 5e8"),
    "C=days": ("N,D,days,loss", lambda n, d, y: (n, d, 3 + y, y), r"is time, not FLOP; .*--map 'C=days \* 3.46e19'"),
    "C=TFLOPs": ("N,D,TFLOPs,loss", lambda n, d, y: (n, d, 400, y), "may be the FLOP of a forward pass or of a second"),
    "C=log10(C)": ("N,D,log10(C),loss", lambda n, d, y: (n, d, math.log10(6 * n * d), y), "holds logarithms"),
    "loss=log_loss": ("N,D,log_loss", lambda n, d, y: (n, d, math.log(y)), "is called the logarithm of a loss"),
    "error=error (%)": ("N,D,error (%)", lambda n, d, y: (n, d, y / 10), "says percent, and its values are at most 1"),
}


@pytest.mark.parametrize("column", MAPPED)
def test_a_header_that_is_mapped_is_refused_where_it_says_that_it_is_something_else(tmp_path, column):
    header, row, words = MAPPED[column]
    name, _, mapped = column.partition("=")
    with pytest.raises(InputError, match=words):
        read_runs(written(tmp_path, header, row), columns={name: mapped})


def test_a_trackers_key_says_its_unit_and_a_remedy_names_the_key(tmp_path):
    cells = zip(N, D, LOSS, strict=True)
    rows = [f"r{i},finished,{n / 1e6},{d / 1e9},{y}" for i, (n, d, y) in enumerate(cells)]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["Name,State,params_m,size of data,val/loss", *rows]), encoding="utf-8")
    with pytest.raises(InputError, match=r"--map 'D=size of data \* 1e9'"):
        bs.import_runs(path, columns={"N": "params_m", "D": "size of data"})
    runs = bs.import_runs(path, columns={"N": "params_m", "D": "size of data * 1e9"})
    np.testing.assert_allclose(runs.frame["N"], N)
    np.testing.assert_allclose(runs.frame["D"], D)
    assert "N is 'params_m' times 1e6, as the header says" in runs.notes
