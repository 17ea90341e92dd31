"""What each parameter of each law means, and its unit at published scale.

R is the unit of the response: nats per token for a loss. Units of coefficients follow from their exponents, so that
``R N^alpha`` is a loss times a count of parameters to the power alpha.
"""

NONE = "none"

COMMON = {
    "E": ("what no size, data or compute gets below", "R"),
    "L_inf": ("what no size, data or time gets below", "R"),
    "L_0": ("what no amount of training gets below", "R"),
    "eps_inf": ("what no amount of data gets below", "R"),
    "A": ("what the term of size adds at N = 1", "R N^alpha"),
    "B": ("what the term of data adds at D = 1", "R D^beta"),
    "K": ("what the term of compute adds at C = 1", "R C^gamma"),
    "alpha": ("how fast the term of size falls with N", NONE),
    "beta": ("how fast the term of data falls with D", NONE),
    "gamma": ("how fast loss falls with compute", NONE),
    "alpha_N": ("how fast the term of size falls with N", NONE),
    "alpha_D": ("how fast the term of data falls with D", NONE),
    "c": ("how fast it falls with D", NONE),
}

KAPLAN = {
    "A": ("N_c to the power alpha_N: what size alone gives at N = 1", "R N^alpha_N"),
    "B": ("D_c to the power alpha_D: what data alone give at D = 1", "R D^alpha_D"),
}

PRECISION = {
    "gamma_w": ("bits of the weights at which a part 1/e of the parameters is lost", "bits"),
    "gamma_a": ("the same for activations", "bits"),
    "gamma_kv": ("the same for the key-value cache", "bits"),
}

TIME = {
    "C_N": ("what the term of size adds at N = 1", "R N^alpha_N"),
    "C_t": ("what the term of time adds after one step", "R steps^alpha_t"),
}

BREAKS = {
    "a": ("what no amount of data gets below", "R"),
    "b_1": ("what is added to it at D = 1", "R"),
    "c_0": ("exponent before the first break", NONE),
    "c_1": ("change of the exponent at the first break", NONE),
    "d_1": ("place of the first break", "D"),
    "f_1": ("how gradual the first break is; smaller is sharper", NONE),
}

ROUTED = {
    "A": ("10^d: the response at one active parameter and x = 1", "R"),
    "a": ("slope on the log of active parameters", NONE),
    "b": ("slope on the log of the saturating count of experts", NONE),
    "E_start": ("what the saturating count x is for one expert: a dense model", "experts"),
    "E_max": ("what x tends to with very many experts", "experts"),
}

BY_LAW: dict[str, dict[str, tuple[str, str]]] = {
    "guo_compute": {
        "alpha": ("change of the response for each e-fold of compute; negative", "R"),
        "beta": ("the straight line's value at C = 1 FLOP", "R"),
    },
    "compute_power": {"K": ("the response at C = 1 FLOP", "R C^gamma")},
    "compute_floor": {},
    "tilt": {
        "K": ("what is added to the floor at N = D = 1", "R (N D)^gamma, delta tilting it"),
        "gamma": ("mean slope on ln N and on ln D", NONE),
        "delta": ("tilt: 0 is compute alone, above 0 parameters count for more, below 0 tokens", NONE),
    },
    "kaplan_n": KAPLAN,
    "kaplan_nd": KAPLAN,
    "kaplan_d": KAPLAN,
    "kaplan_ns": {
        "A": KAPLAN["A"],
        "B": ("S_c to the power alpha_S: what steps add after one", "R steps^alpha_S"),
        "alpha_S": ("how fast the term of steps falls", NONE),
    },
    "chinchilla": {},
    "data_constrained": {
        "R_D": ("repeats after which 1 - 1/e of all that repeating can give has come; R_D* in the paper", "repeats"),
        "R_N": ("the same for parameters beyond the best size of the distinct tokens; R_N* in the paper", NONE),
    },
    "moe_granular": {
        "c": ("what no size or data gets below", "R"),
        "a": ("what the term of size adds at N = 1 with endless granularity", "R N^alpha"),
        "b": ("what the term of data adds at D = 1", "R D^beta"),
        "g": ("what granularity 1 adds to it", "R N^alpha"),
        "gamma": ("how fast that falls with granularity", NONE),
    },
    "datastore": {
        "B": ("what the term of data adds at D = 1 without a datastore", "R D^beta"),
        "rho": ("training tokens that one token of the datastore is worth", NONE),
    },
    "dmft": {
        **TIME,
        "a_above_1": ("a - 1, where a is the decay of the task's power along the features", NONE),
        "b_above_1": ("b - 1, where b is the decay of the features' eigenvalues", NONE),
    },
    "time_size": {**TIME, "alpha_t": ("how fast the term of time falls with steps", NONE)},
    "adaptive_shape": {
        "a": ("what compute removes, at C + d = 1 FLOP", "R C^b"),
        "b": ("how fast the response falls with compute", NONE),
        "c": ("what no compute gets below", "R"),
        "d": ("compute that the curve is shifted by, so that it is finite at C = 0", "C"),
    },
    "droppo_elibol": {
        "A": ("N_C to the power alpha_N: what size alone gives at N = 1", "R N^alpha_N"),
        "B": ("D_C to the power alpha_D: what data alone give at D = 1", "R D^alpha_D"),
        "alpha": ("how the three parts are joined", NONE),
    },
    "ensemble": {
        "V": ("variance that averaging removes, at one member of N = 1", "R N^v"),
        "v": ("how fast that variance falls with N", NONE),
    },
    "compress": {
        "K": ("price of compression at N = 1", "R N^kappa"),
        "kappa": ("how fast that price falls with N", NONE),
        "lam": ("how fast it grows with 1 / kept", NONE),
    },
    "overtrain": {
        "A": ("what the term of size adds at N = 1", "R N^(2 eta)"),
        "B": ("what the term of data adds at D = 1", "R D^(2 eta)"),
        "eta": ("half the exponent that size and data share", NONE),
    },
    "loss_to_error": {
        "epsilon": ("error of a model that knows nothing", "R"),
        "learnt": ("part of epsilon that is gone at a loss of one; may exceed 1 at published scale", NONE),
        "gamma": ("how fast error rises with loss", "1 / nat"),
    },
    "bnsl": BREAKS,
    "bnsl_two": {
        **BREAKS,
        "c_2": ("change of the exponent at the second break", NONE),
        "gap": ("e-folds of D from the first break to the second", NONE),
        "f_2": ("how gradual the second break is", NONE),
    },
    "m1": {"beta": ("the response at D = 1", "R D^c")},
    "m2": {"beta": ("what is added to it at D = 1", "R D^c")},
    "m3": {
        "beta": ("the response where 1 / D + gamma is one", "R D^c"),
        "gamma": ("one over the amount of data beyond which more is of no use", "1 / D"),
    },
    "m4": {
        "amount": ("what is added at D = 1, far below the start of learning", "R D^c"),
        "alpha": ("how the curve leaves its start; 0 is m2", NONE),
        "span": ("response before training, less eps_inf", "R"),
    },
    "routed": {**ROUTED, "c": ("how both slopes change together", NONE)},
    "routed_separable": ROUTED,
    "vocabulary": {
        "E": ("gain that is left to any size, vocabulary and data", "R"),
        "A_1": ("gain that a finite size costs, at N = 1", "R N^alpha_1"),
        "A_2": ("gain that a finite embedding costs, at one embedding parameter", "R (vocabulary width)^alpha_2"),
        "B": ("gain that finite data cost, at D = 1", "R D^beta"),
        "alpha_1": ("how fast the term of size falls with N", NONE),
        "alpha_2": ("how fast the term of the embedding falls with its parameters", NONE),
    },
    "precision": PRECISION,
    "precision_post": {
        **PRECISION,
        "C_1": ("what quantising to one bit adds at N = D = 1", "R N^gamma_N / D^gamma_D"),
        "gamma_D": ("how fast the damage grows with D", NONE),
        "gamma_N": ("how fast the damage falls with N", NONE),
        "gamma_post": ("bits after training that bring the damage down by a factor e", "bits"),
    },
    "lr_anneal": {
        "A": ("what is added at a sum of learning rates of 1", "R lr_sum^alpha"),
        "alpha": ("how fast that falls with the sum", NONE),
        "C": ("what one unit of the annealing area takes off", "R / lr_drop"),
    },
    "multi_power": {
        "A": ("what is added at a sum of learning rates of 1", "R lr_sum^alpha"),
        "alpha": ("how fast that falls with the sum", NONE),
        "B": ("what a fall of the rate by 1 takes off in the end", "R / lr_fall"),
        "C": ("how soon the gain of a fall comes", "rate^gamma / since"),
        "beta": ("how fast the rest of that gain dies out", NONE),
        "gamma": ("how much less a sum of rates since counts at a high rate", NONE),
    },
    "farseer": {
        "floor": ("what no amount of data gets below, at N = N_0", "R"),
        "amplitude": ("what is added to it at N = N_0 and D = D_0", "R"),
        "exponent": ("how fast that falls with D, at N = N_0", NONE),
        "floor_slope": ("slope of ln floor on ln N at N_0", NONE),
        "amplitude_slope": ("slope of ln amplitude on ln N at N_0", NONE),
        "exponent_slope": ("slope of ln exponent on ln N at N_0", NONE),
        "q": ("how the floor's slope bends", NONE),
        "b": ("how the amplitude's slope bends", NONE),
        "a": ("how the exponent's slope bends", NONE),
        "N_0": ("size at which the others are stated; not learnt", "N"),
        "D_0": ("data at which the others are stated; not learnt", "D"),
    },
    "isoflop": {
        "K": ("what the best size of a budget adds to the floor, at N D = 1", "R (N D)^gamma"),
        "gamma": ("how fast that falls with N D", NONE),
        "a": ("how fast the best size grows with N D", NONE),
        "G": ("best size at N D = 1", "N / (N D)^a"),
        "alpha": ("how fast what a wrong size adds grows with smaller N, along a slice", NONE),
        "beta": ("the same with larger N", NONE),
        "span": ("what a wrong size adds at most", "R"),
    },
    "nonembedding": {
        "A": ("what the term of size adds at one parameter in all", "R N^alpha"),
        "alpha": ("how fast that falls with all parameters", NONE),
        "omega": ("embedding parameters for each N^(1/3)", "N^(2/3)"),
    },
    "bounded": {
        "A": ("what the term of size adds at N = 1, far below the start of learning", "R N^alpha"),
        "B": ("the same for data at D = 1", "R D^beta"),
        "K": ("price of too many parameters for the distinct tokens, at N = unique_tokens = 1", "R U^delta / N^gamma"),
        "gamma": ("how fast that price grows with N", NONE),
        "delta": ("how fast it falls with unique_tokens", NONE),
        "span": ("loss of a model that has learnt nothing, less E", "R"),
    },
    "three_term": {
        "B": ("what the term of steps adds after one", "R steps^beta"),
        "beta": ("how fast the term of steps falls", NONE),
        "K": ("what the term of the batch adds at one token", "R batch^gamma"),
        "gamma": ("how fast the term of the batch falls", NONE),
    },
}


def meaning(law: str, parameter: str) -> tuple[str, str]:
    """Return what a parameter means, and its unit at published scale."""
    return BY_LAW.get(law, {}).get(parameter) or COMMON[parameter]
