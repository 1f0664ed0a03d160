"""Settings that only compiled code can read or change: looked at where Python has told that some was called."""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from typing import Any

from rxspark.worker.settings import hearing
from rxspark.worker.settings.setting import Setting

__all__ = ["NATIVE", "addresses", "environment", "put_environment"]

# This process: the functions of C that it has loaded.
_C = ctypes.CDLL(None)

_string_at = ctypes.string_at  # by this name, as a task may replace that of the module


def addresses(held: tuple[Any, ...]) -> bytes:
    """Return the addresses of the objects in a tuple, to be compared: to ask for each pair takes ten times as long."""
    return _string_at(id(held) + tuple.__basicsize__, len(held) * tuple.__itemsize__)


_environ = os.environ  # a task may put something else in its place


def environment() -> dict[Any, Any]:
    """The mapping inside `os.environ`: comparing it costs 0.7 us, the public mapping (it decodes) 20 us."""
    inside: dict[Any, Any] = _environ._data  # type: ignore[attr-defined]
    return inside


def put_environment(wanted: dict[Any, Any]) -> None:
    """Make the environment what `environment` gave, touching only what differs: each variable costs 4 us."""
    now = environment()
    for name in now.keys() - wanted.keys():
        del _environ[os.fsdecode(name)]
    for name, value in wanted.items():
        if now.get(name) != value:
            _environ[os.fsdecode(name)] = os.fsdecode(value)


def _native_environment() -> dict[bytes, bytes | None]:
    """The variables that have another value for compiled code than in `os.environ`; None for those it has not.

    Those with two underlines are a library's own: OpenMP's runtime registers itself by one.
    """
    entries: Any = ctypes.POINTER(ctypes.c_char_p).in_dll(_C, "environ")
    found: dict[bytes, bytes] = {}
    count = 0
    while (entry := entries[count]) is not None:
        name, _, value = entry.partition(b"=")
        found.setdefault(name, value)
        count += 1
    known = environment()
    return {
        name: found.get(name)
        for name in found.keys() | known.keys()
        if found.get(name) != known.get(name) and not name.startswith(b"__")
    }


def _put_native_environment(wanted: dict[bytes, bytes | None]) -> None:
    for name in _native_environment().keys() | wanted.keys():
        value = wanted.get(name, environment().get(name))
        if value is None:
            os.unsetenv(name)
        else:
            os.putenv(name, value)


# Numbers of linux/prctl.h, to set and to get: of PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER, which are told by an
# argument, and of PR_SET_DUMPABLE, PR_SET_KEEPCAPS and PR_SET_TIMERSLACK, which are told by the result.
_SWITCHES = ((1, 2), (36, 37), (4, 3), (8, 7), (29, 30))


def _switches() -> list[tuple[int, int]]:
    prctl, found = _C.prctl, []
    for _, get in _SWITCHES:
        value = ctypes.c_int()
        found.append((prctl(get, ctypes.byref(value), 0, 0, 0), value.value))
    return found


def _put_switches(wanted: list[tuple[int, int]]) -> None:
    for (switch, _), now, then in zip(_SWITCHES, _switches(), wanted, strict=True):
        if now != then:
            _C.prctl(switch, then[0] or then[1], 0, 0, 0)


def _rounding() -> int:
    mode: int = _C.fegetround()
    return mode


def _put_rounding(mode: int) -> None:
    _C.fesetround(mode)


_RIGHTS = ("CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")
_NAMESPACES = ("mnt", "net", "user", "uts", "ipc")


def _rights() -> Any:
    """Those of this thread: each has its own, and begins with those of the one that has started it."""
    with open("/proc/thread-self/status") as file:
        rights = [line for line in file if line.startswith(_RIGHTS)]
    with suppress(OSError):  # a system without some of them
        return rights, [os.readlink(f"/proc/thread-self/ns/{name}") for name in _NAMESPACES]
    return rights


def _put_rights(_: Any) -> None:
    raise RuntimeError("rights that were given away stay away")


_CALLED = frozenset({hearing.NATIVE})

NATIVE = [
    Setting(
        "variables that compiled code has set",
        _native_environment,
        _put_native_environment,
        on_event=True,
        tier=2,
        events=_CALLED | {"os.putenv", "os.unsetenv"},
    )
]
if hasattr(_C, "fesetround"):
    NATIVE.insert(  # before all that counts
        0,
        Setting(
            "rounding of the processor",
            _rounding,
            _put_rounding,
            on_event=True,
            tier=2,
            of_thread=True,
            events=_CALLED,
        ),
    )
if hasattr(signal, "pidfd_send_signal") and os.path.exists("/proc/thread-self/status"):  # Linux
    NATIVE += [
        Setting(
            "switches of prctl, such as the signal at the death of the parent",
            _switches,
            _put_switches,
            on_event=True,
            tier=2,
            events=_CALLED,
        ),
        Setting("rights and namespaces", _rights, _put_rights, on_event=True, tier=2, events=_CALLED),
    ]
