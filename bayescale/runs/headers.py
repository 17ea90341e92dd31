"""Which column of a table is which: canonical names, aliases, and what to say when one is not found."""

import difflib
import functools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bayescale.runs.formulas import Formula, parse_formula
from bayescale.runs.grammar import (
    better,
    convention,
    is_active_size,
    is_error,
    is_of_a_pass,
    is_quantity,
    logarithm_of,
    metric_of,
    quantity,
)
from bayescale.runs.header_words import read_header
from bayescale.runs.lexicon import BETTER, NATS, SHAPE
from bayescale.schedules import PIECE_MEANINGS
from bayescale.words import clean, shortened

ALIASES: dict[str, tuple[str, ...]] = {
    "run": ("run_id", "run_name", "id", "name", "model"),
    "N": ("params", "parameters", "model_size", "n_params", "num_params"),
    "D": ("tokens", "training_tokens", "train_tokens", "num_tokens", "n_tokens"),
    "C": (
        "flops",
        "flop",
        "compute",
        "training_flop",
        "training_flops",
        "train_flop",
        "train_flops",
        "total_flop",
        "total_flops",
    ),
    "loss": (
        "val_loss",
        "valid_loss",
        "validation_loss",
        "eval_loss",
        "final_loss",
        "test_loss",
        "train_loss",
        "training_loss",
    ),
    "bpc": ("bits_per_character",),
    "error": ("error_rate",),
    "gain": (),
    "unique_tokens": (),
    "epochs": (),
    "family": (),
    "training_run": (),
    "experts": ("num_experts", "n_experts"),
    "granularity": (),
    "active_N": ("active_params", "active_parameters"),
    "datastore_tokens": (),
    "vocabulary": ("vocab", "vocab_size", "vocabulary_size"),
    "width": ("d_model", "hidden_size", "embedding_dimension"),
    "depth": ("n_layers", "num_layers", "num_hidden_layers"),
    "context": (
        *("context_length", "seq_len", "seq_length", "seqlen", "sequence_length", "max_seq_len", "max_seq_length"),
        *("n_ctx", "ctx", "ctx_len", "context_window", "block_size"),
    ),
    "steps": (),
    "batch": ("batch_tokens",),
    "lr_sum": (),
    "lr_drop": (),
    **dict.fromkeys(PIECE_MEANINGS, ()),
    "members": ("ensemble_size",),
    "kept": (),
    "bits_weights": (),
    "bits_activations": (),
    "bits_cache": (),
    "bits_post": (),
    "budget": (),
}
MEANINGS = {
    "N": "trained parameters",
    "D": "training tokens",
    "C": "FLOP of training",
    "loss": "nats per token",
    "bpc": "bits per character",
    "error": "fraction wrong",
    "gain": "nats per token below a unigram model",
    "unique_tokens": "distinct training tokens",
    "epochs": "passes over the data",
    "experts": "experts per routed layer",
    "granularity": "width of the dense layer over that of an expert",
    "active_N": "parameters that work on each token",
    "datastore_tokens": "tokens in the datastore that is searched",
    "vocabulary": "entries of the vocabulary",
    "width": "dimension of the embedding",
    "depth": "layers",
    "context": "tokens of a sequence",
    "steps": "optimiser steps",
    "batch": "tokens per step",
    "lr_sum": "sum of the learning rates of all steps so far",
    "lr_drop": "annealing area: learning-rate drops summed over the steps since, fading",
    **PIECE_MEANINGS,
    "members": "models whose predictions are averaged",
    "kept": "fraction of the size that is left after compression",
    "bits_weights": "bits of the weights in training",
    "bits_activations": "bits of the activations in training",
    "bits_cache": "bits of the key-value cache in training",
    "bits_post": "bits of the weights after training",
}
RESPONSES = ("loss", "bpc", "error", "gain")
USUAL_RESPONSES = ("loss", "bpc")
"""Chosen without being asked for; the others where neither of these is there."""
COUNTS = (
    *("N", "D", "C", "unique_tokens", "active_N", "datastore_tokens", "vocabulary", "width", "context"),
    *("steps", "batch"),
)
NUMERIC = (
    *COUNTS,
    *RESPONSES,
    *("epochs", "experts", "granularity", "depth", "lr_sum", "lr_drop", "members", "kept"),
    *("bits_weights", "bits_activations", "bits_cache", "bits_post"),
    *PIECE_MEANINGS,
)
TEXT = ("run", "family", "training_run")
BITS_PER_CHARACTER = MEANINGS["bpc"]


CLASSES = {
    ("exact", True): 0,
    ("held out", True): 0,
    ("", True): 1,
    ("held out", False): 2,
    ("data set", False): 3,
    ("training", True): 6,
}
"""How well a header says that it is the response: of which data, and whether no word is left over."""


@dataclass(frozen=True)
class Assignment:
    """Which header of the source serves as which canonical column."""

    headers: Mapping[str, str]  # canonical name -> header as written
    formulas: Mapping[str, Formula] = field(default_factory=dict)  # canonical name -> the product it was mapped to
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    asked: frozenset[str] = frozenset()  # names that the user mapped


def assign_columns(
    source: str, headers: Sequence[str], columns: Mapping[str, str] | None, needs: Sequence[str] = ()
) -> Assignment:
    """Find the canonical columns among the headers, by the user's mapping first and by their words after.

    Where several can be one column, that is a fault of a column that is used whatever the laws or that is needed;
    any other column is left out.
    """
    asked = {name: clean(header.strip()) for name, header in (columns or {}).items()}
    chosen = {name: header for name, header in asked.items() if name in ALIASES and header in headers}
    formulas: dict[str, Formula] = {}
    _take_formulas(asked, headers, chosen, formulas, {})
    faults: list[str] = []
    notes: list[str] = []
    for canonical in ALIASES:
        if canonical in asked:
            continue
        found = best_headers([header for header in headers if header not in chosen.values()], canonical)
        if not found:
            continue
        which = f"{quoted(found)} can each be {canonical}"
        if len(found) > 1 and canonical not in ("run", "N", "D", "C", *RESPONSES, *needs):
            notes.append(f"columns {which}, so none is; {how_to_map(canonical, found[0])} chooses one")
            continue
        chosen[canonical] = min(found, key=lambda header: _rank(header, canonical))
        if len(found) > 1 and canonical != "run":
            faults.append(f"{source}: columns {which}; choose one with {how_to_map(canonical, found[0])}")
    _take_formulas(asked, headers, chosen, formulas, chosen)
    faults = [*_faults_of_mapping(source, headers, asked, formulas), *faults]
    _name_response(chosen, notes)
    notes += _notes(headers, chosen, formulas)
    return Assignment(chosen, formulas, tuple(faults), tuple(notes), frozenset(asked))


def _take_formulas(
    asked: Mapping[str, str],
    headers: Sequence[str],
    chosen: dict[str, str],
    formulas: dict[str, Formula],
    meant: Mapping[str, str],
) -> None:
    """Read the products that names are mapped to."""
    for name, text in asked.items():
        formula = None if name in chosen or name not in ALIASES else parse_formula(text, headers, meant)
        if formula is not None:
            formulas[name] = formula
            chosen[name] = formula.above[0] if formula.single else text


def _name_response(chosen: dict[str, str], notes: list[str]) -> None:
    """Call a loss by what its header says that it is: bits per character, or the part that is right."""
    header = chosen.get("loss")
    metric = metric_of(header) if header else None
    if header and metric and metric.unit == BITS_PER_CHARACTER and "bpc" not in chosen:
        chosen["bpc"] = chosen.pop("loss")
        notes.append(f"{header!r} is read as bpc, in bits per character, as its header says")
    elif header and better(header) and "error" not in chosen:
        chosen["error"] = chosen.pop("loss")


def best_headers(headers: Sequence[str], canonical: str) -> list[str]:
    """Return the headers that say best that they are a column; several where none says it better than the others."""
    classes = {header: _class(header, canonical, headers) for header in headers}
    least = min((rank for rank in classes.values() if rank is not None), default=None)
    best = [header for header in headers if least is not None and classes[header] == least]
    return [*best, *_of_held_out_text(headers, best)] if canonical == "loss" else best


def _of_held_out_text(headers: Sequence[str], best: Sequence[str]) -> list[str]:
    """Return a held-out response beside a loss that does not say of what it is, and may be that of training."""
    data = {header: metric.data for header in headers if (metric := metric_of(header))}
    silent = best and all(data.get(header) == "" for header in best)
    return [header for header in headers if silent and data.get(header) == "held out"][:1]


def _class(header: str, canonical: str, headers: Sequence[str]) -> int | None:
    """Return how well a header says that it is a column, 0 best; None where it does not."""
    if canonical in ("loss", "bpc"):
        return _class_of_loss(header, canonical)
    if header == canonical.casefold() != canonical and any(normalised(other) in SHAPE for other in headers):
        return None  # n beside d_model is some number of something
    if canonical == "C" and is_of_a_pass(header):
        return None
    if stands_for(header, canonical):
        return int(header != canonical)
    if canonical == "active_N":
        return 2 if is_active_size(header) else None
    return _class_of_words(header, canonical) if canonical in ("N", "D", "C") else None


def _class_of_words(header: str, canonical: str) -> int | None:
    """Rank headers whose words say that they are N, D or C: sizes without embeddings last, active ones never."""
    counts = convention(header)
    if not is_quantity(header, canonical) or (canonical == "N" and counts == "active"):
        return None
    return 3 if canonical == "N" and counts == "without embeddings" else 2


def _class_of_loss(header: str, canonical: str) -> int | None:
    """Rank losses: held out before training, nats before other units, without the name of a data set before with."""
    metric = metric_of(header)
    if metric is None or (metric.unit == BITS_PER_CHARACTER) != (canonical == "bpc"):
        return 0 if header == canonical else None
    converted = 3 * (canonical == "loss" and metric.unit != NATS)
    exact = "exact" if header.casefold() == canonical else metric.data
    rank = CLASSES.get((exact, metric.plain))
    return None if rank is None else rank + converted


def _faults_of_mapping(
    source: str, headers: Sequence[str], asked: Mapping[str, str], formulas: Mapping[str, Formula]
) -> Iterator[str]:
    for canonical, header in asked.items():
        if canonical not in ALIASES:
            yield (
                f"{source}: columns= has the unknown name {canonical!r}; "
                f"the names are {', '.join(ALIASES)}, each mapped to a column of the file"
            )
        elif header not in headers and canonical not in formulas:
            near = difflib.get_close_matches(header, headers, n=3, cutoff=0.5) or list(headers)
            yield f"{source}: columns= takes {canonical} from {header!r}, which is not there; found {quoted(near)}"
        elif list(asked.values()).count(header) > 1 and list(asked.values()).index(header) < list(asked).index(
            canonical
        ):
            yield f"{source}: columns= maps more than one name to {header!r}; each needs its own column"


def stands_for(header: str, canonical: str) -> bool:
    """Tell whether a header is the canonical name or one of its aliases, whatever the case and separators."""
    names = (canonical.casefold(), *ALIASES[canonical])
    return normalised(header) in names or read_header(header).key in names


def _rank(header: str, canonical: str) -> int:
    names = (canonical.casefold(), *ALIASES[canonical])
    return names.index(normalised(header)) if normalised(header) in names else len(names)


@functools.lru_cache(maxsize=8192)
def normalised(header: str) -> str:
    """Return a header in lower case with underscores: ``Eval/loss`` and ``eval loss`` are ``eval_loss``."""
    return re.sub(r"[\s\-./]+", "_", header.strip()).casefold()


def _notes(headers: Sequence[str], chosen: Mapping[str, str], formulas: Mapping[str, Formula]) -> Iterator[str]:
    renamed = [
        f"{name} from {shortened(header)!r}"
        for name, header in chosen.items()
        if header != name and name not in formulas
    ]
    if renamed:
        yield f"columns read under another name: {', '.join(renamed)}"
    for name in (name for name in ("loss", "bpc") if name in chosen):
        yield from _notes_on_loss(headers, chosen, name)
    others = _other_sizes(headers, chosen)
    if others:
        told = ", ".join(f"{header!r}{_told(header)}" for header in others)
        yield (
            f"N counts {size_counted(headers, chosen)}; there are others, {told}: "
            f"{how_to_map('N', others[0])} takes them, and `compare` says which predict better"
        )
    shadowed = [header for header in headers if header in chosen and header not in chosen.values()]
    if shadowed:
        yield f"columns left out because another column was mapped to their name: {quoted(shadowed)}"


def _notes_on_loss(headers: Sequence[str], chosen: Mapping[str, str], name: str) -> Iterator[str]:
    metric = metric_of(chosen[name])
    others = [header for header in headers if header != chosen[name] and _class_of_loss(header, name) is not None]
    if metric and metric.data == "training":
        yield f"{name} is the training loss {chosen[name]!r}; laws are stated for the loss on held-out text"
    elif metric and metric.data and others:
        yield f"{name} is the held-out {chosen[name]!r}; not used: {quoted(others)}"


def _other_sizes(headers: Sequence[str], chosen: Mapping[str, str]) -> list[str]:
    """Return the headers that count parameters in another way than that of N."""
    if chosen.get("N") not in headers:
        return []
    return [each for each in headers if each != chosen["N"] and (is_quantity(each, "N") or is_active_size(each))]


def size_counted(headers: Sequence[str], chosen: Mapping[str, str]) -> str:
    """Say which parameters N counts, where the table has several counts; else nothing."""
    several = _other_sizes(headers, chosen)
    return f"the parameters of {chosen['N']!r}{_told(chosen['N'])}" if several else ""


def _told(header: str) -> str:
    told = convention(header)
    return f" ({told})" if told else ""


ENDS_LIKE_A_NAME = re.compile(r",\s*\w*\s*$")
"""Of a header whose last word an option would take for the next name, as in ``Parameters, total``."""


def how_to_map(canonical: str, header: str) -> str:
    """Say how to name a column in Python, and by an option that can be pasted into a shell."""
    end = f" * {read_header(header).factor:g}" if ENDS_LIKE_A_NAME.search(header) else ""
    return f"columns={{{canonical!r}: {header!r}}} (--map {shlex.quote(f'{canonical}={header}{end}')})"


def missing_column(
    source: str, canonical: str, headers: Sequence[str], chosen: Mapping[str, str], offers: Sequence[str] = ()
) -> str:
    """Say that a column is not there, which headers come nearest, and how to name one or compute it, as offered."""
    free = [header for header in headers if header not in chosen.values()]
    near = nearest(canonical, free)
    found = f"the nearest are {quoted(near)}" if near else f"found {quoted(list(headers))}"
    offers = list(offers)
    if canonical == "loss":
        offers = list(_other_responses(free))
    logarithms = [header for header in free if logarithm_of(header) and quantity(header) == canonical]
    if logarithms and not near and not offers:
        offers = [f"{logarithms[0]!r} holds logarithms, so write the values themselves in a column {canonical}"]
    if near or not offers:
        offers = [f"name it with {how_to_map(canonical, near[0] if near else 'NAME')}", *offers]
    if canonical in "ND":
        offers.append("for laws without it, name the columns they need with needs= (--needs)")
    remedies = [offers[0], *(f"or{',' * offer.startswith('for laws')} {offer}" for offer in offers[1:])]
    return f"{source}: no column {canonical} ({MEANINGS.get(canonical, 'see the names of columns')}); {found}; " + (
        ", ".join(remedies)
    )


def _other_responses(headers: Sequence[str]) -> Iterator[str]:
    """Say how to read what is no loss, but can be read as one: a part that is right or wrong, a log likelihood."""
    upwards = [header for header in headers if better(header)]
    for header in [header for header in upwards if BETTER[better(header)] is not None][:1]:
        yield f"read 1 - {header!r} with {how_to_map('error', header)}"
    for header in [header for header in upwards if BETTER[better(header)] is None][:1]:
        yield (
            f"more of {header!r} is better, without end, so give a column that falls to a floor (of PSNR the mean "
            "squared error, 10 ** (-PSNR / 10); of Elo the part of games lost)"
        )
    for header in [header for header in headers if is_error(header)][:1]:
        yield f"read {header!r} as the part that is wrong with {how_to_map('error', header)}"
    for header in [header for header in headers if {"log", "likelihood"} <= set(read_header(header).words)][:1]:
        yield f"change the sign of {header!r} with {how_to_map('loss', f'{header} * -1')}"


def nearest(canonical: str, headers: Sequence[str]) -> list[str]:
    """Return the headers that speak of a column by their words, else those spelt most like it."""
    wanted = "loss" if canonical in RESPONSES else canonical
    by_meaning = [header for header in headers if quantity(header) == wanted and not logarithm_of(header)]
    if by_meaning:
        return by_meaning
    names = (canonical.casefold(), *ALIASES[canonical])
    return [
        header
        for header in headers
        if not quantity(header)
        and not better(header)
        and difflib.get_close_matches(normalised(header), names, n=1, cutoff=0.7)
    ]


def quoted(names: Sequence[str], keep: int = 12) -> str:
    """List names in quotes, the first ``keep`` of them."""
    shown = ", ".join(repr(shortened(name)) for name in names[:keep])
    return f"{shown} and {len(names) - keep} more" if len(names) > keep else shown
