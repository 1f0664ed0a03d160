"""Progress bar of long calls, by finished tasks, in terminals and notebooks."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from rxspark.options import rxGetOption

__all__ = ["Progress", "in_notebook"]

# Seconds for which a call shows no bar: below, people do not look for one.
_DELAY_S = 2.0


class Progress:
    """Counts finished tasks and shows them once the call has lasted for a while.

    Without a `total` it is not known how many there will be.
    With `another` the engine itself shows one in terminals, where the two would overwrite each other.
    """

    def __init__(self, total: int | None, label: str, another: bool = False) -> None:
        self._total = total
        self._another = another
        self._label = label
        self._done = 0
        self._bar: Any = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._open = True
        self._started = time.monotonic()

    def __enter__(self) -> Progress:
        looked_at = rxGetOption("reportProgress") and _somebody_looks(terminal=not self._another)
        if looked_at and self._total not in (0, 1):
            self._timer = threading.Timer(_DELAY_S, self._show)
            self._timer.daemon = True
            self._timer.name = "rxspark-progress"
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._open = False  # a timer that fired just now must not open a bar any more
            if self._bar is not None:
                self._bar.close()

    def add(self, tasks: int) -> None:
        """Count more finished tasks."""
        with self._lock:
            self._done += tasks
            if self._bar is not None:
                self._bar.update(tasks)

    def _show(self) -> None:
        from tqdm.auto import tqdm

        with self._lock:
            if self._open and (self._total is None or self._done < self._total):
                # A delay, so that nothing is drawn before the bar knows when the call began.
                self._bar = tqdm(total=self._total, initial=self._done, desc=self._label, unit="task", delay=1e-9)
                # Its own lock: Ctrl-C while it is drawn leaves tqdm's lock taken, for all bars to come.
                self._bar._lock = threading.RLock()
                self._bar.start_t -= time.monotonic() - self._started
                self._bar.refresh()


def in_notebook() -> bool:
    """Tell whether a notebook shows what this process displays."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", {})


def _somebody_looks(terminal: bool) -> bool:
    """Tell whether a bar would be seen moving: in a notebook, or in a terminal if that counts; not in a log file."""
    return in_notebook() or (terminal and sys.stderr.isatty())
