"""Functions of np.random that MKL draws, kept to the arguments for which it draws them right.

Each function was held against NumPy's, over its arguments up to their edges, by chi-square and Kolmogorov-Smirnov tests
(mkl_random 1.5.0, MKL 2026.2). Where MKL errs, by the arguments alone and so alike on every machine, NumPy's legacy
function draws from the same stream's bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["BEYOND", "COUNTS", "DRAWN", "mkl_functions"]

# MKLRandomState's functions that behave as NumPy's for all arguments.
_DIRECT = (
    "bytes",
    "permutation",
    "rand",
    "random_sample",
    "shuffle",
    "standard_cauchy",
    "standard_exponential",
)
# Those that do where they do not raise and `BEYOND` sees nothing. Left out, as they differ from NumPy's: geometric
# counts from 0, gumbel is mirrored, vonmises and noncentral_f have another distribution, multivariate_normal has too
# small a variance, and poisson(0), negative_binomial(n, 1) and noncentral_chisquare below one degree of freedom return
# what happens to lie in memory.
_CHECKED = (
    "beta",
    "binomial",
    "chisquare",
    "choice",
    "dirichlet",
    "exponential",
    "f",
    "gamma",
    "hypergeometric",
    "laplace",
    "logistic",
    "lognormal",
    "multinomial",
    "normal",
    "pareto",
    "power",
    "randint",
    "randn",
    "rayleigh",
    "standard_gamma",
    "standard_normal",
    "standard_t",
    "triangular",
    "uniform",
    "wald",
    "weibull",
)
COUNTS = ("binomial", "hypergeometric", "multinomial")  # 32-bit in MKL, 64-bit in NumPy

# Trials of a binomial that MKL may draw. It works in single precision: of 4,000,000 draws with n = 100,000 and p = 0.01
# a chi-square test sees the error (p = 3e-4; n = 131,072: 4e-12), with n = 65,536 none of 12 tests does; 33,554,432
# trials give even numbers only, 2**31 - 1 none at all. The error grows with n, so this is well below.
_TRIALS = 2**14
# Balls in a hypergeometric's urn that MKL may draw from: no error in 1,000,000 draws up to 2**21; wrong for 2 * 10**9.
_BALLS = 2**20
# Length of the range of whole numbers that MKL may draw from. It stretches 32 random bits over the range, so one number
# comes up more often than another by a part of range / 2**32, here 0.00024. With three quarters of 2**30 some come up
# six times as the others come up five times (chi-square of 20,000 draws modulo 8: p = 1e-18).
_RANGE = 2**20


def _binomial(n: Any, p: Any = None, size: Any = None) -> bool:
    return bool(n > _TRIALS)


def _hypergeometric(ngood: Any, nbad: Any, nsample: Any = None, size: Any = None) -> bool:
    return bool(ngood + nbad > _BALLS)


def _randint(low: Any, high: Any = None, size: Any = None, dtype: Any = int) -> bool:
    return bool(low > _RANGE if high is None else high - low > _RANGE)


def _choice(a: Any, size: Any = None, replace: Any = True, p: Any = None) -> bool:
    return bool((len(a) if hasattr(a, "__len__") else a) > _RANGE)


def _uniform(low: Any = 0.0, high: Any = 1.0, size: Any = None) -> bool:
    return bool(high - low == float("inf"))  # an error in NumPy, one number for all draws in MKL


DRAWN = (*_DIRECT, *_CHECKED, "random", "ranf", "sample")

# By the name of a function: whether its arguments are beyond what MKL draws right. Arrays raise ValueError here, and
# are NumPy's to draw.
BEYOND: dict[str, Callable[..., bool]] = {
    "binomial": _binomial,
    "multinomial": _binomial,
    "hypergeometric": _hypergeometric,
    "randint": _randint,
    "choice": _choice,
    "uniform": _uniform,
}

_WITHOUT_BYTES = ("MCG31", "R250", "MRG32K3A")  # MKL cannot make random bits with these: it gives what lies in memory


def mkl_functions(state: Any, kind: str, normal_method: str | None) -> dict[str, Callable[..., Any]]:
    """Return the functions that MKL draws, by their names in np.random.

    Parameters
    ----------
    state : mkl_random.MKLRandomState
        Draws from the stream.
    kind : str
        The kind of generator behind it.
    normal_method : str or None
        MKL's method for the normal functions; None: its own choice, ICDF.
    """
    functions: dict[str, Callable[..., Any]] = {name: getattr(state, name) for name in (*_DIRECT, *_CHECKED)}
    functions |= dict.fromkeys(("random", "ranf", "sample"), state.random_sample)
    if kind in _WITHOUT_BYTES:
        del functions["bytes"]
    return functions | _normals(state, normal_method) if normal_method else functions


def _normals(state: Any, method: str) -> dict[str, Callable[..., Any]]:
    standard = partial(state.standard_normal, method=method)
    return {
        "normal": partial(state.normal, method=method),
        "lognormal": partial(state.lognormal, method=method),
        "standard_normal": standard,
        "randn": lambda *shape: standard(shape or None),
    }
