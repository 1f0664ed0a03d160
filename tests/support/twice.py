"""A task run again: in its chunk, in another one, in another call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rxspark import rxExec


def twice(function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
    """The results of two tasks in one chunk, of a second chunk, and of a second call."""
    return [*rxExec(function, *args, timesToRun=4, taskChunkSize=2, **kwargs), *rxExec(function, *args, **kwargs)]
