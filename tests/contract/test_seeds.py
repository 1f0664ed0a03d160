"""The same seed gives the same numbers in every context: bit for bit those of RxLocalSeq."""

from __future__ import annotations

import ast
import importlib
import random
import subprocess
import sys

import numpy as np
import pytest

from rxspark import RxLocalSeq, rxElemArg, rxExec
from rxspark.worker.hash_seed import call_hash_seed

pytestmark = pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")
KINDS = ["MT2203", "MCG31", "MRG32K3A", "MCG59", "SFMT19937", "PHILOX4X32X10", "ARS5", "SOBOL", "PHILOX", "PCG64DXSM"]


def draw(i=None):
    """Numbers from every generator that a user would draw from; task 3 of element calls fails half-way."""
    first = np.random.normal(size=3).tolist(), random.gauss(0, 1)
    if i == 3:
        raise ValueError("after it has drawn")
    return (*first, np.random.default_rng().random(2).tolist(), np.random.randint(10**6), random.sample(range(99), 3))


def in_order(**call):
    """Results of the same call under RxLocalSeq."""
    with RxLocalSeq():
        return rxExec(draw, **call)


@pytest.mark.parametrize(
    "call",
    [
        {"timesToRun": 7},
        {"timesToRun": 7, "taskChunkSize": 3},
        {"timesToRun": 7, "taskChunkSize": 3, "RNGscope": "task"},
        {"timesToRun": 7, "taskChunkSize": 100},
        {"i": rxElemArg(range(6))},
        {"i": rxElemArg(range(6)), "taskChunkSize": 6},
        {"i": rxElemArg(range(6)), "taskChunkSize": 4, "RNGscope": "task"},
    ],
    ids=lambda call: " ".join(f"{key}={'..' if key == 'i' else value}" for key, value in call.items()),
)
def test_the_numbers_are_those_of_the_sequential_context(call):
    """For any cut of the work, with failing tasks in between, and in a second call too."""
    expected = in_order(RNGseed=777, **call)
    for _ in range(2):
        result = rxExec(draw, RNGseed=777, **call)
        assert list(result.errors) == ([3] if "i" in call else [])
        assert [value for i, value in enumerate(result) if i not in result.errors] == [
            value for i, value in enumerate(expected) if i not in expected.errors
        ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind):
    """Each kind gives the same numbers everywhere, and other ones in every task."""
    expected = in_order(timesToRun=4, taskChunkSize=2, RNGseed=7, RNGkind=kind)
    result = rxExec(draw, timesToRun=4, taskChunkSize=2, RNGseed=7, RNGkind=kind)
    assert result == expected
    assert len({repr(value[0]) for value in result}) == 4


def test_scope_task_makes_chunks_irrelevant():
    """With RNGscope="task" the chunk size changes no number, and they are those of a call without chunks."""
    results = [rxExec(draw, timesToRun=6, taskChunkSize=n, RNGscope="task", RNGseed=0) for n in (None, 1, 4)]
    assert results[0] == results[1] == results[2] == rxExec(draw, timesToRun=6, RNGseed=0)


def test_an_unseeded_call_never_repeats_and_can_be_replayed():
    """Without a seed all tasks of all calls differ, and `.rng` gives the numbers again."""
    first, second = rxExec(draw, timesToRun=5), rxExec(draw, timesToRun=5)
    assert len({repr(value) for value in [*first, *second]}) == 10
    assert rxExec(draw, timesToRun=5, RNGkind=first.rng.kind, RNGseed=first.rng.seed) == first


def test_a_captured_generator_does_not_repeat():
    """A generator in FUN's closure draws from each task's own stream, which a warning says."""
    rng = np.random.default_rng(1)
    with pytest.warns(UserWarning, match="own seed"):
        result = rxExec(lambda: rng.random(), timesToRun=6, taskChunkSize=2, RNGseed=3)
    assert len(set(result)) == 6


def nested(seed=None):
    """A task that calls rxExec itself."""
    inner = rxExec(lambda x: (x, random.random(), np.random.random()), rxElemArg(range(3)), RNGseed=seed)
    return list(inner), random.random()


def test_a_nested_call_runs_and_has_the_right_values():
    """A call in a task runs its tasks one after another and gives their values in order."""
    assert rxExec(lambda n: list(rxExec(pow, rxElemArg(range(n)), 2)), rxElemArg([1, 3])) == [[0], [0, 1, 4]]


@pytest.mark.parametrize("inner", [None, 5], ids=["inner unseeded", "inner seeded"])
def test_a_nested_call_is_reproducible_under_a_seeded_one(inner):
    """A seeded call makes also the unseeded calls inside its tasks repeatable, each task with other numbers."""
    with RxLocalSeq():
        expected = rxExec(nested, inner, timesToRun=4, taskChunkSize=2, RNGseed=777)
    result = rxExec(nested, inner, timesToRun=4, taskChunkSize=2, RNGseed=777)
    assert result == expected == rxExec(nested, inner, timesToRun=4, taskChunkSize=2, RNGseed=777)
    assert len({value[1] for value in result}) == 4
    assert len({repr(value[0]) for value in result}) == (4 if inner is None else 1)


@pytest.mark.left_out(
    local="tasks run in the caller's process, whose hash seed is the caller's",
    dopar_threading="tasks run in the caller's process, whose hash seed is the caller's",
)
def test_a_set_of_strings_has_one_order_in_all_workers():
    """list(set_of_strings) is that of a Python with the caller's PYTHONHASHSEED, or 0, in every worker and call."""
    names = [f"name {number}" for number in range(40)]
    program = f"print(list(set({names!r})))"
    environment = {"PYTHONHASHSEED": call_hash_seed()}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    wanted = ast.literal_eval(run.stdout.decode())
    orders = [*rxExec(lambda: list(set(names)), timesToRun=4), *rxExec(lambda: list(set(names)), timesToRun=2)]
    assert orders == [wanted] * 6


def compiled():
    """Numbers from inside a function that numba compiles in the task."""
    import numba

    @numba.njit
    def draw():
        return np.random.normal(), random.random(), random.gauss(0.0, 1.0)

    return *draw(), *draw()


@pytest.mark.parametrize("size", [None, 2])
def test_compiled_functions_draw_from_the_stream(size):
    """Inside numba's compiled functions tasks have numbers of their own, the same ones in each call and context."""
    results = [rxExec(compiled, timesToRun=4, taskChunkSize=size, RNGseed=777) for _ in range(2)]
    with RxLocalSeq():
        wanted = rxExec(compiled, timesToRun=4, taskChunkSize=size, RNGseed=777)
    assert list(results[0]) == list(results[1]) == list(wanted)
    assert len({number for numbers in wanted for number in numbers}) == 24


COMPILED_AT_ITS_TOP = """
import random
import numpy as np
from numba import njit

@njit("f8()")
def draw():
    return np.random.normal() + random.random()

@njit
def later():
    return random.gauss(0.0, 1.0) + np.random.random()

draw(), later()
"""


def test_compiled_functions_draw_the_same_however_their_module_was_imported(tmp_path):
    """A module that compiles and draws at its top moves no number, whoever is the first to import it."""
    (tmp_path / "compiled_at_its_top.py").write_text(COMPILED_AT_ITS_TOP)

    def task(i, by):
        import importlib
        import sys
        from concurrent.futures import ThreadPoolExecutor

        import numba

        @numba.njit
        def draw():
            return np.random.normal()

        def load():
            return importlib.import_module("compiled_at_its_top")

        sys.path.insert(0, str(tmp_path))
        if by == "an earlier task":
            load()
        else:
            sys.modules.pop("compiled_at_its_top", None)
        first = draw()  # NumPy keeps the second of a pair
        with ThreadPoolExecutor(1) as pool:
            module = pool.submit(load).result() if by == "a thread" else pool.submit(int).result() or load()
            beside = pool.submit(lambda: (module.draw(), module.later(), draw())).result()
        return first, module.draw(), module.later(), draw(), beside

    wanted = None
    for by in ("the task", "a thread", "an earlier task"):
        found = rxExec(task, rxElemArg(range(3)), by, RNGseed=777, taskChunkSize=2)
        wanted = wanted or list(found)
        assert (by, list(found)) == (by, wanted)
    with RxLocalSeq():
        assert list(rxExec(task, rxElemArg(range(3)), "the task", RNGseed=777, taskChunkSize=2)) == wanted
    assert len({number for *numbers, beside in wanted for number in (*numbers, *beside)}) == 21


def test_functions_that_a_module_took_draw_the_same_everywhere(tmp_path, monkeypatch):
    """A function that a module has by `from numpy.random import normal` draws the numbers of RxLocalSeq."""
    (tmp_path / "taking.py").write_text("from numpy.random import normal\nfrom random import gauss\n")
    monkeypatch.syspath_prepend(tmp_path)
    taking = importlib.import_module("taking")

    def task():
        return float(taking.normal()), taking.gauss(0, 1), float(np.random.normal())

    for kind in ("MT2203", "MCG59"):
        results = [rxExec(task, timesToRun=4, taskChunkSize=size, RNGseed=777, RNGkind=kind) for size in (1, None)]
        with RxLocalSeq():
            wanted = rxExec(task, timesToRun=4, RNGseed=777, RNGkind=kind)
        assert list(results[0]) == list(results[1]) == list(wanted)
