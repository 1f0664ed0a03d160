"""End a worker that cannot be put back to what it was: after its partition, without losing a result or a task.

Each engine has a way in which its workers leave in peace; only what runs in the worker knows when to take it. These
ways go by names that loky and the standard library do not promise; they are all in this file.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

__all__ = ["leave", "leave_pool", "must_leave"]

_because: set[str] = set()


def leave(because: set[str]) -> None:
    """Have this worker end after its partition, as these settings cannot be put back."""
    _because.update(because)


def must_leave() -> bool:
    """Whether this worker is to end."""
    return bool(_because)


def leave_pool() -> None:
    """Let a worker of loky or of multiprocessing, whose frames are behind this one, end after its partition."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "_process_worker" and "call_queue" in frame.f_locals:
            _leave_loky(frame)
        elif frame.f_code.co_name == "worker" and "inqueue" in frame.f_locals:
            _leave_multiprocessing(frame)
        frame = frame.f_back  # type: ignore[assignment] # None at the top


def _leave_loky(frame: FrameType) -> None:
    """Let loky's worker find the end of its work in its queue, upon which it tells the pool that it leaves."""
    calls, results = frame.f_locals["call_queue"], frame.f_locals["result_queue"]
    put, loky = results.put, frame.f_globals["__name__"]
    calls.get = lambda *_, **__: None
    results.put = lambda item: put(_Leaving(item, loky) if type(item) is int else item)


class _Leaving:
    """The process id by which loky's worker says that it leaves; in the pool's process it arrives as that id."""

    def __init__(self, pid: int, loky: str) -> None:
        self._arguments = pid, loky

    def __reduce__(self) -> Any:
        return _left, self._arguments


def _left(pid: int, loky: str) -> int:
    """In the thread that reads what loky's workers send: the id, of a kind of which a pool warns but once.

    Here it is to warn not at all: the text speaks of memory.
    """
    thread: Any = threading.current_thread()
    recycled = getattr(sys.modules.get(loky), "_RecycledWorkerPid", int)  # before 3.7 loky always warns
    if hasattr(thread, "recycling_warned"):
        thread.recycling_warned = True
    found: int = recycled(pid)
    return found


def _leave_multiprocessing(frame: FrameType) -> None:
    """Close the queue of tasks for this worker, upon which it ends, and its pool makes another."""
    frame.f_locals["inqueue"]._reader.close()
