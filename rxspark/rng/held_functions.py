"""The primitive functions of `random` as modules hold them: ``from random import random`` at the top of a file.

They are C methods of the one generator that is there, and nothing tells which thread calls one. So where several
threads draw, modules get functions in their place that look up what the name stands for now.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

from rxspark.rng.pickling import PRIMITIVES, StreamFunction

__all__ = ["ORIGINALS", "count_holders", "give_back", "held", "replace"]

ORIGINALS = {name: getattr(random, name) for name in PRIMITIVES}
_UNSHARED = {"random": random.Random(0).random}  # held by this dict alone: what to compare the originals with

# Seconds in which other threads end the calls of originals that they are about to make: one takes less than 1 us.
_PAUSES = (0.0, 0.0001, 0.001)

_places: set[tuple[str, str]] = set()
"""The names of modules that held originals when somebody looked, and by which names."""
_replaced: list[tuple[dict[str, Any], str, StreamFunction]] = []


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
        _replace_in_modules()
    if held():
        _look()
        _replace_in_modules()
    for pause in _PAUSES:
        if not held():
            return False
        time.sleep(pause)
    return held()


def give_back() -> None:
    """Put the originals back, but for names that stand for something else meanwhile."""
    for namespace, key, function in _replaced:
        if namespace.get(key) is function:
            namespace[key] = ORIGINALS[function.__name__]
    _replaced.clear()


def _look() -> None:
    """Look for originals in all modules, which takes 10 ms."""
    identities = set(map(id, ORIGINALS.values()))
    for name in list(sys.modules):
        if name != "random":
            found = [key for key, value in list(_namespace(name).items()) if id(value) in identities]
            _places.update((name, key) for key in found)


def _replace_in_modules() -> None:
    names = {id(original): name for name, original in ORIGINALS.items()}
    for module, key in _places:
        namespace = _namespace(module)
        name = names.get(id(namespace.get(key)))
        if name is not None:
            namespace[key] = function = StreamFunction("random", name)
            _replaced.append((namespace, key, function))


def _namespace(module: str) -> dict[str, Any]:
    found = getattr(sys.modules.get(module), "__dict__", None)
    return found if isinstance(found, dict) else {}
