"""Lines that PySpark itself may write when a session ends."""

from __future__ import annotations

import re

# When a session ends, the engine closes the pipes of its idle workers; one that is slow to be ended tells that it could
# not flush, and may be ended while it does. All lines of it are of PySpark's daemon, which runs no code of ours.
_ENGINES_END = re.compile(
    r"Traceback \(most recent call last\):\n"
    r'(?:  File "[^"]*/pyspark/daemon\.py", .*\n(?:    .*\n)*)*'
    r"(?:BrokenPipeError: .*\n?|\Z)"
)


def without_engines_end(stderr: str) -> str:
    """Leave out the tracebacks of PySpark's daemon that finds the pipe of a worker closed."""
    return _ENGINES_END.sub("", stderr)
