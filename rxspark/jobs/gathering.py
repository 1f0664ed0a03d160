"""Make the results of a call of what has come back from its workers."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rxspark.calls.groups import keys_of_text
from rxspark.errors import RxLostTaskError, RxSizeWarning, RxTaskError, RxTaskWarning, bounded
from rxspark.jobs.combining import combined_results
from rxspark.jobs.record import JobRecord
from rxspark.options import rxGetOption
from rxspark.results import Execution, RxCombined, RxGroupResults, RxNotFinished, RxResults, node_name
from rxspark.results.timings import Clock
from rxspark.worker.combining import AnyPartitionResult
from rxspark.worker.groups import GroupSize
from rxspark.worker.results import PartitionResult, PartitionRun, describe_failure, load_value

__all__ = ["AnyResults", "Gathering", "first_error", "opened", "warn_of_failures", "warn_of_preparing"]

AnyResults = RxResults[Any] | RxCombined[Any]


def opened(part: PartitionResult) -> Iterator[tuple[int, Any, RxTaskError | None]]:
    """Yield number, value and error of each task of a partition."""
    for number, kept in zip(part.numbers, part.values, strict=True):
        yield number, *_open(part, number, kept)


def _open(part: PartitionResult, number: int, kept: Any) -> tuple[Any, RxTaskError | None]:
    """Return value and error of a task."""
    if kept is None and number in part.failures:
        return None, part.failures[number].to_error(number, part.host)
    try:
        return load_value(kept) if type(kept) is bytes else kept, None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the value's own code, run here
        failure = describe_failure(error, rxGetOption("consoleLimit"), skip_frames=2)
        return None, failure.to_error(number, part.host)


class Gathering:
    """Makes results of the results of a call.

    Parameters
    ----------
    record : JobRecord
        The job that the results are of.
    results : list of Results
        What has come back of it.
    keep : bool, default True
        Whether the results are needed again; else each loses its values as soon as they are unpickled, so that only
        one partition is in memory twice.
    """

    def __init__(self, record: JobRecord, partition_results: Sequence[AnyPartitionResult], keep: bool = True) -> None:
        self._record = record
        self._partition_results = partition_results
        self._keep = keep
        self._taken = 0
        self._values: list[Any] = [] if record.combine is not None else [RxNotFinished] * self._count()
        self._errors: dict[int, RxTaskError] = {}
        self._output: dict[int, str] = {}
        self._runs: dict[int, PartitionRun] = {}
        self._keys = keys_of_text(record.keys) if record.keys else None

    def _count(self) -> int:
        if self._record.task_count is not None:
            return self._record.task_count
        # Of an iterator: all that it has given.
        return 1 + max((max(part.numbers) for part in self._partition_results if part.numbers), default=-1)

    def results(self, clock: Clock) -> AnyResults:
        """Return the results, in the order of the tasks; after an interrupt, another call goes on where it ended."""
        if self._record.combine is not None:
            return combined_results(self._record, self._partition_results, clock)
        began = time.perf_counter()
        while self._taken < len(self._partition_results):
            part = self._partition_results[self._taken]
            assert isinstance(part, PartitionResult)
            self._take(part)
            self._taken += 1
            if not self._keep:
                part.values.clear()
                part.failures.clear()
        described: dict[str, Any] = {
            "names": self._names(),
            "errors": dict(sorted(self._errors.items())),
            "output": dict(sorted(self._output.items())),
            "execution": Execution(
                rng=self._record.seed_root,
                runs=list(self._runs.values()),
                chunk_size=self._record.chunk_size,
                clock=replace(clock, decoded=time.perf_counter() - began),
            ),
        }
        if self._keys is not None:
            return RxGroupResults(self._values, keys=self._keys, **described)
        return RxResults(self._values, **described)

    def _take(self, part: PartitionResult) -> None:
        values, failures = self._values, part.failures
        for number, kept in zip(part.numbers, part.values, strict=True):
            if type(kept) is bytes or (kept is None and number in failures):
                self._take_opened(number, *_open(part, number, kept))
            else:  # as it is: most values, and a call for each would be a twentieth of an empty task
                values[number] = kept
        self._output |= part.output
        self._runs[self._taken] = part.run()

    def _take_opened(self, number: int, value: Any, error: RxTaskError | None) -> None:
        if isinstance(error, RxLostTaskError) and self._keys is not None:  # it may have been too large for a worker
            (keys,) = self._keys.iloc[[number]].to_dict("records")
            error.message += f". The group was {GroupSize(keys, keys.pop('rows'))}"
        if error is not None:
            self._errors[number] = error
        self._values[number] = value if error is None else error

    def _names(self) -> list[str] | None:
        names = self._record.names
        if not self._record.once_per_node or names is None:
            return names
        # A joblib backend of several machines runs a task where it likes.
        hosts = {number: run.host for run in self._runs.values() for number in run.numbers if run.host}
        return [node_name(hosts[number]) if number in hosts else name for number, name in enumerate(names)]


def first_error(partition_results: Iterable[AnyPartitionResult]) -> RxTaskError:
    """The error of the failed task with the lowest number."""
    number, failure, host = min(
        ((number, failure, part.host) for part in partition_results for number, failure in part.failures.items()),
        key=lambda found: found[0],
    )
    return failure.to_error(number, host)


# Characters of an error's message that the warning shows.
_TOLD = 1000


def warn_of_failures(results: AnyResults, stacklevel: int) -> None:
    """Warn once, `stacklevel` frames up, when tasks failed; the warning carries the results, in case it is raised."""
    if not results.errors:
        return
    number, error = next(iter(results.errors.items()))
    tasks = results.tasks if isinstance(results, RxCombined) else len(results)
    warning = RxTaskWarning(
        f"{len(results.errors)} of {tasks} tasks failed; task {number}: {error.type}: "
        f"{bounded(error.message, _TOLD)} (all are in .errors of the result)"
    )
    warning.results = results
    warnings.warn(warning, stacklevel=stacklevel + 1)


# Seconds of all workers from which it is worth a warning.
_LONG = 2.0


def warn_of_preparing(results: AnyResults, stacklevel: int) -> None:
    """Warn once, `stacklevel` frames up, when it took longer to keep the tasks apart than to run them."""
    preparing, running = results.preparing
    if preparing > max(_LONG, running):
        warnings.warn(
            f"the constants of this call are large: to rebuild them, or to see that no task had changed them, took "
            f"{preparing:.1f} seconds of its workers, the tasks themselves {running:.1f}. rxShare(obj) makes of a "
            f"constant that tasks only read one that each worker loads once; larger chunks (taskChunkSize) help, too",
            RxSizeWarning,
            stacklevel=stacklevel + 1,
        )
