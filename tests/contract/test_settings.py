"""Nothing that a task sets in its process reaches another task, a later call or the caller, setting by setting."""

from __future__ import annotations

import asyncio
import atexit
import builtins
import ctypes
import decimal
import faulthandler
import gc
import io
import json
import locale
import logging
import multiprocessing
import os
import pickle
import random
import re
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
import sklearn

from rxspark import rxElemArg, rxExec

LOOK, LEAVE = {}, {}


def leaves(look):
    """Register what leaves something behind, with what sees it."""

    def keep(leave):
        name = leave.__name__.lstrip("_")
        LOOK[name], LEAVE[name] = look, leave
        return leave

    return keep


def _nothing(*_, **__):
    return None


def _name(value):
    return getattr(value, "__name__", str(value))


# Signals, alarms and what else the system keeps.


def _handlers():
    return [_name(signal.getsignal(number)) for number in signal.valid_signals()]


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGUSR1, signal.SIGHUP):
    LOOK[_number.name] = _handlers
    LEAVE[_number.name] = lambda number=_number: _in_main_thread() and signal.signal(number, signal.SIG_IGN)


@leaves(lambda: sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
def _signal_mask():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGUSR1])


@leaves(lambda: (signal.getitimer(signal.ITIMER_REAL)[0] > 0, signal.getitimer(signal.ITIMER_PROF)[0] > 0))
def _alarm():
    signal.alarm(1000)
    signal.setitimer(signal.ITIMER_PROF, 1000)


@leaves(lambda: os.umask(os.umask(0o22)))
def _umask():
    os.umask(0o777)


@leaves(lambda: os.getpriority(os.PRIO_PROCESS, 0))
def _nice():
    os.nice(3)


@leaves(lambda: sorted(os.sched_getaffinity(0)))
def _affinity():
    os.sched_setaffinity(0, {0})


@leaves(lambda: [resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)])
def _resource_limits():
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (256, resource.getrlimit(limit)[1]))


@leaves(lambda: (time.strftime("%H", time.localtime(0)), time.timezone))
def _time_zone():
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


@leaves(lambda: (time.strftime("%H", time.localtime(0)), time.timezone))
def _time_zone_put_back_badly():
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    del os.environ["TZ"]


@leaves(lambda: locale.setlocale(locale.LC_ALL))
def _locale():
    locale.setlocale(locale.LC_ALL, "POSIX" if locale.setlocale(locale.LC_CTYPE) != "C" else "C.UTF-8")


@leaves(lambda: open("/proc/self/comm").read())  # noqa: SIM115
def _process_name():
    with open("/proc/self/comm", "w") as file:
        file.write("left")


def _stdin():
    try:
        return os.fstat(0).st_ino, sys.stdin is not None and sys.stdin.closed, _name(type(sys.stdin))
    except OSError as error:
        return str(error)


@leaves(_stdin)
def _stdin_descriptor_closed():
    os.close(0)


@leaves(_stdin)
def _stdin_descriptor_moved():
    with open("/etc/hostname") as file:
        os.dup2(file.fileno(), 0)


@leaves(_stdin)
def _stdin_replaced():
    sys.stdin = io.StringIO("left")


@leaves(lambda: sys.__stdin__ is not None and (sys.__stdin__.closed, sys.__stdin__.name))
def _stdin_closed():
    if sys.__stdin__ is not None:
        sys.__stdin__.close()


def _folder():
    """The working folder; Spark's executors have one each, which differs by their number alone."""
    try:
        return re.sub(r"(/work/app-[0-9-]+/)\d+$", r"\1N", os.getcwd())
    except OSError as error:
        return str(error)


@leaves(_folder)
def _folder_removed():
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


@leaves(_folder)
def _folder_by_descriptor():
    descriptor = os.open("/usr", os.O_RDONLY)
    os.fchdir(descriptor)
    os.close(descriptor)


@leaves(_folder)
def _folder_by_compiled_code():
    ctypes.CDLL(None).chdir(b"/usr")


# Environment.


@leaves(lambda: (type(os.environ).__name__, "LEFT" in os.environ, os.getenv("PATH") is None))
def _environ_replaced():
    os.environ = {"LEFT": "1"}  # noqa: B003 - the mistake is what is tested


def _in_c(name):
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    return libc.getenv(name)


@leaves(lambda: _in_c(b"LEFT"))
def _variable_by_compiled_code():
    ctypes.CDLL(None).setenv(b"LEFT", b"1", 1)


@leaves(lambda: _in_c(b"HOME") is None)
def _variable_removed_by_compiled_code():
    ctypes.CDLL(None).unsetenv(b"HOME")


# The interpreter.

for _hook in ("excepthook", "unraisablehook", "displayhook", "breakpointhook"):
    LOOK[_hook] = lambda hook=_hook: _name(getattr(sys, hook))
    LEAVE[_hook] = lambda hook=_hook: setattr(sys, hook, _nothing)


@leaves(lambda: _name(threading.excepthook))
def _threads_excepthook():
    threading.excepthook = _nothing


@leaves(lambda: (_name(sys.gettrace()), _name(sys.getprofile()), _name(threading.getprofile())))
def _profile():
    sys.setprofile(_nothing)
    threading.setprofile(_nothing)


@leaves(lambda: (len(sys.meta_path), len(sys.path_hooks), sys.argv[-1:]))
def _lists_of_sys():
    sys.meta_path.append(io)
    sys.path_hooks.append(_nothing)
    sys.argv.append("--left")


@leaves(lambda: (type(sys.meta_path).__name__, sys.argv[:1]))
def _lists_of_sys_replaced():
    sys.meta_path = [*sys.meta_path]
    sys.argv = ["left"]


for _get, _set, _value in (
    ("getrecursionlimit", "setrecursionlimit", 500),
    ("getswitchinterval", "setswitchinterval", 1.0),
    ("get_int_max_str_digits", "set_int_max_str_digits", 0),
    ("getdlopenflags", "setdlopenflags", 1),
):
    LOOK[_set] = lambda get=_get: getattr(sys, get)()
    LEAVE[_set] = lambda change=_set, value=_value: getattr(sys, change)(value)


@leaves(lambda: (sys.dont_write_bytecode, getattr(sys, "tracebacklimit", None)))
def _attributes_of_sys():
    sys.dont_write_bytecode = not sys.dont_write_bytecode
    sys.tracebacklimit = 0


@leaves(lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug(), len(gc.callbacks)))
def _collector():
    gc.disable()
    gc.set_threshold(7, 7, 7)
    gc.callbacks.append(_nothing)


@leaves(threading.stack_size)
def _stack_size():
    threading.stack_size(1 << 20)


@leaves(lambda: threading.current_thread().name == "left")
def _thread_name():
    threading.current_thread().name = "left"


@leaves(faulthandler.is_enabled)
def _faulthandler():
    faulthandler.disable() if faulthandler.is_enabled() else faulthandler.enable(file=2)


@leaves(lambda: ("json" in sys.modules, sys.modules.get("random") is random, "rxspark" in sys.modules))
def _modules_taken_out():
    sys.modules["random"] = io
    for name in [name for name in sys.modules if name.partition(".")[0] in ("json", "rxspark")]:
        del sys.modules[name]


# Functions.


@leaves(lambda: (_name(builtins.print), hasattr(builtins, "left"), _name(builtins.open)))
def _builtins():
    builtins.print = builtins.left = _nothing
    builtins.open = _nothing


@leaves(lambda: [_name(found) for found in (time.time, time.perf_counter, os.getpid, pickle.dumps)])
def _functions():
    time.time = time.perf_counter = os.getpid = pickle.dumps = _nothing


@leaves(lambda: [_name(found) for found in (json.dumps, tempfile.mkdtemp, warnings.warn, warnings.formatwarning)])
def _functions_of_the_library():
    json.dumps = tempfile.mkdtemp = warnings.warn = warnings.formatwarning = _nothing


@leaves(lambda: [_name(found) for found in (np.mean, pd.concat)])
def _functions_of_libraries():
    np.mean = pd.concat = _nothing


@leaves(lambda: [_name(found) for found in (random.random, random.uniform, np.random.rand, np.random.normal)])
def _functions_of_random():
    random.random = random.uniform = np.random.rand = np.random.normal = _nothing


@leaves(lambda: hasattr(json, "dumps"))
def _function_deleted():
    del json.dumps


# The standard library.


@leaves(lambda: (decimal.getcontext().prec, decimal.getcontext().flags[decimal.Inexact]))
def _decimal_context():
    decimal.getcontext().prec = 3
    decimal.Decimal(1) / decimal.Decimal(3)


@leaves(lambda: (decimal.DefaultContext.prec, decimal.ExtendedContext.traps[decimal.Inexact]))
def _decimal_templates():
    decimal.DefaultContext.prec = 3
    decimal.ExtendedContext.traps[decimal.Inexact] = True


@leaves(socket.getdefaulttimeout)
def _socket_timeout():
    socket.setdefaulttimeout(0.25)


@leaves(tempfile.gettempdir)
def _tempdir():
    tempfile.tempdir = "/nowhere"


@leaves(lambda: _name(type(asyncio.get_event_loop_policy())))
def _asyncio_policy():
    class Policy(asyncio.DefaultEventLoopPolicy):
        pass

    asyncio.set_event_loop_policy(Policy())


def _runs_a_loop():
    async def one():
        return 1

    try:
        return asyncio.run(one())
    except RuntimeError as error:
        return str(error)


@leaves(_runs_a_loop)
def _asyncio_loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncio._set_running_loop(loop)


@leaves(lambda: multiprocessing.get_start_method(allow_none=True))
def _start_method():
    multiprocessing.set_start_method("spawn", force=True)


def _logging():
    root = logging.getLogger()
    return root.manager.disable, logging.raiseExceptions, _name(logging.getLogRecordFactory()), root.level


@leaves(_logging)
def _logging_disabled():
    logging.disable(logging.CRITICAL)
    logging.raiseExceptions = False


@leaves(_logging)
def _logging_factory():
    logging.setLogRecordFactory(_nothing)


@leaves(lambda: _name(logging.getLoggerClass()))
def _logger_class():
    class Left(logging.Logger):
        pass

    logging.setLoggerClass(Left)


def _logger():
    logger = logging.getLogger("a.logger.of.the.script")
    return logger.level, len(logger.handlers), logger.propagate, logger.disabled


@leaves(_logger)
def _logger_set_up():
    logger = logging.getLogger("a.logger.of.the.script")
    logger.setLevel(7)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


@leaves(lambda: (len(warnings.filters), logging._warnings_showwarning is None, _name(warnings.showwarning)))
def _warnings_captured():
    logging.captureWarnings(True)
    warnings.filters = []


# Libraries.


@leaves(lambda: (np.geterr()["divide"], np.get_printoptions()["precision"]))
def _numpy():
    np.seterr(all="raise")
    np.set_printoptions(precision=2)


@leaves(lambda: (pd.get_option("display.max_rows"), pd.get_option("mode.chained_assignment")))
def _pandas():
    pd.set_option("display.max_rows", 3)
    pd.set_option("mode.chained_assignment", "raise")


def _plots():
    from matplotlib import pyplot

    return matplotlib.get_backend().lower(), matplotlib.rcParams["font.size"], pyplot.get_fignums()


@leaves(_plots)
def _matplotlib():
    from matplotlib import pyplot

    matplotlib.use("svg")
    matplotlib.rcParams["font.size"] = 3
    pyplot.figure()


@leaves(lambda: sklearn.get_config()["transform_output"])
def _sklearn():
    sklearn.set_config(transform_output="pandas")


# While the task runs, joblib's own threads in the same process meet these, and break.
MET_BY_THREADS = {"builtins", "functions"}


def visit(name, change):
    """See what is there, and leave something."""
    seen = LOOK[name]()
    if change:
        LEAVE[name]()
    return repr(seen)


def test_no_setting_reaches_another_task_a_later_call_or_the_caller(where, record_settings_row):
    """A task's setting is met by no other task, in its chunk or behind it, by no later call and not by the caller."""
    names = [name for name in LEAVE if where != "dopar-threading" or name not in MET_BY_THREADS]
    rxExec(abs, -1)  # joblib's first call settles how this process starts others
    callers = [repr(LOOK[name]()) for name in names]
    clean = rxExec(visit, rxElemArg(names), False)
    chunks = [rxExec(visit, name, rxElemArg([True, False, True, False]), taskChunkSize=2) for name in names]
    single = [rxExec(visit, name, rxElemArg([True, False, True, False])) for name in names]
    later = rxExec(visit, rxElemArg(names), False)
    met = {name: {*chunks[index], *single[index], later[index]} - {clean[index]} for index, name in enumerate(names)}
    record_settings_row(where, "met", sum(map(bool, met.values())))
    record_settings_row(where, "held", sum(not seen for seen in met.values()))
    assert {name: seen for name, seen in met.items() if seen} == {}
    assert [repr(LOOK[name]()) for name in names] == callers


def test_what_a_task_registers_for_the_end_of_the_program_runs_at_its_own_end():
    """The last one first, once, in the task's text; an error of it is told there and hurts nobody."""

    def task(number):
        atexit.register(print, "first", number)
        atexit.register(lambda: 1 / 0)
        atexit.register(print, "last")
        atexit.register(print, "not at all")
        atexit.unregister(print) if number == 2 else None
        return number

    done = rxExec(task, rxElemArg([0, 1]), taskChunkSize=2)
    assert done == [0, 1]
    assert done.output[1].startswith("not at all\nlast\nTraceback")
    assert done.output[1].endswith("ZeroDivisionError: division by zero\nfirst 1\n")
    assert "first" not in rxExec(task, rxElemArg([2])).output[0]


@pytest.mark.parametrize("chunk", [None, 2])
def test_an_alarm_does_not_go_off_in_a_later_task(chunk):
    """An alarm that a task has set to go off later is cleared with the task."""

    def task(number):
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        if number % 2:
            time.sleep(0.5)
        return number

    def handled(number):
        if _in_main_thread():
            signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(RuntimeError("an alarm of another task")))
        return task(number) if number % 2 == 0 else time.sleep(0.5)

    assert rxExec(handled, rxElemArg([0, 1, 2, 3]), taskChunkSize=chunk) == [0, None, 2, None]
    time.sleep(0.4)  # nor in the caller


@pytest.mark.parametrize("chunk", [None, 2])
def test_the_callers_numeric_context_travels(chunk):
    """NumPy's error state, decimal's precision and options of libraries are the caller's in each task."""

    def task():
        try:
            np.ones(1) / np.zeros(1)
            divides = "silently"
        except FloatingPointError:
            divides = "raises"
        return divides, str(decimal.Decimal(1) / 3), pd.get_option("display.precision"), sys.getrecursionlimit()

    def sklearns():
        return sklearn.get_config()["transform_output"], matplotlib.rcParams["font.size"]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 5000)
    try:
        with (
            np.errstate(divide="raise"),
            decimal.localcontext(prec=5),
            pd.option_context("display.precision", 3),
            sklearn.config_context(transform_output="pandas"),
            matplotlib.rc_context({"font.size": 7}),
        ):
            seen = rxExec(task, timesToRun=4, taskChunkSize=chunk)
            libraries = rxExec(sklearns, timesToRun=4, taskChunkSize=chunk)
    finally:
        sys.setrecursionlimit(limit)
    assert seen == [("raises", "0.33333", 3, limit + 5000)] * 4
    assert libraries == [("pandas", 7)] * 4
    assert rxExec(sklearns) == [("default", matplotlib.rcParams["font.size"])]


@pytest.mark.left_out(spark_cluster="tasks on other hosts have their own environment")
@pytest.mark.left_out(spark_connect="tasks on other hosts have their own environment")
def test_a_variable_that_the_caller_has_removed_is_gone(monkeypatch):
    """Workers that were started with it do not show it either."""
    monkeypatch.setenv("RX_REMOVED", "there")
    assert rxExec(os.getenv, "RX_REMOVED", timesToRun=3) == ["there"] * 3
    monkeypatch.delenv("RX_REMOVED")
    assert rxExec(os.getenv, "RX_REMOVED", timesToRun=3) == [None] * 3


def test_a_broken_environment_is_that_tasks_own_matter():
    """A slip for os.environ.clear() breaks neither the worker nor the caller."""

    def task(number):
        if number == 1:
            os.environ = {}  # noqa: B003 - the mistake is what is tested
        return os.environ.get("PATH") is not None

    assert rxExec(task, rxElemArg(range(4)), taskChunkSize=4) == [True, False, True, True]
    assert os.environ["PATH"]


def test_a_loop_that_runs_in_the_callers_thread_is_no_tasks():
    """Tasks may use asyncio.run where the caller's own thread runs a loop, as a notebook's does."""

    def task():
        async def two():
            return 2

        return asyncio.run(two())

    async def cell():
        return rxExec(task, timesToRun=2), asyncio.get_running_loop()

    values, loop = asyncio.run(cell())
    assert values == [2, 2]
    assert loop.is_closed()
