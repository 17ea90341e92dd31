"""Priors by hand: read from text such as ``Normal(0.34, 0.05)``, checked, and given to the laws that have them."""

import ast
import dataclasses
import difflib
import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

from bayescale.errors import InputError
from bayescale.laws.families import FAMILIES, distribution, signature
from bayescale.laws.law import Law, Prior, Share
from bayescale.words import percent

type Given = Mapping[str, Prior | Share | str]
"""Priors by parameter: as records, or as text that :func:`read_prior` takes."""

OUTSIDE = 1e-3
"""Most probability that a prior may have where the parameter has no meaning: 3 s.d. of a normal prior above zero."""

_RELATIVE = re.compile(r"\s*[x×*]\s*typical (?:loss|response)\s*$")  # noqa: RUF001  (the sign is meant)
_PART = re.compile(r"\s*typical (?:loss|response) [x×*] Dirichlet part\((.*)\)(?:\*\*(\w+))?\s*$")  # noqa: RUF001

EXAMPLE = "expected a distribution by PyMC's name with numbers, such as Normal(0.34, 0.05), or Share(4)"


def with_priors(law: Law, priors: Given) -> Law:
    """Return a law with priors of one's own for some of its parameters.

    Parameters
    ----------
    law : Law
        The law.
    priors : mapping of str to Prior, Share or str
        New priors at reference scale by parameter, or by ``LAW.PARAMETER``. Text is PyMC's name of a distribution with
        its arguments by position or name, ``"Normal(0.34, 0.05)"``; with ``"x typical loss"`` behind it, for a
        coefficient in parts of the table's typical response; or ``"Share(4)"``.

    Returns
    -------
    Law
        Whose ``replaced`` holds the law's own priors of these parameters.

    Raises
    ------
    InputError
        If a parameter is not the law's, or a prior cannot be read, does not exist or does not suit its parameter.
    """
    _check_kind(priors)
    given = {name.removeprefix(f"{law.name}."): prior for name, prior in priors.items()}
    unknown = set(given) - set(law.parameters)
    if unknown:
        raise InputError(f"law '{law.name}' has no parameter {sorted(unknown)}; it has {', '.join(law.parameters)}")
    read = {name: _suited(law, name, _as_prior(law, name, prior)) for name, prior in given.items()}
    own = {**law.priors, **law.replaced}
    replaced = {**law.replaced, **{name: own[name] for name in read}}
    return dataclasses.replace(
        law,
        priors={**law.priors, **read},
        replaced={name: prior for name, prior in replaced.items() if prior != read.get(name)},
    )


def laws_with_priors(laws: Iterable[Law], priors: Given) -> list[Law]:
    """Return laws, each with those of the priors whose parameters it has.

    Parameters
    ----------
    laws : iterable of Law
        The laws.
    priors : mapping of str to Prior, Share or str
        As :func:`with_priors` takes them; one of ``LAW.PARAMETER`` goes to that law alone, and before others.

    Raises
    ------
    InputError
        If none of the laws has one of the parameters, or a prior is not fit for one; see :func:`with_priors`.
    """
    _check_kind(priors)
    chosen = list(laws)
    places = {name: [law.name for law in chosen if _parameter_of(law, name)] for name in priors}
    for name, found in places.items():
        if not found:
            known = "; ".join(f"{law.name} has {', '.join(law.parameters)}" for law in chosen)
            raise InputError(
                f"no law here has the parameter {name} of a prior: {known}; correct the name, or leave the prior out"
            )
    return [_with_its_own(law, priors, several=len(chosen) > 1) for law in chosen]


def _with_its_own(law: Law, priors: Given, *, several: bool) -> Law:
    """Return a law with its part of the priors, or say how one of them goes to other laws alone."""
    try:
        return with_priors(law, _of_law(law, priors))
    except InputError as error:
        hint = "; a prior named LAW.PARAMETER is for that law alone" if several else ""
        raise InputError(f"{error}{hint}") from error


def _check_kind(priors: object) -> None:
    """Raise InputError unless these are priors by the names of parameters."""
    if not isinstance(priors, Mapping) or not all(isinstance(name, str) for name in priors):
        raise InputError(f"expected priors by parameter, such as {{'alpha': 'Normal(0.34, 0.05)'}}; found {priors!r}")


def _of_law(law: Law, priors: Given) -> Given:
    """Return the priors of a law by parameter; what names the law comes last and so counts."""
    ordered = sorted(priors, key=lambda name: "." in name)
    return {parameter: priors[name] for name in ordered if (parameter := _parameter_of(law, name))}


def _parameter_of(law: Law, name: str) -> str | None:
    """Return the parameter of a law that a name means, if it means one."""
    parameter = name.removeprefix(f"{law.name}.")
    return parameter if parameter in law.parameters else None


def given_record(laws: Iterable[Law]) -> list[dict[str, str]]:
    """Return the priors given by hand as plain data: ``law``, ``parameter``, ``prior``, and the law's ``own``."""
    return [
        {"law": law.name, "parameter": name, "prior": str(law.priors[name]), "own": str(law.replaced[name])}
        for law in laws
        for name in law.parameters
        if name in law.replaced
    ]


def without_given(law: Law) -> Law:
    """Return a law with its own priors again."""
    return dataclasses.replace(law, priors={**law.priors, **law.replaced}, replaced={})


def parse_given(texts: Iterable[str]) -> dict[str, str]:
    """Read ``alpha=Normal(0.34, 0.05)`` or ``chinchilla.alpha=...``, and check all but whether laws have them.

    Raises
    ------
    InputError
        If there is no name or no prior, the prior cannot be read, or a parameter comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, prior = (part.strip() for part in text.partition("="))
        if not equals or not re.fullmatch(r"(\w+\.)?[^\W\d]\w*", name):
            raise InputError(f"expected PARAMETER=DISTRIBUTION, such as alpha=Normal(0.34, 0.05); found {text!r}")
        if name in found:
            raise InputError(f"{name} has two priors, {found[name]} and {prior}; expected each parameter once")
        read_prior(prior)
        found[name] = prior
    return found


def read_prior(text: str) -> Prior | Share:
    """Read a prior from text: what ``str`` of a prior writes, or what PyMC would take.

    Nothing is evaluated: the text is a name with numbers in brackets.

    Parameters
    ----------
    text : str
        Such as ``Normal(0.34, 0.05)``, ``LogNormal(mu=-1, sigma=0.5) x typical loss`` or ``Share(4, power=alpha)``.

    Raises
    ------
    InputError
        If it is another thing, the distribution is not known, or its arguments are not those it takes.
    """
    part = _PART.match(text)
    if part:
        return _share(text, [_number(text, _expression(text, part[1]))], {"power": part[2]} if part[2] else {})
    plain = _RELATIVE.sub("", text)
    call = _expression(text, plain)
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise InputError(f"{EXAMPLE}; found {text!r}")
    if call.func.id == "Share":
        return _share_of(text, call, relative=plain != text)
    return _prior(text, call, call.func.id, relative=plain != text)


def _expression(text: str, source: str) -> ast.expr:
    try:
        return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{EXAMPLE}; found {text!r}") from error


def _number(text: str, node: ast.expr) -> float:
    """Return a number, with or without a sign."""
    sign = -1.0 if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else 1.0
    inner = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd) else node
    value = inner.value if isinstance(inner, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"prior {text!r}: expected finite numbers as arguments; found {ast.unparse(node)}")
    return sign * value


def _prior(text: str, call: ast.Call, name: str, *, relative: bool) -> Prior:
    if name not in FAMILIES:
        near = difflib.get_close_matches(name, FAMILIES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(
            f"prior {text!r}: unknown distribution {name}; {hint}the distributions are {', '.join(FAMILIES)} and Share"
        )
    by_position = [each.name for each in FAMILIES[name].arguments()[0] if not each.optional]
    if len(call.args) > len(by_position):
        raise InputError(f"prior {text!r}: expected {signature(name)}; found {len(call.args)} arguments by position")
    pairs = [*zip(by_position, call.args, strict=False), *((word.arg or "**", word.value) for word in call.keywords)]
    arguments = {argument: _number(text, node) for argument, node in pairs}
    if len(arguments) < len(pairs):
        raise InputError(f"prior {text!r}: an argument is given twice; expected {signature(name)}")
    _check_arguments(text, name, arguments)
    return Prior(name, arguments, relative)


def _check_arguments(text: str, name: str, arguments: Mapping[str, float]) -> None:
    """Raise InputError unless these are the arguments of a distribution that exists."""
    form = FAMILIES[name].form_of(arguments)
    if form is None:
        found = ", ".join(arguments) or "no arguments"
        raise InputError(f"prior {text!r}: expected {signature(name)}, all numbers given; found {found}")
    low = [each.name for each in form if each.positive and not arguments[each.name] > 0]
    if low:
        raise InputError(
            f"prior {text!r}: {low[0]} is {arguments[low[0]]:g}; expected a number above zero"
            + (", as it is a width" if low[0] == "sigma" else "")
        )
    with np.errstate(all="ignore"):
        inner = distribution(name, arguments).ppf([0.25, 0.75])  # type: ignore[union-attr]  # (its form is known)
    if not (np.isfinite(inner).all() and inner[0] < inner[1]):
        raise InputError(
            f"prior {text!r}: there is no such distribution; check that bounds are in order and that there is room "
            "between them"
        )


def _share_of(text: str, call: ast.Call, *, relative: bool) -> Share:
    words: dict[str, ast.expr] = {word.arg or "**": word.value for word in call.keywords}
    numbers = [*call.args, *([words.pop("concentration")] if "concentration" in words else [])]
    if relative or len(numbers) != 1 or set(words) - {"power"}:
        raise InputError(f"prior {text!r}: expected one concentration, such as Share(4) or Share(4, power=alpha)")
    power = words.get("power")
    name = power.id if isinstance(power, ast.Name) else power.value if isinstance(power, ast.Constant) else None
    if power is not None and not (name is None and isinstance(power, ast.Constant)) and not isinstance(name, str):
        raise InputError(f"prior {text!r}: expected the name of a parameter as power, such as Share(4, power=alpha)")
    return _share(text, [_number(text, numbers[0])], {"power": str(name)} if name is not None else {})


def _share(text: str, numbers: list[float], power: dict[str, str]) -> Share:
    if not numbers[0] > 0:
        raise InputError(f"prior {text!r}: the concentration is {numbers[0]:g}; expected a number above zero")
    return Share(numbers[0], **power)


def _as_prior(law: Law, name: str, prior: Prior | Share | str) -> Prior | Share:
    """Return a prior as a record; a share as text keeps the power of the law's own unless it names one."""
    if isinstance(prior, Prior | Share):
        return prior
    if not isinstance(prior, str):
        raise InputError(
            f"prior of {name}: expected text such as 'Normal(0.34, 0.05)', a Prior or a Share; found "
            f"{type(prior).__name__}"
        )
    read, own = read_prior(prior), law.priors[name]
    if isinstance(read, Share) and isinstance(own, Share) and read.power is None and not _PART.match(prior):
        return dataclasses.replace(read, power=own.power)
    return read


def _suited(law: Law, name: str, prior: Prior | Share) -> Prior | Share:
    """Return a prior; raise InputError where it does not suit its parameter."""
    own = law.replaced.get(name, law.priors[name])
    in_units = isinstance(own, Share) or own.relative
    if not in_units and (isinstance(prior, Share) or prior.relative):
        raise InputError(
            f"law '{law.name}': {name} has no unit of loss, so its prior is no part of the typical loss; found "
            f"{prior}; expected a prior like its own, {own}"
        )
    if isinstance(prior, Prior):
        _check_support(law, name, prior, own)
    return prior


def _check_support(law: Law, name: str, prior: Prior, own: Prior | Share) -> None:
    """Raise InputError where a prior has more than a trace of probability on values without meaning."""
    low, high = _bounds(own)
    found = distribution(prior.family, prior.parameters)
    if found is None:  # PyMC knows it, or says that it does not
        return
    outside = float(found.cdf(low)) + 1.0 - float(found.cdf(high))
    if outside > OUTSIDE:
        where = (
            f"above {low:g}" if high == np.inf else f"below {high:g}" if low == -np.inf else f"in {low:g} to {high:g}"
        )
        cut = {"lower": low, "upper": high}
        ends = "".join(f", {end}={value:g}" for end, value in cut.items() if np.isfinite(value))
        raise InputError(
            f"law '{law.name}': {name} lies {where}, and {percent(outside)} of {prior} does not; cut it off, such "
            f"as TruncatedNormal(mu, sigma{ends}), or take a distribution that lies there"
        )


def _bounds(own: Prior | Share) -> tuple[float, float]:
    """Return where a law's own prior lets a parameter be."""
    if isinstance(own, Share):
        return 0.0, np.inf
    found = distribution(own.family, own.parameters)
    return (-np.inf, np.inf) if found is None else tuple(map(float, found.support()))  # type: ignore[return-value]
