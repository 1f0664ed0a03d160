"""Feed of a call whose elements come of iterators: it reads them while the tasks run, a window ahead of the results.

A thread of its own reads, so that an iterator that waits for something holds up neither results nor the end of the job.
"""

from __future__ import annotations

import logging
import pickle
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Any

from rxspark.calls.spec import CallSpec
from rxspark.calls.tasks import argument_name, lengths_differ
from rxspark.data.bundle import Bundle
from rxspark.errors import RxError
from rxspark.rng.kinds import check_capacity
from rxspark.serialize.partition_payload import PartitionPayload
from rxspark.serialize.pickler import CallSerializer
from rxspark.worker.protocol import ModuleSource, Partition

__all__ = ["ElementFeed"]

logger = logging.getLogger("rxspark")

# Partitions for each slot that are read before their results are there: one runs, one waits, one is being made.
_PER_SLOT = 3

# Seconds that the end of a job waits for a generator to end; one that is waiting itself ends when it goes on.
_CLOSE_TIMEOUT_S = 1.0

_ENTRIES, _TIMES = "elemArgs", "timesToRun"


class ElementFeed:
    """Makes partitions of elements as they are read.

    Parameters
    ----------
    spec : CallSpec
        The call.
    serializer : CallSerializer
        Pickles its elements.
    modules : mapping
        The user's own modules that travel with the program.
    slots : int
        How many tasks run at once.
    with_data : bool
        Whether modules take the other files of their packages along.

    Attributes
    ----------
    window : int
        Partitions that are read, at most, before results of the first are there.
    error : RxError or None
        Why reading ended before the elements did.
    """

    def __init__(
        self,
        spec: CallSpec,
        serializer: CallSerializer,
        modules: Mapping[str, ModuleSource],
        slots: int,
        with_data: bool,
    ) -> None:
        self.window = _PER_SLOT * slots
        self.error: RxError | None = None
        self._spec = spec
        self._serializer = serializer
        self._modules = modules
        self._with_data = with_data
        self._size = spec.chunk_size or 1
        self._iterators = _iterators(spec)
        self._context = copy_context()
        self._changed = threading.Condition()
        self._reader: threading.Thread | None = None
        self._ready: deque[PartitionPayload] = deque()
        self._read = self._answered = 0
        self._ended = self._closed = False

    @property
    def exhausted(self) -> bool:
        """Tell whether no partition will come any more."""
        with self._changed:
            return self._ended and not self._ready

    def take(self, least: int, timeout: float) -> list[PartitionPayload]:
        """Return the partitions that are there, once there are so many, or no more will come, or the time is over."""
        with self._changed:
            if self._reader is None and not self._closed:
                run = partial(self._context.run, self._run)  # code of the user's, so not one of rxspark's own threads
                self._reader = threading.Thread(target=run, name="elements of a job", daemon=True)
                self._reader.start()
            self._changed.wait_for(lambda: len(self._ready) >= least or self._ended or self._closed, timeout)
            taken = [] if self._closed else list(self._ready)
            self._ready.clear()
        return taken

    def answered(self, tasks: int) -> None:
        """Make room for more elements, as so many tasks have answered."""
        with self._changed:
            self._answered += tasks
            self._changed.notify_all()

    def stop(self) -> None:
        """Read no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """Read no more, and wait a moment for the iterators to end."""
        self.stop()
        if self._reader is None:
            self._close_generators()
        else:
            self._reader.join(_CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        try:
            while self._has_room() and (partition := self._partition()) is not None:
                with self._changed:
                    self._ready.append(partition)
                    self._changed.notify_all()
        except RxError as problem:
            self.error = problem
        except Exception as error:
            logger.exception("reading elements failed by a mistake in rxspark")
            self.error = RxError(f"reading elements failed by a mistake in rxspark: {error!r}")
        finally:
            self._close_generators()
            with self._changed:
                self._ended = not self._closed
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Wait until a partition may be read; whether one may."""
        most = (self.window - 1) * self._size
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._read - self._answered <= most)
            return not self._closed and self.error is None

    def _partition(self) -> PartitionPayload | None:
        """Read the elements of one partition; None where there are none."""
        values: dict[int | str, list[Any]] = {key: [] for key in self._iterators}
        first = self._read
        while self._read < first + self._size and not self._closed and self._read_one(values):
            self._read += 1
        numbers = range(first, self._read)
        if not numbers:
            return None
        check_capacity(self._spec.seed_root, numbers[-1] // self._spec.tasks_per_stream + 1)
        entries = values.pop(_ENTRIES, None) or self._spec.tasks.entries_of(numbers)
        values.pop(_TIMES, None)
        return PartitionPayload(
            numbers, Bundle([self._with_modules(self._serializer.elements(numbers, values, entries))])
        )

    def _read_one(self, values: dict[int | str, list[Any]]) -> bool:
        """Read the elements of the next task; whether there were any."""
        taken: dict[int | str, Any] = {}
        ended: list[int | str] = []
        for key, iterator in self._iterators.items():
            try:
                taken[key] = next(iterator)
            except StopIteration:
                ended.append(key)
            except BaseException as error:
                rest = "the tasks before it have run"
                argument = self._spec.tasks.per_task_args[key]
                self.error = argument.reading_failed(argument_name(key), self._read, error, rest)
                self.error.__cause__ = error
                return False
        if ended and taken:
            lengths = {_name(key): str(self._read) for key in ended}
            self.error = lengths_differ(lengths | {_name(key): f"more than {self._read}" for key in taken})
        if ended:
            return False
        for key, value in taken.items():
            values[key].append(value)
        return True

    def _with_modules(self, packed: bytes) -> bytes:
        """Add the user's own modules that the elements need and that the program has not brought."""
        sources = self._serializer.modules.sources(self._with_data)
        new = {name: source for name, source in sources.items() if name not in self._modules}
        if not new:
            return packed
        partition: Partition = pickle.loads(packed)
        return pickle.dumps(replace(partition, modules=new), 5)

    def _close_generators(self) -> None:
        for iterator in self._iterators.values():
            if isinstance(iterator, Generator):
                try:
                    iterator.close()
                except Exception:
                    logger.exception("a generator of elements raised as it was closed")
        self._iterators = {}


def _iterators(spec: CallSpec) -> dict[int | str, Iterator[Any]]:
    """Return an iterator for each argument that has elements, so that all end together."""
    tasks = spec.tasks
    found = {key: argument.iterator(argument_name(key)) for key, argument in tasks.per_task_args.items()}
    if tasks.element_args is not None and len(tasks.element_args) > 1:
        found[_ENTRIES] = iter(tasks.element_args)
    elif tasks.count is not None and all(argument.length is None for argument in tasks.per_task_args.values()):
        found[_TIMES] = iter(range(tasks.count))
    return found


def _name(key: int | str) -> str:
    return str(key) if key in (_ENTRIES, _TIMES) else argument_name(key)
