"""Elements that are not all there at once: iterators are read while the tasks run, ranges are never written out."""

from __future__ import annotations

import importlib
import itertools
import os
import queue
import random
import re
import signal
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import wait_until

from rxspark import (
    ComputeContext,
    RxArgumentError,
    RxJob,
    RxJobError,
    RxLostTaskError,
    RxShippingError,
    RxSpark,
    RxTaskError,
    rxCleanupJobs,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxGetJobs,
    rxGetJobStatus,
    rxResumeJob,
    rxWaitForJob,
)
from rxspark.calls import elements

CHOSEN: ContextVar[int] = ContextVar("chosen", default=0)


@pytest.fixture
def not_waiting(context: ComputeContext) -> Iterator[ComputeContext]:
    """The context, and that its calls do not wait; no test leaves a job behind."""
    with replace(context, wait=False) as made:
        yield made
    rxCleanupJobs(rxGetJobs(), force=True)


class Source:
    """An iterator without length, which knows how far it was read and whether it was closed."""

    def __init__(self, end: int | None = None) -> None:
        self.read = 0
        self.closed = threading.Event()
        self.values = self._values(end)

    def _values(self, end: int | None) -> Iterator[int]:
        try:
            for number in itertools.count() if end is None else range(end):
                self.read = number + 1
                yield number
        finally:
            self.closed.set()


def _draw(i: int, j: Any = 0) -> tuple[int, Any, float, float]:
    return i, j, random.random(), float(np.random.normal())


@pytest.mark.parametrize(("chunk", "scope"), [(None, "chunk"), (4, "chunk"), (4, "task")])
def test_an_iterator_gives_what_a_list_gives(context, not_waiting, chunk, scope):
    """Values and random numbers are those of the call with all elements at once, read before or while it runs."""
    options = {"taskChunkSize": chunk, "RNGscope": scope, "RNGseed": 11}
    job = rxExec(_draw, rxElemArg(Source(10).values), **options)
    assert rxWaitForJob(job, timeout=120) == "finished"
    results = rxGetJobResults(job)
    with context:
        assert results == rxExec(_draw, rxElemArg(list(range(10))), **options)
        assert results == rxExec(_draw, rxElemArg(i for i in range(10)), **options)
    assert results.names == [f"rxElem{i + 1}" for i in range(10)]
    assert sorted(results.info["task"]) == list(range(10))


@pytest.mark.parametrize(
    "make",
    [lambda: map(abs, [-1, -2]), lambda: iter([1, 2]), lambda: filter(None, [1, 0, 2])],
    ids=["map", "iter", "filter"],
)
def test_iterators_of_every_kind(context, not_waiting, make):
    """Anything that gives one element after another is read, in calls that wait and in jobs."""
    job = rxExec(lambda x: x, rxElemArg(make()))
    assert dict(job) == {0: 1, 1: 2}
    with context:
        assert rxExec(lambda x: x, rxElemArg(make())) == [1, 2]


def test_an_iterator_without_elements_makes_no_task(not_waiting):
    """Its job finishes with nothing in it."""
    job = rxExec(abs, rxElemArg(iter(())))
    assert rxWaitForJob(job, timeout=60) == "finished"
    assert rxGetJobResults(job) == []


def test_several_iterators_beside_lists_and_constants(not_waiting):
    """Each task gets the elements of its number; with a list beside them it is known how many there are."""
    job: Any
    given: dict[str, Any] = {"j": rxElemArg(c for c in "abc"), "timesToRun": 3, "RNGseed": 1}
    job = rxExec(_draw, rxElemArg(np.array([5, 6, 7])), **given)
    assert job.info()["tasks"] == 3
    assert rxWaitForJob(job, timeout=120) == "finished"
    assert [value[:2] for value in rxGetJobResults(job)] == [(5, "a"), (6, "b"), (7, "c")]
    job = rxExec(lambda a, b, c: (a, b, c), c=rxElemArg(iter("xy")), elemArgs=[(1, 2)])
    assert sorted(job) == [(0, (1, 2, "x")), (1, (1, 2, "y"))]
    job = rxExec(lambda a, c: (a, c), c=rxElemArg(iter("xy")), elemArgs={"one": 1, "two": 2})
    assert rxWaitForJob(job, timeout=120) == "finished"
    results = rxGetJobResults(job)
    assert (results.names, list(results)) == (["one", "two"], [(1, "x"), (2, "y")])


@pytest.mark.parametrize("chunk", [None, 5])
def test_an_endless_iterator_is_read_as_far_as_needed_until_the_job_is_cancelled(not_waiting, chunk):
    """Elements are read a few partitions ahead of the results; at the end the generator is closed."""
    source = Source()
    job: RxJob[Any] = rxExec(_draw, rxElemArg(source.values), taskChunkSize=chunk, RNGseed=2)
    for number, value in job:
        assert value[0] == number
        window = source.read - job.info()["done"]
        assert window <= 3 * (chunk or 1) * _slots(not_waiting)
        if job.info()["done"] > 30:
            break
    assert job.info()["tasks"] is None
    assert re.search(r"\d+, more to come", repr(job))
    assert "<progress" not in job._repr_html_()
    assert job.cancel()
    assert source.closed.wait(10)
    read = source.read
    assert rxGetJobStatus(job) == "canceled"
    assert "more to come" not in repr(job)
    after = rxExec(abs, rxElemArg([-1, -2]))
    assert rxWaitForJob(after, timeout=60) == "finished"
    assert source.read == read


def _slots(context: ComputeContext) -> int:
    from rxspark.backends import backend_for

    return backend_for(context, background=True).slots(sys.maxsize, {})


def test_what_is_handed_out_is_kept_no_longer(not_waiting):
    """Each value of a job of unknown length is handed out once, also by two loops, and takes no memory then."""
    tracemalloc.start()
    try:
        job = rxExec(lambda i: bytes([i]) * 1_000_000, rxElemArg(iter(range(60))), taskChunkSize=2)
        numbers = [next(iter(job))[0]]
        for number, value in job:
            assert value == bytes([number]) * 1_000_000
            numbers.append(number)
        del value
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert sorted(numbers) == list(range(60))
    assert held < 20_000_000
    with pytest.raises(RxJobError, match="the values of 60 tasks were handed out by iterating over the job"):
        rxGetJobResults(job)
    rxCleanupJobs(job)  # without force, as its results were read


def test_a_generator_that_raises_fails_the_job_and_costs_no_result(not_waiting):
    """The error names the argument, the element and the line; what had come before has run."""

    def broken() -> Iterator[int]:
        yield from range(5)
        raise OSError("the disk is gone")

    job = rxExec(_draw, rxElemArg(broken()), taskChunkSize=3, RNGseed=4)
    assert rxWaitForJob(job, timeout=120) == "failed"
    told = (
        r"argument 1 of FUN.*reading element 5 raised OSError: the disk is gone \(.*test_iterators.py, line \d+, in bro"
    )
    with pytest.raises(RxArgumentError, match=told) as raised:
        rxGetJobResults(job)
    assert isinstance(raised.value.__cause__, OSError)
    whole = rxExec(_draw, rxElemArg(range(5)), taskChunkSize=3, RNGseed=4)
    assert rxWaitForJob(whole, timeout=120) == "finished"
    assert rxGetJobResults(job, partial=True) == rxGetJobResults(whole)
    with pytest.raises(RxJobError, match="its elements came of an iterator"):
        rxResumeJob(job)


@pytest.mark.parametrize("shorter", ["iterator", "list"])
def test_unequal_lengths_are_named_when_the_shorter_ends(not_waiting, shorter):
    """Both arguments are named; the tasks that have all their elements have run."""
    few, many = (iter([1, 2]), [5, 6, 7]) if shorter == "iterator" else ((i for i in range(9)), [1, 2])
    job = rxExec(_draw, rxElemArg(few), j=rxElemArg(many))
    assert rxWaitForJob(job, timeout=120) == "failed"
    less, more = (
        ("argument 1 of FUN", "argument 'j'") if shorter == "iterator" else ("argument 'j'", "argument 1 of FUN")
    )
    with pytest.raises(RxArgumentError, match=f"differ in length: {less} has 2, {more} has more than 2"):
        rxGetJobResults(job)
    assert [value[1] for value in rxGetJobResults(job, partial=True)[:2]] == many[:2]


def test_an_element_that_cannot_be_sent_fails_the_job_by_its_name(not_waiting):
    """As in a call that waits, where nothing is launched then."""
    job = rxExec(_draw, rxElemArg(x for x in (1, threading.Lock())))
    assert rxWaitForJob(job, timeout=120) == "failed"
    with pytest.raises(RxShippingError, match=r"element 1 of argument 1.*lock"):
        rxGetJobResults(job)
    assert rxGetJobResults(job, partial=True)[0][0] == 1


@pytest.mark.parametrize(
    "make",
    [itertools.count, lambda: itertools.repeat(1), lambda: itertools.cycle("ab")],
    ids=["count", "repeat", "cycle"],
)
def test_what_has_no_end_is_refused_by_a_call_that_waits(make):
    """Named before anything is launched, with the way to bound it; bounded, it is read."""
    with pytest.raises(RxArgumentError, match=r"argument 'x': rxElemArg\(.*has no end.*islice\(x, n\).*wait=False"):
        rxExec(lambda x: x, x=rxElemArg(make()))
    assert len(rxExec(lambda x: x, x=rxElemArg(itertools.islice(make(), 3)))) == 3
    assert rxExec(lambda x: x, x=rxElemArg(itertools.repeat(7, 2))) == [7, 7]


def test_a_generator_without_end_is_refused_after_ten_million_elements(monkeypatch):
    """The bound is the same in each context; here it is made smaller, to be quick."""
    assert elements.MOST_READ == 10_000_000
    monkeypatch.setattr(elements, "MOST_READ", 1000)
    source = Source()
    with pytest.raises(RxArgumentError, match=r"argument 1 of FUN: .*no end below 1,000 elements.*islice"):
        rxExec(abs, rxElemArg(source.values))
    assert source.read == 1001
    assert len(rxExec(abs, rxElemArg(Source(1000).values))) == 1000


def test_what_has_no_end_beside_a_list_is_refused_before_launch(not_waiting):
    """It could only fail when the list ends."""
    with pytest.raises(
        RxArgumentError, match=r"argument 'j': rxElemArg\(count\(0\)\) has no end, but there are 2 tasks"
    ):
        rxExec(_draw, rxElemArg([1, 2]), j=rxElemArg(itertools.count()))


def test_an_iterator_belongs_to_one_job(not_waiting):
    """A second one that would take elements away from the first is refused."""
    given = rxElemArg(Source(3).values)
    job = rxExec(_draw, given)
    with pytest.raises(RxArgumentError, match="is being read by another job"):
        rxExec(_draw, given)
    assert len(list(job)) == 3


def test_an_iterator_that_waits_holds_up_neither_results_nor_the_end(not_waiting):
    """Elements that are there run, and the job can be cancelled, while the next element is waited for."""
    source: queue.Queue[int | None] = queue.Queue()
    job = rxExec(_draw, rxElemArg(iter(source.get, None)))
    source.put(1)
    assert next(iter(job))[1][0] == 1
    source.put(2)
    assert next(iter(job))[1][0] == 2
    began = time.monotonic()
    assert job.cancel()
    assert time.monotonic() - began < 20
    source.put(None)


def test_the_iterator_sees_the_callers_context_and_nobodys_random_state(not_waiting):
    """It runs with the caller's context variables; the caller's random numbers are its own."""
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    CHOSEN.set(42)
    job: RxJob[Any] = rxExec(_draw, rxElemArg(CHOSEN.get() for _ in range(4)), RNGseed=9)
    CHOSEN.set(0)
    assert [value[0] for _, value in job] == [42] * 4
    assert (random.random(), np.random.random()) == expected


def test_modules_that_come_with_elements(not_waiting, tmp_path, monkeypatch):
    """A class of a module of the user's that only elements use is known to the workers."""
    monkeypatch.syspath_prepend(str(tmp_path))
    Path(tmp_path, "rx_of_elements.py").write_text("class Point:\n    def __init__(self, x):\n        self.x = x\n")
    point = importlib.import_module("rx_of_elements").Point
    job = rxExec(lambda p: (type(p).__name__, p.x), rxElemArg(point(i) for i in range(3)))
    assert sorted(job) == [(i, ("Point", i)) for i in range(3)]
    del sys.modules["rx_of_elements"]


@pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")
def test_a_death_costs_one_task_of_an_iterator(not_waiting):
    """Reading goes on behind it."""

    def task(i: int) -> int:
        if i == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return i

    job = rxExec(task, rxElemArg(Source(12).values), taskChunkSize=3)
    assert rxWaitForJob(job, timeout=240) == "finished"
    results = rxGetJobResults(job)
    assert [value for value in results if isinstance(value, int)] == [*range(4), *range(5, 12)]
    assert isinstance(results[4], RxLostTaskError)


def test_a_job_that_stops_at_an_error_reads_no_further(not_waiting):
    """With continueOnFailure=False an endless iterator ends with the first error."""
    source = Source()
    job = rxExec(lambda i: 1 / (3 - i), rxElemArg(source.values), continueOnFailure=False)
    assert rxWaitForJob(job, timeout=120) == "failed"
    assert source.closed.wait(10)
    with pytest.raises(RxTaskError, match="ZeroDivisionError"):
        rxGetJobResults(job)


@pytest.mark.parametrize(("given", "times"), [(rxElemArg(range(10**8)), -1), (7, 10**8)], ids=["range", "timesToRun"])
def test_a_hundred_million_tasks_take_no_memory_before_they_run(not_waiting, tmp_path, given, times):
    """Neither their elements nor their streams, and nothing of the job's record."""
    gate = str(tmp_path / "gate")

    def task(i: int) -> int:
        wait_until(lambda: os.path.exists(gate), "the gate is opened", 200)
        return i

    rxWaitForJob(rxExec(abs, -1), timeout=120)  # what is imported and started once
    tracemalloc.start()
    try:
        job = rxExec(task, given, timesToRun=times, taskChunkSize=10**6, RNGseed=1)
        wait_until(lambda: rxGetJobStatus(job) == "running", "the job runs")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert job.info()["tasks"] == 10**8
    assert job.cancel()
    assert most < 20_000_000


@pytest.mark.left_out(
    spark_cluster="a shareDir is a folder of this machine alone",
    spark_connect="a shareDir is a folder of this machine alone",
)
def test_large_elements_have_files_only_while_they_are_needed(not_waiting, tmp_path, caplog):
    """The files of a job without end do not pile up; and one line says that the job is not kept in the share folder."""
    with replace(not_waiting, shareDir=str(tmp_path)):
        arrays = rxElemArg(np.full(50_000, i) for i in range(60))
        job: Any = rxExec(lambda x, y: float(x[0] + y[-1]), arrays, np.ones(100_000))
        most = 0
        for number, value in job:
            assert value == number + 1
            most = max(most, sum(1 for file in tmp_path.rglob("*.bundle")))
    jobs = 2 if isinstance(not_waiting, RxSpark) else 1  # that take turns: files stay until their job has ended
    assert 0 < most <= 1 + jobs * 3 * _slots(not_waiting)
    assert not list(tmp_path.rglob("*.bundle"))
    assert "its elements are not all there yet: it ends with this program" in caplog.text
