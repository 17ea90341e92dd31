"""Sampling the skills of a table: one compiled model per law and size of table, refitted with new data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayescale.fits.sampler import compile_model, run_sampler, with_used
from bayescale.fits.settings import Settings
from bayescale.skills.laws import SkillLaw
from bayescale.skills.model import build_model
from bayescale.storage import content_hash

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
    return run_sampler(
        with_used(_compiled(law, runs, responses, families), data),
        settings,
        what=f"law '{law.name}'",
        remedy="look for priors that exclude the scores",
        target_accept=target_accept,
    )


def _compiled(law: SkillLaw, runs: int, responses: int, families: int) -> Any:  # noqa: ANN401  (nutpie names no type)
    """Return the compiled model, made at most once in a process."""
    key = (content_hash(law.record), runs, responses, families)
    if key not in _COMPILED:
        _COMPILED[key] = compile_model(build_model(law, runs, responses, families))
    return _COMPILED[key]
