"""The log density of a law with its gradient as machine code, made from its formula in milliseconds."""

from bayescale.fits.kernel.chains import Bound
from bayescale.fits.kernel.code import NoMachineCode
from bayescale.fits.kernel.kernel import Kernel, kernel_of

__all__ = ["Bound", "Kernel", "NoMachineCode", "kernel_of"]
