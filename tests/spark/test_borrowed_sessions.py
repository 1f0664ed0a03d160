"""Calls on a session that the program has made: what is taken from it, and what becomes of it."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from spark_programs import PARTITION, STEP, said

LIFE = """
import threading, time
session = plain(settings={"spark.default.parallelism": 50,
    "spark.python.worker.killOnIdleTimeout": True, "spark.python.worker.idleTimeoutSeconds": 5})

@step
def attached():
    with RxSpark():
        return list(rxExec(pow, rxElemArg([2, 3]), 2))

@step
def silent():
    def task(x):
        import ctypes
        if x == 1:
            ctypes.PyDLL(None).sleep(7)  # in C, and no other thread of Python's runs
        return x * 10
    with RxSpark():
        found = rxExec(task, rxElemArg(range(3)), taskChunkSize=3)
        return list(found), found.info["attempt"].tolist()

@step
def slots():
    with RxSpark():
        nodes = len(rxPingNodes()), len(rxGetNodeInfo()), list(rxExec(abs, -1, oncePerElem=True))
        return len(set(rxExec(partition, rxElemArg(range(100))))), nodes

@step
def another_program():
    from pyspark import SparkContext
    from rxspark.backends.spark import package
    from rxspark.backends.spark.session import _applications
    sc = session.sparkContext
    zips = lambda: [file for file in sc.listFiles if "/rxspark-" in file]
    where = lambda: rxExec(lambda: __import__("rxspark").__file__)[0]
    with RxSpark():
        rxExec(abs, -1)
        before, first = zips(), where()
        def start_anew():  # as a restarted kernel does: what this process knows of the application is gone
            _applications.clear()
            package.packed_rxspark._made.clear()
            sc._python_includes.clear()
        start_anew()
        again = list(rxExec(abs, -2)), zips() == before
        start_anew()
        package._DATE = (1990, 1, 1, 0, 0, 0)  # another content
        second = where()
        return again, len(before), len(zips()), first != second

@step
def settings_without_effect():
    import logging
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    logging.getLogger("rxspark").addHandler(handler)
    for _ in range(2):
        with RxSpark(numExecutors=4, extraSparkConfig={"spark.default.parallelism": 50}):
            rxExec(abs, -1)
    logging.getLogger("rxspark").removeHandler(handler)
    return told

@step
def one_bar():
    from rxspark.backends import backend_for
    return session.conf.get("spark.ui.showConsoleProgress"), backend_for(RxSpark()).draws_bar

@step
def forked():
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            with RxSpark():
                told = rxExec(abs, -1)
        except BaseException as error:
            told = f"{type(error).__name__} {error}"
        os.write(writing, str(told).encode())
        os._exit(0)
    os.waitpid(child, 0)
    with RxSpark():
        return os.read(reading, 10_000).decode(), list(rxExec(abs, -3))

@step
def hosts():
    from rxspark.backends.spark.cluster import Located, run_on_each
    elements = [Located("127.0.0.1", 5), Located("192.0.2.7", 6)]  # the other one is no machine's
    return run_on_each(session.sparkContext, elements, lambda value: iter([value + 1]))

@step
def disconnected():
    rxSetComputeContext("spark")
    rxExec(abs, -1)
    rxSparkDisconnect()
    return session.range(5).count(), repr(rxGetComputeContext())

@step
def second():
    other = session.newSession()
    with RxSpark():
        return list(rxExec(abs, -1)), other.range(3).count(), list(rxExec(abs, -2))

@step
def passed_over():
    def objects():
        import gc
        return gc.get_freeze_count()
    with RxSpark():
        return [max(rxExec(objects, timesToRun=20)) for _ in range(6)]

@step
def another_master():
    try:
        with RxSpark(master="yarn"):
            rxExec(abs, -1)
    except RxContextError as error:
        return str(error)

@step
def captured():
    told = []
    for name in ("session", "session.sparkContext", "session.range(3)"):
        globals()["held"] = eval(name)
        try:
            with RxSpark():
                rxExec(lambda i: held.count(), rxElemArg([1, 2]))
        except RxShippingError as error:
            told.append(str(error))
    return told

@step
def replaced():
    with RxSpark():
        before = list(rxExec(abs, -1))
        session.stop()
        return before, list(rxExec(abs, -2))

@step
def stopped():
    threading.Timer(2, plain().stop).start()
    began = time.time()
    try:
        with RxSpark():
            rxExec(time.sleep, 60, timesToRun=2)
    except RxContextError as error:
        return str(error), time.time() - began < 30
"""


@pytest.fixture(scope="module")
def life() -> dict[str, Any]:
    """Observations of each step of that program."""
    return {
        name: ast.literal_eval(value) for name, value in (line.split("=", 1) for line in said(STEP + PARTITION + LIFE))
    }


def test_attaches_to_the_active_session_and_leaves_it_running(life: dict[str, Any]) -> None:
    """RxSpark() runs on the session that is there, and rxSparkDisconnect does not stop it."""
    assert life["attached"] == [4, 9]
    assert life["disconnected"] == (5, "RxLocalSeq()")


def test_a_task_that_is_silent_for_long_is_not_taken_for_dead(life: dict[str, Any]) -> None:
    """A call of C goes past spark.python.worker.idleTimeoutSeconds, at which Spark would end the worker: it answers."""
    assert life["silent"] == ([0, 10, 20], [0, 0, 0])


def test_slots_are_cores_whatever_the_default_parallelism_says(life: dict[str, Any]) -> None:
    """With spark.default.parallelism=50 on two cores a call has three partitions a core, and nodes answer once."""
    assert life["slots"] == (6, (1, 1, [1]))


def test_another_program_on_one_application_adds_nothing_twice(life: dict[str, Any]) -> None:
    """The package is known by its content: the same one is added once, a changed one is what its tasks run."""
    assert life["another_program"] == (([2], True), 1, 2, True)


def test_settings_without_effect_are_named_once(life: dict[str, Any]) -> None:
    """Settings that a session does not have are told at the first call; those that it has are not."""
    (told,) = life["settings_without_effect"]
    assert "numExecutors=4 (there: not set)" in told
    assert "parallelism" not in told


def test_there_is_one_bar_where_spark_draws_its_own(life: dict[str, Any]) -> None:
    """In a session with Spark's console bar, as PySpark's shell has it, the backend says so."""
    assert life["one_bar"] == ("true", True)


def test_a_session_of_the_parent_is_refused_in_a_forked_process(life: dict[str, Any]) -> None:
    """Told at once, with what to do; the parent's session goes on."""
    told, parent = life["forked"]
    assert told.startswith("RxContextError this process (pid ")
    assert "was forked from one that had a Spark session" in told
    assert parent == [3]


def test_what_shall_run_on_a_host_runs_there_or_nowhere(life: dict[str, Any]) -> None:
    """An element whose host is no executor's is not given to another one; its host is told."""
    assert life["hosts"] == ([6], ["192.0.2.7"])


def test_garbage_collections_pass_over_modules_and_nothing_more(life: dict[str, Any]) -> None:
    """PySpark collects garbage behind each partition: what it would look over in vain it passes over, once."""
    *_, before, after = life["passed_over"]
    assert before > 10_000
    assert abs(after - before) < 100


def test_another_master_than_the_active_one_is_refused_by_both_names(life: dict[str, Any]) -> None:
    """Asking for a master while a session with another one is active is an error that names both."""
    assert "'yarn'" in life["another_master"]
    assert "'local[2]'" in life["another_master"]


def test_a_stopped_session_is_replaced(life: dict[str, Any]) -> None:
    """After the session was stopped the next call works, on a new one, and runs each task once."""
    assert life["replaced"] == ([1], [2])


def test_a_second_session_of_the_same_application_changes_nothing(life: dict[str, Any]) -> None:
    """newSession() shares the application: calls work before and after."""
    assert life["second"] == ([1], 3, [2])


def test_a_session_stopped_during_a_call_is_told(life: dict[str, Any]) -> None:
    """Stopping the session under a running call ends it with an RxContextError, at once."""
    message, soon = life["stopped"]
    assert message.startswith("the Spark session was stopped")
    assert soon


def test_a_function_that_holds_a_session_is_refused_by_the_variable(life: dict[str, Any]) -> None:
    """A captured session, context or data frame is found before launch and named."""
    assert len(life["captured"]) == 3
    assert all("FUN → global variable 'held'" in message for message in life["captured"])


GROWING = """
import time
session = plain("local-cluster[2,1,1024]", {
    "spark.dynamicAllocation.enabled": True, "spark.dynamicAllocation.shuffleTracking.enabled": True,
    "spark.dynamicAllocation.maxExecutors": 7, "spark.dynamicAllocation.executorIdleTimeout": "3s",
    "spark.default.parallelism": 50})
rxSetComputeContext("spark")

@step
def pinged():
    return [node["status"] for node in rxPingNodes().values()]

@step
def partitions():
    return len(set(rxExec(partition, rxElemArg(range(100)))))

@step
def pinged_when_idle():
    deadline = time.time() + 60
    while session.sparkContext._jsc.sc().getExecutorIds().size() and time.time() < deadline:
        time.sleep(0.2)
    return session.sparkContext._jsc.sc().getExecutorIds().size(), list(rxExec(abs, -1, oncePerElem=True))
"""


def test_under_dynamic_allocation_nodes_answer_and_work_is_cut_for_what_may_come() -> None:
    """Executors that come and go: nodes answer, also when all are gone, and there is work for as many as may come."""
    lines = said(STEP + PARTITION + GROWING)
    assert lines == ["pinged=['success']", "partitions=21", "pinged_when_idle=(0, [1])"]
