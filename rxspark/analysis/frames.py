"""Tables in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd

from rxspark.analysis.sources import local_columns, local_frame

__all__ = ["LocalTable"]

T = TypeVar("T")


class LocalTable:
    """Data in this process, as `recipe.Table` has it."""

    spread = False

    def __init__(self, data: Any, function: str) -> None:
        self.columns = local_columns(data, function)
        self._data = data
        self._taken: tuple[list[str], pd.DataFrame] | None = None

    def frame(self, needed: list[str]) -> pd.DataFrame:
        """Those columns."""
        if self._taken is None or self._taken[0] != needed:
            self._taken = (needed, local_frame(self._data, needed))
        return self._taken[1]

    def total(self, needed: list[str], of: Callable[[pd.DataFrame], T], add: Callable[[T, T], T]) -> T:
        """What the rows give."""
        return of(self.frame(needed))
