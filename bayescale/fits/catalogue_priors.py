"""What public tables know of a law's parameters, as priors."""

import functools
import json
from collections.abc import Mapping
from typing import Any

from bayescale.catalogue import data_dir
from bayescale.errors import InputError
from bayescale.laws import Law, Prior, Share

FILE = "catalogue-priors.json"


def catalogue_priors(law: Law) -> dict[str, Prior | Share]:
    """Return the population of a law's parameters over public tables, as priors at reference scale.

    Parameters
    ----------
    law : Law
        A law of the file that ships, which benchmarks/catalogue_priors.py wrote and which names its tables.

    Returns
    -------
    dict of str to Prior or Share
        One for each parameter of which tables know more than the law's own prior.

    Raises
    ------
    InputError
        If no population of this law ships.
    """
    known = _record()["laws"]
    if law.name not in known:
        raise InputError(
            f"law '{law.name}' has no priors from the catalogue, which are of {', '.join(known)}; leave priors out, or "
            "pass priors={name: Prior(...)} of your own"
        )
    return {name: _as_prior(entry) for name, entry in known[law.name].items()}


def _as_prior(entry: Mapping[str, Any]) -> Prior | Share:
    if "share" in entry:
        return Share(entry["share"])
    return Prior(entry["family"], {name: value for name, value in entry.items() if name != "family"})


@functools.cache
def _record() -> dict[str, Any]:
    return dict(json.loads((data_dir() / FILE).read_text(encoding="utf-8")))
