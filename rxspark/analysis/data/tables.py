"""Tables in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd

from rxspark.analysis.data.blocks import Here
from rxspark.analysis.data.sources import opened, refuse_repeated

__all__ = ["LocalTable"]

T = TypeVar("T")


class LocalTable:
    """Data in this process, as `recipe.Table` has it."""

    spread = False

    def __init__(self, data: Any, function: str) -> None:
        self._data = opened(data, function)
        names = self._data.columns if isinstance(self._data, pd.DataFrame) else self._data.schema.names
        self.columns = [str(name) for name in names]
        self._taken: tuple[list[str], pd.DataFrame] | None = None

    def frame(self, needed: list[str]) -> pd.DataFrame:
        """Those columns, by names that are text."""
        if self._taken is None or self._taken[0] != needed:
            refuse_repeated(needed, self.columns)
            self._taken = (needed, self._read(needed))
        return self._taken[1]

    def _read(self, needed: list[str]) -> pd.DataFrame:
        if isinstance(self._data, pd.DataFrame):
            return self._data.iloc[:, [self.columns.index(name) for name in needed]].set_axis(needed, axis=1)
        # Of no columns Arrow would forget how many rows there are.
        read = needed or self.columns[:1]
        table = self._data.select(read) if hasattr(self._data, "select") else self._data.to_table(columns=read)
        frame: pd.DataFrame = table.to_pandas()
        return frame[needed]

    def total(self, needed: list[str], of: Callable[[pd.DataFrame], T], add: Callable[[T, T], T]) -> T:
        """What the rows give."""
        return of(self.frame(needed))

    def parts(self, needed: list[str], make: Callable[[pd.DataFrame], Any]) -> Here:
        """All rows as one part."""
        return Here(make(self.frame(needed)))
