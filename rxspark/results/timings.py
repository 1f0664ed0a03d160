"""Seconds of a call by phase: RxTimings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from rxspark.worker.combining import AnyPartitionRun

__all__ = ["Clock", "RxTimings", "preparing_of", "timings_of", "work_of"]


class RxTimings(NamedTuple):
    """Seconds of a call, one phase after the other; together they are what the caller has waited.

    Phases that meet on different machines are told apart by these machines' clocks, so that on a cluster `queue` and
    `fetch` are as exact as its clocks agree.

    Examples
    --------
    >>> from rxspark import rxExec
    >>> timings = rxExec(pow, 2, 3, timesToRun=9).timings
    >>> timings._fields, timings.total == sum(timings)
    (('plan', 'ship', 'check', 'queue', 'run', 'fetch', 'decode'), True)
    """

    plan: float
    """Arguments checked, tasks cut into partitions, the session looked at the first time."""
    ship: float
    """The function and its data turned into bytes."""
    check: float
    """Executors asked for what the call needs: one more Spark job in a session's first call, in which they start."""
    queue: float
    """Until the first task began: files written or data broadcast, the engine's scheduling, workers started."""
    run: float
    """From the begin of the first task to the end of the last."""
    fetch: float
    """Until the last result was here."""
    decode: float
    """The values unpickled and put in order."""

    @property
    def total(self) -> float:
        """Sum of all phases, in seconds."""
        return sum(self)

    def __repr__(self) -> str:
        phases = ", ".join(f"{name}={seconds * 1000:.1f}" for name, seconds in self._asdict().items())
        return f"RxTimings(total={self.total * 1000:.1f} ms: {phases})"


@dataclass(frozen=True)
class Clock:
    """Times of a call that the caller has measured; the rest is in its results."""

    planned: float = 0.0
    """Seconds, as are the others where nothing else is said."""
    shipped: float = 0.0
    checked: float = 0.0
    launched: float = 0.0
    """When the work was handed over, in seconds since 1970-01-01 UTC."""
    ended: float = 0.0
    """When the last result was here, likewise; 0 if that is not known."""
    decoded: float = 0.0


def timings_of(clock: Clock, runs: Iterable[AnyPartitionRun]) -> RxTimings:
    """Compute the phases of a call; without any task that has run, only the caller's."""
    ran = [part for part in runs if part.host and part.numbers]  # else the answers of workers that died
    began = min((part.began for part in ran), default=clock.launched)
    ended = max((part.ended for part in ran), default=began)
    return RxTimings(
        plan=clock.planned,
        ship=clock.shipped,
        check=clock.checked,
        queue=max(0.0, began - clock.launched),
        run=ended - began,
        fetch=max(0.0, clock.ended - ended) if clock.ended else 0.0,
        decode=clock.decoded,
    )


def preparing_of(runs: Iterable[AnyPartitionRun]) -> tuple[float, float]:
    """Return the seconds in which workers rebuilt what tasks have in common, or compared it, and those of the tasks."""
    preparing = busy = 0.0
    for run in runs:
        preparing += run.preparing
        busy += run.busy
    return preparing, busy - preparing


def work_of(runs: Iterable[AnyPartitionRun]) -> str:
    """Say how long all tasks together took, and in how many processes."""
    found = list(runs)
    processes = len({(run.host, run.pid) for run in found})
    return f"{sum(run.busy for run in found):.3g} s of work in {processes} process{'es' * (processes != 1)}"
