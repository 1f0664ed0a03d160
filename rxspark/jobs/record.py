"""The record of a job: all that results and other processes need to know of it, fixed when the job is made."""

from __future__ import annotations

import base64
import calendar
import re
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rxspark.calls.groups import keys_as_text
from rxspark.calls.spec import CallSpec
from rxspark.contexts import ComputeContext
from rxspark.files.paths import login
from rxspark.results.timings import Clock
from rxspark.rng.kinds import SeedRoot
from rxspark.serialize.payload import Payload

__all__ = ["JobRecord", "is_id", "new_id", "numbers_in_json", "task_numbers"]


def new_id() -> str:
    """Make the id of a job: in the order of time, and no other job's, on whatever host and in whatever process."""
    moment = time.time()
    clock = time.strftime("%Y%m%d_%H%M%S", time.gmtime(moment))
    return f"rxJob_{clock}_{int(moment % 1 * 1e6):06}_{secrets.token_hex(4)}"


def _moment_in(job_id: str) -> float:
    """Read from an id when its job was made, in seconds since 1970-01-01 UTC; 0 where it does not tell."""
    found = re.match(r"rxJob_(\d{8}_\d{6})_(\d{6})_", job_id)
    if found is None:
        return 0.0
    return calendar.timegm(time.strptime(found[1], "%Y%m%d_%H%M%S")) + int(found[2]) / 1e6


def is_id(name: str) -> bool:
    """Tell whether it can be the id of a job, and not of some other folder that could be removed by mistake."""
    return re.fullmatch(r"rxJob_\w+", name) is not None


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A job, as it was when it was made."""

    id: str
    description: str
    context: str
    """The compute context, as it is written."""
    user: str
    host: str
    created: float
    """When its work was handed over, in seconds since 1970-01-01 UTC."""
    task_count: int | None
    """None where it was not known, as elements come of an iterator."""
    names: list[str] | None
    """Names of the results, where the elements have any."""
    chunk_size: int
    once_per_node: bool
    """Whether the results are named by the nodes that gave them."""
    seed_root: SeedRoot
    stop_on_error: bool
    auto_cleanup: bool
    console_output: bool
    modules: list[str] = field(default_factory=list)
    """Modules that its workers must be able to import."""
    shared_files: list[str] = field(default_factory=list)
    """Files of rxShare that it reads and that end with its process; of a call that waits only."""
    keys: str = ""
    """The keys of the groups of rows that are its tasks, by `keys_as_text`; empty where they are none."""
    elements_read_later: bool = False
    """Whether elements come of an iterator, and so are not in the job."""
    rows_in_engine: bool = False
    """Whether the rows of the groups are in a table of the engine, and so not in the job."""
    combine: str | None = None
    """The pickle of the function that combines results, in base 64; None: there is one for each task."""
    plan_seconds: float = 0.0
    ship_seconds: float = 0.0
    check_seconds: float = 0.0

    @classmethod
    def of_call(cls, spec: CallSpec, context: ComputeContext) -> JobRecord:
        """Make the record of a call that is about to be launched."""
        return cls(
            id=new_id(),
            description=spec.description,
            context=repr(context),
            user=login(),
            host=socket.gethostname(),
            created=time.time(),
            task_count=spec.tasks.count,
            names=spec.tasks.names,
            chunk_size=spec.chunk_size or 1,
            once_per_node=spec.once_per_node,
            seed_root=spec.seed_root,
            stop_on_error=spec.stop_on_error,
            auto_cleanup=spec.auto_cleanup,
            console_output=spec.console_output,
            combine=None if spec.combine is None else "",
            keys=keys_as_text(spec.tasks.groups.keys) if spec.tasks.groups else "",
            elements_read_later=spec.tasks.are_read_later,
            rows_in_engine=spec.tasks.groups is not None and spec.tasks.groups.table is None,
        )

    @classmethod
    def unreadable(cls, job_id: str) -> JobRecord:
        """Stand in for a record that cannot be read, in lists of jobs."""
        return cls(
            id=job_id,
            description="(its record cannot be read)",
            context="",
            user="",
            host="",
            created=_moment_in(job_id),
            task_count=0,
            names=None,
            chunk_size=1,
            once_per_node=False,
            seed_root=SeedRoot("", 0, chosen=False),
            stop_on_error=False,
            auto_cleanup=False,
            console_output=False,
        )

    def launched(self, payload: Payload, planned: float, shipped: float, checked: float) -> JobRecord:
        """Return the record with what the payload needs, the time of now, and the seconds of all that came before."""
        return replace(
            self,
            modules=sorted(payload.requirements.modules),
            shared_files=sorted({handle.file for handle in payload.shared_objects}),
            created=time.time(),
            combine=None if payload.combine is None else base64.b64encode(payload.combine).decode(),
            plan_seconds=planned,
            ship_seconds=shipped,
            check_seconds=checked,
        )

    def clock(self, ended: float) -> Clock:
        """Return the caller's times of the call, if its last result came at `ended`."""
        return Clock(
            planned=self.plan_seconds,
            shipped=self.ship_seconds,
            checked=self.check_seconds,
            launched=self.created,
            ended=ended,
        )


def numbers_in_json(numbers: Sequence[int]) -> dict[str, list[int]]:
    """Write the numbers of a partition's tasks, ranges in short."""
    if isinstance(numbers, range):
        return {"range": [numbers.start, numbers.stop, numbers.step]}
    return {"numbers": list(numbers)}


def task_numbers(about: dict[str, Any]) -> list[Sequence[int]]:
    """Read those of all partitions from what job.json holds."""
    return [range(*one["range"]) if "range" in one else one["numbers"] for one in about["numbers"]]
