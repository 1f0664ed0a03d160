"""Record of a job, known from its start on, and its plan."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rxspark.data.bundle import Bundle
from rxspark.results import Facts
from rxspark.results.timings import Clock

__all__ = ["Plan", "Record", "is_id", "new_id"]


def new_id() -> str:
    """A name for a job: in the order of time, and no other job's, on whatever host and in whatever process."""
    moment = time.time()
    clock = time.strftime("%Y%m%d_%H%M%S", time.gmtime(moment))
    return f"rxJob_{clock}_{int(moment % 1 * 1e6):06}_{secrets.token_hex(4)}"


def is_id(name: str) -> bool:
    """Whether it can be the name of a job, and not of some other folder that could be removed by mistake."""
    return re.fullmatch(r"rxJob_\w+", name) is not None


@dataclass(frozen=True)
class Record:
    """Record of a job: all that is known from its start on."""

    id: str
    description: str
    context: str
    """The compute context, as it is written."""
    user: str
    host: str
    created: float
    """Seconds since 1970-01-01 UTC."""
    facts: Facts
    stop_on_error: bool
    auto_cleanup: bool
    console_output: bool
    modules: list[str]
    """Packages that its workers must be able to import."""
    shared: list[str] = field(default_factory=list)
    """Files that it needs and that end with its process: what rxShare had written, in a call that waited."""
    planned: float = 0.0
    """Seconds that its plan took, and `shipped` those until it could be run, at `created`."""
    shipped: float = 0.0

    def clock(self, ended: float) -> Clock:
        """Times of it, if its last result came at `ended`."""
        return Clock(self.planned, self.shipped, self.created, ended)


@dataclass(frozen=True)
class Plan:
    """Plan of a job: all that it has to run, finished or not."""

    call: Bundle
    partitions: Sequence[tuple[Sequence[int], Bundle]]
