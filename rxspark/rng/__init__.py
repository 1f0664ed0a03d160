"""Random number streams: kinds and roots, the installer, the users' functions, what travels in a generator's place.

kinds            the table; RNGseed and RNGkind become a root
streams          installs stream k of a root in this process, and takes it out again
  engines        what makes the numbers: MKL, NumPy
  mkl            MKL's library, with the same numbers on every processor
  mkl_quirks     where MKL errs
  quasi          SOBOL and NIEDERR
  numpy_patch    the functions of np.random
  stdlib_patch   the functions of random
  numba_random   those of compiled code
  active         which streams are installed
api              rxRngNewStream and its kin
imports          modules that draw while they are imported
pickling         generators that a function carries along
"""

from rxspark.rng.api import RxStream, rxRngDelStream, rxRngGetStream, rxRngNewStream, rxRngSetStream
from rxspark.rng.kinds import KINDS, SeedRoot

__all__ = [
    "KINDS",
    "RxStream",
    "SeedRoot",
    "rxRngDelStream",
    "rxRngGetStream",
    "rxRngNewStream",
    "rxRngSetStream",
]
