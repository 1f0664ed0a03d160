"""The threads that count: those in which code of the user's may run."""

from __future__ import annotations

import os
import threading

import pytest

from rxspark.concurrency import others_run, start_own


@pytest.fixture
def running():
    """Start threads that wait until the end of the test; it begins without any but this one."""
    end, threads = threading.Event(), []

    def until_the_end() -> None:
        end.wait()

    def start(name=None):
        if name is None:
            start_own(until_the_end)
        else:
            threads.append(threading.Thread(target=end.wait, name=name))
            threads[-1].start()

    yield start
    end.set()
    for thread in threads:
        thread.join()


def _in_child(tell):
    """Exit code of a forked process, which is what it tells: it has this thread alone, whatever runs in the test."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(tell())
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_thread_alone_sees_no_others():
    """A process with one thread has no others."""
    assert _in_child(others_run) == 0


def test_threads_of_rxspark_do_not_count(running):
    """Threads of rxspark's own are none of the others, named or not: tasks need not share generators with them."""

    def tell():
        running("rxspark-watch")
        running()
        return others_run()

    assert _in_child(tell) == 0


def test_any_other_thread_counts(running):
    """A thread of the program counts, whatever runs of rxspark's beside it."""

    def tell():
        running("rxspark-watch")
        running("mine")
        return others_run()

    assert _in_child(tell) == 1


def test_for_a_thread_of_rxspark_the_main_thread_is_another():
    """Tasks in a job's own thread have the program's main thread beside them."""

    def tell():
        told = []
        thread = threading.Thread(target=lambda: told.append(others_run()), name="rxspark-job")
        thread.start()
        thread.join()
        return told[0]

    assert _in_child(tell) == 1


def test_a_thread_that_has_ended_is_forgotten_and_its_number_with_it():
    """The number of an own thread that has ended may be that of any thread from then on."""

    def tell():
        ended = threading.Event()
        start_own(ended.set)
        ended.wait()
        last = threading.Thread(target=threading.Event().wait, daemon=True)
        last.start()
        return others_run()

    assert _in_child(tell) == 1
