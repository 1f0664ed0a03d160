"""Traces that the operating system keeps."""

from __future__ import annotations

import ctypes
import locale
import os
import re
import resource
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import partial

from traces.table import add, name_of


def in_main_thread():
    """Signals belong to the main thread."""
    return threading.current_thread() is threading.main_thread()


# Folder.


def _folder():
    """Return the working folder; Spark's executors have one each, which differs by their number alone."""
    try:
        return re.sub(r"(/work/app-[0-9-]+/)\d+$", r"\1N", os.getcwd())
    except OSError as error:
        return str(error)


def _to_a_folder_that_goes():
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def _by_descriptor():
    descriptor = os.open("/usr", os.O_RDONLY)
    os.fchdir(descriptor)
    os.close(descriptor)


add("working folder", "another folder", _folder, partial(os.chdir, "/"))
add("working folder", "a folder that is gone", _folder, _to_a_folder_that_goes)
add("working folder", "another folder, by its descriptor", _folder, _by_descriptor)
add("working folder", "another folder, by compiled code", _folder, lambda: ctypes.CDLL(None).chdir(b"/usr"))

# Signals.


def _handlers():
    return [name_of(signal.getsignal(number)) for number in signal.valid_signals()]


def _handle(name, handler):
    if in_main_thread():
        signal.signal(getattr(signal, name), handler)


for _signal in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGPIPE", "SIGUSR1", "SIGHUP", "SIGALRM"):
    add(
        "signal handlers",
        f"{_signal} ignored",
        _handlers,
        partial(_handle, _signal, signal.SIG_IGN),
    )
add(
    "signal handlers",
    "SIGPIPE's default",
    _handlers,
    partial(_handle, "SIGPIPE", signal.SIG_DFL),
)
add(
    "signal handlers",
    "a handler of the task's own",
    _handlers,
    partial(_handle, "SIGUSR2", lambda *_: None),
)


def _mask():
    return sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))


add(
    "signal mask",
    "signals blocked",
    _mask,
    lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]),
)


def _wakeup():
    if not in_main_thread():
        return None
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    return descriptor


def _wake_up():
    if in_main_thread():
        writing = os.pipe()[1]
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)


add("signal wakeup descriptor", "a wakeup descriptor", _wakeup, _wake_up)


def _alarms():
    return [signal.getitimer(timer)[0] > 0 for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)]


add("alarms and interval timers", "an alarm", _alarms, partial(signal.alarm, 1000))
for _timer in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"):
    add("alarms and interval timers", _timer, _alarms, partial(signal.setitimer, getattr(signal, _timer), 1000, 1000))

# Descriptors and streams.


def _descriptors():
    found = []
    for number in (0, 1, 2):
        try:
            leads = os.readlink(f"/proc/self/fd/{number}").partition(":")[0]
            found.append((leads, os.get_inheritable(number), os.get_blocking(number)))
        except OSError as error:
            found.append(str(error))
    return found


def _lead_elsewhere(number):
    file = os.open("/dev/null", os.O_RDWR)
    os.dup2(file, number)
    os.close(file)


_FLAGS = "flags of the descriptors 0 to 2"
for _number, _setting in ((0, "standard input"), (1, "(what tasks write)"), (2, "(what tasks write)")):
    add(_setting, f"descriptor {_number} closed", _descriptors, partial(os.close, _number))
    add(_setting, f"descriptor {_number} leads elsewhere", _descriptors, partial(_lead_elsewhere, _number))
    add(_FLAGS, f"descriptor {_number} is not inherited", _descriptors, partial(os.set_inheritable, _number, False))
    add(_FLAGS, f"descriptor {_number} does not block", _descriptors, partial(os.set_blocking, _number, False))


def _states():
    return [
        None if stream is None else (stream.closed, getattr(stream, "encoding", None), getattr(stream, "errors", None))
        for stream in (sys.stdin, sys.stdout, sys.stderr)
    ]


def _own_states():
    found = []
    for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        try:
            found.append(stream and (stream.closed, stream.name, stream.encoding, stream.errors))
        except ValueError as error:
            found.append(str(error))
    return found


def _prints():
    try:
        sys.stdout.write("")
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, ValueError, OSError) as error:
        return repr(error)
    return name_of(type(sys.stdout)), name_of(type(sys.stderr)), sys.stdout.encoding


def _no_streams():
    sys.stdout = sys.stderr = None


def _ascii():
    sys.stdout.reconfigure(encoding="ascii", errors="strict")


_STREAMS = "standard streams of Python"
add(_STREAMS, "sys.stdout closed", _prints, lambda: sys.stdout.close())
add(_STREAMS, "sys.stderr closed", _prints, lambda: sys.stderr.close())
add(_STREAMS, "sys.stdout detached", _prints, lambda: sys.stdout.detach())
add(_STREAMS, "no sys.stdout", _prints, _no_streams)
add(_STREAMS, "sys.stdout in ASCII", _prints, _ascii)
add(_STREAMS, "sys.__stdout__ closed", _own_states, lambda: sys.__stdout__ and sys.__stdout__.close())
add(_STREAMS, "sys.__stderr__ detached", _own_states, lambda: sys.__stderr__ and sys.__stderr__.detach())
add(_STREAMS, "sys.stdin closed", _states, lambda: sys.stdin and sys.stdin.close())
add(_STREAMS, "sys.__stdin__ closed", _own_states, lambda: sys.__stdin__ and sys.__stdin__.close())

# Limits and what the scheduler goes by.


def _limits():
    return [resource.getrlimit(getattr(resource, name)) for name in sorted(dir(resource)) if name.startswith("RLIMIT_")]


def _limit(kind, soft):
    resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))


for _kind, _soft in (("NOFILE", 512), ("AS", 1 << 40), ("FSIZE", 1_000_000), ("CORE", 0), ("STACK", 1 << 22)):
    add(
        "resource limits",
        f"RLIMIT_{_kind}",
        _limits,
        partial(_limit, getattr(resource, f"RLIMIT_{_kind}"), _soft),
        alone=_kind == "NOFILE",
    )


def _limit_by_compiled_code():
    values = (ctypes.c_ulong * 2)(400, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    ctypes.CDLL(None).setrlimit(resource.RLIMIT_NOFILE, values)


add("resource limits", "RLIMIT_NOFILE by compiled code", _limits, _limit_by_compiled_code, alone=True)
add("priority", "nice", lambda: os.getpriority(os.PRIO_PROCESS, 0), partial(os.nice, 3))
add(
    "processor affinity",
    "one core only",
    lambda: sorted(os.sched_getaffinity(0)),
    lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
)
add(
    "scheduling policy",
    "batch scheduling",
    lambda: os.sched_getscheduler(0),
    lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
)

# The rest.


def _umask():
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def _hour():
    return time.strftime("%H", time.localtime(0)), time.timezone, time.tzname


def _tokyo():
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def _tokyo_put_back_badly():
    _tokyo()
    del os.environ["TZ"]


def _comm():
    with open("/proc/self/comm") as file:
        return file.read()


def _new_comm():
    with open("/proc/self/comm", "w") as file:
        file.write("left")


def _other_locale():
    locale.setlocale(locale.LC_ALL, "POSIX" if locale.setlocale(locale.LC_CTYPE) != "C" else "C.UTF-8")


def _other_locale_of(category):
    locale.setlocale(category, "C" if locale.setlocale(category) != "C" else "C.UTF-8")


def _group():
    return os.getpgrp() == os.getpid(), os.getsid(0)


def _users():
    return os.getresuid(), os.getresgid(), sorted(os.getgroups())


add("umask", "umask", _umask, partial(os.umask, 0o777))
add("time zone", "another time zone", _hour, _tokyo)
add("time zone", "a time zone, taken back without tzset", _hour, _tokyo_put_back_badly)
add("process name", "another name", _comm, _new_comm)
add("process name", "another name, by prctl", _comm, lambda: ctypes.CDLL(None).prctl(15, b"left", 0, 0, 0))
add("locale", "another locale", lambda: locale.setlocale(locale.LC_ALL), _other_locale)
for _category in ("LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES"):
    add(
        "locale",
        f"another {_category}",
        lambda: locale.setlocale(locale.LC_ALL),
        partial(_other_locale_of, getattr(locale, _category)),
    )
add(
    "process group and session",
    "a process group of its own",
    _group,
    lambda: os.getsid(0) != os.getpid() and os.setpgid(0, 0),
)
add("users and groups", "another effective user", _users, lambda: os.getuid() or os.seteuid(65534), alone=True)
add("users and groups", "other groups", _users, lambda: os.getuid() or os.setgroups([7]))


def _root():
    return os.listdir("/")[:1]


def _another_root():
    if os.getuid() == 0:
        os.chroot(tempfile.mkdtemp())


add("root folder", "another root folder", _root, _another_root)


def _no_new_rights():
    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS


def _rights():
    with open("/proc/thread-self/status") as file:
        return [line for line in file if line.startswith(("NoNewPrivs", "CapEff", "CapBnd"))]


add("rights and namespaces", "no new rights, by prctl", _rights, _no_new_rights, ends=True)


def _session():
    with suppress(PermissionError):  # where the process leads a group
        os.setsid()


def _parent_watched():
    value = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(value))  # PR_GET_PDEATHSIG
    return value.value


add(
    "switches of prctl, such as the signal at the death of the parent",
    "a signal for the parent's death, by prctl",
    _parent_watched,
    lambda: ctypes.CDLL(None).prctl(1, signal.SIGUSR1),
)
