"""Jobs in the background: each in a thread of its own, or, on this machine's cores, one after another in a line."""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from functools import cache

from rxspark.backends.base import Backend
from rxspark.jobs.job import Job

__all__ = ["start"]

# Seconds that the end of the program waits for cancelled jobs to let go of their workers.
_PATIENCE = 10.0

_alive: set[Job] = set()


class _Line:
    """Jobs that wait for one another; a thread is there as long as one of them is."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._lock = threading.Lock()
        self._serving = False

    def join(self, job: Job) -> None:
        with self._lock:
            self._jobs.append(job)
            if not self._serving:
                self._serving = True
                threading.Thread(target=self._serve, name="rxspark-line", daemon=True).start()

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._serving = False
                    return
                job = self._jobs.popleft()
            job.run_in_background()


_line = _Line()


def start(job: Job, backend: Backend) -> None:
    """Run a job in the background."""
    _end_with_the_program()
    _alive.add(job)
    job.when_ended(lambda: _alive.discard(job))
    thread = backend.thread(job.run_in_background, f"rxspark-{job.record.id}")
    if thread is None:
        _line.join(job)
    else:
        thread.start()


@cache
def _end_with_the_program() -> None:
    """See to it that no job outlives the program; once, and after the libraries that the first job has loaded."""
    atexit.register(_cancel_all, os.getpid())


def _cancel_all(owner: int) -> None:
    jobs = list(_alive) if os.getpid() == owner else []  # a forked child has a copy of what is not its own
    for job in jobs:
        job.cancel("the program that ran it has ended")
    for job in jobs:
        job.wait(_PATIENCE)
