"""The promise on Spark: the fixed calls, in a process of its own, on one Spark after another."""

from __future__ import annotations

import pytest
from promise import FIXED, digest, here
from promise_on_spark import spark_program

MASTERS = ["local[1]", "local[4]", "local-cluster[2,1,1024]"]


@pytest.mark.parametrize("number", range(len(MASTERS)), ids=MASTERS)
def test_the_numbers_are_those_of_the_sequential_context(number: int) -> None:
    """Each fixed call gives RxLocalSeq's bits, in any order, again, and with workers that die in between."""
    told = spark_program(*MASTERS)[number]
    expected = [digest(here(call)) for call in FIXED]
    assert len(set(expected)) == len(FIXED)
    assert told["expected"] == expected
    assert told["found"] == [expected, expected, expected[:2]]
    assert told["with deaths"] == [True, True]
    assert told["the caller's generators are as before"] is True
