"""Bad input is refused before anything is launched, by a message that names the argument, the value and the fix."""

from __future__ import annotations

import functools
import os
import threading

import numpy as np
import pandas as pd
import pytest

from rxspark import RxArgumentError, RxShippingError, rxElemArg, rxExec, rxPingNodes

ELEMENTS = rxElemArg([1, 2, 3])


def one(x, y=0):
    """FUN."""
    return x


def _no_end():
    yield 1
    raise OSError("the disk is gone")


class SparkSession:
    """Looks like Spark's."""

    __module__ = "pyspark.sql.session"


class _Holder:
    def __init__(self, held):
        self.inner = {"deep": [0, held]}

    def method(self):
        """FUN."""
        return 1


CALLS = {
    "rngSeed": (lambda: rxExec(one, 1, rngSeed=1), ["rngSeed=1", "did you mean RNGseed?"]),
    "timestorun": (lambda: rxExec(one, 1, timestorun=7), ["timestorun=7", "timesToRun"]),
    "taskchunksize": (lambda: rxExec(one, ELEMENTS, taskchunksize=2), ["taskchunksize=2", "taskChunkSize"]),
    "elemargs": (lambda: rxExec(one, elemargs=[1]), ["elemargs=[1]", "elemArgs"]),
    "misspelt, to a builtin": (lambda: rxExec(max, 1, 2, rngseed=5), ["rngseed=5", "RNGseed"]),
    "lengths differ": (lambda: rxExec(one, ELEMENTS, y=rxElemArg([1])), ["argument 1 of FUN has 3", "'y' has 1"]),
    "elemArgs differ": (lambda: rxExec(one, y=rxElemArg([1, 2]), elemArgs=[1, 2, 3]), ["elemArgs has 3", "'y' has 2"]),
    "timesToRun disagrees": (lambda: rxExec(one, ELEMENTS, timesToRun=2), ["timesToRun=2", "has 3 elements"]),
    "timesToRun negative": (lambda: rxExec(one, 1, timesToRun=-2), ["timesToRun=-2", "whole number of at least 0"]),
    "timesToRun fractional": (lambda: rxExec(one, 1, timesToRun=2.0), ["timesToRun=2.0"]),
    "timesToRun bool": (lambda: rxExec(one, 1, timesToRun=True), ["timesToRun=True"]),
    "timesToRun text": (lambda: rxExec(one, 1, timesToRun="3"), ["timesToRun='3'"]),
    "taskChunkSize zero": (lambda: rxExec(one, 1, taskChunkSize=0), ["taskChunkSize=0", "at least 1"]),
    "taskChunkSize negative": (lambda: rxExec(one, 1, taskChunkSize=-1), ["taskChunkSize=-1"]),
    "taskChunkSize fractional": (lambda: rxExec(one, 1, taskChunkSize=1.5), ["taskChunkSize=1.5"]),
    "taskChunkSize bool": (lambda: rxExec(one, 1, taskChunkSize=True), ["taskChunkSize=True"]),
    "RNGscope": (lambda: rxExec(one, 1, RNGscope="tasks"), ["RNGscope='tasks'", '"chunk" or "task"']),
    "oncePerElem": (lambda: rxExec(one, 1, oncePerElem=1), ["oncePerElem=1", "True or False"]),
    "oncePerElem chunked": (lambda: rxExec(one, 1, oncePerElem=True, taskChunkSize=2), ["taskChunkSize=2", "oncePer"]),
    "oncePerElem elements": (lambda: rxExec(one, rxElemArg(range(77)), oncePerElem=True), ["77 tasks", "node"]),
    "continueOnFailure": (lambda: rxExec(one, 1, continueOnFailure=0), ["continueOnFailure=0"]),
    "consoleOutput": (lambda: rxExec(one, 1, consoleOutput="yes"), ["consoleOutput='yes'"]),
    "autoCleanup": (lambda: rxExec(one, 1, autoCleanup=1), ["autoCleanup=1"]),
    "foreachOpts": (lambda: rxExec(one, 1, foreachOpts=4), ["foreachOpts=4", "dict"]),
    "packagesToLoad": (lambda: rxExec(one, 1, packagesToLoad="a b"), ["packagesToLoad", "'a b'"]),
    "packagesToLoad, a number": (lambda: rxExec(one, 1, packagesToLoad=3), ["packagesToLoad", "3"]),
    "FUN called": (lambda: rxExec(one(1), 1), ["FUN=1", "not the result of calling it"]),
    "FUN is None": (lambda: rxExec(None), ["FUN=None"]),
    "too few arguments": (lambda: rxExec(one), ["FUN=one", "missing", "'x'", "one(x, y=0)"]),
    "too many arguments": (lambda: rxExec(one, 1, 2, 3), ["FUN=one", "too many"]),
    "unknown argument": (lambda: rxExec(one, 1, z=3), ["FUN=one", "'z'"]),
    "argument twice": (lambda: rxExec(one, 1, x=2), ["FUN=one", "'x'"]),
    "argument twice in elemArgs": (lambda: rxExec(one, y=1, elemArgs=[{"y": 2}]), ["'y'", "elemArgs"]),
    "wrong row of elemArgs": (lambda: rxExec(one, elemArgs=[(1,), (1, 2, 3)]), ["FUN=one", "too many"]),
    "elemArgs number": (lambda: rxExec(one, elemArgs=5), ["elemArgs=5", "a list"]),
    "elemArgs text": (lambda: rxExec(one, elemArgs="abc"), ["elemArgs='abc'"]),
    "elemArgs rxElemArg": (lambda: rxExec(one, elemArgs=ELEMENTS), ["elemArgs=rxElemArg"]),
    "elemArgs keys": (lambda: rxExec(one, elemArgs=[{1: 2}]), ["entry 0", "key 1"]),
    "inside a list": (lambda: rxExec(one, [ELEMENTS]), ["rxElemArg", "inside another argument"]),
    "inside elemArgs": (lambda: rxExec(one, elemArgs=[(ELEMENTS,)]), ["rxElemArg", "inside another argument"]),
    "in FUN": (lambda: rxExec(lambda: ELEMENTS), ["rxElemArg", "inside"]),
    "in a partial": (lambda: rxExec(functools.partial(one, y=rxElemArg([1])), 1), ["rxElemArg", "inside"]),
    "elements: set": (lambda: rxExec(one, rxElemArg({1, 2})), ["{1, 2}", "no order", "sorted(x)"]),
    "elements: text": (lambda: rxExec(one, rxElemArg("abc")), ["'abc'", "in a list"]),
    "elements: number": (lambda: rxExec(one, rxElemArg(5)), ["x=5", "a list"]),
    "elements: frame": (lambda: rxExec(one, rxElemArg(pd.DataFrame({"a": [1]}))), ["DataFrame", "to_dict"]),
    "elements: scalar array": (lambda: rxExec(one, rxElemArg(np.array(3))), ["array(3)", "without dimensions"]),
    "elements: generator": (lambda: rxExec(one, rxElemArg(_no_end())), ["OSError", "the disk is gone", "nothing was"]),
    "seed negative": (lambda: rxExec(one, 1, RNGseed=-1), ["RNGseed=-1"]),
    "seed fractional": (lambda: rxExec(one, 1, RNGseed=1.5), ["RNGseed=1.5"]),
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


UNSENDABLE = {
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
    "self-reference": (lambda: rxExec(one, _looped()), ["argument 1 of FUN", "lock"]),
}


def _looped():
    value = [threading.Lock()]
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


def test_the_next_call_works():
    """After all these refusals a call runs as ever."""
    assert rxExec(one, ELEMENTS) == [1, 2, 3]
    assert {node["status"] for node in rxPingNodes().values()} == {"success"}
