"""The argument `combine` of a call, and partitions of neighbouring tasks, which a worker can combine."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from rxspark.errors import RxArgumentError, closest
from rxspark.validation import short_repr
from rxspark.worker.combining import COMBINES

__all__ = ["combining_function", "neighbouring_tasks"]


def combining_function(value: Any, once_per_node: bool) -> Callable[[Any, Any], Any] | None:
    """Return the function of two values that `combine` stands for.

    Raises
    ------
    RxArgumentError
        When it stands for none, or does not fit to the call.
    """
    if value is None:
        return None
    if once_per_node:
        raise RxArgumentError(
            f"combine={short_repr(value)} with oncePerElem=True: results of nodes are named by node and come home one "
            f"by one; leave one of the two out"
        )
    known = ", ".join(f'"{name}"' for name in COMBINES)
    if isinstance(value, str):
        if value not in COMBINES:
            guess = closest(value, COMBINES)
            hint = f'did you mean "{guess}"?' if guess else f"it is a function of two values, or one of {known}"
            raise RxArgumentError(f"combine={value!r}: there is no combine of this name; {hint}")
        return COMBINES[value]
    if not callable(value):
        raise RxArgumentError(f"combine={short_repr(value)}: combine is a function of two values, or one of {known}")
    _check_callable(value)
    function: Callable[[Any, Any], Any] = value
    return function


def _check_callable(function: Any) -> None:
    name = getattr(function, "__name__", type(function).__name__)
    if function is sum:
        raise RxArgumentError(
            'combine=sum: Python\'s sum adds up the items of one collection; combine="sum" adds two results'
        )
    if inspect.iscoroutinefunction(function):
        raise RxArgumentError(f"combine={name}: combine is called as it is, and an async def gives no value so")
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # a builtin that does not tell
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise RxArgumentError(
            f"combine={name} cannot be called with two values: {error}. combine is {name}{signature}, and is called as "
            f"{name}(a, b)"
        ) from None


# Into how many blocks of tasks, each of them one branch of the tree, a partition is cut at least: with few, partitions
# would be of unequal length, and with many a worker would send home many branches.
_BLOCKS = 16


def neighbouring_tasks(count: int, slots: int, per_slot: int) -> list[range]:
    """Split tasks 0..count-1 into partitions of neighbours, `per_slot` for each of the `slots` that run at once.

    Long ones begin and end where large branches of the tree do (rxspark/worker/tree.py).

    >>> neighbouring_tasks(5, slots=2, per_slot=1)
    [range(0, 2), range(2, 5)]
    >>> neighbouring_tasks(1000, slots=3, per_slot=1)
    [range(0, 320), range(320, 656), range(656, 1000)]
    """
    parts = min(count, slots * per_slot)
    if parts == 0:
        return []
    block = 1 << max(0, (count // parts // _BLOCKS).bit_length() - 1)
    bounds = [count * part // parts // block * block for part in range(parts)]
    return [range(first, last) for first, last in zip(bounds, [*bounds[1:], count], strict=True)]
