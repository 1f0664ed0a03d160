"""Threads: how many the libraries of a task use, those that tasks start, and the caller's own beside a call."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import loky
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from rxspark import (
    RxLocalParallel,
    RxLocalSeq,
    rxElemArg,
    rxExec,
    rxGetComputeContext,
    rxRemoteGetId,
    rxSetComputeContext,
    setMKLthreads,
)


def threads_of_a_clustering(i):
    """Cluster points, which uses OpenMP and BLAS, and tell how many threads these libraries may have."""
    from sklearn.cluster import KMeans

    KMeans(4, n_init=1, random_state=1).fit(np.random.default_rng(1).random((2000, 4)))
    np.random.random((50, 50)) @ np.random.random((50, 50))
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}


def distinct(results):
    """The numbers of threads over all tasks and libraries, of which there must be several."""
    assert all(len(found) > 2 for found in results)
    return {number for found in results for number in found.values()}


@pytest.fixture
def changed():
    """Change a field of the active context."""
    context = rxGetComputeContext()
    yield lambda **values: rxSetComputeContext(context, **values)
    rxSetComputeContext(context)


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """In the tests' own process the libraries are there before the calls, as a user's would be."""
    threads_of_a_clustering(0)


def test_a_task_has_one_thread():
    """MKL, OpenBLAS and OpenMP have one thread each in every task, also when the task itself has loaded them."""
    assert distinct(rxExec(threads_of_a_clustering, rxElemArg(range(4)))) == {1}


def test_a_context_may_give_more(changed):
    """With threadsPerTask=2 they have two, and with the default again one."""
    changed(threadsPerTask=2)
    assert distinct(rxExec(threads_of_a_clustering, rxElemArg(range(2)))) == {2}
    if rxGetComputeContext().alias == "localpar":  # and cores for one task at once
        assert len({*rxExec(os.getpid, timesToRun=4)}) == max(1, loky.cpu_count() // 2)
    changed(threadsPerTask=1)
    assert distinct(rxExec(threads_of_a_clustering, rxElemArg(range(2)))) == {1}


def test_a_task_may_set_its_own():
    """The number that setMKLthreads sets holds to the end of the task, and is not met by the next one."""

    def task(i):
        before = setMKLthreads(2) if i == 0 else None
        return before, {pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "mkl"}

    assert rxExec(task, rxElemArg(range(3)), taskChunkSize=3, RNGseed=1) == [(1, {2}), (None, {1}), (None, {1})]


def test_numba_counts():
    """Numba's threads are limited too, be it loaded by the task or before."""

    def task(i):
        import numba

        return numba.get_num_threads()

    if rxGetComputeContext().alias == "local":
        task(0)
    assert rxExec(task, rxElemArg(range(4)), taskChunkSize=2) == [1] * 4


@pytest.mark.left_out(
    localpar="the tasks run in processes of their own",
    dopar_loky="the tasks run in processes of their own",
    spark="the tasks run in processes of their own",
    spark_cluster="the tasks run in processes of their own",
)
def test_the_callers_own_threads_are_as_before(monkeypatch):
    """Where tasks run in the caller's process, its libraries and its variables are afterwards as they were."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    before = setMKLthreads(3)
    try:
        assert distinct(rxExec(threads_of_a_clustering, rxElemArg(range(2)))) == {1}
        assert distinct([threads_of_a_clustering(0)]) == {3}
        assert os.environ["OMP_NUM_THREADS"] == "7"
    finally:
        setMKLthreads(before)


def test_another_thread_of_the_caller_is_outside_of_the_task(context):
    """While a call runs, another thread's calls go to its own context, at once, and the context that it sets stays."""
    begun = threading.Event()

    def call():
        with context:
            begun.set()
            return rxExec(lambda: (time.sleep(3), time.time())[1], timesToRun=1)

    before = rxGetComputeContext()
    with ThreadPoolExecutor(1) as pool:
        with RxLocalParallel():
            rxExec(os.getpid)  # the workers are there
        long = pool.submit(call)
        begun.wait()
        time.sleep(1)
        assert rxRemoteGetId() == -1
        with RxLocalParallel():
            (elsewhere,) = rxExec(lambda: (os.getpid(), rxRemoteGetId()))
            ended = time.time()
        assert elsewhere[0] != os.getpid()
        assert elsewhere[1] == 1
        if rxGetComputeContext().alias == "local":
            assert ended < long.result()[0]
        rxSetComputeContext("localpar", consoleOutput=True)
    assert rxGetComputeContext() == RxLocalParallel(consoleOutput=True)
    rxSetComputeContext(before)


def test_threads_of_a_task_are_inside_of_it():
    """A thread that a task starts knows the task's number, and its calls run in the worker while the task waits."""

    def task(i):
        def inside():
            return rxRemoteGetId(), {*rxExec(os.getpid, timesToRun=3)} == {os.getpid()}

        with ThreadPoolExecutor(2) as pool:
            return [future.result() for future in [pool.submit(inside) for _ in range(4)]]

    for i, found in enumerate(rxExec(task, rxElemArg(range(3)), taskChunkSize=2)):
        assert found == [(i + 1, True)] * 4


def test_sequential_calls_of_several_threads_give_what_one_gives():
    """Two threads that call under RxLocalSeq take turns, and get their own results and text."""

    def call(first):
        with RxLocalSeq():
            return rxExec(lambda i: print(i) or (i, np.random.random()), rxElemArg(range(first, first + 3)), RNGseed=1)

    alone = [call(first) for first in (0, 10)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(call, (0, 10)))
    assert together == alone
    assert [results.output for results in together] == [results.output for results in alone]
