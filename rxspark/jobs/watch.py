"""Watch jobs: a table of them that is drawn anew in terminals and notebooks, and lines of text in files."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from rxspark.backends.base import plain_interrupts
from rxspark.jobs.lookup import find_existing, is_list, rxGetJobs
from rxspark.jobs.progress import in_notebook
from rxspark.jobs.rxjob import RxJob
from rxspark.jobs.states import ENDED, MISSING, QUEUED, RUNNING, UNDETERMINED
from rxspark.jobs.table import progress_line, progress_lines, watch_html
from rxspark.validation import check_timeout

__all__ = ["display", "line_log", "rxWatchJobs", "watch"]

# Seconds between looks at the jobs.
_INTERVAL_S = 0.5

# Seconds from whose finished tasks the rate is told: long enough that it does not jump, and short enough that it
# follows when a cluster becomes busier.
_WINDOW_S = 60.0

# Parts of a job's tasks after each of which a file gets a line.
_LINES = 10

Show: TypeAlias = Callable[[list[dict[str, Any]]], None]


def rxWatchJobs(jobs: Any = None, timeout: float | None = None) -> list[str]:
    """Wait until jobs have ended, and show meanwhile how far they are: state, tasks, rate, and the time that is left.

    In a terminal and in a notebook it is a table that is drawn anew; where stdout is a file, a line is written when a
    state changes, and for each tenth of a job's tasks. Rate and time left come from the tasks that have finished in
    the last minute, and are blank before the first one. Ctrl-C ends the watching, not the jobs.
    ``python -m rxspark jobs watch`` shows the same in a shell.

    Parameters
    ----------
    jobs : RxJob, str, or list of them, optional
        Jobs, or their ids; default all that `rxGetJobs` gives as queued or running.
    timeout : float, optional
        Seconds after which the watching ends; default: none.

    Returns
    -------
    list of str
        The states of the jobs then, see `rxGetJobStatus`. ``"missing"`` is one that was removed meanwhile, as a program
        does when it fetches the results, unless ``autoCleanup=False``.

    Raises
    ------
    RxJobError
        When there is no such job.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxElemArg, rxExec, rxWatchJobs
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(pow, rxElemArg(range(4)), 2)
    >>> rxWatchJobs(job)  # doctest: +ELLIPSIS
    20...  rxJob_...finished  4/4 ...
    ['finished']
    """
    check_timeout(timeout)
    if jobs is None:
        jobs = rxGetJobs(states=[QUEUED, RUNNING])
    return watch(list(map(find_existing, jobs)) if is_list(jobs) else [find_existing(jobs)], display(), timeout)


def watch(jobs: Sequence[RxJob[Any]], show: Show, timeout: float | None = None) -> list[str]:
    """Show jobs until they have ended, or cannot be told of any more; return their states.

    What is shown of each is `RxJob.info`, with ``rate``, in tasks a second, and ``left``, in seconds, both None where
    they are not known.
    """
    watched = [_Watched(job) for job in jobs]
    deadline = None if timeout is None else time.monotonic() + timeout
    with plain_interrupts():
        while True:
            infos = [one.look() for one in watched]
            show(infos)
            left = _INTERVAL_S if deadline is None else min(_INTERVAL_S, deadline - time.monotonic())
            if left <= 0 or all(info["state"] in (*ENDED, UNDETERMINED) for info in infos):
                return [info["state"] for info in infos]
            time.sleep(left)


class _Watched:
    """A job, and the moments at which tasks of it were seen to have finished."""

    def __init__(self, job: RxJob[Any]) -> None:
        self._job = job
        self._last: dict[str, Any] | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def look(self) -> dict[str, Any]:
        info = self._job.info()
        if info["state"] == MISSING and self._last is not None:  # the last that was seen tells more
            info = {**self._last, "state": MISSING, "error": info["error"]}
        rate = self._rate(info["done"]) if info["state"] == RUNNING else None
        known = rate is not None and rate > 0 and info["tasks"] is not None
        info["rate"], info["left"] = rate, (info["tasks"] - info["done"]) / rate if known else None
        self._last = info
        return info

    def _rate(self, done: int) -> float | None:
        now = time.monotonic()
        if self._seen and done < self._seen[-1][1]:  # it was resumed, and runs some tasks again
            self._seen.clear()
        if not self._seen or done > self._seen[-1][1]:
            self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] < now - _WINDOW_S:
            self._seen.popleft()
        began, before = self._seen[0]
        return (done - before) / (now - began) if done > before else None


def display() -> Show:
    """Choose how to show jobs where stdout goes: a notebook, a terminal or a log file."""
    if in_notebook():
        return _Notebook().show
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        return _Terminal().show
    return line_log(lambda info: f"{datetime.now():%Y-%m-%d %H:%M:%S}  {progress_line(info)}")


class _Notebook:
    """One output of a cell, which is replaced."""

    def __init__(self) -> None:
        self._output: Any = None

    def show(self, infos: list[dict[str, Any]]) -> None:
        text, table = "\n".join(progress_lines(infos)), watch_html(infos)
        forms = {"text/plain": text, "text/html": table} if infos else {"text/plain": "no jobs"}
        if self._output is None:
            self._output = importlib.import_module("IPython.display").display(forms, raw=True, display_id=True)
        else:
            self._output.update(forms, raw=True)


class _Terminal:
    """Lines of a terminal that are written over; as many as it shows, as the cursor cannot go up further."""

    def __init__(self) -> None:
        self._height = 0

    def show(self, infos: list[dict[str, Any]]) -> None:
        size = shutil.get_terminal_size()
        lines = progress_lines(infos) if infos else ["no jobs"]
        if len(lines) >= size.lines:
            kept = max(1, size.lines - 2)
            lines = [*lines[:kept], f"... {len(lines) - kept} more jobs"]
        up = f"\x1b[{self._height}A" if self._height else ""
        drawn = "".join(f"\x1b[K{line[: size.columns - 1]}\n" for line in lines)
        sys.stdout.write(f"\r{up}{drawn}\x1b[J")
        sys.stdout.flush()
        self._height = len(lines)


def _stage(done: int, tasks: int | None) -> int:
    """Number the stages at which a line is written: tenths, or doublings where nobody knows how many there will be."""
    return done.bit_length() if tasks is None else done * _LINES // max(1, tasks)


def line_log(line: Callable[[dict[str, Any]], str]) -> Show:
    """Make a display that writes a line for each job whose state has changed, or that has come a tenth further."""
    told: dict[str, tuple[str, int]] = {}

    def show(infos: list[dict[str, Any]]) -> None:
        for info in infos:
            stage = info["state"], _stage(info["done"], info["tasks"])
            if told.get(info["id"]) != stage:
                told[info["id"]] = stage
                print(line(info), flush=True)

    return show
