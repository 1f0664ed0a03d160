"""Removal of the files that Intel's OpenMP, which MKL brings with it, leaves in /dev/shm.

Each process with it has a file there, by which a second copy of the library in that process finds the first. The
library removes it as the process exits; of one that is killed, or ends by os._exit as Spark's workers do, it stays.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from rxspark.concurrency import once

__all__ = ["sweep_openmp_marks"]

_SHARED_MEMORY = Path("/dev/shm")
_MARK = re.compile(r"__KMP_REGISTERED_LIB_(?P<process>\d+)_(?P<user>\d+)")


@once
def sweep_openmp_marks() -> None:
    """Remove, once in a process, this user's files of processes that have ended.

    One of a container that shares /dev/shm but not the numbers of processes may lose its own, and with it no more than
    the library's look for a second copy.
    """
    for path in _SHARED_MEMORY.glob("__KMP_REGISTERED_LIB_*"):
        mark = _MARK.fullmatch(path.name)
        if mark and int(mark["user"]) == os.getuid() and not Path("/proc", mark["process"]).exists():
            with contextlib.suppress(OSError):  # another process has been faster, or nothing may be written there
                path.unlink()
