"""The bytes that a call sends, made once: the program, the partitions, and the needs of the workers."""

from __future__ import annotations

import logging
import pickle
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from rxspark.calls.spec import CallSpec
from rxspark.data.bundle import Bundle
from rxspark.data.refs import RemoteFileRef
from rxspark.options import rxGetOption
from rxspark.serialize.partition_payload import PartitionPayload
from rxspark.worker.process_state import callers_settings, portable_filters
from rxspark.worker.protocol import Call

if TYPE_CHECKING:
    from rxspark.serialize.feed import ElementFeed
    from rxspark.serialize.shared_object import Shared

__all__ = ["Destination", "PartitionPayload", "Payload", "Requirements", "serialize_call"]


class Destination(NamedTuple):
    """The destination of a call's bytes, as far as it decides what they must hold."""

    same_host: bool
    """Whether all workers are on this machine."""
    journals: str | None
    """A folder in which workers of this machine note what they have finished, if they can."""
    job_folder: str | None
    """Path or URL of the folder of the job, if it has one."""
    slots: int
    """How many tasks run at once there."""
    outlives_process: bool
    """Whether the bytes must be good when this process, and with it the files of rxShare, has ended."""


@dataclass(frozen=True)
class Requirements:
    """The needs of a call that workers may lack."""

    rng_kind: str | None = None
    modules: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Payload:
    """The bytes of a call."""

    call_id: str
    """The name by which workers and engines know the call; a job that is resumed is another call."""
    program: Bundle
    """The worker's `Call`, the function and its constants."""
    partitions: tuple[PartitionPayload, ...]
    requirements: Requirements
    stored_program: RemoteFileRef | None = None
    """The program in the folder of the job, if it has one that workers may read."""
    combine: bytes | None = None
    """The pickle of the function that combines results, for who puts them together here."""
    shared_objects: tuple[Shared, ...] = ()
    """Handles whose files the workers will read; they must live as long as the call."""
    feed: ElementFeed | None = None
    """Gives partitions while others run, where elements come of iterators."""

    def detached(self) -> Payload:
        """Return a copy that stays as it is when the caller changes his arguments."""
        copies = tuple(PartitionPayload(numbers, data.detached()) for numbers, data in self.partitions)
        return replace(self, program=self.program.detached(), partitions=copies)


def serialize_call(spec: CallSpec, partitions: list[range], call_id: str, destination: Destination) -> Payload:
    """Turn a call into bytes.

    Raises
    ------
    RxShippingError
        When FUN or an argument cannot be sent; names the variable.
    """
    from rxspark.serialize.feed import ElementFeed
    from rxspark.serialize.pickler import CallSerializer  # with cloudpickle, which only calls need
    from rxspark.serialize.user_modules import UserModules

    serializer = CallSerializer(destination.same_host, destination.outlives_process)
    program = serializer.program(spec.function, spec.tasks, spec.exec_objects, spec.retry_on)
    parts = tuple(
        PartitionPayload(numbers, Bundle([serializer.partition(spec.tasks, numbers)])) for numbers in partitions
    )
    combine = None if spec.combine is None else serializer.combine(spec.combine)
    for package in spec.packages:
        serializer.modules.note_name(package)
    with_data = not destination.same_host
    sources = serializer.modules.sources(with_data)
    call = Call(
        id=call_id,
        root=spec.seed_root,
        tasks_per_stream=spec.tasks_per_stream,
        packages=spec.packages,
        modules=sources,
        modules_digest=UserModules.digest(sources),
        warning_filters=portable_filters(),
        settings=callers_settings(),
        log_level=logging.getLogger().level,
        console_limit=rxGetOption("consoleLimit"),
        stop_on_error=spec.stop_on_error,
        time_limit=spec.time_limit,
        retries=spec.retries,
        combine=combine,
        threads=spec.threads_per_task,
        journals=destination.journals,
        folder=destination.job_folder,
    )
    needed = serializer.modules.needed(spec.function, sources) | set(spec.packages) - set(sources)
    later = spec.tasks.are_read_later
    return Payload(
        call_id=call_id,
        program=Bundle([pickle.dumps(call, 5), *program]),
        partitions=parts,
        requirements=Requirements(spec.seed_root.kind, frozenset(needed)),
        combine=combine,
        shared_objects=tuple(serializer.handles),
        feed=ElementFeed(spec, serializer, sources, destination.slots, with_data) if later else None,
    )
