"""The program of a call on a worker: the user's function and what its tasks have in common, as the caller had it."""

from __future__ import annotations

import importlib
import pickle
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from time import perf_counter
from types import GeneratorType
from typing import Any

from rxspark.data.bundle import Bundle, address_limit
from rxspark.data.refs import forget_shared, shared_objects_here
from rxspark.errors import RxError, RxMissingError, RxShippingError, bounded
from rxspark.process import process_token
from rxspark.worker import forks
from rxspark.worker.classes import ProgramClasses, own_classes
from rxspark.worker.current_task import globals_of
from rxspark.worker.groups import forget_table
from rxspark.worker.protocol import Call, Partition
from rxspark.worker.snapshot import Snapshot

__all__ = ["Program", "forget", "own_frames"]

_ABSENT = object()


# So many tasks of a partition that have changed their program: the next ones will do so too.
_CHANGES = 2

# References that are looked at in about a tenth of a millisecond, which is worth reading the clock.
_LARGE = 5_000


class _Loaded:
    """A program as it was unpickled, with its classes, for as long as no task has changed any of it."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.classes = ProgramClasses()
        self.function: Callable[..., Any]
        self.args: Sequence[Any]
        self.kwargs: dict[str, Any]
        self.objects: dict[str, Any]
        self.retry_on: tuple[type[BaseException], ...]
        """Errors behind which a task is tried again; none: all but those that end a process."""
        self.combine: Callable[[Any, Any], Any] | None = None
        """The function that combines results."""
        self.names: dict[str, Any] = {}
        """Functions and classes of the caller's script that FUN uses, by their names."""
        self._snapshot: Snapshot | None = None
        self.may_have_changed = False
        """Whether a task has had it that can have changed it."""
        self.noted = -1
        """Number of classes it had when its state was noted."""

    def note(self) -> None:
        """Note the state before a task: of all the first time, then of classes that came with its elements."""
        if self._snapshot is None:
            self._snapshot = Snapshot()
            held = (self.function, self.combine, *self.args, *self.kwargs.values(), *self.objects.values())
            self._snapshot.take(held, self.classes.values(), shared_objects_here())
        elif self.noted != len(self.classes):
            self._snapshot.take((), self.classes.values())
        self.noted = len(self.classes)
        self.may_have_changed = self._snapshot.changeable

    def as_before(self) -> bool:
        """Tell whether the next task may have the program: the last one has left it as it was."""
        return self._snapshot is not None and not self._snapshot.changed()

    @property
    def is_large(self) -> bool:
        """Tell whether that takes a while to find out."""
        return self._snapshot is not None and self._snapshot.size > _LARGE


_last: _Loaded | None = None
"""The program of the last partition of this process: the next one is mostly of the same call."""


def forget() -> None:
    """Forget the program, the shared objects and the table of groups that this process has loaded."""
    global _last
    _last = None
    forget_shared()
    forget_table()


class Program:
    """The user's function and constants, the same for each task: unpickled anew where one has changed them."""

    def __init__(self, call: Call, bundle: Bundle) -> None:
        self._call = call
        self._bundle = bundle
        self._loaded: _Loaded
        self._changes = 0
        self._displaced: list[tuple[dict[str, Any], str, Any]] = []
        self.in_caller = call.origin == process_token()
        """Whether the tasks run in the process of the caller."""
        self.preparing = 0.0
        """Seconds for unpickling the program again, or seeing that it is as before; who reads it sets it to 0."""

    def __enter__(self) -> Program:
        global _last
        for name in self._call.packages:
            _import(name)
        tops = {name.partition(".")[0] for name in self._call.packages}
        self._packages = {name: sys.modules[name] for name in tops}
        self._outer = own_classes.get()
        kept, _last = _last, None
        try:
            if kept is not None and kept.call_id == self._call.id:
                self._take(kept)
            else:
                self._load(kept)
        except BaseException:
            own_classes.set(self._outer)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        global _last
        _last = self._loaded
        own_classes.set(self._outer)
        for namespace, name, value in self._displaced:
            _put_back(namespace, {name: value})

    def run(self, partition: Partition, index: int) -> Any:
        """Run the partition's task `index`, in a copy of the context: what it sets there ends with it.

        That is NumPy's error state, decimal's precision, a compute context of its own.
        """
        loaded = self._loaded
        if loaded.may_have_changed and not self._as_before():
            loaded = self._load_again()
        elif self._displaced:
            self._bind(loaded)
        args, kwargs = loaded.args, loaded.kwargs
        if partition.columns or partition.rows is not None:
            args, kwargs = _with_elements(args, kwargs, partition, index)
        if loaded.noted != len(loaded.classes):
            self._note(loaded)
        if loaded.names:
            return self._run_with_names(loaded.function, args, kwargs)
        return copy_context().run(_call, loaded.function, args, kwargs)

    def combined(self, left: Any, right: Any) -> Any:
        """Run the function that combines results."""
        return self._run_with_names(self._loaded.combine, (left, right), {})

    def _run_with_names(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Call a function of the user's while `__main__` has the functions and classes of the caller's script.

        Child processes that it forks look for them there.
        """
        names = self._loaded.names
        main = vars(sys.modules["__main__"])
        displaced = {name: main.get(name, _ABSENT) for name in names}
        main.update(names)
        try:
            return copy_context().run(_call, function, args, kwargs)
        finally:
            _put_back(main, displaced)

    def retries_on(self, error: BaseException) -> bool:
        """Tell whether a task that failed by this error may be tried again."""
        if self._call.retries is None:
            return False
        wanted = self._loaded.retry_on
        return isinstance(error, wanted) if wanted else not isinstance(error, (KeyboardInterrupt, SystemExit))

    def _load_again(self) -> _Loaded:
        began = perf_counter()
        self._load(self._loaded)
        self.preparing += perf_counter() - began
        self._changes += 1
        return self._loaded

    def _note(self, loaded: _Loaded) -> None:
        if self._changes < _CHANGES:
            loaded.note()
        else:
            loaded.may_have_changed = True

    def _as_before(self) -> bool:
        if not self._loaded.is_large:
            return self._loaded.as_before()
        began = perf_counter()
        unchanged = self._loaded.as_before()
        self.preparing += perf_counter() - began
        return unchanged

    def _load(self, before: _Loaded | None) -> None:
        loaded = _Loaded(self._call.id)
        if before is not None:
            before.classes.successor = loaded.classes
        own_classes.set(loaded.classes)
        try:
            loaded.function, loaded.args, loaded.kwargs, loaded.objects, loaded.retry_on = pickle.loads(
                self._bundle.part(1), buffers=self._bundle.private(2)
            )
            loaded.combine = None if self._call.combine is None else pickle.loads(self._call.combine)
        except RxError:
            raise
        except Exception as error:
            raise RxShippingError(
                f"the function and its arguments arrived on {socket.gethostname()} but could not be rebuilt there: "
                f"{type(error).__name__}: {bounded(str(error), self._call.console_limit)}"
                f"{'.' + address_limit() if isinstance(error, MemoryError) else ''}"
            ) from error
        loaded.names = _names_of_script([*(globals_of(loaded.function) or {}).values(), *loaded.classes.values()])
        self._take(loaded)

    def _take(self, loaded: _Loaded) -> None:
        self._loaded = loaded
        own_classes.set(loaded.classes)
        self._bind(loaded)

    def _bind(self, loaded: _Loaded) -> None:
        """Put objects into FUN's globals; a module that outlives the partition gets its own back at the end."""
        if not self._packages and not loaded.objects:
            return
        namespace = globals_of(loaded.function)
        if namespace is None:
            return
        objects = {**self._packages, **loaded.objects}
        module = sys.modules.get(namespace.get("__name__", ""))
        if module is not None and vars(module) is namespace and not self._displaced:
            self._displaced = [(namespace, name, namespace.get(name, _ABSENT)) for name in objects]
        namespace.update(objects)


def _call(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call FUN; a frame of its own, so that a traceback can be cut right below it.

    What a generator function yields, it yields within the task. A process that FUN has forked ends here.
    """
    before = forks.count
    try:
        value = function(*args, **kwargs)
        return list(value) if type(value) is GeneratorType else value
    finally:
        if forks.count != before:
            forks.end_forked_process()


def own_frames(error: BaseException) -> int:
    """Count our own frames of a task's traceback: all down to `_call`, or only the first if FUN was not reached."""
    trace, depth = error.__traceback__, 0
    while trace is not None:
        depth += 1
        if trace.tb_frame.f_code is _call.__code__:
            return depth
        trace = trace.tb_next
    return 1


def _names_of_script(held: Iterable[Any]) -> dict[str, Any]:
    found = [made for made in held if getattr(made, "__module__", None) == "__main__" and hasattr(made, "__qualname__")]
    return {made.__qualname__: made for made in found if made.__qualname__.isidentifier()}


def _put_back(namespace: dict[str, Any], displaced: dict[str, Any]) -> None:
    for name, value in displaced.items():
        if value is _ABSENT:
            namespace.pop(name, None)
        else:
            namespace[name] = value


def _with_elements(
    constants: Sequence[Any], keywords: dict[str, Any], partition: Partition, index: int
) -> tuple[Sequence[Any], dict[str, Any]]:
    args, kwargs = list(constants), dict(keywords)
    for key, column in partition.columns.items():
        if isinstance(key, int):
            args[key] = column[index]
        else:
            kwargs[key] = column[index]
    if partition.rows is not None:
        first, more = partition.rows[index]
        args[:0] = first
        kwargs.update(more)
    return args, kwargs


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RxMissingError(
            f"packagesToLoad: {name!r} cannot be imported on {socket.gethostname()}: {error}. "
            f"Install it there, or take it out of packagesToLoad"
        ) from error
