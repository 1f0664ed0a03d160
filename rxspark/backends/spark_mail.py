"""How envelopes come home from Spark's executors: by an accumulator, and what is large by a folder."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyspark.accumulators import AccumulatorParam

from rxspark.backends.base import Work
from rxspark.backends.preflight import Preflight
from rxspark.backends.spark_session import Application
from rxspark.places import Place
from rxspark.sharing.folder import own_folder
from rxspark.worker.outbox import Elsewhere, Outbox

__all__ = ["MAX_RESULT_SIZE", "Mailbox", "outbox", "submitting"]

MAX_RESULT_SIZE = "spark.driver.maxResultSize"

# Bytes of the largest message: Java's arrays end at 2 GB, and some bytes are for what is around it.
_MESSAGE = (1 << 31) - (1 << 20)

submitting = threading.Lock()
"""Pickling of commands and registering of broadcasts share state inside the SparkContext."""

Letter = bytes | Elsewhere
Update = list[tuple[str, Letter]]


class _Letters(AccumulatorParam[Update]):
    """Envelopes on their way: gathered in the worker, handed to their owner in the driver."""

    def __init__(self, deliver: Callable[[str, Letter], None] | None = None) -> None:
        self._deliver = deliver

    def zero(self, value: Update) -> Update:
        return []

    def addInPlace(self, value: Update, update: Update) -> Update:
        if self._deliver is None:
            value.extend(update)
        else:
            for work_id, letter in update:
                self._deliver(work_id, letter)
        return value

    def __reduce__(self) -> Any:
        return _Letters, ()


class Mailbox:
    """What we keep for an application: above all its one accumulator, which PySpark's registry keeps for ever."""

    def __init__(self, application: Application) -> None:
        context = application.context
        self._works: dict[str, Work] = {}
        self.preflight = Preflight(context, application.local)
        self.letters = context.accumulator([], _Letters(self._deliver))
        conf = context._jsc.sc().conf()
        most = int(conf.getSizeAsBytes(MAX_RESULT_SIZE, "1g"))
        self.limit = f"{MAX_RESULT_SIZE}={conf.get(MAX_RESULT_SIZE, '1g')}"
        self.largest = min(most - most // 16 if most else _MESSAGE, _MESSAGE)  # some kilobytes are Spark's own
        """Bytes of the largest message that Spark can bring."""
        self.fair = context.getConf().get("spark.scheduler.mode", "FIFO").upper() == "FAIR"
        self._pools: set[str] = set()
        self.running: set[str] = set()
        """The calls that Spark runs now, by id."""

    def _deliver(self, work_id: str, letter: Letter) -> None:
        work = self._works.get(work_id)
        if work is None:  # the call has been given up meanwhile
            return
        try:
            packed = letter if isinstance(letter, bytes) else letter.take()
        except OSError as error:
            work.trouble = f"results could not be fetched: {error}"
        else:
            work.deliver(packed)

    @contextlib.contextmanager
    def pool(self) -> Iterator[str]:
        """The name of a FAIR pool that no other job uses now; used again, as Spark keeps pools for ever."""
        with submitting:
            name = next(name for name in map("rxspark-{}".format, itertools.count(1)) if name not in self._pools)
            self._pools.add(name)
        try:
            yield name
        finally:
            self._pools.discard(name)

    @contextlib.contextmanager
    def open(self, work: Work) -> Iterator[None]:
        self._works[work.id] = work
        try:
            yield
        finally:
            del self._works[work.id]


@contextlib.contextmanager
def outbox(mailbox: Mailbox, work: Work, shared: Place | None, here: Path | None) -> Iterator[Outbox]:
    """Where the workers of a call put envelopes: in a folder on this host or of the cluster, if there is one."""
    if here is not None:
        yield Outbox(str(here), True, mailbox.largest, mailbox.limit)
        return
    folder = own_folder(shared) / work.id if shared else None
    try:
        yield Outbox(str(folder) if folder else None, False, mailbox.largest, mailbox.limit)
    finally:
        if folder is not None:
            # What attempts have left that were given up; whatever kept the call from its end, it comes first.
            with contextlib.suppress(OSError):
                folder.fs.rm(folder.path, recursive=True)
