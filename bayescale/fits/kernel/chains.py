"""Chains of nutpie's sampler over machine code, given to it by address.

nutpie's Python side imports ArviZ and its plots, which takes longer than sampling does; only its compiled library is
loaded here. The names of that library are private to nutpie: ``NAMES`` lists those that are used, and where one is
missing the law is left to PyMC (docs/decisions/0021-fast-path.md).
"""

import ctypes
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import PathFinder
from typing import Any

import numpy as np
import xarray as xr

from bayescale.fits.kernel.code import NoMachineCode, Program
from bayescale.fits.kernel.density import Density
from bayescale.fits.settings import Settings

LIBRARY = "nutpie._lib"
NAMES = (
    "ExpandFunc",
    "LogpFunc",
    "ProgressType",
    "PyMcModel",
    "PyNutsSettings",
    "PySampler",
    "PyStorage",
    "PyVariable",
)
STATISTICS = ("diverging", "energy", "maxdepth_reached", "n_steps", "step_size", "logp")
"""What is kept of what the sampler says of its draws."""

JITTER = 1.0
"""Chains begin this far around the middle of the prior, on the scale of the sampler, as PyMC's do."""

_CALL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)


@dataclass(frozen=True)
class Bound:
    """A law's machine code and the data of one table.

    Attributes
    ----------
    density : Density
        Names of the free variables, and where chains begin.
    program : Program
        The machine code.
    data : numpy.ndarray
        The table, as the code takes it.
    """

    density: Density
    program: Program
    data: np.ndarray

    def log_density(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density and its gradient at a point on the scale of the sampler (variable,)."""
        x = np.ascontiguousarray(point, dtype=float)
        slopes, value = np.empty_like(x), np.empty(1)
        self._function(x.size, *(each.ctypes.data for each in (x, slopes, value, self.data)))
        return float(value[0]), slopes

    @cached_property
    def _function(self) -> Any:  # noqa: ANN401  (a C function)
        return _CALL(self.program.density)

    def sample(self, settings: Settings, *, target_accept: float, adaptation: str) -> tuple[xr.Dataset, xr.Dataset]:
        """Return free variables and ``STATISTICS`` of the sampler (chain, draw).

        Raises
        ------
        KeyboardInterrupt
            If sampling was interrupted.
        RuntimeError
            If no starting point has a finite density.
        """
        library = sampler_library()
        kinds = {"low_rank": library.PyNutsSettings.LowRank, "diag": library.PyNutsSettings.Diag}
        asked = kinds[adaptation](settings.random_seed)
        sizes = {"num_tune": settings.tune, "num_draws": settings.draws, "num_chains": settings.chains}
        asked.update({**sizes, "target_accept": target_accept})
        cores = min(settings.chains, _processors())
        silent, kept = library.ProgressType.none(), library.PyStorage.arrow()
        sampler = library.PySampler.from_pymc(asked, cores, self._model(library), silent, None, 100, kept)
        try:
            sampler.wait(None)
        except BaseException:
            sampler.abort()
            raise
        points, statistics = sampler.take_results().get_arrow_trace()
        return self._free(_joined(points, self.density.names, settings)), _joined(statistics, STATISTICS, settings)

    def _model(self, library: Any) -> Any:  # noqa: ANN401  (nutpie's)
        names, count, where = list(self.density.names), len(self.density.names), self.data.ctypes.data
        return library.PyMcModel(
            library.LogpFunc(self.program.density, where, self),
            library.ExpandFunc(count, count, self.program.unchanged, where, self),
            library.PyVariable.new_variables(names, ["float64"] * count, [()] * count, {}, {}),
            count,
            {},
            {},
            self._start,
            _no_flow,
        )

    def _start(self, seed: int) -> np.ndarray:
        middle = np.array(self.density.middle)
        return middle + np.random.default_rng(seed).uniform(-JITTER, JITTER, middle.size)

    def _free(self, points: xr.Dataset) -> xr.Dataset:
        """Return the free variables themselves."""
        at = {name: points[name].to_numpy() for name in self.density.names}
        return points.assign({name: (("chain", "draw"), values) for name, values in self.density.free(at).items()})


def _no_flow(*_: object, **__: object) -> object:
    raise NotImplementedError("machine code has no normalising flow")


def _processors() -> int:
    count = getattr(os, "process_cpu_count", os.cpu_count)  # of Python 3.13
    return count() or 1


def _joined(batches: Sequence[Any], names: Sequence[str], settings: Settings) -> xr.Dataset:
    """Return what chains have kept after their tuning steps (chain, draw)."""
    if any(batch.num_rows != settings.tune + settings.draws for batch in batches):
        raise KeyboardInterrupt("sampling was interrupted")
    kept = {
        name: (("chain", "draw"), np.stack([np.asarray(batch.column(name))[settings.tune :] for batch in batches]))
        for name in names
    }
    return xr.Dataset(kept, coords={"chain": np.arange(len(batches)), "draw": np.arange(settings.draws)})


def sampler_library() -> Any:  # noqa: ANN401  (nutpie's compiled library)
    """Return nutpie's compiled library, without its Python side where that is not loaded yet.

    Raises
    ------
    NoMachineCode
        If it lacks one of ``NAMES``.
    """
    found = sys.modules.get(LIBRARY) or _loaded()
    if found is None or any(not hasattr(found, name) for name in NAMES):
        raise NoMachineCode("the installed nutpie has another interface to machine code than the one known here")
    return found


def _loaded() -> Any:  # noqa: ANN401  (as above)
    package = importlib.util.find_spec("nutpie")
    places = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec(LIBRARY, places) if places else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[LIBRARY] = module
    return module
