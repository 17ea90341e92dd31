"""fit_skills: sample the posterior of a law of skill on a table of scores."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.diagnostics import Diagnostics, check_each, diagnose, diagnostics_from_record
from bayescale.fits.progress import waiting_for
from bayescale.fits.sealing import check_seal, seal
from bayescale.fits.settings import Settings
from bayescale.fits.versions import source_hash, versions
from bayescale.laws import Given
from bayescale.skills.families import family_compute, family_draws
from bayescale.skills.fit import SkillFit, inverse_items
from bayescale.skills.laws import LEAST_NOISE, SkillLaw, skill_law
from bayescale.skills.reading import Scores, log_compute, read_scores
from bayescale.skills.table import ScoreTable
from bayescale.storage import cache_dir, content_hash, kept_if_possible, write_whole

ACCEPT = (0.8, 0.9)
"""Target acceptance of the first attempt, and of the second with twice the draws."""

CHANCE_SD = {True: 0.005, False: 0.02}
"""Prior standard deviation of a response's floor around its chance, where that is zero and where it is not."""


@checks.kinds
def fit_skills(
    scores: Scores,
    law: str | SkillLaw = "family_benchmark",
    *,
    priors: Given | None = None,
    draws: int = 1000,
    tune: int = 700,
    chains: int = 4,
    random_seed: int = 0,
    cache: bool = True,
    progress: bool = True,
) -> SkillFit:
    """Fit a law of skill to the scores of many models on several benchmarks.

    Each model has a skill S, in decades of an average family's compute, which all of its scores share:
    ``score = c + (h - c) sigmoid(b + a (S + u))`` with Student-t noise, and the noise of few questions. The default law
    is ``S = x + g + e``: log10 of compute, the gain of the family and the residual of the model; u is the level of the
    family on a response beside its gain. The floor c has a tight prior around the score of guessing. A score that is
    missing adds no term, and a compute that is unknown is a parameter.

    Parameters
    ----------
    scores : ScoreTable, DataFrame, table, mapping or path-like
        The scores, as :func:`bayescale.skills.read_scores` takes them.
    law : str or SkillLaw
        One of :data:`bayescale.skills.SKILL_LAWS`.
    priors : mapping of str to Prior or str, optional
        Priors that replace the law's own, such as ``{"gain_scale": "HalfNormal(0.5)"}``.
    draws, tune, chains : int
        Kept draws and tuning steps of each chain, and chains.
    random_seed : int
        The same seed, table, law and versions give the same draws on the same machine.
    cache : bool
        Whether to read the fit from the cache, and to keep it there.
    progress : bool
        Whether to say on stderr that it is being sampled, in a terminal or a notebook.

    Returns
    -------
    SkillFit
        With ``diagnostics.passed`` False when sampling was doubtful twice: doubt is a result.

    Raises
    ------
    InputError
        If the table has faults, there is no such law, or a prior cannot be used.
    """
    table, chosen = read_scores(scores), skill_law(law, priors)
    settings = Settings(draws, tune, chains, random_seed)
    path = cache_path(chosen, table, settings)
    known = _from_cache(path, chosen, table, settings) if cache else None
    if known is not None:
        return known
    with waiting_for(f"sampling {chosen.name} on {len(table.models)} models of {table.name}", progress=progress):
        fitted = sample_fit(chosen, table, np.isfinite(table.scores), settings)
    if cache:
        with kept_if_possible(path):
            write_whole(path, lambda temporary: _write(fitted, temporary))
    return fitted


def sample_fit(
    law: SkillLaw,
    table: ScoreTable,
    seen: np.ndarray,
    settings: Settings,
    *,
    attempts: tuple[float, ...] = ACCEPT,
    unchecked: tuple[str, ...] = ("level",),
) -> SkillFit:
    """Sample until the diagnostics pass or the attempts end; scores that are not ``seen`` (run, response) are left out.

    The posterior still has the skill of every model: without a score seen, it is a forecast. Levels are hundreds and
    not reported, so only the worst of what is ``unchecked`` must mix.
    """
    from bayescale.skills.sampling import sample_skills  # noqa: PLC0415  (imports PyMC)

    data = model_data(law, table, seen)
    for factor, accept in enumerate(attempts, 1):
        used = dataclasses.replace(settings, draws=factor * settings.draws)
        free, stats = sample_skills(law, data, len(table.families), used, accept)
        posterior = posterior_of(law, table, data, free, random_seed=settings.random_seed)
        diagnostics = _diagnose(posterior, stats, unchecked)
        if diagnostics.passed:
            break
    return SkillFit(law, table, posterior, _center(table), diagnostics, settings)


def model_data(law: SkillLaw, table: ScoreTable, seen: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the model calls its data; scores that are not seen have no weight."""
    absent = [name for name in law.second if name not in table.names]
    if absent:
        raise InputError(
            f"{table.name}: law '{law.name}' has a second skill of {', '.join(absent)}, which is no response here; the "
            f"responses are {', '.join(table.names)}"
        )
    logs, spread = log_compute(table)
    seen = seen & np.isfinite(table.scores)
    any_seen = seen.any(axis=1)
    chance = table.responses["chance"].to_numpy(dtype=float)
    return {
        "x": logs - logs.mean(),
        "x_sd": spread,
        "weight": any_seen / any_seen.sum(),
        "family": table.family_of.astype(np.int64),
        "family_x": family_compute(table).standard[table.family_of],
        "score": np.where(seen, table.scores, 0.5),
        "seen": seen.astype(float),
        "chance": chance,
        "chance_sd": np.where(chance == 0, CHANCE_SD[True], CHANCE_SD[False]),
        "ceiling": table.responses["ceiling"].to_numpy(dtype=float),
        "inverse_items": inverse_items(table),
        "named": np.isin(table.names, law.second).astype(float),
    }


def _center(table: ScoreTable) -> float:
    return float(log_compute(table)[0].mean())


def posterior_of(
    law: SkillLaw, table: ScoreTable, data: Mapping[str, np.ndarray], free: xr.Dataset, *, random_seed: int
) -> xr.Dataset:
    """Return named quantities from the free variables of the model."""
    sizes = (free.sizes["chain"], free.sizes["draw"])
    value = {str(name): values.to_numpy() for name, values in free.items()}
    slope, zero = value["slope"], np.zeros(sizes)
    standard = (
        (data["x"] + value["skill_offset"]) / slope[..., None]
        if law.residual
        else data["x"] + data["x_sd"] * value["compute_score"]
    )
    skill = standard - (data["weight"] * standard).sum(axis=-1, keepdims=True)
    scales = {name: value.get(name, zero) for name in ("residual", "gain_scale", "turn_scale", "publication")}
    location, gain, turn = family_draws(law, data, skill, scales, len(table.families), random_seed=random_seed)
    found = {
        **{name: (("chain", "draw"), each) for name, each in {**scales, "slope": slope, "location": location}.items()},
        "skill": (("chain", "draw", "run"), skill),
        "second": (("chain", "draw", "run"), value.get("second", np.zeros(skill.shape))),
        "gain": (("chain", "draw", "family"), gain),
        "turn": (("chain", "draw", "family"), turn),
    }
    by_response = {
        "loading": slope[..., None] * np.exp(value["log_loading"]),
        "intercept": value["intercept"],
        "sigma": LEAST_NOISE + value["noise"],
        "floor": data["chance"] + data["chance_sd"] * value["floor_score"],
        "level_scale": value.get("level_scale", np.zeros((*sizes, len(table.names)))) / slope[..., None],
        "second_loading": data["named"] * value.get("second_loading", np.zeros((*sizes, len(table.names)))),
    }
    level = _levels(law, value, (*sizes, len(table.families), len(table.names)))
    found |= {name: (("chain", "draw", "response"), each) for name, each in by_response.items()}
    found |= {"level": (("chain", "draw", "family", "response"), level)}
    coords = {"run": table.models["run"].to_numpy(dtype=str), "family": table.families, "response": table.names}
    return xr.Dataset(found, coords={"chain": np.arange(sizes[0]), "draw": np.arange(sizes[1]), **coords})


def _levels(law: SkillLaw, value: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    if not law.level:
        return np.zeros(shape)
    levels = (value["level_scale"] / value["slope"][..., None])[..., None, :] * value["level_score"]
    if law.gain:
        levels = levels - levels.mean(axis=-1, keepdims=True)
    return np.asarray(levels - levels.mean(axis=-2, keepdims=True))


def _diagnose(posterior: xr.Dataset, stats: xr.Dataset, unchecked: tuple[str, ...]) -> Diagnostics:
    """Check every quantity that varies, each by itself; those of some kinds by the R-hat and ESS of the worst."""
    scalars = {}
    for name, values in posterior.drop_vars(list(unchecked)).items():
        further = [dim for dim in values.dims if dim not in ("chain", "draw")]
        stacked = values.stack(each=further) if further else values.expand_dims("each", -1)
        for position in range(stacked.sizes["each"]):
            one = stacked.isel(each=position, drop=True)
            if float(one.std()) > 0:
                label = (
                    f"[{', '.join(map(str, np.atleast_1d(stacked['each'].to_numpy()[position])))}]" if further else ""
                )
                scalars[f"{name}{label}"] = (("chain", "draw"), one.to_numpy())
    found = diagnose(xr.Dataset(scalars), stats)
    varying = [name for name in unchecked if float(posterior[name].std()) > 0]
    worst = [failure for name in varying for failure in check_each(f"the worst {name}", posterior[name])]
    return dataclasses.replace(found, failures=(*found.failures, *worst))


def cache_path(law: SkillLaw, table: ScoreTable, settings: Settings) -> Path:
    """Return where the fit is kept."""
    content = {
        "law": law.record,
        "table": table.hash,
        "settings": dataclasses.asdict(settings),
        "versions": {**versions(), "skills": source_hash("skills")},
    }
    return cache_dir() / "skills" / f"{law.name}-{content_hash(content)[:24]}.nc"


def _write(fitted: SkillFit, path: Path) -> None:
    record = json.dumps(dataclasses.asdict(fitted.diagnostics))
    fitted.posterior.assign_attrs(diagnostics=record).to_netcdf(path, engine="netcdf4")
    seal(path)


def _from_cache(path: Path, law: SkillLaw, table: ScoreTable, settings: Settings) -> SkillFit | None:
    """Read a fit from the cache; a damaged file counts as none and is sampled again."""
    try:
        check_seal(path, "fit")
        posterior = xr.load_dataset(path, engine="netcdf4")
    except (InputError, OSError):
        return None
    diagnostics = diagnostics_from_record(json.loads(posterior.attrs.pop("diagnostics")))
    return SkillFit(law, table, posterior, _center(table), diagnostics, settings)
