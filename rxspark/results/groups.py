"""RxGroupResults: what rxExecBy returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from rxspark.errors import RxTaskError
from rxspark.results.results import RxNotFinished, RxResults

if TYPE_CHECKING:
    import pandas

__all__ = ["RxGroupResults", "frame_of"]

T = TypeVar("T")


class RxGroupResults(RxResults[T]):
    """The results of `rxExecBy`: a list with one entry for each group, in the order of the sorted keys.

    It is an `RxResults`, with all that one has. The tasks of the call are the groups: group i is task i.

    Attributes
    ----------
    keys : pandas.DataFrame
        The keys of each group and the number of its `rows`, one row for each entry.

    Examples
    --------
    >>> from rxspark import rxExecBy
    >>> table = {"city": ["Oslo", "Bergen", "Oslo"], "x": [1, 2, 5]}
    >>> z = rxExecBy(table, "city", lambda keys, data: int(data["x"].max()))
    >>> z
    [2, 5]
    >>> z.keys
         city  rows
    0  Bergen     1
    1    Oslo     2
    >>> z.frame()
         city  value
    0  Bergen      2
    1    Oslo      5
    """

    def __init__(self, values: Iterable[T], *, keys: pandas.DataFrame, **described: Any) -> None:
        super().__init__(values, **described)
        self.keys = keys

    if TYPE_CHECKING:  # a slice of these has keys, too

        @overload
        def __getitem__(self, index: SupportsIndex | str) -> T: ...
        @overload
        def __getitem__(self, index: slice) -> RxGroupResults[T]: ...
        def __getitem__(self, index: Any) -> Any: ...

    def _described(self, index: slice) -> dict[str, Any]:
        return {**super()._described(index), "keys": self.keys.iloc[index].reset_index(drop=True)}

    def frame(self) -> pandas.DataFrame:
        """Put the keys beside the values: one table for all groups.

        Scalars become a column ``value``, dicts and Series a column for each of their keys. Data frames are put below
        one another, each row beside the keys of its group. A group that failed has missing values, and then there is
        a column ``error`` with the errors' texts.

        Raises
        ------
        TypeError
            When some values are frames and others are not, or a column with the name of a key has not the keys' values.

        Examples
        --------
        >>> from rxspark import rxExecBy
        >>> table = {"city": ["Oslo", "Bergen", "Oslo"], "x": [1, 2, 5]}
        >>> rxExecBy(table, "city", lambda keys, data: {"mean": data["x"].mean(), "n": len(data)}).frame()
             city  mean  n
        0  Bergen   2.0  1
        1    Oslo   3.0  2
        """
        return frame_of(self.keys.drop(columns="rows"), self)


def frame_of(keys: pandas.DataFrame, results: Sequence[Any]) -> pandas.DataFrame:
    """Put the keys of results beside their values, by the rules of `RxGroupResults.frame`; a row of keys for each."""
    import pandas

    present = [value for value in results if not _is_missing(value)]
    frames = [isinstance(value, pandas.DataFrame) for value in present]
    if any(frames) and not all(frames):
        other = next(value for value, is_frame in zip(present, frames, strict=True) if not is_frame)
        raise TypeError(f"some values are data frames, and one is {type(other).__name__}: let all be of one kind")
    values = _below(results) if any(frames) else _beside(results)
    keys = keys.iloc[values.index].reset_index(drop=True)
    failed = pandas.Series([_is_missing(results[number]) for number in values.index], dtype=bool)
    values = values.reset_index(drop=True)
    both = [name for name in values.columns if name in keys.columns]
    for name in both:
        if not (failed | _alike(values[name], keys[name])).all():
            raise TypeError(f"the values have a column {name!r} with others than the keys': give it another name")
    return keys.join(values.drop(columns=both))


def _is_missing(value: Any) -> bool:
    return value is RxNotFinished or isinstance(value, RxTaskError)


def _alike(some: pandas.Series, others: pandas.Series) -> pandas.Series:
    return (some == others) | (some.isna() & others.isna())


def _beside(values: Sequence[Any]) -> pandas.DataFrame:
    """One row for each value."""
    import pandas

    rows: list[dict[Any, Any]] = []
    for value in values:
        if _is_missing(value):
            rows.append({})
        elif isinstance(value, (Mapping, pandas.Series)):
            rows.append(dict(value))
        else:
            rows.append({"value": value})
    table = pandas.DataFrame(rows, index=range(len(rows)))
    if any(map(_is_missing, values)):
        table["error"] = pandas.Series([_text(value) for value in values], dtype=object)
    return table


def _below(values: Sequence[Any]) -> pandas.DataFrame:
    """The rows of all frames, each with the number of its value as label."""
    import pandas

    def parts() -> Iterator[pandas.DataFrame]:
        for number, value in enumerate(values):
            part = pandas.DataFrame({"error": [_text(value)]}) if _is_missing(value) else value
            yield part.set_axis([number] * len(part), axis=0)

    return pandas.concat(parts())


def _text(value: Any) -> str | None:
    if value is RxNotFinished:
        return "not finished"
    return f"{value.type}: {value.message}" if isinstance(value, RxTaskError) else None
