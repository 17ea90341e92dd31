"""simulate: tables of runs from a law with known truth."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.laws import Law, get_law
from bayescale.runs import RunTable
from bayescale.runs.frames import Frame, to_pandas
from bayescale.words import typed

NU = 8.0
SIGMA = 0.005
"""Scale of the noise on log response: robust scale of the residuals of the Chinchilla runs (Besiroglu et al. 2024)."""


@checks.kinds
def simulate(
    design: Frame,
    law: str | Law,
    parameters: str | Mapping[str, float] | None = None,
    *,
    sigma: float = SIGMA,
    nu: float = NU,
    response: str | None = None,
    random_seed: int = 0,
) -> RunTable:
    """Simulate a table of runs from a law: ``log(response) ~ StudentT(nu, log(law), sigma)``.

    Parameters
    ----------
    design : DataFrame, table or mapping
        Of pandas, polars or pyarrow, or a dict of columns: the columns that the law needs, in counts, one row for each
        run; further columns are kept.
    law : str or Law
        A law by name, or a law of your own.
    parameters : str or mapping of str to float, optional
        Parameters at published scale, or the source of a published set; by default the first published set.
    sigma : float
        Scale of the noise on log response; 0 for none.
    nu : float
        Degrees of freedom of the noise, above 2.
    response : str, optional
        Response column; by default the one that the published values are for.
    random_seed : int
        The same seed gives the same table.

    Returns
    -------
    RunTable
        Named after the law; its record holds the truth, as JSON under ``truth``.

    Raises
    ------
    InputError
        If the design lacks a column, the parameters are not those of the law, or the law is not positive there.
    """
    law, design = get_law(law), to_pandas("design", design)
    truth = _truth(law, parameters)
    missing = [name for name in law.covariates if name not in design]
    if missing:
        raise InputError(f"law '{law.name}' needs {', '.join(missing)}; the design has {', '.join(map(str, design))}")
    if sigma < 0 or nu <= 2:
        raise InputError(
            f"sigma is {typed(sigma, 6)} and nu {typed(nu, 6)}; expected sigma of at least 0 and nu above 2"
        )
    values = np.asarray(law.loss(**{name: design[name].to_numpy(dtype=float) for name in law.covariates}, **truth))
    if not (np.isfinite(values) & (values > 0)).all():
        raise InputError(f"law '{law.name}' is not positive and finite at every run of the design; change the truth")
    noise = sigma * np.random.default_rng(random_seed).standard_t(nu, size=len(design))
    column = response or (law.published_response if law.published_response in law.responses else law.responses[0])
    frame = design.reset_index(drop=True).assign(**{column: values * np.exp(noise)})
    record = {"title": f"simulated from {law.name}", "truth": json.dumps({**truth, "sigma": sigma, "nu": nu})}
    return RunTable.from_frame(
        frame, name=f"simulated {law.name}", response=column, needs=_varying(law, frame), record=record
    )


def _truth(law: Law, parameters: str | Mapping[str, float] | None) -> dict[str, float]:
    if isinstance(parameters, Mapping):
        if set(parameters) != set(law.parameters):
            raise InputError(
                f"law '{law.name}' has the parameters {', '.join(law.parameters)}; found {', '.join(parameters)}"
            )
        return {name: float(parameters[name]) for name in law.parameters}
    source = parameters or next(iter(law.published), "")
    if source not in law.published:
        known = ", ".join(map(repr, law.published)) or "none"
        asked = f" of {source!r}" if source else ""
        raise InputError(
            f"law '{law.name}' has no published values{asked} ({known}); pass parameters={{name: value}} for "
            f"{', '.join(law.parameters)}, at published scale"
        )
    return dict(law.published[source])


def _varying(law: Law, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the law's columns that vary: a design may hold one fixed, and learn nothing of it."""
    return tuple(name for name in law.covariates if name != "C" and frame[name].min() < frame[name].max())
