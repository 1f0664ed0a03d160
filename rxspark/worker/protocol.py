"""Payload of a worker: one `Call` a call, one `Partition` for each group of tasks that run together.

A `Call` is the same for all tasks and travels once, in one bundle with the program: part 0 is the pickle of the
`Call`, part 1 that of (function, positional constants, keyword constants, objects for the function's globals), and
the rest are the large buffers of the program. A `Partition` holds the numbers of its tasks and the element arguments
of these tasks alone; it is the only part of its bundle. `Call` and `Partition` are plain pickles of plain data:
whatever is the user's own lies inside as bytes, so that it is unpickled by the guarded runner, where a failure is
reported and not lost.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rxspark.process import process_token
from rxspark.rng.kinds import SeedRoot
from rxspark.worker.groups import ArrowRows, GroupRows, NoRows
from rxspark.worker.hash_seed import call_hash_seed
from rxspark.worker.retries import RetryPolicy

__all__ = [
    "NAMESPACE",
    "BroadcastValue",
    "Call",
    "Column",
    "ModuleSource",
    "Partition",
    "ProcessEnvironment",
]


@dataclass(frozen=True)
class ProcessEnvironment:
    """The caller's process as the task expects to see it; for workers on the caller's own machine.

    It travels beside the call and never in a file: environments hold passwords.
    """

    host: str
    environ: dict[Any, Any]
    """As `state.environment` gives it: encoded where the system's are."""
    cwd: str | None
    """None where the folder was removed."""
    path: tuple[str, ...]
    gone: frozenset[Any] = frozenset()
    """Variables that the caller's process once had and has no longer: a worker may have been started with them."""


@dataclass(frozen=True)
class ModuleSource:
    """The source of one of the user's own modules, as the caller's machine has it."""

    source: bytes
    file: str
    package: bool
    data: tuple[tuple[str, bytes], ...] = ()
    """The other files of a package, by their paths in its folder; for workers that do not reach that folder."""


@dataclass(frozen=True)
class Call:
    """All that the tasks of one call have in common."""

    id: str
    root: SeedRoot
    tasks_per_stream: int
    packages: tuple[str, ...] = ()
    modules: dict[str, ModuleSource] = field(default_factory=dict)
    modules_digest: str = ""
    warning_filters: tuple[tuple[Any, ...], ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the caller's process with which tasks begin, by name."""
    log_level: int = 30
    console_limit: int = 100_000
    stop_on_error: bool = False
    time_limit: float | None = None
    """Seconds that one task may take."""
    retries: RetryPolicy | None = None
    """Whether and how a failed task is tried again."""
    combine: bytes | None = None
    """The pickle of the function that combines results; None: each comes home."""
    threads: int = 1
    """Threads that the libraries of one task may use."""
    journals: str | None = None
    """A folder on the host of all workers, for what they have finished of partitions that are not yet delivered."""
    folder: str | None = None
    """The job's folder, for what is to survive the driver."""
    origin: str = field(default_factory=process_token)
    """The process that made the call; its own modules are left as they are."""
    hash_seed: str = field(default_factory=call_hash_seed)
    """PYTHONHASHSEED of all its workers."""


NAMESPACE = ModuleSource(b"", "", package=True)
"""A package without a file of its own, which only holds others."""


class Column:
    """The values of one element argument, for the tasks of one partition.

    Values that a task cannot change lie there as they are, in one pickle, and so do dicts and lists of such values,
    which are `copied` for each task; all others are pickled one by one. So two tasks never share an object that can
    change, whether or not they run in the same partition.
    """

    copied = False  # as columns of older calls have it

    def __init__(self, values: Sequence[Any], pickled: bool, copied: bool = False) -> None:
        self.values = values
        self.pickled = pickled
        self.copied = copied

    def __getitem__(self, index: int) -> Any:
        value = self.values[index]
        if self.pickled:
            return pickle.loads(value)
        return value.copy() if self.copied else value

    def only(self, indices: Sequence[int]) -> Column:
        """Return those of these tasks alone."""
        return Column([self.values[index] for index in indices], self.pickled, self.copied)


@dataclass(frozen=True)
class Partition:
    """The tasks that run one after another in one place."""

    numbers: Sequence[int]
    columns: dict[int | str, Column]
    """Element arguments by position or keyword."""
    rows: Column | GroupRows | ArrowRows | NoRows | None = None
    """Entries of `elemArgs`, or groups of rows: (positional, keyword) arguments of each task."""
    streams: Sequence[int] | None = None
    """The random stream of each task, where its number does not tell."""
    modules: dict[str, ModuleSource] = field(default_factory=dict)
    """The user's own modules that the elements need and that have not come with the call."""

    def stream_numbers(self, tasks_per_stream: int) -> Sequence[int]:
        """Return the number of the random stream of each task."""
        if self.streams is not None:
            return self.streams
        return self.numbers if tasks_per_stream == 1 else [number // tasks_per_stream for number in self.numbers]

    def only(self, indices: Sequence[int]) -> Partition:
        """Return those of its tasks alone."""
        return Partition(
            [self.numbers[index] for index in indices],
            {key: column.only(indices) for key, column in self.columns.items()},
            None if self.rows is None else self.rows.only(indices),
            None if self.streams is None else [self.streams[index] for index in indices],
            modules=self.modules,
        )


@dataclass(frozen=True)
class BroadcastValue:
    """In a task in place of a broadcast variable of Spark's."""

    value: Any
