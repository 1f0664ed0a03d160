"""The tasks of a call: element arguments, constants, names, and the partitions in which the tasks run.

Nothing is launched here, and every mistake in the arguments is found.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rxspark.calls.elements import ElemArg
from rxspark.calls.groups import Groups
from rxspark.errors import RxArgumentError
from rxspark.validation import short_repr

__all__ = ["Tasks", "argument_name", "lengths_differ", "partition_tasks", "plan_tasks"]


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """The tasks of one call: task i is FUN(*constants, **keywords) with its elements put in."""

    count: int | None
    """None as long as it is not known."""
    constants: tuple[Any, ...]
    """Positional arguments; None where an element goes."""
    keywords: dict[str, Any]
    per_task_args: dict[int | str, ElemArg] = field(default_factory=dict)
    """Arguments marked by `rxElemArg`, by position or keyword."""
    element_args: list[tuple[tuple[Any, ...], dict[str, Any]]] | None = None
    """`elemArgs`: positional arguments that come first, and keyword arguments, for each task, or one for all."""
    names: list[str] | None = None
    groups: Groups | None = None
    """Groups of rows, whose keys and rows come first among the arguments of each task."""
    default_count: bool = False
    """Whether the user gave neither elements nor `timesToRun`."""

    @property
    def are_read_later(self) -> bool:
        """Tell whether elements come of an iterator, which is read while the tasks run."""
        return any(arg.length is None for arg in self.per_task_args.values())

    def entries_of(self, numbers: range) -> list[tuple[tuple[Any, ...], dict[str, Any]]] | None:
        """Return the entries of `elemArgs` for some tasks."""
        if self.element_args is None or len(self.element_args) > 1:
            return self.element_args and self.element_args[numbers.start : numbers.stop : numbers.step]
        return self.element_args * len(numbers)


def plan_tasks(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    elem_args: Any,
    times: int,
    read_now: bool = True,
) -> Tasks:
    """Find out how many tasks there are and what each gets; raise RxArgumentError when the arguments disagree.

    Iterators are read if all elements are needed now; else the number of tasks may stay unknown.
    """
    _refuse_coroutine(function)
    per_task: dict[int | str, ElemArg] = {i: arg for i, arg in enumerate(args) if isinstance(arg, ElemArg)}
    per_task |= {name: arg for name, arg in kwargs.items() if isinstance(arg, ElemArg)}
    entries, entry_names = _element_args(elem_args)
    if read_now:
        for key, arg in per_task.items():
            arg.read(argument_name(key))
    serve_all = entries is not None and len(entries) == 1 and (bool(per_task) or times != -1)
    count = _agreed_count(per_task, None if entries is None or serve_all else len(entries), times)
    names = [names for names in (entry_names, *(arg.names for arg in per_task.values())) if names]
    tasks = Tasks(
        count=count,
        constants=tuple(None if isinstance(arg, ElemArg) else arg for arg in args),
        keywords={name: arg for name, arg in kwargs.items() if not isinstance(arg, ElemArg)},
        per_task_args=per_task,
        element_args=entries,
        names=names[0] if names and len(names[0]) == count else None,
        default_count=times == -1 and not per_task and entries is None,
    )
    if count != 0:
        _check_signature(function, tasks)
    return tasks


def argument_name(key: int | str) -> str:
    """Name an argument of FUN by its position or keyword."""
    return f"argument {key + 1} of FUN" if isinstance(key, int) else f"argument {key!r}"


def _element_args(elem_args: Any) -> tuple[list[tuple[tuple[Any, ...], dict[str, Any]]] | None, list[str] | None]:
    """Read `elemArgs`: the arguments of each task, and the names of the entries."""
    if elem_args is None:
        return None, None
    if isinstance(elem_args, ElemArg) or not isinstance(elem_args, (list, tuple, Mapping)):
        raise RxArgumentError(
            f"elemArgs={short_repr(elem_args)}: elemArgs is a list with one entry a task: a value, a tuple of "
            f"positional arguments or a dict of keyword arguments; or a dict of named entries"
        )
    names = [str(name) for name in elem_args] if isinstance(elem_args, Mapping) else None
    found: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    for entry in elem_args.values() if isinstance(elem_args, Mapping) else elem_args:
        if isinstance(entry, dict):
            wrong = [key for key in entry if not isinstance(key, str)]
            if wrong:
                raise RxArgumentError(
                    f"elemArgs: entry {len(found)} is a dict with the key {wrong[0]!r}; the keys of an entry are names "
                    f"of FUN's arguments. To pass the dict itself as one value, write ({{...}},)"
                )
            found.append(((), entry))
        else:
            found.append((entry if isinstance(entry, tuple) else (entry,), {}))
    return found, names


def _agreed_count(per_task: dict[int | str, ElemArg], entries: int | None, times: int) -> int | None:
    """Return the number of tasks that elements, entries of `elemArgs` and `timesToRun` agree on; None if not known."""
    lengths = {argument_name(key): arg.length for key, arg in per_task.items() if arg.length is not None}
    if entries is not None:
        lengths["elemArgs"] = entries
    if len(set(lengths.values())) > 1:
        raise lengths_differ({argument: str(length) for argument, length in lengths.items()})
    if times != -1 and any(length != times for length in lengths.values()):
        argument, length = next(iter(lengths.items()))
        raise RxArgumentError(
            f"timesToRun={times}, but {argument} has {length} elements; leave timesToRun out or make it {length}"
        )
    count = next(iter(lengths.values()), None if times == -1 else times)
    for key, arg in per_task.items():
        if arg.is_endless and count is not None:
            raise RxArgumentError(
                f"{argument_name(key)}: {arg!r} has no end, but there are {count} tasks: bound it by "
                f"itertools.islice(x, {count})"
            )
    return 1 if count is None and not per_task else count


def lengths_differ(lengths: Mapping[str, str]) -> RxArgumentError:
    """Make the error for element arguments that do not have the same number of elements, as it is said here."""
    counts = ", ".join(f"{argument} has {length}" for argument, length in lengths.items())
    return RxArgumentError(f"element arguments differ in length: {counts}; all must have the same number of elements")


def _refuse_coroutine(function: Callable[..., Any]) -> None:
    """Find functions that run only in an event loop, which a task has none of."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    called = None if inspect.isroutine(function) else vars(type(function)).get("__call__")
    if any(map(inspect.iscoroutinefunction, (function, called))):
        raise RxArgumentError(
            f"FUN={name}: an async def runs in an event loop only; write FUN=lambda *args: asyncio.run({name}(*args))"
        )
    if any(map(inspect.isasyncgenfunction, (function, called))):
        raise RxArgumentError(
            f"FUN={name}: an async generator runs in an event loop only; collect what it yields in an async def f, and "
            f"write FUN=lambda *args: asyncio.run(f(*args))"
        )


def _check_signature(function: Callable[..., Any], tasks: Tasks) -> None:
    """Find arguments that FUN cannot take, before launch; functions that do not tell their signature are let be."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (ValueError, TypeError):
        return
    shapes = {(len(first), tuple(more)) for first, more in tasks.element_args} if tasks.element_args else {(0, ())}
    for positional, keys in sorted(shapes):
        both = {**tasks.keywords, **{key: None for key in tasks.per_task_args if isinstance(key, str)}}
        twice = [key for key in keys if key in both]
        if twice:
            raise RxArgumentError(f"argument {twice[0]!r} is given both in elemArgs and beside it; give it once")
        try:
            signature.bind(*[None] * positional, *tasks.constants, **{**both, **dict.fromkeys(keys)})
        except TypeError as error:
            name = getattr(function, "__name__", type(function).__name__)
            raise RxArgumentError(
                f"FUN={name} cannot be called with these arguments: {error}. FUN is {name}{signature}"
            ) from None


def partition_tasks(count: int, chunk_size: int | None, slots: int, per_slot: int) -> list[range]:
    """Split tasks 0..count-1 into partitions.

    With a chunk size each chunk is one partition. Without one there are `per_slot` partitions for each of the
    `slots` that run at once, and partition p of P has the tasks p, p + P, p + 2P, ...: neighbours, which often take
    alike long, are spread, so that no slot is left with all the long ones.

    >>> partition_tasks(5, 2, slots=9, per_slot=9)
    [range(0, 2), range(2, 4), range(4, 5)]
    >>> partition_tasks(5, None, slots=2, per_slot=1)
    [range(0, 5, 2), range(1, 5, 2)]
    """
    if chunk_size is not None:
        return [range(first, min(first + chunk_size, count)) for first in range(0, count, chunk_size)]
    parts = min(count, slots * per_slot)
    return [range(part, count, parts) for part in range(parts)]
