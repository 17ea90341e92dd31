"""Laws of skill: what a model's skill is besides compute, each a value in one ladder."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from bayescale import checks
from bayescale.errors import InputError
from bayescale.laws import Given, Prior
from bayescale.laws.given import read_prior
from bayescale.values import Value

DEGREES = 5.0
"""Degrees of freedom of the noise of scores."""

LEAST_NOISE = 0.012
"""No benchmark is reproduced more closely by another harness; without it, the skill becomes one of the benchmarks."""

LEAST_VARIANCE = 1e-4
"""Of a single answer: scores of 0 and 1 are of finite tests."""

PRIORS: Mapping[str, Prior] = {
    "slope": Prior("LogNormal", {"mu": 0.0, "sigma": 0.5}),
    "intercept": Prior("Normal", {"mu": 0.0, "sigma": 3.0}),
    "noise": Prior("HalfNormal", {"sigma": 0.03}),
    "residual": Prior("LogNormal", {"mu": log(0.3), "sigma": 0.5}),
    "gain_scale": Prior("HalfNormal", {"sigma": 0.7}),
    "turn_scale": Prior("HalfNormal", {"sigma": 0.3}),
    "level_scale": Prior("LogNormal", {"mu": log(0.3), "sigma": 0.7}),
    "second_loading": Prior("HalfNormal", {"sigma": 0.5}),
    "publication": Prior("Normal", {"mu": 0.0, "sigma": 0.3}),
}
"""``slope``: logits of a typical response for ten times the compute. ``intercept``: logit of a response at the mean
skill. ``noise``: scale of a response's noise above 0.012. ``residual``, ``gain_scale`` and ``turn_scale``: standard
deviations, in decades of compute, of models of one family, of families, and of families for each further decade of
compute. ``level_scale``: of families on one response beside their gain, in logits of a typical response.
``second_loading``: logits of a response for one standard deviation of the second skill. ``publication``: standard
deviations of gain that go with one standard deviation of the family's mean log compute."""

FEW_INDICATORS = 3
"""Two responses cannot say which of their noise is common: a second skill needs one more."""


ENDS = {"residual": "", "gain": "_scale", "turn": "_scale", "level": "_scale", "second": "_loading", "publication": ""}
"""What the parameter of each part of a skill is called behind the name of the part."""


@dataclass(frozen=True, eq=False, repr=False)
class SkillLaw(Value):
    """What a model's skill is, in decades of an average family's compute.

    Attributes
    ----------
    name : str
        Its name.
    formula : str
        The skill; x is log10 of compute, g and t are of the family, u of family and response, e of the model.
    residual, gain, turn, level : bool
        Whether it has e, g, t and u.
    second : tuple of str
        Responses with a second skill of each model in common, which knows nothing of compute; see
        :func:`with_second_skill`.
    publication : bool
        Whether gains of families may go with their compute; see :func:`with_publication`.
    priors : mapping of str to Prior
        Of each parameter that it has.
    """

    name: str
    formula: str
    residual: bool = False
    gain: bool = False
    turn: bool = False
    level: bool = False
    second: tuple[str, ...] = ()
    publication: bool = False
    priors: Mapping[str, Prior] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the usual prior of each parameter that has none."""
        absent = {f"{name}{end}" for name, end in ENDS.items() if not getattr(self, name)}
        own = {name: self.priors.get(name, prior) for name, prior in PRIORS.items() if name not in absent}
        unknown = [name for name in self.priors if name not in own]
        if unknown:
            raise InputError(
                f"law '{self.name}' has no parameter {', '.join(unknown)}; its parameters are {', '.join(own)}"
            )
        object.__setattr__(self, "priors", own)

    @property
    def record(self) -> dict[str, object]:
        """All that decides its posterior, as plain data."""
        parts = {name: getattr(self, name) for name in ("name", "residual", "gain", "turn", "level", "publication")}
        parts["second"] = list(self.second)
        return {**parts, "priors": {name: str(prior) for name, prior in self.priors.items()}}

    def _lines(self) -> list[str]:
        return [
            f"SkillLaw {self.name}: {self.formula}",
            ", ".join(f"{name} ~ {each}" for name, each in self.priors.items()),
        ]

    @property
    def shared(self) -> bool:
        """Whether responses of one model have something in common beside its family and compute."""
        return self.residual


SKILL_LAWS: Mapping[str, SkillLaw] = {
    law.name: law
    for law in (
        SkillLaw("compute", "x"),
        SkillLaw("separate", "x + u", level=True),
        SkillLaw("residual", "x + e", residual=True),
        SkillLaw("family", "x + g + e", residual=True, gain=True),
        SkillLaw("family_slope", "(1 + t) x + g + e", residual=True, gain=True, turn=True),
        SkillLaw("family_benchmark", "x + g + u + e", residual=True, gain=True, level=True),
    )
}
"""From compute alone to the default, ``family_benchmark``. ``separate`` is the plain baseline: each response has an
intercept of each family and a slope on log compute, and nothing is shared between responses."""


def skill_law(law: str | SkillLaw, priors: Given | None = None) -> SkillLaw:
    """Return a law by name, with priors of one's own.

    Raises
    ------
    InputError
        If there is no such law, it has no such parameter, or a prior cannot be read.
    """
    if isinstance(law, str) and law not in SKILL_LAWS:
        raise InputError(f"there is no law of skill {law!r}; the laws are {', '.join(SKILL_LAWS)}")
    found = SKILL_LAWS[law] if isinstance(law, str) else law
    given = {name: _as_prior(name, prior) for name, prior in priors_of(found, priors or {}).items()}
    unknown = [name for name in given if name not in found.priors]
    if unknown:
        raise InputError(
            f"law '{found.name}' has no parameter {', '.join(unknown)}; its parameters are {', '.join(found.priors)}"
        )
    return dataclasses.replace(found, priors={**found.priors, **given}) if given else found


def priors_of[P](law: SkillLaw, priors: Mapping[str, P]) -> dict[str, P]:
    """Return the priors by hand that are meant for a law: those of no law by name, and before them those of its own.

    Raises
    ------
    InputError
        If one is for a law that there is not.
    """
    general: dict[str, P] = {}
    own: dict[str, P] = {}
    for key, prior in priors.items():
        name, dot, parameter = key.rpartition(".")
        if dot and name not in (law.name, *SKILL_LAWS):
            raise InputError(f"prior of {key}: there is no law of skill {name!r}; the laws are {', '.join(SKILL_LAWS)}")
        if not dot:
            general[parameter] = prior
        elif name == law.name:
            own[parameter] = prior
    return general | own


@checks.kinds
def with_second_skill(law: str | SkillLaw, responses: Sequence[str]) -> SkillLaw:
    """Return a law in which some responses share a second skill of each model, such as those of code and mathematics.

    Parameters
    ----------
    law : str or SkillLaw
        The law.
    responses : sequence of str
        At least three responses.

    Returns
    -------
    SkillLaw
        Named like the law, with ``_second`` behind.

    Raises
    ------
    InputError
        If there are fewer than three.
    """
    found, names = skill_law(law), tuple(dict.fromkeys(responses))
    if len(names) < FEW_INDICATORS:
        raise InputError(
            f"a second skill of {', '.join(names) or 'no responses'}; expected at least {FEW_INDICATORS} responses: "
            "fewer cannot say what is common to them"
        )
    formula = f"{found.formula}, and a second skill of {', '.join(names)}"
    return dataclasses.replace(found, name=f"{found.name}_second", formula=formula, second=names)


@checks.kinds
def with_publication(law: str | SkillLaw) -> SkillLaw:
    """Return a law in which gains of families may go with their compute, to see what rests on what is published.

    Weak results are rarely published, and those who train more may also have better data. Then families of more compute
    have larger gains, and what looks like compute is in part the choice of families. Forecasts that hardly move under
    this law do not rest on that choice.

    Parameters
    ----------
    law : str or SkillLaw
        A law with gains of families.

    Returns
    -------
    SkillLaw
        Named like the law, with ``_publication`` behind; its parameter ``publication`` is nothing by its prior, give or
        take 0.3.

    Raises
    ------
    InputError
        If the law has no gains of families.
    """
    found = skill_law(law)
    if not found.gain:
        raise InputError(
            f"law '{found.name}' has no gains of families that could go with compute; take family_benchmark"
        )
    formula = f"{found.formula}, g rising or falling with the family's compute"
    return dataclasses.replace(found, name=f"{found.name}_publication", formula=formula, publication=True)


def _as_prior(name: str, prior: object) -> Prior:
    found = read_prior(prior) if isinstance(prior, str) else prior
    if not isinstance(found, Prior) or found.relative:
        raise InputError(f"the prior of {name} is {prior}; expected a distribution such as HalfNormal(0.5)")
    return found
