"""Versions that decide a posterior's digits."""

import functools
import hashlib
from importlib.metadata import version
from pathlib import Path


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of bayescale and of the libraries that sample, without importing them.

    ``model`` is a hash of the modules that define the posterior and how it is sampled, so that a fit kept
    from before a change of theirs is never taken for one after it.
    """
    packages = ("bayescale", "pymc", "pytensor", "nutpie", "arviz", "numpy", "scipy")
    modules = (
        "laws/law.py",
        "laws/priors.py",
        "laws/scales.py",
        "fits/model.py",
        "fits/sampling.py",
        "fits/diagnostics.py",
        "fits/loo.py",
        "fits/discrepancy.py",
    )
    return {name: version(name) for name in packages} | {"model": source_hash(*modules)}


def source_hash(*modules: str) -> str:
    """Return a hash of the source of modules, named by their paths in the package."""
    source = b"".join((Path(__file__).parents[1] / name).read_bytes() for name in modules)
    return hashlib.sha256(source).hexdigest()[:12]
