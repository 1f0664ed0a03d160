"""One process-wide setting: how it is read, and how it is put back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter
from typing import Any

__all__ = [
    "Setting",
    "attributes",
    "decimal_state",
    "held_list",
    "in_main_thread",
    "loaded",
    "put_decimal_state",
    "put_list",
    "registries",
    "registry",
]


@dataclass(frozen=True, eq=False)
class Setting:
    """Something of the process that a task can change and that whoever comes next would meet."""

    name: str
    """As the guide, examples/state.md, lists it."""
    read: Callable[[], Any]
    """Give a value that does not change with the setting, to be compared by ``==``."""
    write: Callable[[Any], object]
    """Put such a value back; an error, or another value afterwards, means that it cannot be put back."""
    module: str = "sys"
    """It is there once this module is loaded."""
    tier: int = 0
    """0: read within a microsecond or two; 1: slower, so looked at less often; 2: slower than all others together."""
    on_event: bool = False
    """Only its events tell of a change; it is too slow to be looked at otherwise."""
    travels: bool = False
    """Tasks begin with the caller's value, wherever they run."""
    same_host: bool = False
    """The caller's value means something on his own machine only."""
    main_thread: bool = False
    """Only the main thread can read and change it."""
    of_thread: bool = False
    """Each thread has its own."""
    events: frozenset[str] = frozenset()
    """Audit events by which Python tells of a change."""
    ends_worker: bool = True
    """A worker that cannot put it back ends."""
    of_modules: bool = False
    """Its parts are modules: new ones are kept whenever they come."""
    parts: bool = False
    """The value is a dict of parts, of which new ones may come with modules: those are kept as they came."""


def attributes(name: str, module: str, *paths: str) -> Setting:
    """Make a setting of what is kept in attributes of a module, such as ``"root.manager.disable"``."""

    def read() -> Any:
        found = loaded(module)
        return [attrgetter(path)(found) for path in paths]

    def put(values: Any) -> None:
        for path, value in zip(paths, values, strict=True):
            *way, last = path.split(".")
            setattr(reduce(getattr, way, loaded(module)), last, value)

    return Setting(name, read, put, module)


def decimal_state(context: Any) -> Any:
    """Return the state of a decimal context: its pickle does, and in 1 us."""
    return context.__reduce__()[1]


def put_decimal_state(context: Any, state: Any) -> None:
    """Set the state of a decimal context."""
    wanted = type(context)(*state)
    for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
        setattr(context, name, getattr(wanted, name))
    for now, then in ((context.flags, wanted.flags), (context.traps, wanted.traps)):
        for kind in now:
            now[kind] = then[kind]


def registry(name: str, module: str, path: str, tier: int = 1) -> Setting:
    """Make a setting of a dict, set or list of a module, whose entries come with modules; what a task adds goes."""
    held = attrgetter(path)

    def read() -> dict[Any, Any]:
        entries = held(loaded(module))
        return entries if isinstance(entries, dict) else {id(entry): entry for entry in entries}

    def put(wanted: dict[Any, Any]) -> None:
        entries = held(loaded(module))
        if isinstance(entries, list):
            entries[:] = wanted.values()
        else:
            entries.clear()
            entries.update(wanted if isinstance(entries, dict) else wanted.values())

    return Setting(name, read, put, module, tier=tier, parts=True)


def registries(about: str, module: str, *paths: str) -> list[Setting]:
    """Make settings of those that few programs touch: they are looked at least often."""
    return [registry(f"{about}: {path}", module, path, tier=2) for path in paths]


def held_list(items: list[Any]) -> Any:
    """Value of a setting that is a list: the very list, and what is in it."""
    return id(items), items, list(items)


def put_list(value: Any) -> list[Any]:
    """Return the list of such a value, with its old contents."""
    items: list[Any] = value[1]
    items[:] = value[2]
    return items


def in_main_thread() -> bool:
    """Tell whether this is the thread to which signals belong."""
    return threading.current_thread() is threading.main_thread()


def loaded(module: str) -> Any:
    """Return a module that is loaded."""
    return sys.modules[module]
