"""The compute contexts over which the contract suite runs: every test, in each of them, one context after another.

A test that cannot be shown in some context says so with its reason::

    @pytest.mark.left_out(local="the signal would end pytest itself")

and is not collected there, which is not the same as being skipped.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import pytest
from brief_java import BRIEF
from connect_server import connect_server

from rxspark import (
    ComputeContext,
    RxForeachDoPar,
    RxLocalParallel,
    RxLocalSeq,
    RxSpark,
    rxGetComputeContext,
    rxSetComputeContext,
)


@contextmanager
def _here(context: ComputeContext) -> Iterator[ComputeContext]:
    yield context


@contextmanager
def _joblib(backend: str) -> Iterator[ComputeContext]:
    with joblib.parallel_config(backend, n_jobs=2):
        yield RxForeachDoPar()


@contextmanager
def _own_session() -> Iterator[ComputeContext]:
    """A session that rxspark makes at the first call."""
    from rxspark.backends.spark.session import stop_own

    stop_own()
    config = {"spark.ui.enabled": "false"}
    yield RxSpark(master="local[2,4]", extraSparkConfig=config)
    stop_own()


@contextmanager
def _borrowed_session() -> Iterator[ComputeContext]:
    """A session of the user's own: two executors in processes of their own, TCP sockets, nothing set for rxspark."""
    import pyspark
    from pyspark.sql import SparkSession

    from rxspark.backends.spark.session import stop_own

    stop_own()
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.ui.enabled", "false")
    for name in ("spark.driver.host", "spark.driver.bindAddress"):
        builder = builder.config(name, "127.0.0.1")
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    # A local-cluster heeds no SPARK_WORKER_DIR: its executors have their folders where Spark is installed.
    folder = Path(os.environ.get("SPARK_HOME", pyspark.__path__[0]), "work", session.sparkContext.applicationId)
    yield RxSpark()
    session.stop()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _connect_session() -> Iterator[ComputeContext]:
    """A session with a Spark Connect server on this machine."""
    from pyspark.sql.connect.session import SparkSession

    from rxspark.backends.spark.session import stop_own

    stop_own()
    with connect_server() as server:
        session = SparkSession.builder.remote(server.url).create()
        yield RxSpark()
        session.stop()


@contextmanager
def _on_other_hosts() -> Iterator[ComputeContext]:
    """A session that rxspark makes on a cluster whose hosts share no files but the folder of the tests' own."""
    from rxspark.backends.spark.session import stop_own

    stop_own()
    config = {
        "spark.ui.enabled": "false",
        "spark.cores.max": "3",  # one executor on each host
        "spark.executor.extraJavaOptions": BRIEF,
    }
    yield RxSpark(master=os.environ[LAB_MASTER], executorCores=1, executorMem="512m", extraSparkConfig=config)
    stop_own()


LAB_MASTER = "RXSPARK_TEST_LAB"
"""Variable with the master of a lab (scripts/lab), on whose first host these tests then run: tests/cluster sets it."""

CONTEXTS = {
    "local": lambda: _here(RxLocalSeq()),
    "localpar": lambda: _here(RxLocalParallel()),
    "dopar-loky": lambda: _joblib("loky"),
    "dopar-threading": lambda: _joblib("threading"),
    "dopar-sequential": lambda: _joblib("sequential"),
    "dopar-alone": lambda: _here(RxForeachDoPar()),
    "spark": _own_session,
    "spark-cluster": _borrowed_session,
    "spark-connect": _connect_session,
    "spark-lab": _on_other_hosts,
}

# Where only tests that are marked `in_each` run: joblib's backend for one process, and no backend at all.
WITHOUT_WORKERS = {"dopar-sequential", "dopar-alone"}


def pytest_configure(config: pytest.Config) -> None:
    """Announce the markers."""
    config.addinivalue_line("markers", "in_each: runs in the contexts too in which RxForeachDoPar has no workers")
    config.addinivalue_line("markers", "left_out(context=reason): contexts where the promise cannot be shown, and why")
    config.addinivalue_line(
        "markers", "slow_in(context): a context where it takes long, and is run with those marked slow"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test in every context, but for those that it leaves out."""
    if "context" not in metafunc.fixturenames:
        return
    out = {name.replace("_", "-") for mark in metafunc.definition.iter_markers("left_out") for name in mark.kwargs}
    assert out <= set(CONTEXTS), f"no such context: {out - set(CONTEXTS)}"
    if metafunc.definition.get_closest_marker("in_each") is None:
        out |= WITHOUT_WORKERS
    out |= {"spark-lab"} if "spark-cluster" in out else set()  # as there, the tasks run in executors of other hosts
    out |= set(CONTEXTS) - {"spark-lab"} if LAB_MASTER in os.environ else {"spark-lab"}
    slow = {name for mark in metafunc.definition.iter_markers("slow_in") for name in mark.args}
    if metafunc.function.__name__ not in ON_CONNECT:
        slow.add("spark-connect")
    values = [pytest.param(name, marks=_marks(name, name in slow)) for name in CONTEXTS if name not in out]
    metafunc.parametrize("context", values, indirect=True, scope="session")


# Tests run on Spark Connect each time, where a call takes three times as long; the rest by `scripts/test -m slow`.
ON_CONNECT = {
    "test_the_numbers_are_those_of_the_sequential_context",
    "test_names_errors_and_output",
    "test_the_traceback_is_the_users_own",
    "test_the_console_is_kept_for_each_task",
    "test_a_segmentation_fault_shows_the_line",
    "test_cancelling_frees_the_slots_and_keeps_what_was_finished",
    "test_large_constants_are_mapped",
    "test_each_group_of_rows_is_a_task",
    "test_the_value_has_the_bits_of_the_tree",
}


def _marks(context: str, slow: bool) -> list[pytest.MarkDecorator]:
    return [pytest.mark.spark] * context.startswith("spark") + [pytest.mark.slow] * slow


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One context after another, behind all other tests: a process can hold one Spark session at a time."""
    order = list(CONTEXTS)

    def rank(item: pytest.Item) -> int:
        context = item.callspec.params.get("context") if hasattr(item, "callspec") else None
        return order.index(context) if context in order else -1

    items.sort(key=rank)


@pytest.fixture(scope="session")
def context(request: pytest.FixtureRequest) -> Iterator[ComputeContext]:
    """The compute context that is active in the test."""
    with CONTEXTS[request.param]() as made:
        yield made


@pytest.fixture(autouse=True)
def _active(context: ComputeContext) -> Iterator[None]:
    with context:
        yield


@pytest.fixture
def change_context() -> Iterator[Callable[..., Any]]:
    """Set arguments of the active context until the end of the test."""
    context = rxGetComputeContext()
    yield lambda **arguments: rxSetComputeContext(context, **arguments)
    rxSetComputeContext(context)


@pytest.fixture
def where(request: pytest.FixtureRequest) -> str:
    """The name of the context."""
    name: str = request.node.callspec.params["context"]
    return name


@pytest.fixture
def hosts(where: str) -> list[str]:
    """The names of the hosts that run the tasks."""
    return ["host1", "host2", "host3"] if where == "spark-lab" else [platform.node()]
