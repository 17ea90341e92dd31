"""fit_groups: one law for several groups of runs, each with its own effective compute, partially pooled."""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from inspect import Parameter, Signature

import numpy as np

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import fit
from bayescale.laws import Given, Law, Prior, Quantity, get_law, with_priors
from bayescale.runs import Runs, RunTable, as_table

RECORD = "groups"
"""Where the record of a table keeps the column and the names of its groups, as JSON."""

OFFSETS: Mapping[str, float] = {"gain": 1.0, "turn": 0.1, "lean": 0.5, "floor": 0.02}
"""Offsets of a group, and the scale of their half-normal prior between groups: ``gain``, the log of effective compute
over compute at a typical run; ``turn``, its slope on log compute; ``lean``, the log of tokens per parameter at the best
split; ``floor``, the log of the loss that no compute gets below; the last two over those of the average group.

Why floors: where they differ by 1% in truth and the model has one floor, 90% intervals of the multiplier held it in
35% of 80 simulated tables at 100 times the largest run; with floors of their own in all, three times as wide. Between
the runs 90% held it with one floor, 98% with several, equally wide."""

ONE_UNIT = ("loss_unit", "tokenizer", "vocabulary")
"""Columns that must not differ between groups whose loss per token is compared."""


@checks.kinds
def fit_groups(
    runs: Runs,
    law: str | Law,
    groups: str = "family",
    *,
    priors: Given | None = None,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    random_seed: int = 0,
    cache: bool = True,
) -> Fit:
    """Fit one law to several groups of runs, such as recipes or families.

    The groups share the law's exponents. In each, compute C is worth ``m C`` of the average group's, with
    ``ln m = gain + turn * ln(C / typical C)``; N and D share it equally but for ``lean``. For a law of N and D that is
    a coefficient of its own for each term and group. The floor, where the law has one, is nearly the same. Each offset
    is ``scale * (z - mean of z)``, with z standard normal and the scale inferred: groups of few runs are drawn to the
    others.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        Runs of all groups, as :func:`bayescale.read_runs` takes them, measured alike: the same held-out text and
        tokenizer.
    law : str or Law
        A law of N and D, of C, or of all three.
    groups : str
        Column that names each run's group.
    priors : mapping of str to Prior, Share or str, optional
        Priors of the shared law's parameters, as for :func:`bayescale.fit`.
    draws, tune, chains, random_seed, cache
        As for :func:`bayescale.fit`.

    Returns
    -------
    Fit
        Of the law with a column ``in_group_1``, ``in_group_2``, ... for each group; :func:`bayescale.groups.multiplier`
        reads it, and :func:`group_names` says which is which.

    Raises
    ------
    InputError
        If the column is missing, has gaps or fewer than two groups, the groups are not measured in one unit, the law
        is of other columns, or a prior cannot be read or does not suit its parameter.
    """
    law = with_priors(get_law(law), priors or {})
    table, (grouped,) = pooled(as_table(runs, law.covariates), law, groups)
    return fit(
        table,
        grouped,
        draws=draws,
        tune=tune,
        chains=chains,
        random_seed=random_seed,
        cache=cache,
    )


def pooled(runs: RunTable, law: str | Law, groups: str) -> tuple[RunTable, tuple[Law]]:
    """Return what :func:`fit_groups` fits: the table with a column for each group, and the law of these columns."""
    names = _check_groups(runs, groups)
    return _with_indicators(runs, groups, names), (grouped_law(get_law(law), len(names)),)


def group_names(fitted: Fit) -> list[str]:
    """Return the groups of a fit in their order; raise InputError if it is no fit of groups."""
    text = fitted.runs.record.get(RECORD)
    if text is None:
        raise InputError(
            f"the fit of law '{fitted.law.name}' has no groups; fit them with fit_groups(runs, law, column)"
        )
    return [str(name) for name in json.loads(text)["names"]]


def group_of(fitted: Fit) -> np.ndarray:
    """Return the position of each run's group (run,)."""
    names = group_names(fitted)
    return np.asarray(fitted.runs.frame[list(_indicators(len(names)))].to_numpy().argmax(axis=1))


def offsets(parameters: Mapping[str, np.ndarray], kind: str, count: int) -> np.ndarray:
    """Return an offset of every group (draw, group); zero where the law has none of this kind.

    Parameters
    ----------
    parameters : mapping of str to numpy.ndarray
        Draws of a grouped law's parameters (draw,).
    kind : str
        ``gain``, ``turn``, ``lean`` or ``floor``.
    count : int
        Groups.
    """
    if f"{kind}_scale" not in parameters:
        return np.zeros((len(parameters["gain_scale"]), count))
    scores = np.stack([parameters[f"{kind}_{j}"] for j in range(1, count + 1)], axis=1)
    return np.asarray(parameters[f"{kind}_scale"][:, None] * (scores - scores.mean(axis=1, keepdims=True)))


def _check_groups(runs: RunTable, column: str) -> list[str]:
    if column not in runs.frame:
        raise InputError(
            f"{runs.name}: there is no column {column} to form groups by; found {', '.join(map(str, runs.frame))}"
        )
    values = runs.frame[column]
    if values.isna().any():
        raise InputError(
            f"{runs.name}: column {column} is empty for {int(values.isna().sum())} runs; name their group, or leave "
            "them out"
        )
    names = sorted(map(str, values.unique()))
    if len(names) < 2:
        raise InputError(f"{runs.name}: column {column} holds one group, {names[0]}; two or more can be compared")
    per_token = runs.response == "loss"
    for other in (name for name in ONE_UNIT if per_token and name in runs.frame and name != column):
        if runs.frame[other].nunique(dropna=False) > 1:
            raise InputError(
                f"{runs.name}: the loss per token of runs with different {other} cannot be compared; select runs of "
                f"one {other}, or give bits per character (bpc)"
            )
    return names


def _indicators(count: int) -> tuple[str, ...]:
    return tuple(f"in_group_{j}" for j in range(1, count + 1))


def _with_indicators(runs: RunTable, column: str, names: Sequence[str]) -> RunTable:
    """Return the table with a column for each group that is 1 for its runs, and a record of which is which."""
    own = runs.frame[column].astype(str)
    columns = {name: (own == group).astype(float) for name, group in zip(_indicators(len(names)), names, strict=True)}
    record = {**runs.record, RECORD: json.dumps({"column": column, "names": list(names)})}
    return dataclasses.replace(runs, frame=runs.frame.assign(**columns), record=record)


@dataclasses.dataclass(frozen=True, eq=False)
class _GroupedLoss:
    """The formula of a law whose runs belong to groups; an object, unlike an inner function, pickles with a fit.

    Parameters
    ----------
    law : Law
        The law that the groups share.
    added : tuple of str
        The parameters that groups add to it.
    count : int
        Number of groups.
    """

    law: Law
    added: tuple[str, ...]
    count: int

    @functools.cached_property
    def __signature__(self) -> Signature:
        """Columns by order, parameters by name: what :class:`bayescale.Law` reads."""
        return _signature((*self.law.covariates, *_indicators(self.count)), (*self.law.parameters, *self.added))

    def __call__(self, *given: Quantity, **named: Quantity) -> Quantity:
        """Return the law at the effective compute of each run's group."""
        return _pooled_loss(self.law, self.__signature__.bind(*given, **named).arguments, self.count)


@dataclasses.dataclass(frozen=True, eq=False)
class _GroupedRescale:
    """How the parameters of the law that groups share change with the units of its columns."""

    law: Law

    def __call__(self, **named: Quantity) -> Mapping[str, Quantity]:
        """Return the parameters of the shared law that change, at published scale."""
        own = {name: named[name] for name in (*self.law.covariates, *self.law.parameters)}
        return self.law.rescale(**own) if self.law.rescale else {}


@dataclasses.dataclass(frozen=True, eq=False)
class _MemberLoss:
    """The formula of a grouped law for the runs of one group."""

    law: Law
    group: int
    count: int

    @functools.cached_property
    def __signature__(self) -> Signature:
        """The grouped law's, without the columns of groups."""
        own = tuple(name for name in self.law.covariates if name not in _indicators(self.count))
        return _signature(own, self.law.parameters)

    def __call__(self, *given: Quantity, **named: Quantity) -> Quantity:
        """Return the grouped law where the columns of groups say this group."""
        member = {name: float(j == self.group) for j, name in enumerate(_indicators(self.count))}
        return self.law.loss(**self.__signature__.bind(*given, **named).arguments, **member)


def _signature(columns: Sequence[str], parameters: Sequence[str]) -> Signature:
    return Signature(
        [
            *(Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in columns),
            *(Parameter(name, Parameter.KEYWORD_ONLY) for name in parameters),
        ]
    )


def grouped_law(law: Law, count: int) -> Law:
    """Return a law whose runs belong to groups of different effective compute.

    Parameters
    ----------
    law : Law
        A law of N and D, of C, or of all three.
    count : int
        Number of groups.

    Raises
    ------
    InputError
        If the law is of other columns.
    """
    columns = set(law.covariates)
    if not (columns <= {"N", "D", "C"} and ({"N", "D"} <= columns or "C" in columns)):
        raise InputError(
            f"law '{law.name}' is a law of {', '.join(law.covariates)}; groups are compared by a law of N and D or of "
            "C and nothing else, such as chinchilla"
        )
    absent = ({"lean"} if not {"N", "D"} <= columns else set()) | ({"floor"} if law.floor is None else set())
    kinds = [kind for kind in OFFSETS if kind not in absent]
    priors = {f"{kind}_scale": Prior("HalfNormal", {"sigma": OFFSETS[kind]}) for kind in kinds}
    scores = {f"{kind}_{j}": Prior("Normal", {"mu": 0.0, "sigma": 1.0}) for kind in kinds for j in range(1, count + 1)}
    return Law(
        name=f"{law.name}_by_group",
        loss=_GroupedLoss(law, (*priors, *scores), count),
        priors={**law.priors, **priors, **scores},
        formula=f"{law.formula}, of the effective compute of each group",
        reference=law.reference,
        scales=law.scales,
        meanings=law.meanings,
        rescale=_GroupedRescale(law),
        responses=law.responses,
        units=dict.fromkeys(_indicators(count), 1.0) | dict(law.units),
        floor=law.floor,
        cost=law.cost,
        replaced=law.replaced,
    )


def group_law(law: Law, group: int, count: int) -> Law:
    """Return a grouped law for the runs of one group: the same parameters, without the columns of groups.

    Parameters
    ----------
    law : Law
        A grouped law.
    group : int
        Position of the group, from 0.
    count : int
        Number of groups.
    """
    return dataclasses.replace(law, loss=_MemberLoss(law, group, count), scales={}, rescale=None, units={})


def _pooled_loss(law: Law, at: Mapping[str, Quantity], count: int) -> Quantity:
    """Return the law at effective columns: C times ``m``, N and D each times its root, ``lean`` apart; own floor."""
    compute = np.log(at["C"]) if "C" in law.covariates else np.log(at["N"]) + np.log(at["D"])
    log_gain = _offset(at, "gain", count) + _offset(at, "turn", count) * compute
    lean = _offset(at, "lean", count) if "lean_scale" in at else 0.0
    factors = {"C": np.exp(log_gain), "N": np.exp((log_gain + lean) / 2), "D": np.exp((log_gain - lean) / 2)}
    own = {name: at[name] * factors[name] for name in law.covariates}
    parameters = {name: at[name] for name in law.parameters}
    if law.floor is not None:
        parameters[law.floor] = parameters[law.floor] * np.exp(_offset(at, "floor", count))
    return law.loss(**own, **parameters)


def _offset(at: Mapping[str, Quantity], kind: str, count: int) -> Quantity:
    """Return the offset of each run's group."""
    scores = [at[f"{kind}_{j}"] for j in range(1, count + 1)]
    own = sum(score * at[name] for score, name in zip(scores, _indicators(count), strict=True))
    return at[f"{kind}_scale"] * (own - sum(scores) / count)
