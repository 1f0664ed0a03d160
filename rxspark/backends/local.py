"""RxLocalParallel: worker processes on this machine, by loky."""

from __future__ import annotations

import socket
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import loky
from loky.process_executor import ShutdownExecutorError

from rxspark.backends.base import Work, here
from rxspark.options import rxGetOption
from rxspark.sharing.carriers import OnThisHost
from rxspark.worker.payload import Surroundings
from rxspark.worker.runner import run_partition

__all__ = ["LocalBackend"]

# Seconds after which idle workers end.
_IDLE = 300

# Seconds between looks at `work.cancelled` while workers are busy.
_POLL = 0.1


class LocalBackend:
    """One pool of processes for this process, made at the first call and kept."""

    same_host = True
    partitions_per_slot = 8  # one costs about 0.3 ms; eight leave a slot idle for at most an eighth of its work

    def __init__(self, share_dir: str | None) -> None:
        self._share_dir = share_dir
        self._executor: Any = None
        self.surroundings: Surroundings | None = here()

    def slots(self, tasks: int, options: dict[str, Any]) -> int:
        return max(1, min(tasks, _allowed()))

    def nodes(self) -> list[str]:
        return [socket.gethostname()]

    def prepare(self, kind: str) -> None:
        """Nothing to do: the workers have what this process has."""

    def run(self, work: Work) -> None:
        with OnThisHost(self._share_dir) as carrier:
            call, parts = carrier.call(work.call), map(carrier.partition, work.partitions)
            try:
                self._executor = _pool(self.slots(len(work.partitions), {}))
                futures = {self._executor.submit(run_partition, call, part, work.attempt) for part in parts}
                _collect(futures, work)
            except BrokenProcessPool as error:  # while tasks were being submitted
                work.trouble = str(error)

    def cancel(self, work: Work) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)


def _collect(futures: set[Future[bytes]], work: Work) -> None:
    while futures and not work.cancelled.is_set():
        done, futures = wait(futures, timeout=_POLL, return_when=FIRST_COMPLETED)
        for future in done:
            try:
                work.deliver(future.result())
            except (BrokenProcessPool, CancelledError, ShutdownExecutorError) as error:
                work.trouble = str(error)


def _allowed() -> int:
    """Worker processes that option and machine allow; affinity and control groups count."""
    asked: int = rxGetOption("numCoresToUse")
    cores: int = loky.cpu_count()
    return cores if asked == -1 else min(asked, cores)


_held = 0


def _pool(workers: int) -> Any:
    """The pool, of at least `workers` processes: starting one takes a third of a second, so those there are stay."""
    global _held
    _held = min(max(_held, workers), _allowed())
    return loky.get_reusable_executor(_held, timeout=_IDLE)
