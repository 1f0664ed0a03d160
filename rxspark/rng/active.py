"""Which streams are installed in this process: a stack, as an rxExec inside a task opens its own above the task's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rxspark.rng.streams import Streams

__all__ = ["STACK", "current"]

# One per process, not per thread: what it describes, np.random and random, is the process's own.
STACK: list[Streams] = []


def current() -> Streams | None:
    """The streams that are installed now, or None outside of any task."""
    return STACK[-1] if STACK else None
