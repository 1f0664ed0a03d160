"""RxCombined: what rxExec returns where the results are combined."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Generic, TypeVar

from rxspark.errors import RxTaskError
from rxspark.html_tables import html_code
from rxspark.results.results import short
from rxspark.results.timings import Clock, RxTimings, preparing_of, timings_of, work_of
from rxspark.rng.kinds import SeedRoot
from rxspark.worker.combining import CombinedRun

if TYPE_CHECKING:
    import pandas

__all__ = ["RxCombined"]

T = TypeVar("T")

# Characters of the value that are shown.
_SHOWN = 2000


class RxCombined(Generic[T]):
    """The combined results of a call of `rxExec` with ``combine=``.

    Attributes
    ----------
    value : Any
        The values of all tasks but the failed ones, combined in the order of the tasks; None where there are none.
    count : int
        How many values went into it; 0 tells a `value` of None that stands for nothing.
    tasks : int
        Number of tasks of the call.
    errors : dict of int to RxTaskError
        The failed tasks, by number.
    output : dict of int to str
        Console text by task number, for the tasks that wrote any; that of `combine` is with the task before it.
    rng : Root
        Kind and seed of the random streams: ``RNGkind=r.rng.kind, RNGseed=r.rng.seed`` gives the same numbers again.
    info : pandas.DataFrame
        One row for each partition, tasks that ran one after another in one place: its first task, its number of tasks,
        how many of them failed, host, pid, start (UTC), seconds of all its tasks, attempt, tries of all its tasks.
    timings : RxTimings
        Seconds of the call by phase: plan, ship, queue, run, fetch, decode.

    Examples
    --------
    >>> from rxspark import rxElemArg, rxExec
    >>> r = rxExec(lambda a: 6 / a, rxElemArg([1, 2, 3]), combine="sum")
    >>> r.value, r.count, r.errors
    (11.0, 3, {})
    """

    def __init__(
        self,
        value: T,
        *,
        tasks: int,
        errors: dict[int, RxTaskError],
        output: dict[int, str],
        rng: SeedRoot,
        timed: tuple[list[CombinedRun], Clock],
    ) -> None:
        self.value = value
        self.tasks = tasks
        self.errors = errors
        self.output = output
        self._rng = rng
        self._runs, self._clock = timed

    @property
    def rng(self) -> SeedRoot:
        """Kind and seed of the random streams."""
        return self._rng

    @property
    def count(self) -> int:
        """The number of values in the combined one."""
        return sum(len(run.numbers) - run.failed for run in self._runs)

    @property
    def info(self) -> pandas.DataFrame:
        """Host, process and times: one row for each partition."""
        import pandas

        runs = sorted((run for run in self._runs if run.numbers), key=lambda run: run.numbers[0])
        return pandas.DataFrame(
            {
                "task": [run.numbers[0] for run in runs],
                "tasks": [len(run.numbers) for run in runs],
                "failed": [run.failed for run in runs],
                "host": [run.host for run in runs],
                "pid": [run.pid for run in runs],
                "start": pandas.to_datetime([run.began for run in runs], unit="s", utc=True),
                "seconds": [run.busy for run in runs],
                "attempt": [run.attempt for run in runs],
                "tries": [run.tries for run in runs],
            }
        )

    @property
    def timings(self) -> RxTimings:
        """Seconds of the call by phase."""
        return timings_of(self._clock, self._runs)

    @property
    def preparing(self) -> tuple[float, float]:
        """Seconds that all workers took to rebuild what tasks have in common, or to compare it, and for the tasks."""
        return preparing_of(self._runs)

    def _summary(self) -> str:
        failed = f", {len(self.errors):,} failed" if self.errors else ""
        return f"{self.count:,} of {self.tasks:,} tasks combined{failed}; {work_of(self._runs)}"

    def _repr_html_(self) -> str:
        own = getattr(self.value, "_repr_html_", None)
        shown = own() if callable(own) else html_code(short(self.value, _SHOWN))
        return f"<p>RxCombined: {escape(self._summary())}</p>{shown}"

    def __repr__(self) -> str:
        return f"{short(self.value, _SHOWN)}\n# RxCombined: {self._summary()}"
