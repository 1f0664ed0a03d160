"""Settings of the process that the operating system keeps."""

from __future__ import annotations

import io
import locale
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from rxspark.concurrency import once
from rxspark.worker.settings.hearing import PROC
from rxspark.worker.settings.setting import Setting

try:
    import resource
    import termios
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["FOLDER", "SYSTEM", "TIME_ZONE", "hold_root", "hold_stdin", "leave_stdin", "working_directory"]

# The plain functions: those of `signal` look for each number in an enumeration, 1 us a signal.
_plain: Any = sys.modules["_signal"]
getsignal, pthread_sigmask = _plain.getsignal, _plain.pthread_sigmask

_SIGNALS = tuple(int(number) for number in signal.valid_signals())


def _handlers() -> Any:
    return [getsignal(number) for number in _SIGNALS]


def _put_handlers(wanted: Any) -> None:
    for number, now, handler in zip(_SIGNALS, _handlers(), wanted, strict=True):
        if now != handler:
            signal.signal(number, handler)  # TypeError for a handler that is not Python's


def _wakeup() -> int:
    descriptor = signal.set_wakeup_fd(-1)  # there is no other way to read it
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    return descriptor


def _put_wakeup(descriptor: int) -> None:
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)


_TIMERS: tuple[tuple[int, Callable[[], float]], ...] = (
    (signal.ITIMER_REAL, time.monotonic),
    (signal.ITIMER_VIRTUAL, lambda: os.times().user),
    (signal.ITIMER_PROF, time.process_time),
)


class _Alarms:
    """Times at which the alarms of this process go off, each by its own clock."""

    def __init__(self) -> None:
        self.due: list[tuple[float, float]] = []
        for timer, clock in _TIMERS:
            left, interval = signal.getitimer(timer)
            self.due.append((clock() + left if left else 0.0, interval))

    def __eq__(self, other: object) -> bool:
        """Tell whether they go off at the same time: they count in milliseconds, and processor time in hundredths."""
        return isinstance(other, _Alarms) and all(
            mine[1] == its[1] and (mine[0] == 0) == (its[0] == 0) and (mine[1] > 0 or abs(mine[0] - its[0]) < 0.05)
            for mine, its in zip(self.due, other.due, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]


_NO_ALARM = (0.0, 0.0)


def _alarms() -> _Alarms | None:
    """The alarms; None where there is none, as nearly always."""
    if all(signal.getitimer(timer) == _NO_ALARM for timer, _ in _TIMERS):
        return None
    return _Alarms()


def _put_alarms(wanted: _Alarms | None) -> None:
    then = wanted.due if wanted else [_NO_ALARM] * len(_TIMERS)
    for (timer, clock), (due, interval), now in zip(_TIMERS, then, _Alarms().due, strict=True):
        if (due, interval) != now:
            left = due - clock()
            if due and left <= 0:
                left = interval or 1e-6  # it should have gone off while the task had it
            signal.setitimer(timer, left if due else 0, interval if due else 0)


def _umask() -> int:
    mask = os.umask(0o077)  # for this moment no file of another thread is open to all
    os.umask(mask)
    return mask


def _limits() -> Any:
    return [resource.getrlimit(kind) for kind in _LIMITS]


def _put_limits(wanted: Any) -> None:
    for kind, limits in zip(_LIMITS, wanted, strict=True):
        if resource.getrlimit(kind) != limits:
            resource.setrlimit(kind, limits)


_LIMITS = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")}) if resource else []


def _put_group(wanted: Any) -> None:
    if os.getsid(0) == wanted[1]:
        os.setpgid(0, wanted[0])


def _users() -> Any:
    return os.getresuid(), os.getresgid(), sorted(os.getgroups())


def _put_users(wanted: Any) -> None:
    uids, gids, groups = wanted
    os.setresuid(*uids)  # first, as the other two need its rights
    os.setresgid(*gids)
    if sorted(os.getgroups()) != groups:
        os.setgroups(groups)


_OF_THIS_PROCESS = {"process name": "/proc/self/comm", "score of the OOM killer": "/proc/self/oom_score_adj"}


def _line_of(file: str) -> str:
    with open(file) as opened:
        return opened.read()


def _put_line(file: str, line: str) -> None:
    with open(file, "w") as opened:
        opened.write(line.rstrip("\n"))


def working_directory() -> str | None:
    """The working directory of this process, None where the folder was removed under it."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _put_working_directory(folder: str | None) -> None:
    if folder is not None:
        with suppress(OSError):  # a task removed the folder
            os.chdir(folder)


_root_held: list[int] = []


def hold_root() -> None:
    """Keep a descriptor of the root folder, from which it can be put back."""
    if not _root_held:
        _root_held.append(os.open("/", os.O_RDONLY))


def _root() -> tuple[int, int]:
    status = os.stat("/")
    return status.st_dev, status.st_ino


def _put_root(_: Any) -> None:
    os.fchdir(_root_held[0])
    os.chroot(".")


_stdin_held: dict[tuple[int, int], int] = {}


def _stdin() -> tuple[int, int] | None:
    try:
        status = os.fstat(0)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def hold_stdin() -> None:
    """Keep a second descriptor of the standard input, from which it can be put back."""
    found = _stdin()
    if found is not None and found not in _stdin_held:
        _stdin_held[found] = os.dup(0)


@once
def leave_stdin() -> None:
    """Open a standard input for a worker alone: what it did to the caller's would outlive a worker that is ended."""
    with suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.close(nothing)


def _put_stdin(wanted: tuple[int, int] | None) -> None:
    if wanted is None:
        os.close(0)
    else:
        os.dup2(_stdin_held[wanted], 0)


_USUAL = True, True  # what is closed is put back like this


def _descriptor_flags() -> list[tuple[bool, bool]]:
    """Tell whether programs inherit the descriptors 0 to 2, and whether these wait."""
    return [_flags_of(number) for number in range(3)]


def _flags_of(number: int) -> tuple[bool, bool]:
    try:
        return os.get_inheritable(number), os.get_blocking(number)
    except OSError:
        return _USUAL


def _put_descriptor_flags(wanted: list[tuple[bool, bool]]) -> None:
    for number, (inheritable, blocking) in enumerate(wanted):
        with suppress(OSError):
            os.set_inheritable(number, inheritable)
            os.set_blocking(number, blocking)


def _many_descriptors() -> bool:
    """Tell whether so many descriptors are open that a task may soon get no more."""
    number = os.dup(_root_held[0])
    os.close(number)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft != resource.RLIM_INFINITY and number > soft // 2


def _put_descriptors(_: bool) -> None:
    raise RuntimeError("nobody knows whose the open descriptors are")


def _terminal() -> Any:
    return termios.tcgetattr(0) if os.isatty(0) else None


def _put_terminal(wanted: Any) -> None:
    termios.tcsetattr(0, termios.TCSANOW, wanted)


_NAMES = ("<stdin>", "<stdout>", "<stderr>")


def _streams() -> list[tuple[io.TextIOWrapper, int, str]]:
    """Python's own streams over the descriptors 0 to 2, where it still has them."""
    own: list[Any] = [(sys.__stdin__, 0, "r"), (sys.__stdout__, 1, "w"), (sys.__stderr__, 2, "w")]
    if sys.stdin is not sys.__stdin__:  # multiprocessing gives its workers another one
        own.append((sys.stdin, 0, "r"))
    return [entry for entry in own if type(entry[0]) is io.TextIOWrapper]


def _stream_states() -> Any:
    return {id(stream): _stream_state(stream) for stream, _, _ in _streams()}


def _stream_state(stream: io.TextIOWrapper) -> Any:
    try:
        if stream.closed:
            return None
    except ValueError:  # its bytes were detached
        return None
    return stream.encoding, stream.errors, stream.line_buffering, stream.write_through


def _put_streams(wanted: Any) -> None:
    for stream, descriptor, mode in _streams():
        state = wanted.get(id(stream))
        now = _stream_state(stream)
        if state is None or state == now:
            continue
        encoding, errors, line_buffering, write_through = state
        if now is None:  # begin it anew: whoever holds this stream holds it still
            binary: Any = open(descriptor, mode + "b", closefd=False)  # noqa: SIM115 - as long as the stream
            binary.raw.name = _NAMES[descriptor]
            io.TextIOWrapper.__init__(stream, binary, encoding, errors, None, line_buffering, write_through)
        elif mode == "w":
            stream.reconfigure(
                encoding=encoding, errors=errors, line_buffering=line_buffering, write_through=write_through
            )


FOLDER = Setting(
    "working folder",
    working_directory,
    _put_working_directory,
    events=frozenset({"os.chdir"}),
    ends_worker=False,  # a folder that is gone is gone for the next worker too
)
TIME_ZONE = Setting(
    "time zone",
    lambda: (time.tzname, time.timezone, time.altzone, time.daylight),
    lambda _: time.tzset(),  # by the variable TZ, which has been put back before
    events=frozenset({"os.putenv", "os.unsetenv"}),
)

SYSTEM = [
    Setting("root folder", _root, _put_root),
    FOLDER,
    Setting("signal handlers", _handlers, _put_handlers, main_thread=True),
    Setting("signal wakeup descriptor", _wakeup, _put_wakeup, main_thread=True, tier=1),
    Setting("alarms and interval timers", _alarms, _put_alarms),
    Setting(
        "signal mask",
        lambda: pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda mask: pthread_sigmask(signal.SIG_SETMASK, mask),
        of_thread=True,
    ),
    Setting("umask", _umask, os.umask, travels=True, same_host=True),
    Setting(
        "priority", lambda: os.getpriority(os.PRIO_PROCESS, 0), lambda nice: os.setpriority(os.PRIO_PROCESS, 0, nice)
    ),
    Setting("process group and session", lambda: (os.getpgrp(), os.getsid(0)), _put_group),
    Setting("standard input", _stdin, _put_stdin),
    Setting("flags of the descriptors 0 to 2", _descriptor_flags, _put_descriptor_flags),
    Setting("standard streams of Python", _stream_states, _put_streams, tier=1),
    Setting(
        "locale",
        lambda: locale.setlocale(locale.LC_ALL),
        lambda name: locale.setlocale(locale.LC_ALL, name),
        travels=True,
        same_host=True,
    ),
    TIME_ZONE,
]

if hasattr(os, "getresuid"):
    SYSTEM.append(Setting("users and groups", _users, _put_users, tier=1))
if hasattr(os, "sched_getscheduler"):
    SYSTEM.append(
        Setting(
            "scheduling policy",
            lambda: (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority),
            lambda wanted: os.sched_setscheduler(0, wanted[0], os.sched_param(wanted[1])),
            of_thread=True,
        )
    )
if resource is not None:
    SYSTEM.append(Setting("terminal", _terminal, _put_terminal, tier=1))
    SYSTEM.append(Setting("open descriptors", _many_descriptors, _put_descriptors, tier=1))
    SYSTEM.append(
        Setting(
            "resource limits",
            _limits,
            _put_limits,
            on_event=True,
            tier=2,
            events=frozenset({"resource.setrlimit", "resource.prlimit"}),
        )
    )
if hasattr(os, "sched_getaffinity"):
    SYSTEM.append(
        Setting(
            "processor affinity",
            lambda: os.sched_getaffinity(0),
            lambda cores: os.sched_setaffinity(0, cores),
            of_thread=True,
        )
    )
for _name, _file in _OF_THIS_PROCESS.items():
    if os.path.exists(_file):
        _read, _put = partial(_line_of, _file), partial(_put_line, _file)
        SYSTEM.append(Setting(_name, _read, _put, on_event=True, tier=2, events=frozenset({PROC})))
