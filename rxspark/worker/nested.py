"""Let tasks start pools, processes and threads inside a worker, without keeping the worker from ending.

A worker's end waits for the processes that it has started, and those of a pool that nobody has closed wait for work:
joblib's for five minutes, those of `concurrent.futures` for ever.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing import spawn
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from types import ModuleType
from typing import Any

from rxspark.concurrency import once
from rxspark.worker.current_task import current_task

__all__ = ["end_nested", "let_tasks_nest", "serve_processes", "stop_serving"]

# Seconds that a worker takes to end when nothing holds it up; then what still runs in it is given up.
_LEAVING = 2.0


@once
def let_tasks_nest() -> None:
    """Let tasks in this worker use pools as a program of their own does, and end those with the worker."""
    if (multiprocessing.get_start_method(allow_none=True) or "").startswith("loky"):
        # Loky's own, which new processes of multiprocessing do not know, and so could not start.
        multiprocessing.set_start_method(None, force=True)
    multiprocessing.util.Finalize(None, _end_nested, exitpriority=0)  # behind those of pools, which end themselves


_plain_data = spawn.get_preparation_data


def serve_processes() -> None:
    """From now on processes that tasks start by multiprocessing find what came to the task by value."""
    spawn.get_preparation_data = _data_from_task
    ForkingPickler.reducer_override = _reduce  # type: ignore[method-assign, assignment]


def stop_serving() -> None:
    """Leave multiprocessing as it was."""
    spawn.get_preparation_data = _plain_data
    del ForkingPickler.reducer_override
    if "rxspark.worker.spawn" in sys.modules:
        _by_value().forget()


def _data_from_task(name: str) -> dict[str, Any]:
    """Data that prepare a new process of multiprocessing, without the script, which would run once more there."""
    data: dict[str, Any] = _plain_data(name)
    if current_task() is None:
        return data
    _by_value().know_nothing()
    for key in ("init_main_from_name", "init_main_from_path"):
        data.pop(key, None)
    return data


def _reduce(_: ForkingPickler, obj: Any) -> Any:
    """Reduce an object for multiprocessing's pickler."""
    if getattr(obj, "__module__", None) == "__main__" or isinstance(obj, BaseProcess):
        return _by_value().reduce(obj)
    return NotImplemented


def _by_value() -> ModuleType:
    from rxspark.worker import spawn  # seldom needed, and cloudpickle takes a while to import

    return spawn


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
