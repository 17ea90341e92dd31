"""Which column of a table is which: canonical names, aliases, and what to say when one is not found."""

import difflib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    "experts": (),
    "granularity": (),
    "active_N": ("active_params", "active_parameters"),
    "datastore_tokens": (),
    "vocabulary": ("vocab", "vocab_size", "vocabulary_size"),
    "width": ("d_model", "hidden_size", "embedding_dimension"),
    "depth": ("n_layers", "num_layers", "num_hidden_layers"),
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
COUNTS = ("N", "D", "C", "unique_tokens", "active_N", "datastore_tokens", "vocabulary", "width", "steps", "batch")
NUMERIC = (
    *COUNTS,
    *RESPONSES,
    *("epochs", "experts", "granularity", "depth", "lr_sum", "lr_drop", "members", "kept"),
    *("bits_weights", "bits_activations", "bits_cache", "bits_post"),
    *PIECE_MEANINGS,
)
TEXT = ("run", "family", "training_run")
TRAINING_LOSS = ("train_loss", "training_loss")


@dataclass(frozen=True)
class Assignment:
    """Which header of the source serves as which canonical column."""

    headers: Mapping[str, str]  # canonical name -> header as written
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def assign_columns(source: str, headers: Sequence[str], columns: Mapping[str, str] | None) -> Assignment:
    """Find the canonical columns among the headers, by the user's mapping first and by alias after."""
    asked = {name: clean(header.strip()) for name, header in (columns or {}).items()}
    faults = list(_faults_of_mapping(source, headers, asked))
    chosen = {name: header for name, header in asked.items() if name in ALIASES and header in headers}
    for canonical in ALIASES:
        if canonical in asked:
            continue
        found = [header for header in headers if header not in chosen.values() and stands_for(header, canonical)]
        if not found:
            continue
        chosen[canonical] = min(found, key=lambda header: _rank(header, canonical))
        if len(found) > 1 and canonical != "run":
            faults.append(
                f"{source}: columns {quoted(found)} can each be {canonical}; "
                f"choose one with columns={{{canonical!r}: {found[0]!r}}} (--map {canonical}={found[0]})"
            )
    return Assignment(chosen, tuple(faults), tuple(_notes(headers, chosen)))


def _faults_of_mapping(source: str, headers: Sequence[str], asked: Mapping[str, str]) -> Iterator[str]:
    for canonical, header in asked.items():
        if canonical not in ALIASES:
            yield (
                f"{source}: columns= has the unknown name {canonical!r}; "
                f"the names are {', '.join(ALIASES)}, each mapped to a column of the file"
            )
        elif header not in headers:
            near = difflib.get_close_matches(header, headers, n=3, cutoff=0.5) or list(headers)
            yield f"{source}: columns= takes {canonical} from {header!r}, which is not there; found {quoted(near)}"
        elif list(asked.values()).count(header) > 1 and list(asked.values()).index(header) < list(asked).index(
            canonical
        ):
            yield f"{source}: columns= maps more than one name to {header!r}; each needs its own column"


def stands_for(header: str, canonical: str) -> bool:
    """Tell whether a header is the canonical name or one of its aliases, whatever the case and separators."""
    return normalised(header) in (canonical.casefold(), *ALIASES[canonical])


def _rank(header: str, canonical: str) -> int:
    return (canonical.casefold(), *ALIASES[canonical]).index(normalised(header))


@functools.lru_cache(maxsize=8192)
def normalised(header: str) -> str:
    """Return a header in lower case with underscores: ``Eval/loss`` and ``eval loss`` are ``eval_loss``."""
    return re.sub(r"[\s\-./]+", "_", header.strip()).casefold()


def _notes(headers: Sequence[str], chosen: Mapping[str, str]) -> Iterator[str]:
    renamed = [f"{name} from {shortened(header)!r}" for name, header in chosen.items() if name != header]
    if renamed:
        yield f"columns read under another name: {', '.join(renamed)}"
    if normalised(chosen.get("loss", "")) in TRAINING_LOSS:
        yield f"loss is the training loss {chosen['loss']!r}; laws are stated for the loss on held-out text"
    shadowed = [header for header in headers if header in chosen and header not in chosen.values()]
    if shadowed:
        yield f"columns left out because another column was mapped to their name: {quoted(shadowed)}"


def missing_column(source: str, canonical: str, headers: Sequence[str], taken: Sequence[str]) -> str:
    """Say that a column is not there, which headers come nearest, and how to name one."""
    free = [header for header in headers if header not in taken]
    names = (canonical.casefold(), *ALIASES[canonical])
    near = [header for header in free if difflib.get_close_matches(normalised(header), names, n=1, cutoff=0.7)]
    example = near[0] if near else "NAME"
    found = f"the nearest are {quoted(near)}" if near else f"found {quoted(list(headers))}"
    return (
        f"{source}: no column {canonical} ({MEANINGS.get(canonical, 'see the names of columns')}); {found}; "
        f"name it with columns={{{canonical!r}: {example!r}}} (--map {canonical}={example})"
        + (", or, for laws without it, name the columns they need with needs= (--needs)" if canonical in "ND" else "")
    )


def quoted(names: Sequence[str], keep: int = 12) -> str:
    """List names in quotes, the first ``keep`` of them."""
    shown = ", ".join(repr(shortened(name)) for name in names[:keep])
    return f"{shown} and {len(names) - keep} more" if len(names) > keep else shown
