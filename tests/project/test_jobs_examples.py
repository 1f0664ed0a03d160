"""The examples of jobs, run as a reader runs them."""

from __future__ import annotations

import re

import pytest
from examples_runs import output

pytestmark = pytest.mark.timeout(900)  # the first that asks for Spark runs all examples there

contexts = pytest.mark.parametrize("context", ["localpar", pytest.param("spark", marks=pytest.mark.spark)])


@contexts
def test_analyses_in_two_halves(context):
    """Two jobs are listed, values come as they are there, and both halves fit together."""
    told = output("nonblocking", context)
    assert len(re.findall(r"^rxJob_\S+ +(?:running|queued) ", told, re.MULTILINE)) == 2
    reached = re.search(r"below one half up to (\d+) people", told)
    assert reached is not None
    assert 20 <= int(reached[1]) <= 26  # exactly: 22
    assert "birthday is finished" in told
    assert "told by the callback: k-means has finished" in told
    difference = re.search(r"exact probabilities: (0\.\d+)", told)
    assert difference is not None
    assert float(difference[1]) < 5 * 0.5 / 500**0.5
    assert "\njobs left: no jobs\n" in told


@contexts
def test_a_program_that_is_killed_and_comes_back(context):
    """Nothing is lost, nothing that was finished runs again, and the numbers are the same."""
    told = output("survive", context)
    assert "the first program was ended by signal 9" in told
    found = re.search(r"(\d+) tasks had finished; (\d+) ran after the return, 60 results are there", told)
    assert found is not None, told
    there, ran = map(int, found.groups())
    assert there >= 30
    assert there + ran == 60
    assert told.rstrip().endswith("the same numbers as without the interruption: True")
