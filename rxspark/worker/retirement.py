"""End a worker that cannot be put back to what it was: after its partition, without losing a result or a task.

Each engine has a way in which its workers retire; only what runs in the worker knows when to take it. These
ways go by names that loky and the standard library do not promise; they are all in this file.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import FrameType
from typing import Any

__all__ = ["is_retiring", "note_unrestored", "retire", "retire_from_pool", "warn_of_unrestored"]

_logger = logging.getLogger("rxspark")

_because: set[str] = set()
_unsaid: set[str] = set()


def retire(because: set[str]) -> None:
    """Have this worker end after its partition, as these settings cannot be put back."""
    _because.update(because)


def note_unrestored(settings: set[str]) -> None:
    """Note that the caller's own process keeps these settings as a task has left them."""
    _unsaid.update(settings)


def warn_of_unrestored() -> None:
    """Warn the caller, once tasks no longer capture the log."""
    if _unsaid:
        _logger.warning(
            "a task has changed what cannot be put back in this process: %s; RxLocalParallel runs tasks in processes "
            "of their own",
            ", ".join(sorted(_unsaid)),
        )
        _unsaid.clear()


def is_retiring() -> bool:
    """Tell whether this worker ends after its partition."""
    return bool(_because)


def retire_from_pool() -> None:
    """Let a worker of loky or of multiprocessing, whose frames are behind this one, end after its partition."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "_process_worker" and "call_queue" in frame.f_locals:
            _retire_from_loky(frame)
        elif frame.f_code.co_name == "worker" and "inqueue" in frame.f_locals:
            _retire_from_multiprocessing(frame)
        frame = frame.f_back  # type: ignore[assignment] # None at the top


def _retire_from_loky(frame: FrameType) -> None:
    """Let loky's worker find the end of its work in its queue, upon which it tells the pool that it leaves."""
    calls, results = frame.f_locals["call_queue"], frame.f_locals["result_queue"]
    put = results.put
    calls.get = lambda *_, **__: None
    results.put = lambda item: put(_RetiringWorker(item) if type(item) is int else item)


class _RetiringWorker:
    """The process id by which loky's worker says that it leaves; in the pool's process it arrives as that id."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __reduce__(self) -> Any:
        return _worker_retired, (self._pid,)


def _worker_retired(pid: int) -> int:
    """In the pool's thread that reads what workers send: the id, for which it then starts another worker.

    Loky would warn of memory that leaks or of too short a time-out, and if warnings are errors its thread would end.
    So the question for the pool, behind which the warning comes, is answered here: the worker started, no pool there.
    """
    thread: Any = threading.current_thread()
    ask = thread.executor_reference

    def answer() -> Any:
        thread.executor_reference = ask
        pool = ask()
        if sys._getframe(1).f_code.co_name != "process_result_item" or pool is None:
            return pool
        with pool._processes_management_lock:
            if len(pool._processes) < pool._max_workers:
                pool._adjust_process_count()
        return None

    thread.executor_reference = answer
    return pid


def _retire_from_multiprocessing(frame: FrameType) -> None:
    """Close the queue of tasks for this worker, upon which it ends, and its pool makes another."""
    frame.f_locals["inqueue"]._reader.close()
