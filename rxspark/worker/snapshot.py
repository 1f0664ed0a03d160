"""Find out whether a task has left its program as it found it, so that the next one may have it too.

To unpickle a program again for each task costs as much as the program is large. Where all that it holds is plain
Python (containers, functions, classes and their instances), it is seen much faster whether anything was changed: each
object must still refer to the very objects that it referred to before.
"""

from __future__ import annotations

import abc
import builtins
import copyreg
import functools
import gc
import opcode
import operator
import re
import sys
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import Any

from rxspark.worker.mutability import ATOMS, all_immutable

__all__ = ["Snapshot", "found_by_name"]

# Kinds that cannot change.
_LEAVES = {
    *(*ATOMS, type(...), type(NotImplemented), range, slice, CodeType, types.WrapperDescriptorType),
    *(types.MethodDescriptorType, types.ClassMethodDescriptorType, types.GenericAlias),
    *(types.GetSetDescriptorType, types.MemberDescriptorType, types.UnionType, re.Pattern),
}
# Kinds that change only where code assigns to attributes, if at all.
_BOUND = {
    *(tuple, frozenset, types.CellType, types.MethodType, BuiltinFunctionType, types.MethodWrapperType),
    *(types.MappingProxyType, functools.partial, property, classmethod, staticmethod),
    *(operator.itemgetter, operator.attrgetter, operator.methodcaller),
}
_CHANGEABLE = {dict, list, set, deque, OrderedDict, defaultdict, types.SimpleNamespace, types.ModuleType}

# Types of C that classes derive from and whose objects show the garbage collector all that can change in them.
_OPEN = {object, int, float, complex, str, bytes, tuple, frozenset, *_CHANGEABLE}

_HEAP_TYPE, _NOT_MADE_BY_CALLS = 1 << 9, 1 << 7  # Py_TPFLAGS_HEAPTYPE, _DISALLOW_INSTANTIATION of Python's C API

_ASSIGNING = {opcode.opmap[f"{what}_{where}"] for what in ("STORE", "DELETE") for where in ("GLOBAL", "ATTR")}
_ASSIGNING_TO_CELLS = {opcode.opmap["STORE_DEREF"], opcode.opmap["DELETE_DEREF"]}
_REFLECTING = {"setattr", "delattr", "globals", "vars", "exec", "eval", "__dict__", "__setattr__", "__globals__"}


class Snapshot:
    """The objects that a program consists of, and what each of them refers to.

    A program counts as changed by every task where a change could not be seen, as something keeps its state out of
    sight: an array, an iterator, a cache.
    """

    def __init__(self) -> None:
        self.changeable = False
        """Whether a task could have changed anything."""
        self._known = True
        self._seen = {id(vars(builtins))}
        self._of_functions: set[int] = set()
        self._kinds: dict[type, bool] = {}
        self._families: list[tuple[type, Any]] = []
        self._holders: list[Any] = []
        self._dicts: list[dict[Any, Any]] = []
        self._held: list[Any] = []
        self._keys: list[Any] = []

    def take(self, roots: Iterable[Any], classes: Collection[Any], shared: Iterable[Any] = ()) -> None:
        """Note the state of these objects, and of the classes that travelled by value, which are theirs.

        Objects that are `shared` are of no interest: tasks only read them.
        """
        self._seen.update(map(id, shared))
        of_program = {id(found) for found in classes}
        level: list[Any] = [*roots, *classes]
        while level and self._known:
            level = [item for item in level if type(item) not in _LEAVES and self._is_new(item, of_program)]
            self._holders += level
            level = gc.get_referents(*level)
        if self._known and self.changeable:
            self._dicts = [holder for holder in self._holders if isinstance(holder, dict)]
            self._held = gc.get_referents(*self._holders)
            self._keys = [*chain.from_iterable(self._dicts)]

    @property
    def size(self) -> int:
        """References that `changed` looks at."""
        return len(self._held) + len(self._keys)

    def changed(self) -> bool:
        """Tell whether something refers to other objects than it did."""
        if not self.changeable:
            return False
        if not self._known or any(_family(base) != before for base, before in self._families):
            return True
        held = gc.get_referents(*self._holders)
        # Of a dict whose keys are strings the garbage collector shows the values alone.
        return (
            len(held) != len(self._held)
            or not all(map(operator.is_, held, self._held))
            or [*chain.from_iterable(self._dicts)] != self._keys
        )

    def _is_new(self, item: Any, of_program: set[int]) -> bool:
        """Tell whether to follow what an object refers to."""
        if id(item) in self._seen:
            return False
        self._seen.add(id(item))
        kind = type(item)
        if isinstance(item, type):
            return id(item) in of_program and self._follow_class(item)
        if kind is types.ModuleType and sys.modules.get(vars(item).get("__name__")) is item:
            return False  # no part of the program: it keeps its state as long as its worker
        if kind is FunctionType:
            return not found_by_name(item) and self._follow_function(item)
        if kind not in _BOUND and id(item) not in self._of_functions:
            if kind not in _CHANGEABLE and (all_immutable((item,)) or _of_numpy(item)):
                return False
            self.changeable = True
            self._known = self._known and self._shows_its_state(kind)
        return True

    def _follow_class(self, found: type) -> bool:
        self.changeable = True
        copyreg._slotnames(found)  # type: ignore[attr-defined] # pickling an instance would add these to the class
        if isinstance(found, abc.ABCMeta):
            self._seen.add(id(vars(found)["_abc_impl"]))
        self._families.append((found, _family(found)))
        return True

    def _follow_function(self, function: FunctionType) -> bool:
        """Its globals, attributes and cells are changed only by code that assigns."""
        self.changeable = self.changeable or _assigns(function.__code__)
        self._of_functions.update(id(held) for held in gc.get_referents(function) if type(held) is dict)
        return True

    def _shows_its_state(self, kind: type) -> bool:
        if kind not in self._kinds:
            self._kinds[kind] = all(map(_is_open, kind.__mro__))
        return self._kinds[kind]


def _is_open(base: type) -> bool:
    if base in _OPEN or issubclass(base, BaseException):
        return True
    of_c = not base.__flags__ & _HEAP_TYPE or base.__flags__ & _NOT_MADE_BY_CALLS
    return not of_c and not isinstance(vars(base).get("__new__"), BuiltinFunctionType)


def _family(base: type) -> Any:
    """The subclasses of a class, and those that have registered at it."""
    derived: list[type] = type.__subclasses__(base)
    if not isinstance(base, abc.ABCMeta):
        return derived
    return derived, abc._get_dump(base)[0]  # type: ignore[attr-defined] # as cloudpickle reads it


def _of_numpy(item: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(item, (numpy.ufunc, numpy.dtype))


def found_by_name(function: Any) -> bool:
    """Tell whether a function or class can be imported by its name."""
    home, path = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(home or "") if home != "__main__" else None
    for part in path.split("."):
        found = getattr(found, part, None)
    return found is function


def _assigns(code: CodeType) -> bool:
    """Tell whether code may assign to a global, to an enclosing function's variable, or to an attribute of anything."""
    return any(
        not _ASSIGNING.isdisjoint(inner.co_code[::2])
        or (inner.co_freevars and not _ASSIGNING_TO_CELLS.isdisjoint(inner.co_code[::2]))
        or not _REFLECTING.isdisjoint(inner.co_names)
        for inner in _codes(code)
    )


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
