"""Tell values that no task can change from those that it can, of which each task gets a copy."""

from __future__ import annotations

import datetime
import decimal
import fractions
import pathlib
import sys
import uuid
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

__all__ = ["ATOMS", "all_immutable", "all_shallow", "is_immutable"]

ATOMS = (int, float, complex, bool, str, bytes, type(None))

_IMMUTABLE: set[type] = {
    *ATOMS,
    *(datetime.date, datetime.timedelta, datetime.timezone, decimal.Decimal, fractions.Fraction, uuid.UUID),
    *(pathlib.PurePosixPath, pathlib.PosixPath, range, tuple),
}

# Times, which are as changeable as their zone is.
_TIMES: set[type] = {datetime.datetime, datetime.time}

# Kinds that a task's result often has, seen at once.
_CONTAINERS = {list, dict, set}

# The packages whose time zones nobody changes; a class of the user's own may hold anything.
_ZONES = {"builtins", "datetime", "zoneinfo", "pytz", "dateutil"}

# Tuples inside tuples that are looked into: pickling deeper ones may fail, which is told element by element.
_DEEPEST = 100


def all_immutable(values: Iterable[Any]) -> bool:
    """Tell whether all values, and what tuples among them hold, are of kinds that no task can change.

    Tasks need no copies of such values, and Python's own pickler knows them all.

    >>> all_immutable([1, "a", (2.5, None)]), all_immutable([1, (2, [])])
    (True, False)
    """
    level = list(values)
    for _ in range(_DEEPEST):
        if not level:
            return True
        kinds = set(map(type, level))
        if not _are_immutable_kinds(kinds, level):
            return False
        level = [held for value in level if type(value) is tuple for held in value] if tuple in kinds else []
    return False


def all_shallow(values: Sequence[Any]) -> bool:
    """Tell whether all values are dicts and lists of what no task can change, so that ``value.copy()`` is a copy.

    >>> all_shallow([{"a": 1}, [2, (3, "b")]]), all_shallow([{"a": []}]), all_shallow([1])
    (True, False, False)
    """
    held = (value if type(value) is list else chain(value, value.values()) for value in values)
    return set(map(type, values)) <= {dict, list} and all_immutable(chain.from_iterable(held))


def is_immutable(value: Any) -> bool:
    """Tell the same of one value.

    >>> is_immutable((1, "a")), is_immutable([])
    (True, False)
    """
    kind = type(value)
    if kind is tuple:
        kinds = set(map(type, value))
        return (tuple not in kinds and kinds <= _IMMUTABLE) or all_immutable(value)
    if kind in _IMMUTABLE:
        return True
    if kind in _TIMES:
        return _zone(value) in _ZONES
    return kind not in _CONTAINERS and all_immutable((value,))


def _are_immutable_kinds(kinds: set[type], values: list[Any]) -> bool:
    """Tell the same of values that are of these kinds, but not of what they hold."""
    _learn(kinds - _IMMUTABLE - _TIMES)
    others = kinds - _IMMUTABLE
    return others <= _TIMES and (not others or {_zone(value) for value in values if type(value) in others} <= _ZONES)


def _learn(kinds: set[type]) -> None:
    """Take in kinds of libraries, which live as long as the process."""
    if (numpy := sys.modules.get("numpy")) is not None:
        _IMMUTABLE.update(kind for kind in kinds if _is_scalar(kind, numpy))
    if (pandas := sys.modules.get("pandas")) is not None:
        _IMMUTABLE.update(kinds & {pandas.Timedelta, pandas.Period, type(pandas.NaT), type(pandas.NA)})
        _TIMES.update(kinds & {pandas.Timestamp})


def _zone(time: Any) -> str:
    """Name the package of a time's zone."""
    return type(time.tzinfo).__module__.partition(".")[0]


def _is_scalar(kind: type, numpy: Any) -> bool:
    """Tell whether a class is one of NumPy's own scalar types, but for records, whose fields can be assigned to."""
    return issubclass(kind, numpy.generic) and kind.__module__ == "numpy" and not issubclass(kind, numpy.void)
