"""What a test of recovery needs of a law: runs that identify it, the truth they follow, and what they leave open."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Case:
    """Runs that identify a law.

    Attributes
    ----------
    design : pandas.DataFrame
        The law's covariates, in counts, one row for each run.
    truth : mapping of str to float
        Parameters at published scale.
    loose : tuple of str
        Parameters that these runs do not identify.
    """

    design: pd.DataFrame
    truth: Mapping[str, float]
    loose: tuple[str, ...] = ()
