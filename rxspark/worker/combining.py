"""Combining of results: calls of the user's function, and the result of a partition, which is left with few values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pickle import dumps, loads  # by these names, as a task may replace those of the module
from typing import Any

from rxspark.errors import RxCombineError, RxError
from rxspark.worker.results import (
    CallerInterrupt,
    PartitionResult,
    PartitionRun,
    TaskFailure,
    describe_failure,
    kept_value,
    merged,
)
from rxspark.worker.tree import Branch, Branches, tasks_of

__all__ = [
    "COMBINES",
    "AnyPartitionResult",
    "AnyPartitionRun",
    "CombinedResult",
    "CombinedRun",
    "Combiner",
    "each_task_once",
    "going_home",
]


def _sum(a: Any, b: Any) -> Any:
    return a + b


def _product(a: Any, b: Any) -> Any:
    return a * b


def _least(a: Any, b: Any) -> Any:
    if hasattr(a, "__array_ufunc__") or hasattr(b, "__array_ufunc__"):
        import numpy

        return numpy.minimum(a, b)
    return b if b != b or b < a else a  # NaN stays, as in NumPy


def _greatest(a: Any, b: Any) -> Any:
    if hasattr(a, "__array_ufunc__") or hasattr(b, "__array_ufunc__"):
        import numpy

        return numpy.maximum(a, b)
    return b if b != b or b > a else a


def _concatenation(a: Any, b: Any) -> Any:
    if type(a).__module__.partition(".")[0] == "pandas":
        import pandas

        return pandas.concat([a, b])
    if hasattr(a, "__array__") or hasattr(b, "__array__"):
        import numpy

        return numpy.concatenate([a, b])
    return a + b  # lists, tuples, text


COMBINES: dict[str, Callable[[Any, Any], Any]] = {
    "sum": _sum,
    "prod": _product,
    "min": _least,
    "max": _greatest,
    "concat": _concatenation,
}
"""The combining functions that have a name."""


class Combiner:
    """Combines the values of two branches, which are kept as `kept_value` gives them.

    Each value is unpickled for it, and pickled afterwards, whether both were made here or come from elsewhere: so the
    user's function, which may change its arguments, meets the same objects wherever it runs, and nobody else's.

    Parameters
    ----------
    call : callable
        Calls the user's function on two values.
    limit : int
        Characters of its error that are kept.
    in_caller : bool
        Whether this is the process of the caller.
    interrupt : type
        Exceptions that end the call and are no error of the function.
    """

    def __init__(
        self,
        call: Callable[[Any, Any], Any],
        limit: int,
        in_caller: bool,
        interrupt: type[BaseException] = CallerInterrupt,
    ) -> None:
        self._call = call
        self._limit = limit
        self._in_caller = in_caller
        self._interrupt = interrupt

    def __call__(self, branch: Branch, left: Any, right: Any) -> Any:
        """Return the value of a branch, kept likewise; RxCombineError when the function fails."""
        values: list[Any] = []
        try:
            values = [loads(kept) if type(kept) is bytes else kept for kept in (left, right)]
            return kept_value(self._call(*values), self._in_caller)
        except self._interrupt:
            raise
        except BaseException as error:
            raise self._described(branch, values, error) from error

    def _described(self, branch: Branch, values: Sequence[Any], error: BaseException) -> RxCombineError:
        kinds = list(map(_kind, values)) or ["one", "another, of which one cannot be unpickled"]
        middle = len(tasks_of(branch)) // 2
        left, right = _named(tasks_of(branch)[:middle]), _named(tasks_of(branch)[middle:])
        failure = describe_failure(error, self._limit, skip_frames=_own_frames(error))
        return RxCombineError(
            f"combine failed by {failure}; it was to combine {kinds[0]} (of {left}) and {kinds[1]} (of {right})"
            + (f"\n{failure.traceback.rstrip()}" if "\n  File" in failure.traceback else "")
        )


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _named(tasks: range) -> str:
    return f"task {tasks[0]}" if len(tasks) == 1 else f"tasks {tasks[0]} to {tasks[-1]}"


def _own_frames(error: BaseException) -> int:
    """Count the outermost frames of a traceback that are rxspark's."""
    trace, depth = error.__traceback__, 0
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] == "rxspark":
        trace, depth = trace.tb_next, depth + 1
    return depth


@dataclass(frozen=True)
class CombinedRun:
    """Host, process and times of the tasks of one partition, without a row for each."""

    host: str
    pid: int
    attempt: int
    numbers: Sequence[int]
    began: float
    """When the first task began, in seconds since 1970-01-01 UTC."""
    ended: float
    """When the last task ended, likewise."""
    busy: float
    """Seconds that all tasks together have taken."""
    preparing: float
    """As that of a `PartitionRun`."""
    tries: int
    """How often tasks were tried."""
    failed: int
    """How many tasks have failed."""


@dataclass
class CombinedResult:
    """The results of the tasks of one partition, as few values; see `PartitionResult` for what the fields mean."""

    of: CombinedRun
    branches: Branches
    failures: dict[int, TaskFailure] = field(default_factory=dict)
    output: dict[int, str] = field(default_factory=dict)
    problem: RxError | None = None
    unsaved: str = ""

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of its tasks."""
        return self.of.numbers

    @property
    def host(self) -> str:
        """The host on which they ran."""
        return self.of.host

    def run(self) -> CombinedRun:
        """Return it without what the tasks gave."""
        return self.of

    def snapshot(self) -> CombinedResult:
        """Return a copy that keeps its values when others combine them further."""
        return replace(self, branches=Branches(self.branches))

    def pack(self) -> bytes:
        """Return the results as bytes, which `PartitionResult.unpack` reads."""
        return dumps(self, 5)


AnyPartitionResult = PartitionResult | CombinedResult
AnyPartitionRun = PartitionRun | CombinedRun


def going_home(result: PartitionResult) -> AnyPartitionResult:
    """Return the results of a partition in the form in which they go home."""
    if result.branches is None:
        return result
    numbers, some = result.numbers, bool(result.numbers)
    consecutive = some and numbers[-1] - numbers[0] == len(numbers) - 1
    run = CombinedRun(
        result.host,
        result.pid,
        result.attempt,
        range(numbers[0], numbers[-1] + 1) if consecutive else numbers,
        began=result.began if some else 0.0,
        ended=result.ended if some else 0.0,
        busy=result.busy,
        preparing=result.preparing,
        tries=len(numbers) + sum(tries - 1 for tries in result.tries.values()),
        failed=len(result.failures),
    )
    return CombinedResult(
        run, result.branches, result.failures, result.output, problem=result.problem, unsaved=result.unsaved
    )


def each_task_once(parts: Sequence[AnyPartitionResult]) -> list[AnyPartitionResult]:
    """Return the same results with each task in them once: where a task ran again, a value goes before an error.

    What is combined cannot be taken apart: of several results of one partition the one counts that has most.
    """
    best: dict[int, CombinedResult] = {}
    for part in parts:
        if isinstance(part, CombinedResult) and part.numbers:
            held = best.get(part.numbers[0])
            if held is None or _extent(part) > _extent(held):
                best[part.numbers[0]] = part
    return [*best.values(), *merged([part for part in parts if isinstance(part, PartitionResult)])]


def _extent(part: CombinedResult) -> tuple[int, int]:
    return len(part.numbers), -len(part.failures)
