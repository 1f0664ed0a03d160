"""Tasks in a process of their own: where one of them may have to be ended, or has ended its process once.

Which task killed a worker is not known when it dies, and whatever else the partition had finished died with it. So
the second attempt runs the tasks in a child process, which answers task by task: when the child dies, the task that
it was at runs once more, as the first of a new child, so that neither chance nor what other tasks have left behind
counts as its fault. When it dies again its error says how the child ended, and the next child goes on with the next
task, at the point of the random stream where the guilty task had begun.

Calls with a limit of time run like that from the first attempt on: nothing inside a process can stop a loop in
native code, but its parent can.

    worker                     child
      sys.path, call, once   ──▶ pipe      not as arguments: the system takes no long ones
      partition, start       ──▶ pipe      once a partition; its end is the child's too, even within a native loop
      answer, stream state   ◀── pipe      once a task
      text of the task       ◀── file      faulthandler's too, when it dies or is about to be ended

A child stays for the partitions of one call that come within some seconds: to start one takes a third of a second.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from rxspark.data.refs import DataRef
from rxspark.errors import RxLostTaskError, RxTimeLimitError
from rxspark.worker.capture import new_file, read_bounded
from rxspark.worker.hash_seed import HASH_SEED
from rxspark.worker.protocol import Call
from rxspark.worker.results import PartitionResult, TaskFailure

__all__ = [
    "ChildSetup",
    "RunRequest",
    "TaskReport",
    "die_with_parent",
    "end_child",
    "end_children",
    "requests",
    "run_in_children",
]

# Characters of what a dead child has written that go into the task's error: faulthandler's text is some 2,000.
_TEXT_LIMIT = 10_000

# Seconds for which a child waits for the next partition.
_IDLE_TIMEOUT_S = 10

# Seconds for which the traceback of a child that is about to be ended is waited for; it takes some milliseconds.
_TRACEBACK_TIMEOUT_S = 0.5


# The first code of a child. No file of the working folder stands in for one of these modules.
_PROGRAM = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import pickle
from multiprocessing.connection import Connection
asked = Connection(int(sys.argv[1]), writable=False)
answering = int(sys.argv[2])
sys.argv[1:] = []
sys.path[:] = pickle.loads(asked.recv_bytes())
from rxspark.worker import runner
runner.serve(asked, answering)
"""


class ChildSetup(NamedTuple):
    """All that a child gets before its first partition."""

    program: DataRef
    process_environment: bytes | None


@dataclass(frozen=True)
class RunRequest:
    """Request to a child: where in the partition it begins."""

    partition: DataRef
    index: int
    """The first task to run, counted in the partition."""
    stream: Any
    """State of the random stream before that task; None: as it comes."""


@dataclass(frozen=True)
class TaskReport:
    """Message of a child: before its first task, after each task and each try, and at the end of the partition."""

    result: PartitionResult
    stream: Any
    """State of the random stream, from which the next task goes on."""
    last: bool = False
    pause: float = 0.0
    """Seconds for which the child waits before it tries a failed task again."""


def run_in_children(
    call: Call,
    setup: ChildSetup,
    partition: DataRef,
    numbers: Sequence[int],
    result: PartitionResult,
    stream: Any,
) -> None:
    """Run the tasks of a partition in child processes; a child's death is the error of one task.

    What has its result already does not run; `stream` is the state behind it.
    """
    index = len(result.numbers)
    done = call.stop_on_error and bool(result.failures)
    while not done and index < len(numbers):
        child = _child(call, setup)
        first = index if child.fresh else -1
        try:
            for answer in child.answers(RunRequest(partition, index, stream), call.time_limit):
                result.extend(answer.result)
                index += len(answer.result.numbers)
                stream, done = answer.stream, answer.last
        except BaseException:
            end_child(call.id)
            raise
        if done:
            return
        failure = child.describe_death(call.time_limit)
        end_child(call.id)
        if failure.error is RxTimeLimitError or index == first:
            result.failures[numbers[index]] = failure
            result.add(numbers[index], None, 0.0, 0.0)
            index += 1
            done = call.stop_on_error


class _Child:
    """A process that runs tasks of one call and answers by a pipe."""

    def __init__(self, call: Call, setup: ChildSetup) -> None:
        self.call_id = call.id
        self.fresh = True
        self.overdue = False
        reading, writing = os.pipe()
        answers, answering = os.pipe()
        self._requests = Connection(writing, readable=False)
        self._answers = Connection(answers, writable=False)
        self._text = new_file()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(reading), str(answering)],
            stdin=subprocess.DEVNULL,
            stdout=self._text,
            stderr=self._text,
            pass_fds=[reading, answering],
            env={**os.environ, HASH_SEED: call.hash_seed},
            process_group=0,  # Ctrl-C is for the caller, and what a task has started ends with it
        )
        os.close(reading)
        os.close(answering)
        with suppress(BrokenPipeError):  # died before it had read: its exit code tells
            self._requests.send_bytes(pickle.dumps([entry for entry in sys.path if isinstance(entry, str)], 5))
            self._requests.send_bytes(pickle.dumps(setup, 5))

    def answers(self, start: RunRequest, limit: float | None) -> Iterator[TaskReport]:
        """The answers of the child up to its last one, its death, or a task that is past its limit."""
        self.fresh = False
        with suppress(EOFError, OSError):
            self._requests.send_bytes(pickle.dumps(start, 5))
            wait = None  # up to the first task: importing packages is none
            while self._answers.poll(wait):
                answer: TaskReport = pickle.loads(self._answers.recv_bytes())
                yield answer
                if answer.last:
                    return
                wait = None if limit is None else limit + answer.pause
            self.overdue = True

    def describe_death(self, limit: float | None) -> TaskFailure:
        """Describe how the task that the child was at has ended, or is about to, and `end` the child."""
        if self.overdue:
            self._ask_where_it_is()
            message = f"the task ran longer than taskTimeLimit={limit:g} seconds and was stopped"
            return TaskFailure("TimeLimitExceeded", message, self._output(), error=RxTimeLimitError)
        code = self._process.wait()
        return TaskFailure("WorkerDied", _how_it_ended(code), self._output(), error=RxLostTaskError)

    def _ask_where_it_is(self) -> None:
        """Let faulthandler write the Python line that is running, also within native code."""
        before = os.fstat(self._text).st_size
        self._process.send_signal(signal.SIGUSR1)
        patience = time.monotonic() + _TRACEBACK_TIMEOUT_S
        while time.monotonic() < patience and os.fstat(self._text).st_size == before:
            time.sleep(0.01)
        time.sleep(0.02)

    def _output(self) -> str:
        """Console text of the task that the child was at, with what was written at its death."""
        return read_bounded(self._text, _TEXT_LIMIT)

    @property
    def idle(self) -> bool:
        """Tell whether the child still waits for a partition."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the child, and what its task may have started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._requests.close()
        self._answers.close()
        os.close(self._text)


_kept: dict[str, _Child] = {}
"""The child of each call: one at a time, but threads of the caller's process end theirs whenever their call ends."""


_of_the_parent: list[dict[str, _Child]] = []


def _have_none() -> None:
    """Forget the children in a forked process: they and their pipes are the parent's."""
    global _kept
    _of_the_parent.append(_kept)
    _kept = {}


os.register_at_fork(after_in_child=_have_none)


def _child(call: Call, setup: ChildSetup) -> _Child:
    """The child that runs tasks of a call: the one that is there, else a new one."""
    child = _kept.get(call.id)
    if child is None or not child.idle:
        end_children()
        child = _kept[call.id] = _Child(call, setup)
    return child


def end_child(call_id: str) -> None:
    """End the child process that runs tasks of a call, if there is one."""
    child = _kept.pop(call_id, None)
    if child is not None:
        child.end()


def end_children() -> None:
    """End the child processes of this process."""
    for call_id in list(_kept):
        end_child(call_id)


def requests(connection: Connection) -> Iterator[RunRequest]:
    """Yield, in the child, the partitions to run, until the worker ends or wants no more."""
    with suppress(EOFError):
        while connection.poll(_IDLE_TIMEOUT_S):
            start: RunRequest = pickle.loads(connection.recv_bytes())
            yield start


@contextmanager
def die_with_parent(connection: Connection) -> Iterator[None]:
    """End this process, the child, with the one that holds the other end of a pipe, whatever code is running.

    The system signals the pipe's end (SIGIO), and the signal ends the process.
    """
    import fcntl  # not on Windows, which imports this module all the same

    signal.signal(signal.SIGIO, signal.SIG_DFL)
    descriptor = connection.fileno()
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
    if connection.poll(0):  # it has ended already
        os._exit(1)
    try:
        yield
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the process that ran it ended itself with exit status {code}"
    name = signal.Signals(-code).name
    why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"the process that ran it was ended by signal {-code} ({name}{why})"
