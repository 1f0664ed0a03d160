"""The tasks of a call: element arguments, constants, names, and the partitions in which the tasks run.

Nothing is launched here, and every mistake in the arguments is found.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rxspark.calls.groups import Groups
from rxspark.errors import RxArgumentError
from rxspark.validation import short_repr

__all__ = ["ElemArg", "Tasks", "partition_tasks", "plan_tasks", "rxElemArg"]


class ElemArg:
    """Element arguments, as `rxElemArg` makes them: task i gets value i."""

    def __init__(self, values: Sequence[Any], names: list[str] | None = None) -> None:
        self.values = values
        self.names = names

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"rxElemArg({self.values!r})"

    def __reduce__(self) -> Any:
        raise RxArgumentError(
            "rxElemArg(...) was found inside another argument; it must itself be an argument of rxExec, "
            "as in rxExec(f, x=rxElemArg(values))"
        )


def rxElemArg(x: Any) -> ElemArg:
    """Mark an argument of `rxExec` as one to split: task i gets element i of it.

    Parameters
    ----------
    x : list, tuple, range, array (n, ...), Series, dict, or any iterable that ends
        The n elements. An array of any library (NumPy, PyTorch, JAX, xarray, Arrow, scipy.sparse), and whatever else
        has ``__array__`` or a length and items, is split along its first axis. The keys of a dict name the results.
        A generator is read to its end, once, before anything is launched.

    Returns
    -------
    ElemArg
        To be passed to `rxExec` as a positional or keyword argument.

    Raises
    ------
    RxArgumentError
        When x has no elements in a definite order: a number, a string, a set, a data frame; or when reading a
        generator raises.

    Examples
    --------
    >>> from rxspark import rxExec, rxElemArg
    >>> rxExec(pow, rxElemArg([2, 3, 4]), 2)
    [4, 9, 16]
    """
    kind = type(x).__name__
    if isinstance(x, (ElemArg, str, bytes, bytearray)):
        raise RxArgumentError(
            f"rxElemArg(x={short_repr(x)}): x is one value, of type {kind}; put the elements in a list"
        )
    if isinstance(x, type):
        raise RxArgumentError(f"rxElemArg(x={short_repr(x)}): x is a class; pass the elements")
    if isinstance(x, (set, frozenset)):
        raise RxArgumentError(f"rxElemArg(x={short_repr(x)}): a {kind} has no order; pass sorted(x) or list(x)")
    if isinstance(x, Mapping):
        return ElemArg(list(x.values()), [str(key) for key in x])
    if isinstance(x, (list, tuple, range)):
        return ElemArg(x)
    if _is_frame(x):
        raise RxArgumentError(
            f"rxElemArg(x=<{kind}>): a data frame may be split by rows or by columns; pass the rows as a list, by "
            f"x.to_dict('records') with pandas, x.to_dicts() with polars, x.to_pylist() with Arrow, or the columns as "
            f"a dict, by dict(x.items()) with pandas"
        )
    if getattr(x, "shape", None) == ():
        raise RxArgumentError(f"rxElemArg(x={short_repr(x)}): an array without dimensions has no elements to split")
    try:
        return ElemArg(_along_first_axis(x))
    except RxArgumentError:
        raise
    except Exception as error:
        raise RxArgumentError(
            f"rxElemArg(x={short_repr(x)}): reading it raised {type(error).__name__}: {error}; nothing was launched"
        ) from error


def _along_first_axis(x: Any) -> Sequence[Any]:
    """The elements of an array of any library, of anything with a length and items, or of an iterable."""
    if _is_numpy_array(x):
        return x if x.dtype.kind in "biufcmM" else list(x)
    if hasattr(x, "to_pylist"):  # Arrow's own scalars cannot even be added
        return x.to_pylist()  # type: ignore[no-any-return]
    if hasattr(x, "tocsr"):  # the one sparse format that has rows
        x = x.tocsr()
        return [x[i] for i in range(x.shape[0])]
    if isinstance(x, Iterable):
        return list(x)
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):
        return [x[i] for i in range(len(x))]
    if hasattr(x, "__array__"):
        import numpy

        return _along_first_axis(numpy.asarray(x))
    raise RxArgumentError(
        f"rxElemArg(x={short_repr(x)}): a {type(x).__name__} has no elements; pass a list, a range or an array"
    )


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """The tasks of one call: task i is FUN(*constants, **keywords) with its elements put in."""

    count: int
    constants: tuple[Any, ...]
    """Positional arguments; None where an element goes."""
    keywords: dict[str, Any]
    per_task_args: dict[int | str, ElemArg] = field(default_factory=dict)
    """Arguments marked by `rxElemArg`, by position or keyword."""
    element_args: list[tuple[tuple[Any, ...], dict[str, Any]]] | None = None
    """`elemArgs`: positional arguments that come first, and keyword arguments, for each task."""
    names: list[str] | None = None
    groups: Groups | None = None
    """Groups of rows, whose keys and rows come first among the arguments of each task."""
    default_count: bool = False
    """Whether the user gave neither elements nor `timesToRun`."""


def plan_tasks(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], elem_args: Any, times: int
) -> Tasks:
    """Find out how many tasks there are and what each gets; raise RxArgumentError when the arguments disagree."""
    _refuse_coroutine(function)
    per_task: dict[int | str, ElemArg] = {i: arg for i, arg in enumerate(args) if isinstance(arg, ElemArg)}
    per_task |= {name: arg for name, arg in kwargs.items() if isinstance(arg, ElemArg)}
    entries, entry_names = _element_args(elem_args)
    lengths = {_argument(key): len(arg) for key, arg in per_task.items()}
    if entries is not None and not (len(entries) == 1 and (lengths or times != -1)):
        lengths["elemArgs"] = len(entries)
    count = _agreed_count(lengths, times)
    if entries is not None and len(entries) != count:
        entries = entries * count
    names = [names for names in (entry_names, *(arg.names for arg in per_task.values())) if names]
    tasks = Tasks(
        count=count,
        constants=tuple(None if isinstance(arg, ElemArg) else arg for arg in args),
        keywords={name: arg for name, arg in kwargs.items() if not isinstance(arg, ElemArg)},
        per_task_args=per_task,
        element_args=entries,
        names=names[0] if names and len(names[0]) == count else None,
        default_count=times == -1 and not lengths and entries is None,
    )
    if count:
        _check_signature(function, tasks)
    return tasks


def _argument(key: int | str) -> str:
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


def _agreed_count(lengths: dict[str, int], times: int) -> int:
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{argument} has {length}" for argument, length in lengths.items())
        raise RxArgumentError(
            f"element arguments differ in length: {counts}; all must have the same number of elements"
        )
    if not lengths:
        return 1 if times == -1 else times
    argument, length = next(iter(lengths.items()))
    if times not in (-1, length):
        raise RxArgumentError(
            f"timesToRun={times}, but {argument} has {length} elements; leave timesToRun out or make it {length}"
        )
    return length


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


def _is_frame(x: Any) -> bool:
    """Whether x is a table of any library: pandas, polars, Arrow, DuckDB, Spark."""
    return hasattr(x, "__dataframe__") or (hasattr(x, "columns") and (hasattr(x, "dtypes") or hasattr(x, "schema")))


def _is_numpy_array(x: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.ndarray)
