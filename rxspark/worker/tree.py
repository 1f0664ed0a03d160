"""The tree by which values of tasks are combined: a matter of their numbers alone, wherever and whenever they run.

Branch (level, index) stands for the tasks index * 2**level to (index + 1) * 2**level - 1 of a call, as far as there are
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
"""Level and index of a branch."""

Combine = Callable[[Branch, Any, Any], Any]
"""Gives the value of a branch from those of its left and its right half."""

_NONE = object()


def tasks_of(branch: Branch) -> range:
    """The numbers of a branch's tasks, as if the call had enough.

    >>> tasks_of((2, 1))
    range(4, 8)
    """
    level, index = branch
    return range(index << level, (index + 1) << level)


class Branches(dict[Branch, Any]):
    """Values of branches, no one inside another; a branch that is not there, nor any inside it, has no value."""

    def complete(self, number: int, first: int, combine: Combine) -> None:
        """Combine all branches that end with a task, now that it and all tasks from `first` on have run."""
        level, index = 0, number
        while index & 1 and (index - 1) << level >= first:
            self._join((level + 1, index >> 1), combine)
            level, index = level + 1, index >> 1

    def since(self, number: int) -> Branches:
        """Return the branches with tasks from this number on."""
        return Branches({branch: value for branch, value in self.items() if tasks_of(branch)[-1] >= number})

    def take_in(self, more: Branches) -> None:
        """Take in newer branches, in place of those that went into them."""
        for level, index in more:
            for inner in [inner for inner in self if inner[0] < level and inner[1] >> (level - inner[0]) == index]:
                del self[inner]
        self.update(more)

    def whole(self, combine: Combine) -> list[Any]:
        """Combine them all; return the one value, or none where there is none."""
        branches, level = Branches(self), 0
        while len(branches) > 1:
            level += 1
            for index in sorted({index >> 1 for at, index in branches if at == level - 1}):
                branches._join((level, index), combine)
        return list(branches.values())

    def _join(self, branch: Branch, combine: Combine) -> None:
        """Put a branch in place of its halves; where they cannot be combined, they stay."""
        level, index = branch
        halves = (level - 1, 2 * index), (level - 1, 2 * index + 1)
        left, right = (self.get(half, _NONE) for half in halves)
        if left is not _NONE and right is not _NONE:
            self[branch] = combine(branch, left, right)
        elif left is not _NONE or right is not _NONE:
            self[branch] = right if left is _NONE else left
        for half in halves:
            self.pop(half, None)
