"""Sampling the skills of a table: one compiled model per law and size of table, refitted with new data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import nutpie
import xarray as xr
from pytensor.configdefaults import config

from bayescale.errors import InputError
from bayescale.fits.settings import Settings
from bayescale.skills.laws import SkillLaw
from bayescale.skills.model import build_model
from bayescale.storage import content_hash

STATISTICS = ("diverging", "energy", "maxdepth_reached", "n_steps", "step_size", "logp")

_COMPILED: dict[Any, Any] = {}


def sample_skills(
    law: SkillLaw, data: Mapping[str, np.ndarray], families: int, settings: Settings, target_accept: float
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the free variables of the model (chain, draw, ...), and the sampler's statistics (chain, draw).

    Parameters
    ----------
    law : SkillLaw
        The law.
    data : mapping of str to numpy.ndarray
        What :func:`bayescale.skills.model.build_model` calls its data.
    families : int
        How many there are.
    settings : Settings
        Draws, tuning steps, chains, seed.
    target_accept : float
        How small the steps are.

    Raises
    ------
    KeyboardInterrupt
        If sampling was interrupted.
    InputError
        If no starting point has a finite density.
    """
    runs, responses = data["score"].shape
    compiled = _compiled(law, runs, responses, families)
    used = {str(key.name) for key in compiled.shared_var_keys}
    try:
        tree = nutpie.sample(
            compiled.with_data(**{name: value for name, value in data.items() if name in used}),
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            seed=settings.random_seed,
            save_warmup=False,
            progress_bar=False,
            target_accept=target_accept,
        )
    except RuntimeError as error:
        raise InputError(
            f"law '{law.name}': no starting point has a finite density ({str(error).splitlines()[0]}); look for priors "
            "that exclude the scores"
        ) from error
    free = tree["posterior"].to_dataset()
    if free.sizes["draw"] != settings.draws or free.sizes["chain"] != settings.chains:
        raise KeyboardInterrupt(f"sampling of law '{law.name}' was interrupted")
    stats = tree["sample_stats"].to_dataset()
    return free, stats[[name for name in STATISTICS if name in stats]]


def _compiled(law: SkillLaw, runs: int, responses: int, families: int) -> Any:  # noqa: ANN401  (nutpie names no type)
    """Return the compiled model, made at most once in a process; operations keep their order, as for laws of loss."""
    key = (content_hash(law.record), runs, responses, families)
    if key not in _COMPILED:
        with config.change_flags(numba__fastmath=False):
            _COMPILED[key] = nutpie.compile_pymc_model(build_model(law, runs, responses, families))
    return _COMPILED[key]
