"""SOBOL and NIEDERR: the quasi-random sequences of Intel MKL's Vector Statistics (VSL), by ctypes.

There is one sequence a dimension, whatever the seed: points ``2**20 * k`` to ``2**20 * (k + 1) - 1`` are stream k, so
streams share no point. But the first few points of a stream lie within ``2**-19`` of those of every other stream, as
both start at a multiple of ``2**20``: an integral gains by more points in a chunk, not by more chunks.

What the sequence feeds are the functions that turn one number of it into one value: the uniform ones (``random``,
``rand``, ``random_sample``, ``ranf``, ``sample``, ``uniform``) and, by the inverse of the distribution function,
``normal``, ``standard_normal``, ``randn``, ``lognormal``, ``exponential`` and ``standard_exponential``. All others
(``randint``, ``choice``, ``shuffle``, ``gamma``, ...) would spoil the even spread, as they take a varying number of
draws; they come from a pseudo-random stream of the same seed and number.

MKL is exact up to dimension 40 (SOBOL) and 318 (NIEDERR). Beyond, it gives the one-dimensional sequence and no error,
so the dimension is checked here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rxspark.errors import RxArgumentError, RxError
from rxspark.rng.mkl import library

if TYPE_CHECKING:
    import numpy as np

__all__ = ["DIMENSIONS", "SEGMENT", "Quasi", "check_dimension"]

DIMENSIONS = {"SOBOL": 40, "NIEDERR": 318}
SEGMENT = 2**20  # points a stream: a million normals fit, and 4,095 streams do in the 2**32 - 1 points of MKL

_BRNG = {"SOBOL": 6 << 20, "NIEDERR": 7 << 20}  # mkl_vsl_defines.h: VSL_BRNG_SOBOL, VSL_BRNG_NIEDERR
_UNIFORM_STD = 0  # VSL_RNG_METHOD_UNIFORM_STD
_GAUSSIAN_ICDF = 2  # VSL_RNG_METHOD_GAUSSIAN_ICDF: one draw a value; the other methods take two


def check_dimension(kind: str, dimension: Any) -> int:
    """The dimension, or the error that states the kind's limit."""
    most = DIMENSIONS.get(kind, 0)
    if not isinstance(dimension, int) or isinstance(dimension, bool) or not 1 <= dimension <= max(most, 1):
        limit = f"{kind} has dimensions 1 to {most}" if most else f"{kind} is not quasi-random and has dimension 1 only"
        raise RxArgumentError(f"dimension={dimension!r}: {limit}")
    return dimension


class Quasi:
    """The segments of one quasi-random sequence.

    Parameters
    ----------
    kind : str
        ``"SOBOL"`` or ``"NIEDERR"``.
    dimension : int
        Numbers come point by point: ``np.random.uniform(size=(n, dimension))`` gives n points, one a row.
    """

    def __init__(self, kind: str, dimension: int) -> None:
        self._kind = kind
        self._dimension = check_dimension(kind, dimension)
        self._stream = ctypes.c_void_p()
        self._drawn = 0  # numbers taken from the segment
        self._number = 0

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(library(), name)(*arguments)
        if status:
            raise RxError(f"MKL's {name} answered status {status} for {self._kind} in dimension {self._dimension}")

    def __del__(self) -> None:
        if self._stream:
            library().vslDeleteStream(ctypes.byref(self._stream))

    def start(self, number: int) -> None:
        """Go to the first point of segment `number`."""
        self._seek(number, 0)

    def get_state(self) -> tuple[int, int]:
        """The segment's number, and how many numbers were taken from it."""
        return self._number, self._drawn

    def set_state(self, state: tuple[int, int]) -> None:
        """Go on where `get_state` was called."""
        self._seek(*state)

    def _seek(self, number: int, drawn: int) -> None:
        if self._stream:
            self._call("vslDeleteStream", ctypes.byref(self._stream))
        # For these kinds VSL takes the dimension in the seed's place, and counts numbers, not points, in a skip.
        dimension = ctypes.c_uint32(self._dimension)
        self._call("vslNewStream", ctypes.byref(self._stream), _BRNG[self._kind], dimension)
        skip = number * SEGMENT * self._dimension + drawn
        if skip:
            self._call("vslSkipAheadStream", self._stream, ctypes.c_longlong(skip))
        self._number, self._drawn = number, drawn

    def _take(self, name: str, method: int, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """An array of standard uniform or normal values from the next numbers of the segment."""
        import numpy as np

        values = np.empty(shape)
        left = SEGMENT * self._dimension - self._drawn
        if values.size > left:
            raise RxArgumentError(
                f"a stream of kind {self._kind} has {SEGMENT:,} points; {left:,} numbers are left and "
                f"{values.size:,} are asked for: draw fewer in a chunk, or use more chunks (taskChunkSize)"
            )
        where = values.ctypes.data_as(ctypes.c_void_p)
        self._call(name, method, self._stream, values.size, where, ctypes.c_double(0), ctypes.c_double(1))
        self._drawn += values.size
        return values

    def _uniforms(self, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
        return self._take("vdRngUniform", _UNIFORM_STD, shape)

    def _normals(self, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
        return self._take("vdRngGaussian", _GAUSSIAN_ICDF, shape)

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions of np.random that the sequence feeds."""
        return {
            "uniform": self.uniform,
            "random_sample": self.random_sample,
            "random": self.random_sample,
            "ranf": self.random_sample,
            "sample": self.random_sample,
            "rand": lambda *shape: self.random_sample(shape or None),
            "normal": self.normal,
            "standard_normal": lambda size=None: self.normal(size=size),
            "randn": lambda *shape: self.normal(size=shape or None),
            "lognormal": self.lognormal,
            "exponential": self.exponential,
            "standard_exponential": lambda size=None: self.exponential(size=size),
        }

    def random_sample(self, size: Any = None) -> Any:
        """Uniform values in [0, 1)."""
        return _plain(self._uniforms(_shape(size)))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Uniform values in [low, high)."""
        import numpy as np

        low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
        return _plain(low + (high - low) * self._uniforms(_shape(size, low, high)))

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Normal values, by the inverse distribution function."""
        import numpy as np

        loc, scale = np.asarray(loc, dtype=float), np.asarray(scale, dtype=float)
        if (scale < 0).any():
            raise ValueError("scale < 0")  # as numpy.random.normal says it
        return _plain(loc + scale * self._normals(_shape(size, loc, scale)))

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Any:
        """The exponential of normal values."""
        return _plain(_mapped("vdExp", self.normal(mean, sigma, size)))

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Exponential values, by the inverse distribution function."""
        import numpy as np

        scale = np.asarray(scale, dtype=float)
        if (scale < 0).any():
            raise ValueError("scale < 0")  # as numpy.random.exponential says it
        return _plain(-scale * _mapped("vdLog1p", -self._uniforms(_shape(size, scale))))


def _mapped(name: str, values: Any) -> Any:
    """Values of a function of MKL's vector mathematics. The last digits of NumPy's own depend on the processor."""
    import numpy as np

    values = np.asarray(values, order="C")
    results = np.empty_like(values)
    where = ctypes.c_void_p
    getattr(library(), name)(values.size, values.ctypes.data_as(where), results.ctypes.data_as(where))
    return results


def _shape(size: Any, *parameters: Any) -> tuple[int, ...]:
    """The shape of a result: `size`, or what the parameters broadcast to."""
    import numpy as np

    if size is None:
        return np.broadcast_shapes(*(parameter.shape for parameter in parameters))
    return tuple(size) if np.iterable(size) else (size,)


def _plain(values: Any) -> Any:
    """An array, or a float where the shape is ()."""
    return values if values.ndim else float(values)
