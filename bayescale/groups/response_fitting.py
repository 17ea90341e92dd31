"""fit_responses: several responses of the same runs in one model, with the effect of each run on all of them."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.diagnostics import Diagnostics, diagnose, diagnostics_from_record
from bayescale.fits.progress import waiting_for
from bayescale.fits.sealing import check_seal, seal
from bayescale.fits.settings import Settings
from bayescale.fits.versions import source_hash, versions
from bayescale.groups.coordinates import over_typical, place
from bayescale.groups.responses import FEWEST_ITEMS, TRENDS, Cells, Response, cells_of
from bayescale.laws import Law, get_law, law_record
from bayescale.runs import Runs
from bayescale.storage import cache_dir, content_hash, kept_if_possible, write_whole
from bayescale.values import Value

ACCEPT = (0.9, 0.99)
"""Target acceptance of the first attempt, and of the second with twice the draws."""

MOST_ROWS = 2_000
"""Rows beyond which sampling would take too long: each has an effect of its own."""


@dataclass(frozen=True, eq=False, repr=False)
class ResponseFit(Value):
    """Several responses of the same runs under one model.

    Attributes
    ----------
    name : str
        Of the table.
    law : Law or None
        The law that responses share; None of a trend.
    form : str
        ``law``, ``share`` or ``number``.
    responses : tuple of Response
        The responses, in the order of dimension ``group``.
    cells : Cells
        What was measured.
    typical : mapping of str to numpy.ndarray
        Reference values: ``x``, the mean log10 of compute (natural log of tokens, of a law) that curves are centred
        at; of the law's columns; ``center`` and ``scale`` of each response (group,).
    posterior : xarray.Dataset
        Parameters of groups and of runs (chain, draw, ...).
    diagnostics : Diagnostics
        Result of the diagnostics gate.
    """

    name: str
    law: Law | None
    form: str
    responses: tuple[Response, ...]
    cells: Cells
    typical: Mapping[str, np.ndarray]
    posterior: xr.Dataset
    diagnostics: Diagnostics

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups."""
        return tuple(each.name for each in self.responses)

    def curves(self, columns: Mapping[str, np.ndarray], *, most: int | None = None) -> np.ndarray:
        """Return every response for runs like these, without noise or the effect of single runs.

        Parameters
        ----------
        columns : mapping of str to numpy.ndarray
            N, D and C of each point, in counts; those that the law needs, and C (point,).
        most : int, optional
            Draws that are enough, evenly taken; all of them by default.

        Returns
        -------
        numpy.ndarray
            In the response's unit (draw, group, point).
        """
        count = self.posterior.sizes["chain"] * self.posterior.sizes["draw"]
        kept = np.linspace(0, count - 1, min(count, most or count)).astype(int)
        draws = {
            str(name): values.to_numpy().reshape(-1, values.shape[-1])[kept, :, None]
            for name, values in self.posterior.items()
            if values.dims[2:] == ("group",)
        }
        x = self.progress(columns)
        if self.law is not None:
            own = {name: draws[f"{name}_group"] for name in self.law.parameters}
            scaled = {name: np.asarray(columns[name], dtype=float) / self.typical[name] for name in self.law.covariates}
            ratio = over_typical(self.law, scaled, own)
            values = np.maximum(draws["level"] * ratio + draws["turn_group"] * x, 1e-6)
            return np.asarray(values * self.typical["scale"][:, None])
        score = draws["level"] + draws["slope"] * x + draws["bend"] * x**2
        if self.form == "number":
            return np.asarray(self.typical["center"][:, None] + self.typical["scale"][:, None] * score)
        low, high = (np.array([getattr(each, end) for each in self.responses])[:, None] for end in ("floor", "ceiling"))
        return np.asarray(low + (high - low) / (1 + np.exp(-score)))

    def progress(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return what curves are bent in: centred ln D of a law that has it, else centred ln C; log10 C of a trend."""
        return np.asarray(_progress(self.law, columns) - self.typical["x"])

    def _lines(self) -> list[str]:
        state = "diagnostics passed" if self.diagnostics.passed else "diagnostics FAILED"
        what = self.law.name if self.law else f"trend of a {self.form}"
        rows = self.cells.units.size
        return [f"{what} of {len(self.responses)} responses of {rows} rows of {self.name} ({state})"]


def _progress(law: Law | None, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    if law is None:
        return np.log10(np.asarray(columns["C"], dtype=float))
    return np.log(np.asarray(columns["D" if "D" in law.covariates else "C"], dtype=float))


@checks.kinds
def fit_responses(
    runs: Runs,
    responses: Sequence[str | Response],
    law: str | Law = "chinchilla",
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    random_seed: int = 0,
    cache: bool = True,
    progress: bool = True,
) -> ResponseFit:
    """Fit several responses of the same runs in one model: groups, domains, languages or metrics.

    Every response has a curve of its own, drawn to the others. A run has one effect on all its responses, so gaps
    between groups are far better known than their levels; where several rows come from one training run, it has an
    effect on each response as well, so that checkpoints do not count as runs. Each response has noise of its own, on
    top of the standard errors that are given.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        One row for each run or checkpoint, with N and D or C, and a column for each response; missing cells are no
        matter. ``training_run`` names the run of a checkpoint.
    responses : sequence of str or Response
        Columns; a :class:`~bayescale.groups.Response` says which direction is better, and what is known of its
        errors.
    law : str or Law
        A law, of losses: ``level_g * law_g / law_g(typical run) + turn_g * ln(D / typical D)``, in which only ``turn``
        can turn a curve round; parameters of a group are drawn to those of all. ``share``: a share of items, ``floor +
        (ceiling - floor) * sigmoid(level_g + slope_g x + bend_g x^2)`` with x the log10 of compute. ``number``: any
        number, ``level_g + slope_g x + bend_g x^2``.
    draws, tune, chains, random_seed, cache, progress
        As for :func:`bayescale.fit`.

    Returns
    -------
    ResponseFit
        With ``diagnostics.passed`` False where sampling is doubtful.

    Raises
    ------
    InputError
        If there are fewer than two responses, a column is missing or no number, or values do not suit the law.
    """
    chosen = tuple(Response(each) if isinstance(each, str) else each for each in responses)
    if len(chosen) < 2 or len({each.column for each in chosen}) < len(chosen):
        raise InputError(f"expected two or more different responses; found {[each.column for each in chosen]}")
    form = law if isinstance(law, str) and law in TRENDS else "law"
    shared = None if form in TRENDS else get_law(law)
    name, cells = cells_of(runs, chosen)
    _check(name, cells, chosen, shared, form)
    settings = Settings(draws, tune, chains, random_seed)
    path = _cache_path(cells, chosen, shared, form, settings)
    known = _from_cache(path) if cache else None
    if known is None:
        with waiting_for(f"sampling {len(chosen)} responses of {name}", progress=progress):
            known = _sample(cells, chosen, shared, form, settings)
        if cache:
            with kept_if_possible(path):
                write_whole(path, lambda temporary: _write(*known, temporary))
    return ResponseFit(name, shared, form, chosen, cells, _typical(cells, shared, form, len(chosen)), *known)


def _sample(
    cells: Cells, responses: Sequence[Response], law: Law | None, form: str, settings: Settings
) -> tuple[xr.Dataset, Diagnostics]:
    """Sample until the diagnostics pass or the attempts end."""
    from bayescale.groups.response_model import sample_responses  # noqa: PLC0415  (imports PyMC)

    data = _data(cells, responses, law, _typical(cells, law, form, len(responses)))
    if law is not None:
        data |= place(law, data)
    for factor, accept in enumerate(ACCEPT, 1):
        used = dataclasses.replace(settings, draws=factor * settings.draws)
        posterior, stats = sample_responses(law, form, data, used, accept)
        kept = posterior[[str(each) for each in posterior if not str(each).endswith("_score")]]
        diagnostics = diagnose(_scalars(kept), stats)
        if diagnostics.passed:
            break
    return kept, diagnostics


def _cache_path(cells: Cells, responses: Sequence[Response], law: Law | None, form: str, settings: Settings) -> Path:
    """Return where the fit is kept."""
    content = {
        "cells": {each.name: _plain(getattr(cells, each.name)) for each in dataclasses.fields(cells)},
        "ends": [[each.floor, each.ceiling] for each in responses],
        "law": {"law": law_record(law), "order": list(law.priors)} if law else form,
        "settings": dataclasses.asdict(settings),
        "versions": {**versions(), "groups": source_hash("groups")},
    }
    return cache_dir() / "responses" / f"{law.name if law else form}-{content_hash(content)[:24]}.nc"


def _plain(values: np.ndarray | Mapping[str, np.ndarray]) -> object:
    return {name: each.tolist() for name, each in values.items()} if isinstance(values, Mapping) else values.tolist()


def _write(posterior: xr.Dataset, diagnostics: Diagnostics, path: Path) -> None:
    posterior.assign_attrs(diagnostics=json.dumps(dataclasses.asdict(diagnostics))).to_netcdf(path, engine="netcdf4")
    seal(path)


def _from_cache(path: Path) -> tuple[xr.Dataset, Diagnostics] | None:
    """Read a posterior from the cache; a damaged file counts as none and is sampled again."""
    try:
        check_seal(path, "fit")
        posterior = xr.load_dataset(path, engine="netcdf4")
    except (InputError, OSError):
        return None
    return posterior, diagnostics_from_record(json.loads(posterior.attrs.pop("diagnostics")))


def _scalars(posterior: xr.Dataset) -> xr.Dataset:
    """Return the parameters of groups one by one, as the gate takes them; effects of single runs are left out."""
    found = {}
    for name, values in posterior.items():
        if values.dims == ("chain", "draw"):
            found[str(name)] = values
        elif values.dims[2:] == ("group",):
            found |= {f"{name} of group {i + 1}": values.isel(group=i, drop=True) for i in range(values.sizes["group"])}
    return xr.Dataset(found)


def _check(name: str, cells: Cells, responses: Sequence[Response], law: Law | None, form: str) -> None:
    """Raise InputError unless the values suit the law or trend."""
    missing = [each for each in law.covariates if each not in cells.columns] if law else []
    if missing:
        raise InputError(f"{name}: law '{law.name if law else ''}' needs {', '.join(missing)}, which the table lacks")
    if cells.units.size > MOST_ROWS:
        raise InputError(f"{name}: {cells.units.size} rows; expected at most {MOST_ROWS}, so keep fewer checkpoints")
    for position, response in enumerate(responses):
        values = cells.measured[cells.group == position]
        low, high = {"law": (0.0, np.inf), "share": (-0.05, 1.05), "number": (-np.inf, np.inf)}[form]
        if not ((values > low) & (values < high)).all():
            raise InputError(
                f"{name}: response {response.column} is {values.min():g} to {values.max():g}; expected "
                f"{'numbers above zero' if form == 'law' else 'shares from 0 to 1'}, so choose law='number'"
            )


def _typical(cells: Cells, law: Law | None, form: str, groups: int) -> dict[str, np.ndarray]:
    """Return reference values; see :class:`ResponseFit`."""
    found = {name: np.asarray(np.exp(np.log(values).mean())) for name, values in cells.columns.items()}
    found["x"] = np.asarray(_progress(law, cells.columns).mean())
    own = [cells.measured[cells.group == position] for position in range(groups)]
    if form == "law":
        return {**found, "center": np.zeros(groups), "scale": np.array([np.exp(np.log(each).mean()) for each in own])}
    if form == "share":
        return {**found, "center": np.zeros(groups), "scale": np.ones(groups)}
    spread = np.sqrt(np.mean([each.var() for each in own])) or 1.0
    return {**found, "center": np.array([each.mean() for each in own]), "scale": np.full(groups, spread)}


def _data(
    cells: Cells, responses: Sequence[Response], law: Law | None, typical: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return what the model takes: values over their reference, log of those of a law."""
    scale, center = typical["scale"][cells.group], typical["center"][cells.group]
    value, error = (cells.measured - center) / scale, cells.errors / scale
    if law is not None:
        value, error = np.log(value), error / value
    columns = {name: cells.columns[name] / typical[name] for name in (law.covariates if law else ())}
    table = {
        name: _table_of(cells, each, len(responses))
        for name, each in (("value", value), ("error", error), ("seen", np.ones_like(value)))
    }
    return {
        **table,
        "x": _progress(law, cells.columns) - typical["x"],
        "unit": cells.units.astype(np.int64),
        "floor": np.array([each.floor for each in responses]),
        "ceiling": np.array([each.ceiling for each in responses]),
        **columns,
    }


def _table_of(cells: Cells, values: np.ndarray, groups: int) -> np.ndarray:
    """Return values of cells as a table, zero where nothing was measured (row, group)."""
    found = np.zeros((cells.units.size, groups))
    found[cells.row, cells.group] = values
    return found


def few_items(fitted: ResponseFit) -> tuple[str, ...]:
    """Return the names of groups of too few items for a verdict."""
    return tuple(each.name for each in fitted.responses if each.items is not None and each.items < FEWEST_ITEMS)
