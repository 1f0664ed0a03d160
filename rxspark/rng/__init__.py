"""Random number streams: kinds and roots, the installer, the users' functions, what travels in a generator's place.

kinds          the table; RNGseed and RNGkind become a root
streams        installs stream k of a root in this process, and takes it out again
  engines        what makes the numbers: MKL, NumPy
  quasi          SOBOL and NIEDERR
  numpy_random   the doors of np.random
  stdlib_random  the door of random
  current        which streams are installed
functions      rxRngNewStream and its kin
rebinding      generators that a function carries along
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
