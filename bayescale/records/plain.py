"""without_infinities: records as JSON can hold them."""

import math
from collections.abc import Mapping
from typing import Any


def without_infinities(value: Any) -> Any:  # noqa: ANN401  (any plain data)
    """Return the same data with plain numbers, NumPy's among them, and None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(name): without_infinities(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_infinities(entry) for entry in value]
    if hasattr(value, "item"):  # a number of NumPy, which plain records do without
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
