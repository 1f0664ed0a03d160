"""Call functions that may never return, with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["call_with_timeout"]

Answer = TypeVar("Answer")


def call_with_timeout(seconds: float, act: Callable[[], Answer], what: str) -> Answer:
    """Call `act` and give its result, or raise a TimeoutError that names `what` it was to do when that takes longer.

    It runs in a thread of its own, and goes on there by itself then. Ctrl-C is heard meanwhile, also where `act` is
    native code. At the end of the program, when no thread can be started any more, it runs here, without limit.

    >>> call_with_timeout(60, lambda: 6 * 7, "multiply")
    42
    """
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(act())
        except BaseException as error:  # a panic of native code is no Exception
            answer.set_exception(error)

    try:
        threading.Thread(target=run, name=f"rxspark: {what}", daemon=True).start()
    except RuntimeError:
        run()
    try:
        return answer.result(seconds)
    except TimeoutError:
        if answer.done():  # its own
            raise
        raise TimeoutError(f"timed out: to {what} took more than {seconds:g} seconds") from None
