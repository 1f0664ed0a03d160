"""The states of a job, RevoScaleR's, and which may follow which."""

from __future__ import annotations

__all__ = [
    "CANCELED",
    "ENDED",
    "FAILED",
    "FINISHED",
    "MISSING",
    "NEXT",
    "QUEUED",
    "RUNNING",
    "STATES",
    "UNDETERMINED",
    "follow",
]

QUEUED = "queued"
RUNNING = "running"
FINISHED = "finished"
FAILED = "failed"
CANCELED = "canceled"
MISSING = "missing"
UNDETERMINED = "undetermined"

NEXT: dict[str, frozenset[str]] = {
    QUEUED: frozenset({RUNNING, FAILED, CANCELED, UNDETERMINED}),
    RUNNING: frozenset({FINISHED, FAILED, CANCELED, UNDETERMINED}),
    FINISHED: frozenset({QUEUED, MISSING}),  # queued: its failed tasks are to run again
    FAILED: frozenset({QUEUED, MISSING}),
    CANCELED: frozenset({QUEUED, MISSING}),
    UNDETERMINED: frozenset({QUEUED, RUNNING, FINISHED, FAILED, CANCELED, MISSING}),
    MISSING: frozenset(),
}
"""The table: what each state may become. What a job's end leaves behind may run again, or be removed."""

STATES = tuple(NEXT)

ENDED = frozenset({FINISHED, FAILED, CANCELED, MISSING})
"""The states in which nothing of the job runs any more."""


def follow(state: str, new: str) -> str:
    """The new state; ValueError if it may not follow, which would be a mistake of ours.

    >>> follow("running", "finished")
    'finished'
    """
    if new not in NEXT[state]:
        raise ValueError(f"a job that is {state} cannot become {new}")
    return new
