"""Random generators that a function carries along: what goes to the workers in their place.

Pickled as they are, they would give the same numbers in every task. What goes instead:

* the generators of the process, `random._inst` and `np.random.mtrand._rand`, and their methods (``from random import
  gauss``, ``np.random.uniform``, ``mkl_random.uniform``): their names, looked up in the worker when they are called,
  so they follow the stream of the task that runs;
* a Generator, a RandomState or a `random.Random` of the user's own: the generator of the same class that draws from the
  task's stream. Its own seed plays no part then, which a warning says;
* a SeedSequence goes as it is, as a seed would: the tasks that make a generator of it, or spawn from it, get the same
  numbers each, which a warning says;
* a bit generator, an MKLRandomState and classes derived from these are refused: nothing that draws from the stream can
  stand for them.

A generator that is an *element* argument belongs to one task only, and travels as it is.
"""

from __future__ import annotations

import random
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

from rxspark.errors import RxShippingError
from rxspark.rng.active import current

__all__ = ["PRIMITIVES", "StreamFunction", "is_generator", "reduce_generator"]

_SHARED: random.Random = random._inst
_METHODS = (types.MethodType, types.BuiltinFunctionType)
# The C methods of the shared generator do not see that a stream has begun (stdlib_patch); those that set it go along.
PRIMITIVES = ("random", "getrandbits", "seed", "getstate", "setstate")

Reduced = tuple[Callable[..., Any], tuple[Any, ...]]


class StreamFunction:
    """A function of `random` or `numpy.random`, found by its name at each call.

    >>> StreamFunction("random", "getrandbits")(8) < 256
    True
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = sys.modules.get(module) or __import__(module, fromlist=[name])
        self.__module__ = module
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function that has the name now."""
        return getattr(self._module, self.__name__)(*args, **kwargs)

    def __reduce__(self) -> Reduced:
        return StreamFunction, (self.__module__, self.__name__)

    def __repr__(self) -> str:
        return f"<{self.__module__}.{self.__name__} of the task's stream>"


def _shared_random() -> random.Random:
    return _SHARED


def _shared_randomstate() -> Any:
    from numpy.random import mtrand

    return mtrand._rand


def _stream_generator() -> Any:
    """A Generator over the bits that each stream to come starts anew."""
    import numpy as np

    from rxspark.rng.stream_bits import shared_bits

    return np.random.Generator(shared_bits("Philox")) if current() else np.random.default_rng()


def reduce_generator(obj: Any, own: bool = False) -> Reduced | None:
    """Reduce `obj` so that it draws from the stream of the task that uses it; None if it is no generator.

    Parameters
    ----------
    obj : object
        Anything that a pickler meets.
    own : bool
        Whether `obj` comes from an element argument, so that one task only gets it.

    Raises
    ------
    RxShippingError
        For a generator that nothing can stand for.
    """
    if isinstance(obj, random.Random):
        return _reduce_random(obj, own)
    if isinstance(obj, _METHODS) and getattr(obj, "__self__", None) is _SHARED:
        return (StreamFunction, ("random", obj.__name__)) if obj.__name__ in PRIMITIVES else None
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "random"):
        return None
    return _reduce_numpy(obj, numpy.random, own)


def is_generator(kind: type) -> bool:
    """Tell whether objects of this class draw random numbers: how they travel depends on whose they are."""
    numpy = sys.modules.get("numpy")
    module = getattr(numpy, "random", None)
    if module is None:
        return issubclass(kind, random.Random)
    classes = (module.RandomState, module.Generator, module.BitGenerator, module.SeedSequence, *_mkl_classes())
    return issubclass(kind, (random.Random, *classes))


def _reduce_random(obj: random.Random, own: bool) -> Reduced | None:
    if obj is _SHARED:
        return _shared_random, ()
    if isinstance(obj, random.SystemRandom):  # which has no state, and refuses by itself to be pickled
        return type(obj), ()
    if own:
        return None
    if type(obj) is not random.Random:
        raise _refusal(obj)
    _say_rebound(obj)
    return _shared_random, ()


def _reduce_numpy(obj: Any, module: Any, own: bool) -> Reduced | None:
    if isinstance(obj, (*_METHODS, type(module.seed))):
        return _reduce_function(obj, module)
    if not is_generator(type(obj)):
        return None
    if obj is _shared_randomstate():
        return _shared_randomstate, ()
    if own:
        return None
    if isinstance(obj, module.SeedSequence):
        warnings.warn(
            "a SeedSequence that all tasks have gives each of them the same numbers. For numbers of its own, give each "
            "task a child, rxElemArg(sequence.spawn(n)), or make generators without a seed: the stream seeds these",
            stacklevel=4,
        )
        return None
    if type(obj) is module.RandomState:
        _say_rebound(obj)
        return _shared_randomstate, ()
    if type(obj) is module.Generator:
        _say_rebound(obj)
        return _stream_generator, ()
    raise _refusal(obj)


def _reduce_function(obj: Any, module: Any) -> Reduced | None:
    """A function of numpy.random or mkl_random, as its name in numpy.random."""
    name = getattr(obj, "__name__", "")
    found = vars(module).get(name)
    if found is None:
        return None
    owner = getattr(obj, "__self__", None)
    mkl = sys.modules.get("mkl_random")
    shared = (_shared_randomstate(), mkl and mkl.uniform.__self__)
    if found == obj or (owner is not None and any(owner is one for one in shared)):
        return StreamFunction, ("numpy.random", name)
    return None


def _mkl_classes() -> tuple[type, ...]:
    mkl = sys.modules.get("mkl_random")
    return (mkl.MKLRandomState,) if mkl else ()


def _what(obj: Any) -> str:
    public = ".".join(part for part in type(obj).__module__.split(".") if not part.startswith("_"))
    return f"a {public}.{type(obj).__qualname__}"


def _say_rebound(obj: Any) -> None:
    warnings.warn(
        f"{_what(obj)} goes to the tasks as a generator that draws from each task's own stream; its own seed "
        f"plays no part there (RNGseed does). For the same numbers in every task, pass the seed and make the generator "
        f"in the task",
        stacklevel=4,
    )


def _refusal(obj: Any) -> RxShippingError:
    return RxShippingError(
        f"{_what(obj)} would give the same numbers in every task, and nothing that draws from the task's stream can "
        f"stand for it; make it in the task (np.random.default_rng() without a seed gets its seed from the stream), or "
        f"give each task its own by rxElemArg"
    )
