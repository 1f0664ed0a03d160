"""Functions, constants and methods of modules, which a task may replace."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from operator import itemgetter
from types import ModuleType
from typing import Any

from rxspark.worker.settings.native import addresses
from rxspark.worker.settings.setting import Setting, loaded

__all__ = ["BUILT_IN", "FUNCTIONS", "namespace"]


def namespace(name: str, module: str, but: Iterable[str] = ()) -> Setting:
    """Make a setting of all that is in a module, by identity, but for some names; what a task adds goes."""
    space = vars(loaded(module))
    names = tuple(key for key in space if key not in but)
    values = itemgetter(*names)

    def read() -> Any:
        return len(space), values(space)

    def put(wanted: Any) -> None:
        for key in [key for key in space if key not in but and key not in names]:
            del space[key]
        space.update(zip(names, wanted[1], strict=True))

    return Setting(name, read, put, module)


_CONSTANTS = (int, float, str, bytes, bool, type(None))


def _nothing(_: Any) -> tuple[()]:
    return ()


class _Objects(tuple[Any, ...]):
    """Objects that are compared by what they are: what equals everything is another one, and so are 1 and True."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and _alike(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]


class _Functions:
    """The public functions, classes and constants of a module."""

    def __init__(self, module: str) -> None:
        self._space = vars(loaded(module))
        self.dicts = [self._space]
        but = _OTHERS_OF.get(module, ())
        self._names = [
            name
            for name, value in list(self._space.items())
            if not name.startswith("_") and name not in but and (callable(value) or type(value) in _CONSTANTS)
        ]
        self._values = itemgetter(*self._names, self._names[0]) if self._names else _nothing  # never of one name alone
        self._last = _Objects()

    def read(self) -> Any:
        """Return them, as the same tuple while they are the same, which is quick to compare; None where one is gone."""
        try:
            now = _Objects(self._values(self._space))
        except KeyError:
            return None
        if now != self._last:
            self._last = now
        return self._last

    def put(self, wanted: Any) -> None:
        """Put them back."""
        if wanted is not None:
            self._space.update(zip(self._names, wanted, strict=False))


class _Methods:
    """The public methods and other attributes of the classes of a module, and of what these inherit in its package."""

    def __init__(self, module: str) -> None:
        top = module.partition(".")[0]
        self._but = _OTHERS_OF.get(module, ())
        classes = {
            base
            for name, found in list(vars(loaded(module)).items())
            if isinstance(found, type) and not name.startswith("_") and found.__module__.partition(".")[0] == top
            for base in found.__mro__
            if base.__module__.partition(".")[0] == top
            and base.__flags__ & _HEAP_TYPE
            and not base.__flags__ & _IMMUTABLE
        }
        self._classes = [(found, dict(vars(found))) for found in classes]
        self.dicts = list(chain.from_iterable(filter(_is_dict, gc.get_referents(found)) for found in classes))
        self._held: tuple[Any, ...] = ()
        self._last: Any = ()

    def read(self) -> Any:
        """Return what differs from what was there at first."""
        held = _referents(self.dicts)
        if not _alike(held, self._held):
            self._held, self._last = held, tuple(self._differing())
        return self._last

    def _differing(self) -> Iterator[tuple[type, str, Any]]:
        for found, before in self._classes:
            now = vars(found)
            for name in now.keys() | before.keys():
                known = name in before or any(hasattr(base, name) for base in found.__mro__[1:])
                known = known and name not in self._but
                if known and not name.startswith("_") and now.get(name) is not before.get(name):
                    yield found, name, now.get(name)

    def put(self, wanted: Any) -> None:
        """Put them back: what a class has got besides, where it had inherited it, goes."""
        values = {(found, name): value for found, name, value in wanted}
        for found, name, _ in self.read():
            before = next(known for cls, known in self._classes if cls is found)
            value = values.get((found, name), before.get(name))
            if value is None and name not in before:
                delattr(found, name)
            else:
                setattr(found, name, value)


_HEAP_TYPE, _IMMUTABLE = 1 << 9, 1 << 8  # Py_TPFLAGS_HEAPTYPE, _IMMUTABLETYPE of Python's C API


def _is_dict(found: Any) -> bool:
    return type(found) is dict


# Libraries outside of the standard one that are compared too.
_LIBRARIES = frozenset({"numpy", "pandas"})
# Modules whose classes are compared, which are those that people patch: all classes would take a millisecond.
_PATCHED = (
    *("asyncio", "http.client", "json", "logging", "pandas", "pathlib", "random", "requests", "socket", "socketserver"),
    *("string", "subprocess", "threading", "tqdm", "unittest", "yaml"),
)
# Compared by settings of their own, or changed by rxspark itself while tasks run.
_NOT_COMPARED = frozenset({"random", "sys", "builtins", "atexit", "os", "time", "pickle"})
# Names whose values modules or rxspark change, or that have a setting of their own.
_OTHERS_OF = {
    "warnings": ("showwarning",),
    "time": ("timezone", "altzone", "daylight"),
    "mimetypes": ("inited",),
    "tempfile": ("tempdir", "template"),
    "logging": ("raiseExceptions",),
    "codecs": ("register",),
    "faulthandler": ("dump_traceback_later", "register"),
    "threading": ("start",),
    "random": ("seed",),  # which feeds unseeded generators from the stream
}


class _Modules:
    """Functions or methods of several modules, as these come.

    They are read again only if something that their dicts hold has changed, which is sooner seen; those
    that rxspark itself changes would have all of them read, and are looked at by themselves.
    """

    def __init__(self, kind: type[_Functions | _Methods], compared: Callable[[str], bool]) -> None:
        self._kind = kind
        self._compared = compared
        self._found: dict[str, _Functions | _Methods] = {}
        self._seen = 0
        self._dicts: list[dict[Any, Any]] = []
        self._held: tuple[Any, ...] = ()
        self._values: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        if len(sys.modules) != self._seen:
            self._find()
        held = _referents(self._dicts)
        if not _alike(held, self._held):
            self._held, self._values = held, {name: found.read() for name, found in self._found.items()}
        return self._values | {name: self._found[name].read() for name in _OTHERS_OF if name in self._found}

    def _find(self) -> None:
        """Take in the modules that have come."""
        modules = list(sys.modules.items())  # at once: other threads may be importing
        loading = any(_is_loading(module) for _, module in modules)
        self._seen = len(modules) if not loading else -1
        for name, module in modules:
            ready = self._compared(name) and type(module) is ModuleType and not (loading and _is_loading(module))
            if ready and name not in self._found:
                self._found[name] = self._kind(name)
        watched = (found for name, found in self._found.items() if name not in _OTHERS_OF)
        self._dicts = list(chain.from_iterable(found.dicts for found in watched))
        self._held = ()

    def put(self, wanted: dict[str, Any]) -> None:
        for name, values in wanted.items():
            self._found[name].put(values)


def _referents(dicts: list[dict[Any, Any]]) -> tuple[Any, ...]:
    """Return what dicts hold, in the way of the garbage collector."""
    return tuple(gc.get_referents(*dicts))


def _alike(now: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    """Tell whether two tuples hold the same objects; equal ones are a change, as 1 and True, or what equals all."""
    return addresses(now) == addresses(before)


def _is_loading(module: Any) -> bool:
    """Tell whether a module has not run to its end, where it may still take names away."""
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _has_functions(module: str) -> bool:
    top = module.partition(".")[0]
    return module in _LIBRARIES or (top in sys.stdlib_module_names and module not in _NOT_COMPARED)


_COMMON = {name: _Functions(name) for name in ("os", "time", "pickle")}
_functions = _Modules(_Functions, _has_functions)
_methods = _Modules(_Methods, _PATCHED.__contains__)

BUILT_IN = namespace("built-in functions", "builtins")

FUNCTIONS = [
    *(Setting(f"functions of `{name}`", found.read, found.put) for name, found in _COMMON.items()),
    Setting(
        "functions of the standard library, NumPy, pandas",
        _functions.read,
        _functions.put,
        tier=2,
        parts=True,
        of_modules=True,
    ),
    Setting(
        "methods of classes of " + ", ".join(_PATCHED), _methods.read, _methods.put, tier=2, parts=True, of_modules=True
    ),
]
