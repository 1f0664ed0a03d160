"""Many tasks, large values, and each task exactly once."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import numpy as np
import pytest

from rxspark import rxElemArg, rxExec

MANY = 20_000


@pytest.mark.parametrize("chunk", [None, 1, 4, 100])
@pytest.mark.parametrize("failing", [False, True], ids=["all well", "some fail"])
@pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")
def test_each_task_runs_exactly_once(chunk, failing, tmp_path):
    """No task is left out or runs twice, however the work is cut and whatever fails."""
    folder = str(tmp_path)

    def task(i):
        Path(folder, f"{i}-{uuid.uuid4()}").touch()
        return 1 / (i % 5) if failing else i

    result = rxExec(task, rxElemArg(range(13)), taskChunkSize=chunk)
    assert len(result) == 13
    assert sorted(int(file.name.partition("-")[0]) for file in tmp_path.iterdir()) == list(range(13))


@pytest.mark.parametrize("chunk", [None, 5000])
def test_many_tasks(chunk):
    """Twenty thousand tiny tasks give twenty thousand results in order."""
    assert rxExec(lambda i: i + 1, rxElemArg(range(MANY)), taskChunkSize=chunk) == list(range(1, MANY + 1))


def test_many_seeded_tasks_all_differ():
    """Twenty thousand tasks have as many streams."""
    assert len(set(rxExec(np.random.random, timesToRun=MANY, RNGseed=1))) == MANY


def test_many_failures():
    """Thousands of failing tasks are as many errors, and one warning."""
    with pytest.warns(UserWarning, match="2000 of 4000 tasks failed"):
        result = rxExec(lambda i: 1 // (i % 2), rxElemArg(range(4000)))
    assert list(result.errors) == list(range(0, 4000, 2))


def test_large_values_arrive_whole():
    """A constant, an element and a result of 30 MB each come through unchanged."""
    large = np.random.default_rng(1).random(30_000_000 // 8)
    results = rxExec(lambda x, y: (float(x.sum()), float(y[-1])), large, rxElemArg([large, large[:10]]))
    assert results == [(float(large.sum()), float(large[-1])), (float(large.sum()), float(large[9]))]
    back = rxExec(lambda n: np.arange(n, dtype="float64"), 30_000_000 // 8)[0]
    assert back.nbytes == 30_000_000
    assert (back == np.arange(30_000_000 // 8)).all()
    assert len(rxExec(lambda: b"x" * 30_000_000, timesToRun=2)[1]) == 30_000_000


def test_many_elements_of_some_size():
    """Elements that together are large, each its own array, arrive in their places."""
    elements = [np.full(10_000, i) for i in range(200)]
    assert rxExec(lambda x: (int(x[0]), len(x)), rxElemArg(elements)) == [(i, 10_000) for i in range(200)]


def test_calls_from_several_threads():
    """Calls that run at once, each from a thread of its own, do not mix their results."""
    results, context = {}, _context()

    def call(k):
        with context:
            results[k] = list(rxExec(lambda i: (k, i), rxElemArg(range(20)), taskChunkSize=7))

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: [(k, i) for i in range(20)] for k in range(4)}


def _context():
    from rxspark import rxGetComputeContext

    return rxGetComputeContext()


def test_a_call_inside_a_call_for_every_task():
    """Every task may call rxExec itself, two levels deep."""

    def inner(n):
        return sum(rxExec(lambda k: sum(rxExec(abs, rxElemArg(range(k)))), rxElemArg(range(n))))

    assert rxExec(inner, rxElemArg(range(5))) == [0, 0, 0, 1, 4]
