"""Tables and blocks of rows: the interface that all data share, and tables in this process.

A model reads a table a few times to learn about its columns (`Table.aggregate`), then keeps its rows as blocks
(`Table.blocks`) and asks these for sums (`RowBlocks.aggregate`). Sums are the same however rows are divided, so that
one fit serves data in this process and on a cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

import pandas as pd

from rxspark.analysis.data.sources import check_unique, open_data

__all__ = ["LocalBlocks", "LocalTable", "RowBlocks", "Sums", "Table"]

T = TypeVar("T")


class RowBlocks(Protocol):
    """Rows that a fit reads many times; each model has its own class of block."""

    def aggregate(self, of: Callable[[Any], T], add: Callable[[T, T], T]) -> T:
        """Apply `of` to each block, and combine the results by `add`."""

    def release(self) -> None:
        """Free the memory that holds the blocks."""


class Table(Protocol):
    """A table in this process or on a cluster."""

    columns: list[str]
    is_distributed: bool
    """Whether its rows lie in several places, so that no function sees them all."""

    def aggregate(self, needed: list[str], of: Callable[[pd.DataFrame], T], add: Callable[[T, T], T]) -> T | None:
        """Apply `of` to batches of rows with the needed columns, and combine by `add`; None if there is no row."""

    def blocks(self, needed: list[str], make: Callable[[pd.DataFrame], Any]) -> RowBlocks:
        """Make blocks from batches of rows with the needed columns, and keep them until they are released."""


@dataclass(frozen=True)
class LocalBlocks:
    """One block that holds all rows, in this process."""

    block: Any

    def aggregate(self, of: Callable[[Any], T], add: Callable[[T, T], T]) -> T:
        """Apply `of` to the block."""
        return of(self.block)

    def release(self) -> None:
        """Do nothing: Python frees the block."""


class LocalTable:
    """A table in this process: pandas, a dict of columns, Arrow, or Parquet files.

    Raises
    ------
    RxArgumentError
        When the data are not a table.
    """

    is_distributed = False

    def __init__(self, data: Any, function: str) -> None:
        self._data = open_data(data, function)
        names = self._data.columns if isinstance(self._data, pd.DataFrame) else self._data.schema.names
        self.columns = [str(name) for name in names]
        self._read_last: tuple[list[str], pd.DataFrame] | None = None

    def frame(self, needed: list[str]) -> pd.DataFrame:
        """Read the needed columns as pandas, under names that are text."""
        if self._read_last is None or self._read_last[0] != needed:
            check_unique(needed, self.columns)
            self._read_last = (needed, self._read(needed))
        return self._read_last[1]

    def _read(self, needed: list[str]) -> pd.DataFrame:
        if isinstance(self._data, pd.DataFrame):
            return self._data.iloc[:, [self.columns.index(name) for name in needed]].set_axis(needed, axis=1)
        # Without any column Arrow would forget how many rows there are.
        read = needed or self.columns[:1]
        table = self._data.select(read) if hasattr(self._data, "select") else self._data.to_table(columns=read)
        frame: pd.DataFrame = table.to_pandas()
        return frame[needed]

    def aggregate(self, needed: list[str], of: Callable[[pd.DataFrame], T], add: Callable[[T, T], T]) -> T:
        """Apply `of` to all rows at once."""
        return of(self.frame(needed))

    def blocks(self, needed: list[str], make: Callable[[pd.DataFrame], Any]) -> LocalBlocks:
        """Make one block from all rows."""
        return LocalBlocks(make(self.frame(needed)))


class Sums:
    """A mixin for dataclasses of sums over rows: ``+`` adds them field by field."""

    def __add__(self, other: Any) -> Any:
        total = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return type(self)(**total)
