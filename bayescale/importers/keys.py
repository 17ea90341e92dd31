"""Under which keys trackers keep parameters, tokens and losses, and which of several to take."""

import re
from collections.abc import Sequence

from bayescale.importers.base import TrackedRun, as_number
from bayescale.runs.grammar import metric_of
from bayescale.runs.headers import normalised

SECTIONS = ("model", "config", "train", "training", "trainer", "args", "hparams", "params")
"""What may stand before a key: ``model/num_parameters``, ``train/num_input_tokens_seen``."""

PARAMETERS = (
    "n",
    "num_parameters",
    "n_parameters",
    "total_parameters",
    "num_params",
    "n_params",
    "total_params",
    "parameters",
    "params",
    "model_size",
)
TOKENS_SEEN = (
    "d",
    "num_input_tokens_seen",
    "num_tokens_seen",
    "total_tokens_seen",
    "tokens_seen",
    "consumed_tokens",
    "n_tokens_seen",
)
TOKENS_PLANNED = (
    "tokens",
    "training_tokens",
    "train_tokens",
    "num_tokens",
    "n_tokens",
    "total_tokens",
    "num_train_tokens",
)
EVALUATION = re.compile(r"(eval|val|valid|validation|heldout|test)_(\w+_)?loss|lm_loss_validation|loss_(eval|val|test)")
EVALUATION_FIRST = ("eval_loss", "val_loss", "valid_loss", "validation_loss", "heldout_loss", "test_loss")
TRAINING = ("train/loss", "loss", "train_loss", "training_loss", "lm_loss", "train_lm_loss", "train_loss_step")
LEARNING_RATE = re.compile(r"(train_|training_|optim_|optimizer_)?(learning_rate|lr)(_\w+)?")
PEAK_RATE = ("max_lr", "max_learning_rate", "peak_lr", "peak_learning_rate", "learning_rate", "lr")
LAST_RATE = ("train/learning_rate", "train/lr", "lr")
STEPS_PLANNED = ("max_steps", "total_steps", "num_train_steps", "max_iters", "train_iters")
STEPS_DONE = ("global_step", "train/global_step", "trainer/global_step")


def all_keys(runs: Sequence[TrackedRun]) -> list[str]:
    """Return the keys of all runs, each once, in the order of the runs."""
    return list(dict.fromkeys(key for run in runs for key in run.keys))


def ranked(keys: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the keys that bear one of the names, in the order of the names; sections before them do not count."""
    found = {key: rank for key in keys if (rank := _rank(key, names)) is not None}
    return sorted(found, key=found.__getitem__)


def _rank(key: str, names: Sequence[str]) -> int | None:
    word = normalised(key)
    section, _, rest = word.partition("_")
    candidates = (key, word, rest) if section in SECTIONS else (key, word)
    return next((names.index(candidate) for candidate in candidates if candidate in names), None)


def counted(runs: Sequence[TrackedRun], names: Sequence[str]) -> list[str]:
    """Return the keys with one of these names that hold a number above zero in some run."""
    return [
        key for key in ranked(all_keys(runs), names) if any((as_number(run.value(key)) or 0.0) > 0.0 for run in runs)
    ]


def evaluation_keys(keys: Sequence[str]) -> list[str]:
    """Return the keys of losses on held-out text: the usual ones in their order, else all that look like one."""
    usual = ranked(keys, EVALUATION_FIRST)
    named = [key for key in keys if EVALUATION.fullmatch(normalised(key))]
    return usual[:1] or named or [key for key in keys if (metric := metric_of(key)) and metric.data == "held out"]


def is_training_loss(key: str) -> bool:
    """Tell a loss on the batches that are trained on."""
    return key in TRAINING or normalised(key) in TRAINING
