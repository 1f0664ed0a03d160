"""The folder of a job on a file system, from which other processes learn of it, read its results and resume it.

    <share>/rxspark-jobs/<id>/
        job.json                  what is known from the start on
        call.data                 the function and its constants
        partitions.data           the elements of each partition
        state.json                the state, who runs the job, and the last sign of life
        lease-1, lease-2, ...     who may run it: the holder of the highest one
        cancel                    there when another process wants it ended
        parts/<tasks>.results   what the tasks of a partition gave, written by the worker

The records are data, JSON with a checksum: to list jobs runs no code of theirs. Results, and what a job is to run, are
pickles, and so are read only when they are asked for, and from folders of the user's own or named by the user.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from rxspark.backends.base import Work
from rxspark.data.bundle import Bundle
from rxspark.data.refs import LocalFileRef, RemoteFileRef
from rxspark.data.shared_files import write_bundle
from rxspark.errors import RxError, RxFileError, RxJobError
from rxspark.files import atomic
from rxspark.files.paths import FsPath, file_errors, open_path
from rxspark.jobs.record import Record, is_id
from rxspark.jobs.states import QUEUED, RUNNING, STATES
from rxspark.process import Process, this_process
from rxspark.results import Facts
from rxspark.rng.kinds import SeedRoot
from rxspark.worker.job_files import ABOUT, PARTS
from rxspark.worker.results import PartitionResult

__all__ = [
    "HEARTBEAT_TIMEOUT_S",
    "JobFolder",
    "JobStatus",
    "create_job_folder",
    "folders_in",
    "home_of",
    "named_folder",
    "owned",
]

T = TypeVar("T")

_FOR_ALL = 0o1777  # each user's jobs side by side, as in /tmp

# How often a lease that cannot be read is looked at again.
_LOOKS = 10

# Seconds without a sign of life after which a process on another host may have died.
HEARTBEAT_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class JobStatus:
    """Contents of state.json: the last that was heard of a job."""

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
        """Whether it says that the job runs, or is to run."""
        return self.state in (QUEUED, RUNNING)


class JobFolder:
    """The folder of one job.

    Attributes
    ----------
    named : bool
        Whether the user has named this very folder, and so trusts what lies in it.
    """

    def __init__(self, place: FsPath, named: bool = False) -> None:
        self.place = place
        self.named = named
        self._lease = 0
        self._sign: JobStatus | None = None
        self._writing = threading.Lock()

    @property
    def id(self) -> str:
        """The id of the job."""
        return self.place.name

    # ---------------------------------------------------------------- by who runs the job

    def make(
        self, record: Record, call: Bundle, partitions: Iterable[Bundle], numbers: list[range]
    ) -> RemoteFileRef | None:
        """Make the folder, and write what a resumed job needs; gives the way to the call in it, for its workers."""
        share = self.place.parent.parent
        if share.start == "":
            share.make()  # for this user alone; who wants to have it for several makes it himself
        for last in (False, False, True):
            try:
                self.place.parent.make(_FOR_ALL)
                self.place.make()
                break
            except RxFileError:  # another process has just removed the folder of all jobs, as it was empty
                if last:
                    raise
        (self.place / PARTS).make()
        kept = self._write_bundle("call.data", call)
        self._write_bundle("partitions.data", Bundle([part.part(0) for part in partitions]))
        about = asdict(record)
        about["numbers"] = [[one.start, one.stop, one.step] for one in numbers]
        atomic.write(self.place / ABOUT, json.dumps(about, indent=1).encode())
        return kept if owned(self.place.parent) else None  # else whose that is could put another folder there

    def take_lease(self) -> None:
        """Become the one who runs the job; RxJobError, which names the holder, when another process does."""
        held = self._highest_lease()
        if held and (holder := self._busy(held)) is not None:
            raise RxJobError(f"{self.id} is being run by {holder}: wait for it with rxWaitForJob(job)")
        mine = {"process": asdict(this_process()), "taken": time.time()}
        if not atomic.create(self.place / f"lease-{held + 1}", json.dumps(mine).encode()):
            raise RxJobError(f"{self.id} is being resumed by another process at this moment")
        self._lease = held + 1
        with contextlib.suppress(RxFileError), file_errors(self.place):
            self.place.fs.rm_file((self.place / "cancel").path)  # it was meant for the one before

    def give_back_lease(self) -> None:
        """Be no longer the one who is about to run the job."""
        with file_errors(self.place):
            self.place.fs.rm_file((self.place / f"lease-{self._lease}").path)
        self._lease = 0

    def write_state(self, state: str, reason: str = "", ended: float = 0.0) -> None:
        """Say what the state is now."""
        with self._writing:
            self._sign = JobStatus(state, reason, self._lease, this_process(), time.time(), ended)
            if self._highest_lease() == self._lease:  # else it is another process that says what the state is
                self._write_sign(self._sign)

    def beat(self) -> str:
        """Give a sign of life; gives why the job is to be ended, if somebody wants that."""
        with self._writing:
            if self._highest_lease() > self._lease:
                return "another process has taken it over"
            if self._sign is not None and self._sign.active:
                self._write_sign(replace(self._sign, heard=time.time()))
        return "rxCancelJob was called in another process" if (self.place / "cancel").info() is not None else ""

    def write_fetched(self) -> None:
        """Note that somebody has the results."""
        with self._writing:
            self._write_sign(replace(self._sign or self.sign(), fetched=True))

    def _write_sign(self, sign: JobStatus) -> None:
        atomic.write(self.place / "state.json", json.dumps(asdict(sign)).encode())

    def _highest_lease(self) -> int:
        found = [re.fullmatch(r"lease-(\d+)", name) for name in self.place.names()]
        return max((int(match[1]) for match in found if match), default=0)

    def _busy(self, lease: int) -> Process | None:
        """Process that runs the job by this lease, None if it has ended, or is about to be given up for dead."""
        sign = self._try(self.sign)
        if sign is not None and sign.lease == lease:
            return sign.process if sign.active and _may_live(sign.process, sign.heard) else None
        for _ in range(_LOOKS):
            with contextlib.suppress(RxFileError):
                process, taken = _read(self.place / f"lease-{lease}", _holder)
                return process if _may_live(process, taken) else None
            time.sleep(0.1)  # perhaps it is being written
        return None

    # ---------------------------------------------------------------- by anybody

    def record(self) -> Record:
        """Read the record, which is known from the start on."""
        return _read(self.place / ABOUT, _record)

    def sign(self) -> JobStatus:
        """The last that was heard of the job."""
        return _read(self.place / "state.json", _sign)

    def done(self) -> int:
        """Number of tasks that have left a result, by the names of the files."""
        return sum(int(name.rpartition(".")[0].rpartition("-")[2]) for name in self.part_names())

    def part_names(self) -> list[str]:
        """The files of results that are there."""
        return [name for name in (self.place / PARTS).names() if re.fullmatch(r"\d+-\d+-\d+\.results", name)]

    def partition_results(self, names: Iterable[str]) -> list[PartitionResult]:
        """Read these files; RxFileError, which names the file, for a damaged one."""
        self._check_trust()
        return [PartitionResult.unpack(atomic.read(self.place / PARTS / name)) for name in names]

    def readable_results(self) -> list[PartitionResult]:
        """Read all files, without the damaged ones."""
        self._check_trust()
        found = (self._try(lambda name=name: self.partition_results([name])) for name in self.part_names())
        return [part for parts in found if parts for part in parts]

    def call(self) -> Bundle:
        """The function and its constants."""
        self._check_trust()
        return self._bundle("call.data")

    def partitions(self) -> list[tuple[range, Bundle]]:
        """The partitions, each with its tasks."""
        self._check_trust()
        bundle, numbers = self._bundle("partitions.data"), _read(self.place / ABOUT, _numbers)
        return [(one, Bundle([bundle.part(index)])) for index, one in enumerate(numbers)]

    def ask_to_cancel(self) -> None:
        """Let the process that runs the job know that it is to be ended."""
        atomic.write(self.place / "cancel", b"")

    def remove(self) -> None:
        """Remove the folder with all that is in it; harmless when it is gone."""
        with file_errors(self.place), contextlib.suppress(FileNotFoundError):
            self.place.fs.rm(self.place.path, recursive=True)
        with contextlib.suppress(Exception):  # other jobs have theirs there, or it is another user's
            self.place.fs.rmdir(self.place.parent.path)

    def exists(self) -> bool:
        """Whether it is there."""
        return self.place.is_folder()

    def _write_bundle(self, name: str, bundle: Bundle) -> RemoteFileRef:
        try:
            return write_bundle(bundle, self.place / name, f"{self.id}-{name}", known_as=self.place)
        except RxFileError as problem:
            reason = getattr(problem.__cause__, "strerror", None) or problem
            raise RxFileError(
                f"{self.place}: {bundle.size} bytes of shared data cannot be written there: {reason}. Give the compute "
                f"context a shareDir with more room, or none, if its jobs need not survive this process"
            ) from problem

    def _bundle(self, name: str) -> Bundle:
        place = self.place / name
        info = place.info()
        if info is None:
            raise place.problem("no such file")
        parcel = (
            RemoteFileRef(str(place), f"{self.id}-{name}", int(info["size"]))
            if place.start
            else LocalFileRef(place.path)
        )
        return parcel.open()

    def _check_trust(self) -> None:
        foreign = owned(self.place) is False
        if self.named or not (foreign or self.place.writable_by_others):
            return
        whose = "is another user's" if foreign else "is open to others for writing"
        raise RxJobError(
            f"{self.id} {whose}: its results are pickles, and reading a pickle can run any code of who wrote it. "
            f"If you trust all who can write there, name the folder itself as the job: {str(self.place)!r}"
        )

    @staticmethod
    def _try(read: Any) -> Any:
        """Read a file; None where it is not there or is damaged."""
        try:
            return read()
        except RxFileError:
            return None


def create_job_folder(home: FsPath | None, record: Record, work: Work, parts: list[range]) -> JobFolder | None:
    """The folder of a new job, whose partitions are these `parts`, made and filled, where the job has a home."""
    if home is None:
        return None
    folder = JobFolder(home)
    try:
        work.kept = folder.make(record, work.call, work.partitions, parts)
        folder.take_lease()
        folder.write_state(QUEUED)
    except BaseException:
        with contextlib.suppress(RxError):  # the first error is the one to tell
            folder.remove()
        raise
    return folder


def owned(place: FsPath) -> bool | None:
    """Whether a folder is the user's own; None where the file system knows no owners, as stores of objects."""
    owner = place.owner
    return None if owner is None else owner == (os.getuid() if isinstance(owner, int) else place.user)


def home_of(share: FsPath, job_id: str) -> FsPath:
    """Path of a job's own folder in a share folder."""
    return share / "rxspark-jobs" / job_id


def folders_in(share: FsPath) -> list[JobFolder]:
    """The folders of the jobs in a share folder, in the order in which they were submitted."""
    home = home_of(share, "x").parent
    if not home.is_folder():
        return []
    return [JobFolder(home / name) for name in home.names() if is_id(name)]


def named_folder(path: str) -> JobFolder:
    """The folder that a user has named."""
    return JobFolder(open_path(path), named=True)


def _read(place: FsPath, make: Callable[[Any], T]) -> T:
    """Read a record; RxFileError, which names it, for one that rxspark did not write."""
    body = atomic.read(place)
    try:
        return make(json.loads(body))
    except (LookupError, TypeError, ValueError) as error:
        raise RxFileError(f"{place} is damaged, or was edited: {error!r}") from error


def _record(told_so: dict[str, Any]) -> Record:
    facts = dict(told_so["facts"])
    facts["root"] = SeedRoot(**facts["root"])
    rest = {name: value for name, value in told_so.items() if name not in ("facts", "numbers")}
    return Record(**rest, facts=Facts(**facts))


def _numbers(told_so: dict[str, Any]) -> list[range]:
    return [range(*one) for one in told_so["numbers"]]


def _sign(told_so: dict[str, Any]) -> JobStatus:
    if told_so["state"] not in STATES:
        raise ValueError(f"there is no state {told_so['state']!r}")
    return JobStatus(**{**told_so, "process": Process(**told_so["process"])})


def _holder(told_so: dict[str, Any]) -> tuple[Process, float]:
    return Process(**told_so["process"]), float(told_so["taken"])


def _may_live(process: Process, heard: float) -> bool:
    return process.alive if process.here else time.time() - heard < HEARTBEAT_TIMEOUT_S
