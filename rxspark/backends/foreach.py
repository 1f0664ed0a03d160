"""RxForeachDoPar: the tasks run on the joblib backend that is active or registered."""

from __future__ import annotations

import copy
import inspect
import logging
import os
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import joblib
import joblib.externals.loky.reusable_executor

from rxspark.backends.base import (
    Attempt,
    LocalEnvironment,
    Outcome,
    caller_environment,
    in_main_thread,
    starting_workers,
)
from rxspark.backends.engine_errors import reason
from rxspark.backends.joblib_hosts import workers_are_here
from rxspark.backends.local import BackgroundBackend, before_workers_are_waited_for
from rxspark.backends.sequential import interrupts_told_apart
from rxspark.concurrency import once
from rxspark.data.local_files import local_folder
from rxspark.data.stores import InlineStore, LocalStore
from rxspark.errors import RxArgumentError, RxContextError, RxError, closest
from rxspark.worker.console import give_back_descriptors
from rxspark.worker.delivery import ResultMessage, ResultSink
from rxspark.worker.hash_seed import HASH_SEED, call_hash_seed
from rxspark.worker.program import forget
from rxspark.worker.results import CallerInterrupt
from rxspark.worker.retirement import warn_of_unrestored
from rxspark.worker.runner import PartitionRunner

__all__ = ["ForeachBackend", "ForeachInBackground", "default_backend"]

logger = logging.getLogger("rxspark")

# Seconds between looks at `attempt.cancelled` while a cluster works.
_POLL_INTERVAL_S = 0.1


class ForeachBackend(LocalEnvironment):
    """Hands partitions to `joblib.Parallel`, which knows the backend and the number of workers."""

    partitions_per_slot = 8

    def __init__(self, share_dir: str | None) -> None:
        self._share_dir = share_dir
        self.process_environment = caller_environment()
        self._look_where_workers_are(_active_backend())

    def _look_where_workers_are(self, backend: Any) -> None:
        self.same_host = _is_joblibs_own(backend) or workers_are_here(backend)
        self.journals = str(local_folder(self._share_dir)) if self.same_host else None

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        _refuse_misspelt(options)
        backend = {"backend": options["backend"]} if "backend" in options else {}
        with _rejected_options(options), joblib.parallel_config(**backend):
            _parallel(options)
            workers: int = joblib.effective_n_jobs(options.get("n_jobs"))
            self._look_where_workers_are(_active_backend())
        if workers == 1 < tasks and "n_jobs" not in options:
            _say_that_nothing_is_parallel()
        return max(1, min(tasks, workers))

    def run(self, attempt: Attempt) -> Outcome:
        # A shareDir, of which users know that all hosts reach it, serves workers elsewhere as it does those here.
        by_file = self.same_host or self._share_dir is not None
        with LocalStore(self._share_dir) if by_file else InlineStore() as store, interrupts_told_apart():
            backend = attempt.foreach_options.get("backend", _active_backend())
            run = PartitionRunner(
                program=store.put(attempt.program, attempt.stored_program),
                sink=ResultSink(by_file=self.same_host),
                attempt=attempt.number,
                process_environment=self.process_environment,
                in_children=not _is_joblibs_own(backend),
                owns_descriptors=in_main_thread(),
            )
            tasks = (joblib.delayed(run)(store.put_partition(data)) for _, data in attempt.partitions)
            with starting_workers():
                answers = _start(_parallel(attempt.foreach_options), tasks)
            return Outcome(self._deliver(answers, attempt))

    def _deliver(self, answers: Iterator[ResultMessage], attempt: Attempt) -> str:
        """Deliver results as they come; return why some did not."""
        try:
            while not attempt.cancelled.is_set() and (message := _next(answers)) is not None:
                attempt.deliver(message)
        except BrokenProcessPool as error:
            return str(error)
        except BaseException as error:
            if isinstance(error, CallerInterrupt):
                for packed in error.finished:  # of tasks that run in this very thread
                    attempt.deliver(packed)
            give_back_descriptors(attempt.call_id)  # what runs in threads of this process runs on for a while
            raise
        finally:
            _end(answers)
            warn_of_unrestored()
            forget()  # joblib's threads are in this process
        return ""

    def cancel(self, attempt: Attempt) -> None:
        """Do nothing more: `run` looks at `attempt.cancelled`, and closing joblib's generator ends its workers."""

    def at_exit(self, end: Callable[[], None]) -> None:
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

    def run(self, attempt: Attempt) -> Outcome:
        if not _is_joblibs_own(attempt.foreach_options.get("backend", self._settings["backend"])):
            return self._run_on_a_cluster(attempt)
        with joblib.parallel_config(**self._settings):
            workers = self.slots(attempt.width, attempt.foreach_options)
        return BackgroundBackend(self._share_dir, 1, workers).run(attempt)

    def _run_on_a_cluster(self, attempt: Attempt) -> Outcome:
        """In one more thread: joblib is waited for without end, and a job that is cancelled ends now.

        That thread takes back what has not begun as soon as joblib lets it. What has begun goes on to its end, as
        neither dask nor Ray lets others end it.
        """
        outcome: Future[Outcome] = Future()

        def run() -> None:
            try:
                with joblib.parallel_config(**self._settings):
                    outcome.set_result(super(ForeachInBackground, self).run(attempt))
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=run, name=f"rxspark-{attempt.call_id}", daemon=True).start()
        while not (attempt.cancelled.is_set() or outcome.done()):
            wait([outcome], _POLL_INTERVAL_S)
        return outcome.result() if outcome.done() else Outcome()


# Held while joblib makes its pool of processes, of which it gives a thread that asks meanwhile one half made.
_starting = threading.Lock()


def _start(parallel: Any, tasks: Iterator[Any]) -> Iterator[ResultMessage]:
    """Begin to run tasks; where joblib gives results as they come, this does not wait for them."""
    if not isinstance(parallel._backend, joblib.parallel.LokyBackend):
        return iter(parallel(tasks))  # without the lock: a cluster that has gone is waited for without end
    with _starting, _hash_seed_for_new_workers():
        answers: Iterator[ResultMessage] = iter(parallel(tasks))
        pool = joblib.externals.loky.reusable_executor._executor
        if pool is not None:  # also for the workers that it starts later, in the place of some that have died
            pool._env = {**(pool._env or {}), HASH_SEED: call_hash_seed()}
    return answers


@contextmanager
def _hash_seed_for_new_workers() -> Iterator[None]:
    """Let the processes that start meanwhile have the hash seed of calls."""
    before = os.environ.get(HASH_SEED)
    os.environ[HASH_SEED] = call_hash_seed()
    try:
        yield
    finally:
        os.environ.pop(HASH_SEED, None)
        if before is not None:
            os.environ[HASH_SEED] = before


_of_the_parent: list[Any] = []


def _forget_joblibs_pool() -> None:
    """In a forked process: joblib shall make workers of its own, as those that there are work for the parent."""
    global _starting
    _starting = threading.Lock()
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


def _next(answers: Iterator[ResultMessage]) -> ResultMessage | None:
    """The next answer, None when there are no more."""
    try:
        return next(answers, None)
    except (BrokenProcessPool, RxError):
        raise
    except Exception as error:  # of the cluster behind joblib: what tasks raise comes home in results
        raise RxContextError(f"joblib's backend has given up: {type(error).__name__}: {error}") from error


def _is_joblibs_own(backend: Any) -> bool:
    """Tell whether its workers run nothing but tasks. Those of a cluster have threads that draw from `random` too."""
    if isinstance(backend, str):
        return backend in ("loky", "multiprocessing", "threading", "sequential")
    # Anything else than a backend, be it None or joblib's mark for what was not set, stands for its default, loky.
    is_backend = isinstance(backend, joblib.parallel.ParallelBackendBase)
    return not is_backend or type(backend).__module__ == "joblib._parallel_backends"


def _end(answers: Iterator[ResultMessage]) -> None:
    """End what still runs; joblib warns that this wastes work, which is what the caller has asked for."""
    if isinstance(answers, Generator):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            answers.close()


def _refuse_misspelt(options: Mapping[str, Any]) -> None:
    """Find misspelt options: joblib hands on to the backend whatever it does not know itself."""
    known = inspect.signature(joblib.Parallel).parameters
    for name in options:
        guess = None if name in known else closest(name, known)
        if guess is not None:
            raise RxArgumentError(f"foreachOpts: joblib.Parallel has no {name!r}; did you mean {guess!r}?")


@contextmanager
def _rejected_options(options: Mapping[str, Any]) -> Iterator[None]:
    """Name the options of which joblib says that they are wrong."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if not options:
            raise
        raise RxArgumentError(f"foreachOpts={options!r}: joblib refuses this: {reason(str(error))}") from error


def _parallel(options: Mapping[str, Any]) -> Any:
    """Make joblib's object for a call, of one partition a batch; results come as they are there, if they can."""
    options = {"batch_size": 1, **options}
    try:
        return joblib.Parallel(**{**options, "return_as": "generator_unordered"})
    except ValueError:  # multiprocessing cannot hand over results one by one; bad options are refused here again
        return joblib.Parallel(**options)
