"""Words of headers: of factors, quantities, units and data, as trackers, papers and spreadsheets write them."""

import re

FACTORS = {
    **dict.fromkeys(("k", "thousand", "thousands", "kilo", "tsd", "tausend"), 1e3),
    **dict.fromkeys(("m", "mil", "mln", "mio", "million", "millions", "mega", "millionen", "millones", "milioni"), 1e6),
    **dict.fromkeys(
        ("b", "bn", "bil", "bln", "billion", "billions", "g", "giga", "mrd", "md", "milliarden", "milliards"), 1e9
    ),
    **dict.fromkeys(("t", "tn", "trillion", "trillions", "tera"), 1e12),
    **dict.fromkeys(("тыс",), 1e3) | dict.fromkeys(("万", "萬"), 1e4) | dict.fromkeys(("lakh", "lakhs"), 1e5),
    **dict.fromkeys(("milhão", "milhões", "млн"), 1e6) | dict.fromkeys(("crore", "crores"), 1e7),
    **dict.fromkeys(("億", "亿"), 1e8) | dict.fromkeys(("milliard", "miliardi", "bilhões", "bilhão", "млрд"), 1e9),
    **dict.fromkeys(("billionen", "billones", "trilhões", "трлн"), 1e12),
    **dict.fromkeys(("p", "peta", "quadrillion", "quadrillions"), 1e15),
    **dict.fromkeys(("e", "exa"), 1e18),
    **dict.fromkeys(("z", "zetta"), 1e21),
    **dict.fromkeys(("y", "yotta"), 1e24),
}
THOUSAND_MILLIONS = re.compile(r"\b(?:miles? de millones|mil millones|mil milhões|thousands?(?: of)? millions?)\b")
"""Of two words of factors, which are multiplied: a thousand millions."""
FLOP_WORD = re.compile(r"(k|m|g|t|p|e|z|y|kilo|mega|giga|tera|peta|exa|zetta|yotta)flops?")
FLOP_DAYS = re.compile(r"(?:p|peta)f(?:lops?)?(?:_s)?_?days?")
DAY_OF_PETAFLOP = 8.64e19
POWER = re.compile(r"(?:x?1)?e(\d{1,2})")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
CHARS = ("character", "characters", "char", "chars")
FOREIGN_SIZES = ("parameteranzahl", "parametri", "paramètres", "paramètre", "parámetros", "parámetro", "parâmetros")
SIZES = ("param", "params", "parameter", "parameters", "nparams", "numparams", "weights", *FOREIGN_SIZES)
TOKENS = ("token", "tokens", "toks", "ntokens", "jetons", "trainingstoken", "trainingstokens")
SAMPLES = (
    *("sample", "samples", "image", "images", "row", "rows", "example", "examples", "sequence", "sequences"),
    *("game", "games", "episode", "episodes", "frame", "frames", "molecules", "pixels", "pairs", "documents"),
    *("character", "characters", "chars", "bytes", "words", "gb", "mb", "tb"),
)
COMPUTE = ("flop", "flops", "compute")
OF_TRAINING = ("train", "training", "total", "budget", "compute")
"""Words by which a small unit such as GFLOPs is that of a whole training, not of a forward pass or a second."""
TIME = (
    "hour",
    "hours",
    "hrs",
    "h",
    "second",
    "seconds",
    "sec",
    "secs",
    "minutes",
    "days",
    "time",
    "runtime",
    "duration",
)
SPREAD = (
    *("se", "sem", "std", "sd", "stdev", "stderr", "stddev", "var", "variance", "ci", "err", "uncertainty", "lower"),
    *("upper", "low", "high", "delta", "diff", "count", "error"),
)
HELD_OUT_ABROAD = ("validierung", "validierungsverlust", "testverlust", "validación", "validazione")
HELD_OUT = ("val", "valid", "validation", "eval", "evaluation", "test", "heldout", "held", "dev", *HELD_OUT_ABROAD)
TRAINING = ("train", "training", "trainingsverlust", "entraînement", "entrenamiento")
DATA_SETS = (
    *("c4", "mc4", "pile", "minipile", "paloma", "wikitext", "wikitext103", "wiki", "wikipedia", "fineweb", "edu"),
    *("dclm", "owt", "openwebtext", "webtext", "slimpajama", "redpajama", "lambada", "ptb", "enwik8", "text8"),
    *("refinedweb", "dolma", "lm1b", "starcoder", "stack", "github", "arxiv", "books", "bookcorpus", "tinystories"),
    *("cosmopedia", "uncheatable", "macro", "micro", "en"),
)
SECTIONS = ("model", "config", "summary", "metrics", "data", "train", "training", "trainer", "args", "hparams", "run")
"""What trackers put before a key: ``config.n_params``, ``metrics/eval/loss``."""
BETTER = {
    **dict.fromkeys(
        ("accuracy", "acc", "accuracies", "pass", "em", "exact", "f1", "winrate", "win", "auc", "auroc", "recall"), 1.0
    ),
    **dict.fromkeys(("psnr", "elo", "bleu", "rouge", "reward", "score", "ssim", "snr", "return", "rating"), None),
}
"""Words of quantities of which more is better, and their best value where there is one."""
LOSS_FILLERS = ("value", "actual", "observed", "measured", "none", "metrics", "de", "di")
FILLERS = {
    "N": (
        *("n", "num", "number", "of", "total", "model", "count", "trainable", "size", "nb", "no", "in", "trained"),
        *("all", "anzahl", "der", "de", "nombre"),
    ),
    "D": (
        *("d", "n", "num", "number", "of", "total", "train", "training", "trained", "seen", "consumed", "count"),
        *("nb", "no", "in", "input", "processed", "anzahl", "der", "de", "nombre"),
    ),
    "C": ("c", "train", "training", "total", "model", "number", "of", "num", "n", "in", "used", "budget"),
    "loss": (
        *HELD_OUT,
        *TRAINING,
        "final",
        "last",
        "end",
        "lm",
        "mean",
        "avg",
        "average",
        "out",
        "in",
        "per",
        "token",
        *LOSS_FILLERS,
    ),
}
NO_EMBEDDINGS = ("non", "nonemb", "noembed", "nonembedding", "noembedding", "without", "excl", "excluding", "no", "ne")
RATE = ("per", "sec", "s", "second", "throughput", "util", "utilization", "mfu", "rate", "device", "gpu")
NO_LOSS = (
    "aux",
    "auxiliary",
    "router",
    "routing",
    "z",
    "balance",
    "balancing",
    "grad",
    "percent",
    "unit",
    "units",
    "scale",
    "scaling",
    "weight",
    "ratio",
)
SHAPE = (
    "d_model",
    "n_layer",
    "n_layers",
    "n_head",
    "n_heads",
    "num_layers",
    "d_ff",
    "d_emb",
    "d_hidden",
    "hidden_size",
)
LENGTHS = (
    *("seq_len", "seqlen", "seq_length", "sequence_length", "context_length", "n_ctx", "ctx", "ctx_len"),
    *("context_window", "block", "block_size"),
)
STEPS = ("step", "steps", "iter", "iters", "iterations", "updates")
NATS, PERPLEXITY = "nats per token", "perplexity"
LOG10_PERPLEXITY, WORD_PERPLEXITY = "log10 perplexity", "word perplexity"
BYTE_PERPLEXITY, CHARACTER_PERPLEXITY = "byte perplexity", "character perplexity"
BITS = {"byte": "bits per byte", "token": "bits per token", **dict.fromkeys(CHARS, "bits per character")}
BITS["bytes"], BITS["tokens"] = BITS["byte"], BITS["token"]
BITS["subword"] = BITS["subwords"] = BITS["token"]
BITS["word"] = BITS["words"] = "bits per word"
BITS |= dict.fromkeys(("dim", "dims", "dimension", "pixel"), "bits per dimension")
PER = {
    "word": WORD_PERPLEXITY,
    "byte": BYTE_PERPLEXITY,
    "char": CHARACTER_PERPLEXITY,
    "character": CHARACTER_PERPLEXITY,
}
"""What a perplexity is of, where it is of no token."""
LOGARITHMS = {"log10": 10.0, "log2": 2.0, "ln": 2.718281828459045, "lg": 10.0}
SHORT = {
    **dict.fromkeys(("bpb",), "bits per byte"),
    **dict.fromkeys(("bpc",), "bits per character"),
    **dict.fromkeys(("bpt",), "bits per token"),
    **dict.fromkeys(("bpd",), "bits per dimension"),
    **dict.fromkeys(("ppl", "perplexity", "pplx", "perp"), PERPLEXITY),
    **dict.fromkeys(("loss", "nll", "xent", "crossentropy", "ce"), NATS),
    **dict.fromkeys(("nats", "logppl", "deviance"), NATS),
    **dict.fromkeys(("verlust", "validierungsverlust", "testverlust", "trainingsverlust"), NATS),
    **dict.fromkeys(("perte", "pérdida", "perdita", "perda"), NATS),
}
