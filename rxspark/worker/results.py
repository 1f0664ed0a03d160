"""Results of a worker: one result a task.

The results of one partition travel together, column by column, since a row object for each of a million tasks
would cost more than the tasks. A value is opaque bytes, pickled by itself inside the task, so that later tasks cannot
change it, and one that cannot be pickled, or cannot be unpickled by the caller, is the error of its own task alone.
What nobody can change stays as it is and is pickled with the results: numbers and text, which everybody can read, and
by a pickle of their own NumPy's scalars, dates, tuples and the like, whose classes the caller may lack.
"""

from __future__ import annotations

import linecache
import pickle
import re
import sys
import traceback
import warnings
from array import array
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pickle import dumps, loads  # by these names, as a task may replace those of the module
from types import CoroutineType
from typing import Any, TypeVar

from rxspark.errors import RxError, RxTaskError, bounded
from rxspark.options import rxGetOption
from rxspark.worker.mutability import is_immutable
from rxspark.worker.tree import Branches

__all__ = [
    "PLAIN",
    "CallerInterrupt",
    "PartitionResult",
    "PartitionRun",
    "TaskFailure",
    "describe_failure",
    "dump_value",
    "kept_value",
    "load_value",
    "merged",
    "size_of",
    "with_source",
]


ErrorClass = type[RxTaskError]
Made = TypeVar("Made")


class CallerInterrupt(KeyboardInterrupt):
    """Ctrl-C of the caller during tasks that run in the caller's own process; a FUN may raise the plain one."""

    finished: Sequence[bytes] = ()
    """The packed results, by partition, of the tasks that had finished."""


@dataclass(frozen=True)
class TaskFailure:
    """The error of one task, as plain text; `original` is the exception's pickle where it has one."""

    type: str
    message: str
    traceback: str
    original: bytes | None = None
    error: ErrorClass = RxTaskError
    """The class of the error that the caller sees."""
    earlier: tuple[str, ...] = ()
    """The errors of the task's earlier tries."""

    def to_error(self, task: int, host: str) -> RxTaskError:
        """The error that the caller sees, with source lines that only the caller's machine has filled in."""
        original = _load_exception(self.original)
        error = self.error(task, self.type, self.message, with_source(self.traceback), host, original)
        error.earlier = self.earlier
        return error

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass
class PartitionRun:
    """Host, process and times of the tasks of one partition."""

    host: str
    pid: int
    attempt: int
    numbers: array[int] = field(default_factory=lambda: array("q"))
    started: array[float] = field(default_factory=lambda: array("d"))
    """Seconds since 1970-01-01 UTC."""
    seconds: array[float] = field(default_factory=lambda: array("d"))
    preparing: float = 0.0
    """Seconds that went into rebuilding what the tasks have in common, or into seeing that none has changed it."""
    tries: dict[int, int] = field(default_factory=dict)
    """How often each task was tried that was tried more than once."""

    @property
    def began(self) -> float:
        """Time at which the first task began, in seconds since 1970-01-01 UTC."""
        return min(self.started)

    @property
    def ended(self) -> float:
        """Time at which the last task ended, likewise."""
        return max(map(sum, zip(self.started, self.seconds, strict=True)))

    @property
    def busy(self) -> float:
        """Seconds that all tasks together have taken."""
        return sum(self.seconds)

    def run(self) -> PartitionRun:
        """Return the same without what the tasks gave."""
        return PartitionRun(**{column.name: getattr(self, column.name) for column in fields(PartitionRun)})

    def run_of(self, wanted: Container[int]) -> PartitionRun:
        """Return the same of these tasks alone."""
        some = PartitionRun(self.host, self.pid, self.attempt)
        for number, started, seconds in zip(self.numbers, self.started, self.seconds, strict=True):
            if number in wanted:
                some.numbers.append(number)
                some.started.append(started)
                some.seconds.append(seconds)
        some.tries = {number: tries for number, tries in self.tries.items() if number in wanted}
        return some


@dataclass
class PartitionResult(PartitionRun):
    """The results of the tasks of one partition that have run."""

    values: list[Any] = field(default_factory=list)
    """The value of each task, as `kept_value` gives it: bytes are a pickle; None where it failed."""
    branches: Branches | None = None
    """Where the values of the call are combined: those that are there instead, likewise."""
    failures: dict[int, TaskFailure] = field(default_factory=dict)
    output: dict[int, str] = field(default_factory=dict)
    """Console text by task number, for the tasks that wrote any."""
    problem: RxError | None = None
    """Why no task of the partition could run: a matter of the machinery, not of one task."""
    unsaved: str = ""
    """Why the worker could not write them into the job's folder."""

    @classmethod
    def failed(cls, numbers: Iterable[int], failure: TaskFailure, attempt: int) -> PartitionResult:
        """Make the result of tasks that all have failed alike, on no host."""
        part = cls("", 0, attempt)
        for number in numbers:
            part.add(number, None, 0.0, 0.0)
            part.failures[number] = failure
        return part

    def add(self, number: int, value: Any, started: float, seconds: float) -> None:
        """Take in the result of one task."""
        self.numbers.append(number)
        self.started.append(started)
        self.seconds.append(seconds)
        if self.branches is None:
            self.values.append(value)
        elif number not in self.failures:
            self.branches[0, number] = value

    @property
    def size(self) -> int:
        """Bytes that the values take, about."""
        return sum(map(size_of, self.values if self.branches is None else self.branches.values()))

    def drop_last(self) -> TaskFailure:
        """Forget the task that came last, and give how it failed."""
        for column in (self.started, self.seconds):
            column.pop()
        if self.branches is None:
            self.values.pop()
        return self.failures.pop(self.numbers.pop())

    def note_earlier_tries(self, errors: Sequence[str], began: float, text: str) -> None:
        """Note of the task that came last how its earlier tries failed, when the first began, and what they wrote."""
        number = self.numbers[-1]
        self.tries[number] = len(errors) + 1
        self.seconds[-1] += self.started[-1] - began
        self.started[-1] = began
        if text:
            self.output[number] = text + self.output.get(number, "")
        if number in self.failures:
            self.failures[number] = replace(self.failures[number], earlier=tuple(errors))

    def extend(self, more: PartitionResult) -> None:
        """Take in the results of other tasks of the same partition."""
        self.numbers += more.numbers
        self.values += more.values
        self.started += more.started
        self.seconds += more.seconds
        self.preparing += more.preparing
        self.failures |= more.failures
        self.output |= more.output
        self.tries |= more.tries
        self.problem = self.problem or more.problem
        if self.branches is not None and more.branches is not None:
            self.branches.take_in(more.branches)

    def take(self) -> PartitionResult:
        """The results so far, which this object has no longer; but for branches, which later tasks go on from."""
        taken = replace(self)
        if self.branches is not None:
            taken.branches = self.branches.since(self.numbers[0]) if self.numbers else Branches()
        fresh = PartitionResult(self.host, self.pid, self.attempt, branches=self.branches)
        self.__dict__.update(fresh.__dict__)
        return taken

    def only(self, wanted: Container[int]) -> PartitionResult:
        """The results of these tasks alone."""
        some = PartitionResult(self.host, self.pid, self.attempt, problem=self.problem)
        for row in zip(self.numbers, self.values, self.started, self.seconds, strict=True):
            if row[0] in wanted:
                some.add(*row)
        some.failures = {number: failure for number, failure in self.failures.items() if number in wanted}
        some.output = {number: text for number, text in self.output.items() if number in wanted}
        some.tries = {number: tries for number, tries in self.tries.items() if number in wanted}
        return some

    def since(self, index: int) -> PartitionResult:
        """The results from this index on."""
        part = PartitionResult(self.host, self.pid, self.attempt)
        part.numbers, part.values = self.numbers[index:], self.values[index:]
        part.started, part.seconds = self.started[index:], self.seconds[index:]
        part.branches = None if self.branches is None else self.branches.since(part.numbers[0])
        for name in ("failures", "output", "tries"):
            told = getattr(self, name)
            if told:
                setattr(part, name, {number: told[number] for number in part.numbers if number in told})
        return part

    def __getstate__(self) -> dict[str, Any]:
        """Return the columns, and the values of each class that the reader may lack in a pickle of their own."""
        kinds: dict[type, list[int]] = {}
        for index, value in enumerate(self.values):
            if type(value) not in _READABLE:
                kinds.setdefault(type(value), []).append(index)
        apart = [(indexes, dumps([self.values[index] for index in indexes], 5)) for indexes in kinds.values()]
        values = [value if type(value) in _READABLE else None for value in self.values] if apart else self.values
        return {**vars(self), "values": values, "apart": apart}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take them; values that cannot be unpickled are the errors of their tasks."""
        apart = state.pop("apart", ())  # older results have none
        vars(self).update(state)
        for indexes, packed in apart:
            try:
                for index, value in zip(indexes, load_value(packed), strict=True):
                    self.values[index] = value
            except Exception as error:
                failure = describe_failure(error, rxGetOption("consoleLimit"), skip_frames=2)
                self.failures |= {self.numbers[index]: failure for index in indexes}

    def pack(self) -> bytes:
        """The results as bytes."""
        return dumps(self, 5)

    @staticmethod
    def unpack(packed: bytes) -> Any:
        """The results that `pack` made into bytes, be they combined (CombinedResult) or not."""
        return loads(packed)


def merged(parts: list[PartitionResult]) -> list[PartitionResult]:
    """The same results with each task in them once: where a task ran again, a value goes before an error."""
    best: dict[int, PartitionResult] = {}
    for part in sorted(parts, key=lambda part: len(part.numbers)):  # one that failed ran again with fewer others
        for number in part.numbers:
            held = best.get(number)
            if held is None or (number in held.failures and number not in part.failures):
                best[number] = part
    if len(best) == sum(len(part.numbers) for part in parts):
        return parts
    return [part.only({number for number in part.numbers if best[number] is part}) for part in parts]


PLAIN = {type(None), bool, int, float, complex, str}  # nobody can change them, everybody can read them
_READABLE = {*PLAIN, bytes}


def kept_value(value: Any, in_caller: bool = False) -> Any:
    """Return what the results keep of a task's value: itself if nobody can change it, else, or of bytes, its pickle."""
    kind = type(value)
    if kind in PLAIN or (kind is not bytes and is_immutable(value)):
        return value
    return dump_value(value, in_caller)


def size_of(kept: Any) -> int:
    """Return the bytes that such a value takes: of a pickle exactly, else about."""
    inside = sum(map(size_of, kept)) if type(kept) is tuple else 0
    return len(kept) if type(kept) is bytes else sys.getsizeof(kept) + inside


def load_value(packed: bytes) -> Any:
    """Unpickle a value; a warning on the way, where the caller's filters make errors of warnings, does not cost it."""
    try:
        return loads(packed)
    except Warning:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            return loads(packed)


def dump_value(value: Any, in_caller: bool = False) -> bytes:
    """The pickle of a task's value: by Python's own pickler, or by cloudpickle for what that one refuses.

    A function or class of the caller's script goes by value, as who reads the results may be another program: in the
    process of the caller, `in_caller`, Python's own pickler would find it by its name.
    """
    try:
        packed = dumps(value, 5)
        if not in_caller or b"__main__" not in packed:
            return packed
    except Exception:
        pass
    from rxspark.worker.byvalue import dump_by_value  # seldom needed, and cloudpickle takes a while to import

    try:
        return dump_by_value(value)
    except Exception as error:
        advice = ". Run it in the task: asyncio.run(f())" if isinstance(value, CoroutineType) else ""
        raise pickle.PicklingError(
            f"the result, of type {type(value).__qualname__}, cannot be pickled: {error}{advice}"
        ) from error


def describe_failure(error: BaseException, limit: int, skip_frames: int = 1) -> TaskFailure:
    """Describe an exception as text, without the innermost `skip_frames` frames of our own that called FUN.

    What is longer than `limit` characters loses its middle, and an exception with a longer pickle does not go along.
    """
    limit = max(limit, _LEAST)
    frames = error.__traceback__
    for _ in range(skip_frames):
        frames = frames.tb_next if frames else None
    text = _by_its_code(
        lambda: "".join(traceback.TracebackException(type(error), error, frames).format()),
        lambda broken: f"(the traceback could not be formatted: {type(broken).__name__})\n",
    )
    message = _by_its_code(lambda: str(error), lambda broken: "(its message could not be made: __str__ raised)")
    name, message, text = type(error).__name__, bounded(message, limit), bounded(text, limit)
    # Thousands of failures are mostly alike: equal texts are one text in memory, and in the pickle of a partition.
    return TaskFailure(sys.intern(name), sys.intern(message), sys.intern(text), _dump_exception(error, limit))


# Characters of an error that are kept however little console output is.
_LEAST = 1000


def _dump_exception(error: BaseException, limit: int) -> bytes | None:
    """The exception's pickle if it also unpickles: one whose constructor takes other arguments does not."""

    def dump() -> bytes | None:
        packed = dump_value(error)
        if len(packed) > limit:
            return None
        loads(packed)
        return packed

    return _by_its_code(dump, lambda broken: None)


def _by_its_code(make: Callable[[], Made], instead: Callable[[BaseException], Made]) -> Made:
    """Return what an exception's own code makes (`__str__`, `__reduce__`), or `instead` where that raises anything."""
    try:
        return make()
    except CallerInterrupt:
        raise
    except BaseException as broken:
        return instead(broken)


def _load_exception(packed: bytes | None) -> BaseException | None:
    if packed is None:
        return None
    try:
        loaded = loads(packed)
    except KeyboardInterrupt:
        raise
    except BaseException:  # its class exists on the worker alone; the text tells the rest
        return None
    return loaded if isinstance(loaded, BaseException) else None


_FRAME = re.compile(r'^( *)File "(?P<file>.+)", line (?P<line>\d+), in .*$')


def with_source(text: str) -> str:
    """Put the user's source line below each frame that lacks one: a notebook's cells exist at the caller's only."""
    lines = text.splitlines()
    shown: list[str] = []
    for line, below in zip(lines, [*lines[1:], ""], strict=False):
        shown.append(line)
        frame = _FRAME.match(line)
        if frame and not below.startswith(frame[1] + "  "):
            source = linecache.getline(frame["file"], int(frame["line"])).strip()
            shown += [f"{frame[1]}  {source}"] if source else []
    return sys.intern("\n".join(shown))
