"""Groups of rows as tasks get them: slices of a table that is sorted by group and lies in one copy on each host.

The bundle of a table:

    part 0     the pickle of its `GroupTable`
    part 1     where each group begins, and the end of the last one
    part 2     where the pickle of each group begins in part 3, and its end
    part 3     a pickle of each group, with its values of the columns that cannot be mapped: text, objects
    part 4 on  the columns that can be mapped, such as numbers and times
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rxspark.data.bundle import Bundle
from rxspark.data.refs import DataRef
from rxspark.errors import RxContextError

if TYPE_CHECKING:
    import pandas

__all__ = ["COLUMNS", "ArrowRows", "GroupColumn", "GroupRows", "GroupSize", "GroupTable", "NoRows", "forget_table"]

COLUMNS = 4
"""The number of the part that is the first column."""

# Columns from which pandas makes few large blocks of them, as it then advises for what is done with the table.
_MANY = 100

# Bytes of rows that tasks get of one mapping: at most so many, and the last group, can have been written to.
_KEPT_BYTES = 1 << 26


@dataclass(frozen=True)
class GroupColumn:
    """One column of a table."""

    name: Any
    dtype: str | None
    """NumPy's name for the type of its numbers; None where its values are in the pickles."""
    categories: Any = None
    """The type of a categorical column, whose numbers are codes."""


@dataclass(frozen=True)
class GroupTable:
    """A table that is sorted by group: its columns, and which of them are keys."""

    columns: tuple[GroupColumn, ...]
    keys: tuple[int, ...]
    """Positions of the key columns."""

    def size(self, bundle: Bundle, number: int) -> tuple[int, int]:
        """Return the number of rows of a group, and their bytes in the bundle."""
        start, stop = _between(bundle.part(1), number)
        first, last = _between(bundle.part(2), number) if len(bundle.part(2)) else (0, 0)
        mapped = sum(_dtype(column).itemsize for column in self.columns if column.dtype is not None)
        return stop - start, (stop - start) * mapped + last - first

    def only(self, bundle: Bundle, number: int) -> tuple[bytes, ...]:
        """Return the parts of a table that has this group alone."""
        start, stop = _between(bundle.part(1), number)
        first, last = _between(bundle.part(2), number) if len(bundle.part(2)) else (0, 0)
        columns = []
        for index, column in enumerate(column for column in self.columns if column.dtype is not None):
            size = _dtype(column).itemsize
            columns.append(bytes(bundle.part(COLUMNS + index)[start * size : stop * size]))
        bounds = [struct.pack("2q", 0, stop - start), struct.pack("2q", 0, last - first) if last else b""]
        return pickle.dumps(self, 5), *bounds, bytes(bundle.part(3)[first:last]), *columns


def _between(bounds: Any, number: int) -> tuple[int, int]:
    first, last = memoryview(bounds).cast("q")[number : number + 2]
    return first, last


def _pickled_values(bundle: Bundle, number: int) -> Iterator[Any]:
    if len(bundle.part(2)) == 0:
        return iter(())
    first, last = _between(bundle.part(2), number)
    return iter(pickle.loads(bundle.part(3)[first:last]))


def _dtype(column: GroupColumn) -> Any:
    import numpy

    return numpy.dtype(column.dtype)


def _plain(value: Any) -> Any:
    """A key as Python's own value; None where it is missing."""
    import numpy
    import pandas

    if value is None or value is pandas.NA or value is pandas.NaT or value != value:
        return None
    return value.item() if isinstance(value, numpy.generic) else value


class _OpenTable:
    """A table that this process has opened, and its columns in memory of this process.

    What a task writes to its rows stays there, unseen by others, as each row is in one group. A group that is asked for
    again, by a task that is tried again, is read anew.
    """

    def __init__(self, ref: DataRef) -> None:
        self.ref = ref
        self.bundle = ref.open()
        self.table: GroupTable = pickle.loads(self.bundle.part(0))
        self._mapped: list[Any] = []
        self._frame: pandas.DataFrame | None = None
        self._given: set[int] = set()
        self._rows_left = 0

    def group(self, number: int) -> tuple[dict[Any, Any], pandas.DataFrame]:
        """Return the keys and the rows of a group."""
        import pandas

        start, stop = _between(self.bundle.part(1), number)
        if self._rows_left <= 0 or number in self._given:
            self._map()
        self._given.add(number)
        self._rows_left -= stop - start
        if self._frame is None:
            data = self._made_of_columns(number, start, stop)
        else:  # three times as fast, which counts where groups are small
            data = self._frame.iloc[start:stop].copy(deep=False)
            data.index = pandas.RangeIndex(stop - start)
            data.columns = self._frame.columns.copy(deep=True)  # tasks may name them, or write to their values
        return {self.table.columns[key].name: self._key(key, data, start) for key in self.table.keys}, data

    def _map(self) -> None:
        """Map the columns that can be mapped, as they are in the table."""
        import numpy
        import pandas

        columns = self.table.columns
        parts = self.bundle.private(COLUMNS)
        types = [numpy.dtype(column.dtype) for column in columns if column.dtype is not None]
        self._mapped = [numpy.frombuffer(part, dtype) for part, dtype in zip(parts, types, strict=True)]
        plain = all(column.dtype is not None and column.categories is None for column in columns)
        self._frame = None
        if plain and len(columns) <= _MANY:
            names = [column.name for column in columns]
            self._frame = pandas.DataFrame(dict(zip(names, self._mapped, strict=True)), copy=False)
        self._given = set()
        self._rows_left = _KEPT_BYTES // max(1, sum(dtype.itemsize for dtype in types))

    def _made_of_columns(self, number: int, start: int, stop: int) -> pandas.DataFrame:
        import pandas

        pickled, mapped = _pickled_values(self.bundle, number), iter(self._mapped)
        columns = {
            column.name: next(pickled) if column.dtype is None else _column_of(column, next(mapped)[start:stop])
            for column in self.table.columns
        }
        return pandas.DataFrame(columns, copy=len(columns) > _MANY)

    def _key(self, key: int, data: pandas.DataFrame, start: int) -> Any:
        plain = self._frame is not None and self._mapped[key].dtype.kind not in "mM"  # of which pandas makes its own
        return _plain(self._mapped[key][start] if plain else data.iat[0, key])


def _column_of(column: GroupColumn, values: Any) -> Any:
    import pandas

    return values if column.categories is None else pandas.Categorical.from_codes(values, dtype=column.categories)


_last: _OpenTable | None = None
"""The table that a task of this process has read last: the next one mostly reads it, too."""


def _opened(ref: DataRef) -> _OpenTable:
    global _last
    if _last is None or _last.ref != ref:
        _last = None
        _last = _OpenTable(ref)
    return _last


def forget_table() -> None:
    """Let go of the table that this process has open."""
    global _last
    _last = None


@dataclass(frozen=True)
class GroupSize:
    """The keys of a group, and how many rows it has."""

    keys: dict[Any, Any]
    rows: int

    def __str__(self) -> str:
        return f"{', '.join(f'{name}={key!r}' for name, key in self.keys.items())}: {self.rows:,} rows"


@dataclass(frozen=True)
class NoRows:
    """Stands for the rows of the tasks of a partition that the memory of its worker does not hold."""

    problem: str

    @classmethod
    def of(cls, largest: GroupSize, size: int) -> NoRows:
        """Make it for groups of which this is the largest, with rows of about so many bytes."""
        return cls(
            f"memory does not hold the groups that run together, the largest of which is {_of_spark(largest, size)}"
        )

    def __getitem__(self, index: int) -> Any:
        raise MemoryError(self.problem)

    def only(self, indices: Sequence[int]) -> NoRows:
        """Return the same, of whichever tasks."""
        return self


def _of_spark(group: GroupSize, size: int) -> str:
    """Name a group, its bytes, and the settings of Spark that would give it room."""
    limit = os.environ.get("PYSPARK_EXECUTOR_MEMORY_MB")  # as Spark tells its Python workers
    setting = "executorOverheadMem=..." if limit is None else "extraSparkConfig={'spark.executor.pyspark.memory': ...}"
    has = "" if limit is None else f", which has {limit} MB now"
    return (
        f"{group}, about {size:,} bytes. Give the Python of executors more by RxSpark({setting}){has}; a smaller "
        f"executorCores runs fewer groups at once; a further key makes smaller groups"
    )


@dataclass(frozen=True)
class ArrowRows:
    """The first two arguments of the tasks of one partition, from an Arrow table that holds their rows alone."""

    table: Any
    bounds: Sequence[tuple[int, int] | None]
    """Where the rows of each task begin and end; None where there are none."""
    keys: Sequence[int]
    """Positions of the key columns."""

    @classmethod
    def of_sorted(cls, table: Any, row_tasks: Any, tasks: Sequence[int], keys: Sequence[int]) -> ArrowRows:
        """Make it for these tasks, of rows that are sorted by task; `row_tasks` has the task of each row."""
        import numpy

        cuts = [0, *(numpy.flatnonzero(row_tasks[1:] != row_tasks[:-1]) + 1).tolist(), len(row_tasks)]
        found = {int(row_tasks[start]): (start, stop) for start, stop in pairwise(cuts)}
        return cls(table.combine_chunks(), [found.get(task) for task in tasks], keys)

    def __getitem__(self, index: int) -> tuple[tuple[Any, Any], dict[str, Any]]:
        bounds = self.bounds[index]
        if bounds is None:
            raise RxContextError(
                "the rows of this group were not found again: the table has changed since its keys were counted, or "
                "has other rows each time that Spark reads it; write it to a file or table first"
            )
        start, stop = bounds
        rows = self.table.slice(start, stop - start)
        try:
            # A copy: columns that Arrow need not convert could not be written to.
            data = rows.to_pandas(use_threads=False).copy()
        except MemoryError as error:
            keys = {self.table.column_names[key]: rows.column(key)[0].as_py() for key in self.keys}
            group = _of_spark(GroupSize(keys, stop - start), rows.nbytes)
            raise MemoryError(f"memory does not hold the rows of the group {group}") from error
        return ({data.columns[key]: _plain(data.iat[0, key]) for key in self.keys}, data), {}

    def only(self, indices: Sequence[int]) -> ArrowRows:
        """Return those of these tasks alone."""
        return ArrowRows(self.table, [self.bounds[index] for index in indices], self.keys)


@dataclass(frozen=True)
class GroupRows:
    """The first two arguments of the tasks of one partition: the keys and the rows of their groups."""

    tables: Sequence[DataRef]
    """The table that each task reads, by its index in the partition."""
    groups: Sequence[int]
    """The number of its group in that table."""

    def __getitem__(self, index: int) -> tuple[tuple[Any, Any], dict[str, Any]]:
        opened, group = _opened(self.tables[index]), self.groups[index]
        try:
            return opened.group(group), {}
        except MemoryError as error:
            rows, size = opened.table.size(opened.bundle, group)
            raise MemoryError(
                f"memory does not hold the rows of this group, whose keys are in `.keys` of the results: {rows:,} "
                f"rows, {size:,} bytes. rxOptions(numCoresToUse=...) lets fewer groups run at once; a further key "
                f"makes smaller groups"
            ) from error

    def only(self, indices: Sequence[int]) -> GroupRows:
        """Return those of these tasks alone."""
        return GroupRows([self.tables[index] for index in indices], [self.groups[index] for index in indices])
