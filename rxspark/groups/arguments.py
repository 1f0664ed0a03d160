"""The arguments of rxExecBy, checked before anything is read or launched."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rxspark.analysis.data.sources import check_column, check_unique
from rxspark.calls.elements import ElemArg
from rxspark.errors import RxArgumentError
from rxspark.validation import short_repr

if TYPE_CHECKING:
    import pandas

__all__ = ["ROWS", "check_function", "check_names", "column_names", "wanted_groups"]

ROWS = "rows"
"""The column with the number of rows in the table of keys."""


def column_names(argument: str, value: Any) -> list[Any]:
    """Return the names of columns that an argument holds: one name, or several in a list or tuple."""
    several = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
    names: list[Any] = list(value) if several else [value]
    wrong = [name for name in names if name is None or not isinstance(name, Hashable) or isinstance(name, Mapping)]
    if wrong or isinstance(value, Mapping):
        raise RxArgumentError(
            f"{argument}={short_repr(value)}: {argument} is the name of a column, or a list of such names"
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise RxArgumentError(f"{argument}={short_repr(value)}: {twice[0]!r} is there twice; name each column once")
    return names


def check_names(keys: list[Any], sort_by: list[Any], columns: list[Any]) -> None:
    """Make sure that the named columns are there, and that no two columns have one name."""
    for argument, names in (("keys", keys), ("sortBy", sort_by)):
        for name in names:
            if name not in columns:
                check_column(str(name), columns, f"{argument}={name!r}")
                raise RxArgumentError(f"{argument}={name!r}: there is no column {name!r}, but {str(name)!r}; name that")
    if ROWS in keys:
        raise RxArgumentError(
            f"keys: a key cannot have the name {ROWS!r}, which the table of keys has for the number of rows of each "
            f"group; rename the column"
        )
    check_unique(map(str, columns), map(str, columns), argument="inData")


def check_function(func: Any, params: Any) -> dict[str, Any]:
    """Make sure that `func` can be called as func(keys, data, **funcParams), and give funcParams as a dict."""
    if not callable(func):
        raise RxArgumentError(f"func={short_repr(func)}: func is the function to run, called as func(keys, data)")
    if params is not None and not (isinstance(params, Mapping) and all(isinstance(name, str) for name in params)):
        raise RxArgumentError(
            f"funcParams={short_repr(params)}: funcParams is a dict of func's further arguments by their names"
        )
    given = dict(params or {})
    split = [name for name, value in given.items() if isinstance(value, ElemArg)]
    if split:
        raise RxArgumentError(
            f"funcParams: {split[0]!r} is {short_repr(given[split[0]])}, but the groups are the tasks; give one value "
            f"for all, or a dict of values by key, from which func takes its own"
        )
    try:
        signature = inspect.signature(func, follow_wrapped=False)
    except (ValueError, TypeError):  # a builtin that does not tell
        return given
    try:
        signature.bind(None, None, **given)
    except TypeError as error:
        name = getattr(func, "__name__", type(func).__name__)
        call = ", ".join(["keys", "data", *(f"{key}=..." for key in given)])
        raise RxArgumentError(
            f"func={name}: it cannot be called as {name}({call}): {error}. func is {name}{signature}; it gets the keys "
            f"of a group as a dict, its rows as a data frame, and what funcParams names"
        ) from None
    return given


def wanted_groups(keys: pandas.DataFrame, filter_func: Callable[[Any], Any] | None) -> list[int]:
    """Return the places of the groups that `filterFunc` wants, in the order of the table of keys."""
    if filter_func is None:
        return list(range(len(keys)))
    if not callable(filter_func):
        raise RxArgumentError(
            f"filterFunc={short_repr(filter_func)}: filterFunc is a function of the table of keys, which gives the "
            f"rows of it to keep"
        )
    places = _places(keys, filter_func(keys.copy()))
    if not places:
        raise RxArgumentError(
            f"filterFunc: it keeps none of the {len(keys)} groups; it gets a table with the columns "
            f"{', '.join(map(repr, keys.columns))}, and gives the rows of it to keep"
        )
    return places


def _places(keys: pandas.DataFrame, answer: Any) -> list[int]:
    import numpy
    import pandas

    if isinstance(answer, pandas.DataFrame):
        known = answer.index.isin(keys.index)
        same = known.all() and list(answer.columns) == list(keys.columns) and answer.equals(keys.loc[answer.index])
        if not same:
            raise RxArgumentError(
                f"filterFunc: it gave a table with rows that are not those of the table of keys, under their labels "
                f"(0 to {len(keys) - 1}); give some of its rows as they are, as in lambda keys: keys[keys.rows > 100]"
            )
        return sorted(set(answer.index.tolist()))
    mask = numpy.asarray(answer)
    if mask.dtype == bool and mask.shape == (len(keys),):
        return [int(place) for place in numpy.flatnonzero(mask)]
    raise RxArgumentError(
        f"filterFunc: it gave {short_repr(answer)}, of type {type(answer).__name__}; it gives the rows of the table of "
        f"keys that are to be kept, or one True or False for each of its {len(keys)} rows"
    )
