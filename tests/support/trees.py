"""The tree by which results are combined, as its definition says it: for tests to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NOTHING = object()


def by_definition(values: Mapping[int, Any], count: int, combine: Callable[[Any, Any], Any]) -> Any:
    """Combine the values of `count` tasks, of which those that are not there have none; NOTHING where none has one."""

    def branch(first: int, size: int) -> Any:
        if first >= count:
            return NOTHING
        if size == 1:
            return values.get(first, NOTHING)
        left, right = branch(first, size // 2), branch(first + size // 2, size // 2)
        if left is NOTHING or right is NOTHING:
            return right if left is NOTHING else left
        return combine(left, right)

    return branch(0, 1 << max(0, count - 1).bit_length())
