"""RxLocalParallel: worker processes on this machine, by loky."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import multiprocessing.util
import os
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import loky
import loky.reusable_executor
from loky.process_executor import ShutdownExecutorError

from rxspark.backends.base import Attempt, LocalEnvironment, Outcome, caller_environment, starting_workers
from rxspark.backends.batches import Batches, BatchRun, run_batch
from rxspark.concurrency import once
from rxspark.data.local_files import local_folder
from rxspark.data.stores import DataStore, LocalStore
from rxspark.errors import RxContextError
from rxspark.options import rxGetOption
from rxspark.serialize.partition_payload import PartitionPayload
from rxspark.worker.delivery import ResultSink
from rxspark.worker.hash_seed import HASH_SEED, call_hash_seed
from rxspark.worker.process_state import working_directory
from rxspark.worker.runner import PartitionRunner

__all__ = ["BackgroundBackend", "LocalBackend", "before_workers_are_waited_for"]

# Seconds after which idle workers end.
_IDLE_TIMEOUT_S = 300

# Seconds between a worker's looks at whether its parent is still there.
_WATCH_INTERVAL_S = 1.0

# Seconds between looks at `attempt.cancelled` while workers are busy.
_POLL_INTERVAL_S = 0.1

# Where Linux keeps what processes share by name.
_SHARED_MEMORY = "/dev/shm"


class _PoolSize(threading.local):
    """The number of worker processes in the pool of a thread."""

    workers = 0


_held = _PoolSize()


class LocalBackend(LocalEnvironment):
    """A pool of processes for each thread that makes calls, made at its first one and kept as long as the thread.

    Threads do not share a pool: a call that ends early, or a task that takes its worker down, ends all that loky's pool
    runs, and the calls of other threads would run again what they had begun.
    """

    partitions_per_slot = 8  # short ones share jobs; eight leave a slot idle for at most an eighth of its work

    def __init__(self, share_dir: str | None, threads: int) -> None:
        self._share_dir = share_dir
        self._threads = threads
        self._executor: Any = None
        self.process_environment = caller_environment()
        self.journals = str(local_folder(share_dir))

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        return max(1, min(tasks, _allowed() // self._threads))

    def run(self, attempt: Attempt) -> Outcome:
        with LocalStore(self._share_dir) as store:
            run = PartitionRunner(
                program=store.put(attempt.program, attempt.stored_program),
                sink=ResultSink(),
                attempt=attempt.number,
                process_environment=self.process_environment,
            )
            with starting_workers(), _as_no_daemon():
                workers = self.slots(attempt.width, {})
                with _semaphores():
                    self._executor = self._pool(workers)
                return Outcome(self._run_all(run, attempt, Batches(workers)))

    def _run_all(self, run: PartitionRunner, attempt: Attempt, batches: Batches) -> str:
        """Submit partitions and deliver their results, both as they come; return why some results did not."""
        lost_reason = ""
        running: _Running = {}
        coming: Sequence[PartitionPayload] | None = attempt.partitions
        try:
            while (running or batches or coming is not None) and not attempt.cancelled.is_set():
                batches.add(coming or ())
                try:
                    self._submit(run, batches, running)
                    done, _ = wait(running, timeout=_POLL_INTERVAL_S, return_when=FIRST_COMPLETED)
                    while done:  # no name here for a future: each holds what its partitions gave until it is let go of
                        batch, store = running.pop(next(iter(done)))
                        store.close()
                        _deliver(attempt, batches, batch, done.pop().result())
                except (BrokenProcessPool, CancelledError, ShutdownExecutorError) as error:
                    lost_reason, coming = str(error), None
                    batches.clear()
                if coming is not None:
                    coming = attempt.more(0.0 if running else _POLL_INTERVAL_S)
        finally:
            for _, store in running.values():
                store.close()
        return lost_reason

    def _submit(self, run: PartitionRunner, batches: Batches, running: _Running) -> None:
        """Give the workers batches to run."""
        while batches and len(running) < batches.most:
            batch, store = batches.take(), LocalStore(self._share_dir)  # its files go as soon as they have run
            try:
                data = [store.put_partition(partition.data) for partition in batch]
                running[self._executor.submit(run_batch, run, data)] = batch, store
            except BaseException:
                store.close()
                raise

    def cancel(self, attempt: Attempt) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)

    def at_exit(self, end: Callable[[], None]) -> None:
        before_workers_are_waited_for(end)

    def _pool(self, workers: int) -> Any:
        return _reusable_pool(workers, exactly=self._threads > 1)  # no more at once than there are cores for


_Running = dict["Future[BatchRun]", tuple[list[PartitionPayload], DataStore]]
"""What runs: for each job of the pool its batch, and the store with the files of that."""


def _deliver(attempt: Attempt, batches: Batches, batch: list[PartitionPayload], ran: BatchRun) -> None:
    batches.note(batch, ran)
    for message in ran.messages:
        attempt.deliver(message)


class BackgroundBackend(LocalBackend):
    """For jobs in the background, one at a time: a pool of their own, so that ending one ends no call's workers.

    Parameters
    ----------
    share_dir : str or None
        Where files of the call go.
    threads : int
        Threads of each task.
    workers : int or None
        Worker processes; None: as many as option and machine allow.
    """

    def __init__(self, share_dir: str | None, threads: int, workers: int | None) -> None:
        super().__init__(share_dir, threads)
        self._workers = workers

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        return min(super().slots(tasks, options), self._workers or tasks)

    def run(self, attempt: Attempt) -> Outcome:
        outcome = Outcome()
        try:
            outcome = super().run(attempt)
            return outcome
        finally:
            if attempt.cancelled.is_set() or outcome.lost_reason:
                _end_background_pool()

    def cancel(self, attempt: Attempt) -> None:
        """Do nothing from outside: `run` looks at `attempt.cancelled` and ends the workers."""

    def _pool(self, workers: int) -> Any:
        return _background_pool(workers)


@contextmanager
def _semaphores() -> Iterator[None]:
    """Name the folder of the semaphores that a pool shares with its workers where they cannot be made in it."""
    try:
        yield
    except OSError as error:
        if working_directory() is None:
            raise
        raise RxContextError(
            f"{socket.gethostname()}: no worker processes can be started: the semaphores that they share with this "
            f"process cannot be made in {_SHARED_MEMORY}: {error.strerror}. Make room there (a container is given more "
            f"by `docker run --shm-size=256m`), or use RxLocalSeq(), which starts none"
        ) from error


@contextmanager
def _as_no_daemon() -> Iterator[None]:
    """Let a daemonic process of multiprocessing start workers, which it may not, as they could outlive it.

    Ours end with it: see `_end_with`.
    """
    config = getattr(multiprocessing.current_process(), "_config", {})
    daemon = config.pop("daemon", None)
    try:
        yield
    finally:
        if daemon is not None:
            config["daemon"] = daemon


def _allowed() -> int:
    """Worker processes that option and machine allow; affinity and control groups count."""
    asked: int = rxGetOption("numCoresToUse")
    cores: int = loky.cpu_count()
    return cores if asked == -1 else min(asked, cores)


def _reusable_pool(workers: int, exactly: bool) -> Any:
    """The pool of this thread; its processes stay, as starting one takes a third of a second, unless `exactly` so many.

    At once there are no more than are allowed now.
    """
    _held.workers = min(workers if exactly else max(_held.workers, workers), _allowed())
    pool = loky.get_reusable_executor(
        _held.workers, timeout=_IDLE_TIMEOUT_S, initializer=_end_with, initargs=(os.getpid(),), env=_environment()
    )
    _note(pool)
    return pool


def _environment() -> dict[str, str]:
    """Return what a worker must have in its environment as it starts."""
    return {HASH_SEED: call_hash_seed()}


_background: tuple[int, Any] = (0, None)


def _background_pool(workers: int) -> Any:
    """The pool of the background jobs, of exactly so many processes; what happens at the terminal is not for them."""
    global _background
    if _background[0] != workers:
        _end_background_pool()
        executor = loky.ProcessPoolExecutor(
            workers, timeout=_IDLE_TIMEOUT_S, initializer=_in_background, initargs=(os.getpid(),), env=_environment()
        )
        _note(executor)
        executor.submit(int)  # makes loky register that the end of the program waits for all that its workers have
        _register_ends(before_loky=True)
        _background = workers, executor
    return _background[1]


def _end_background_pool() -> None:
    global _background
    executor, _background = _background[1], (0, None)
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)


_pools: weakref.WeakSet[Any] = weakref.WeakSet()

# More than the 10 of multiprocessing's queues, which are finalized in the order of these numbers.
_BEFORE_QUEUES = 100


def _note(pool: Any) -> None:
    """End a pool of loky's in good time at the end of this process, if it is there then."""
    _pools.add(pool)
    _register_end_of_pools(os.getpid())


@once
def _register_end_of_pools(process: int) -> None:
    """Let the pools of this process end before multiprocessing takes away what their workers need to start.

    In a process that multiprocessing has made, it does so before Python calls `_call_ends` and loky's own like; a
    worker that is still starting then would not find its semaphores, and write a traceback to the console.
    """
    multiprocessing.util.Finalize(None, _end_pools, exitpriority=_BEFORE_QUEUES)


def _end_pools() -> None:
    _call_ends()
    for pool in list(_pools):
        pool.shutdown(wait=True)


_ends: list[Callable[[], None]] = []


def before_workers_are_waited_for(end: Callable[[], None]) -> None:
    """Call `end` at the end of the program, before loky waits until its workers have done all that they were given."""
    _ends.append(end)
    _register_ends(before_loky=False)  # the program may end before there is a pool


@once
def _register_ends(before_loky: bool) -> None:
    # As loky and concurrent.futures do it: `atexit` comes too late. What is registered last is called first.
    threading._register_atexit(_call_ends)  # type: ignore[attr-defined]


def _call_ends() -> None:
    for end in _ends:
        end()


def _in_background(parent: int) -> None:
    """Ctrl-C at the terminal goes to all processes behind it; a job in the background goes on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(parent)


_of_the_parent: list[Any] = []
"""Objects that a forked process must neither use nor collect: that would close pipes it shares with its parent."""


def _forget_pools() -> None:
    """In a forked process: have no workers, as those that there are work for the parent."""
    global _background
    storage = loky.reusable_executor._executor_storage
    _of_the_parent.extend([_background[1], storage.executor])
    storage.executor = storage.executor_kwargs = None
    _pools.clear()
    _held.workers, _background = 0, (0, None)
    for process in list(multiprocessing.process._children):  # type: ignore[attr-defined]
        if process._parent_pid != os.getpid():  # whose end Python would wait for, at the end of this one
            multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]


os.register_at_fork(after_in_child=_forget_pools)


def _end_with(parent: int) -> None:
    """In a worker: end soon after the process that made it, which kill -9 leaves no time to say so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_INTERVAL_S)
        os._exit(1)

    threading.Thread(target=watch, name="rxspark-watch", daemon=True).start()
