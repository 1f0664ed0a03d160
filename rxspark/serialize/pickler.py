"""Pickle functions and values for the workers, or refuse them by the name of the variable."""

from __future__ import annotations

import functools
import io
import pickle
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from rxspark.calls.tasks import Tasks, argument_name
from rxspark.data.bundle import Buffer
from rxspark.data.refs import InlineRef
from rxspark.errors import RxArgumentError, RxError, RxShippingError, RxSizeWarning
from rxspark.options import rxGetOption
from rxspark.rng.pickling import is_generator, reduce_generator
from rxspark.serialize.arrays import reduce_array
from rxspark.serialize.shared_object import Shared
from rxspark.serialize.user_modules import UserModules
from rxspark.worker.byvalue import ByValuePickler, refer_to_class
from rxspark.worker.groups import GroupRows, GroupTable
from rxspark.worker.mutability import all_immutable, all_shallow
from rxspark.worker.protocol import Column, Partition
from rxspark.worker.reducers import EACH_APART, RefusedError
from rxspark.worker.snapshot import found_by_name

__all__ = ["CallSerializer", "captured"]

# Kinds of which each object is looked at, since how it travels depends on more than its kind.
_EACH_APART = (type, FunctionType, BuiltinFunctionType, types.MethodType, ModuleType, CodeType, *EACH_APART)


class _Pickler(ByValuePickler):
    """cloudpickle that re-binds random generators, refuses Spark sessions and notes the user's own modules."""

    def __init__(self, serializer: CallSerializer, of_one_task: bool, aside: list[Buffer] | None = None) -> None:
        # cloudpickle's is a chain of tables, slow to ask.
        self.dispatch_table: dict[type, Any] = dict(ByValuePickler.dispatch_table)
        self._file = io.BytesIO()
        super().__init__(
            self._file, protocol=5, buffer_callback=None if aside is None else partial(_take_out_of_band, aside)
        )
        self._serializer = serializer
        self._of_one_task = of_one_task
        self._puts_aside = aside is not None
        self._ordinary: set[type] = set()
        self._named: dict[int, Any] = {}

    def pickled(self, value: Any) -> bytes:
        """The pickle of one value, which refers to nothing in those before it."""
        self.clear_memo()
        self._file.seek(0)
        self._file.truncate()
        with _within_the_stack():
            self.dump(value)
        return self._file.getvalue()

    def reducer_override(self, obj: Any) -> Any:
        # Elements by the hundred thousand are of a few kinds, and name a few functions: those are looked at once.
        kind = type(obj)
        if kind in self._ordinary or self._named.get(id(obj)) is obj:
            return NotImplemented
        reduced = self._reduce(obj, kind)
        if reduced is NotImplemented:
            if not issubclass(kind, _EACH_APART) and not is_generator(kind):
                self._ordinary.add(kind)
            elif isinstance(obj, (type, FunctionType, BuiltinFunctionType)) and found_by_name(obj):
                self._named[id(obj)] = obj
        return reduced

    def _reduce(self, obj: Any, kind: type) -> Any:
        if self._puts_aside and kind.__module__ == "numpy" and kind.__name__ == "ndarray":
            return reduce_array(obj)
        reduced = reduce_generator(obj, self._of_one_task)
        if reduced is not None:
            return reduced
        if kind is CodeType:
            return self._reduce_code(obj)
        if kind is Shared:
            return self._serializer.reduce_shared(obj)
        self._serializer.modules.note(obj, found_by_name)
        reduced = super().reducer_override(obj)
        self._serializer.by_value = self._serializer.by_value or isinstance(reduced, tuple)
        if self._of_one_task:
            return refer_to_class(obj, reduced, self._serializer.definitions, self._serializer.dump)
        return reduced

    def _reduce_code(self, code: CodeType) -> Any:
        """Reduce code as cloudpickle does, but with the name of the user's file, which newer versions leave out."""
        make, parts = self.dispatch_table[CodeType](code)
        return make, tuple(code.co_filename if part == "<dynamic-code>" else part for part in parts)


# Calls inside each other that pickling may come to: the stack of a thread, of 8 MB, has room for twice as many.
_DEEPEST_CALL = 20_000


@contextmanager
def _within_the_stack() -> Iterator[None]:
    """Let nesting be an error rather than the end of the process, where the program allows calls without end."""
    allowed = sys.getrecursionlimit()
    if allowed <= _DEEPEST_CALL:
        yield
        return
    sys.setrecursionlimit(_DEEPEST_CALL)
    try:
        yield
    finally:
        sys.setrecursionlimit(allowed)


# Bytes of a buffer from which it is left out of the pickle: a page of memory, the least that can be mapped.
_LARGE = 4096


def _take_out_of_band(aside: list[Buffer], buffer: pickle.PickleBuffer) -> bool:
    """Take a large buffer out of the pickle; True leaves it inside."""
    raw = buffer.raw()
    if raw.nbytes < _LARGE:
        return True
    aside.append(raw)
    return False


def _nbytes(buffer: Buffer) -> int:
    return memoryview(buffer).nbytes


def _itself(value: Any) -> Any:
    return value


class CallSerializer:
    """Pickles all that one call sends, and gathers the user's own modules that go with it.

    Parameters
    ----------
    same_host : bool
        Whether the workers reach files of this host.
    to_last : bool
        Whether what is pickled is to be good when this process, and with it the files of its handles, is gone.

    Attributes
    ----------
    modules : UserModules
        The modules met so far.
    handles : list of Shared
        The handles met so far, whose files the workers will read.
    definitions : dict of type to bytes
        The pickles of classes by value that element arguments have.
    by_value : bool
        Whether functions or classes were pickled with all that they are.
    """

    def __init__(self, same_host: bool = True, to_last: bool = False) -> None:
        self.modules = UserModules()
        self.handles: list[Shared] = []
        self.definitions: dict[type, bytes] = {}
        self.by_value = False
        self._same_host = same_host
        self._to_last = to_last

    def dump(self, value: Any, of_one_task: bool = False, aside: list[Buffer] | None = None) -> bytes:
        """The pickle of one value, which is for one task only or for all of them.

        With `aside`, large buffers are put there, and left out of the pickle.

        Raises
        ------
        RxShippingError, RxArgumentError
            Our own refusals as they are; whatever else goes wrong in pickling as it was raised.
        """
        return _Pickler(self, of_one_task, aside).pickled(value)

    def reduce_shared(self, shared: Shared) -> Any:
        """Reduce a shared object to its file, or where the workers do not reach that, to itself."""
        self.modules.update(shared.modules)
        if self._travels_whole(shared):
            return _itself, (shared.value,)
        self.handles.append(shared)
        return shared.__reduce__()

    def _travels_whole(self, shared: Shared) -> bool:
        return self._to_last or (shared.on_this_host and not self._same_host)

    def program(
        self,
        function: Callable[..., Any],
        tasks: Tasks,
        objects: dict[str, Any],
        retry_on: tuple[type[BaseException], ...] = (),
    ) -> list[Buffer]:
        """The pickle of the function and all that its tasks have in common, and its large buffers."""
        aside: list[Buffer] = []
        try:
            packed = self.dump((function, tasks.constants, tasks.keywords, objects, retry_on), aside=aside)
        except Exception as error:
            raise self._named(error, self._parts(function, tasks, objects)) from error
        size, limit = len(packed) + sum(map(_nbytes, aside)), rxGetOption("sizeWarning")
        if size > limit:
            self._warn_of_size(size, limit, self._parts(function, tasks, objects))
        return [packed, *aside]

    def combine(self, function: Callable[[Any, Any], Any]) -> bytes:
        """The pickle of the function that combines results."""
        try:
            return self.dump(function, of_one_task=True)  # its classes are those that the program has
        except Exception as error:
            raise self._named(error, [("combine", function)]) from error

    def shared(self, value: Any) -> list[Buffer]:
        """The pickle of an object that is to be shared, and its large buffers."""
        aside: list[Buffer] = []
        try:
            return [self.dump(value, aside=aside), *aside]
        except Exception as error:
            raise self._named(error, [("obj", value)]) from error

    def _warn_of_size(self, size: int, limit: int, parts: Iterator[tuple[str, Any]]) -> None:
        """Name what makes a call large: arguments, objects, and what FUN has captured."""
        held = [
            (f"{name} → {inner}", value) if name == "FUN" else (name, part)
            for name, part in parts
            for inner, value in (captured(part) if name == "FUN" else [("", part)])
        ]
        sizes = sorted(((self._size(value), name) for name, value in held), reverse=True)
        shown = ", ".join(f"{name}: {nbytes / 1e6:,.0f} MB" for nbytes, name in sizes[:5] if nbytes > size / 100)
        warnings.warn(
            f"the function and its constants take {size / 1e6:,.0f} MB, of which {shown}. Each host gets them once. "
            f"Pass less, use rxShare for what several calls need, or raise rxOptions(sizeWarning={limit})",
            RxSizeWarning,
            stacklevel=7,
        )

    def _size(self, value: Any) -> int:
        aside: list[Buffer] = []
        return len(self.dump(value, aside=aside)) + sum(map(_nbytes, aside))

    def partition(self, tasks: Tasks, numbers: range) -> bytes:
        """The pickle of the tasks of one partition, with their element arguments."""
        values = {key: arg.of(argument_name(key), numbers) for key, arg in tasks.per_task_args.items()}
        entries = tasks.entries_of(numbers)
        if tasks.groups is None:
            return self.elements(numbers, values, entries)
        streams = [tasks.groups.places[number] for number in numbers]
        return pickle.dumps(Partition(numbers, {}, self._rows_of(tasks.groups.table, numbers), streams), 5)

    def elements(
        self,
        numbers: range,
        values: Mapping[int | str, Sequence[Any]],
        entries: list[tuple[tuple[Any, ...], dict[str, Any]]] | None,
    ) -> bytes:
        """The pickle of tasks with these element arguments, by position or keyword, and entries of `elemArgs`."""
        columns = {key: self._column(held, numbers, key) for key, held in values.items()}
        rows: Column | None = None
        if entries is not None:
            held = (value for first, more in entries for value in (*first, *more.values()))
            rows = self._column(entries, numbers, "elemArgs", all_immutable(held))
        return pickle.dumps(Partition(numbers, columns, rows), 5)

    def _rows_of(self, table: Shared | None, numbers: range) -> GroupRows | None:
        """The rows of groups: in the file of their table, or where workers will not reach that, group by group."""
        if table is None:  # they lie where the engine has them
            return None
        self.modules.update(table.modules)
        if self._travels_whole(table):
            bundle = table.ref.open()
            opened: GroupTable = pickle.loads(bundle.part(0))
            return GroupRows([InlineRef(opened.only(bundle, number)) for number in numbers], [0] * len(numbers))
        self.handles.append(table)
        return GroupRows([table.ref] * len(numbers), numbers)

    def _column(self, values: Sequence[Any], numbers: range, key: int | str, as_they_are: bool = False) -> Column:
        # A range, or an array of numbers, makes a new object of each of its values.
        if as_they_are or not isinstance(values, (list, tuple)) or all_immutable(values):
            return Column(values, pickled=False)
        if all_shallow(values):
            return Column(values, pickled=False, copied=True)
        pickler = _Pickler(self, of_one_task=True)
        pickled = [self._element(pickler, value, i, key) for i, value in zip(numbers, values, strict=True)]
        return Column(pickled, pickled=True)

    def _element(self, pickler: _Pickler, value: Any, number: int, key: int | str) -> bytes:
        try:
            return pickler.pickled(value)
        except Exception as error:
            name = key if isinstance(key, str) else f"argument {key + 1}"
            raise self._named(error, [(f"element {number} of {name}", value)]) from error

    def _parts(self, function: Any, tasks: Tasks, objects: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        yield "FUN", function
        for i, value in enumerate(tasks.constants):
            yield f"argument {i + 1} of FUN", value
        for name, value in (*tasks.keywords.items(), *((f"execObjects: {n}", v) for n, v in objects.items())):
            yield f"argument {name!r}" if name in tasks.keywords else name, value

    def _named(self, error: Exception, parts: Sequence[tuple[str, Any]] | Iterator[tuple[str, Any]]) -> RxError:
        """The error to raise: what was wrong, and the way to the variable that holds it."""
        if isinstance(error, RxArgumentError):
            return error
        for name, value in parts:
            path = self._path_to_culprit(name, value, set(), _DEEPEST)
            if path is not None:
                where, cause = path
                if isinstance(cause, RefusedError):
                    return RxShippingError(f"{cause}. It is {where}")
                reason = str(cause) if isinstance(cause, RxShippingError) else _reason(cause)
                return RxShippingError(f"cannot send {where} to the workers: {reason}")
        return RxShippingError(f"cannot send the function and its arguments to the workers: {_reason(error)}")

    def _path_to_culprit(self, name: str, value: Any, seen: set[int], depth: int) -> tuple[str, Exception] | None:
        if id(value) in seen:
            return None
        seen.add(id(value))
        try:
            self.dump(value)
        except Exception as error:
            at_its_end = depth == 0 or (isinstance(error, RefusedError) and error.culprit is value)
            inside = _is_too_deep(error) and not isinstance(value, _WITH_VARIABLES)  # any of ten thousand steps
            for inner, held in () if at_its_end or inside else captured(value):
                deeper = self._path_to_culprit(f"{name} → {inner}", held, seen, depth - 1)
                if deeper is not None:
                    return deeper
            return name, error
        return None


# Steps to what cannot be sent that a message tells.
_DEEPEST = 30
_WITH_VARIABLES = (FunctionType, types.MethodType, partial)


def _is_too_deep(error: BaseException) -> bool:
    return isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError)


def _reason(error: BaseException) -> str:
    if _is_too_deep(error):
        limit = f"sys.getrecursionlimit() is {sys.getrecursionlimit()}, of which {_DEEPEST_CALL} at most are used"
        if sys.version_info >= (3, 12):  # there the pickler, which is native code, has a limit of its own
            limit = str(error if isinstance(error, RecursionError) else error.__cause__)
        how = "Pass it in a flatter form, such as a list of its parts"
        return f"it is nested too deeply to be pickled ({limit}). {how}"
    return f"{type(error).__name__}: {error}. Make it inside FUN, or pass what it was made from"


def captured(value: Any) -> Iterator[tuple[str, Any]]:
    """Contents of a value, each with its name: the variables of a function, the attributes of an object."""
    if isinstance(value, functools.partial):
        yield "function of the partial", value.func
        yield from ((f"argument {i + 1} of the partial", held) for i, held in enumerate(value.args))
        yield from ((f"argument {name!r} of the partial", held) for name, held in value.keywords.items())
    elif isinstance(value, types.MethodType):
        yield "its object", value.__self__
    elif isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                yield f"variable {name!r} of the enclosing function", cell.cell_contents
            except ValueError:  # a variable that has no value yet
                continue
        yield from ((f"global variable {name!r}", held) for name, held in used_globals(value).items())
        yield from ((f"default value {i + 1}", held) for i, held in enumerate(value.__defaults__ or ()))
        yield from ((f"default of {name!r}", held) for name, held in (value.__kwdefaults__ or {}).items())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"item {i}", held) for i, held in enumerate(value))
    elif isinstance(value, dict):
        yield from ((f"key {key!r}", held) for key, held in value.items())
    elif not isinstance(value, (type, ModuleType)):
        yield from ((f"attribute {name!r}", held) for name, held in getattr(value, "__dict__", {}).items())


def used_globals(function: FunctionType) -> dict[str, Any]:
    """The globals of its module that a function, or one defined inside it, names."""
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    return {name: function.__globals__[name] for name in names if name in function.__globals__}


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
