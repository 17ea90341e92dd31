"""What the words of a header say: which quantity, in which unit, and the one factor of its column.

``Model Size (M)`` is a size in millions, ``val/bpb`` a held-out loss in bits per byte.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

FACTORS = {
    **dict.fromkeys(("k", "thousand", "thousands", "kilo"), 1e3),
    **dict.fromkeys(("m", "mil", "mln", "mio", "million", "millions", "mega"), 1e6),
    **dict.fromkeys(("b", "bn", "bil", "bln", "billion", "billions", "g", "giga"), 1e9),
    **dict.fromkeys(("t", "tn", "trillion", "trillions", "tera"), 1e12),
    **dict.fromkeys(("p", "peta", "quadrillion", "quadrillions"), 1e15),
    **dict.fromkeys(("e", "exa"), 1e18),
    **dict.fromkeys(("z", "zetta"), 1e21),
    **dict.fromkeys(("y", "yotta"), 1e24),
}
FLOP_WORD = re.compile(r"(k|m|g|t|p|e|z|y|kilo|mega|giga|tera|peta|exa|zetta|yotta)flops?")
FLOP_DAYS = re.compile(r"(?:p|peta)f(?:lops?)?(?:_s)?_?days?")
DAY_OF_PETAFLOP = 8.64e19
POWER = re.compile(r"x?1e(\d{1,2})")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
CHARS = ("character", "characters", "char", "chars")
SIZES = ("param", "params", "parameter", "parameters", "nparams", "numparams", "weights")
TOKENS = ("token", "tokens", "toks", "ntokens")
SAMPLES = (
    *("sample", "samples", "image", "images", "row", "rows", "example", "examples", "sequence", "sequences"),
    *("game", "games", "episode", "episodes", "frame", "frames", "molecules", "pixels", "pairs", "documents"),
    *("character", "characters", "chars", "bytes"),
)
COMPUTE = ("flop", "flops", "compute")
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
HELD_OUT = ("val", "valid", "validation", "eval", "evaluation", "test", "heldout", "held", "dev")
TRAINING = ("train", "training")
BETTER = {
    **dict.fromkeys(
        ("accuracy", "acc", "accuracies", "pass", "em", "exact", "f1", "winrate", "auc", "auroc", "recall"), 1.0
    ),
    **dict.fromkeys(("psnr", "elo", "bleu", "rouge", "reward", "score", "ssim", "snr", "return", "rating"), None),
}
"""Words of quantities of which more is better, and their best value where there is one."""
FILLERS = {
    "N": (
        "n",
        "num",
        "number",
        "of",
        "total",
        "model",
        "count",
        "trainable",
        "size",
        "nb",
        "no",
        "in",
        "trained",
        "all",
    ),
    "D": (
        "d",
        "n",
        "num",
        "number",
        "of",
        "total",
        "train",
        "training",
        "trained",
        "seen",
        "consumed",
        "count",
        "nb",
        "in",
    ),
    "C": ("c", "train", "training", "total", "model", "number", "of", "num", "n", "in", "used"),
    "loss": (*HELD_OUT, *TRAINING, "final", "last", "end", "lm", "mean", "avg", "average", "out", "in", "per", "token"),
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
LENGTHS = ("seq_len", "seqlen", "seq_length", "sequence_length", "context_length", "n_ctx", "block", "block_size")
STEPS = ("step", "steps", "iter", "iters", "iterations", "updates")
NATS, PERPLEXITY = "nats per token", "perplexity"
BITS = {"byte": "bits per byte", "token": "bits per token", **dict.fromkeys(CHARS, "bits per character")}
BITS["bytes"], BITS["tokens"] = BITS["byte"], BITS["token"]
SHORT = {
    **dict.fromkeys(("bpb",), "bits per byte"),
    **dict.fromkeys(("bpc",), "bits per character"),
    **dict.fromkeys(("bpt",), "bits per token"),
    **dict.fromkeys(("ppl", "perplexity", "pplx"), PERPLEXITY),
    **dict.fromkeys(("loss", "nll", "xent", "crossentropy", "ce"), NATS),
    **dict.fromkeys(("nats", "logppl", "deviance"), NATS),
}


@dataclass(frozen=True)
class Header:
    """What a header says.

    Attributes
    ----------
    text : str
        As written.
    words : tuple of str
        In lower case, without the factor.
    factor : float
        What the cells of the column are to be multiplied by; 1 where the header says nothing.
    said : str
        The words that say so.
    """

    text: str
    words: tuple[str, ...]
    factor: float = 1.0
    said: str = ""

    @property
    def key(self) -> str:
        """The words joined by underscores."""
        return "_".join(self.words)

    def has(self, *words: str) -> bool:
        """Tell whether any of these is among the words."""
        return any(word in self.words for word in words)


def words_of(header: str) -> tuple[str, ...]:
    """Return the words of a header in lower case: ``Eval/Loss`` and ``evalLoss`` are both eval, loss."""
    plain = re.sub(r"10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda found: f"1e{found[1].translate(SUPERSCRIPTS)}", header)
    plain = re.sub(r"10\s*(?:\^|\*\*)\s*(\d+)", r"1e\1", plain).replace("\u00d7", " x ")
    plain = plain.replace("±", " se ").replace("%", " percent ").replace("#", " num ")
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", plain)
    return tuple(word for word in re.split(r"[^\w]+|_", plain.casefold()) if word)


@lru_cache(maxsize=4096)
def read_header(header: str) -> Header:
    """Read the factor of a header, and its words."""
    outside = re.sub(r"[(\[{][^()\[\]{}]*[)\]}]", " ", header)
    inside = words_of(" ".join(re.findall(r"[(\[{]([^()\[\]{}]*)[)\]}]", header)))
    words = words_of(outside)
    factor, rest, said = _factor(inside, bracketed=True)
    if said:
        return Header(header, (*words, *(word for word in rest if word not in words)), factor, said)
    factor, words, said = _factor(words, bracketed=False)
    return Header(header, (*words, *(word for word in inside if word not in words)), factor, said)


def _factor(words: tuple[str, ...], *, bracketed: bool) -> tuple[float, tuple[str, ...], str]:
    """Return the factor that words say, the words without it, and which said it."""
    for size in (4, 3, 2, 1):
        for start in range(len(words) - size + 1):
            run = words[start : start + size]
            if FLOP_DAYS.fullmatch("_".join(run)):
                return DAY_OF_PETAFLOP, (*words[:start], "flop", *words[start + size :]), " ".join(run)
            match = FLOP_WORD.fullmatch("".join(run)) if size < 3 else None
            if match:
                return FACTORS[match[1]], (*words[:start], "flop", *words[start + size :]), " ".join(run)
    return _plain_factor(words, bracketed=bracketed)


def _plain_factor(words: tuple[str, ...], *, bracketed: bool) -> tuple[float, tuple[str, ...], str]:
    """Read ``(M)``, ``_billions``, ``(10^9)``; a single letter stands in brackets or behind what it counts."""
    countable = {*SIZES, *TOKENS, *COMPUTE, *SAMPLES, "size", "n", "d", "c"}
    for place, word in enumerate(words):
        power = POWER.fullmatch(word)
        factor = 10.0 ** int(power[1]) if power else FACTORS.get(word)
        rest = (*words[:place], *words[place + 1 :])
        counted = bool(countable & set(rest)) and (len(word) > 3 or place == len(words) - 1)
        if factor and (bracketed or (counted and place > 0) or (counted and len(word) > 3)):
            if bracketed and len(word) == 1 and place > 0:
                continue
            return factor, tuple(each for each in rest if each not in ("x", "10")), word
    return 1.0, words, ""


# Responses


@dataclass(frozen=True)
class Metric:
    """What a header says of a response.

    Attributes
    ----------
    unit : str
        Such as ``bits per byte``; ``perplexity`` where the loss is its logarithm; empty where it cannot be said.
    data : str
        ``held out``, ``training`` or nothing.
    plain : bool
        Whether no other word is left, such as that of a data set.
    """

    unit: str
    data: str = ""
    plain: bool = True


@lru_cache(maxsize=4096)
def metric_of(header: str) -> Metric | None:
    """Return what a header says of a loss; None where it names none."""
    words = read_header(header).words
    unit, rest = _unit(words)
    if unit is None or any(word in SPREAD for word in rest) or any(word in NO_LOSS for word in rest):
        return None
    if any(word in (*TIME, *TOKENS) and word not in FILLERS["loss"] for word in rest):
        return None
    data = "held out" if set(HELD_OUT) & set(rest) else "training" if set(TRAINING) & set(rest) else ""
    return Metric(unit, data, not set(rest) - {*FILLERS["loss"], *SHORT})


def _unit(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the unit that words name (empty where they only say bits), and the words without it."""
    joined = f" {' '.join(words)} "
    for phrase in ("log perplexity", "log ppl", "ln ppl", "ln perplexity", "cross entropy"):
        if f" {phrase} " in joined:
            return (_unit(tuple(joined.replace(f" {phrase} ", " ").split()))[0] or NATS), tuple(
                joined.replace(f" {phrase} ", " ").split()
            )
    bits = re.search(r" bits?( per)? (\w+) ", joined)
    if bits and bits[2] in BITS:
        return BITS[bits[2]], tuple(joined.replace(bits[0], " ").split())
    rest = tuple(word for word in words if word not in ("bits", "bit"))
    if rest != words and not set(rest) - {*FILLERS["loss"], *SHORT}:
        return "", rest
    found = [word for word in words if word in SHORT]
    exact = [word for word in found if SHORT[word] != NATS] or found
    return (SHORT[exact[0]], tuple(word for word in words if word != exact[0])) if exact else (None, words)


def better(header: str) -> str:
    """Return the word of a header that says that more is better; empty where none does, or where it is a spread."""
    words = read_header(header).words
    if any(word in SPREAD for word in words) or metric_of(header) is not None:
        return ""
    return next((word for word in words if word in BETTER), "")


def says_loss(header: str) -> bool:
    """Tell whether a header says itself that it is a loss."""
    metric = metric_of(header)
    return metric is not None and metric.unit != PERPLEXITY


# Counts


def convention(header: str) -> str:
    """Say how a header of a size counts parameters: in all, active, without embeddings, or not said."""
    read = read_header(header)
    if read.has("active", "activated"):
        return "active"
    if read.has("embedding", "embeddings", "embed", "emb", "nonemb", "noembed", "nonembedding", "noembedding", "ne"):
        return "without embeddings" if read.has(*NO_EMBEDDINGS) else "embeddings"
    return "total" if read.has("total", "all") else ""


def is_quantity(header: str, name: str) -> bool:
    """Tell whether all words of a header say that it is N, D or C."""
    read = read_header(header)
    words = set(read.words)
    nouns = {"N": SIZES, "D": TOKENS, "C": COMPUTE}[name]
    extra = (*NO_EMBEDDINGS, "embedding", "embeddings", "embed", "emb") if name == "N" else ()
    if name == "N" and convention(header) == "embeddings":
        return False
    return bool(words & set(nouns)) and words <= {*nouns, *FILLERS[name], *extra}


def quantity(header: str) -> str:
    """Return the name of what a header speaks of: N, D, C, loss, better, steps, batch, length, time; or nothing."""
    read = read_header(header)
    if metric_of(header) is not None:
        return "loss"
    if better(header):
        return "better"
    for name, is_it in QUANTITIES.items():
        if is_it(read):
            return name
    return ""


def _is_batch(read: Header) -> bool:
    """Tell the batch of a whole step: not that of one device, of an accumulation or of an evaluation."""
    if read.has("micro", "mini", "device", "gpu", "rank", "accumulation", "accum", *HELD_OUT, "warmup", "sampler"):
        return False
    return read.has("batch", "batchsize", "bs", "gbs") or read.key in ("tokens_per_step", "tokens_per_batch")


def _is_steps(read: Header) -> bool:
    """Tell the steps trained: not those between two events, nor of a part of the schedule."""
    return read.has(*STEPS) and not read.has(
        *("resume", "from", "warmup", "per", "decay", "time", "sec", "accumulation", "accum", "logging", "log"),
        *("save", "saving", "cooldown", "delay", "interval", "every", "start", "restart", *HELD_OUT),
    )


def _is_time(read: Header) -> bool:
    return read.has(*TIME) and not read.has(*COMPUTE, *TOKENS)


def _is_tokens(read: Header) -> bool:
    trained_rows = read.has(*SAMPLES) or read.key in ("n_train", "train_size", "dataset_size", "num_train", "data_size")
    wrong = read.has(*HELD_OUT, "vocab", "context", "unique", "max", "loss", *RATE)
    return (read.has(*TOKENS) or trained_rows) and not wrong


QUANTITIES = {
    "length": lambda read: read.key.endswith(LENGTHS),
    "batch": _is_batch,
    "steps": _is_steps,
    "C": lambda read: read.has(*COMPUTE) and not read.has(*RATE),
    "time": _is_time,
    "N": lambda read: (
        (read.has(*SIZES) or {"model", "size"} <= set(read.words))
        and not read.has("active", "vocab", "bytes", "mb", "gb", "batch", "ratio", "data")
    ),
    "D": _is_tokens,
}


def counted_noun(header: str) -> str:
    """Return what a header of D counts where that is no token: ``images``, ``rows``; empty for tokens."""
    read = read_header(header)
    if read.has(*TOKENS) or read.key in ("d",):
        return ""
    noun = next((word for word in read.words if word in (*SAMPLES, *TIME)), "")
    return noun or ("samples" if QUANTITIES["D"](read) else "")
