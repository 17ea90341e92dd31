"""Limits of a choice on the command line: what is served, what data there are, which models fit."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from bayescale.cli.parsing import UsageError, parse_count
from bayescale.errors import InputError

LIMITING = Group.create_ordered("Limits")


def parse_sizes(text: str) -> tuple[float, ...]:
    """Read ``1B,3B,8B``; raise ValueError for what is no count."""
    return tuple(parse_count(part) for part in text.split(","))


def parse_covariates(texts: tuple[str, ...]) -> dict[str, float | list[float]]:
    """Read ``granularity=1,4,16`` and ``vocabulary=32k``.

    Raises
    ------
    ValueError
        If a part has no name or no count, or a name comes twice.
    """
    found: dict[str, float | list[float]] = {}
    for text in texts:
        name, equals, values = (piece.strip() for piece in text.partition("="))
        if not (name and equals and values):
            raise ValueError(f"expected NAME=VALUE or NAME=VALUE,VALUE such as granularity=1,4,16; found {text!r}")
        if name in found:
            raise ValueError(f"{name} is given twice")
        counts = list(parse_sizes(values))
        found[name] = counts if len(counts) > 1 else counts[0]
    return found


def _check_count(_: object, text: str | None) -> None:
    if text is not None:
        parse_count(text)


def _check_sizes(_: object, text: str | None) -> None:
    if text is not None:
        parse_sizes(text)


def _check_covariates(_: object, texts: tuple[str, ...]) -> None:
    parse_covariates(texts)


Tokens = Annotated[str | None, Parameter(validator=_check_count, metavar="TOKENS")]
Size = Annotated[str | None, Parameter(validator=_check_count, metavar="N")]


@Parameter(name="*", group=LIMITING)
@dataclass(frozen=True)
class Limits:
    """What limits the choice of a run beside its compute. Counts may be written 8e9, 8B or 15T."""

    inference_tokens: Tokens = None
    """Tokens to serve over the model's life; a budget then pays for training, and a third of a training
    token for each."""

    unique_tokens: Tokens = None
    """Distinct tokens there are; none is used twice unless --repetition is given, or the law knows what repeats do."""

    repetition: Annotated[float | None, Parameter(metavar="R_D")] = None
    """R_D of the law data_constrained, by which repeats are worth less, such as 15.4 (Muennighoff et al. 2023)."""

    max_params: Size = None
    """Largest model, such as what fits a memory."""

    min_params: Size = None
    """Smallest model."""

    min_tokens: Tokens = None
    """Fewest training tokens."""

    max_tokens: Tokens = None
    """Most training tokens, repeats counted."""

    sizes: Annotated[str | None, Parameter(validator=_check_sizes, metavar="N,...")] = None
    """The only sizes allowed, such as 1B,3B,8B."""

    covariate: Annotated[tuple[str, ...], Parameter(validator=_check_covariates, metavar="NAME=VALUE,...")] = ()
    """Another column of the law: one value fixes it, several are chosen from; repeat it for several columns."""

    def keywords(self) -> dict[str, Any]:
        """Return the constraints as an argument of the public functions; none without limits.

        Raises
        ------
        UsageError
            If limits contradict each other.
        """
        counts = ("inference_tokens", "unique_tokens", "max_params", "min_params", "min_tokens", "max_tokens")
        given: dict[str, Any] = {
            name: parse_count(getattr(self, name)) for name in counts if getattr(self, name) is not None
        }
        if self.repetition is not None:
            given["repetition"] = self.repetition
        if self.sizes is not None:
            given["sizes"] = parse_sizes(self.sizes)
        if self.covariate:
            given["covariates"] = parse_covariates(self.covariate)
        if not given:
            return {}
        from bayescale.splits.constraints import Constraints  # noqa: PLC0415  (ArviZ, which --help does not need)

        try:
            return {"constraints": Constraints(**given)}
        except InputError as error:
            raise UsageError(str(error)) from error


LIMITS = Limits()
