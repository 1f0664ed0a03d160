"""What tasks write: kept for each task, bounded, and shown where that is asked for."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import pytest

from rxspark import RxTaskWarning, rxElemArg, rxExec, rxOptions


def talk(i):
    """Write in all four ways."""
    print("printed", i)
    print("to stderr", i, file=sys.stderr)
    logging.getLogger("mine").error("logged %d", i)
    warnings.warn(f"warned {i}", stacklevel=1)
    return i


@pytest.fixture
def _console_limit():
    before = rxOptions()
    yield
    rxOptions(**before)


@pytest.mark.parametrize("chunk", [None, 2])
def test_the_console_is_kept_for_each_task(chunk, capsys):
    """print, sys.stderr, logging and warnings of a task are its text in `.output`, in order, and nothing is shown."""
    result = rxExec(talk, rxElemArg(range(4)), taskChunkSize=chunk)
    assert list(result.output) == [0, 1, 2, 3]
    for i, text in result.output.items():
        head, warned = text.split("test_console.py:")
        assert head.startswith(f"printed {i}\nto stderr {i}\nERROR:mine:logged {i}\n")
        assert f"UserWarning: warned {i}" in warned
    assert capsys.readouterr() == ("", "")


def test_a_silent_task_has_no_output():
    """Only tasks that wrote something are in `.output`."""
    result = rxExec(lambda i: print(i) if i == 1 else None, rxElemArg(range(3)), taskChunkSize=3)
    assert result.output == {1: "1\n"}


def test_a_failed_task_keeps_its_output():
    """What a task wrote before it failed is there."""

    def task():
        print("before")
        raise ValueError

    with pytest.warns(RxTaskWarning):
        assert rxExec(task).output == {0: "before\n"}


def test_the_same_warning_is_shown_for_every_task():
    """Python shows a warning once a process; here each task that raises it has it in its text."""

    def warn():
        warnings.warn("the same", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        result = rxExec(warn, timesToRun=4, taskChunkSize=2)
        again = rxExec(warn, timesToRun=4, taskChunkSize=2)
    assert [text.count("the same") >= 1 for text in result.output.values()] == [True] * 4
    assert result.output == again.output


@pytest.mark.usefixtures("_console_limit")
def test_the_text_of_a_task_is_bounded():
    """`rxOptions(consoleLimit=)` bounds the text of a task: the middle is left out, and said to be."""
    rxOptions(consoleLimit=1000)

    def chatter():
        print("begin")
        for _ in range(1000):
            print("x" * 100)
        print("end")

    text = rxExec(chatter, timesToRun=2, taskChunkSize=2).output[1]
    assert text.startswith("begin\n")
    assert text.endswith("end\n")
    assert "characters left out" in text
    assert len(text) < 1100


def test_console_output_is_relayed_with_a_prefix(capsys):
    """consoleOutput=True shows each line behind the number of its task; it stays in `.output` too."""
    result = rxExec(lambda i: print(f"a{i}\nb{i}"), rxElemArg(range(3)), consoleOutput=True)
    shown = capsys.readouterr().out.splitlines()
    assert sorted(shown) == sorted(f"[task {i}] {letter}{i}" for i in range(3) for letter in "ab")
    assert result.output[2] == "a2\nb2\n"


def test_console_output_of_the_context(context, capsys):
    """A context may ask for the relay, and a call may go against it."""
    import dataclasses

    with dataclasses.replace(context, consoleOutput=True):
        rxExec(print, "shown")
        rxExec(print, "hidden", consoleOutput=False)
    assert capsys.readouterr().out == "[task 0] shown\n"


def test_odd_text_is_kept():
    """Text that no encoding holds, without a line's end, and written as bytes, is kept as far as it can be."""

    def write():
        sys.stdout.write("ü \ud800 no end")
        sys.stdout.buffer.write(b" bytes\xff")
        sys.stderr.flush()

    text = rxExec(write).output[0]
    assert text.startswith("ü ")
    assert "no end" in text
    assert "bytes" in text


def test_a_logger_of_the_task_writes_to_its_own_text():
    """A handler that a task makes writes into this task's text, also from the second task of a chunk on."""

    def log(i):
        logger = logging.getLogger("own")
        logger.propagate = False
        logger.handlers[:] = [logging.StreamHandler()]
        logger.warning("own %d", i)

    assert rxExec(log, rxElemArg(range(4)), taskChunkSize=2).output == {i: f"own {i}\n" for i in range(4)}


def test_a_program_started_by_a_task_does_not_disturb():
    """A child process writes wherever the worker does; the task's value and text arrive all the same."""

    def run():
        print("before")
        return subprocess.run(["echo", "from a child"], check=True, stdout=subprocess.PIPE).stdout, os.getpid() > 0

    result = rxExec(run, timesToRun=2)
    assert list(result) == [(b"from a child\n", True)] * 2
    assert result.output == {0: "before\n", 1: "before\n"}
