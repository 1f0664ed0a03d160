"""Combine, in the caller's process, the values that come from workers."""

from __future__ import annotations

import base64
import functools
import pickle
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rxspark.errors import RxCombineError, RxError, RxShippingError
from rxspark.jobs.record import JobRecord
from rxspark.options import rxGetOption
from rxspark.results import RxCombined
from rxspark.results.timings import Clock
from rxspark.worker.combining import AnyPartitionResult, CombinedResult, Combiner
from rxspark.worker.results import with_source
from rxspark.worker.tree import Branch, Branches, Combine

__all__ = ["SiblingCombiner", "combined_results", "combiner_of", "readable"]


def combiner_of(record: JobRecord) -> Combine:
    """Make what combines the values of a call here; the user's function is unpickled when it is needed."""

    @functools.cache
    def function() -> Callable[[Any, Any], Any]:
        try:
            loaded: Callable[[Any, Any], Any] = pickle.loads(base64.b64decode(record.combine or ""))
        except Exception as error:
            raise RxShippingError(
                f"combine could not be rebuilt on {socket.gethostname()}: {type(error).__name__}: {error}"
            ) from error
        return loaded

    return Combiner(
        lambda a, b: function()(a, b), rxGetOption("consoleLimit"), in_caller=True, interrupt=KeyboardInterrupt
    )


def readable(problem: RxError) -> RxError:
    """Return a worker's error of combining with the source lines that only this machine has; any other as it is."""
    return RxCombineError(with_source(str(problem))) if isinstance(problem, RxCombineError) else problem


class SiblingCombiner:
    """Combines what comes with what is there, so that the memory which it takes does not grow with the partitions.

    A branch is put among the values of the partition that has come last of those in it.
    """

    def __init__(self, combine: Combine) -> None:
        self._combine = combine
        self._holders: dict[Branch, Branches] = {}

    def add(self, branches: Branches) -> None:
        """Take in the values of one more partition, all of whose tasks have given one."""
        for branch in sorted(branches):
            self._raise(branch, branches)

    def _raise(self, branch: Branch, branches: Branches) -> None:
        while True:
            level, index = branch
            other = level, index ^ 1
            holder = self._holders.get(other)
            if holder is None:
                self._holders[branch] = branches
                return
            left, right = (branches[branch], holder[other]) if index % 2 == 0 else (holder[other], branches[branch])
            branch = level + 1, index // 2
            branches[branch] = self._combine(branch, left, right)
            del self._holders[other], holder[other], branches[level, index]


def combined_results(record: JobRecord, parts: Sequence[AnyPartitionResult], clock: Clock) -> RxCombined[Any]:
    """Make the result of a call whose results are combined, of what has come back."""
    began = time.perf_counter()
    found = [part for part in parts if isinstance(part, CombinedResult)]
    branches = Branches({branch: value for part in found for branch, value in part.branches.items()})
    values = branches.whole(combiner_of(record))
    value = pickle.loads(values[0]) if values and type(values[0]) is bytes else (values or [None])[0]
    errors = {
        number: failure.to_error(number, part.host) for part in found for number, failure in part.failures.items()
    }
    return RxCombined(
        value,
        tasks=sum(len(part.numbers) for part in found) if record.task_count is None else record.task_count,
        errors=dict(sorted(errors.items())),
        output=dict(sorted((number, text) for part in found for number, text in part.output.items())),
        rng=record.seed_root,
        timed=([part.run() for part in found], replace(clock, decoded=time.perf_counter() - began)),
    )
