"""Console text of tasks: kept for each task, bounded, and shown where that is asked for."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context

import pytest
from waiting import wait_until

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
    """The text that a task wrote before it failed is there."""

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


CELL: ContextVar[str] = ContextVar("cell", default="of another cell")


class _Notebook(io.StringIO):
    """A stream that, as a notebook's, shows text below the cell that the context of the writing thread names."""

    def write(self, text):
        return super().write(f"{CELL.get()}: {text}")


def test_relayed_console_belongs_to_the_call(monkeypatch):
    """Relayed text is written in the context of the call, from whichever thread the engine delivers it."""
    rxExec(print, "other", consoleOutput=True)
    shown = _Notebook()
    monkeypatch.setattr(sys, "stdout", shown)

    def call():
        CELL.set("here")
        rxExec(lambda i: print(i), rxElemArg(range(3)), consoleOutput=True)

    copy_context().run(call)
    assert sorted(shown.getvalue().splitlines()) == [f"here: [task {i}] {i}" for i in range(3)]


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


def write_in_many_ways(i):
    """Write by Python, by C's stdio, by the descriptors and by programs."""
    import ctypes

    print("python", i)
    ctypes.CDLL(None).printf(b"stdio %d\n", i)
    os.write(1, b"descriptor 1\n")
    subprocess.run(["echo", "program"], check=True)
    subprocess.run(["echo", "program to sys.stderr"], check=True, stdout=sys.stderr)
    os.write(2, b"descriptor 2\n")
    print("python again", file=sys.stderr)
    return sys.stdout.fileno() >= 0


def test_native_code_and_programs_write_into_the_text_of_their_task():
    """Text written past Python, by C, the descriptors or child processes, is the task's too, in its order."""
    lines = "stdio {}\ndescriptor 1\nprogram\nprogram to sys.stderr\ndescriptor 2\npython again\n"
    result = rxExec(write_in_many_ways, rxElemArg(range(4)), taskChunkSize=2)
    assert result == [True] * 4
    assert result.output == {i: f"python {i}\n{lines.format(i)}" for i in range(4)}


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forks beside threads, from Python 3.12 on
def test_what_python_and_others_write_in_turn_stands_in_order():
    """So do zero bytes, what a program or this one writes to its output by name, and what comes of a forked process."""

    def task(i):
        if i % 2:
            print("0")
            child = os.fork()
            if child == 0:
                print("1")
                os._exit(0)
            os.waitpid(child, 0)
        else:
            print("0")
            os.write(1, b"\0 1\n")
        print("2", file=sys.stderr)
        with open("/dev/stderr", "a") as opened:
            print("3", file=opened)
        print("4")
        os.system("echo 5 >>/dev/stdout")
        print("6")

    result = rxExec(task, rxElemArg(range(4)), taskChunkSize=4)
    second = ["\0 1", "1"]
    assert result.output == {i: f"0\n{second[i % 2]}\n2\n3\n4\n5\n6\n" for i in range(4)}


def test_many_lines_before_and_after_native_text_stand_in_order():
    """However many there are, and where the whole is bounded too."""

    def task(lines):
        for number in range(lines):
            print("before", number)
        os.write(1, b"native\n")
        for number in range(lines):
            print("after", number)

    result = rxExec(task, rxElemArg([3, 2_000]), taskChunkSize=2)
    for i, lines in enumerate((3, 2_000)):
        before, after = ("".join(f"{word} {number}\n" for number in range(lines)) for word in ("before", "after"))
        assert result.output[i] == f"{before}native\n{after}"


def test_what_stdio_holds_at_the_end_of_a_task_is_its_own():
    """C's stdio holds back what has no line's end; it comes with the task that wrote it, be the task ever so short."""

    def hold(i):
        import ctypes

        ctypes.CDLL(None).printf(b"held %d", i)

    assert rxExec(hold, rxElemArg(range(4)), taskChunkSize=2).output == {i: f"held {i}" for i in range(4)}


def _close_both():
    os.close(1)
    os.close(2)


def _redirect_both():
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


@pytest.mark.parametrize("spoil", [_close_both, _redirect_both, lambda: os.close(2), lambda: sys.stdout.detach()])
def test_the_descriptors_are_right_again_after_each_task(spoil):
    """A task may close or redirect the descriptors 1 and 2: the next one, and the next call, write well."""

    def task(i):
        if i == 0:
            spoil()
            return
        print("python", i)
        for descriptor in (1, 2):
            os.write(descriptor, b"direct\n")

    for _ in range(2):
        result = rxExec(task, rxElemArg(range(3)), taskChunkSize=3)
        assert result.output == {i: f"python {i}\ndirect\ndirect\n" for i in (1, 2)}
        assert not result.errors


@pytest.mark.usefixtures("_console_limit")
def test_native_text_is_bounded_too():
    """Head and tail of what a program writes are kept, and the middle is counted."""
    rxOptions(consoleLimit=1000)

    def flood():
        print("begin")
        subprocess.run("head -c 30000000 /dev/zero | tr '\\0' x; echo; echo end", shell=True, check=True)

    text = rxExec(flood, timesToRun=2, taskChunkSize=2).output[1]
    assert text.startswith("begin\nxxx")
    assert text.endswith("xxx\nend\n")
    assert f"\n... {len('begin') + 1 + 30_000_000 + 1 + 4 - 1000} characters left out ...\n" in text


def test_a_program_that_outlives_its_task_writes_to_no_other(tmp_path):
    """A program that was left behind writes, while the next task runs, into no task's text."""
    runs, written = tmp_path / "the next task runs", tmp_path / "the program has written"

    def task(i):
        if i == 0:
            wait = f"while [ ! -e '{runs}' ]; do sleep 0.01; done"
            subprocess.Popen(f"{wait}; echo from the task before; touch '{written}'", shell=True)
        else:
            runs.touch()
            wait_until(written.exists, "the program has written")
            print("mine")

    assert rxExec(task, rxElemArg(range(2)), taskChunkSize=2).output == {1: "mine\n"}


HANDLERS: list[logging.Handler] = []


def log_by_a_handler_of_the_first_task(i):
    """Log by a handler that is made once a process, as a module's at its import."""
    logger = logging.getLogger("made once")
    logger.propagate = False
    if not HANDLERS:
        HANDLERS.append(logging.StreamHandler(sys.stderr))
        logger.addHandler(HANDLERS[0])
    logger.warning("logged %d", i)


def test_a_handler_made_once_writes_for_all_tasks_and_calls():
    """A logging handler on sys.stderr that the first task has made writes into each task's text, in later calls too."""
    try:
        for _ in range(3):
            result = rxExec(log_by_a_handler_of_the_first_task, rxElemArg(range(4)), taskChunkSize=2)
            assert result.output == {i: f"logged {i}\n" for i in range(4)}
    finally:
        for handler in HANDLERS:
            logging.getLogger("made once").removeHandler(handler)
        HANDLERS.clear()


def test_a_thread_of_a_task_writes_into_the_text_of_its_task():
    """Threads that a task starts, pools of threads too, belong to it: print, logging, warnings."""

    def task(i):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(talk, i).result()

    result = rxExec(task, rxElemArg(range(4)), taskChunkSize=2)
    for i, text in result.output.items():
        assert text.startswith(f"printed {i}\nto stderr {i}\nERROR:mine:logged {i}\n")
        assert f"UserWarning: warned {i}" in text
    assert list(result.output) == [0, 1, 2, 3]


def test_a_thread_left_behind_is_named_and_writes_to_no_other_task():
    """A thread that still runs when its task has ended is named in that task's text once; its text is in none."""

    def task(i):
        def go_on():
            for _ in range(50):
                time.sleep(0.01)
                print("from the thread", file=sys.stderr)

        if i == 0:
            threading.Thread(target=go_on, name="straggler", daemon=True).start()
        else:
            time.sleep(0.2)
            print("mine", i)

    result = rxExec(task, rxElemArg(range(3)), taskChunkSize=3)
    *own, last = result.output[0].splitlines()
    assert set(own) <= {"from the thread"}
    assert last == "rxspark: the thread 'straggler', which this task has started, still runs"
    assert [result.output[i] for i in (1, 2)] == ["mine 1\n", "mine 2\n"]


def test_the_caller_has_its_own_console_afterwards(capfd):
    """Its streams, descriptors, handlers and way to show warnings are what they were, and what it writes is seen."""
    root = logging.getLogger()

    def state():
        descriptors = [(stat.st_dev, stat.st_ino) for stat in map(os.fstat, (1, 2))]
        return sys.stdout, sys.stderr, descriptors, root.handlers[:], root.level, warnings.showwarning

    before = state()
    with pytest.warns(RxTaskWarning):
        rxExec(lambda i: (write_in_many_ways(i), _close_both(), 1 / 0), rxElemArg(range(4)), taskChunkSize=2)
    assert state() == before
    os.write(1, b"seen\n")
    assert capfd.readouterr().out == "seen\n"


def test_other_threads_of_the_caller_write_where_they_did(capfd):
    """While a call waits, the caller's other threads print, log and warn as if there were none."""
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    stop = threading.Event()

    def chatter():
        while not stop.wait(0.01):
            print("the caller's own")
            logging.getLogger("caller").error("the caller's own record")

    logging.getLogger().addHandler(handler)
    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        result = rxExec(lambda i: (print("task", i), time.sleep(0.1)), rxElemArg(range(4)), taskChunkSize=2)
    finally:
        stop.set()
        thread.join()
        logging.getLogger().removeHandler(handler)
    assert result.output == {i: f"task {i}\n" for i in range(4)}
    seen = capfd.readouterr().out.splitlines()
    assert len(seen) >= 10
    assert set(seen) == {"the caller's own"}
    assert len(records) >= 10
    assert set(records) == {"the caller's own record"}


@pytest.mark.left_out(local="tasks run where the user is: he is asked, see test_interactive.py")
@pytest.mark.left_out(dopar_threading="as in local: the tasks run in the caller's process")
@pytest.mark.parametrize("ask", [lambda: input("Name? "), lambda: breakpoint()], ids=["input", "breakpoint"])
def test_a_worker_says_that_it_has_no_terminal(ask, monkeypatch):
    """input() and breakpoint() fail at once in a worker, and say where they work."""
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)  # Ray sets it, for good
    with pytest.warns(RxTaskWarning):
        (error,) = rxExec(ask)
    assert error.type == "EOFError"
    assert "RxLocalSeq()" in str(error)
