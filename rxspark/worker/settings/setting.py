"""One process-wide setting: how it is read, and how it is put back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter, itemgetter
from typing import Any

__all__ = [
    "Functions",
    "Setting",
    "attributes",
    "decimal_state",
    "held_list",
    "in_main_thread",
    "namespace",
    "put_decimal_state",
    "put_list",
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
    told: bool = False
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
    parts: bool = False
    """The value is a dict of parts, of which new ones may come: those are kept as they came."""


def attributes(name: str, module: str, *paths: str) -> Setting:
    """Make a setting of what is kept in attributes of a module, such as ``"root.manager.disable"``."""

    def read() -> Any:
        found = _loaded(module)
        return [attrgetter(path)(found) for path in paths]

    def put(values: Any) -> None:
        for path, value in zip(paths, values, strict=True):
            *way, last = path.split(".")
            setattr(reduce(getattr, way, _loaded(module)), last, value)

    return Setting(name, read, put, module)


def decimal_state(context: Any) -> Any:
    """Give the state of a decimal context: its pickle does, and in 1 us."""
    return context.__reduce__()[1]


def put_decimal_state(context: Any, state: Any) -> None:
    """Give a decimal context that state."""
    wanted = type(context)(*state)
    for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
        setattr(context, name, getattr(wanted, name))
    for now, then in ((context.flags, wanted.flags), (context.traps, wanted.traps)):
        for kind in now:
            now[kind] = then[kind]


def namespace(name: str, module: str, but: Iterable[str] = ()) -> Setting:
    """Make a setting of all that is in a module, by identity, but for some names; what a task adds goes."""
    space = vars(_loaded(module))
    names = tuple(key for key in space if key not in but)
    values = itemgetter(*names)

    def read() -> Any:
        return len(space), values(space)

    def put(wanted: Any) -> None:
        for key in [key for key in space if key not in but and key not in names]:
            del space[key]
        space.update(zip(names, wanted[1], strict=True))

    return Setting(name, read, put, module)


class Functions:
    """The public functions and classes of a module, which a task may replace."""

    def __init__(self, module: str, but: Iterable[str] = ()) -> None:
        self._space = vars(_loaded(module))
        names = (key for key, value in self._space.items() if callable(value) and not key.startswith("_"))
        self._names = [name for name in names if name not in but]
        self._values = itemgetter(*self._names, self._names[0]) if self._names else tuple  # never of one name alone

    def read(self) -> Any:
        """Give the functions; None where one is gone."""
        try:
            return self._values(self._space)
        except KeyError:
            return None

    def put(self, wanted: Any) -> None:
        """Put them back."""
        self._space.update(zip(self._names, wanted, strict=False))


def held_list(items: list[Any]) -> Any:
    """Value of a setting that is a list: the very list, and what is in it."""
    return id(items), items, list(items)


def put_list(value: Any) -> list[Any]:
    """Give the list of such a value, with its old contents."""
    items: list[Any] = value[1]
    items[:] = value[2]
    return items


def in_main_thread() -> bool:
    """Whether this is the thread to which signals belong."""
    return threading.current_thread() is threading.main_thread()


def _loaded(module: str) -> Any:
    return sys.modules[module]
