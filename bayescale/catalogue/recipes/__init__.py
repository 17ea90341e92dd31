"""How each catalogued source becomes a table of runs: one module per source, listed by hand.

A recipe reads CSV (one of them behind gzip) and JSON Lines with pandas, and nothing else: no pickle is ever loaded, and
no code from upstream runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bayescale.catalogue.recipes import (
    alabdulmohsin,
    datablations,
    epoch_chinchilla,
    gemstones,
    llm_skills,
    multipower,
    obsscaling,
    openclip,
    opt_trajectories,
    regmix,
    routed_lm,
    sloth,
    steplaw,
    vocab_scaling,
)
from bayescale.catalogue.recipes.base import Extract, Recipe
from bayescale.runs import RunTable

RECIPES: dict[str, Recipe] = {
    "alabdulmohsin": alabdulmohsin.extract,
    "datablations": datablations.extract,
    "epoch-chinchilla": epoch_chinchilla.extract,
    "gemstones": gemstones.extract,
    "llm-skills": llm_skills.extract,
    "multipower-curves": multipower.extract,
    "obsscaling": obsscaling.extract,
    "openclip": openclip.extract,
    "opt-trajectories": opt_trajectories.extract,
    "regmix": regmix.extract,
    "routed-lm": routed_lm.extract,
    "sloth": sloth.extract,
    "steplaw": steplaw.extract,
    "vocab-scaling": vocab_scaling.extract,
}

__all__ = ["RECIPES", "Extract", "make_table"]


def make_table(
    recipe: str,
    files: Mapping[str, Path],
    variant: str,
    *,
    name: str,
    response: str,
    unit: str,
    needs: Sequence[str],
    record: Mapping[str, str],
) -> RunTable:
    """Make a table of runs from the upstream files of a source.

    Parameters
    ----------
    recipe : str
        A name of :data:`RECIPES`.
    files : mapping of str to Path
        Verified files by their names.
    variant : str
        Which of the source's tables to make.
    name, response, unit, needs, record
        As in :meth:`bayescale.RunTable.from_frame`.

    Returns
    -------
    RunTable
        Its notes begin with what the recipe left out or corrected, which its record says too, under ``exclusions``.
    """
    extract = RECIPES[recipe](files, variant)
    exclusions = "; ".join(extract.notes) or "none"
    full = {**record, "exclusions": exclusions}
    table = RunTable.from_frame(extract.frame, name=name, response=response, unit=unit, needs=needs, record=full)
    return replace(table, notes=(*extract.notes, *table.notes))
