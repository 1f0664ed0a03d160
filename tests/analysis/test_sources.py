"""Data of whatever library are data, and what cannot be a column of numbers or of text is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest

from rxspark import RxArgumentError, rxGlm, rxKmeans, rxLinePlot

line_plot: Any = rxLinePlot  # axes, or a list of them for panels

PEOPLE = pd.DataFrame(
    {
        "y": [1.0, 2, 4, 3, 6, 5],
        "x": [1.0, 2, 3, 4, 5, np.nan],
        "g": list("aabbcc"),
        "old": [True, False, None, True, False, True],
    }
)


class Foreign:
    """A table of a library that rxspark does not know, by one of the protocols."""

    def __init__(self, protocol: str) -> None:
        self.__dict__[protocol] = getattr(pyarrow.Table.from_pandas(PEOPLE), protocol)


FOREIGN: dict[str, Callable[[], Any]] = {
    "stream": lambda: Foreign("__arrow_c_stream__"),
    "interchange": lambda: Foreign("__dataframe__"),
    "reader": lambda: pyarrow.Table.from_pandas(PEOPLE).to_reader(),
    "batch": lambda: pyarrow.RecordBatch.from_pandas(PEOPLE),
    "structured": lambda: PEOPLE.to_records(index=False),
    "arrow types": lambda: PEOPLE.convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_tables_of_any_library_are_data(kind: str) -> None:
    """Arrow's streams, interchange, structured arrays: rxGlm, rxKmeans, rxLinePlot and predict take them."""
    made = FOREIGN[kind]
    model, right = rxGlm("y ~ x + g", made()), rxGlm("y ~ x + g", PEOPLE)
    assert model.params.to_numpy() == pytest.approx(right.params.to_numpy(), rel=1e-12)
    assert model.nMissingObs == 1
    assert model.predict(made()).tolist()[:5] == pytest.approx(right.predict(PEOPLE).tolist()[:5])
    assert rxGlm("y ~ old", made()).names == ("(Intercept)", "oldTRUE")
    clusters = rxKmeans("~ x + y", made(), centers=[[1, 1], [4, 4]])
    assert clusters.cluster.fillna(0).tolist() == [1, 1, 2, 2, 2, 0]
    assert clusters.predict(made()).fillna(0).tolist() == [1, 1, 2, 2, 2, 0]
    axes = line_plot("y ~ x", made(), groups="g", rowSelection="x > 2")
    assert [line.get_ydata().tolist() for line in axes.lines] == [[4.0, 3.0], [6.0]]
    assert line_plot("y ~ x", made(), groups=list("ababab")).lines[0].get_ydata().tolist() == [1.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([1, 2], "data is list; give a pandas DataFrame"),
        (np.ones((4, 2)), "data is ndarray; give a pandas DataFrame"),
        (np.ones((4, 2)), "pd.DataFrame(data) makes one"),
        (pyarrow.array([1, 2]), "data is Int64Array; give a pandas DataFrame"),
    ],
)
def test_what_has_no_columns_is_refused(data: object, told: str) -> None:
    """The error says what it is, and what to give."""
    with pytest.raises(RxArgumentError, match=re.escape(told)):
        rxGlm("y ~ x", data)


def test_columns_whose_names_are_numbers_work_by_what_is_printed() -> None:
    """The columns of pd.DataFrame(array), by "." and in backquotes; a number alone is none, and nothing is left out."""
    values = np.random.default_rng(1).normal(size=(30, 3))
    frame, named = pd.DataFrame(values), pd.DataFrame(values, columns=["a", "b", "c"])
    clusters, right = rxKmeans("~ .", frame, 2, seed=1), rxKmeans("~ .", named, 2, seed=1)
    assert clusters.names == ("`0`", "`1`", "`2`")
    assert clusters.values.tolist() == right.values.tolist()
    assert clusters.predict(frame).equals(right.predict(named))
    model = rxGlm("`0` ~ .", frame)
    assert model.params.tolist() == rxGlm("a ~ .", named).params.tolist()
    assert model.predict(frame).tolist() == rxGlm("a ~ .", named).predict(named).tolist()
    assert line_plot("`0` ~ `1`", frame).get_xlabel() == "1"
    with pytest.raises(RxArgumentError, match="the response '0' names no column; a name that is a number is `0`"):
        rxGlm("0 ~ 1", frame)
    text = pd.DataFrame({"y": [1.0, 2, 3, 5], "1": list("abab")})
    assert rxGlm("y ~ .", text).names == ("(Intercept)", "`1`b")
    with pytest.raises(RxArgumentError, match="'`1`' is a factor, and k-means takes numbers"):
        rxKmeans("~ .", text, 2)


@pytest.mark.parametrize(
    "values",
    [
        [Decimal("1"), Decimal("2.5"), None, Decimal("4")],
        [Decimal("1"), 2.5, None, 4],
        [Fraction(1), np.float32(2.5), None, 4],
        [1, 2.5, pd.NA, np.int8(4)],
    ],
)
def test_numbers_in_columns_of_objects_are_numbers(values: list[object]) -> None:
    """Decimals, fractions, integers of a database: one coefficient, as of floats; what is missing is left out."""
    table = {"y": [1.0, 2.0, 9.0, 5.0], "x": pd.Series(values, dtype=object)}
    model, right = rxGlm("y ~ x", table), rxGlm("y ~ x", {"y": [1.0, 2.0, 5.0], "x": [1.0, 2.5, 4.0]})
    assert model.names == ("(Intercept)", "x")
    assert model.params.to_numpy() == pytest.approx(right.params.to_numpy(), rel=1e-12)
    assert model.nMissingObs == 1
    assert line_plot("y ~ x", table).lines[0].get_xdata()[[0, 1, 3]].tolist() == [1.0, 2.5, 4.0]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["a", 2, "b"], "column 'x' has values such as 'a' of type str and 2 of type int; use numbers, or text"),
        ([True, 2, 3], "column 'x' has values such as True of type bool and 2 of type int"),
        ([None, [1], [2]], "column 'x' has values such as [1] of type list"),
        ([1j, 2, 3], "column 'x' is of type complex128"),
    ],
)
def test_objects_that_are_neither_numbers_nor_text_are_named(values: list[object], told: str) -> None:
    """The column, a value of each type, and what to use."""
    with pytest.raises(RxArgumentError, match=re.escape(told)):
        rxGlm("y ~ x", {"y": [1.0, 2.0, 4.0], "x": values})


def test_columns_of_one_name_are_refused_where_they_are_needed() -> None:
    """By name, in each function; a model that does not need them is fitted."""
    frame = pd.DataFrame([[1, 2, 3, 1], [2, 3, 5, 1], [3, 1, 1, 2]], columns=["y", "x", "x", "z"])
    told = "2 columns have one name: 'x', 'x'; rename or drop all but one"
    for call in (lambda: rxGlm("y ~ x", frame), lambda: rxKmeans("~ .", frame, 2), lambda: line_plot("y ~ x", frame)):
        with pytest.raises(RxArgumentError, match=told):
            call()
    model = rxGlm("y ~ z", frame)
    assert model.rank == 2
    with pytest.raises(RxArgumentError, match=told):
        rxGlm("y ~ x", frame.set_axis(["y", "x", "z", "w"], axis=1)).predict(frame)
    mixed = frame.set_axis(["y", 1, "1", "z"], axis=1)
    with pytest.raises(RxArgumentError, match="2 columns have one name: '1', '1'"):
        rxGlm("y ~ `1`", mixed)
