"""Tables of Arrow as data frames, whose groups have the types that they have on Spark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow

__all__ = ["Nullable", "frame_of"]

# pandas' types of whole numbers, some of which are missing, by those of Arrow.
_WHOLE = {
    getattr(pyarrow, name.lower())(): pd.api.types.pandas_dtype(name)
    for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
}


@dataclass(frozen=True)
class Nullable:
    """Whole numbers or truth values of Arrow, some of them missing.

    pandas has other types for them than for those without missing values. So each group gets the type that its own
    values need, as on Spark, where nobody knows about the other groups.
    """

    values: pyarrow.Array

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return the values of some rows."""
        found: np.ndarray = self.values.take(pyarrow.array(rows)).to_numpy(zero_copy_only=False)
        return found


def frame_of(table: pyarrow.Table) -> tuple[pd.DataFrame, dict[str, Nullable]]:
    """Make a data frame of a table of Arrow, in which whole numbers stay whole; and the columns to be cut in Arrow."""
    frame, nullable = table.to_pandas(), {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        whole = pyarrow.types.is_integer(column.type)
        if column.null_count and name in frame.columns and (whole or pyarrow.types.is_boolean(column.type)):
            nullable[name] = Nullable(column.combine_chunks())
            if whole:
                frame[name] = column.to_pandas(types_mapper=_WHOLE.get).array  # whatever labels the rows have
    return frame, nullable
