"""Kernel: a law's compiled log density, for every table."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.fits.kernel.chains import Bound, sampler_library
from bayescale.fits.kernel.code import Program, compiled
from bayescale.fits.kernel.density import Density, density_of
from bayescale.laws import Law


@dataclass(frozen=True)
class Kernel:
    """A law's log density as machine code: made once, and good for every table.

    Attributes
    ----------
    density : Density
        What was compiled.
    program : Program
        The machine code.
    """

    density: Density
    program: Program

    def with_data(self, data: Mapping[str, np.ndarray]) -> Bound:
        """Return the kernel with a table under the names that the model gives its data."""
        rows = len(data["log_response_data"])
        given = self.program.data({**data, "rows": np.asarray(float(rows))}, rows)
        return Bound(self.density, self.program, given)


def kernel_of(law: Law) -> Kernel:
    """Compile the log density of a law.

    Raises
    ------
    NoMachineCode
        If its formula or a prior cannot be written down, or this machine has no such code; see
        docs/decisions/0021-fast-path.md.
    """
    sampler_library()  # without it, machine code is of no use
    density = density_of(law)
    return Kernel(density, compiled(density.value, density.slopes, density.variables))
