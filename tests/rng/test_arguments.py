"""Seeds, kinds and scopes that cannot be are refused, and kinds that have too few streams or numbers for a call."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rxspark import RxArgumentError, RxLocalSeq, rxElemArg, rxExec

pytestmark = pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")

BAD = [
    ({"RNGseed": -1}, r"RNGseed=-1: a seed is a whole number from 0 to 2\*\*63 - 1"),
    ({"RNGseed": 2**63}, r"RNGseed=9223372036854775808: a seed is a whole number from 0 to 2\*\*63 - 1"),
    ({"RNGseed": 1.0}, r"RNGseed=1\.0: a seed is a whole number"),
    ({"RNGseed": True}, "RNGseed=True: a seed is a whole number"),
    ({"RNGseed": np.True_}, r"RNGseed=np\.True_: a seed is a whole number"),
    ({"RNGseed": "Auto"}, "RNGseed='Auto': a seed is a whole number"),
    ({"RNGkind": "MT2003"}, "RNGkind='MT2003' is not a kind of generator: did you mean 'MT2203'.*MCG31, R250"),
    ({"RNGkind": "sobol"}, "RNGkind='sobol' is not a kind of generator: did you mean 'SOBOL'"),
    ({"RNGscope": "worker"}, 'RNGscope=\'worker\': RNGscope is "chunk" or "task"'),
    (
        {"RNGkind": "MCG31", "RNGseed": 777, "timesToRun": 2_000},
        r"has 1,023 streams .*, but 2,000 are asked for\. Kinds that have enough: R250, MRG32K3A, .*MT2203",
    ),
    (
        {"RNGkind": "SOBOL", "timesToRun": 5_000},
        r"has 4,095 streams .*, but 5,000 are asked for\. Kinds that have enough: R250, MRG32K3A, .*MT2203",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[str(arguments) for arguments, _ in BAD])
def test_bad_arguments_are_refused_before_any_task_runs(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """The error names the argument, its value and what is allowed; no task has run."""
    with RxLocalSeq(), pytest.raises(RxArgumentError, match=message):
        rxExec(tempfile.mkstemp, dir=tmp_path, **{"timesToRun": 3, **arguments})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint64])
def test_a_numpy_integer_is_the_seed_that_it_equals(kind: type) -> None:
    """NumPy's integers are seeds like Python's, and `.rng` records a plain int."""
    with RxLocalSeq():
        plain, numpy = (rxExec(random.random, timesToRun=2, RNGseed=seed) for seed in (77, kind(77)))
    assert numpy == plain
    assert type(numpy.rng.seed) is int


def test_fewer_chunks_make_do_with_fewer_streams() -> None:
    """The advice for a kind without enough streams works: 2,000 tasks of MCG31 in chunks of two."""
    with RxLocalSeq():
        results = rxExec(np.random.uniform, timesToRun=2_000, RNGkind="MCG31", RNGseed=777, taskChunkSize=2)
    assert len(set(results)) == 2_000


def test_a_chunk_that_takes_too_much_of_a_quasi_random_stream_is_told() -> None:
    """Numbers past a segment of SOBOL would be the next chunk's: the task fails and says how many are left."""
    sizes = rxElemArg([2**20, 2**20 + 1])
    with RxLocalSeq():
        fits, exceeds = rxExec(lambda size: np.min(np.random.uniform(size=size)), sizes, RNGkind="SOBOL")
    assert 0 <= fits < 1e-5
    assert exceeds.type == "RxArgumentError"
    assert "1,048,576 points; 1,048,576 numbers are left and 1,048,577 are asked for" in exceeds.message
