"""The one error users meet: data or arguments that cannot be used."""

from bayescale.words import clean, shortened

LONGEST = 4000
"""Characters of the longest fault that is shown: a cell may hold a whole file."""


class InputError(ValueError):
    """Data or arguments that cannot be used.

    The message says what was expected, what was found, where, and what to do. ``faults`` holds every
    fault found, so that a table is mended in one go; it has one entry when there is only one.
    """

    def __init__(self, *faults: str) -> None:
        faults = tuple(
            "\n".join(map(clean, shortened(fault, LONGEST).split("\n"))) for fault in faults
        )  # names may come from anywhere
        super().__init__("\n".join(faults))
        self.faults = faults
