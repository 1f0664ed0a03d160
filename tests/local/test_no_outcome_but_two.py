"""rxExec returns results or raises an error of its own that says why, whatever it is given."""

from __future__ import annotations

import warnings

import hypothesis.strategies as st
import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings

from rxspark import RxError, RxLocalSeq, RxResults, rxElemArg, rxExec


class _Bad:
    """It cannot be pickled."""

    def __reduce__(self):
        raise RuntimeError("no pickle")


def _fun(*args, **kwargs):
    return len(args)


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.sampled_from([2**63, -(2**70), float("nan"), float("inf"), 1.5, "", "MT2203", "auto", "sobol", "\ud800", b"x"]),
    st.text(max_size=3),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([np.arange(2), np.float64(1), np.int8(2), pd.DataFrame({"a": [1]}), pd.NA]),
    st.sampled_from([object(), _Bad(), rxExec, int, range(3), iter([1, 2]), NotImplemented, ...]),
)
element = st.one_of(anything, st.builds(lambda x: rxElemArg(x), st.lists(st.integers(), max_size=4)))
NAMES = [
    "elemArgs",
    "oncePerElem",
    "timesToRun",
    "packagesToLoad",
    "execObjects",
    "taskChunkSize",
    "consoleOutput",
    "autoCleanup",
    "continueOnFailure",
    "RNGseed",
    "RNGkind",
    "RNGscope",
    "foreachOpts",
    "rngseed",
    "x",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    function=st.one_of(st.just(_fun), st.just(lambda x=1: x), anything),
    positional=st.lists(element, max_size=2),
    named=st.dictionaries(st.sampled_from(NAMES), element, max_size=4),
)
def test_a_call_gives_results_or_an_error_of_ours(function, positional, named):
    """Three hundred calls with odd arguments: each returns an RxResults, or raises an RxError with a message."""
    with RxLocalSeq(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result: object = rxExec(function, *positional, **named)
        except RxError as error:
            result = str(error)
        assert result if isinstance(result, str) else isinstance(result, RxResults)
