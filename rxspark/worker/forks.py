"""End the processes that a task has forked where FUN ends in them, as they have no part in what follows.

Such a process would otherwise go on as a second worker: it would answer in place of its parent, or run what is left of
the caller's program once more.
"""

from __future__ import annotations

import os
import sys
import traceback

__all__ = ["count", "end_forked_process"]

count = 0
"""Forks of Python's that lie between this process and the first one of its line."""


def _note() -> None:
    global count
    count += 1


os.register_at_fork(after_in_child=_note)


def end_forked_process() -> None:
    """End this process as Python would at the end of a program: by the exception that is on its way, if any."""
    error = sys.exception()
    code: object = 0
    if isinstance(error, SystemExit):
        code = error.code or 0
    elif error is not None:
        code = "".join(traceback.format_exception(error))
    if not isinstance(code, int):
        os.write(2, f"{code}\n".encode(errors="backslashreplace"))
        code = 1
    os._exit(code & 0xFF)
