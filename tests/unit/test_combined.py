"""RxCombined: how it shows itself and what it keeps; and the errors of combining."""

from __future__ import annotations

import linecache
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxspark import RxCombineError, RxLocalParallel, RxLocalSeq, rxElemArg, rxExec
from rxspark.worker.combining import COMBINES, Combiner
from rxspark.worker.results import kept_value


@pytest.fixture(autouse=True)
def _here():
    with RxLocalSeq():
        yield


def test_it_shows_its_value_and_how_it_came_about():
    """In a terminal the value stands first; a notebook shows a table as a table."""
    found = rxExec(abs, rxElemArg(range(1000)), combine="sum")
    assert repr(found).startswith("499500\n# RxCombined: 1,000 of 1,000 tasks combined; ")
    assert "1,000 of 1,000 tasks" in found._repr_html_()
    assert ">499500<" in found._repr_html_()
    frame = rxExec(lambda i: pd.DataFrame({"a": [i]}), rxElemArg(range(3)), combine="concat")
    assert "<table" in frame._repr_html_()


def test_it_can_be_pickled():
    """With all that it tells."""
    found = rxExec(abs, rxElemArg(range(100)), combine="sum", RNGseed=1)
    again = pickle.loads(pickle.dumps(found))
    assert (again.value, again.count, again.rng, again.timings) == (4950, 100, found.rng, found.timings)
    pd.testing.assert_frame_equal(again.info, found.info)


@pytest.mark.parametrize("name", ["min", "max"])
def test_nan_stays(name):
    """As in NumPy, whether it is the first value or the second."""
    combine = COMBINES[name]
    assert np.isnan(combine(float("nan"), 1.0))
    assert np.isnan(combine(1.0, float("nan")))
    assert combine("a", "b") == {"min": "a", "max": "b"}[name]
    assert list(combine(np.array([1, 5]), np.array([2, 3]))) == {"min": [1, 3], "max": [2, 5]}[name]


def test_the_error_shows_a_line_that_only_the_caller_has(monkeypatch):
    """As that of a notebook's cell, which workers have no file of."""
    source = "def combine(a, b):\n    return a + b.missing  # cell 7\n"
    monkeypatch.setitem(linecache.cache, "<cell 7>", (len(source), None, source.splitlines(True), "<cell 7>"))
    there: dict[str, Any] = {}
    exec(compile(source, "<cell 7>", "exec"), there)
    with (
        RxLocalParallel(),
        pytest.raises(RxCombineError, match=r"AttributeError(.|\n)*return a \+ b.missing  # cell 7"),
    ):
        rxExec(abs, rxElemArg(range(64)), combine=there["combine"])


def test_a_value_that_cannot_be_unpickled_is_told():
    """By which tasks gave it."""

    class Broken:
        def __reduce__(self):
            return int, ("no number",)

    combine = Combiner(lambda a, b: a, 1000, in_caller=True)
    with pytest.raises(RxCombineError, match=r"ValueError.*cannot be unpickled.*task 3"):
        combine((1, 1), kept_value(1), kept_value(Broken()))
