"""next_scores: which models to measure on which benchmarks, so that a forecast becomes surer."""

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.skills.fit import SkillFit, inverse_items, model_scores, score_scale
from bayescale.skills.forecast import future_scores
from bayescale.skills.laws import DEGREES


@checks.kinds
def next_scores(
    fitted: SkillFit, target: str, *, flops: float, family: str | None = None, random_seed: int = 0
) -> pd.DataFrame:
    """Rank the scores that are missing by how much of a forecast's variance each would take away.

    Parameters
    ----------
    fitted : SkillFit
        The fit.
    target : str
        The response that is forecast.
    flops : float
        Training compute of the model that is forecast, in FLOP.
    family : str, optional
        Its family; by default a new one.
    random_seed : int
        Of the draws.

    Returns
    -------
    pandas.DataFrame
        ``run``, ``response`` and ``reduction``, the part of the variance of the expected score that the measurement
        would explain, by the correlation of posterior draws; largest first. Empty where no score is missing.

    Raises
    ------
    InputError
        If there is no such response or family.
    """
    if target not in fitted.table.names:
        raise InputError(f"there is no response {target!r}; the responses are {', '.join(fitted.table.names)}")
    rng = np.random.default_rng(random_seed)
    wanted = future_scores(fitted, family, checks.above_zero("flops", flops, "FLOP", "1e24"), target, rng)
    missing = np.argwhere(np.isnan(fitted.table.scores))
    expected = model_scores(fitted)
    scale = score_scale(expected, fitted.flat("sigma"), inverse_items(fitted.table))
    rows = []
    for run, response in missing:
        noise = rng.standard_t(DEGREES, size=len(wanted))
        measured = expected[:, run, response] + scale[:, run, response] * noise
        rows.append(
            {
                "run": fitted.table.models["run"].iloc[run],
                "response": fitted.table.names[response],
                "reduction": float(np.corrcoef(wanted, measured)[0, 1] ** 2),
            }
        )
    columns = ["run", "response", "reduction"]
    return pd.DataFrame(rows, columns=columns).sort_values("reduction", ascending=False, ignore_index=True)
