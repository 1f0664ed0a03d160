"""Tasks in a process of their own, for a partition whose worker has died once.

Which task killed the worker is not known then, and whatever else the partition had finished died with it. So the
second attempt runs the tasks in a child process, which answers task by task: when the child dies, the task that it
was at is the guilty one, its error says how the child ended, and a new child goes on with the next task, at the
point of the random stream where the guilty task had begun.

    worker                     child
      call, partition, start ──▶ stdin
      answer, stream state   ◀── pipe      once a task
      faulthandler's text    ◀── stderr    when it dies
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from rxspark.worker.envelope import Envelopes, Failure

__all__ = ["Start", "run_in_children"]

# Characters of a dead child's stderr that go into the task's error: faulthandler's text is some 2,000.
_STDERR_KEPT = 10_000


@dataclass(frozen=True)
class Start:
    """Where a child begins."""

    call: bytes
    partition: bytes
    index: int
    """The first task to run, counted in the partition."""
    stream: Any
    """State of the random stream before that task; None: as it comes."""


def run_in_children(call: bytes, partition: bytes, envelopes: Envelopes) -> None:
    """Run the tasks of a partition in child processes; a child's death is the error of one task."""
    numbers = pickle.loads(partition).numbers
    index, stream = 0, None
    while index < len(numbers):
        with _Child(Start(call, partition, index, stream)) as child:
            for answer, stream in child.answers():  # noqa: B007 - the last state is where the next child begins
                envelopes.extend(answer)
                index += len(answer.numbers)
        if child.exit_code == 0 or envelopes.problem is not None:
            return
        lost = Failure("WorkerDied", _how_it_ended(child.exit_code), child.told, lost=True)
        envelopes.failures[numbers[index]] = lost
        envelopes.add(numbers[index], None, 0.0, 0.0)
        index += 1


class _Child:
    """A process that runs tasks and answers by a pipe."""

    exit_code = 0
    told = ""

    def __init__(self, start: Start) -> None:
        self._start = start

    def __enter__(self) -> _Child:
        reading, writing = os.pipe()
        self._answers: IO[bytes] = os.fdopen(reading, "rb")
        self._stderr = tempfile.TemporaryFile()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from rxspark.worker import runner; runner.serve({writing})"],
            stdin=subprocess.PIPE,
            stderr=self._stderr,
            pass_fds=[writing],
            env=environment,
        )
        os.close(writing)
        return self

    def answers(self) -> Iterator[tuple[Envelopes, Any]]:
        assert self._process.stdin is not None
        try:
            pickle.dump(self._start, self._process.stdin, 5)
            self._process.stdin.close()
        except BrokenPipeError:  # died before it had read: its exit code tells
            return
        while True:
            try:
                yield pickle.load(self._answers)
            except (EOFError, pickle.UnpicklingError):  # the child has ended, maybe within an answer
                return

    def __exit__(self, *_: object) -> None:
        if sys.exc_info()[0] is not None:
            self._process.kill()
        self._answers.close()
        self.exit_code = self._process.wait()
        self._stderr.seek(0)
        self.told = self._stderr.read()[-_STDERR_KEPT:].decode(errors="replace")
        self._stderr.close()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the process that ran it ended itself with exit status {code}"
    name = signal.Signals(-code).name
    why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"the process that ran it was ended by signal {-code} ({name}{why})"
