"""Settings that Python and its standard library keep."""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import threading
import warnings
from typing import Any

from rxspark.worker.settings import hearing
from rxspark.worker.settings.functions import BUILT_IN, FUNCTIONS, namespace
from rxspark.worker.settings.native import environment, put_environment
from rxspark.worker.settings.setting import Setting, attributes, held_list, loaded, put_list

__all__ = [
    "ENVIRON",
    "ENVIRONMENT",
    "FILTERS",
    "INTERPRETER",
    "LISTS",
    "PATH",
    "finders",
    "keep_finders",
]


def _put_environ(wanted: Any) -> None:
    os.environ = wanted[1]  # noqa: B003 - the very object that was there


def _put_filters(wanted: Any) -> None:
    """Make the filters of warnings these, and let Python forget which warnings it has shown."""
    warnings.filters = put_list(wanted)
    with warnings.catch_warnings():  # entering makes Python forget
        pass


def _put_async(wanted: Any) -> None:
    depth, firstiter, finalizer = wanted
    sys.set_coroutine_origin_tracking_depth(depth)
    sys.set_asyncgen_hooks(firstiter, finalizer)


def _put_shown_once(wanted: dict[Any, Any]) -> None:
    warnings.onceregistry.clear()  # type: ignore[attr-defined]
    warnings.onceregistry.update(wanted)  # type: ignore[attr-defined]


_monitoring: Any = getattr(sys, "monitoring", None)  # new in Python 3.12


def _tools() -> list[Any]:
    return [_monitoring.get_tool(number) for number in range(6)] if _monitoring is not None else []


def _put_tools(wanted: list[Any]) -> None:
    for number, (now, then) in enumerate(zip(_tools(), wanted, strict=True)):
        if now != then:
            _monitoring.free_tool_id(number)
            if then is not None:
                _monitoring.use_tool_id(number, then)


def _trampoline() -> bool:
    """Tell whether Python runs functions in a way that perf can see, which is new in Python 3.12."""
    active: Any = getattr(sys, "is_stack_trampoline_active", bool)
    return bool(active())


def _put_trampoline(active: bool) -> None:
    if active:
        sys.activate_stack_trampoline("perf")  # type: ignore[attr-defined]
    else:
        sys.deactivate_stack_trampoline()  # type: ignore[attr-defined]


def _put_traced(traced: bool) -> None:
    if traced:
        loaded("tracemalloc").start()
    else:
        loaded("tracemalloc").stop()


def _thread_name(name: str) -> None:
    threading.current_thread().name = name


def _put_faulthandler(enabled: bool) -> None:
    if enabled:
        faulthandler.enable(file=2)
    else:
        faulthandler.disable()


def _tracers() -> Any:
    return sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()


def _put_tracers(wanted: Any) -> None:
    trace, profile, thread_trace, thread_profile = wanted
    sys.settrace(trace)
    sys.setprofile(profile)
    threading.settrace(thread_trace)
    threading.setprofile(thread_profile)


def _put_collector(wanted: Any) -> None:
    (gc.enable if wanted[0] else gc.disable)()
    gc.set_threshold(*wanted[1])
    gc.set_debug(wanted[2])
    put_list(wanted[3])


def _lists() -> Any:
    return [held_list(items) for items in (sys.argv, sys.meta_path, sys.path_hooks, sys.warnoptions)]


def _put_lists(wanted: Any) -> None:
    sys.argv, sys.meta_path, sys.path_hooks, sys.warnoptions = map(put_list, wanted)


def finders() -> list[list[Any]]:
    """Return what finds modules, `sys.meta_path` and `sys.path_hooks`, but for rxspark's own, which come and go."""
    found = [finder for finder in sys.meta_path if not type(finder).__module__.startswith("rxspark.")]
    return [found, sys.path_hooks[:]]


def keep_finders(before: list[list[Any]], lists: Any) -> None:
    """Enter in a value of `LISTS` what modules have added to these while they were imported: they rely on it."""
    for known, now, (_, _, kept) in zip(before, finders(), lists[1:3], strict=True):
        for position, entry in enumerate(now):
            if entry not in known and entry not in kept:
                kept.insert(0 if position == 0 else len(kept), entry)


def _put_audit_hooks(_: int) -> None:
    raise RuntimeError("an audit hook stays for good")


ENVIRON = Setting("`os.environ`, the object", lambda: (id(os.environ), os.environ), _put_environ)
SHOWN_ONCE = Setting(
    "warnings shown once",
    lambda: dict(warnings.onceregistry),  # type: ignore[attr-defined]
    _put_shown_once,
)
ENVIRONMENT = Setting(
    "environment variables",
    lambda: dict(environment()),
    put_environment,
    events=frozenset({"os.putenv", "os.unsetenv"}),
)
PATH = Setting("`sys.path`", lambda: held_list(sys.path), lambda wanted: setattr(sys, "path", put_list(wanted)))
FILTERS = Setting("filters of warnings", lambda: held_list(warnings.filters), _put_filters)  # type: ignore[arg-type]
SHOWN_WARNINGS = attributes("function that shows warnings", "warnings", "showwarning")
LISTS = Setting("`sys.argv`, `meta_path`, `path_hooks`", _lists, _put_lists)

# Those that others put there: the console, the user by `sys.ps1`, Python itself after an error, and lists, see above.
_SYS_BUT: tuple[str, ...] = (
    "stdout",
    "stderr",
    "path",
    "argv",
    "meta_path",
    "path_hooks",
    "warnoptions",
    "modules",
    "ps1",
    "ps2",
)
_SYS_BUT += ("last_type", "last_value", "last_traceback", "last_exc", "__stdin__", "__stdout__", "__stderr__")

INTERPRETER = [
    ENVIRON,
    ENVIRONMENT,
    PATH,
    FILTERS,
    SHOWN_ONCE,
    SHOWN_WARNINGS,
    BUILT_IN,
    namespace("`sys`: hooks, stdin and all else", "sys", but=_SYS_BUT),
    LISTS,
    *FUNCTIONS,
    Setting("modules in `sys.modules`", lambda: sys.modules, sys.modules.update, tier=1, parts=True, of_modules=True),
    Setting("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit, travels=True),
    Setting("switch interval", sys.getswitchinterval, sys.setswitchinterval),
    Setting("digits of integers", sys.get_int_max_str_digits, sys.set_int_max_str_digits, travels=True),
    Setting("flags of dlopen", sys.getdlopenflags, sys.setdlopenflags),
    Setting(
        "coroutines and asynchronous generators",
        lambda: (sys.get_coroutine_origin_tracking_depth(), *sys.get_asyncgen_hooks()),
        _put_async,
        of_thread=True,
    ),
    Setting("stack size of threads", threading.stack_size, lambda size: threading.stack_size(size)),
    Setting("trace and profile functions", _tracers, _put_tracers, of_thread=True),
    Setting(
        "garbage collector",
        lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug(), held_list(gc.callbacks)),
        _put_collector,
    ),
    Setting("faulthandler", faulthandler.is_enabled, _put_faulthandler),
    Setting("audit hooks", hearing.hooks, _put_audit_hooks, events=frozenset({"sys.addaudithook"})),
    Setting("tools of `sys.monitoring`", _tools, _put_tools),
    Setting("stack trampoline for perf", _trampoline, _put_trampoline),
    Setting("memory traced", lambda: loaded("tracemalloc").is_tracing(), _put_traced, "tracemalloc"),
    Setting("name of the thread", lambda: threading.current_thread().name, _thread_name, of_thread=True),
]
