"""Traces in Python and its standard library."""

from __future__ import annotations

import asyncio
import builtins
import codecs
import contextvars
import copyreg
import csv
import ctypes
import decimal
import email.charset
import faulthandler
import gc
import gettext
import io
import json
import logging
import logging.config
import math
import mimetypes
import multiprocessing
import multiprocessing.spawn
import os
import pickle
import random
import shutil
import socket
import sqlite3
import ssl
import string
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import urllib.request
import warnings
from functools import partial
from types import SimpleNamespace

from traces.table import METHODS, add, name_of, nothing


def names(*functions):
    """Names of functions, looked up when it is asked."""
    return lambda: [name_of(eval(function)) for function in functions]


def put(module, **values):
    """Put values into a module, when it is asked."""
    return lambda: [setattr(module, name, value) for name, value in values.items()]


# Environment.


def _environ():
    return type(os.environ).__name__, os.environ.get("LEFT"), os.getenv("PATH") is None


def in_c(name):
    """A variable as compiled code has it."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    return libc.getenv(name)


def _for_programs():
    """Tell whether programs that a task starts have variables."""
    told = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
    return "LEFT=" in told, "HOME=" in told


add("environment variables", "a variable", _environ, lambda: os.environ.update(LEFT="1"))
add("environment variables", "a variable removed", _environ, lambda: os.environ.pop("PATH", None))
add("environment variables", "a variable as bytes", _environ, lambda: os.environb.update({b"LEFT": b"1"}))
add("`os.environ`, the object", "os.environ replaced", _environ, put(os, environ={"LEFT": "1"}))
_BY_C = "variables that compiled code has set"
add(_BY_C, "a variable by compiled code", lambda: in_c(b"LEFT"), lambda: ctypes.CDLL(None).setenv(b"LEFT", b"1", 1))
add(_BY_C, "removed by compiled code", lambda: in_c(b"HOME") is None, lambda: ctypes.CDLL(None).unsetenv(b"HOME"))
add(_BY_C, "a variable by os.putenv", _for_programs, lambda: os.putenv("LEFT", "1"))
add(_BY_C, "a variable removed by os.unsetenv", _for_programs, lambda: os.unsetenv("HOME"))
add("`sys.path`", "an entry of sys.path", lambda: "/left" in sys.path, lambda: sys.path.insert(0, "/left"))
add("`sys.path`", "sys.path replaced", lambda: "/left" in sys.path, lambda: put(sys, path=["/left", *sys.path])())

# Warnings.


def _filters():
    return bool(warnings.filters), any(entry[0] == "error" and entry[1] is None for entry in warnings.filters)


def _warns(action):
    with warnings.catch_warnings(record=True) as shown:
        warnings.filterwarnings(action, "careful")
        warnings.warn_explicit("careful", UserWarning, "left.py", 1)
    return len(shown)


def _warn_once():
    with warnings.catch_warnings(record=True):
        warnings.filterwarnings("once", "careful")
        warnings.warn_explicit("careful", UserWarning, "left.py", 1)


def _shows():
    registry = {}
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        warnings.warn_explicit("careful", UserWarning, "left.py", 1, registry=registry)
    return len(shown)


add("filters of warnings", "a filter", _filters, lambda: warnings.simplefilter("error"))
add("filters of warnings", "filters replaced", _filters, put(warnings, filters=[]))
add("warnings shown once", "a warning shown once", partial(_warns, "once"), _warn_once)
add(
    "function that shows warnings",
    "logging.captureWarnings",
    lambda: (name_of(warnings.showwarning), logging._warnings_showwarning is None),
    lambda: logging.captureWarnings(True),
)
add(
    "function that shows warnings",
    "warnings.showwarning",
    names("warnings.showwarning"),
    put(warnings, showwarning=nothing),
)
add(
    "functions of the standard library, NumPy, pandas",
    "warnings.formatwarning",
    names("warnings.formatwarning"),
    put(warnings, formatwarning=nothing),
)
add(
    "functions of the standard library, NumPy, pandas",
    "warnings.warn",
    names("warnings.warn"),
    put(warnings, warn=nothing),
)

# Hooks and attributes of sys.

_SYS = "`sys`: hooks, stdin and all else"
for _hook in ("excepthook", "unraisablehook", "displayhook", "breakpointhook"):
    add(_SYS, f"sys.{_hook}", names(f"sys.{_hook}"), put(sys, **{_hook: nothing}))
add(_SYS, "sys.stdin replaced", lambda: name_of(type(sys.stdin)), lambda: put(sys, stdin=io.StringIO("left"))())
add(
    _SYS,
    "sys.tracebacklimit, sys.dont_write_bytecode",
    lambda: (sys.dont_write_bytecode, getattr(sys, "tracebacklimit", None)),
    lambda: put(sys, tracebacklimit=0, dont_write_bytecode=not sys.dont_write_bytecode)(),
)
add(_SYS, "sys.flags", lambda: name_of(type(sys.flags)), put(sys, flags=SimpleNamespace(optimize=2)))
add(_SYS, "sys.executable", lambda: sys.executable == "left", put(sys, executable="left"))
add(
    "functions of the standard library, NumPy, pandas",
    "threading.excepthook",
    names("threading.excepthook"),
    put(threading, excepthook=nothing),
)
_LISTS = "`sys.argv`, `meta_path`, `path_hooks`"
add(_LISTS, "sys.meta_path", lambda: io in sys.meta_path, lambda: sys.meta_path.append(io))
add(_LISTS, "sys.path_hooks", lambda: nothing in sys.path_hooks, lambda: sys.path_hooks.append(nothing))
add(_LISTS, "sys.argv", lambda: sys.argv[-1:], lambda: sys.argv.append("--left"))
add(_LISTS, "sys.argv replaced", lambda: sys.argv[:1], put(sys, argv=["left"]))
add(
    _LISTS,
    "sys.meta_path replaced",
    lambda: name_of(type(sys.meta_path)),
    lambda: put(sys, meta_path=tuple(sys.meta_path))(),
)
for _get, _set, _value, _setting in (
    ("getrecursionlimit", "setrecursionlimit", 500, "recursion limit"),
    ("getswitchinterval", "setswitchinterval", 1.0, "switch interval"),
    ("get_int_max_str_digits", "set_int_max_str_digits", 0, "digits of integers"),
    ("getdlopenflags", "setdlopenflags", 1, "flags of dlopen"),
):
    add(_setting, f"sys.{_set}", getattr(sys, _get), partial(getattr(sys, _set), _value))
add(
    "coroutines and asynchronous generators",
    "sys.set_asyncgen_hooks",
    lambda: (sys.get_coroutine_origin_tracking_depth(), [name_of(hook) for hook in sys.get_asyncgen_hooks()]),
    lambda: (sys.set_coroutine_origin_tracking_depth(3), sys.set_asyncgen_hooks(nothing, nothing)),
)
add("stack size of threads", "threading.stack_size", threading.stack_size, lambda: threading.stack_size(1 << 20))


def _tracers():
    return [name_of(get()) for get in (sys.gettrace, sys.getprofile, threading.gettrace, threading.getprofile)]


add("trace and profile functions", "sys.settrace", _tracers, lambda: sys.settrace(nothing))
add("trace and profile functions", "sys.setprofile", _tracers, lambda: sys.setprofile(nothing))
add("trace and profile functions", "threading.settrace", _tracers, lambda: threading.settrace(nothing))
add("trace and profile functions", "threading.setprofile", _tracers, lambda: threading.setprofile(nothing))
if hasattr(sys, "monitoring"):

    def _tools():
        return [sys.monitoring.get_tool(number) for number in range(6)]

    add("tools of `sys.monitoring`", "sys.monitoring", _tools, lambda: sys.monitoring.use_tool_id(4, "left"))
if hasattr(sys, "is_stack_trampoline_active") and hasattr(sys, "activate_stack_trampoline"):
    add(
        "stack trampoline for perf",
        "sys.activate_stack_trampoline",
        sys.is_stack_trampoline_active,
        lambda: sys.activate_stack_trampoline("perf"),
    )
add("memory traced", "tracemalloc", tracemalloc.is_tracing, tracemalloc.start)


def _collector():
    return gc.isenabled(), gc.get_threshold(), gc.get_debug(), len(gc.callbacks)


add("garbage collector", "gc.disable", _collector, gc.disable)
add("garbage collector", "gc.set_threshold", _collector, partial(gc.set_threshold, 7, 7, 7))
add("garbage collector", "gc.callbacks", _collector, lambda: gc.callbacks.append(nothing))
add(
    "faulthandler",
    "faulthandler",
    faulthandler.is_enabled,
    lambda: faulthandler.disable() if faulthandler.is_enabled() else faulthandler.enable(file=2),
)
add(
    "name of the thread",
    "another name of the thread",
    lambda: threading.current_thread().name == "left",
    lambda: setattr(threading.current_thread(), "name", "left"),
)


def _take_modules_out():
    sys.modules["random"] = io
    for name in [name for name in sys.modules if name.partition(".")[0] in ("json", "rxspark")]:
        del sys.modules[name]


add(
    "modules in `sys.modules`",
    "modules taken out of sys.modules",
    lambda: ("json" in sys.modules, sys.modules.get("random") is random, "rxspark" in sys.modules),
    _take_modules_out,
    alone=True,
)
add("audit hooks", "sys.addaudithook", lambda: None, lambda: sys.addaudithook(nothing), ends=True)
add(
    "process group and session",
    "os.setsid",
    lambda: None,
    lambda: os.getpgrp() == os.getpid() or os.setsid(),
    ends=True,
)
VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")
add("(the task's own context)", "a context variable", VARIABLE.get, lambda: VARIABLE.set("left"))

# Functions.

add("built-in functions", "print replaced", names("builtins.print"), put(builtins, print=nothing))
add("built-in functions", "open replaced", names("builtins.open"), put(builtins, open=nothing), alone=True)
add("built-in functions", "a name among the built-in ones", lambda: hasattr(builtins, "left"), put(builtins, left=1))
add("built-in functions", "gettext.install", lambda: hasattr(builtins, "_"), lambda: gettext.install("left"))
add("functions of `os`", "os.getpid replaced", names("os.getpid"), put(os, getpid=nothing))
add(
    "functions of `time`",
    "time.time, time.perf_counter replaced",
    names("time.time", "time.perf_counter"),
    put(time, time=nothing, perf_counter=nothing),
    alone=True,
)
add("functions of `pickle`", "pickle.dumps replaced", names("pickle.dumps"), put(pickle, dumps=nothing), alone=True)
add(
    "functions of `random` and `numpy.random`",
    "random.random replaced",
    names("random.random"),
    put(random, random=nothing),
)
add(
    "functions of `random` and `numpy.random`",
    "class of random's generator",
    lambda: type(random._inst) is random.Random,  # of rxspark's own classes it has one or another
    lambda: setattr(random._inst, "__class__", random.Random),
)
_LIBRARY = "functions of the standard library, NumPy, pandas"
add(_LIBRARY, "json.dumps replaced", names("json.dumps"), put(json, dumps=nothing))
add(_LIBRARY, "json.dumps deleted", lambda: hasattr(json, "dumps"), lambda: delattr(json, "dumps"))
add(_LIBRARY, "tempfile.mkdtemp replaced", names("tempfile.mkdtemp"), put(tempfile, mkdtemp=nothing))
add(_LIBRARY, "socket.socket replaced", names("socket.socket"), put(socket, socket=nothing))
add(_LIBRARY, "subprocess.run replaced", names("subprocess.run"), put(subprocess, run=nothing))
add(
    _LIBRARY,
    "threading.Lock replaced",
    names("threading.Lock"),
    put(threading, Lock=nothing),
    alone=True,
)
add(_LIBRARY, "math.pi", lambda: math.pi, put(math, pi=3))
add(_LIBRARY, "string.ascii_letters", lambda: string.ascii_letters, put(string, ascii_letters="left"))
add(METHODS, "json.JSONEncoder.default", names("json.JSONEncoder.default"), put(json.JSONEncoder, default=nothing))
add(METHODS, "logging.Logger.info", names("logging.Logger.info"), put(logging.Logger, info=nothing))
add(METHODS, "threading.Thread.join", names("threading.Thread.join"), put(threading.Thread, join=nothing))
add(METHODS, "random.Random.uniform", names("random.Random.uniform"), put(random.Random, uniform=nothing))

# What modules of the standard library keep.

add("`tempfile.tempdir`", "tempfile.tempdir", tempfile.gettempdir, put(tempfile, tempdir="/nowhere"))
add(
    "default timeout of sockets",
    "socket.setdefaulttimeout",
    socket.getdefaulttimeout,
    partial(socket.setdefaulttimeout, 0.25),
)


def _logging():
    root = logging.getLogger()
    kept = len(root.handlers), root.level, len(root.filters), root.disabled, root.propagate
    functions = [name_of(found) for found in (logging.getLogRecordFactory(), logging.getLoggerClass())]
    return (
        *kept,
        root.manager.disable,
        logging.raiseExceptions,
        functions,
        root.manager.loggerClass,
        logging.root is root,
    )


class _Logger(logging.Logger):
    def handle(self, record):
        raise RuntimeError("the logger of another task")


_LOGGING = "logging: disable, raiseExceptions, record factory, logger class"
add(_LOGGING, "logging.disable", _logging, lambda: logging.disable(logging.CRITICAL))
add(_LOGGING, "logging.raiseExceptions", _logging, put(logging, raiseExceptions=False))
add(_LOGGING, "logging.setLogRecordFactory", _logging, lambda: logging.setLogRecordFactory(nothing))
add(_LOGGING, "logging.setLoggerClass", _logging, lambda: logging.setLoggerClass(_Logger))
add(_LOGGING, "logging.Logger.manager.setLoggerClass", _logging, lambda: logging.Logger.manager.setLoggerClass(_Logger))
add(
    "logging: names of levels",
    "logging.addLevelName",
    lambda: logging.getLevelName(10),
    lambda: logging.addLevelName(10, "LEFT"),
)
add(
    _LOGGING,
    "logging.Logger.manager replaced",
    lambda: len(logging.Logger.manager.loggerDict) > 2,
    lambda: put(logging.Logger, manager=logging.Manager(logging.root))(),
)
_LOGGERS = "loggers: level, handlers, filters"
add(_LOGGERS, "logging.basicConfig", _logging, lambda: logging.basicConfig(force=True, level=1, filename="/dev/null"))
add(_LOGGERS, "a filter of the root logger", _logging, lambda: logging.getLogger().addFilter(nothing))
add(_LOGGERS, "the root logger disabled", _logging, put(logging.getLogger(), disabled=True))


def _logger():
    logger = logging.getLogger("a.logger.of.the.script")
    return logger.level, len(logger.handlers), logger.propagate, logger.disabled


def _set_up():
    logger = logging.getLogger("a.logger.of.the.script")
    logger.setLevel(7)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def _closed():
    return getattr(logging.lastResort, "_closed", False)


add(_LOGGERS, "a logger set up", _logger, _set_up)
add(
    _LOGGERS,
    "logging.config.dictConfig",
    _logger,
    lambda: logging.config.dictConfig({"version": 1, "root": {"level": 5}}),
)
add("(handlers made outside of tasks)", "logging.shutdown", _closed, logging.shutdown)
add(
    "(handlers made outside of tasks)",
    "dictConfig, which closes handlers",
    _closed,
    lambda: logging.config.dictConfig({"version": 1}),
)


def _precise():
    decimal.getcontext().prec = 3
    decimal.Decimal(1) / decimal.Decimal(3)


add(
    "decimal context",
    "precision of decimal",
    lambda: (decimal.getcontext().prec, decimal.getcontext().flags[decimal.Inexact]),
    _precise,
)
add(
    "decimal context",
    "another decimal context",
    lambda: decimal.getcontext().prec,
    lambda: decimal.setcontext(decimal.Context(prec=4)),
)
add(
    "decimal context",
    "traps of decimal",
    lambda: dict(decimal.getcontext().traps),
    lambda: decimal.getcontext().traps.update({decimal.Inexact: True}),
)
add(
    "decimal templates",
    "decimal.DefaultContext",
    lambda: (decimal.DefaultContext.prec, decimal.ExtendedContext.traps[decimal.Inexact]),
    put(decimal.DefaultContext, prec=3),
)


def _runs_a_loop():
    async def one():
        return 1

    try:
        return asyncio.run(one())
    except RuntimeError as error:
        return str(error)


def _loop_left():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncio._set_running_loop(loop)


def _policy():
    class Policy(asyncio.DefaultEventLoopPolicy):
        pass

    asyncio.set_event_loop_policy(Policy())


add("asyncio: policy and loop", "a policy of asyncio", lambda: name_of(type(asyncio.get_event_loop_policy())), _policy)
add("asyncio: policy and loop", "a running loop", _runs_a_loop, _loop_left)
add(
    "multiprocessing: start method",
    "multiprocessing.set_start_method",
    lambda: multiprocessing.get_start_method(allow_none=True),
    lambda: multiprocessing.set_start_method("spawn", force=True),
)
add(
    "multiprocessing: executable",
    "multiprocessing.set_executable",
    multiprocessing.spawn.get_executable,
    lambda: multiprocessing.set_executable("/left"),
)
add(
    "multiprocessing: this process",
    "multiprocessing: authkey",
    lambda: multiprocessing.current_process().authkey == b"left",
    lambda: setattr(multiprocessing.current_process(), "authkey", b"left"),
)
add(
    "copyreg: reducers",
    "copyreg.pickle",
    lambda: (complex in copyreg.dispatch_table, range in copyreg.dispatch_table),
    lambda: copyreg.pickle(range, nothing),
)
add(
    "copyreg: reducers",
    "copyreg.pickle of a known type",
    lambda: name_of(copyreg.dispatch_table[complex]),
    lambda: copyreg.pickle(complex, nothing),
)
add(
    "urllib: opener",
    "urllib.request.install_opener",
    lambda: urllib.request._opener is None,
    lambda: urllib.request.install_opener(urllib.request.build_opener()),
)
add(
    "ssl: context of HTTPS",
    "certificates not looked at",
    names("ssl._create_default_https_context"),
    put(ssl, _create_default_https_context=ssl._create_unverified_context),
)
add(
    "mimetypes",
    "mimetypes.add_type",
    lambda: mimetypes.guess_type("a.left"),
    lambda: mimetypes.add_type("text/left", ".left"),
)
add(
    "csv: dialects, size of a field",
    "csv.register_dialect",
    lambda: sorted(csv.list_dialects()),
    lambda: csv.register_dialect("left", delimiter=";"),
)
add("csv: dialects, size of a field", "csv.field_size_limit", csv.field_size_limit, lambda: csv.field_size_limit(7))
add(
    "sqlite3: converters",
    "sqlite3.register_converter",
    lambda: "LEFT" in sqlite3.converters,
    lambda: sqlite3.register_converter("left", nothing),
)
add(
    "email: ALIASES",
    "email.charset.add_alias",
    lambda: "left" in email.charset.ALIASES,
    lambda: email.charset.add_alias("left", "utf-8"),
)
add(
    "shutil: _ARCHIVE_FORMATS",
    "shutil.register_archive_format",
    lambda: len(shutil.get_archive_formats()),
    lambda: shutil.register_archive_format("left", nothing),
)
add("gettext: domain", "gettext.textdomain", gettext.textdomain, lambda: gettext.textdomain("left"))


def _known(name):
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _search(name):
    return codecs.lookup("ascii") if name == "left" else None


add("(what is registered in a task)", "codecs.register", lambda: _known("left"), lambda: codecs.register(_search))
