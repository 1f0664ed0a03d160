"""The contract between rxExec and the places where it runs."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rxspark.data.bundle import Bundle
from rxspark.data.refs import RemoteFileRef
from rxspark.errors import RxContextError
from rxspark.worker.delivery import ResultMessage
from rxspark.worker.process_state import environment, gone_variables, working_directory
from rxspark.worker.protocol import ProcessEnvironment

__all__ = ["Backend", "Work", "here", "in_main_thread", "plain_interrupts", "starting_workers"]


def _nobody(packed: bytes) -> None:
    raise RuntimeError("results came for work that has no owner yet")


@dataclass
class Work:
    """Work for a backend, and the place where its results go.

    `deliver` takes the packed results of one partition as soon as they are there, from any thread. `cancelled` is
    set by the owner when the rest is no longer wanted.
    """

    id: str
    description: str
    call: Bundle
    """The `Call` and its program."""
    partitions: list[Bundle]
    numbers: Sequence[Sequence[int]]
    """The tasks of each partition."""
    modules: frozenset[str] = frozenset()
    """Modules that the workers must have."""
    nodes: Sequence[str] = ()
    """The node of each task, by the task's number and as `node_name` writes it; empty: they run anywhere."""
    attempt: int = 0
    deliver: Callable[[bytes], None] = field(default=_nobody)
    trouble: str = ""
    """Set by the backend: why partitions were not delivered."""
    crowded: bool = False
    """Set by the backend: because others filled what it may bring at once; no worker has died."""
    options: dict[str, Any] = field(default_factory=dict)
    """The call's `foreachOpts`."""
    shared: list[Any] = field(default_factory=list)
    """Handles of shared objects, which must live as long as the work."""
    kept: RemoteFileRef | None = None
    """The way to `call` in the folder of the job, if it has one."""
    cancelled: threading.Event = field(default_factory=threading.Event)

    def receive(self, letter: ResultMessage) -> None:
        """Deliver the results of a partition that a worker has posted, fetching them if they are elsewhere."""
        try:
            packed = letter if isinstance(letter, bytes) else letter.take()
        except OSError as error:
            self.trouble = f"results could not be fetched: {error}"
        else:
            self.deliver(packed)


class Backend(Protocol):
    """Runs the partitions of a call for one compute context.

    Attributes
    ----------
    surroundings : bytes or None
        What the workers should take over from this process, a pickle of `ProcessEnvironment`; None where they are on
        other machines.
    same_host : bool
        Whether all workers are on this machine.
    diaries : str or None
        A folder of this process on the host of all workers, where they write down what they have finished; None where
        they are on other hosts, or tasks run in this process.
    partitions_per_slot : int
        How many partitions each slot gets when the call has no chunk size: more even out tasks of unequal length,
        fewer cost less.
    draws_bar : bool
        Whether the engine itself shows a progress bar in terminals.
    """

    process_environment: bytes | None
    same_host: bool
    journals: str | None
    partitions_per_slot: int
    draws_bar: bool

    def slots(self, tasks: int, options: dict[str, Any]) -> int:
        """Number of tasks, of `tasks` in all, that run at once."""

    def nodes(self) -> list[str]:
        """The machines that run tasks, as they name themselves, sorted."""

    def prepare(self, kind: str, modules: Iterable[str]) -> None:
        """Make sure that the workers can draw random numbers of a kind, and have modules.

        RxMissingError names what is missing and the host that lacks it. Workers in this process's own environment have
        what it has, and are not asked.
        """

    def run(self, work: Work) -> None:
        """Run the partitions and deliver the results of each; return when no more will come.

        A partition whose worker died is not delivered: its tasks are then run again, or given up, by the caller.
        What makes the backend itself unusable is raised as an RxContextError.
        """

    def cancel(self, work: Work) -> None:
        """End what still runs of `work`, whose `cancelled` has been set; harmless when nothing does."""

    def thread(self, run: Callable[[], None], name: str) -> threading.Thread | None:
        """The thread for a job in the background, to be started by the caller; None: such jobs wait in one line."""

    def at_the_end(self, end: Callable[[], None]) -> None:
        """See to it that `end` is called at the end of the program, while workers can still be ended."""


def in_main_thread() -> bool:
    """Whether the program as a whole waits for what is done here: signals come here, and nothing else is written."""
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


def here() -> bytes:
    """Give this process as its workers on the same machine should see it, pickled once for all partitions."""
    folder = working_directory()
    if folder is not None and not os.access(folder, os.X_OK):
        raise RxContextError(
            f"{folder}: this process works in a folder that it could not enter again, and so its workers cannot enter: "
            f"permission denied. Give it the right to (chmod u+rx), or work in another folder (os.chdir)"
        )
    variables = dict(environment())
    gone = gone_variables(variables)
    found = ProcessEnvironment(socket.gethostname(), variables, folder, tuple(sys.path), gone)
    return pickle.dumps(found, 5)
