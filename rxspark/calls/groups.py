"""Groups of rows of a table, each of which is a task."""

from __future__ import annotations

import base64
import pickle
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

__all__ = ["Groups", "keys_as_text", "keys_of_text"]


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups that a call runs FUN on."""

    keys: pandas.DataFrame
    """The keys of each group and the number of its `rows`, one row a group."""
    places: Sequence[int]
    """The place of each group among all sorted keys of the table, wanted or not: the number of its random stream."""
    table: Any
    """The handle of the table (`Shared`), sorted by group; None where the rows stay in Spark."""


def keys_as_text(keys: pandas.DataFrame) -> str:
    """Write the table of keys as text, for the record of a job."""
    return base64.b64encode(zlib.compress(pickle.dumps(keys, 5), 1)).decode()


def keys_of_text(text: str) -> pandas.DataFrame:
    """Read what `keys_as_text` has written."""
    keys: pandas.DataFrame = pickle.loads(zlib.decompress(base64.b64decode(text)))
    return keys
