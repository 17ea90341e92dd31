"""How a posterior is sampled."""

from dataclasses import dataclass

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
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected a whole number of at least 1")
        if self.random_seed < 0:
            raise InputError(f"random_seed is {self.random_seed}; expected a whole number of at least 0")
