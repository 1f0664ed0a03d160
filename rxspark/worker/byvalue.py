"""Pickles with functions and classes inside that workers or callers cannot import."""

from __future__ import annotations

import io
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any

import cloudpickle

from rxspark.worker.classes import defined, reduce_class, tracker_of
from rxspark.worker.reducers import reduce_special

__all__ = ["ByValuePickler", "dump", "dump_by_value", "refer_to_class"]


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
    """cloudpickle whose classes leave those that are there as they are, and which knows more kinds of objects."""

    def reducer_override(self, obj: Any) -> Any:
        """Return the reduction of functions, classes and what Python has no way for."""
        reduced = reduce_special(obj, type(obj))
        return reduce_class(super().reducer_override(obj)) if reduced is None else reduced


class _ValuePickler(ByValuePickler):
    """Pickle one of many values, whose reader has mostly read the definitions of its classes before."""

    def reducer_override(self, obj: Any) -> Any:
        return refer_to_class(obj, super().reducer_override(obj), _definitions, _define)


_definitions: MutableMapping[type, bytes] = weakref.WeakKeyDictionary()


def _define(found: type) -> bytes:
    return dump(ByValuePickler, found)


def refer_to_class(
    obj: Any, reduced: Any, definitions: MutableMapping[type, bytes], define: Callable[[type], bytes]
) -> Any:
    """Reduce a class by value to its id and its definition, which is read where the class is new."""
    tracker = tracker_of(reduced)
    if tracker is None:
        return reduced
    if obj not in definitions:
        definitions[obj] = define(obj)
    return defined, (tracker, definitions[obj])


def dump_by_value(value: Any) -> bytes:
    """Pickle a value."""
    return dump(_ValuePickler, value)


def dump(pickler: type[ByValuePickler], value: Any) -> bytes:
    """Pickle a value by a pickler of that class."""
    file = io.BytesIO()
    pickler(file, 5).dump(value)
    return file.getvalue()
