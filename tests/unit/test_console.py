"""The capture of what a task writes, without a task."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import pytest

from rxspark.worker.console import Console


def _console():  # entered in the test itself: pytest changes sys.stdout between a fixture and its test
    return Console(100, logging.WARNING)


def test_text_is_taken_once():
    """`take` gives what was written since the last one."""
    with _console() as console:
        print("first")
        first = console.take()
        nothing = console.take()
        print("second", file=sys.stderr)
        second = console.take()
    assert (first, nothing, second) == ("first\n", "", "second\n")


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 150, 1_000, 100_000])
@pytest.mark.parametrize("piece", [1, 7, 1_000])
def test_the_bound(size, piece):
    """Up to the limit all is kept; beyond, head and tail, and the count of what is left out."""
    text = "".join(chr(97 + i % 26) for i in range(size))
    with _console() as console:
        for i in range(0, size, piece):
            sys.stdout.write(text[i : i + piece])
        kept = console.take()
    if size <= 100:
        assert kept == text
    else:
        assert kept == f"{text[:50]}\n... {size - 100} characters left out ...\n{text[-50:]}"


@pytest.mark.parametrize("printed", [10, 60, 120, 9_000])
@pytest.mark.parametrize("native", [10, 60, 120])
def test_the_bound_is_that_of_python_and_native_text_together(printed, native):
    """Beginning and end are those of the whole text, wherever native code has begun to write."""
    text = "".join(chr(97 + i % 26) for i in range(printed + native))
    with _console() as console:
        print(text[:printed], end="", flush=True)
        os.write(1, text[printed:].encode())
        kept = console.take()
    if len(text) <= 100:
        assert kept == text
    else:
        assert kept == f"{text[:50]}\n... {len(text) - 100} characters left out ...\n{text[-50:]}"


RACE = """
import logging, os, threading
from rxspark.worker.console import Console

with Console(100, logging.WARNING) as console:
    choose, asked, thread = console.capture.fileno, [], threading.Thread(target=console.capture.uninstall)

    def chosen(number):
        descriptor = choose(number)
        asked.append(descriptor)
        if len(asked) == 2:  # at first it is only asked whether anything has come
            thread.start()
            thread.join(0.05)  # or the descriptor is the terminal by now
        return descriptor

    os.write(1, b"native\\n")
    console.capture.fileno = chosen
    print("of the task")
    thread.join()
    console.capture.fileno = choose
    text = console.take()
print([text])
"""


def test_text_on_its_way_when_the_descriptors_are_given_back_stays_the_tasks():
    """Another thread gives them back just when a piece of text has its descriptor: it is not seen on the terminal."""
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=True)
    assert done.stdout == "['native\\nof the task\\n']\n"


def test_a_limit_of_nothing():
    """With the limit 0 no text is kept, and nothing fails."""
    with Console(0, logging.WARNING) as console:
        print("lost")
        kept = console.take()
    assert "lost" not in kept


def test_a_cut_inside_a_letter():
    """Letters of several bytes at the cut do not fail."""
    with _console() as console:
        sys.stdout.write("ü" * 1000 + "€" * 1000)
        kept = console.take()
    assert kept.startswith("ü" * 20)
    assert kept.endswith("€" * 10)


def test_the_process_is_as_before():
    """Streams, root logger and warnings go back to what they were, after an error too."""
    root = logging.getLogger()

    def state():
        return sys.stdout, sys.stderr, root.handlers[:], root.level, warnings.showwarning

    before = state()
    with pytest.raises(ZeroDivisionError), Console(10, logging.DEBUG):
        _ = 1 / 0
    assert state() == before


@pytest.mark.parametrize(
    "spoil", [lambda: setattr(sys, "stdout", None), lambda: sys.stdout.close()], ids=["None", "closed"]
)
def test_a_stream_that_was_replaced_or_closed_comes_back(spoil):
    """A change of sys.stdout does not outlive its task."""
    with _console() as console:
        spoil()
        console.take()
        sys.stdout.write("seen\n")
        kept = console.take()
    assert kept == "seen\n"


def test_the_files_flags_are_those_of_no_task_before():
    """Nobody mends the flags of a task that outlives its call, as a thread does after Ctrl-C."""
    with _console():
        os.set_blocking(1, False)
    with _console():
        assert os.get_blocking(1)
        assert os.get_blocking(2)
