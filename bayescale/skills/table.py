"""ScoreTable: scores of models on benchmarks, checked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.storage import content_hash
from bayescale.values import Value

QUALITIES: Mapping[str, float] = {"reported": 0.02, "derived": 0.05, "estimated": 0.2}
"""How a model's compute is known, and the standard deviation of its logarithm, in decades."""

UNKNOWN = "unknown"
"""Quality of a compute that is not published: a parameter of the model."""


@dataclass(frozen=True, eq=False, repr=False)
class ScoreTable(Value):
    """Scores of models on benchmarks, between 0 and 1.

    Attributes
    ----------
    models : pandas.DataFrame
        One row for each model, sorted by name: ``run``, ``family``, ``N`` (parameters), ``D`` (tokens), ``C`` (training
        FLOP; NaN where unknown), ``quality`` of C (reported, derived, estimated or unknown) and ``date`` (NaT where
        not given).
    responses : pandas.DataFrame
        One row for each response, sorted by name: ``response``, ``chance`` (score of guessing), ``ceiling``,
        ``items`` (questions; NaN where unknown), ``kind`` (count, probability or bounded) and ``protocol``.
    scores : numpy.ndarray
        Scores (run, response); NaN where a model was not measured.
    name : str
        Of the table.
    notes : tuple of str
        What a reader must know of it.
    """

    models: pd.DataFrame
    responses: pd.DataFrame
    scores: np.ndarray
    name: str
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The responses, in the order of the columns of ``scores``."""
        return list(self.responses["response"])

    @property
    def families(self) -> list[str]:
        """The families, sorted by name."""
        return sorted(self.models["family"].unique())

    @property
    def family_of(self) -> np.ndarray:
        """Position of each model's family (run,)."""
        return np.asarray(np.searchsorted(self.families, self.models["family"].to_numpy(dtype=str)))

    @property
    def hash(self) -> str:
        """A hash of all that a fit sees."""
        models = self.models.assign(date=self.models["date"].astype(str))
        content = [each.to_json(orient="split") for each in (models, self.responses)]
        return content_hash({"tables": content, "scores": np.where(np.isnan(self.scores), -1.0, self.scores).tolist()})

    def only(self, kept: np.ndarray, note: str) -> "ScoreTable":
        """Return the table of some of its models (run,), with a note that says which; others are as if never read."""
        models = self.models[kept].reset_index(drop=True)
        return ScoreTable(models, self.responses, self.scores[kept], self.name, (*self.notes, note))

    def _lines(self) -> list[str]:
        runs, responses = self.scores.shape
        known = int(self.models["C"].notna().sum())
        return [
            f"ScoreTable {self.name}: {runs} models of {len(self.families)} families on {responses} responses",
            f"{int(np.isfinite(self.scores).sum())} scores; compute is known of {known} models",
        ]

    def _shown(self) -> pd.DataFrame:
        return pd.concat([self.models, pd.DataFrame(self.scores, columns=self.names)], axis=1)
