"""The feed of elements: how far it reads ahead, and how it ends, without any engine."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rxspark import RxArgumentError, RxLocalSeq, rxElemArg
from rxspark.calls.spec import CallOptions, CallSpec
from rxspark.serialize.feed import ElementFeed
from rxspark.serialize.pickler import CallSerializer


def _feed(*args: Any, slots: int = 2, **given: Any) -> ElementFeed:
    options = dict.fromkeys(CallOptions.__annotations__) | {"continueOnFailure": True, "RNGscope": "chunk"} | given
    spec = CallSpec.checked(RxLocalSeq(wait=False), lambda *x: x, args, {}, sys._getframe(), **options)
    return ElementFeed(spec, CallSerializer(), {}, slots, with_data=False)


def _drained(feed: ElementFeed, answer: Callable[[int], None]) -> list[range]:
    """Take all partitions, and answer each at once."""
    found: list[Any] = []
    while not feed.exhausted:
        for numbers, _ in feed.take(1, timeout=60):
            found.append(numbers)
            answer(len(numbers))
    return found


@pytest.mark.parametrize("size", [None, 4])
def test_partitions_have_the_tasks_of_chunks_in_order(size: int | None) -> None:
    """Partition k has chunk k; without a chunk size each task is a partition."""
    feed = _feed(rxElemArg(iter(range(10))), taskChunkSize=size)
    most = size or 1
    assert _drained(feed, feed.answered) == [range(k, min(k + most, 10)) for k in range(0, 10, most)]
    assert feed.error is None


def test_no_more_is_read_than_a_window() -> None:
    """Without answers the window fills and no further; each answer makes room for as many elements."""
    read = itertools.count()
    feed = _feed(rxElemArg(next(read) for _ in itertools.count()), taskChunkSize=5)
    taken: list[Any] = []
    while len(taken) < feed.window:
        taken += feed.take(1, timeout=60)
    assert feed.window == 6
    assert feed.take(1, timeout=0.2) == []
    feed.answered(5)
    assert [numbers for numbers, _ in feed.take(1, timeout=60)] == [range(30, 35)]
    feed.close()
    assert next(read) == 35
    assert feed.take(1, timeout=60) == []


def test_a_kind_with_too_few_streams_is_named_when_they_are_used_up() -> None:
    """The number of elements is not known before; the tasks that have a stream run."""
    feed = _feed(rxElemArg(itertools.count()), RNGkind="MCG31", RNGseed=1)
    assert len(_drained(feed, feed.answered)) == 1023
    assert isinstance(feed.error, RxArgumentError)
    assert "MCG31" in str(feed.error)


def test_a_generator_is_closed_also_if_it_was_never_read(caplog: pytest.LogCaptureFixture) -> None:
    """An error that it raises then is logged, and ends nothing."""

    def stubborn() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            raise OSError("not so fast")

    never, begun = stubborn(), stubborn()
    _feed(rxElemArg(never)).close()
    assert next(never, None) is None
    feed = _feed(rxElemArg(begun))
    assert len(feed.take(1, timeout=60)) >= 1
    feed.close()
    assert next(begun, None) is None


def test_the_lines_of_a_job_of_unknown_length() -> None:
    """Its table shows no bar and no time left, and its log a line each time that as many again have finished."""
    from rxspark.jobs.watch import _stage

    assert [_stage(done, None) for done in (0, 1, 2, 3, 4, 7, 8)] == [0, 1, 2, 2, 3, 3, 4]
    assert [_stage(done, 10) for done in (0, 4, 10)] == [0, 4, 10]
