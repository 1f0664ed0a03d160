"""The folder of a job on a file system, from which other processes learn of it, read its results and resume it.

    <share>/rxspark-jobs/<id>/
        job.json                  what is known from the start on; the first lease, too
        call.data                 the function and its constants
        partitions.data           the elements of each partition
        state.json                the state, who runs the job, and the last heartbeat, once there is one
        lease-2, lease-3, ...     who may run it: the holder of the highest one
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
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any, TypeVar

from rxspark.contexts import ComputeContext
from rxspark.data.bundle import Bundle
from rxspark.data.refs import LocalFileRef, RemoteFileRef
from rxspark.data.shared_files import write_bundle
from rxspark.errors import RxError, RxFileError, RxJobError
from rxspark.files import atomic
from rxspark.files.paths import FsPath, file_errors, open_path
from rxspark.jobs.record import JobRecord, is_id, numbers_in_json, task_numbers
from rxspark.jobs.states import JobStatus, status_in
from rxspark.process import Process, this_process
from rxspark.rng.kinds import SeedRoot
from rxspark.serialize.payload import PartitionPayload, Payload, Requirements
from rxspark.user_paths import store_folder
from rxspark.worker.combining import AnyPartitionResult
from rxspark.worker.delivery import ABOUT, PARTS, result_name
from rxspark.worker.results import PartitionResult

__all__ = [
    "HEARTBEAT_TIMEOUT_S",
    "VERSION",
    "JobFolder",
    "folders_in",
    "job_path",
    "named_folder",
    "new_job_folder",
    "owned",
]

T = TypeVar("T")

VERSION = 2
"""The format of the files in a job's folder; 1: up to rxspark 0.1, with other names in its pickles."""

_FOR_ALL = 0o1777  # each user's jobs side by side, as in /tmp

# How often a lease that cannot be read is looked at again.
_READ_ATTEMPTS = 10

# Seconds without a heartbeat after which a process on another host may have died.
HEARTBEAT_TIMEOUT_S = 60.0


class JobFolder:
    """The folder of one job.

    Attributes
    ----------
    named : bool
        Whether the user has named this very folder, and so trusts what lies in it.
    """

    def __init__(self, path: FsPath, named: bool = False) -> None:
        self.path = path
        self.named = named
        self._lease = 0
        self._status: JobStatus | None = None
        self._writing = threading.Lock()

    @property
    def id(self) -> str:
        """The id of the job."""
        return self.path.name

    # ---------------------------------------------------------------- by who runs the job

    def create(self, record: JobRecord, payload: Payload, state: str) -> Payload:
        """Make the folder, filled, and hold its first lease; return the payload with its program there, for workers.

        Raises
        ------
        RxFileError, RxContextError
            When it cannot be made or written; nothing is left behind then.
        """
        try:
            _make(self.path)
            self._lease = 1  # nobody else knows of the job yet
            self._status = self._sign(state)
            stored = self._fill(record, payload, self._status)
        except BaseException:
            with contextlib.suppress(RxError):  # the first error is the one to tell
                self.remove()
            raise
        return replace(payload, stored_program=stored)

    def _fill(self, record: JobRecord, payload: Payload, status: JobStatus) -> RemoteFileRef | None:
        partitions = Bundle([data.part(0) for _, data in payload.partitions])
        about = {"version": VERSION} | asdict(record)
        about["numbers"] = [numbers_in_json(numbers) for numbers, _ in payload.partitions]
        about["status"] = asdict(status)
        with ThreadPoolExecutor(5) as at_once:  # of the time that a file on HDFS takes, most is waiting
            program = at_once.submit(self._write_bundle, "call.data", payload.program)
            writing: list[Future[Any]] = [
                program,
                at_once.submit(self._write_bundle, "partitions.data", partitions),
                at_once.submit((self.path / PARTS).make),
            ]
            known = at_once.submit(atomic.prepare, self.path / ABOUT, json.dumps(about, indent=1).encode())
            ours = at_once.submit(owned, self.path.parent)
        for one in writing:
            one.result()
        known.result()()  # when all else is there: by this file, others know of the job
        # Else whose that is could put another folder there.
        return program.result() if ours.result() else None

    def take_lease(self) -> None:
        """Take the right to run the job; RxJobError names the process that has it already."""
        held = self._highest_lease()
        if (holder := self._busy(held)) is not None:
            raise RxJobError(f"{self.id} is being run by {holder}: wait for it with rxWaitForJob(job)")
        if not atomic.create(self._lease_path(held + 1), _lease_text()):
            raise RxJobError(f"{self.id} is being resumed by another process at this moment")
        self._lease = held + 1
        with contextlib.suppress(RxFileError), file_errors(self.path):
            self.path.fs.rm_file((self.path / "cancel").path)  # it was meant for the one before

    def give_back_lease(self) -> None:
        """Give the right to run the job back."""
        with file_errors(self.path):
            self.path.fs.rm_file(self._lease_path(self._lease).path)
        self._lease = 0

    def write_state(self, state: str, reason: str = "", ended: float = 0.0) -> None:
        """Write the state, unless it is the one that was written last."""
        with self._writing:
            said, self._status = self._status, self._sign(state, reason, ended)
            if said is not None and (said.state, said.reason, said.lease) == (state, reason, self._lease):
                return
            if self._has(self._lease) and not self._has(self._lease + 1):  # else another process says what the state is
                self._write_status(self._status)

    def _sign(self, state: str, reason: str = "", ended: float = 0.0) -> JobStatus:
        return JobStatus(
            state=state, reason=reason, lease=self._lease, process=this_process(), heard=time.time(), ended=ended
        )

    def write_heartbeat(self) -> str:
        """Write a heartbeat; return why the job is to be ended, if somebody wants that."""
        with self._writing:
            if self._has(self._lease + 1):
                return "another process has taken it over"
            if self._status is not None and self._status.active and self._has(self._lease):
                self._write_status(replace(self._status, heard=time.time()))
        return "rxCancelJob was called in another process" if (self.path / "cancel").info() is not None else ""

    def write_fetched(self) -> None:
        """Write down that the results were fetched."""
        with self._writing:
            self._write_status(replace(self._status or self.status(), fetched=True))

    def _write_status(self, status: JobStatus) -> None:
        atomic.write(self.path / "state.json", _as_json(status))

    def _has(self, lease: int) -> bool:
        """Tell whether a lease exists: by its name, as a store's listing may be old."""
        return self._lease_path(lease).info() is not None

    def _lease_path(self, lease: int) -> FsPath:
        return self.path / (ABOUT if lease == 1 else f"lease-{lease}")

    def _highest_lease(self) -> int:
        found = [re.fullmatch(r"lease-(\d+)", name) for name in self.path.names()]
        return max((int(match[1]) for match in found if match), default=1)

    def _busy(self, lease: int) -> Process | None:
        """Return the process that holds this lease; None if it has ended, or counts as dead."""
        status = self._try(self.status)
        if status is not None and status.lease == lease:
            return status.process if status.active and _may_live(status.process, status.heard) else None
        for _ in range(_READ_ATTEMPTS):
            with contextlib.suppress(RxFileError):
                process, taken = _read(self._lease_path(lease), _holder)
                return process if _may_live(process, taken) else None
            time.sleep(0.1)  # perhaps it is being written
        return None

    # ---------------------------------------------------------------- by anybody

    def record(self) -> JobRecord:
        """Read the record of the job."""
        return _read(self.path / ABOUT, _record)

    def status(self) -> JobStatus:
        """Read the last known status of the job: that of its beginning where nothing has been heard since."""
        path = self.path / "state.json"
        if path.info() is None:
            return _read(self.path / ABOUT, lambda about: status_in(about["status"]))
        return _read(path, status_in)

    def done(self) -> int:
        """Count the tasks with results or errors, by the names of the files."""
        return sum(int(name.rpartition(".")[0].rpartition("-")[2]) for name in self.part_names())

    def part_names(self) -> list[str]:
        """List the names of the result files."""
        return [name for name in (self.path / PARTS).names() if re.fullmatch(r"\d+-\d+-\d+\.results", name)]

    def partition_results(self, names: Iterable[str]) -> list[AnyPartitionResult]:
        """Read result files; RxFileError names a damaged one."""
        self._check_trust()
        return [PartitionResult.unpack(atomic.read(self.path / PARTS / name)) for name in names]

    def readable_results(self) -> list[AnyPartitionResult]:
        """Read all result files but the damaged ones."""
        self._check_trust()
        found = (self._try(lambda name=name: self.partition_results([name])) for name in self.part_names())
        return [part for parts in found if parts for part in parts]

    def payload(self) -> Payload:
        """Read the program and the partitions."""
        self._check_trust()
        record, bundle = self.record(), self._bundle("partitions.data")
        numbers = _read(self.path / ABOUT, task_numbers)
        return Payload(
            call_id=self.id,
            program=self._bundle("call.data"),
            partitions=tuple(PartitionPayload(one, Bundle([bundle.part(i)])) for i, one in enumerate(numbers)),
            requirements=Requirements(record.seed_root.kind, frozenset(record.modules)),
        )

    def ask_to_cancel(self) -> None:
        """Let the process that runs the job know that it is to be ended."""
        atomic.write(self.path / "cancel", b"")

    def remove(self) -> None:
        """Remove the folder with all that is in it; harmless when it is gone."""
        if self.path.store:
            self._remove_by_names()
        with file_errors(self.path), contextlib.suppress(FileNotFoundError):
            self.path.fs.rm(self.path.path, recursive=True)
        with contextlib.suppress(Exception):  # other jobs have theirs there, or it is another user's
            self.path.fs.rmdir(self.path.parent.path)

    def _remove_by_names(self) -> None:
        """Remove the files whose names are known: a store's listing may lack those that have just been written."""
        numbers = self._try(lambda: _read(self.path / ABOUT, task_numbers)) or []
        status = self._status or self._try(self.status)
        leases = range(2, 1 + (status.lease if status else 1))
        names = [ABOUT, "call.data", "partitions.data", "state.json", "cancel", *(f"lease-{n}" for n in leases)]
        names += [f"{PARTS}/{result_name(one)}" for one in numbers]
        with file_errors(self.path), contextlib.suppress(FileNotFoundError):
            self.path.fs.rm([(self.path / name).path for name in names])

    def exists(self) -> bool:
        """Tell whether the folder exists."""
        return self.path.is_folder()

    def _write_bundle(self, name: str, bundle: Bundle) -> RemoteFileRef:
        try:
            return write_bundle(bundle, self.path / name, f"{self.id}-{name}", known_as=self.path)
        except RxFileError as problem:
            reason = getattr(problem.__cause__, "strerror", None) or problem
            raise RxFileError(
                f"{self.path}: {bundle.size} bytes of shared data cannot be written there: {reason}. Give the compute "
                f"context a shareDir with more room, or none, if its jobs need not survive this process"
            ) from problem

    def _bundle(self, name: str) -> Bundle:
        path = self.path / name
        info = path.info()
        if info is None:
            raise path.error("no such file")
        ref = (
            RemoteFileRef(str(path), f"{self.id}-{name}", int(info["size"])) if path.start else LocalFileRef(path.path)
        )
        return ref.open()

    def _check_trust(self) -> None:
        foreign = owned(self.path) is False
        if self.named or not (foreign or self.path.writable_by_others):
            return
        whose = "is another user's" if foreign else "is open to others for writing"
        raise RxJobError(
            f"{self.id} {whose}: its results are pickles, and reading a pickle can run any code of who wrote it. "
            f"If you trust all who can write there, name the folder itself as the job in Python: {str(self.path)!r}"
        )

    @staticmethod
    def _try(read: Any) -> Any:
        """Read a file; None where it is not there or is damaged."""
        try:
            return read()
        except RxFileError:
            return None


def _make(path: FsPath) -> None:
    """Make the folder of a job, and those above it."""
    share = path.parent.parent
    if share.start == "":
        share.make()  # for this user alone; who wants to have it for several makes it himself
    for last in (False, False, True):
        try:
            path.parent.make(_FOR_ALL)
            path.make()
            break
        except RxFileError:  # another process has just removed the folder of all jobs, as it was empty
            if last:
                raise


def new_job_folder(context: ComputeContext, job_id: str) -> JobFolder | None:
    """Name the folder of a new job, not made yet; None where the context has no share folder, or wants none kept."""
    share = store_folder(context) if context.durable or not context.wait else None
    return None if share is None else JobFolder(job_path(share, job_id))


def owned(path: FsPath) -> bool | None:
    """Tell whether a folder is the user's own; None where the file system knows no owners, as stores of objects."""
    owner = path.owner
    return None if owner is None else owner == (os.getuid() if isinstance(owner, int) else path.user)


def job_path(share: FsPath, job_id: str) -> FsPath:
    """Return the path of a job's folder in a share folder."""
    return share / "rxspark-jobs" / job_id


def folders_in(share: FsPath) -> list[JobFolder]:
    """The folders of the jobs in a share folder, in the order in which they were submitted."""
    home = job_path(share, "x").parent
    if not home.is_folder():
        return []
    return [JobFolder(home / name) for name in home.names() if is_id(name)]


def named_folder(path: str) -> JobFolder:
    """The folder that a user has named."""
    return JobFolder(open_path(path), named=True)


def _read(path: FsPath, make: Callable[[Any], T]) -> T:
    """Read a record; RxFileError names one that rxspark has not written."""
    body = atomic.read(path)
    try:
        return make(json.loads(body))
    except (LookupError, TypeError, ValueError) as error:
        raise RxFileError(f"{path} is damaged, or was edited: {error!r}") from error


def _record(about: dict[str, Any]) -> JobRecord:
    version = about.get("version", 1)
    if version != VERSION:
        raise RxFileError(
            f"{about['id']} was written by {'an older' if version < VERSION else 'a newer'} rxspark (format of jobs "
            f"{version}; this one reads format {VERSION}): fetch its results with that one, or remove it by "
            f"rxCleanupJobs(job, force=True)"
        )
    rest = {name: value for name, value in about.items() if name not in ("version", "numbers", "status")}
    return JobRecord(**rest | {"seed_root": SeedRoot(**about["seed_root"])})


def _as_json(status: JobStatus) -> bytes:
    return json.dumps(asdict(status)).encode()


def _lease_text() -> bytes:
    return json.dumps({"process": asdict(this_process()), "taken": time.time()}).encode()


def _holder(found: dict[str, Any]) -> tuple[Process, float]:
    if "status" in found:  # of job.json
        status = status_in(found["status"])
        return status.process, status.heard
    return Process(**found["process"]), float(found["taken"])


def _may_live(process: Process, heard: float) -> bool:
    return process.alive if process.here else time.time() - heard < HEARTBEAT_TIMEOUT_S
