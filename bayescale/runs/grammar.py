"""What the words of a header say: which quantity, in which unit, and the one factor of its column.

``Model Size (M)`` is a size in millions, ``val/bpb`` a held-out loss in bits per byte.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from bayescale.runs.header_words import Header, read_header
from bayescale.runs.lexicon import (
    BETTER,
    BITS,
    COMPUTE,
    DATA_SETS,
    FILLERS,
    FLOP_WORD,
    HELD_OUT,
    LENGTHS,
    LOG10_PERPLEXITY,
    LOGARITHMS,
    NATS,
    NO_EMBEDDINGS,
    NO_LOSS,
    OF_TRAINING,
    PER,
    PERPLEXITY,
    RATE,
    SAMPLES,
    SECTIONS,
    SHORT,
    SIZES,
    SPREAD,
    STEPS,
    TIME,
    TOKENS,
    TRAINING,
)

LEAST_OF_TRAINING = 1e13
"""FLOP of the smallest unit that is that of a training without a word more: GFLOPs are those of a forward pass."""


# Responses


@dataclass(frozen=True)
class Metric:
    """What a header says of a response.

    Attributes
    ----------
    unit : str
        Such as ``bits per byte``; ``perplexity`` where the loss is its logarithm; empty where it cannot be said.
    data : str
        ``held out``, ``training``, ``data set`` where one is named, or nothing.
    plain : bool
        Whether no other word is left, such as that of a data set.
    """

    unit: str
    data: str = ""
    plain: bool = True


DATA = {"held out": HELD_OUT, "training": TRAINING}


@lru_cache(maxsize=4096)
def metric_of(header: str) -> Metric | None:
    """Return what a header says of a loss; None where it names none."""
    words = read_header(header).words
    unit, rest = _unit(words)
    if unit is None or any(word in SPREAD for word in rest) or any(word in NO_LOSS for word in rest):
        return None
    if any(word in (*TIME, *TOKENS) and word not in FILLERS["loss"] for word in rest):
        return None
    strange = set(rest) - {*FILLERS["loss"], *SHORT}
    data = next((data for data, names in DATA.items() if set(names) & set(words)), "")
    if not data and strange and strange <= set(DATA_SETS):
        data = "data set"
    return Metric(unit, data, not strange)


NATS_PHRASES = (
    *("log perplexity", "log ppl", "ln ppl", "ln perplexity", "cross entropy"),
    *("neg log likelihood", "negative log likelihood", "kreuzentropie"),
)


PER_PATTERNS = {
    r" bits?(?: per)? (\w+) ": "bits",
    r" nats?(?: per)? (\w+) ": "nats",
    r" (?:loss|nll|xent) per (\w+) ": "",
}
type Found = tuple[str | None, tuple[str, ...]]


def _unit(words: tuple[str, ...]) -> Found:
    """Return the unit that words name (empty where they only say bits), and the words without it."""
    found = (rule(words) for rule in (_in_a_phrase, _of_a_logarithm, _of_a_perplexity, _per_something, _of_bits))
    return next((each for each in found if each is not None), None) or _in_a_word(words)


def _without(words: tuple[str, ...], phrase: str) -> tuple[str, ...]:
    return tuple(f" {' '.join(words)} ".replace(f" {phrase} ", " ").split())


def _in_a_phrase(words: tuple[str, ...]) -> Found | None:
    """Read ``cross entropy``, which may be in another unit by a word more."""
    phrase = next((each for each in NATS_PHRASES if f" {each} " in f" {' '.join(words)} "), None)
    if phrase is None:
        return None
    rest = _without(words, phrase)
    return _unit(rest)[0] or NATS, rest


def _of_a_logarithm(words: tuple[str, ...]) -> Found | None:
    found = re.search(r" log(2|10) (ppl|pplx|perp|perplexity) ", f" {' '.join(words)} ")
    if found is None:
        return None
    return "bits per token" if found[1] == "2" else LOG10_PERPLEXITY, _without(words, found[0].strip())


def _of_a_perplexity(words: tuple[str, ...]) -> Found | None:
    """Read the perplexity of a word, a byte or a character."""
    of = [word for word in words if word in PER]
    if len(of) != 1 or not any(SHORT.get(word) == PERPLEXITY for word in words):
        return None
    return PER[of[0]], tuple(word for word in words if word != of[0] and SHORT.get(word) != PERPLEXITY)


def _per_something(words: tuple[str, ...]) -> Found | None:
    """Read ``bits per byte``, ``nats/char``; of ``loss per byte`` only ``per byte``, as it may be in either."""
    for pattern, unit in PER_PATTERNS.items():
        found = re.search(pattern, f" {' '.join(words)} ")
        if found and found[1] in BITS and (unit != "" or BITS[found[1]] != "bits per token"):
            return BITS[found[1]].replace("bits", unit).strip(), _without(words, found[0].strip())
    return None


def _of_bits(words: tuple[str, ...]) -> Found | None:
    rest = tuple(word for word in words if word not in ("bits", "bit"))
    return ("", rest) if rest != words and not set(rest) - {*FILLERS["loss"], *SHORT} else None


def _in_a_word(words: tuple[str, ...]) -> Found:
    found = [word for word in words if word in SHORT]
    exact = [word for word in found if SHORT[word] != NATS] or found
    return (SHORT[exact[0]], tuple(word for word in words if word != exact[0])) if exact else (None, words)


ONE_MINUS = re.compile(r"\s*\(?(?:1|one)\s*(?:[-\u2212\u2013]|minus)\s*", re.IGNORECASE)


def better(header: str) -> str:
    """Return the word of a header that says that more is better; empty where none does, or where it is a spread."""
    words = read_header(header).words
    if any(word in SPREAD for word in words) or metric_of(header) is not None or ONE_MINUS.match(header):
        return ""
    return next((word for word in words if word in BETTER), "")


def is_error(header: str) -> bool:
    """Tell the part that is wrong from the spread of something: ``top1_error`` from ``standard error``."""
    words = read_header(header).words
    if ONE_MINUS.match(header):
        return any(word in BETTER for word in words)
    return bool(set(words) & {"error", "wer", "cer"}) and not set(words) & {"std", "standard", "se", "bar", "bars"}


def says_loss(header: str) -> bool:
    """Tell whether a header says itself that it is a loss."""
    metric = metric_of(header)
    return metric is not None and "perplexity" not in metric.unit


def logarithm_of(header: str) -> str:
    """Return the word of a header of a count or loss that says that it holds logarithms: log10, ln, log; or nothing."""
    words = read_header(header).words
    word = next((word for word in words if word == "log" or word in LOGARITHMS), "")
    rest = [each for each in words if each != word]
    counts = {*SIZES, *TOKENS, *COMPUTE, "n", "d", "c"}
    return word if counts & set(rest) or rest in (["loss"], ["val", "loss"], ["test", "loss"]) else ""


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
    read = read_header(_without_sections(header, name))
    words = set(read.words)
    nouns = {"N": SIZES, "D": TOKENS, "C": COMPUTE}[name]
    extra = (*NO_EMBEDDINGS, "embedding", "embeddings", "embed", "emb") if name == "N" else ()
    if name == "N" and (convention(header) == "embeddings" or _is_symbol_of_size(read)):
        return convention(header) != "embeddings"
    if name == "C" and is_of_a_pass(header):
        return False
    named = bool(words & set(nouns)) or (name == "N" and {"model", "size"} <= words)
    return named and words <= {*nouns, *FILLERS[name], *extra}


def is_of_a_pass(header: str) -> bool:
    """Tell compute in a unit that is too small for a training, with no word that says it is one: GFLOPs."""
    read = read_header(header)
    small = FLOP_WORD.fullmatch(read.said.replace(" ", "")) is not None and read.factor < LEAST_OF_TRAINING
    return small and not read.has(*OF_TRAINING)


def is_active_size(header: str) -> bool:
    """Tell whether all words of a header say that it counts the parameters that work on each token."""
    words = set(read_header(_without_sections(header, "N")).words)
    return (
        bool(words & {"active", "activated"})
        and bool(words & set(SIZES))
        and words <= {*SIZES, *FILLERS["N"], "active", "activated"}
    )


def _is_symbol_of_size(read: Header) -> bool:
    """Tell N with a word of what it counts: ``N_nonemb``, ``N_total``."""
    rest = set(read.words[1:])
    return read.text[:1] == "N" and read.words[:1] == ("n",) and bool(rest) and rest <= {*NO_EMBEDDINGS, "total", "emb"}


def _without_sections(header: str, name: str) -> str:
    """Leave out what a tracker puts before a key: ``throughput/total_tokens`` is total_tokens."""
    parts = re.split(r"(?<=\w)[/.](?=\w)", header)
    known = (*SECTIONS, *(("time", "throughput") if name == "D" else ()), *(("params",) if "params." in header else ()))
    while len(parts) > 1 and parts[0].casefold() in known:
        parts = parts[1:]
    return "/".join(parts)


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
    wrong = read.has(*HELD_OUT, "vocab", "context", "unique", "dataset", "corpus", "max", "loss", *RATE)
    return (read.has(*TOKENS) or trained_rows) and not wrong


def _is_data_set(read: Header) -> bool:
    """Tell the tokens of the data, each counted once."""
    return read.has(*TOKENS) and read.has("unique", "dataset", "corpus")


def in_memory(header: str) -> bool:
    """Tell a size in bytes."""
    return read_header(header).has("bytes", "mb", "gb", "tb", "kb", "mib", "gib", "tib")


def _is_ratio(read: Header) -> bool:
    """Tell tokens per parameter."""
    return (read.has(*TOKENS) and read.has("per", "over") and read.has(*SIZES)) or read.key in (
        "tpp",
        "d_n",
        "d_over_n",
    )


QUANTITIES = {
    "ratio": _is_ratio,
    "data set": _is_data_set,
    "epochs": lambda read: read.key in ("epoch", "epochs", "num_epochs", "n_epochs", "num_train_epochs"),
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
