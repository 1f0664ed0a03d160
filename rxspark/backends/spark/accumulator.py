"""The accumulator by which results come home from the executors of a classic session, each partition as it finishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.accumulators import AccumulatorParam

from rxspark.worker.delivery import ResultMessage

__all__ = ["ResultAccumulator", "Update"]

Update = list[tuple[str, ResultMessage]]
"""The id of a call and the results of one of its partitions, for each partition that has finished."""


class ResultAccumulator(AccumulatorParam[Update]):
    """Results on their way: gathered in the worker, handed to their call in the driver."""

    def __init__(self, deliver: Callable[[str, ResultMessage], None] | None = None) -> None:
        self._deliver = deliver

    def zero(self, value: Update) -> Update:
        """Begin with nothing."""
        return []

    def addInPlace(self, value: Update, update: Update) -> Update:
        """Gather results in the worker; in the driver hand each to its call."""
        if self._deliver is None:
            value.extend(update)
        else:
            for call_id, message in update:
                self._deliver(call_id, message)
        return value

    def __reduce__(self) -> Any:
        return ResultAccumulator, ()
