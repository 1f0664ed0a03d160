"""End an idle Python worker of Spark without a word when its JVM has gone.

PySpark's worker takes the end of its socket for a broken task, and tells the JVM. Over a Unix socket that raises, and
a program that ends right after its calls prints a traceback of PySpark's daemon.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

__all__ = ["end_with_the_jvm"]


def end_with_the_jvm() -> None:
    """Let this worker look, before each of its tasks to come, whether there will be one."""
    worker: Any = sys.modules.get("pyspark.worker")  # None where another program runs the tasks
    if worker is None or worker.main.__module__ == __name__:
        return
    run = worker.main

    def main(infile: io.BufferedReader, outfile: Any) -> None:
        if _has_ended(infile):
            os._exit(0)
        run(infile, outfile)

    worker.main = main


def _has_ended(infile: io.BufferedReader) -> bool:
    """Wait for the first byte of a task; tell whether the JVM has closed the socket in its place."""
    try:
        return not infile.peek(1)
    except ConnectionError:
        return True
