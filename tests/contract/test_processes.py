"""Processes that tasks start by multiprocessing find what the task has got, whatever the start method."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from rxspark import rxElemArg, rxExec

SCRIPT = """
import functools, multiprocessing, os
from concurrent.futures import ProcessPoolExecutor
from rxspark import rxElemArg, rxExec

large = bytes(100_000)
base = None

class Agent:
    def __init__(self, x):
        self.x = x

def helper(x):
    return Agent(x + len(large) - 100_000)

@functools.lru_cache
def squared(x):
    return helper(x).x ** 2

def begin(x):
    global base
    base = x

def added(x):
    return base + squared(x)

def put(queue, x):
    queue.put(helper(x))

def pools(method):
    with multiprocessing.get_context(method).Pool(1, begin, [100]) as pool:
        made = pool.map(helper, [1, 2])
        return [type(agent) is Agent for agent in made], pool.map(squared, [1, 2]), pool.map(added, [1, 2])

def executor(method):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, context, begin, [10]) as pool:
        return list(pool.map(added, [1, 2]))

def others(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=put, args=[queue, 5])
    process.start()
    got = queue.get(timeout=60)
    process.join()
    with context.Manager() as manager:
        held = manager.list([helper(6)])
        return type(got) is Agent, got.x, type(held[0]) is Agent, held[0].x

def calls(x):
    return list(rxExec(lambda y: helper(y).x + x, rxElemArg([1, 2]), RNGseed=1))

def forked(x):
    if os.fork() == 0:
        raise SystemExit(0 if calls(x) == [x + 1, x + 2] else 1)
    return os.waitstatus_to_exitcode(os.wait()[1])

def apply(function, method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.map(function, [1, 2])
"""


@pytest.fixture
def script() -> dict[str, Any]:
    """Names that a script has defined."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(SCRIPT, "script.py", "exec"), names)
    return names


def test_pools_find_the_functions_of_the_script(script: dict[str, Any]) -> None:
    """Helpers, classes, cached functions, and what an initializer has set; results are of the task's own classes."""
    z = rxExec(script["pools"], rxElemArg(["fork", "spawn", "forkserver"]))
    assert z == [([True, True], [1, 4], [101, 104])] * 3
    assert rxExec(script["executor"], "spawn", timesToRun=1) == [[11, 14]]


def test_single_processes_and_managers_find_them_too(script: dict[str, Any]) -> None:
    """`Process(target=f)`, queues and `Manager`."""
    assert rxExec(script["others"], "spawn", timesToRun=1) == [(True, 5, True, 6)]


def test_a_function_among_the_elements_is_found(script: dict[str, Any]) -> None:
    """FUN need not be of the script that has the helper."""
    functions = [script["squared"], eval("lambda x: x + 1", script)]
    z = rxExec(script["apply"], rxElemArg(functions), rxElemArg(["fork", "spawn"]))
    assert z == [[1, 4], [2, 3]]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forks beside threads, from Python 3.12 on
def test_processes_of_a_task_make_calls_of_their_own(script: dict[str, Any]) -> None:
    """Forked by os.fork, or started by multiprocessing: what they call runs there, and the task goes on."""
    assert rxExec(script["forked"], rxElemArg([10, 20]), taskChunkSize=2) == [0, 0]
    assert rxExec(script["apply"], script["calls"], rxElemArg(["fork", "spawn"])) == [[[2, 3], [3, 4]]] * 2


@pytest.mark.left_out(
    local="tasks have the caller's own modules, by his search path",
    dopar_threading="tasks have the caller's own modules, by his search path",
)
def test_modules_that_were_sent_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the caller's is found by processes on a machine where no folder has it."""
    (tmp_path / "of_the_caller.py").write_text(
        "import multiprocessing, sys\n"
        "def tripled(x):\n"
        "    return 3 * x\n"
        "def pool(folder):\n"
        "    sys.path[:] = [entry for entry in sys.path if entry != folder]\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.map(tripled, [1, 2])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("of_the_caller")
    try:
        assert rxExec(module.pool, str(tmp_path), timesToRun=1) == [[3, 6]]
    finally:
        del sys.modules["of_the_caller"]


OF_POOLS = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

class Pair:
    def __init__(self, x):
        self.x = x

def half(x):
    return x / 2

def pair(x):
    return Pair(half(x))

def pool(n):
    with multiprocessing.get_context("fork").Pool(2) as workers:
        return sum(made.x for made in workers.map(pair, range(n)) if type(made) is Pair)

def executor(n):
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as workers:
        return sum(made.x for made in workers.map(pair, range(n)) if type(made) is Pair)

def fails(n):
    pair(n)
    raise ValueError(n)
"""


@pytest.mark.parametrize("name", ["pool", "executor"])
def test_child_processes_of_a_task_find_the_functions_of_the_script(name):
    """Pools of `multiprocessing` and `concurrent.futures` get helpers and classes of the script by their names."""
    script: dict[str, Any] = {"__name__": "__main__"}
    exec(OF_POOLS, script)
    before = dict(vars(sys.modules["__main__"]))
    assert rxExec(script[name], rxElemArg([4, 5]), taskChunkSize=2) == [3.0, 5.0]
    with pytest.warns(UserWarning, match="ValueError"):
        rxExec(script["fails"], 1)
    assert vars(sys.modules["__main__"]) == before
    assert rxExec(lambda: hasattr(sys.modules["__main__"], "pair"), timesToRun=2) == [False, False]
