"""Waiting for what may not answer."""

from __future__ import annotations

import threading

import pytest

from rxspark.concurrency import call_with_timeout


def test_what_does_not_answer_is_named() -> None:
    """A TimeoutError tells what was to be done, and for how long it was waited."""
    gate = threading.Event()
    with pytest.raises(TimeoutError, match=r"to open the gate took more than 0\.1 seconds"):
        call_with_timeout(0.1, gate.wait, "open the gate")
    gate.set()


@pytest.mark.parametrize("error", [ValueError("mine"), TimeoutError("mine"), SystemExit("mine")])
def test_an_error_comes_as_it_is(error: BaseException) -> None:
    """A time limit of the call's own is not taken for ours, nor a panic of native code for one."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error), match=r"^mine$") as raised:
        call_with_timeout(60, fail, "fail")
    assert raised.value is error
