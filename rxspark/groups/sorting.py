"""Sort the rows of a table by group, once, and write them for the tasks of this machine to map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from rxspark.data.bundle import Buffer, Bundle
from rxspark.errors import RxArgumentError, RxShippingError
from rxspark.groups.arguments import ROWS
from rxspark.serialize.pickler import CallSerializer
from rxspark.serialize.share import share_bundle
from rxspark.serialize.shared_object import Shared
from rxspark.worker.groups import GroupColumn, GroupTable

__all__ = ["SortedRows", "sort_rows"]

# Kinds of NumPy's types whose numbers can be mapped as they are.
_MAPPED = "biufcmM"


@dataclass(frozen=True)
class SortedRows:
    """The rows of a table in the order of their groups."""

    frame: pd.DataFrame
    key_names: list[Any]
    keys: pd.DataFrame
    """The keys of each group, sorted, missing values last, and the number of its rows."""
    order: np.ndarray
    """Positions of the rows, group after group."""
    starts: np.ndarray
    """Where each group begins in `order`, and its end."""

    def share(self, places: Sequence[int], in_arrow: Mapping[Any, Any]) -> Shared:
        """Write the rows of these groups once, for all tasks of this machine; of some columns those `in_arrow`."""
        serializer = CallSerializer()
        bundle = Bundle(self._parts(serializer, places, in_arrow))
        return share_bundle(bundle, of="table", modules=serializer.modules)

    def _parts(self, serializer: CallSerializer, places: Sequence[int], in_arrow: Mapping[Any, Any]) -> list[Buffer]:
        order, starts = self.order, self.starts
        if len(places) < len(self.keys):
            wanted = [order[starts[place] : starts[place + 1]] for place in places]
            order, starts = np.concatenate(wanted), np.cumsum([0, *map(len, wanted)])
        columns, mapped, others = [], [], {}
        for name in self.frame.columns:
            if name in in_arrow:
                column, values = GroupColumn(name, None), in_arrow[name]
            else:
                column, values = _column(name, self.frame[name])
            columns.append(column)
            if column.dtype is None:
                others[name] = values
            else:
                mapped.append(_bytes(np.take(values, order)))
        pickles = [_pickle(serializer, others, order[first:last]) for first, last in pairwise(starts)]
        ends = np.cumsum([0, *map(len, pickles)]).astype(np.int64) if others else np.empty(0, np.int64)
        keys = tuple(list(self.frame.columns).index(name) for name in self.key_names)
        head = serializer.dump(GroupTable(tuple(columns), keys))
        return [head, _bytes(starts), _bytes(ends), b"".join(pickles), *mapped]


def _bytes(numbers: Any) -> memoryview:
    return memoryview(numbers.view(np.uint8))


def _column(name: Any, series: pd.Series) -> tuple[GroupColumn, Any]:
    """Describe a column, and give what is to be sorted of it."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy()
        return GroupColumn(name, codes.dtype.str, series.dtype), codes
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in _MAPPED:
        return GroupColumn(name, series.dtype.str), series.to_numpy()
    return GroupColumn(name, None), series.to_numpy() if series.dtype == object else series.array


def _pickle(serializer: CallSerializer, columns: dict[Any, Any], rows: np.ndarray) -> bytes:
    """The pickle of the values that a group has of columns that cannot be mapped."""
    if not columns:
        return b""
    try:
        return serializer.dump([values.take(rows) for values in columns.values()])
    except Exception as error:
        raise RxShippingError(
            f"inData: the columns {', '.join(map(repr, columns))} hold values that cannot be sent to the workers: "
            f"{type(error).__name__}: {error}"
        ) from error


def sort_rows(frame: pd.DataFrame, keys: list[Any], sort_by: list[Any]) -> SortedRows:
    """Find the groups of a table's rows, and the order in which they stand group by group.

    Raises
    ------
    RxArgumentError
        When values of a column cannot be keys or have no order.
    """
    codes = _group_codes(frame, keys)
    within = _order_within(frame, sort_by)
    order = np.argsort(codes, kind="stable") if within is None else within[np.argsort(codes[within], kind="stable")]
    in_order = codes[order]
    changes = np.flatnonzero(in_order[1:] != in_order[:-1]) + 1
    starts = np.array([0, *changes, len(order)] if len(order) else [0], np.int64)
    table = frame[keys].iloc[order[starts[:-1]]].reset_index(drop=True)
    table[ROWS] = np.diff(starts)
    return SortedRows(frame=frame, key_names=keys, keys=table, order=order, starts=starts)


def _group_codes(frame: pd.DataFrame, keys: list[Any]) -> np.ndarray:
    """Number the groups: equal keys have equal numbers, in the order of the keys, and small types where they do."""
    codes = _codes(frame[keys[0]], keys[0])
    for name in keys[1:]:
        more = _codes(frame[name], name)
        kinds = int(more.max(initial=0)) + 1
        _, codes = np.unique(codes.astype(np.int64) * kinds + more, return_inverse=True)
        codes = _in_small_type(codes)
    return codes


def _codes(column: pd.Series, name: Any) -> np.ndarray:
    """Number the values of a key in their order, missing ones last."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return np.asarray(codes).view(f"u{codes.itemsize}")  # -1, which stands for a missing value, is then the largest
    try:
        found, values = pd.factorize(column, sort=True)
    except TypeError as error:
        raise RxArgumentError(
            f"keys={name!r}: values of this column cannot be keys ({error}); keys are numbers, text, times or other "
            f"values that can be hashed and sorted: make such a column first"
        ) from None
    return _in_small_type(np.where(found < 0, len(values), found))


def _in_small_type(codes: np.ndarray) -> np.ndarray:
    """Up to 16 bits NumPy sorts in linear time."""
    return codes.astype(np.min_scalar_type(int(codes.max(initial=0))))


def _order_within(frame: pd.DataFrame, sort_by: list[Any]) -> np.ndarray | None:
    if not sort_by:
        return None
    try:
        labelled = frame[sort_by].reset_index(drop=True)
        return np.asarray(labelled.sort_values(sort_by, kind="stable").index)
    except TypeError as error:
        raise RxArgumentError(f"sortBy={sort_by!r}: values of these columns have no order ({error})") from None
