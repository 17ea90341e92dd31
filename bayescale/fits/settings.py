"""How a posterior is sampled."""

from dataclasses import dataclass
from numbers import Integral

from bayescale.errors import InputError


@dataclass(frozen=True)
class Settings:
    """How a posterior is sampled: draws and tuning steps per chain, chains and seed."""

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    random_seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what the sampler would answer with a native crash or with nothing."""
        for name in ("draws", "tune", "chains"):
            _check_whole(name, getattr(self, name), 1)
        _check_whole("random_seed", self.random_seed, 0)


def _check_whole(name: str, value: object, smallest: int) -> None:
    if not isinstance(value, Integral) or value < smallest:
        raise InputError(f"{name} is {value!r}; expected a whole number of at least {smallest}")
