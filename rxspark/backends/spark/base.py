"""The engine of Spark that classic sessions and Spark Connect share: how a job is watched and judged."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from rxspark.backends.base import Attempt, Outcome, plain_interrupts
from rxspark.backends.engine_errors import (
    IDLE,
    cause_without_jvm,
    full_text,
    host_in,
    idle_hint,
    memory_hint,
    reason,
    with_java,
)
from rxspark.backends.spark.grouped import GroupedTable
from rxspark.backends.spark.preflight import Preflight, start_problem
from rxspark.data.shared_files import process_folder
from rxspark.errors import RxCanceledError, RxContextError, RxError
from rxspark.files.paths import FsPath
from rxspark.serialize.payload import Requirements
from rxspark.worker.delivery import ResultSink

__all__ = ["MAX_RESULT_SIZE", "SparkEngine", "result_sink", "slots_to_come", "submit_lock"]

MAX_RESULT_SIZE = "spark.driver.maxResultSize"

submit_lock = threading.Lock()
"""Pickling of commands and registering of broadcasts share state inside the SparkContext."""

# Bytes of the largest message: Java's arrays end at 2 GB, and some bytes are for what is around it.
_MESSAGE_LIMIT = (1 << 31) - (1 << 20)

# Slots that an application without a limit of its own is thought to grow to: Spark asks for executors as long as
# partitions wait, and each partition costs 10 ms of a slot, whether the others come or not.
_SLOTS_TO_COME = 256

# Seconds between looks at whether the caller was interrupted, while Spark works.
_POLL_INTERVAL_S = 0.2

# What Spark says when the Python on an executor did not come to run our code.
_NO_START = ("PythonException", "exception was thrown from the Python worker", "Error from python worker")

# What Spark says when executors or their workers died, and when the results of one job passed the limit that the
# driver has for them; those that it had delivered by then are here.
_TRY_AGAIN = ("Python worker exited unexpectedly", "ExecutorLostFailure", MAX_RESULT_SIZE, IDLE)

_FULL = "No space left on device"

_LOCAL_DIR = "spark.local.dir"

_CANCELLED = ("cancelled", "OPERATION_CANCELED")

_STOPPED = "the Spark session was stopped while the call ran; call again: RxSpark() then starts a new one"


class SparkEngine(ABC):
    """Runs calls as jobs of one Spark session: the part of a backend that does not depend on the kind of session."""

    partitions_per_slot = 3  # one costs some 10 ms of its slot; three leave a slot idle for at most a third of its work
    draws_bar = False
    runs_jobs_side_by_side = True
    same_host = False
    process_environment: bytes | None = None
    journals: str | None = None

    table: GroupedTable | None = None
    """The table whose groups of rows are the tasks, if they are."""
    preflight: Preflight
    _foreign: tuple[type[BaseException], ...] = ()
    """Exceptions by which the engine gives up a job."""

    @abstractmethod
    def check(self, requirements: Requirements) -> None:
        """Make sure that the executors have what a call needs."""

    def run(self, attempt: Attempt) -> Outcome:
        if self._has_ended():
            raise RxContextError(_STOPPED)
        outcome: Future[str] = Future()

        def submit() -> None:
            try:
                outcome.set_result(self._submit(attempt))
            except BaseException as error:
                outcome.set_exception(error)

        # A thread of its own: what names a job to Spark belongs to the thread that submits it, and the caller's own
        # thread stays free to be interrupted.
        thread = self._thread(submit, f"rxspark-{attempt.call_id}")
        with self._listening(attempt), plain_interrupts():
            thread.start()
            while thread.is_alive():
                thread.join(_POLL_INTERVAL_S)
                if attempt.cancelled.is_set():  # again, as the first time may have been just before Spark had the job
                    self.cancel(attempt)
                self._look_after_link()
        error = outcome.exception()
        if error is None:
            return Outcome(outcome.result())
        return Outcome() if attempt.cancelled.is_set() else self._judge(attempt, error)

    @abstractmethod
    def cancel(self, attempt: Attempt) -> None:
        """End what still runs of an attempt."""

    @abstractmethod
    def _has_ended(self) -> bool:
        """Tell whether the session was stopped, by this program or by Spark."""

    @abstractmethod
    def _thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        """A thread that may submit jobs."""

    @abstractmethod
    def _listening(self, attempt: Attempt) -> AbstractContextManager[None]:
        """Take the results that come for an attempt, in this time."""

    def _look_after_link(self) -> None:  # noqa: B027 - the classic engine tells by itself
        """Raise if Spark can be reached no longer and would not tell of it."""

    @abstractmethod
    def _submit(self, attempt: Attempt) -> str:
        """Run the job; return at its end, with the reason why partitions could not be given to any executor."""

    def _run_windows(self, attempt: Attempt, run: Callable[[Attempt], str]) -> str:
        """Run partitions by jobs of Spark: all that there are by one, and those that come later by two in turn.

        While the last tasks of one job run, those of the other have the slots that are free.
        """
        if not attempt.window:
            return run(attempt)
        other: Future[None] = Future()
        stopped = threading.Event()

        def run_more() -> None:
            while not (stopped.is_set() or attempt.cancelled.is_set()):
                partitions = attempt.more(_POLL_INTERVAL_S)
                if partitions is None:
                    return
                if partitions:
                    run(replace(attempt, partitions=partitions))

        def run_beside() -> None:
            try:
                run_more()
                other.set_result(None)
            except BaseException as error:
                stopped.set()
                other.set_exception(error)

        beside = self._thread(run_beside, f"rxspark-{attempt.call_id}-2")
        beside.start()
        try:
            run(attempt)
            run_more()
        finally:
            stopped.set()
            beside.join()
        other.result()
        return ""

    @abstractmethod
    def _setting(self, name: str, default: str) -> str:
        """A setting of the session."""

    def _judge(self, attempt: Attempt, error: BaseException) -> Outcome:
        """Raise what no second attempt would mend; tell what one may: lost workers, too much at once for the driver."""
        if self._has_ended():
            raise RxContextError(_STOPPED) from cause_without_jvm(error)
        if not isinstance(error, self._foreign):
            raise error
        text = full_text(error)
        if any(sign in text for sign in _TRY_AGAIN):
            return Outcome(reason(text) + memory_hint(text) + idle_hint(text), MAX_RESULT_SIZE in text)
        problem: RxError
        # Our runner raises no error of the user's, so it is the worker's set-up.
        if any(sign in text for sign in _NO_START):
            problem = start_problem(text)
        elif _FULL in text:
            folder = f"{_LOCAL_DIR}={self._setting(_LOCAL_DIR, '/tmp')}"
            problem = RxContextError(
                f"{host_in(text) or 'a host'} has no room for the call's data ({attempt.program.size} bytes) where "
                f"Spark keeps its files ({folder}): {reason(text)}. Make room there, name another folder, or give "
                f"RxSpark an hdfsShareDir, from which hosts without room read into memory"
            )
        elif any(sign in text for sign in _CANCELLED):
            problem = RxCanceledError(f"the Spark job was cancelled from elsewhere: {reason(text)}")
        else:
            problem = RxContextError(f"Spark could not run the call: {reason(text)}{memory_hint(text)}")
        raise with_java(problem, error) from cause_without_jvm(error)


@contextlib.contextmanager
def result_sink(
    call_id: str, shared: FsPath | None, here: Path | None, most: int, setting: str
) -> Iterator[ResultSink]:
    """Return the way home of a call's large results: a folder on this host or of the cluster.

    Without either, Spark itself brings `most` bytes in one job, 0 without limit, as `setting` says.
    """
    largest = min(most - most // 16 if most else _MESSAGE_LIMIT, _MESSAGE_LIMIT)  # some kilobytes are Spark's own
    if here is not None:
        yield ResultSink(str(here), on_this_host=True, largest=largest, limit=setting)
        return
    folder = process_folder(shared) / call_id if shared else None
    try:
        yield ResultSink(str(folder) if folder else None, largest=largest, limit=setting)
    finally:
        if folder is not None:
            # What attempts have left that were given up; whatever kept the call from its end, it comes first.
            with contextlib.suppress(OSError):
                folder.fs.rm(folder.path, recursive=True)


def slots_to_come(setting: Callable[[str, str], str]) -> int:
    """Return how many tasks run at once when the application has all executors that its settings ask for; 0 if unknown.

    >>> slots_to_come({"spark.executor.instances": "4", "spark.executor.cores": "2"}.get)
    8
    """
    cores = int(setting("spark.executor.cores", "1")) // int(setting("spark.task.cpus", "1"))
    if setting("spark.dynamicAllocation.enabled", "false").lower() != "true":
        return int(setting("spark.executor.instances", "0")) * cores
    return min(int(setting("spark.dynamicAllocation.maxExecutors", str(_SLOTS_TO_COME))) * cores, _SLOTS_TO_COME)
