"""The primitive functions of `random` as modules hold them: ``from random import random`` at the top of a file.

They are C methods of the one generator that is there, and nothing tells which thread calls one. So where several
threads draw, modules get functions in their place that look up what the name stands for now.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from rxspark.rng.pickling import PRIMITIVES, StreamFunction

__all__ = ["ORIGINALS", "PRIMITIVES", "count_holders", "give_back", "held", "replace"]

ORIGINALS = {name: getattr(random, name) for name in PRIMITIVES}
_UNSHARED = {"random": random.Random(0).random}  # held by this dict alone: what to compare the originals with

# Seconds in which other threads end the calls of originals that they are about to make: one takes less than 1 us.
_PAUSES = (0.0, 0.0001, 0.001)

Place = tuple[dict[str, Any], str]

_places: list[Place] = []
"""Where modules held originals when somebody looked last."""
_replaced: list[tuple[Place, StreamFunction]] = []


def held() -> bool:
    """Tell whether anything besides `ORIGINALS` and the module `random` holds one of the originals."""
    ours = sys.getrefcount(_UNSHARED["random"]) + 1
    return any(sys.getrefcount(ORIGINALS[name]) > ours for name in PRIMITIVES)


def count_holders() -> int:
    """Count the references to the originals."""
    return sum(sys.getrefcount(ORIGINALS[name]) for name in PRIMITIVES)


def replace() -> bool:
    """Replace the originals that modules hold; tell whether any is held elsewhere, as by a class or a default."""
    if held():
        _replace_at(_places)
    if held():
        _replace_at(_found())
    for pause in _PAUSES:
        if not held():
            return False
        time.sleep(pause)
    return held()


def give_back() -> None:
    """Put the originals back, but for names that stand for something else meanwhile."""
    for (namespace, key), function in _replaced:
        if namespace.get(key) is function:
            namespace[key] = ORIGINALS[function.__name__]
    _replaced.clear()


def _found() -> Iterator[Place]:
    """Look for originals in all modules, which takes 10 ms, and remember where they are."""
    names = {id(original) for original in ORIGINALS.values()}
    for module in list(sys.modules.values()):
        namespace = getattr(module, "__dict__", None)
        if isinstance(namespace, dict) and module is not random:
            for key in [key for key, value in list(namespace.items()) if id(value) in names]:
                _places.append((namespace, key))
                yield namespace, key


def _replace_at(places: Iterable[Place]) -> None:
    by_identity = {id(original): name for name, original in ORIGINALS.items()}
    for namespace, key in list(places):
        name = by_identity.get(id(namespace.get(key)))
        if name is not None:
            namespace[key] = function = StreamFunction("random", name)
            _replaced.append(((namespace, key), function))
