"""The interface between rxExec and the engines that run its partitions."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rxspark.data.bundle import Bundle
from rxspark.data.refs import RemoteFileRef
from rxspark.errors import RxContextError
from rxspark.serialize.payload import PartitionPayload, Requirements
from rxspark.worker.delivery import ResultMessage
from rxspark.worker.process_state import environment, removed_variables, working_directory
from rxspark.worker.protocol import ProcessEnvironment

__all__ = [
    "Attempt",
    "Backend",
    "LocalEnvironment",
    "Outcome",
    "caller_environment",
    "in_main_thread",
    "no_more",
    "plain_interrupts",
    "starting_workers",
]


def no_more(timeout: float) -> None:
    """Tell that there are no other partitions."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at the partitions of a call that have no results yet: all that a backend sees of it."""

    call_id: str
    description: str
    number: int
    """From 0; from the second attempt on tasks run in child processes of the workers."""
    program: Bundle
    partitions: Sequence[PartitionPayload]
    deliver: Callable[[ResultMessage], None]
    """Takes the results of one partition as soon as they are there, from any thread."""
    cancelled: threading.Event
    """Set when the rest is no longer wanted."""
    stored_program: RemoteFileRef | None = None
    """The program in the folder of the job, if it has one that workers may read."""
    nodes: Sequence[str] = ()
    """The node of each task, by the task's number and as `node_name` writes it; empty: they run anywhere."""
    foreach_options: Mapping[str, Any] = field(default_factory=dict)
    more: Callable[[float], Sequence[PartitionPayload] | None] = no_more
    """Gives partitions that can be run beside those that run, after at most so many seconds; None: there are none.

    A backend that does not ask is given them in another attempt."""
    window: int = 0
    """How many partitions there are at once if some are yet to come."""

    @property
    def width(self) -> int:
        """Number of partitions that run at once."""
        return max(self.window, len(self.partitions))

    @property
    def partition_nodes(self) -> list[str]:
        """The node of each partition."""
        return [self.nodes[numbers[0]] for numbers, _ in self.partitions]


@dataclass(frozen=True)
class Outcome:
    """The end of an attempt."""

    lost_reason: str = ""
    """Why partitions were not delivered."""
    result_limit_hit: bool = False
    """Because results filled what the engine may bring in one job; no worker has died."""


class Backend(Protocol):
    """Runs the partitions of calls for one compute context. Making one touches nothing outside of this process.

    Attributes
    ----------
    process_environment : bytes or None
        A pickle of `ProcessEnvironment` that workers of this machine take over from this process; None where they are
        on other machines.
    same_host : bool
        Whether all workers are on this machine.
    journals : str or None
        A folder of this process on the host of all workers, where they write down what they have finished; None where
        they are on other hosts, or tasks run in this process.
    partitions_per_slot : int
        How many partitions each slot gets when the call has no chunk size: more even out tasks of unequal length,
        fewer cost less.
    draws_bar : bool
        Whether the engine itself shows a progress bar in terminals.
    runs_jobs_side_by_side : bool
        Whether jobs in the background run at the same time; else they wait in one queue.
    """

    process_environment: bytes | None
    same_host: bool
    journals: str | None
    partitions_per_slot: int
    draws_bar: bool
    runs_jobs_side_by_side: bool

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        """Return how many of `tasks` tasks run at once."""

    def nodes(self) -> list[str]:
        """The machines that run tasks, as they name themselves, sorted."""

    def check(self, requirements: Requirements) -> None:
        """Make sure that the workers have what a call needs.

        RxMissingError names what is missing and the host that lacks it. Workers in this process's own environment have
        what it has, and are not asked.
        """

    def run(self, attempt: Attempt) -> Outcome:
        """Run the partitions and deliver the results of each; return when no more will come.

        A partition whose worker died is not delivered: its tasks are then run again, or given up, by the caller.
        What makes the backend itself unusable is raised as an RxContextError.
        """

    def cancel(self, attempt: Attempt) -> None:
        """End what still runs of an attempt, whose `cancelled` has been set; harmless when nothing does."""

    def new_thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        """Make the thread of a job in the background, where jobs run side by side."""

    def at_exit(self, end: Callable[[], None]) -> None:
        """Register `end` to be called at the end of the program, while workers can still be ended."""


class LocalEnvironment:
    """The parts of a backend whose workers have the environment of this process."""

    process_environment: bytes | None = None
    same_host = True
    journals: str | None = None
    draws_bar = False
    runs_jobs_side_by_side = False

    def nodes(self) -> list[str]:
        """Name this machine."""
        return [socket.gethostname()]

    def check(self, requirements: Requirements) -> None:
        """Do nothing: the workers have what this process has."""

    def new_thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        """Make a thread; jobs of one machine take turns in the queue's own."""
        return threading.Thread(target=run, name=name, daemon=True)


def in_main_thread() -> bool:
    """Tell whether this is the main thread, which gets the signals and for which the whole program waits."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def plain_interrupts() -> Iterator[None]:
    """Let Ctrl-C do no more than raise KeyboardInterrupt here: PySpark's handler cancels all Spark jobs as well."""
    handler = signal.getsignal(signal.SIGINT)
    if not in_main_thread() or not _of_pyspark(handler):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _of_pyspark(handler: Any) -> bool:
    return str(getattr(handler, "__module__", "")).startswith("pyspark.")


@contextlib.contextmanager
def starting_workers() -> Iterator[None]:
    """Say why new processes cannot start where the folder in which this one works was removed."""
    try:
        yield
    except FileNotFoundError as error:
        if working_directory() is not None:
            raise
        raise RxContextError(
            "the folder in which this process works was removed, and no workers can start in it: call "
            "os.chdir(folder) with one that is there"
        ) from error


def caller_environment() -> bytes:
    """Return this process as its workers on the same machine should see it, pickled once for all partitions."""
    folder = working_directory()
    if folder is not None and not os.access(folder, os.X_OK):
        raise RxContextError(
            f"{folder}: this process works in a folder that it could not enter again, and so its workers cannot enter: "
            f"permission denied. Give it the right to (chmod u+rx), or work in another folder (os.chdir)"
        )
    variables = dict(environment())
    gone = removed_variables(variables)
    found = ProcessEnvironment(
        host=socket.gethostname(), environ=variables, cwd=folder, path=tuple(sys.path), gone=gone
    )
    return pickle.dumps(found, 5)
