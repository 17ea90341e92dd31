"""The sampler: machine code or a PyMC model is drawn from by nutpie, in one way for laws, skills and responses."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bayescale.errors import InputError
from bayescale.fits.kernel import Bound, Kernel
from bayescale.fits.kernel.chains import STATISTICS
from bayescale.fits.settings import Settings


def compile_model(model: Any) -> Any:  # noqa: ANN401  (nutpie names no public type)
    """Return a PyMC model compiled for the sampler.

    Floating-point operations keep their order. Numba would otherwise order them by what it can inline, which depends
    on what was compiled before: the same seed then gave other draws the second time.
    """
    import nutpie  # noqa: PLC0415  (imports ArviZ and its plots)
    from pytensor.configdefaults import config  # noqa: PLC0415  (imports PyTensor)

    # PyTensor keeps the source of whatever it compiles: a score of files for each law, in the system's folder for
    # temporary files unless told otherwise, and there for ever. In a folder of its own they are named by content, and
    # pruned by age.
    if getattr(config, "generated_src_dir", None) == "":
        config.generated_src_dir = str(Path(config.compiledir) / "generated_src")
    with config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(model)


def with_used(compiled: Any, data: Mapping[str, np.ndarray]) -> Any:  # noqa: ANN401  (nutpie names no public type)
    """Return a compiled model, or machine code, with those of the data that it uses."""
    if isinstance(compiled, Kernel):
        return compiled.with_data(data)
    used = {str(key.name) for key in compiled.shared_var_keys}
    return compiled.with_data(**{name: value for name, value in data.items() if name in used})


def run_sampler(
    compiled: Any,  # noqa: ANN401  (nutpie names no public type)
    settings: Settings,
    *,
    what: str,
    remedy: str,
    target_accept: float,
    adaptation: str = "diag",
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the free variables of a compiled model (chain, draw, ...), and the sampler's statistics (chain, draw).

    Parameters
    ----------
    compiled : nutpie.sample.CompiledModel or Bound
        With its data.
    settings : Settings
        Draws, tuning steps, chains, seed.
    what : str
        What is sampled, for messages.
    remedy : str
        What to do where no starting point has a finite density.
    target_accept : float
        How small the steps are.
    adaptation : str
        How the sampler learns the shape of the posterior.

    Raises
    ------
    KeyboardInterrupt
        If sampling was interrupted; the sampler itself returns what it has without a word.
    InputError
        If no starting point has a finite density.
    """
    sample = compiled.sample if isinstance(compiled, Bound) else functools.partial(_by_nutpie, compiled)
    try:
        free, stats = sample(settings, target_accept=target_accept, adaptation=adaptation)
    except RuntimeError as error:
        raise InputError(
            f"{what}: no starting point has a finite density ({str(error).splitlines()[0]}); {remedy}"
        ) from error
    sizes = {name: free.sizes[name] for name in ("chain", "draw")}
    if sizes != {"chain": settings.chains, "draw": settings.draws} or not _all_finite(free):
        raise KeyboardInterrupt(f"sampling of {what} was interrupted")
    return free, stats[[name for name in STATISTICS if name in stats]]


def _by_nutpie(
    compiled: Any,  # noqa: ANN401  (nutpie names no public type)
    settings: Settings,
    *,
    target_accept: float,
    adaptation: str,
) -> tuple[xr.Dataset, xr.Dataset]:
    import nutpie  # noqa: PLC0415  (imports ArviZ and its plots)

    tree = nutpie.sample(
        compiled,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        seed=settings.random_seed,
        save_warmup=False,
        progress_bar=False,
        adaptation=adaptation,
        target_accept=target_accept,
    )
    return tree["posterior"].to_dataset(), tree["sample_stats"].to_dataset()


def _all_finite(dataset: xr.Dataset) -> bool:
    return all(bool(np.isfinite(values).all()) for values in dataset.values())
