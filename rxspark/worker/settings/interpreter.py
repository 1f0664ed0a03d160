"""Settings that Python and its standard library keep."""

from __future__ import annotations

import copyreg
import faulthandler
import gc
import logging
import os
import socket
import sys
import threading
import warnings
from types import ModuleType
from typing import Any

from rxspark.worker.settings import hearing
from rxspark.worker.settings.setting import (
    Functions,
    Setting,
    attributes,
    decimal_state,
    held_list,
    namespace,
    put_decimal_state,
    put_list,
)

__all__ = [
    "ASYNCIO",
    "ENVIRON",
    "ENVIRONMENT",
    "FILTERS",
    "INTERPRETER",
    "LISTS",
    "PATH",
    "environment",
    "set_environment",
]

_ENVIRONMENT = os.environ  # a task may put something else in its place


def _put_environ(wanted: Any) -> None:
    os.environ = wanted[1]  # noqa: B003 - the very object that was there


def environment() -> dict[Any, Any]:
    """The mapping inside `os.environ`: comparing it costs 0.7 us, the public mapping (it decodes) 20 us."""
    inside: dict[Any, Any] = _ENVIRONMENT._data  # type: ignore[attr-defined]
    return inside


def set_environment(wanted: dict[Any, Any]) -> None:
    """Make the environment what `environment` gave, touching only what differs: each variable costs 4 us."""
    now = environment()
    for name in now.keys() - wanted.keys():
        del _ENVIRONMENT[os.fsdecode(name)]
    for name, value in wanted.items():
        if now.get(name) != value:
            _ENVIRONMENT[os.fsdecode(name)] = os.fsdecode(value)


def _native_environment() -> dict[bytes, bytes | None]:
    """The variables that have another value for compiled code than in `os.environ`; None for those it has not.

    Those with two underlines are a library's own: OpenMP's runtime registers itself by one.
    """
    import ctypes

    entries: Any = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
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


def _put_filters(wanted: Any) -> None:
    """Make the filters of warnings these, and let Python forget which warnings it has shown."""
    warnings.filters = put_list(wanted)
    with warnings.catch_warnings():  # entering makes Python forget
        pass


# The modules whose functions are compared: those of the standard library, but for those in which rxspark itself puts
# and takes back functions while tasks run, and these.
_LIBRARIES = frozenset({"numpy", "pandas"})
_NOT_COMPARED = frozenset({"random", "sys", "builtins", "atexit", "os", "time", "pickle"})
_COMMON = {name: Functions(name) for name in ("os", "time", "pickle")}
_known_functions: dict[str, Functions] = {}
_seen = 0


def _functions() -> dict[str, Any]:
    global _seen
    if len(sys.modules) != _seen:
        _seen = len(sys.modules)
        for name, module in list(sys.modules.items()):
            top = name.partition(".")[0]
            compared = name in _LIBRARIES or (top in sys.stdlib_module_names and name not in _NOT_COMPARED)
            if compared and name not in _known_functions and type(module) is ModuleType:
                _known_functions[name] = Functions(name, but=("showwarning",))
    return {name: found.read() for name, found in _known_functions.items()}


def _put_functions(wanted: dict[str, Any]) -> None:
    for name, functions in wanted.items():
        _known_functions[name].put(functions)


def _decimal(name: str) -> Any:
    return getattr(sys.modules["decimal"], name)


_TEMPLATES = ("DefaultContext", "BasicContext", "ExtendedContext")


def _decimal_templates() -> Any:
    return [decimal_state(_decimal(name)) for name in _TEMPLATES]


def _put_decimal_templates(states: Any) -> None:
    for name, state in zip(_TEMPLATES, states, strict=True):
        put_decimal_state(_decimal(name), state)


_PLAIN: Any = (logging.NOTSET, True, False, (), ())


def _loggers() -> dict[str, Any]:
    """The loggers that somebody has set up: those that have a module's name, and, as one part, all others."""
    others: dict[str, Any] = {}
    found: dict[str, Any] = {"": others}
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            handlers, filters = tuple(logger.handlers), tuple(logger.filters)
            state = logger.level, logger.propagate, logger.disabled, handlers, filters
            if state != _PLAIN:
                (found if name.partition(".")[0] in sys.modules else others)[name] = state
    return found


def _put_loggers(wanted: dict[str, Any]) -> None:
    now = _loggers()
    states = wanted | wanted[""]
    for name in (now.keys() | now[""].keys() | states.keys()) - {""}:
        logger = logging.getLogger(name)
        level, logger.propagate, logger.disabled, handlers, filters = states.get(name, _PLAIN)
        logger.setLevel(level)
        logger.handlers[:], logger.filters[:] = handlers, filters


def _asyncio_state() -> Any:
    events: Any = sys.modules["asyncio.events"]
    policy = events._event_loop_policy  # the public way would make one
    local = getattr(policy, "_local", None)
    return policy, dict(vars(local)) if local is not None else None, events._get_running_loop()


def _put_asyncio_state(wanted: Any) -> None:
    events: Any = sys.modules["asyncio.events"]
    events._event_loop_policy, local, loop = wanted
    events._set_running_loop(loop)
    if local is not None:
        held = vars(wanted[0]._local)
        held.clear()
        held.update(local)


def _put_async(wanted: Any) -> None:
    depth, firstiter, finalizer = wanted
    sys.set_coroutine_origin_tracking_depth(depth)
    sys.set_asyncgen_hooks(firstiter, finalizer)


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


def _put_audit_hooks(_: int) -> None:
    raise RuntimeError("an audit hook stays for good")


ENVIRON = Setting("`os.environ`, the object", lambda: (id(os.environ), os.environ), _put_environ)
ENVIRONMENT = Setting(
    "environment variables",
    lambda: dict(environment()),
    set_environment,
    events=frozenset({"os.putenv", "os.unsetenv"}),
)
PATH = Setting("`sys.path`", lambda: held_list(sys.path), lambda wanted: setattr(sys, "path", put_list(wanted)))
FILTERS = Setting("filters of warnings", lambda: held_list(warnings.filters), _put_filters)  # type: ignore[arg-type]
SHOWN_WARNINGS = attributes("function that shows warnings", "warnings", "showwarning")
LISTS = Setting("`sys.argv`, `meta_path`, `path_hooks`", _lists, _put_lists)
ASYNCIO = Setting("asyncio: policy and loop", _asyncio_state, _put_asyncio_state, "asyncio", of_thread=True)

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
    Setting(
        "variables that compiled code has set",
        _native_environment,
        _put_native_environment,
        "ctypes",
        told=True,
        tier=2,
        events=frozenset({hearing.NATIVE}),
    ),
    PATH,
    FILTERS,
    namespace("built-in functions", "builtins"),
    namespace("`sys`: hooks, stdin and all else", "sys", but=_SYS_BUT),
    LISTS,
    *(Setting(f"functions of `{name}`", found.read, found.put) for name, found in _COMMON.items()),
    Setting("functions of the standard library, NumPy, pandas", _functions, _put_functions, tier=2, parts=True),
    Setting("modules in `sys.modules`", lambda: sys.modules, sys.modules.update, tier=1, parts=True),
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
    Setting("name of the thread", lambda: threading.current_thread().name, _thread_name, of_thread=True),
    attributes("`tempfile.tempdir`", "tempfile", "tempdir", "template"),
    Setting("default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout, travels=True),
    attributes(
        "logging: disable, raiseExceptions, record factory, logger class",
        "logging",
        "root.manager.disable",
        "raiseExceptions",
        "_logRecordFactory",
        "_loggerClass",
        "lastResort",
        "_warnings_showwarning",
    ),
    SHOWN_WARNINGS,
    Setting("loggers: level, handlers, filters", _loggers, _put_loggers, tier=1, parts=True),
    Setting(
        "decimal context",
        lambda: decimal_state(_decimal("getcontext")()),
        lambda state: put_decimal_state(_decimal("getcontext")(), state),
        "decimal",
        of_thread=True,
        travels=True,
    ),
    Setting("decimal templates", _decimal_templates, _put_decimal_templates, "decimal", tier=1),
    ASYNCIO,
    attributes("start method of multiprocessing", "multiprocessing.context", "_default_context._actual_context"),
    Setting("reducers of `copyreg`", lambda: copyreg.dispatch_table, copyreg.dispatch_table.update, tier=1, parts=True),
]
