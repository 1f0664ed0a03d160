"""Calls that are waited for; jobs in the background, each in a thread, or, on this machine, one after another."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from functools import partial

from rxspark.backends.base import Backend
from rxspark.errors import RxCombineError
from rxspark.jobs.callbacks import wait_for_callbacks
from rxspark.jobs.gathering import AnyResults, Gathering
from rxspark.jobs.job import Job

__all__ = ["run_and_gather", "start"]

# Seconds that the end of the program waits for cancelled jobs to let go of their workers.
END_TIMEOUT_S = 10.0

# Seconds between heartbeats; after twelve of them without one, others may take a job for dead.
HEARTBEAT_INTERVAL_S = 5.0

_alive: set[Job] = set()


class JobQueue:
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
                threading.Thread(target=self._serve, name="rxspark-queue", daemon=True).start()

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._serving = False
                    return
                job = self._jobs.popleft()
            job.run_in_background()


_queue = JobQueue()


class HeartbeatThread:
    """Writes the heartbeats of jobs that other processes can find; the thread runs as long as one of them does."""

    def __init__(self) -> None:
        self._jobs: set[Job] = set()
        self._changed = threading.Condition()
        self._beating = False

    def add(self, job: Job) -> None:
        with self._changed:
            self._jobs.add(job)
            if not self._beating:
                self._beating = True
                threading.Thread(target=self._write_heartbeats, name="rxspark-heartbeat", daemon=True).start()
        job.when_ended(lambda: self._remove(job))

    def _remove(self, job: Job) -> None:
        with self._changed:
            self._jobs.discard(job)
            self._changed.notify_all()

    def _write_heartbeats(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._jobs, HEARTBEAT_INTERVAL_S)
                if not self._jobs:
                    self._beating = False
                    return
                jobs = list(self._jobs)
            for job in jobs:
                job.write_heartbeat()


_heartbeat = HeartbeatThread()


def _begin_anew() -> None:
    """In a forked process: no job runs, and no thread serves any."""
    global _queue, _heartbeat, _program_ends
    _queue, _heartbeat, _program_ends = JobQueue(), HeartbeatThread(), threading.Event()
    _alive.clear()


os.register_at_fork(after_in_child=_begin_anew)


def keep_alive(job: Job) -> None:
    """See to it that other processes which find the job know, until its end, that it is alive."""
    if job.folder is not None:
        _heartbeat.add(job)


def start(job: Job) -> None:
    """Run a job in the background: at once, or when those before it on this machine have ended."""
    _end_with_the_program(job.backend)
    keep_alive(job)
    _alive.add(job)
    job.when_ended(lambda: _alive.discard(job))
    if _program_ends.is_set():
        job.cancel(_END)
    if job.backend.runs_jobs_side_by_side:
        job.backend.new_thread(job.run_in_background, f"rxspark-{job.record.id}").start()
    else:
        _queue.join(job)


_END = "the program that ran it has ended"
_program_ends = threading.Event()
_seen_to: set[tuple[int, type[Backend]]] = set()


def _end_with_the_program(backend: Backend) -> None:
    """See to it that no job outlives the program."""
    key = os.getpid(), type(backend)
    if key not in _seen_to:
        _seen_to.add(key)
        backend.at_exit(partial(_cancel_all, os.getpid()))


def _cancel_all(owner: int) -> None:
    if os.getpid() != owner:  # a forked child has a copy of what is not its own
        return
    _program_ends.set()  # a callback of one of them may submit another one
    jobs = list(_alive)
    for job in jobs:
        job.cancel(_END)
    for job in jobs:
        job.wait(END_TIMEOUT_S)
    wait_for_callbacks(END_TIMEOUT_S)


def run_and_gather(job: Job) -> AnyResults:
    """Wait for the results of a call; what ends it early, an error or Ctrl-C, carries what had finished."""
    keep_alive(job)
    gathering = None
    try:
        job.run()
        gathering = Gathering(job.record, job.partition_results(), keep=False)
        results = gathering.results(job.record.clock(job.ended))
    except BaseException as end:
        if gathering is not None:
            job.mark_unfetched()
        gathering = gathering or Gathering(job.record, job.partition_results())
        with contextlib.suppress(RxCombineError):  # there is no value then
            end.results = gathering.results(job.record.clock(job.ended))  # type: ignore[attr-defined]
        raise
    job.mark_fetched(remove=job.record.auto_cleanup)
    return results
