"""The tree by which values of tasks are combined: a matter of their numbers alone, wherever and whenever they run.

Branch (level, place) stands for the tasks place * 2**level to (place + 1) * 2**level - 1 of a call, as far as there are
so many. Its value is the combination of those of its two halves, or that of the one half which has a value: failed
tasks have none.

    level 2            0-3                     4
    level 1       0-1       2-3                4
    level 0      0    1    2    3    4         of a call with five tasks

A worker combines each branch whose tasks it has all run, and is left with few: at most two a level. The caller combines
those of different workers. Which of them combines a branch changes no bit of its value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Branch", "Branches", "Combine", "tasks_of"]

Branch = tuple[int, int]
"""Level and place of a branch."""

Combine = Callable[[Branch, Any, Any], Any]
"""Gives the value of a branch from those of its left and its right half."""

_NONE = object()


def tasks_of(branch: Branch) -> range:
    """The numbers of a branch's tasks, as if the call had enough.

    >>> tasks_of((2, 1))
    range(4, 8)
    """
    level, place = branch
    return range(place << level, (place + 1) << level)


class Branches(dict[Branch, Any]):
    """Values of branches, no one inside another; a branch that is not there, nor any inside it, has no value."""

    def complete(self, number: int, first: int, combine: Combine) -> None:
        """Combine all branches that end with a task, now that it and all tasks from `first` on have run."""
        level, place = 0, number
        while place & 1 and (place - 1) << level >= first:
            self._join((level + 1, place >> 1), combine)
            level, place = level + 1, place >> 1

    def since(self, number: int) -> Branches:
        """Give the branches with tasks from this number on."""
        return Branches({branch: value for branch, value in self.items() if tasks_of(branch)[-1] >= number})

    def take_in(self, more: Branches) -> None:
        """Take in newer branches, in the place of those that went into them."""
        for level, place in more:
            for inner in [inner for inner in self if inner[0] < level and inner[1] >> (level - inner[0]) == place]:
                del self[inner]
        self.update(more)

    def whole(self, combine: Combine) -> list[Any]:
        """Combine them all; gives the one value, or none where there is none."""
        branches, level = Branches(self), 0
        while len(branches) > 1:
            level += 1
            for place in sorted({place >> 1 for at, place in branches if at == level - 1}):
                branches._join((level, place), combine)
        return list(branches.values())

    def _join(self, branch: Branch, combine: Combine) -> None:
        """Put a branch in the place of its halves; where they cannot be combined, they stay."""
        level, place = branch
        halves = (level - 1, 2 * place), (level - 1, 2 * place + 1)
        left, right = (self.get(half, _NONE) for half in halves)
        if left is not _NONE and right is not _NONE:
            self[branch] = combine(branch, left, right)
        elif left is not _NONE or right is not _NONE:
            self[branch] = right if left is _NONE else left
        for half in halves:
            self.pop(half, None)
