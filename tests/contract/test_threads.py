"""Threads: how many the libraries of a task use, those that tasks start, and the caller's own beside a call."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import gauss as HELD_GAUSS  # noqa: N812
from types import ModuleType

import loky
import numpy as np
import pytest
from numpy.random import normal as HELD_NORMAL  # noqa: N812
from numpy.random import random_sample as HELD_RANDOM_SAMPLE  # noqa: N812
from threadpoolctl import threadpool_info
from waiting import let_pass, wait_until

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


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """In the tests' own process the libraries are there before the calls, as a user's would be."""
    threads_of_a_clustering(0)


def test_a_task_has_one_thread():
    """MKL, OpenBLAS and OpenMP have one thread each in every task, also when the task itself has loaded them."""
    assert distinct(rxExec(threads_of_a_clustering, rxElemArg(range(4)))) == {1}


def test_a_context_may_give_more(change_context):
    """With threadsPerTask=2 they have two, and with the default again one."""
    change_context(threadsPerTask=2)
    assert distinct(rxExec(threads_of_a_clustering, rxElemArg(range(2)))) == {2}
    if rxGetComputeContext().alias == "localpar":  # and cores for one task at once
        assert len({*rxExec(os.getpid, timesToRun=4)}) == max(1, loky.cpu_count() // 2)
    change_context(threadsPerTask=1)
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
        let_pass(1, "the long call runs")
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


def draw(i=0):
    """A number by each function that asks whose thread it is, and by what a task holds."""
    from scipy import stats

    return (
        np.random.normal(),
        np.random.random(2).tolist(),
        np.random.binomial(10, 0.5),
        np.random.default_rng().random(),
        random.random(),
        random.gauss(0, 1),
        random.choice(range(1000)),
        stats.norm.rvs(),
    )


def draw_all():
    """Draw by every door: functions of the modules, those that somebody holds, what scipy takes, and fresh ones."""
    from scipy import stats

    np.random.normal(), np.random.random(2), np.random.binomial(10, 0.5), np.random.default_rng()
    HELD_NORMAL(), HELD_RANDOM_SAMPLE(3), stats.norm.rvs(), np.random.seed(None), np.random.shuffle([1, 2])
    random.random(), random.gauss(0, 1), random.choices(range(1000), k=5), HELD_GAUSS(0, 1), random.seed()


@pytest.fixture(params=["MT2203", "PHILOX"])
def kind(request):
    """A kind whose functions MKL draws, and one of NumPy's."""
    return request.param


def test_a_thread_left_behind_does_not_draw_from_later_streams(kind):
    """A thread that goes on to draw when its task has ended changes no number of other tasks or of the next call."""

    def task(i, leave):
        if i == 0 and leave:

            def go_on():
                for _ in range(1000):  # for a second and more
                    draw_all()
                    time.sleep(0.001)

            threading.Thread(target=go_on, daemon=True).start()
        if i == 0:
            return None
        found = [draw()]
        time.sleep(0.03)
        return [*found, draw()]

    arguments = {"taskChunkSize": 4, "RNGscope": "task", "RNGseed": 1, "RNGkind": kind}
    alone = rxExec(task, rxElemArg(range(4)), leave=False, **arguments)
    assert rxExec(task, rxElemArg(range(4)), leave=True, **arguments) == alone
    assert rxExec(task, rxElemArg(range(4)), leave=False, **arguments) == alone
    let_pass(1, "no thread is left to the next test")


def test_threads_of_a_task_draw_from_its_stream(kind):
    """A task's numbers are the same where a thread of its own draws them."""

    def task(i):
        if i % 2:
            return draw()
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(draw).result()

    arguments = {"RNGseed": 1, "RNGkind": kind, "taskChunkSize": 2}
    assert rxExec(task, rxElemArg(range(4)), **arguments) == rxExec(draw, rxElemArg(range(4)), **arguments)


def test_an_import_in_a_thread_moves_no_number(kind, tmp_path):
    """Numbers are the same whether a module that draws at its top is first imported by a thread of the task, or before.

    What the task draws meanwhile, in another thread, comes from its stream.
    """
    (tmp_path / "drawing_at_its_top.py").write_text(
        "import random, time\nimport numpy as np\nfrom numpy.random import normal\n"
        "np.random.seed(5), np.random.default_rng(), np.random.normal(), random.random(), random.gauss(0, 1)\n"
        "time.sleep(0.2)\n"
    )

    def task(i, in_thread):
        import importlib
        import sys

        def load():
            return importlib.import_module("drawing_at_its_top")

        sys.path.insert(0, str(tmp_path))
        sys.modules.pop("drawing_at_its_top", None)
        if not in_thread:
            load()
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load)
            time.sleep(0.1)
            meanwhile = draw()
            module = loading.result()
        sys.modules.pop("drawing_at_its_top")
        return meanwhile, draw(), module.normal()

    arguments = {"RNGseed": 1, "RNGkind": kind, "taskChunkSize": 2}
    before = rxExec(task, rxElemArg(range(3)), False, **arguments)
    assert rxExec(task, rxElemArg(range(3)), True, **arguments) == before


def test_an_import_beside_a_call_leaves_no_finder_behind(tmp_path):
    """Where a task imports a module in one thread and makes a call in another, later calls find modules as before."""
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.3)\n")

    def task(i):
        import importlib
        import sys

        sys.path.insert(0, str(tmp_path))
        with ThreadPoolExecutor(1) as pool:
            calling = pool.submit(lambda: time.sleep(0.1) or rxExec(lambda k: time.sleep(0.4), rxElemArg(range(1))))
            importlib.import_module("slow_to_import")
            calling.result()
        del sys.modules["slow_to_import"]

    def finders(i):
        import sys

        time.sleep(0.1)  # so that each worker has some of these tasks
        return sorted(type(finder).__qualname__ for finder in sys.meta_path if "rxspark" in type(finder).__module__)

    before = rxExec(finders, rxElemArg(range(4)), taskChunkSize=1)
    rxExec(task, rxElemArg(range(4)), taskChunkSize=1)
    assert rxExec(finders, rxElemArg(range(4)), taskChunkSize=1) == before


def test_a_call_inside_a_task_has_its_own_numbers(kind):
    """While a thread of a task makes a call, another one draws from the task's stream, and the call from its own."""

    def task(i, together):
        def inner():
            return rxExec(lambda k: (draw(), time.sleep(0.1), draw()), rxElemArg(range(2)), RNGseed=5, RNGkind="MT2203")

        with ThreadPoolExecutor(1) as pool:
            calling = pool.submit(inner)
            if not together:
                calling.result()
            time.sleep(0.05)
            return [draw() for _ in range(3)], list(calling.result())

    arguments = {"RNGseed": 1, "RNGkind": kind}
    assert rxExec(task, rxElemArg(range(2)), True, **arguments) == rxExec(task, rxElemArg(range(2)), False, **arguments)


@pytest.mark.parametrize("call", [lambda i: draw(), lambda i: (np.random.seed(i), random.seed(i), draw(), draw())[2:]])
def test_other_threads_of_the_caller_do_not_draw_from_the_stream(kind, call):
    """While another thread of the caller draws, tasks have the numbers that they have without it, seeded or not."""
    arguments = {"taskChunkSize": 2, "RNGseed": 1, "RNGkind": kind}
    alone = rxExec(call, rxElemArg(range(4)), **arguments)
    going, stop = threading.Event(), threading.Event()

    def go_on():
        while not stop.wait(0.0001):
            draw_all()
            going.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        going.wait()
        assert [rxExec(call, rxElemArg(range(4)), **arguments) for _ in range(3)] == [alone] * 3
    finally:
        stop.set()
        thread.join()


def test_threads_that_hold_functions_of_random_move_no_number(kind, monkeypatch):
    """Two threads of the caller draw without a break by what a module took at its top, and the module has it after."""
    module = ModuleType("holds_functions")
    exec("from random import getrandbits, random", vars(module))
    originals = module.random, module.getrandbits
    monkeypatch.setitem(sys.modules, "holds_functions", module)

    def task(i):
        return [draw() for _ in range(20)]

    arguments = {"taskChunkSize": 2, "RNGseed": 1, "RNGkind": kind}
    alone = rxExec(task, rxElemArg(range(4)), **arguments)
    stop = threading.Event()

    def go_on():
        while not stop.is_set():
            module.random(), module.getrandbits(8), random.random(), np.random.normal()

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        assert [rxExec(task, rxElemArg(range(4)), **arguments) for _ in range(3)] == [alone] * 3
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert (module.random, module.getrandbits) == originals


@pytest.mark.left_out(
    localpar="the tasks run in processes of their own",
    dopar_loky="the tasks run in processes of their own",
    spark="the tasks run in processes of their own",
    spark_cluster="the tasks run in processes of their own",
    spark_connect="the tasks run in processes of their own",
)
def test_other_threads_of_the_caller_draw_what_the_caller_seeded(tmp_path):
    """Another thread draws on from the caller's numbers during a call, and the caller goes on after it."""
    before = random.getstate(), np.random.get_state()
    asked, drawn = tmp_path / "asked", tmp_path / "drawn"
    found = []

    def numbers():
        return np.random.normal(), random.gauss(0, 1), np.random.random(), random.random()

    def beside():
        wait_until(asked.exists, "a task has drawn")
        found.append(numbers())
        drawn.touch()

    def task(i):
        draw()
        asked.touch()
        wait_until(drawn.exists, "the other thread has drawn")
        return draw()

    thread = threading.Thread(target=beside)
    thread.start()
    try:
        np.random.seed(7), random.seed(7)
        wanted = [numbers() for _ in range(3)]
        np.random.seed(7), random.seed(7)
        found.append(numbers())
        rxExec(task, rxElemArg(range(2)), RNGseed=1, taskChunkSize=1)
        found.append(numbers())
        assert found == wanted
    finally:
        asked.touch()
        thread.join()
        random.setstate(before[0])
        np.random.set_state(before[1])


@pytest.mark.left_out(
    localpar="the tasks run in processes of their own",
    dopar_loky="the tasks run in processes of their own",
    spark="the tasks run in processes of their own",
    spark_cluster="the tasks run in processes of their own",
    spark_connect="the tasks run in processes of their own",
)
def test_what_other_threads_of_the_caller_change_stays(tmp_path, monkeypatch):
    """Variables and folder that another thread of the caller sets while tasks run stay, and those of tasks do not."""
    monkeypatch.setenv("RXSPARK_GONE", "0")
    monkeypatch.setenv("RXSPARK_CHANGED", "0")
    monkeypatch.delenv("RXSPARK_NEW", raising=False)
    monkeypatch.chdir(os.getcwd())
    asked, done = tmp_path / "asked", tmp_path / "done"

    def beside():
        wait_until(asked.exists, "a task runs")
        os.environ["RXSPARK_NEW"] = "1"
        os.environ["RXSPARK_CHANGED"] = "1"
        del os.environ["RXSPARK_GONE"]
        os.chdir(tmp_path)
        done.touch()

    def task(i):
        os.environ["RXSPARK_OF_TASK"] = os.environ["RXSPARK_CHANGED"] = f"task {i}"
        os.chdir("/")
        asked.touch()
        wait_until(done.exists, "the other thread is done")
        os.environ["RXSPARK_OF_TASK"] = f"after {i}"
        os.chdir("/")

    thread = threading.Thread(target=beside)
    thread.start()
    rxExec(task, rxElemArg(range(4)), taskChunkSize=2)
    thread.join()
    found = {name: value for name, value in os.environ.items() if name.startswith("RXSPARK_")}
    assert found == {"RXSPARK_NEW": "1", "RXSPARK_CHANGED": "1"}
    assert os.getcwd() == str(tmp_path)
