"""The threads of this process that are rxspark's own: no code of the user's runs in them."""

from __future__ import annotations

import os
import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable

__all__ = ["is_own", "others_run", "start_own"]

_unnamed: set[int] = set()
"""Those that Python's threading module does not know."""

os.register_at_fork(after_in_child=_unnamed.clear)


def is_own(thread: threading.Thread) -> bool:
    """Whether a thread is one of rxspark's own, by its name."""
    return thread.name.startswith("rxspark-")


def start_own(run: Callable[[], None]) -> None:
    """Run a function in a thread that the threading module does not know: the end of the program does not wait for it.

    It may end no sooner than this function.
    """

    def run_and_forget() -> None:
        try:
            run()
        finally:
            _unnamed.discard(threading.get_ident())  # another thread may get the number

    _unnamed.add(start_new_thread(run_and_forget, ()))


def others_run() -> bool:
    """Whether any thread runs besides this one and those of rxspark's own."""
    own = {thread.ident for thread in threading.enumerate() if is_own(thread)}
    return not sys._current_frames().keys() <= own | _unnamed | {threading.get_ident()}
