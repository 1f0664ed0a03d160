"""Bad input is refused before anything is launched, by a message that names the argument, the value and the fix."""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pyarrow
import pytest

from rxspark import RxArgumentError, RxShippingError, rxElemArg, rxExec, rxGetComputeContext, rxPingNodes

ELEMENTS = rxElemArg([1, 2, 3])


def one(x, y=0):
    """FUN."""
    return x


def _no_end():
    yield 1
    raise OSError("the disk is gone")


class _NoLength:
    def __getitem__(self, index):
        raise IndexError

    def __len__(self):
        raise TypeError("no length here")


class _Torn(Sequence[int]):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index:
            raise OSError("torn")
        return index


class SparkSession:
    """Looks like Spark's."""

    __module__ = "pyspark.sql.session"


class Accumulator:
    """Looks like Spark's."""

    __module__ = "pyspark.accumulators"


async def _later(x=0):
    return x


async def _later_and_later(x=0):
    yield x


class _Later:
    async def __call__(self, x=0):
        return x

    async def method(self, x=0):
        return x


class _Holder:
    def __init__(self, held):
        self.inner = {"deep": [0, held]}

    def method(self):
        """FUN."""
        return 1


def _deep(kind):
    nested: object = None
    for _ in range(100_000):  # from Python 3.14 on the stack is the limit: 8 MB have room for 50,000 tuples
        nested = {"list": [nested], "tuple": (nested,), "dict": {"a": nested}, "object": _Holder(nested)}[kind]
    return nested


DEEP = {kind: _deep(kind) for kind in ("list", "tuple", "dict", "object")}
DEEP_LIST = DEEP["list"]


CALLS: dict[str, tuple[Callable[[], object], list[str]]] = {
    "rngSeed": (lambda: rxExec(one, 1, rngSeed=1), ["rngSeed=1", "did you mean RNGseed?"]),
    "timestorun": (lambda: rxExec(one, 1, timestorun=7), ["timestorun=7", "timesToRun"]),
    "taskchunksize": (lambda: rxExec(one, ELEMENTS, taskchunksize=2), ["taskchunksize=2", "taskChunkSize"]),
    "elemargs": (lambda: rxExec(one, elemargs=[1]), ["elemargs=[1]", "elemArgs"]),
    "misspelt, to a builtin": (lambda: rxExec(max, 1, 2, rngseed=5), ["rngseed=5", "RNGseed"]),
    "lengths differ": (lambda: rxExec(one, ELEMENTS, y=rxElemArg([1])), ["argument 1 of FUN has 3", "'y' has 1"]),
    "elemArgs differ": (lambda: rxExec(one, y=rxElemArg([1, 2]), elemArgs=[1, 2, 3]), ["elemArgs has 3", "'y' has 2"]),
    "timesToRun disagrees": (lambda: rxExec(one, ELEMENTS, timesToRun=2), ["timesToRun=2", "has 3 elements"]),
    "timesToRun negative": (lambda: rxExec(one, 1, timesToRun=-2), ["timesToRun=-2", "whole number of at least 0"]),
    "timesToRun fractional": (lambda: rxExec(one, 1, timesToRun=2.0), ["timesToRun=2.0"]),  # type: ignore[arg-type]
    "timesToRun bool": (lambda: rxExec(one, 1, timesToRun=True), ["timesToRun=True"]),
    "timesToRun text": (lambda: rxExec(one, 1, timesToRun="3"), ["timesToRun='3'"]),  # type: ignore[arg-type]
    "taskChunkSize zero": (lambda: rxExec(one, 1, taskChunkSize=0), ["taskChunkSize=0", "at least 1"]),
    "taskChunkSize negative": (lambda: rxExec(one, 1, taskChunkSize=-1), ["taskChunkSize=-1"]),
    "taskChunkSize fractional": (lambda: rxExec(one, 1, taskChunkSize=1.5), ["taskChunkSize=1.5"]),  # type: ignore[arg-type]
    "taskChunkSize bool": (lambda: rxExec(one, 1, taskChunkSize=True), ["taskChunkSize=True"]),
    "of a context": (
        lambda: rxExec(one, ELEMENTS, taskTimeLimit=3),
        ["taskTimeLimit=3", "RxLocalParallel(taskTimeLimit="],
    ),
    "elemType": (lambda: rxExec(one, ELEMENTS, elemType="cores"), ["elemType='cores'", "leave elemType out"]),
    "quote, to a builtin": (lambda: rxExec(max, 1, 2, quote=True), ["quote=True", "leave quote out"]),
    "RNGscope": (lambda: rxExec(one, 1, RNGscope="tasks"), ["RNGscope='tasks'", '"chunk" or "task"']),  # type: ignore[arg-type]
    "RNGscope array": (lambda: rxExec(one, 1, RNGscope=np.arange(2)), ["RNGscope=array", '"chunk" or "task"']),  # type: ignore[arg-type]
    "timesToRun array": (lambda: rxExec(one, 1, timesToRun=np.arange(2)), ["timesToRun=array", "whole number"]),  # type: ignore[arg-type]
    "oncePerElem": (lambda: rxExec(one, 1, oncePerElem=1), ["oncePerElem=1", "True or False"]),  # type: ignore[arg-type]
    "oncePerElem chunked": (lambda: rxExec(one, 1, oncePerElem=True, taskChunkSize=2), ["taskChunkSize=2", "oncePer"]),
    "oncePerElem elements": (lambda: rxExec(one, rxElemArg(range(77)), oncePerElem=True), ["77 tasks", "node"]),
    "continueOnFailure": (lambda: rxExec(one, 1, continueOnFailure=0), ["continueOnFailure=0"]),  # type: ignore[arg-type]
    "consoleOutput": (lambda: rxExec(one, 1, consoleOutput="yes"), ["consoleOutput='yes'"]),  # type: ignore[arg-type]
    "autoCleanup": (lambda: rxExec(one, 1, autoCleanup=1), ["autoCleanup=1"]),  # type: ignore[arg-type]
    "foreachOpts": (lambda: rxExec(one, 1, foreachOpts=4), ["foreachOpts=4", "dict"]),  # type: ignore[arg-type]
    "packagesToLoad": (lambda: rxExec(one, 1, packagesToLoad="a b"), ["packagesToLoad", "'a b'"]),
    "packagesToLoad, a number": (lambda: rxExec(one, 1, packagesToLoad=3), ["packagesToLoad", "3"]),  # type: ignore[arg-type]
    "FUN called": (lambda: rxExec(one(1), 1), ["FUN=1", "not the result of calling it"]),
    "FUN is None": (lambda: rxExec(None), ["FUN=None"]),  # type: ignore[arg-type]
    "too few arguments": (lambda: rxExec(one), ["FUN=one", "missing", "'x'", "one(x, y=0)"]),
    "too many arguments": (lambda: rxExec(one, 1, 2, 3), ["FUN=one", "too many"]),
    "unknown argument": (lambda: rxExec(one, 1, z=3), ["FUN=one", "'z'"]),
    "argument twice": (lambda: rxExec(one, 1, x=2), ["FUN=one", "'x'"]),
    "argument twice in elemArgs": (lambda: rxExec(one, y=1, elemArgs=[{"y": 2}]), ["'y'", "elemArgs"]),
    "wrong row of elemArgs": (lambda: rxExec(one, elemArgs=[(1,), (1, 2, 3)]), ["FUN=one", "too many"]),
    "elemArgs number": (lambda: rxExec(one, elemArgs=5), ["elemArgs=5", "a list"]),  # type: ignore[arg-type]
    "elemArgs text": (lambda: rxExec(one, elemArgs="abc"), ["elemArgs='abc'"]),  # type: ignore[arg-type]
    "elemArgs rxElemArg": (lambda: rxExec(one, elemArgs=ELEMENTS), ["elemArgs=rxElemArg"]),  # type: ignore[arg-type]
    "elemArgs keys": (lambda: rxExec(one, elemArgs=[{1: 2}]), ["entry 0", "key 1"]),
    "inside a list": (lambda: rxExec(one, [ELEMENTS]), ["rxElemArg", "inside another argument"]),
    "inside elemArgs": (lambda: rxExec(one, elemArgs=[(ELEMENTS,)]), ["rxElemArg", "inside another argument"]),
    "in FUN": (lambda: rxExec(lambda: ELEMENTS), ["rxElemArg", "inside"]),
    "in a partial": (lambda: rxExec(functools.partial(one, y=rxElemArg([1])), 1), ["rxElemArg", "inside"]),
    "elements: set": (lambda: rxExec(one, rxElemArg({1, 2})), ["{1, 2}", "no order", "sorted(x)"]),
    "elements: text": (lambda: rxExec(one, rxElemArg("abc")), ["'abc'", "in a list"]),
    "elements: number": (lambda: rxExec(one, rxElemArg(5)), ["x=5", "a list"]),
    "elements: frame": (lambda: rxExec(one, rxElemArg(pd.DataFrame({"a": [1]}))), ["DataFrame", "to_dict"]),
    "elements: Arrow table": (lambda: rxExec(one, rxElemArg(pyarrow.table({"a": [1]}))), ["<Table>", "to_pylist"]),
    "elements: class": (lambda: rxExec(one, rxElemArg(np.ndarray)), ["x is a class"]),
    "elements: no length": (lambda: rxExec(one, rxElemArg(_NoLength())), ["raised TypeError: no length here"]),
    "elements: scalar array": (lambda: rxExec(one, rxElemArg(np.array(3))), ["array(3)", "without dimensions"]),
    "elements: generator": (lambda: rxExec(one, rxElemArg(_no_end())), ["OSError", "the disk is gone", "nothing was"]),
    "elements: without end": (
        lambda: rxExec(one, rxElemArg(itertools.count())),
        ["FUN: rxElemArg(count(0))", "islice"],
    ),
    "elements: torn": (
        lambda: rxExec(one, y=rxElemArg(_Torn()), x=1),
        ["'y'", "element 1", "OSError: torn", "nothing"],
    ),
    "async def": (lambda: rxExec(_later, 1), ["FUN=_later", "asyncio.run(_later(*args))"]),
    "async def in a partial": (lambda: rxExec(functools.partial(_later, 1)), ["asyncio.run(_later(*args))"]),
    "async method": (lambda: rxExec(_Later().method, 1), ["FUN=method", "asyncio.run"]),
    "async object": (lambda: rxExec(_Later(), 1), ["FUN=_Later", "asyncio.run"]),
    "async generator": (lambda: rxExec(_later_and_later, 1), ["FUN=_later_and_later", "asyncio.run"]),
    "seed negative": (lambda: rxExec(one, 1, RNGseed=-1), ["RNGseed=-1"]),
    "seed fractional": (lambda: rxExec(one, 1, RNGseed=1.5), ["RNGseed=1.5"]),  # type: ignore[arg-type]
    "kind": (lambda: rxExec(one, 1, RNGkind="MT19973"), ["MT19973", "MT19937"]),
}


@pytest.mark.parametrize("call", CALLS)
def test_wrong_arguments(call, monkeypatch):
    """Argument, value and fix are in the message, and no task was launched."""
    run, told = CALLS[call]
    monkeypatch.setattr("rxspark.execute.Job", None)  # a launch would be a TypeError
    with pytest.raises(RxArgumentError) as caught:
        run()
    for text in told:
        assert text in str(caught.value)
    assert isinstance(caught.value, ValueError)


def _with_closure(held):
    def inner():
        return held

    return inner


OPENED = open(os.devnull, "w")  # noqa: SIM115 - a file that a function would carry along


UNSENDABLE: dict[str, tuple[Callable[[], object], list[str]]] = {
    "element": (lambda: rxExec(one, rxElemArg([1, threading.Lock()])), ["element 1 of argument 1", "lock"]),
    "keyword element": (lambda: rxExec(one, 1, y=rxElemArg([[threading.Lock()]])), ["element 0 of y", "item 0"]),
    "positional": (lambda: rxExec(one, 1, threading.Lock()), ["argument 2 of FUN", "lock"]),
    "keyword": (lambda: rxExec(one, 1, y={"k": threading.Lock()}), ["argument 'y'", "key 'k'"]),
    "closure": (lambda: rxExec(_with_closure(threading.Lock())), ["FUN", "variable 'held'"]),
    "closure, deep": (
        lambda: rxExec(_with_closure(_Holder(threading.Lock()))),
        ["FUN", "variable 'held'", "attribute 'inner'", "key 'deep'", "item 1"],
    ),
    "bound method": (lambda: rxExec(_Holder(threading.Lock()).method), ["FUN", "its object", "attribute 'inner'"]),
    "global": (lambda: rxExec(lambda: OPENED.name), ["FUN", "global variable 'OPENED'", "files"]),
    "default": (lambda: rxExec(lambda x=threading.Lock(): x), ["FUN", "default value 1"]),  # noqa: B008
    "partial": (lambda: rxExec(functools.partial(one, y=threading.Lock()), 1), ["FUN", "argument 'y' of the partial"]),
    "generator": (lambda: rxExec(one, (i for i in range(3))), ["argument 1 of FUN", "generator"]),
    "elemArgs": (lambda: rxExec(one, elemArgs=[(threading.Lock(),)]), ["elemArgs", "lock"]),
    "session": (lambda: rxExec(_with_closure(SparkSession())), ["variable 'held'", "SparkSession", "driver"]),
    "session as element": (lambda: rxExec(one, rxElemArg([SparkSession()])), ["element 0", "SparkSession"]),
    "execObjects": (
        lambda: rxExec(_with_closure(1), execObjects={"lock": threading.Lock()}),
        ["execObjects: lock", "lock"],
    ),
    "accumulator": (lambda: rxExec(_with_closure(Accumulator())), ["variable 'held'", "accumulator", "return what"]),
    **{
        f"deep {kind}": (functools.partial(rxExec, one, deep), ["argument 1 of FUN", "too deep"])
        for kind, deep in DEEP.items()
    },
    **{
        f"deep {kind} element": (functools.partial(rxExec, one, rxElemArg([1, deep])), ["element 1 of", "too deep"])
        for kind, deep in DEEP.items()
    },
    "deep elemArgs": (lambda: rxExec(one, elemArgs=[(DEEP["tuple"],)]), ["element 0 of elemArgs", "too deep"]),
    "deep global": (lambda: rxExec(lambda: DEEP_LIST), ["global variable 'DEEP_LIST'", "too deep"]),
    "deep execObjects": (
        lambda: rxExec(lambda: 1, execObjects={"deep": DEEP["list"]}),
        ["execObjects: deep", "too deep"],
    ),
    "self-reference": (lambda: rxExec(one, _looped()), ["argument 1 of FUN", "lock"]),
}


def _looped():
    value: list[object] = [threading.Lock()]
    value.append(value)
    return value


@pytest.mark.parametrize("call", UNSENDABLE)
def test_what_cannot_travel_is_named_by_the_way_to_it(call, monkeypatch):
    """The message leads from the argument to the variable that holds what cannot be sent; nothing was launched."""
    run, told = UNSENDABLE[call]
    monkeypatch.setattr("rxspark.execute.Job", None)
    with pytest.raises(RxShippingError) as caught:
        run()
    for text in told:
        assert text in str(caught.value)


def test_what_belongs_to_the_driver_is_told_before_the_way_to_it():
    """The sentence comes first, and the way ends at the object, not somewhere inside it."""
    session = SparkSession()
    session.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(RxShippingError) as caught:
        rxExec(_with_closure({"spark": session}))
    told = str(caught.value)
    assert told.startswith("a SparkSession exists only in the driver program")
    assert told.endswith("FUN → variable 'held' of the enclosing function → key 'spark'")


@pytest.mark.parametrize("kind", ["list", "object"])
def test_nesting_does_not_end_a_program_that_allows_calls_without_end(kind):
    """Pickling stays within the stack where the recursion limit is higher than that."""
    nested: object = None
    for _ in range(60_000):
        nested = [nested] if kind == "list" else _Holder(nested)
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(RxShippingError, match=r"argument 1 of FUN to .* too deep"):
            rxExec(one, nested)
        assert sys.getrecursionlimit() == 10**6
    finally:
        sys.setrecursionlimit(allowed)


def test_a_job_is_a_handle():
    """A job copies as itself, and is refused by name where a task would get it."""
    with dataclasses.replace(rxGetComputeContext(), wait=False):
        job = rxExec(abs, -1)
    held = {"job": job}
    try:
        assert copy.deepcopy(held)["job"] is copy.copy(job) is job
        with pytest.raises(RxArgumentError, match=job.id):
            pickle.dumps(job)
        for call in (lambda: rxExec(one, job), lambda: rxExec(one, rxElemArg([held])), lambda: rxExec(lambda: held)):
            with pytest.raises(RxShippingError, match=f"^a job such as {job.id} belongs to"):
                call()
        assert job.wait() == "finished"
        assert job.results() == [1]
    finally:
        job.cleanup(force=True)


def test_the_next_call_works():
    """After all these refusals a call runs as ever."""
    assert rxExec(one, ELEMENTS) == [1, 2, 3]
    assert {node["status"] for node in rxPingNodes().values()} == {"success"}
