"""The settings of this process as they were before any task, and how often it is worth looking for what tasks changed.

They are read and put back with each partition, and in the caller's own process with each call. What a library keeps is
read when the library has just been loaded, before the task that loads it can change anything.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ClassVar

from rxspark.worker.callers_changes import is_callers_change, with_callers_changes
from rxspark.worker.current_task import current_task
from rxspark.worker.nested import serve_processes, stop_serving
from rxspark.worker.retirement import note_unrestored, retire, warn_of_unrestored
from rxspark.worker.settings import SETTINGS
from rxspark.worker.settings.hearing import listen
from rxspark.worker.settings.setting import Setting, in_main_thread
from rxspark.worker.settings.system import hold_root, hold_stdin, leave_stdin

__all__ = [
    "LASTING_TIER",
    "Arrivals",
    "Watch",
    "kept_within",
    "process_kept",
    "put_back",
    "readable",
    "rounds_of",
    "taken",
]


def readable(setting: Setting) -> bool:
    """Tell whether a setting can be read here and now."""
    return setting.module in sys.modules and (not setting.main_thread or in_main_thread())


class _Parts(dict[Any, Any]):
    """The parts of a setting, which grow with the modules that are loaded."""

    def __init__(self, parts: dict[Any, Any]) -> None:
        super().__init__(parts)
        self._modules = len(sys.modules)

    def take_in(self, now: dict[Any, Any], always: bool) -> None:
        """Take in new parts, `always` or if modules have come since the last time; what comes without is a task's."""
        if always or self._modules != len(sys.modules):
            self._modules = len(sys.modules)
            for part in now.keys() - self.keys():
                self[part] = now[part]


def taken(setting: Setting) -> Any:
    """The value that a setting has now, to be kept."""
    value = setting.read()
    return _Parts(value) if setting.parts else value


def take_in_parts(values: dict[Setting, Any]) -> None:
    """Take in the parts that have come with modules; another thread may take in settings of a library meanwhile."""
    for setting, value in list(values.items()):
        if setting.parts:
            value.take_in(setting.read(), setting.of_modules)


def _differs(setting: Setting, wanted: Any) -> bool:
    try:
        now = setting.read()
        if setting.parts:
            wanted.take_in(now, setting.of_modules)
        return bool(now != wanted)
    except Exception:  # a task has put something there that cannot be read, or not be compared
        return True


def put_back(settings: Iterable[Setting], values: dict[Setting, Any]) -> tuple[list[Setting], list[Setting]]:
    """Put settings back where they differ; return those that did, and of them those where it was not possible."""
    changed = [setting for setting in settings if _differs(setting, values[setting])]
    stuck = []
    for setting in changed:
        try:
            setting.write(values[setting])
        except Exception:
            if readable(setting):  # else its module comes back first
                stuck.append(setting)
        else:
            if _differs(setting, values[setting]):
                stuck.append(setting)
    return changed, [setting for setting in stuck if setting.ends_worker]


_EVENTS = frozenset().union(*(setting.events for setting in SETTINGS))

# Settings of this tier are put back between two calls, in a worker to what they were at first: reading them takes as
# long as all others.
LASTING_TIER = 2
_lasting: dict[Setting, Any] = {}


class Watch:
    """The settings of this process as they are now, to be put back.

    Parameters
    ----------
    own : bool
        Whether this is the caller's own process, and no worker.

    Attributes
    ----------
    own : bool
        Whether this is the caller's own process.
    before : dict
        The value of each setting that all threads share.
    stuck : set of str
        The names of what could not be put back.
    """

    unseen: ClassVar[bool] = False
    """Whether tasks have run in this process since the settings of the lasting tier were last looked at."""

    def __init__(self, own: bool = True) -> None:
        listen(_EVENTS, is_callers_change)
        hold_root()
        if not own:
            leave_stdin()
        hold_stdin()
        self.own = own
        self.before: dict[Setting, Any] = {}
        self.stuck: set[str] = set()
        self.users = 1
        self._to_come = [setting for setting in SETTINGS if not setting.of_thread]
        self.meet()

    def meet(self) -> None:
        """Take in the settings that can be read since the last time."""
        for setting in filter(readable, self._to_come):
            if self.own or setting.tier < LASTING_TIER:
                self.before[setting] = taken(setting)
            else:
                if setting not in _lasting:
                    _lasting[setting] = taken(setting)
                self.before[setting] = _lasting[setting]
        self._to_come = [setting for setting in self._to_come if setting not in self.before]

    def put_back(self) -> None:
        """Make as it was what is not put back after each partition, nor where an event has told of it."""
        if not Watch.unseen:
            return
        Watch.unseen = False
        found = [setting for setting in list(self.before) if setting.tier >= LASTING_TIER and not setting.on_event]
        self.note(put_back(filter(readable, found), self.before)[1])

    def tell(self) -> None:
        """See to what could not be put back: the worker ends, the caller is told."""
        (note_unrestored if self.own else retire)(self.stuck)

    def note(self, stuck: Iterable[Setting]) -> None:
        """Note what cannot be put back."""
        self.stuck.update(setting.name for setting in stuck)


# The innermost last: a call inside a task is to leave that task's process as it was. One for all threads otherwise, as
# what one thread's task is about to leave would be in the watch of another one's call.
_watches: list[Watch] = []
_lock = threading.Lock()


def _after_fork_in_child() -> None:
    """In a forked process: the thread that held it is not there."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def process_kept(own: bool = True) -> Iterator[Watch]:
    """Leave this process as it was, which is the caller's `own` or a worker."""
    with _lock:
        if _watches and current_task() is None:
            mine = _watches[0]
            mine.users += 1
        else:
            if not _watches:
                serve_processes()  # before the functions of the standard library are read
            mine = Watch(own)
            _watches.append(mine)
    try:
        with with_callers_changes(mine.before) if own else nullcontext():
            yield mine
    finally:
        with _lock:
            mine.users -= 1
            if mine.users == 0:
                _watches.remove(mine)
                if own:
                    mine.put_back()
                if not _watches:
                    stop_serving()
                mine.tell()
        if current_task() is None:
            warn_of_unrestored()


@contextmanager
def kept_within(own: bool) -> Iterator[Watch]:
    """Return the watch under which this process is, or put it under one."""
    if _watches:
        yield _watches[-1]
    else:
        with process_kept(own) as mine:
            yield mine


# Parts of the tasks' own time that looking may take, and looks, and seconds of looking, in each call before that
# counts: all its tasks run the same function, so what leaves something behind mostly shows in the first ones.
_SHARE = 0.04
_TASKS_LOOKED_AT = 5
_AT_FIRST = 0.001


class Round:
    """Rule for when to look at a group of settings: after each task as long as that costs little beside the tasks."""

    def __init__(self) -> None:
        self.due = 0.0
        self._looks = 0
        self._spent = 0.0
        self._found = False

    def looked(self, worked: float, seconds: float, found: bool) -> None:
        """A look took so many seconds; where one has found something, the next is due after the next task."""
        self._looks += 1
        self._spent += seconds
        self._found = self._found or found
        at_once = self._found or self._spent < _AT_FIRST or self._looks < _TASKS_LOOKED_AT
        self.due = worked if at_once else worked + seconds / _SHARE


class Rounds:
    """The looks at settings during the tasks of one call in this process.

    Attributes
    ----------
    tasks : int
        How many have run.
    worked : float
        Seconds that its tasks have taken.
    due : float
        Seconds of work from which the next look is due.
    groups : tuple of Round
        For the settings of each tier.
    """

    def __init__(self) -> None:
        self.tasks = 0
        self.worked = 0.0
        self.due = 0.0
        self.groups = Round(), Round(), Round()


_rounds: dict[str, Rounds] = {}


def rounds_of(call: str) -> tuple[Rounds, bool]:
    """The looks during a call, and whether it has just begun in this process."""
    new = call not in _rounds
    if new:
        _rounds.clear()
        _rounds[call] = Rounds()
    return _rounds[call], new


class _Imports(threading.local):
    """The imports in which a thread is, one inside another."""

    depth = 0


_imports = _Imports()


class Arrivals:
    """Tells what has just been loaded: in `sys.meta_path`, before all other finders, while tasks run.

    Parameters
    ----------
    awaited : iterable of str
        Modules for each of which `tell` is called.
    tell : callable
        Called with the name of an awaited module.
    begins : callable
        Called at the beginning of each import that is inside no other; gives what is called at its end.
    """

    def __init__(
        self, awaited: Iterable[str], tell: Callable[[str], None], begins: Callable[[], Callable[[], None]]
    ) -> None:
        self._awaited = set(awaited)
        self._tell = tell
        self._begins = begins
        self._finding: set[int] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find a module, and have its loader tell when it has run."""
        thread, outermost = threading.get_ident(), _imports.depth == 0
        if thread in self._finding or fullname in sys.modules or not (outermost or fullname in self._awaited):
            return None
        self._finding.add(thread)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._finding.discard(thread)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            tell = partial(self._loaded, fullname, self._begins() if outermost else None)
            spec.loader = _TellingLoader(spec.loader, tell)  # type: ignore[assignment]
        return spec

    def _loaded(self, fullname: str, end: Callable[[], None] | None) -> None:
        if fullname in self._awaited:
            self._awaited.discard(fullname)
            self._tell(fullname)
        if end is not None:
            end()


class _TellingLoader:
    """Loads a module by its own loader, which the module then has, and tells."""

    def __init__(self, loader: Any, tell: Callable[[], None]) -> None:
        self._loader = loader
        self._tell = tell

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        spec.loader = self._loader
        created: ModuleType | None = self._loader.create_module(spec)
        spec.loader = self  # type: ignore[assignment]
        return created

    def exec_module(self, module: ModuleType) -> None:
        spec: Any = module.__spec__
        if spec is not None:
            spec.loader = self._loader
        module.__loader__ = self._loader
        _imports.depth += 1
        try:
            self._loader.exec_module(module)
        finally:
            _imports.depth -= 1
        if spec is not None:
            spec._initializing = False  # as Python sets it a moment later
        self._tell()
