"""Retries of a task that has failed by an error of the user's: how many, and how long to wait before each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["RetryPolicy"]

# Seconds of the longest wait, however often it was doubled.
_LONGEST_DELAY_S = 60.0


@dataclass(frozen=True)
class RetryPolicy:
    """The rule by which failed tasks are tried again."""

    count: int
    delay: float
    """Seconds before the first retry; twice as many before each next one."""

    def delays(self) -> Iterator[float]:
        """Return the seconds to wait before each retry.

        >>> list(RetryPolicy(4, 20.0).delays())
        [20.0, 40.0, 60.0, 60.0]
        """
        for retry in range(self.count):
            yield min(self.delay * 2.0 ** min(retry, 1000), _LONGEST_DELAY_S)
