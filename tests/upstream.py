"""Small made-up files with the columns of those upstream, so that every recipe runs where nothing was fetched.

The numbers follow a law with known parameters and are nobody's measurements; the names of columns, models and settings
are upstream's. A few rows are there to be left out or corrected, as in the real files.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.catalogue.fetching import file_hash
from bayescale.catalogue.recipes import multipower
from bayescale.catalogue.recipes.regmix import PARTS

SIZES, TOKENS = np.geomspace(1e8, 3e9, 4), np.geomspace(2e9, 3e11, 3)
N, D = (axis.ravel() for axis in np.meshgrid(SIZES, TOKENS, indexing="ij"))
ROWS = N.size


def loss(size, tokens):
    """Return the loss of the made-up runs, in nats per token."""
    return 1.7 + 400 / size**0.34 + 2000 / tokens**0.37


LOSS = loss(N, D)
ACCURACY = np.exp(-0.4 * LOSS)


def epoch_chinchilla():
    points = pd.DataFrame({"Model Size": N, "Training FLOP": 6 * N * D, "loss": LOSS, "hex_color": "#000000"})
    return {"svg_extracted_data.csv": points}


def datablations():
    """Two runs at 4 epochs have one log, and each run has an evaluation before its end."""
    runs = [
        (data, size, epochs, budget / epochs, budget * part, 3 + 0.1 * epochs * (epochs < 4) + (part < 1) + 0.2 * big)
        for data in ("c4", "oscar")
        for big, (size, budget) in enumerate({"2.8B": 55e9, "4.2B": 84e9, "8.7B": 178e9}.items())
        for epochs in (1, 2, 4, 5)
        for part in (0.5, 1.0)
    ]
    columns = ["data", "num_params", "epochs", "tokens_per_epoch", "token_num", "loss"]
    return {"colpret_datablations_losses.csv": pd.DataFrame(runs, columns=columns).assign(flops=1e20)}


def gemstones():
    rows = pd.DataFrame(
        {
            "run_name": [f"PyGemma-{256 * (row // 3 + 1)}x8_pretrain" for row in range(ROWS)],
            "params_active_precise": N.astype(int),
            "tokens": D.astype(int),
            "final_loss": LOSS,
            "width": 256 * (np.arange(ROWS) // 3 + 1),
            "depth": 8,
            "step": (D / 4e6).astype(int),
        }
    )
    phases = ("wandb_df_for_fitting_hot", "wandb_df_for_fitting_cool_end", "wandb_df_for_fitting_lr_ablation_hot")
    return {f"{name}.jsonl": rows for name in (*phases, "fineweb_edu_losses_combined", "fineweb_dclm_losses_combined")}


def openclip():
    """Each model is scored on ImageNet and on another data set."""
    models = {"ViT-B-32": 151.28, "ViT-B-16": 149.62, "ViT-L-14": 427.62}
    rows = [
        (arch, seen, data, task, 0.3 + 0.05 * np.log10(seen / 1e9), f"{seen / 1e9:.0f}B", size * seen)
        for arch, size in models.items()
        for seen in (3e9, 13e9)
        for data in ("LAION-80M", "LAION-2B")
        for task in ("imagenet1k", "mscoco_captions")
    ]
    names = ["arch", "samples_seen", "upstream_dataset", "downstream_dataset", "acc1", "samples_seen_pretty"]
    sizes = pd.DataFrame({"model": list(models), "mparams": list(models.values())})
    return {"zeroshot_results.csv": pd.DataFrame(rows, columns=[*names, "gmacs_total"]), "arch_info.csv": sizes}


def opt_trajectories():
    sizes = {"125m": 1.25e8, "350m": 3.5e8, "1.3b": 1.3e9, "13b": 1.3e10}
    rows = [
        ("OPT", name, 500 * step, np.log10(step * 1e9), np.log10(6 * size * step * 1e9), np.exp(loss(size, step * 1e9)))
        for name, size in sizes.items()
        for step in (4, 30, 180)
    ]
    columns = ["model_name", "model_size", "steps", "num_token", "flops", "ppl"]
    return {"opt_trajectories.csv": pd.DataFrame(rows, columns=columns)}


def regmix():
    """Three mixtures of three domains in each part."""
    files, rng = {}, np.random.default_rng(0)
    for part in PARTS:
        split, _, scale = part.partition("_")
        shares = pd.DataFrame(rng.dirichlet(np.ones(3), 3), columns=["arxiv", "github", "pile_cc"])
        size = {"1m": 1e6, "60m": 6e7, "1B": 1e9}[scale]
        losses = loss(size, 1e9) + 0.5 * (1 - shares["pile_cc"])
        index = pd.Index(range(1, 4), name="index")
        files[f"{split}_mixture_{scale}.csv"] = shares.add_prefix("train_the_pile_").set_index(index).reset_index()
        header = "metric/the_pile_pile_cc_val_loss"
        # In another order than the mixtures: rows go together by their index.
        files[f"{split}_pile_loss_{scale}.csv"] = pd.DataFrame({"index": index, header: losses})[::-1]
    return files


def routed_lm():
    """Each setting has an evaluation before its end; one has another seed, one another number of experts a token."""
    settings = [("Dense", 1, size, 42, 1) for size in SIZES]
    settings += [(router, 8, size, 42, 1) for router in ("S-Base", "RL-R", "Hash") for size in SIZES]
    settings += [("S-Base", 8, SIZES[0], 43, 1), ("S-Base", 8, SIZES[0], 42, 2)]
    rows = [
        (number, step, loss(size * experts**0.3, 1e11) + (step == 0), experts, 1024, 12, k, router, seed, 0.5, 3 * size)
        for number, (router, experts, size, seed, k) in enumerate(settings)
        for step in (0, 250_000)
    ]
    columns = [
        "hyper_id",
        "step",
        "loss_validation",
        "num_experts",
        "d_model",
        "num_blocks",
        "k",
        "router_type",
        "seed",
    ]
    frame = pd.DataFrame(rows, columns=[*columns, "routing_frequency", "total_parameter_count"])
    frame["dense_parameter_count"] = frame["total_parameter_count"] / 3
    return {"curves.csv.gz": frame.assign(flops_per_step=6 * frame["dense_parameter_count"] * 5e5)}


def steplaw():
    """Two learning rates at each size and data, the second the better by 0.05."""
    grid = pd.DataFrame({"N": np.repeat(N, 2), "D": np.repeat(D, 2), "lr": np.tile([1e-2, 1e-3], ROWS)})
    final = np.repeat(LOSS, 2) + np.tile([0.05, 0.0], ROWS)
    batch = 256
    facts = {"h": 1024, "numl": 8, "bs": batch, "ti": (grid["D"] / (2048 * batch)).round(), "loss": final + 0.01}
    dense = grid.assign(**facts, exp_name=[f"run {row}" for row in range(len(grid))], **{"smooth loss": final})
    moe = dense.assign(Na=dense["N"] / 4, nume=8, topk=1, moeh=512, ffnh=2048, sed=512)
    return {"dense_lr_bs_loss.csv": dense, "moe_lr_bs_loss.csv": moe}


def vocab_scaling():
    """The last of three checkpoints of four models is final."""
    columns = {"vocab_size": [4096.0, 8192.0, 16384.0, 32768.0], "embed_dim": [512.0, 512.0, 768.0, 768.0]}
    table = pd.DataFrame({**columns, "Non_vocab_parameters": [33222784.0, 33222784.0, 8.5e7, 8.5e7]})
    table = table.loc[table.index.repeat(3)].assign(num_characters=np.tile([1e9, 1e10, 1e11], 4))
    size = table["Non_vocab_parameters"] + table["vocab_size"] * table["embed_dim"]
    gain = 0.2 * np.log(size * table["num_characters"] / 1e15)
    return {"exp_data.csv": table.assign(FLOPs=1.5 * size * table["num_characters"], Lossu=-gain)}


def multipower_curves():
    """Curves of the three sizes: a point every 2,000 steps after the warm-up."""
    files = {}
    for size, parameters in (("25M", 25e6), ("100M", 1e8), ("400M", 4e8)):
        for schedule in multipower.SCHEDULES:
            rates = multipower.learning_rates(schedule)
            steps = np.arange(2_200, rates.size, 2_000)
            values = loss(parameters, steps * 5e5) - 20 * (3e-4 - rates[steps])
            files[f"{size}_{schedule}.csv"] = pd.DataFrame({"step": steps, "lr": rates[steps], "loss": values})
    return files


BENCHMARKS = ("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval")


def obsscaling():
    """One model has 627 in a column of trillions, one no tokens, one no scores."""
    names = [f"lab/model-{row}" for row in range(ROWS)]
    names[3] = "cerebras/btlm-3b-8k-base"
    tokens = D / 1e12
    tokens[3], tokens[5] = 627.0, np.nan
    scores = {name: np.where(np.arange(ROWS) == 7, np.nan, ACCURACY) for name in BENCHMARKS}
    sizes = {"Model Size (B)": N / 1e9, "Pretraining Data Size (T)": tokens, "FLOPs (1E21)": 6 * N * D / 1e21}
    return {"base_llm_benchmark_eval.csv": pd.DataFrame({"Model": names, "Model Family": "Lab", **sizes, **scores})}


def llm_skills():
    """One model stands in each file twice."""
    first = ("arc", "hellaswag", "mmlu", "truthfulqa", "winogrande", "gsm8k")
    second = ("ifeval", "bbh", "math", "mmlu-pro", "gpqa", "musr")
    models = {"model": [f"model {row}" for row in range(ROWS)], "family": "lab", "size": N / 1e9, "tokens": D / 1e12}
    files = {}
    for name, skills in (("df_full_v1.csv", first), ("df_full_v2.csv", second)):
        frame = pd.DataFrame({**models, "flops": 6 * N * D / 1e21, **dict.fromkeys(skills, ACCURACY)})
        files[name] = pd.concat([frame, frame[:1]], ignore_index=True).reset_index(names="")
    return files


def sloth():
    """Every second model is instructed, one has no tokens, one no score."""
    tokens, score = D / 1e12, np.full(ROWS, ACCURACY)
    tokens[5], score[7] = np.nan, np.nan
    facts = {"Model": [f"model {row}" for row in range(ROWS)], "Family": "lab", "Instruct": np.arange(ROWS) % 2 == 1}
    sizes = {"date": "2024-05-16", "#Params (B)": N / 1e9, "Pretraining Data Size (T)": tokens}
    frame = pd.DataFrame({**facts, **sizes, "FLOPs (1E21)": 6 * N * tokens / 1e9, "MMLU": score, "BBH": score})
    return {"data_v1.csv": frame.reset_index(names="")}


VISION = [("IC", f"{data}_{shots}") for data in ("bird", "c", "cal", "inet") for shots in (5, 10, 25)]
LANGUAGE = [("LM", "val_loss"), ("NMT", "log_perplexity")]
LANGUAGE += [("BB", f"('{task}', '{n}-shot')") for task in ("date", "ling", "mult", "qa", "unit") for n in (1, 2)]


def alabdulmohsin():
    """Three models on each task, and the first row of each twice."""

    def curves(tasks):
        rows = [
            (domain, task, f"model {model}", seen, 0.9 * (seen / 1e5) ** -0.2 + 0.01 * model, int(seen < 1e8))
            for domain, task in tasks
            for model in range(3)
            for seen in np.geomspace(1e6, 1e9, 4)
        ]
        columns = ["Domain", "Task", "Model", "Seen Examples", "Loss", "Training"]
        frame = pd.DataFrame(rows, columns=columns)
        return pd.concat([frame, frame.groupby(["Domain", "Task"]).head(1)])

    return {"revisiting_vision.csv": curves(VISION), "revisiting_lang.csv": curves(LANGUAGE)}


SOURCES = {
    "alabdulmohsin": alabdulmohsin,
    "datablations": datablations,
    "epoch-chinchilla": epoch_chinchilla,
    "gemstones": gemstones,
    "llm-skills": llm_skills,
    "multipower-curves": multipower_curves,
    "obsscaling": obsscaling,
    "openclip": openclip,
    "opt-trajectories": opt_trajectories,
    "regmix": regmix,
    "routed-lm": routed_lm,
    "sloth": sloth,
    "steplaw": steplaw,
    "vocab-scaling": vocab_scaling,
}


def made_catalogue(catalogue: str, folder: Path) -> str:
    """Write the files of all sources into a mirror, and return the catalogue with their hashes for those upstream's."""
    for source in SOURCES:
        write_source(source, folder)
        for path in (folder / source).iterdir():
            start = catalogue.index(f'[sources.{source}.files."{path.name}"]')
            facts = re.sub(r"(?<=sha256 = \")\w+", file_hash(path), catalogue[start:], count=1)
            catalogue = catalogue[:start] + re.sub(r"(?<=bytes = )\d+", str(path.stat().st_size), facts, count=1)
    return catalogue


def write_source(source: str, folder: Path) -> None:
    """Write the made-up files of a source into ``folder/SOURCE``."""
    target = folder / source
    target.mkdir(parents=True, exist_ok=True)
    for name, frame in SOURCES[source]().items():
        if name.endswith(".jsonl"):
            frame.to_json(target / name, orient="records", lines=True, double_precision=15)
        else:
            frame.to_csv(
                target / name, index=False, compression={"method": "gzip", "mtime": 0} if name[-3:] == ".gz" else None
            )
