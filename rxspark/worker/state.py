"""The visible state of a worker process: set from the caller's at the start, put back after each task.

Spark and loky reuse their worker processes, so whatever one task leaves behind (an environment variable, another
working directory, a changed search path, a warnings filter) would be met by whichever task came next in that
process: results would depend on how the work was laid out.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import warnings
from contextlib import suppress
from types import TracebackType
from typing import Any

from rxspark.once import once
from rxspark.worker.payload import Surroundings

__all__ = ["ProcessState", "environment", "portable_filters", "working_directory"]


def portable_filters() -> tuple[tuple[Any, ...], ...]:
    """The warnings filters of this process, with each category as a name: a worker may lack its module."""
    filters: list[Any] = list(warnings.filters)
    return tuple(
        (action, message, (category.__module__, category.__qualname__), module, line)
        for action, message, category, module, line in filters
    )


def _rebuild_filters(portable: tuple[tuple[Any, ...], ...]) -> list[Any]:
    """The filters whose categories exist here: nothing here can raise a warning whose module is not loaded."""
    rebuilt = []
    for action, message, (module_name, qualname), module, line in portable:
        category = getattr(sys.modules.get(module_name), qualname, None)
        if isinstance(category, type) and issubclass(category, Warning):
            rebuilt.append((action, message, category, module, line))
    return rebuilt


class ProcessState:
    """While entered, this process looks to its tasks as `surroundings` say; on exit, as it was before.

    `variables` of the environment are this worker's own, whatever the caller's are.

    `settle` undoes what a task changed. It runs once a task, so it must be quick when there is nothing to undo:
    asking for the working directory and comparing the environment took 2 us, as long as all else around an empty
    task. Python's own audit events tell whether a task has touched them, by whatever name it called the functions;
    what compiled code changes behind Python's back is put back at the end of the partition.
    """

    def __init__(
        self, surroundings: Surroundings | None, filters: tuple[tuple[Any, ...], ...], variables: dict[str, str]
    ) -> None:
        self._surroundings = surroundings
        self._variables = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
        self._portable_filters = filters

    def __enter__(self) -> ProcessState:
        _listen()
        self._catch_warnings = warnings.catch_warnings()
        self._catch_warnings.__enter__()
        self._path = sys.path
        self._before = self._snapshot()
        _make_paths_absolute()
        if self._surroundings and self._surroundings.host == socket.gethostname():
            _set_environment({**environment(), **self._surroundings.environ, **self._variables})
            known = set(sys.path)
            sys.path.extend(entry for entry in self._surroundings.path if entry not in known)
            if self._surroundings.cwd not in (None, working_directory()):
                os.chdir(self._surroundings.cwd)
        _set_filters(_rebuild_filters(self._portable_filters))
        _touched.clear()
        self._wanted = self._snapshot()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put_back(self._before)
        self._catch_warnings.__exit__(kind, error, trace)

    def settle(self, warned: bool) -> None:
        """Undo what the last task changed; `warned`: it showed a warning, which Python now holds for known."""
        if (
            warned
            or _touched.is_set()
            or warnings.filters != self._wanted[3]
            or sys.path is not self._path
            or sys.path != self._wanted[2]
        ):
            self._put_back(self._wanted)

    @staticmethod
    def _snapshot() -> tuple[str | None, dict[Any, Any], list[str], list[Any]]:
        return working_directory(), dict(environment()), sys.path[:], list(warnings.filters)

    def _put_back(self, state: tuple[str | None, dict[Any, Any], list[str], list[Any]]) -> None:
        cwd, variables, path, filters = state
        if cwd is not None and working_directory() != cwd:
            with suppress(OSError):  # a task removed the folder
                os.chdir(cwd)
        _set_environment(variables)
        sys.path = self._path  # the very list, which others may hold
        sys.path[:] = path
        _set_filters(filters)
        _touched.clear()


_EVENTS = frozenset({"os.chdir", "os.putenv", "os.unsetenv"})
_touched = threading.Event()


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        _touched.set()


@once
def _listen() -> None:
    """Hear of changes of directory and environment; once a process, as an audit hook stays for good."""
    sys.addaudithook(_hear)


def _set_environment(wanted: dict[Any, Any]) -> None:
    """Make the environment what `environment` gave, touching only what differs: each variable costs 4 us."""
    now = environment()
    for name in now.keys() - wanted.keys():
        del os.environ[os.fsdecode(name)]
    for name, value in wanted.items():
        if now.get(name) != value:
            os.environ[os.fsdecode(name)] = os.fsdecode(value)


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    with warnings.catch_warnings():  # entering makes Python forget which warnings it has shown already
        pass


def environment() -> dict[Any, Any]:
    """The mapping inside `os.environ`: comparing it costs 0.7 us, the public mapping (it decodes) 20 us."""
    inside: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]
    return inside


def _make_paths_absolute() -> None:
    """Spark's executors find rxspark by ``./rxspark-....zip``, which a task that changes the directory would lose."""
    if all(os.path.isabs(entry) for entry in sys.path if entry):
        return
    sys.path[:] = [os.path.abspath(entry) if entry else entry for entry in sys.path]
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "rxspark" and hasattr(module, "__path__"):
            module.__path__ = [os.path.abspath(entry) for entry in module.__path__]


def working_directory() -> str | None:
    """The working directory of this process, None where the folder was removed under it."""
    try:
        return os.getcwd()
    except OSError:
        return None
