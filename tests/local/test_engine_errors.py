"""Errors of engines reach the user as errors of ours: one line that says why, the JVM's pages behind it."""

from __future__ import annotations

import threading
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from rxspark import (
    RxArgumentError,
    RxContextError,
    RxError,
    RxFileError,
    RxForeachDoPar,
    RxLocalParallel,
    RxLostTaskError,
    RxShippingError,
    RxTaskError,
    rxElemArg,
    rxExec,
    rxHadoopListFiles,
)
from rxspark.backends import local
from rxspark.backends.engine_errors import memory_hint, reason, translate_errors

LOCK = threading.Lock()


class _OnlyHere:
    """It pickles, and cannot be unpickled."""

    def __reduce__(self):
        return int, ("no number",)


def _two(**options):
    return rxExec(abs, rxElemArg([-1, -2]), foreachOpts=options)


def _under(context, call):
    with context:
        return call()


def _broken_executor(monkeypatch, error):
    """A pool whose every call ends with an error of loky's, or of whatever a worker's Python may raise."""

    class Broken:
        def submit(self, *_):
            raise error

        def shutdown(self, **_):
            pass

    monkeypatch.setattr(local, "_reusable_pool", lambda workers, exactly: Broken())
    with RxLocalParallel():
        return rxExec(abs, -1)


# Name, the call that meets the error, the class that the user sees, and what its first line has.
CASES = {
    "joblib: no such backend": (
        lambda: _under(RxForeachDoPar(), lambda: _two(backend="nope")),
        RxArgumentError,
        "Invalid backend: nope",
    ),
    "joblib: a number that is none": (
        lambda: _under(RxForeachDoPar(), lambda: _two(n_jobs="many")),
        RxArgumentError,
        "foreachOpts={'n_jobs': 'many'}",
    ),
    "joblib: no workers": (lambda: _under(RxForeachDoPar(), lambda: _two(n_jobs=0)), RxArgumentError, "n_jobs == 0"),
    "joblib: a size that is none": (
        lambda: _under(RxForeachDoPar(), lambda: _two(max_nbytes="big", n_jobs=2)),
        RxArgumentError,
        "big",
    ),
    "joblib: found only while it runs": (
        lambda: _under(RxForeachDoPar(), lambda: _two(pre_dispatch="x", n_jobs=2)),
        RxContextError,
        "'x' is not a valid",
    ),
    "joblib: its own time limit": (
        lambda: _under(
            RxForeachDoPar(), lambda: rxExec(time.sleep, rxElemArg([2, 2]), foreachOpts={"timeout": 0.01, "n_jobs": 2})
        ),
        RxContextError,
        "TimeoutError",
    ),
    "dask: no cluster": (
        lambda: _under(RxForeachDoPar(), lambda: _two(backend="dask")),
        RxArgumentError,
        "Dask Client",
    ),
    "pickling: a function": (lambda: rxExec(lambda: LOCK), RxShippingError, "LOCK"),
    "pickling: an element": (lambda: rxExec(id, rxElemArg([LOCK])), RxShippingError, "lock"),
    "pickling: a constant that does not come back": (lambda: rxExec(id, _OnlyHere()), RxShippingError, "no number"),
    "pickling: a result": (lambda: rxExec(threading.Lock, continueOnFailure=False), RxTaskError, "cannot be pickled"),
    "fsspec: no such scheme": (lambda: rxHadoopListFiles("zz://x"), RxArgumentError, "zz"),
    "fsspec: no such file": (lambda: rxHadoopListFiles("file:///nope/x"), RxFileError, "/nope/x"),
    "hdfs-native: nobody answers": (
        lambda: rxHadoopListFiles("hdfs://127.0.0.1:1/x"),
        RxContextError,
        "hdfs://127.0.0.1:1/x",
    ),
    "hdfs-native: no such host": (
        lambda: rxHadoopListFiles("hdfs://host.invalid:8020/x"),
        RxContextError,
        "host.invalid",
    ),
    "numpy: a wrong argument of a distribution": (
        lambda: rxExec(lambda: __import__("numpy").random.normal(scale=-1), continueOnFailure=False),
        RxTaskError,
        "ValueError: scale < 0",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_of_an_engine_is_one_of_ours(name):
    """Its first line has the reason; no other type comes through."""
    call, kind, told = CASES[name]
    with pytest.raises(RxError) as caught:
        call()
    assert isinstance(caught.value, kind), repr(caught.value)
    assert told in str(caught.value).partition("\n")[0]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("cannot schedule new futures")])
def test_errors_of_a_pool_are_translated(error, monkeypatch):
    """A refusal of the pool, or of the system, is told with the context."""
    with pytest.raises(RxContextError, match=rf"RxLocalParallel\(\) could not run the call: .*{error.args[-1]}"):
        _broken_executor(monkeypatch, error)


def test_a_pool_that_breaks_each_time_loses_its_tasks(monkeypatch):
    """Loky's BrokenProcessPool is the error of the tasks."""
    with pytest.warns(UserWarning, match="1 of 1 tasks failed"):
        error = _broken_executor(monkeypatch, BrokenProcessPool("it broke"))[0]
    assert isinstance(error, RxLostTaskError)
    assert "it broke" in error.message


def test_mistakes_of_our_own_stay_what_they_are():
    """A bug of rxspark is no error of an engine, and shows its own traceback."""
    from rxspark.calls.tasks import partition_tasks

    with pytest.raises(TypeError), translate_errors("RxLocalSeq()"):
        partition_tasks(None, None, None, None)  # type: ignore[arg-type]


def test_the_reason_is_free_of_java():
    """Names of Java's classes, and what Spark puts before the reason, are left out."""
    told = (
        "An error occurred while calling o57.count.\n: org.apache.spark.SparkException: Job aborted due to stage "
        "failure: Task 1 in stage 2.0 failed 4 times, most recent failure: Lost task 1.3 in stage 2.0 (TID 10) "
        "(node7 executor 1): java.io.IOException: Cannot run program\n\tat java.base/java.lang.ProcessBuilder.start"
    )
    assert reason(told) == "Cannot run program"


@pytest.mark.parametrize(
    ("told", "memory"),
    [
        ("ExecutorLostFailure (executor 1 exited) Reason: Container from a bad node. Exit status: 137.", True),
        ("Container killed by YARN for exceeding physical memory limits. 1.5 GB of 1.5 GB physical memory used", True),
        ("The executor with id 1 exited with exit code 137(SIGKILL, possible container OOM).", True),
        ("Container is running 9 B beyond the 'PHYSICAL' memory limit.", True),
        ("ExecutorLostFailure (executor 1 exited) Reason: Remote RPC client disassociated. Exit status: 1", False),
        ("Python worker exited unexpectedly (crashed)", False),
    ],
)
def test_a_container_that_was_killed_for_its_memory_names_the_setting(told, memory):
    """Where Spark's words say that memory ran out, the error says which argument gives more."""
    assert ("executorOverheadMem" in memory_hint(told)) is memory
