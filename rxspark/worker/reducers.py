"""Pickle objects that neither pickle nor cloudpickle can, and refuse those that cannot travel at all."""

from __future__ import annotations

import functools
import gc
import io
import itertools
import sys
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any

from rxspark.errors import RxShippingError
from rxspark.worker.protocol import BroadcastValue
from rxspark.worker.snapshot import found_by_name

__all__ = ["EACH_APART", "RefusedError", "cached_function", "reduce_special"]

Reduced = tuple[Any, ...]

_Cached = type(functools.lru_cache(lambda: None))

# Kinds of which each object is looked at, since how it travels depends on more than its kind.
EACH_APART = (_Cached, io.TextIOBase, weakref.WeakKeyDictionary, weakref.WeakValueDictionary, functools.cached_property)

_SESSION_CLASSES = {"SparkContext", "SparkSession", "SQLContext", "RDD", "DataFrame", "StreamingContext"}


class RefusedError(RxShippingError):
    """An object that can never travel; the message says why.

    Attributes
    ----------
    culprit : object
        The very object.
    """

    def __init__(self, message: str, culprit: Any) -> None:
        super().__init__(message)
        self.culprit = culprit


def reduce_special(obj: Any, kind: type) -> Reduced | None:
    """Return the reduction of an object of one of the kinds below; None for all others.

    Raises
    ------
    RefusedError
        For what belongs to the driver program: Spark sessions and accumulators, jobs.
    """
    if kind.__module__.startswith("pyspark."):
        return _reduce_of_spark(obj, kind.__name__)
    if kind.__module__ == "rxspark.jobs.rxjob":
        raise RefusedError(
            f"a job such as {obj.id} belongs to the program that submitted it and cannot be used in a task; pass its "
            f"results, or its id",
            obj,
        )
    if kind is _Cached:  # cloudpickle knows it by its name only
        return None if found_by_name(obj) else (_cached, (obj.__wrapped__, obj.cache_parameters()))
    if kind is functools.cached_property:  # which holds a lock up to Python 3.11
        return functools.cached_property, (obj.func,), {"attrname": obj.attrname}
    if kind in (weakref.WeakKeyDictionary, weakref.WeakValueDictionary):
        return kind, (dict(obj),)
    if kind is itertools.count:  # which Python itself pickles up to 3.13
        return itertools.count, _numbers_of(obj)
    if kind.__name__ == "ufunc" and kind.__module__ == "numpy":
        return _reduce_ufunc(obj)
    for name in ("stdout", "stderr") if issubclass(kind, io.TextIOBase) else ():
        if obj in (getattr(sys, name), getattr(sys, f"__{name}__")):
            return getattr, (sys, name)
    return None


def cached_function(obj: Any) -> Any:
    """Return the function inside one of `functools.lru_cache`, None for anything else."""
    return obj.__wrapped__ if type(obj) is _Cached else None


def _cached(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """Rebuild a function of `functools.lru_cache`, with an empty cache."""
    return functools.lru_cache(**parameters)(function)


def _reduce_of_spark(obj: Any, name: str) -> Reduced | None:
    if name in _SESSION_CLASSES:
        raise RefusedError(
            f"a {name} exists only in the driver program and cannot be used in a task; "
            f"pass the data that the task needs as an argument",
            obj,
        )
    if name == "Accumulator":
        raise RefusedError(
            "a Spark accumulator counts in jobs of Spark's own and cannot be used in a task; return what is to be "
            "counted, and add it up afterwards",
            obj,
        )
    return (BroadcastValue, (obj.value,)) if name == "Broadcast" else None


def _numbers_of(counter: itertools.count[Any]) -> Reduced:
    """Return the next number and the step of a counter, without counting on.

    It shows both to the garbage collector, but where it counts whole numbers by one: then its text has the next.
    """
    numbers = [held for held in gc.get_referents(counter) if held is not itertools.count]
    return tuple(numbers) if len(numbers) == 2 else (int(repr(counter).removeprefix("count(").removesuffix(")")),)


def _reduce_ufunc(ufunc: Any) -> Reduced | None:
    """Reduce a ufunc of `np.frompyfunc` to the function inside, which it shows to the garbage collector alone."""
    functions: list[Callable[..., Any]] = [held for held in gc.get_referents(ufunc) if callable(held)]
    if not functions:
        return None
    return _from_python, (functions[0], ufunc.nin, ufunc.nout, ufunc.identity)


def _from_python(function: FunctionType, takes: int, gives: int, identity: Any) -> Any:
    import numpy

    return numpy.frompyfunc(function, takes, gives, identity=identity)
