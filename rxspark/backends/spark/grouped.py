"""Groups of rows of a Spark DataFrame as tasks: the executors bring the rows of a group together and run it.

Each row gets the number of its group by a join with the few rows of the table of keys, is sent to the partition of
that task, and is sorted there by group. So one partition of Spark holds the tasks of one partition of the call, whose
rows the guarded runner finds where the elements of other calls are. No row passes through the driver.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from rxspark.backends.base import Attempt
from rxspark.backends.spark.connect_worker import SCHEMA, message_rows
from rxspark.backends.spark.hadoop_tokens import PROPERTY, take_tokens
from rxspark.backends.spark.worker_start import with_this_rxspark
from rxspark.data.refs import DataRef, InlineRef
from rxspark.worker.gc_freeze import freeze_loaded_modules
from rxspark.worker.groups import ArrowRows, GroupSize, NoRows
from rxspark.worker.protocol import Partition
from rxspark.worker.retirement import is_retiring
from rxspark.worker.runner import PartitionRunner

if TYPE_CHECKING:
    import pandas
    from pyarrow import RecordBatch

__all__ = ["GroupedTable", "numbered"]


@dataclass(frozen=True)
class GroupedTable:
    """A Spark DataFrame whose groups of rows are the tasks of a call."""

    frame: Any
    """The rows and their keys as they are compared; the columns are named by `numbered`."""
    names: Sequence[str]
    """The columns' own names."""
    keys: Sequence[int]
    """Positions of the key columns."""
    sort_by: Sequence[int]
    groups: Sequence[tuple[Any, ...]]
    """The keys of each task, as Spark compares them."""
    shown: pandas.DataFrame
    """The keys of each task, and the number of its `rows`."""

    def results(
        self, attempt: Attempt, runner: PartitionRunner, partitions: Sequence[DataRef], keepalive_interval: float | None
    ) -> Any:
        """Return a DataFrame with the messages of the partitions, in pieces."""
        count = len(attempt.partitions)
        places = _spread(count)
        rows = [
            (*self.groups[number], number, place)
            for place, (numbers, _) in zip(places, attempt.partitions, strict=True)
            for number in numbers
        ]
        compared, given = [[f"{letter}{key}" for key in self.keys] for letter in "kg"]
        schema = self.frame.select(compared).toDF(*given).schema.add("task", "integer").add("place", "integer")
        numbers = self.frame.sparkSession.createDataFrame(rows, schema)
        equal = [self.frame[mine].eqNullSafe(numbers[other]) for mine, other in zip(compared, given, strict=True)]
        joined = self.frame.join(numbers.hint("broadcast"), equal).drop(*compared, *given)
        order = ["place", "task", *(joined[f"c{column}"].asc_nulls_last() for column in self.sort_by)]
        shares = [
            _Share(ref, self._largest(numbers))
            for ref, (numbers, _) in zip(partitions, attempt.partitions, strict=True)
        ]
        run = RunGroups(runner, dict(zip(places, shares, strict=True)), self.names, self.keys, keepalive_interval)
        together = joined.repartition(count, "place").sortWithinPartitions(*order)
        return together.mapInArrow(with_this_rxspark(run), SCHEMA)

    def _largest(self, numbers: Sequence[int]) -> GroupSize:
        """Tell of the largest group among these tasks."""
        sizes = self.shown["rows"].to_numpy()
        (keys,) = self.shown.iloc[[max(numbers, key=sizes.__getitem__)]].to_dict("records")
        return GroupSize(keys, keys.pop("rows"))


def numbered(frame: Any, keys: Sequence[int]) -> Any:
    """Name the columns c0, c1, ..., and add the keys as they are compared, k0 for c0.

    Keys that are not a number are missing, since for pandas these are the same. Times are compared as microseconds
    since 1970, since Python's own of the hour that is there twice when clocks are put back are not told apart.
    """
    plain = frame.toDF(*(f"c{number}" for number in range(len(frame.columns))))
    kinds = dict(plain.dtypes)
    floats = {f"c{key}" for key in keys} & {name for name, kind in kinds.items() if kind in ("float", "double")}
    values = [f"if(isnan({name}), null, {name}) as {name}" if name in floats else name for name in plain.columns]
    times = {name for name, kind in kinds.items() if kind == "timestamp"}
    compared = [f"unix_micros({name})" if name in times else name for name in (f"c{key}" for key in keys)]
    return plain.selectExpr(*values).selectExpr(
        *plain.columns, *(f"{value} as k{key}" for key, value in zip(keys, compared, strict=True))
    )


@dataclass(frozen=True)
class _Share:
    """The tasks of one partition, and the largest of their groups, to be named where memory runs out."""

    partition: DataRef
    largest: GroupSize


class RunGroups:
    """Runs, on an executor, the tasks whose rows come sorted by partition and task."""

    def __init__(
        self,
        runner: PartitionRunner,
        shares: dict[int, _Share],
        names: Sequence[str],
        keys: Sequence[int],
        keepalive_interval: float | None,
    ) -> None:
        self._runner = runner
        self._shares = shares
        self._names = names
        self._keys = keys
        self._sign_interval = keepalive_interval

    def __call__(self, batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
        from pyspark import TaskContext

        freeze_loaded_modules()
        task: Any = TaskContext.get()
        take_tokens(task.getLocalProperty(PROPERTY))
        attempt = self._runner.attempt + task.attemptNumber()
        runner = replace(self._runner, attempt=attempt)
        for place, parts in groupby(_by_place(batches), lambda part: part[0]):
            yield from self._results(runner, self._shares[place], parts)
            if is_retiring():
                break
        for _ in batches:  # read to its end, or PySpark throws the worker away
            pass

    def _results(
        self, runner: PartitionRunner, share: _Share, parts: Iterable[tuple[int, RecordBatch]]
    ) -> Iterator[RecordBatch]:
        """Return the message of one partition; where memory does not hold its rows, that is the error of its tasks."""
        held: list[RecordBatch] = []
        size = 0
        try:
            for _, batch in parts:
                held.append(batch)
            ref, size = self._with_rows(share.partition, held), _bytes_of(held, share.largest.rows)
            held.clear()  # the partition has a copy
            yield from message_rows(runner, ref, self._sign_interval)
        except MemoryError:
            rows = NoRows.of(share.largest, size or _bytes_of(held, share.largest.rows))
            held.clear()
            yield from message_rows(runner, _with(share.partition, rows), self._sign_interval)

    def _with_rows(self, ref: DataRef, held: list[RecordBatch]) -> DataRef:
        from pyarrow import Table

        table = Table.from_batches(held)
        numbers = _opened(ref).numbers
        named = table.drop_columns(["task", "place"]).rename_columns(self._names)
        return _with(ref, ArrowRows.of_sorted(named, table.column("task").to_numpy(), numbers, self._keys))


def _opened(ref: DataRef) -> Partition:
    partition: Partition = pickle.loads(ref.open().part(0))
    return partition


def _with(ref: DataRef, rows: ArrowRows | NoRows) -> DataRef:
    """Return a partition with the rows of its tasks."""
    return InlineRef((pickle.dumps(replace(_opened(ref), rows=rows), 5),))


def _bytes_of(held: Sequence[RecordBatch], rows: int) -> int:
    """Estimate the bytes of so many rows by those that have come."""
    size, count = sum(batch.nbytes for batch in held), sum(batch.num_rows for batch in held)
    return int(size * rows / max(1, count))


def _by_place(batches: Iterable[RecordBatch]) -> Iterator[tuple[int, RecordBatch]]:
    """Cut batches where the place changes."""
    import numpy

    for batch in batches:
        places = batch.column(batch.schema.get_field_index("place")).to_numpy()
        cuts = [0, *(numpy.flatnonzero(places[1:] != places[:-1]) + 1).tolist(), len(places)]
        for start, stop in pairwise(cuts):
            if stop > start:
                yield int(places[start]), batch.slice(start, stop - start)


def _spread(count: int) -> list[int]:
    """Find numbers that Spark's hash function sends to partitions 0, 1, ... of `count`, one to each.

    >>> len(set(_spread(5)))
    5
    """
    found: dict[int, int] = {}
    number = 0
    while len(found) < count:
        found.setdefault(_hash(number) % count, number)
        number += 1
    return [found[place] for place in range(count)]


def _hash(number: int) -> int:
    """Spark's hash of an integer (Murmur3, seed 42); another one would only load the executors less evenly."""
    mask = 0xFFFFFFFF
    mixed = number * 0xCC9E2D51 & mask
    mixed = (mixed << 15 | mixed >> 17) & mask
    value = 42 ^ (mixed * 0x1B873593 & mask)
    value = (value << 13 | value >> 19) & mask
    value = (value * 5 + 0xE6546B64 & mask) ^ 4
    value = (value ^ value >> 16) * 0x85EBCA6B & mask
    value = (value ^ value >> 13) * 0xC2B2AE35 & mask
    value ^= value >> 16
    return value - (1 << 32) if value >> 31 else value
