"""State of the process that a task meets: set from the caller's at the start, put back after each task.

Spark and loky reuse their worker processes, so whatever one task leaves behind (an environment variable, another
working directory, a signal handler, an option of pandas) would be met by whichever task came next in that process:
results would depend on how the work was laid out. `settings` is the table of all that is looked at.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from time import perf_counter
from types import TracebackType
from typing import Any

from rxspark.errors import RxContextError
from rxspark.process import process_token
from rxspark.worker.audit import on_event
from rxspark.worker.callers_changes import with_callers_changes
from rxspark.worker.current_task import TASK
from rxspark.worker.exits import follow_exits, registered, run_registered
from rxspark.worker.protocol import Call, ProcessEnvironment
from rxspark.worker.settings import SETTINGS
from rxspark.worker.settings.hearing import NATIVE, heard
from rxspark.worker.settings.interpreter import (
    ENVIRON,
    ENVIRONMENT,
    FILTERS,
    LISTS,
    PATH,
    SHOWN_WARNINGS,
    finders,
    keep_finders,
)
from rxspark.worker.settings.native import environment
from rxspark.worker.settings.setting import Setting, held_list
from rxspark.worker.settings.standard_library import ASYNCIO, put_running
from rxspark.worker.settings.system import FOLDER, TIME_ZONE, working_directory
from rxspark.worker.watch import (
    LASTING_TIER,
    Arrivals,
    Watch,
    kept_within,
    put_back,
    readable,
    rounds_of,
    take_in_parts,
    taken,
)

__all__ = [
    "ProcessState",
    "callers_settings",
    "environment",
    "portable_filters",
    "removed_variables",
    "working_directory",
]


# Seconds of a task beside which it costs little to look where nothing says that there is a reason. And so many tasks at
# the beginning of a call, and one of so many later, after which that is done in any case: all its tasks run the same
# function, so what leaves something behind mostly shows in the first ones.
_A_WHILE = 2e-5
_FIRST_TASKS = 100

_MODULES = {setting.module for setting in SETTINGS}

# Compared after each task.
_COMPARED = frozenset({ENVIRON, FILTERS, PATH})


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


def callers_settings() -> dict[str, Any]:
    """The settings of this process with which tasks are to begin wherever they run, by name."""
    return {setting.name: setting.read() for setting in SETTINGS if setting.travels and readable(setting)}


def _at_the_start() -> set[bytes]:
    """The variables with which this process was started, where the system tells."""
    with suppress(OSError), open("/proc/self/environ", "rb") as file:
        return {entry.partition(b"=")[0] for entry in file.read().split(b"\0") if entry}
    return set()


_ever: set[Any] = _at_the_start() | environment().keys()


def _note_variable(name: Any, _: Any) -> None:
    """Note a variable that the program sets: workers that start before the next call inherit it."""
    if TASK.get() is None:
        _ever.add(name)


on_event("os.putenv", _note_variable)


def removed_variables(now: dict[Any, Any]) -> frozenset[Any]:
    """The variables that this process once had, as far as is known, and has no longer."""
    _ever.update(now)
    return frozenset(_ever - now.keys())


class ProcessState:
    """While entered, this process looks to its tasks as to the caller's own code; on exit, as it was before.

    `variables` of the environment are this worker's own, whatever the caller's are.

    `restore` undoes what a task changed. It runs once a task, so it must be quick when there is nothing to undo, while
    to look at all settings takes some 30 us. What is compared each time costs some nanoseconds, and Python's own audit
    events tell of changes of folder and environment, by whatever name a task called the functions. The rest is looked
    at as often as `Rounds` say, and at the end.
    """

    def __init__(self, call: Call, process_environment: ProcessEnvironment | None, variables: dict[str, str]) -> None:
        self._call = call
        self._surroundings = process_environment
        self._variables = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
        self._on_host = process_environment is not None and process_environment.host == socket.gethostname()

    def __enter__(self) -> ProcessState:
        self._heard = frozenset(heard)  # by a task that makes this call
        self._registered = len(registered)
        self._kept = ExitStack()
        self._watch = self._kept.enter_context(kept_within(self._call.origin == process_token()))
        self._watch.meet()
        self._rounds, new = rounds_of(self._call.id)
        self._seen = [-1, -1, self._rounds.tasks]  # by tier, how many tasks had run at the last look
        self._tiers: list[list[Setting]] = []
        if new and not self._watch.own:  # the caller's process is looked at before and after each call
            self._watch.put_back()
        self._of_thread = {setting: taken(setting) for setting in SETTINGS if setting.of_thread and readable(setting)}
        values = self._watch.before | self._of_thread
        self._before = {setting: values[setting] for setting in SETTINGS if setting in values}
        self._wanted = dict(self._before)
        if self._call.origin == process_token():
            self._kept.enter_context(with_callers_changes(self._before, self._wanted))
        try:
            self._prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _prepare(self) -> None:
        """Make this process what tasks are to meet."""
        _make_paths_absolute()
        if self._surroundings is not None and self._on_host:
            self._take_over(self._surroundings)
        FILTERS.write(held_list(_rebuild_filters(self._call.warning_filters)))
        for setting in list(self._wanted):
            if setting.travels:
                self._begin_with_the_callers(setting)
        if ASYNCIO in self._wanted:  # the caller's loop may be running in this thread, as a notebook's is
            put_running()
            self._wanted[ASYNCIO] = taken(ASYNCIO)
        awaited = (name for name in _MODULES if name not in sys.modules)
        sys.meta_path.insert(0, Arrivals(awaited, self._meet, self._import_begins))
        for setting in (ENVIRONMENT, PATH, FILTERS, SHOWN_WARNINGS, FOLDER, TIME_ZONE, LISTS):
            self._wanted[setting] = taken(setting)
        self._environ, self._path, self._entries = os.environ, sys.path, sys.path[:]
        self._filters: Any = list(warnings.filters)
        self._kept.callback(follow_exits())
        self._sort()
        self._modules = len(sys.modules)
        heard.clear()

    def _take_over(self, process_environment: ProcessEnvironment) -> None:
        """Take the caller's environment, search path and working folder."""
        gone = process_environment.gone - self._variables.keys()
        kept = {name: value for name, value in environment().items() if name not in gone}
        ENVIRONMENT.write({**kept, **process_environment.environ, **self._variables})
        if hasattr(time, "tzset") and environment().get(b"TZ") != self._before[ENVIRONMENT].get(b"TZ"):
            time.tzset()
        known = set(sys.path)
        sys.path.extend(entry for entry in process_environment.path if entry not in known)
        if process_environment.cwd not in (None, working_directory()):
            with suppress(FileNotFoundError):  # removed since the call: as for one who had removed it before
                try:
                    os.chdir(process_environment.cwd)
                except PermissionError as error:
                    raise RxContextError(
                        f"the working folder {process_environment.cwd} cannot be entered by the workers on "
                        f"{process_environment.host}: {error}. Change to another one before the call"
                    ) from error

    def _begin_with_the_callers(self, setting: Setting) -> None:
        value = self._call.settings.get(setting.name)
        if value is None or (setting.same_host and not self._on_host) or value == self._wanted[setting]:
            return
        with suppress(Exception):  # another version of the library may know other values
            setting.write(value)
        self._wanted[setting] = taken(setting)

    def _meet(self, module: str) -> None:
        """Take in the settings of a library that has just been loaded."""
        for setting in SETTINGS:
            if setting.module == module and setting not in self._wanted and readable(setting):
                self._before[setting] = self._wanted[setting] = taken(setting)
                (self._of_thread if setting.of_thread else self._watch.before)[setting] = self._before[setting]
                if setting.travels:
                    self._begin_with_the_callers(setting)
        self._sort()

    def _import_begins(self) -> Callable[[], None]:
        """Return what is to be done at the end of an import: what it has changed is its modules', and no task's."""
        before = finders()

        def end() -> None:
            take_in_parts(self._wanted)
            for values in (self._wanted, self._before, self._watch.before):
                if LISTS in values:
                    keep_finders(before, values[LISTS])

        return end

    def begin(self) -> None:
        """Before the first task: take in the modules that came with the program."""
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            take_in_parts(self._wanted)

    def _sort(self) -> None:
        # A copy: other threads may import libraries, whose settings come in meanwhile.
        looked_at = [setting for setting in list(self._wanted) if readable(setting) and not setting.on_event]
        self._tiers = [[setting for setting in looked_at if setting.tier == tier] for tier in range(3)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = self._rounds.tasks if kind is None else None  # a task that was interrupted is not counted
        # Nobody has looked behind that one, not even where an event has told of a change.
        lowest = LASTING_TIER if kind is None else LASTING_TIER + 1
        found = [setting for setting in list(self._before) if setting.tier < lowest and readable(setting)]
        # But for what the last look has found as it was before, with no task since.
        looked = (setting for group in self._tiers for setting in group if self._seen[setting.tier] == tasks)
        known = {setting for setting in looked if self._wanted.get(setting) is self._before[setting]}
        self._watch.note(put_back([setting for setting in found if setting not in known], self._before)[1])
        if self._seen[LASTING_TIER] != tasks:
            Watch.unseen = True
        run_registered(self._registered)  # by a task that was interrupted
        self._kept.close()
        heard.clear()
        heard.update(self._heard)

    @property
    def spoiled(self) -> bool:
        """Tell whether a task has changed what cannot be put back."""
        return bool(self._watch.stuck)

    def untouched(self, seconds: float) -> bool:
        """Count the last task, which took so long; whether it has changed nothing and no look at all is due."""
        rounds = self._rounds
        rounds.tasks = tasks = rounds.tasks + 1
        rounds.worked = worked = rounds.worked + seconds
        return (
            seconds < _A_WHILE
            and worked < rounds.due
            and tasks > _FIRST_TASKS
            and tasks % _FIRST_TASKS != 0
            and not heard
            and self._in_place()
        )

    def _in_place(self) -> bool:
        return (
            warnings.filters == self._filters
            and sys.path is self._path
            and sys.path == self._entries
            and os.environ is self._environ
        )

    def restore(self, warned: bool) -> None:
        """Undo what the last task changed; `warned`: Python now holds a warning for known."""
        if len(registered) > self._registered:
            run_registered(self._registered)
        if warned:
            FILTERS.write(self._wanted[FILTERS])
        if heard or not self._in_place():
            self._look_where_told()
        if len(sys.modules) != self._modules:  # what is new is theirs, and after the next task it would not be
            self._modules = len(sys.modules)
            self._look(everything=True)
        elif self._rounds.worked >= self._rounds.due:
            self._look()

    def _look_where_told(self) -> None:
        everything = NATIVE in heard
        relevant = [s for s in list(self._wanted) if everything or s.events & heard or s in _COMPARED]
        self._put_back(relevant)

    def _put_back(self, settings: list[Setting]) -> bool:
        changed, stuck = put_back(settings, self._wanted)
        if changed:  # some change more than that: another user's process, for one, does not dump its memory
            told = [s for s in list(self._wanted) if s.on_event and readable(s) and s not in stuck]
            stuck += put_back(told, self._wanted)[1]
        for setting in stuck:
            del self._wanted[setting]
        if stuck:
            self._watch.note(stuck)
            self._sort()
        heard.clear()
        return bool(changed)

    def _look(self, everything: bool = False) -> None:
        for tier, (group, rounds) in enumerate(zip(self._tiers, self._rounds.groups, strict=True)):
            if everything or self._rounds.worked >= rounds.due:
                began = perf_counter()
                found = self._put_back(group)
                rounds.looked(self._rounds.worked, perf_counter() - began, found)
                self._seen[tier] = self._rounds.tasks
        self._rounds.due = min(rounds.due for rounds in self._rounds.groups)


def _make_paths_absolute() -> None:
    """Spark's executors find rxspark by ``./rxspark-....zip``, which a task that changes the directory would lose."""
    if all(os.path.isabs(entry) for entry in sys.path if entry):
        return
    sys.path[:] = [os.path.abspath(entry) if entry else entry for entry in sys.path]
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "rxspark" and hasattr(module, "__path__"):
            module.__path__ = [os.path.abspath(entry) for entry in module.__path__]
