"""No task sees what another one has done to its process or its arguments, and neither does the caller."""

from __future__ import annotations

import logging
import os
import random
import sys
import warnings

import numpy as np
import pytest
from twice import twice

from rxspark import RxForeachDoPar, rxElemArg, rxExec, rxGetComputeContext, rxGetOption, rxOptions, rxSetComputeContext


def _env():
    old = os.environ.get("RX_TRACE")
    os.environ["RX_TRACE"] = "left"
    return old


def _env_removed():
    return os.environ.pop("PATH", None) is None


def _env_by_putenv():
    old = os.environb.get(b"RX_TRACE")
    os.environb[b"RX_TRACE"] = b"left"
    return old


def _cwd():
    old = os.getcwd() == "/"
    os.chdir("/")
    return old


def _path():
    old = "/trace" in sys.path
    sys.path.insert(0, "/trace")
    return old


def _path_replaced():
    old = "/trace" in sys.path
    sys.path = ["/trace", *sys.path]
    return old


def _filters():
    old = any(entry[0] == "error" and entry[2] is ZeroDivisionError.__mro__[-1] for entry in warnings.filters)
    try:
        warnings.warn("once", stacklevel=1)
    except UserWarning:
        return True
    warnings.simplefilter("error")
    return old


def _stdout():
    old = sys.stdout.name if getattr(sys.stdout, "name", None) == "/dev/null" else None
    sys.stdout = sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    return old


def _handler():
    root = logging.getLogger()
    old = any(isinstance(kept, logging.NullHandler) for kept in root.handlers), root.level == 7
    root.addHandler(logging.NullHandler())
    root.setLevel(7)
    return old


@pytest.fixture
def _caller_kept():
    """Put this process back, should a test show that a task changed it."""
    streams, path, root = (sys.stdout, sys.stderr), sys.path, logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    sys.stdout, sys.stderr = streams
    sys.path = path
    root.handlers[:], root.level = handlers, level


PROCESS = [_env, _env_removed, _env_by_putenv, _cwd, _path, _path_replaced, _filters, _stdout, _handler]


@pytest.mark.usefixtures("_caller_kept")
@pytest.mark.parametrize("leave", PROCESS, ids=lambda function: function.__name__[1:])
def test_no_task_sees_what_another_did_to_its_process(leave):
    """Environment, folder, search path, warnings filters, streams and logging are as the caller's for every task."""
    seen = twice(leave)
    assert len(set(map(repr, seen))) == 1, seen
    assert not any(np.ravel(seen[0]))


@pytest.mark.usefixtures("_caller_kept")
@pytest.mark.parametrize("leave", PROCESS, ids=lambda function: function.__name__[1:])
def test_the_caller_is_as_before(leave):
    """A call leaves the caller's environment, folder, path, filters, streams, logging and random state alone."""

    def state():
        root = logging.getLogger()
        return (
            dict(os.environ),
            os.getcwd(),
            sys.path[:],
            id(sys.path),
            list(warnings.filters),
            (sys.stdout, sys.stderr),
            (root.handlers[:], root.level),
            random.getstate(),
            repr(np.random.get_state()),
        )

    before = state()
    rxExec(leave, timesToRun=3)
    rxExec(lambda: (random.seed(1), np.random.seed(1), random.random(), np.random.normal()), timesToRun=2, RNGseed=1)
    assert state() == before


@pytest.mark.parametrize("seed", [None, 5], ids=["unseeded", "seeded"])
def test_seeding_in_a_task_does_not_poison_the_next(seed):
    """A task that seeds the global generators itself changes the numbers of no other task and of no later call."""

    def draw(seeds):
        first = random.random(), np.random.random(), np.random.default_rng().random()
        if seeds:
            random.seed(3)
            np.random.seed(3)
        return first

    poisoned = rxExec(draw, True, timesToRun=6, taskChunkSize=3, RNGseed=seed)
    later = rxExec(draw, False, timesToRun=6, RNGseed=seed)
    assert len(set(poisoned)) == len(set(later)) == 6
    if seed is not None:
        assert poisoned == rxExec(draw, False, timesToRun=6, taskChunkSize=3, RNGseed=seed)
        assert later == rxExec(draw, False, timesToRun=6, RNGseed=seed)


@pytest.mark.parametrize(
    "constant",
    [[], {}, set(), bytearray(), np.zeros(3), np.zeros(1, "i8,f8")[0]],
    ids=["list", "dict", "set", "bytearray", "array", "record"],
)
@pytest.mark.parametrize("place", ["positional", "keyword", "nested", "elemArgs", "same element twice"])
def test_no_task_sees_what_another_did_to_an_argument(constant, place):
    """A task may change its arguments: they are its own copies, and the caller's are untouched."""

    def change(x):
        x = x["in"][0] if isinstance(x, dict) and "in" in x else x
        before = repr(x)
        if isinstance(x, np.ndarray):
            x += 1
        elif isinstance(x, np.void):
            x["f0"] += 1
        elif isinstance(x, dict):
            x["changed"] = 1
        else:
            (x.add if isinstance(x, set) else x.append)(1)
        return before

    clean = repr(constant)
    calls = {
        "positional": lambda: twice(change, constant),
        "keyword": lambda: twice(change, x=constant),
        "nested": lambda: twice(change, {"in": (constant,)}),
        "elemArgs": lambda: rxExec(change, elemArgs=[(constant,)], timesToRun=4, taskChunkSize=2),
        "same element twice": lambda: rxExec(change, rxElemArg([constant] * 4), taskChunkSize=2),
    }
    assert set(calls[place]()) == {clean}
    assert repr(constant) == clean


@pytest.mark.parametrize("size", [10, 100_000, 4_000_000], ids=["80 B", "800 kB", "32 MB"])
@pytest.mark.parametrize("place", ["constant", "element"])
def test_an_array_may_be_written_to_at_any_size(size, place):
    """The rule for writing to an argument does not depend on its size."""

    def write(x):
        x[:] = 7.0
        return x.flags.writeable, float(x.sum())

    array = np.zeros(size)
    result = rxExec(write, rxElemArg([array, array]) if place == "element" else array, elemArgs=None)
    assert set(result) == {(True, 7.0 * size)}
    assert not array.any()


def test_an_array_of_rows_may_be_written_to():
    """Rows of one array are each task's own, also within a chunk."""
    rows = np.zeros((6, 2))

    def write(row):
        before = float(row.sum())
        row += 1
        return before

    assert rxExec(write, rxElemArg(rows), taskChunkSize=3) == [0.0] * 6
    assert not rows.any()


def test_a_context_set_in_a_task_is_not_the_callers():
    """A task may choose a compute context and options for its own calls; neither outlives it."""

    def choose():
        found = type(rxGetComputeContext()).__name__, rxGetOption("consoleLimit")
        rxSetComputeContext(RxForeachDoPar())
        rxOptions(consoleLimit=1234)
        return found

    before = rxGetComputeContext(), rxOptions()
    try:
        assert len(set(twice(choose))) == 1
        assert (rxGetComputeContext(), rxOptions()) == before
    finally:
        rxSetComputeContext(before[0])
        rxOptions(**before[1])
