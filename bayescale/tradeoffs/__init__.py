"""Decisions that go with a law: optima, exchange rates and crossovers, for every posterior draw at once.

Each function takes the parameters of a law at published scale, as ``bs.published_draws(fit)`` or
``bs.LAWS[name].published[source]`` give them, and returns arrays with one entry for each draw.

Budgets are spent as the paper's law counts, mostly 6 N D. Functions with an argument ``cost`` also take what a token
costs in the runs of a fit, ``fit.draws.cost``; verbs that take a fit, such as ``bs.allocate``, use it by themselves.
"""

from bayescale.laws.costs import datastore_flops, expert_flops, precision_flops
from bayescale.schedules import learning_rate_pieces
from bayescale.tradeoffs.bridge import (
    ExponentLimits,
    compute_for_size,
    exponent_limits,
    fitted_exponent,
    local_exponent,
    total_parameters,
)
from bayescale.tradeoffs.compression import CompressedModel, best_compressed
from bayescale.tradeoffs.critical_batch import (
    KaplanExponents,
    KaplanRun,
    StepsSplit,
    best_kaplan_run,
    critical_batch_size,
    kaplan_exponents,
    kaplan_run,
    least_compute,
    least_steps,
    least_tokens,
)
from bayescale.tradeoffs.datastore import (
    DatastoreSplit,
    DatastoreWorth,
    best_datastore,
    datastore_threshold,
    datastore_worth,
)
from bayescale.tradeoffs.ensembles import EnsembleChoice, EnsembleCrossover, ensemble_crossover, share_among_members
from bayescale.tradeoffs.moe import Experts, active_parameters, best_experts
from bayescale.tradeoffs.overtraining import best_multiplier, error_from_loss, overtrained_loss
from bayescale.tradeoffs.precision_tradeoffs import (
    BestBits,
    best_bits,
    effective_precision_parameters,
    harmful_tokens,
    quantisation_damage,
)
from bayescale.tradeoffs.repetition import RepeatedSplit, best_repetition, effective_tokens, epoch_worth
from bayescale.tradeoffs.routing import cutoff_size, effective_parameters, saturating_experts
from bayescale.tradeoffs.schedules import MULTI_POWER, LearningRateColumns, learning_rate_columns, multi_power_loss
from bayescale.tradeoffs.serving import (
    ServingChoice,
    best_for_serving,
    compute_optimal_loss,
    lifetime_flops,
    revealed_served_tokens,
    tokens_for_loss,
)
from bayescale.tradeoffs.shapes import ShapeCompute, ShapeSwitch, adaptive_compute, compute_to_reach, switch_shape
from bayescale.tradeoffs.spectrum import SpectrumExponents, TimeSplit, best_steps, spectrum_exponents
from bayescale.tradeoffs.vocabularies import (
    VocabularyChoice,
    best_vocabulary,
    derivative_vocabulary,
    isoflop_budget,
    isoflop_vocabulary,
    tokens_per_character,
)

__all__ = [
    "MULTI_POWER",
    "BestBits",
    "CompressedModel",
    "DatastoreSplit",
    "DatastoreWorth",
    "EnsembleChoice",
    "EnsembleCrossover",
    "Experts",
    "ExponentLimits",
    "KaplanExponents",
    "KaplanRun",
    "LearningRateColumns",
    "RepeatedSplit",
    "ServingChoice",
    "ShapeCompute",
    "ShapeSwitch",
    "SpectrumExponents",
    "StepsSplit",
    "TimeSplit",
    "VocabularyChoice",
    "active_parameters",
    "adaptive_compute",
    "best_bits",
    "best_compressed",
    "best_datastore",
    "best_experts",
    "best_for_serving",
    "best_kaplan_run",
    "best_multiplier",
    "best_repetition",
    "best_steps",
    "best_vocabulary",
    "compute_for_size",
    "compute_optimal_loss",
    "compute_to_reach",
    "critical_batch_size",
    "cutoff_size",
    "datastore_flops",
    "datastore_threshold",
    "datastore_worth",
    "derivative_vocabulary",
    "effective_parameters",
    "effective_precision_parameters",
    "effective_tokens",
    "ensemble_crossover",
    "epoch_worth",
    "error_from_loss",
    "expert_flops",
    "exponent_limits",
    "fitted_exponent",
    "harmful_tokens",
    "isoflop_budget",
    "isoflop_vocabulary",
    "kaplan_exponents",
    "kaplan_run",
    "learning_rate_columns",
    "learning_rate_pieces",
    "least_compute",
    "least_steps",
    "least_tokens",
    "lifetime_flops",
    "local_exponent",
    "multi_power_loss",
    "overtrained_loss",
    "precision_flops",
    "quantisation_damage",
    "revealed_served_tokens",
    "saturating_experts",
    "share_among_members",
    "spectrum_exponents",
    "switch_shape",
    "tokens_for_loss",
    "tokens_per_character",
    "total_parameters",
]
