"""Let tasks start pools, processes and threads inside a worker, without keeping the worker from ending.

A worker's end waits for the processes that it has started, and those of a pool that nobody has closed wait for work:
joblib's for five minutes, those of `concurrent.futures` for ever.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
import os
import signal
import threading
from contextlib import suppress

from rxspark.once import once

__all__ = ["end_nested", "let_tasks_nest"]

# Seconds that a worker takes to end when nothing holds it up; then what still runs in it is given up.
_LEAVING = 2.0


@once
def let_tasks_nest() -> None:
    """Let tasks in this worker use pools as a program of their own does, and end those with the worker."""
    if (multiprocessing.get_start_method(allow_none=True) or "").startswith("loky"):
        # Loky's own, which new processes of multiprocessing do not know, and so could not start.
        multiprocessing.set_start_method(None, force=True)
    multiprocessing.util.Finalize(None, _end_nested, exitpriority=0)  # behind those of pools, which end themselves


def end_nested() -> None:
    """End pools and processes now that this process is about to end, and before it waits for its threads.

    Processes of multiprocessing do so by themselves.
    """
    multiprocessing.util._exit_function()  # type: ignore[attr-defined]


def _end_nested() -> None:
    """End the processes that tasks have left, and do not wait long for their threads."""
    for process in multiprocessing.active_children():
        with suppress(ProcessLookupError):
            os.kill(process.pid or 0, signal.SIGKILL)  # loky's processes have no method for that
    timer = threading.Timer(_LEAVING, os._exit, [0])
    timer.daemon = True
    timer.start()
