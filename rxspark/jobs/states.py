"""The states of a job, RevoScaleR's, which may follow which, and the last known status of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rxspark.process import Process

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
    "JobStatus",
    "follow",
    "status_in",
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


@dataclass(frozen=True)
class JobStatus:
    """The content of state.json: the last known status of a job."""

    state: str
    reason: str
    """Why it failed or was cancelled."""
    lease: int
    """The lease of who wrote this."""
    process: Process
    heard: float
    """Seconds since 1970-01-01 UTC, by the clock of that process."""
    ended: float = 0.0
    fetched: bool = False

    @property
    def active(self) -> bool:
        """Tell whether the job runs, or is to run."""
        return self.state in (QUEUED, RUNNING)


def status_in(found: dict[str, Any]) -> JobStatus:
    """Read the content of state.json; ValueError or KeyError where it is no status."""
    if found["state"] not in STATES:
        raise ValueError(f"there is no state {found['state']!r}")
    return JobStatus(**{**found, "process": Process(**found["process"])})
