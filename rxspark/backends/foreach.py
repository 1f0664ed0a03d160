"""RxForeachDoPar: the tasks run on the joblib backend that is active or registered."""

from __future__ import annotations

import copy
import inspect
import logging
import os
import socket
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import joblib
import joblib.externals.loky.reusable_executor

from rxspark.backends.base import Work, here, in_main_thread, starting_workers
from rxspark.backends.engine_errors import reason
from rxspark.backends.joblib_hosts import workers_are_here
from rxspark.backends.local import BackgroundBackend, before_workers_are_waited_for
from rxspark.backends.sequential import interrupts_told_apart
from rxspark.data.local_files import local_folder
from rxspark.data.stores import InlineStore, LocalStore
from rxspark.errors import RxArgumentError, RxContextError, RxError, closest
from rxspark.once import once
from rxspark.worker.console import give_back_descriptors
from rxspark.worker.hash_seed import HASH_SEED, call_hash_seed
from rxspark.worker.leaving import say_what_stays
from rxspark.worker.program import forget
from rxspark.worker.results import CallerInterrupt
from rxspark.worker.runner import run_partition

__all__ = ["ForeachBackend", "ForeachInBackground", "default_backend"]

logger = logging.getLogger("rxspark")

# Seconds between looks at `work.cancelled` while a cluster works.
_POLL = 0.1


class ForeachBackend:
    """Hands partitions to `joblib.Parallel`, which knows the backend and the number of workers."""

    partitions_per_slot = 8
    draws_bar = False

    def __init__(self, share_dir: str | None) -> None:
        self._share_dir = share_dir
        self.process_environment: bytes | None = here()
        self._look_where_workers_are(_active_backend())

    def _look_where_workers_are(self, backend: Any) -> None:
        self.same_host = _is_joblibs_own(backend) or workers_are_here(backend)
        self.journals: str | None = str(local_folder(self._share_dir)) if self.same_host else None

    def slots(self, tasks: int, options: dict[str, Any]) -> int:
        _refuse_misspelt(options)
        backend = {"backend": options["backend"]} if "backend" in options else {}
        with _told(options), joblib.parallel_config(**backend):
            _parallel(options)
            workers: int = joblib.effective_n_jobs(options.get("n_jobs"))
            self._look_where_workers_are(_active_backend())
        if workers == 1 < tasks and "n_jobs" not in options:
            _say_that_nothing_is_parallel()
        return max(1, min(tasks, workers))

    def nodes(self) -> list[str]:
        return [socket.gethostname()]

    def prepare(self, kind: str, modules: Iterable[str]) -> None:
        """Nothing to do: the workers have what this process has."""

    def run(self, work: Work) -> None:
        # A shareDir, of which users know that all hosts reach it, serves workers elsewhere as it does those here.
        by_file = self.same_host or self._share_dir is not None
        with LocalStore(self._share_dir) if by_file else InlineStore() as carrier, interrupts_told_apart():
            call, parts = carrier.call(work.call, work.kept), map(carrier.partition, work.partitions)
            apart = not _is_joblibs_own(work.options.get("backend", _active_backend()))
            run, alone = joblib.delayed(run_partition), in_main_thread()
            tasks = (run(call, part, work.attempt, apart, self.process_environment, alone) for part in parts)
            with _hash_seed_for_new_workers, starting_workers():
                answers = iter(_parallel(work.options)(tasks))
            try:
                while not work.cancelled.is_set() and (packed := _next(answers)) is not None:
                    work.deliver(packed)
            except BrokenProcessPool as error:
                work.trouble = str(error)
            except BaseException as error:
                if isinstance(error, CallerInterrupt):
                    for packed in error.finished:  # of tasks that run in this very thread
                        work.deliver(packed)
                give_back_descriptors(work.id)  # what runs in threads of this process runs on for a while
                raise
            finally:
                _end(answers)
                say_what_stays()
                forget()  # joblib's threads are in this process

    def cancel(self, work: Work) -> None:
        """Nothing more to do: `run` looks at `work.cancelled`, and closing joblib's generator ends its workers."""

    def thread(self, run: Callable[[], None], name: str) -> threading.Thread | None:
        return None

    def at_the_end(self, end: Callable[[], None]) -> None:
        before_workers_are_waited_for(end)


class ForeachInBackground(ForeachBackend):
    """For jobs in the background: on the joblib backend that was active, or asked for, when the job was submitted.

    Joblib's own backends are pools of this process, or threads in it, which blocking calls share: in their place
    comes the background pool, with as many workers as joblib has.
    """

    def __init__(self, share_dir: str | None) -> None:
        super().__init__(share_dir)
        with joblib.parallel_config() as settings:  # what is active in this thread, as a dict of its arguments
            self._settings = dict(settings)
        if not _is_joblibs_own(self._settings["backend"]):
            # One of its own for each job: when a call ends early, joblib drops all that its object still waits for.
            self._settings["backend"] = copy.copy(self._settings["backend"])

    def run(self, work: Work) -> None:
        if not _is_joblibs_own(work.options.get("backend", self._settings["backend"])):
            self._run_on_a_cluster(work)
            return
        with joblib.parallel_config(**self._settings):
            workers = self.slots(len(work.partitions), work.options)
        BackgroundBackend(self._share_dir, 1, workers).run(work)

    def _run_on_a_cluster(self, work: Work) -> None:
        """In one more thread: joblib is waited for without end, and a job that is cancelled ends now.

        That thread takes back what has not begun as soon as joblib lets it. What has begun goes on to its end, as
        neither dask nor Ray lets others end it.
        """
        outcome: list[BaseException] = []

        def run() -> None:
            try:
                with joblib.parallel_config(**self._settings):
                    super(ForeachInBackground, self).run(work)
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=run, name=f"rxspark-{work.id}", daemon=True)
        thread.start()
        while thread.is_alive() and not work.cancelled.is_set():
            thread.join(_POLL)
        if outcome:
            raise outcome[0]


_of_the_parent: list[Any] = []


def _forget_joblibs_pool() -> None:
    """In a forked process: joblib shall make workers of its own, as those that there are work for the parent."""
    pools = joblib.externals.loky.reusable_executor
    _of_the_parent.append(pools._executor)  # never collected, which would close pipes of the parent
    pools._executor = pools._executor_kwargs = None
    pools._executor_lock = threading.RLock()


os.register_at_fork(after_in_child=_forget_joblibs_pool)


@once
def _say_that_nothing_is_parallel() -> None:
    logger.warning(
        "RxForeachDoPar: joblib has one worker here, so that tasks run one after another. To run n at once: "
        'with joblib.parallel_config("loky", n_jobs=n): rxExec(...), or foreachOpts={"n_jobs": n}'
    )


def default_backend() -> tuple[str, int, int]:
    """Default of calls without `foreachOpts`: joblib's backend, its workers, and how many there could be."""
    backend, _ = joblib.parallel.get_active_backend()
    return type(backend).__name__.removesuffix("Backend"), joblib.effective_n_jobs(None), joblib.cpu_count()


def _active_backend() -> Any:
    """The backend that is active in this thread: its name, or an object of joblib's or of whoever made it."""
    with joblib.parallel_config() as settings:
        return dict(settings)["backend"]


def _next(answers: Iterator[bytes]) -> bytes | None:
    """The next answer, None when there are no more."""
    try:
        return next(answers, None)
    except (BrokenProcessPool, RxError):
        raise
    except Exception as error:  # of the cluster behind joblib: what tasks raise comes home in results
        raise RxContextError(f"joblib's backend has given up: {type(error).__name__}: {error}") from error


def _is_joblibs_own(backend: Any) -> bool:
    """Whether its workers run nothing but tasks. Those of a cluster have threads that draw from `random` too."""
    if isinstance(backend, str):
        return backend in ("loky", "multiprocessing", "threading", "sequential")
    # Anything else than a backend, be it None or joblib's mark for what was not set, stands for its default, loky.
    is_backend = isinstance(backend, joblib.parallel.ParallelBackendBase)
    return not is_backend or type(backend).__module__ == "joblib._parallel_backends"


class _HashSeedForNewWorkers:
    """Let the processes that joblib starts meanwhile have the hash seed of calls, whatever threads ask at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: str | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before = os.environ.get(HASH_SEED)
                os.environ[HASH_SEED] = call_hash_seed()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                os.environ.pop(HASH_SEED, None)
                if self._before is not None:
                    os.environ[HASH_SEED] = self._before


_hash_seed_for_new_workers = _HashSeedForNewWorkers()


def _end(answers: Iterator[bytes]) -> None:
    """End what still runs; joblib warns that this wastes work, which is what the caller has asked for."""
    if isinstance(answers, Generator):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            answers.close()


def _refuse_misspelt(options: dict[str, Any]) -> None:
    """Find misspelt options: joblib hands on to the backend whatever it does not know itself."""
    known = inspect.signature(joblib.Parallel).parameters
    for name in options:
        guess = None if name in known else closest(name, known)
        if guess is not None:
            raise RxArgumentError(f"foreachOpts: joblib.Parallel has no {name!r}; did you mean {guess!r}?")


@contextmanager
def _told(options: dict[str, Any]) -> Iterator[None]:
    """Name the options of which joblib says that they are wrong."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if not options:
            raise
        raise RxArgumentError(f"foreachOpts={options!r}: joblib refuses this: {reason(str(error))}") from error


def _parallel(options: dict[str, Any]) -> Any:
    try:
        return joblib.Parallel(**{"return_as": "generator_unordered", "batch_size": 1, **options})
    except ValueError:  # multiprocessing cannot hand over results one by one; bad options are refused here again
        return joblib.Parallel(**{"batch_size": 1, **options})
