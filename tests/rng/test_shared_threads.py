"""Streams in a process of several threads: what is installed then behaves as it does for one thread."""

from __future__ import annotations

import copy
import multiprocessing
import os
import random
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from random import random as HELD  # noqa: N812
from typing import Any

import numpy as np
import pytest
from numpy.random import get_state as HELD_GET_STATE  # noqa: N812
from numpy.random import seed as HELD_SEED  # noqa: N812

from rxspark import RxArgumentError, rxRngDelStream, rxRngGetStream, rxRngNewStream
from rxspark.rng.kinds import SeedRoot
from rxspark.rng.streams import Streams

NAMES = [name for name in np.random.__all__ if callable(getattr(np.random, name))]

random_of_numpy: Any = np.random  # NumPy's types know neither all of its names nor the older form of a state


@contextmanager
def other_thread():
    """A thread that is there, and runs what it is given."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(os.getpid).result()
        yield lambda function: pool.submit(function).result()


def on_stream(kind, function):
    """The result of a function on stream 3 of a kind."""
    with Streams(SeedRoot(kind, 777, chosen=True)) as streams:
        streams.start(3)
        return function()


def task():
    """Draw, seed, and go back, by functions of the modules and by those that are held."""
    found = [np.random.normal(), random.random(), HELD(), random.gauss(0, 1), np.random.default_rng().random()]
    found += [random.Random().random()]
    place, plain = rxRngGetStream(), random.getstate()
    found += [np.random.random(2).tolist(), random.choice(range(100))]
    copied = copy.deepcopy(np.random.mtrand._rand)
    found += [copied.random_sample() == np.random.mtrand._rand.random_sample()]
    with rxRngNewStream("MT2203", seed=5):
        found += [np.random.normal(), random.random()]
    np.random.seed(4), random.seed(4)
    found += [np.random.normal(), random.random(), random_of_numpy.get_state()[0]]
    np.random.set_state(np.random.get_state()), random.setstate(plain)
    found += [np.random.normal(), random.random()]
    HELD_SEED(3)
    return [*found, np.random.mtrand._rand.normal(), HELD_GET_STATE(legacy=False)["bit_generator"], place.subStream]


@pytest.mark.parametrize("kind", ["MT2203", "PHILOX", "PCG64DXSM"])
def test_a_task_has_the_same_numbers_beside_another_thread(kind):
    """A task draws, seeds and puts back the same numbers whether the process has another thread or not."""
    alone = on_stream(kind, task)
    with other_thread():
        assert on_stream(kind, task) == alone
    assert on_stream(kind, task) == alone


@pytest.mark.parametrize("kind", ["MT2203", "PHILOX"])
def test_the_generators_are_as_before(kind):
    """Afterwards `np.random` and `random` have their own functions and classes, and the caller's numbers go on."""
    names = vars(random).copy(), {name: getattr(np.random, name) for name in NAMES}
    np.random.seed(1), random.seed(1)
    wanted = np.random.normal(), random.gauss(0, 1), np.random.normal(), random.gauss(0, 1), random.random()
    np.random.seed(1), random.seed(1)
    found = np.random.normal(), random.gauss(0, 1)
    with other_thread():
        on_stream(kind, task)
    assert (*found, np.random.normal(), random.gauss(0, 1), random.random()) == wanted
    assert (vars(random), {name: getattr(np.random, name) for name in NAMES}) == names
    assert type(random_of_numpy.get_bit_generator()) is np.random.MT19937
    assert type(random._inst) is random.Random
    assert type(random) is type(np.random) is type(sys)


def test_another_thread_draws_what_the_caller_seeded():
    """Functions that another thread holds, and seeds, are those of the caller's generators."""

    def beside():
        HELD_SEED(8), np.random.seed(9)
        return np.random.mtrand._rand.normal(), np.random.normal(), random.gauss(0, 1), random_of_numpy.get_state()[2]

    random.seed(9)
    wanted = beside()
    random.seed(9)
    with other_thread() as run:
        assert on_stream("PHILOX", lambda: (task(), run(beside))[1]) == wanted


def test_another_thread_cannot_open_or_close_streams():
    """While a task runs, a thread outside of it is told that streams are the task's now."""
    with other_thread() as run:
        for function in (rxRngNewStream, rxRngGetStream, rxRngDelStream):
            with pytest.raises(RxArgumentError, match="tasks run in this process now, in another thread"):
                on_stream("PHILOX", lambda function=function: run(function))
        assert on_stream("PHILOX", np.random.random) == on_stream("PHILOX", np.random.random)


def compiled_alone_and_beside():
    """Numbers of a compiled function without and with another thread."""
    import numba

    def draw():
        return np.random.normal(), random.random()

    alone = on_stream("MT2203", lambda: numba.njit(draw)())
    with other_thread():
        return alone, on_stream("MT2203", lambda: numba.njit(draw)())


def test_numba_compiles_beside_another_thread():
    """Numba knows the functions of both modules, which it compiles while other threads are there."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:  # numba's libraries stay out of this one
        alone, beside = pool.submit(compiled_alone_and_beside).result()
    assert alone == beside


def test_a_forked_process_draws():
    """A process that is forked while another thread draws has the lock for its own."""
    stop = threading.Event()

    def go_on():
        while not stop.is_set():
            np.random.random(1000)

    def fork():
        pids = []
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                np.random.random()
                os._exit(0)
            pids.append(pid)
        return [os.waitpid(pid, 0)[1] for pid in pids]

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        assert on_stream("PHILOX", fork) == [0] * 20
    finally:
        stop.set()
        thread.join()
