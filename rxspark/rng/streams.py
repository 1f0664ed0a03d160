"""Streams: the random numbers of one run of tasks, installed in this process and taken out again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from rxspark.concurrency import others_run
from rxspark.rng import stdlib_patch
from rxspark.rng.active import GROUP, STACK, ThreadGroup, current
from rxspark.rng.engines import Counter, Jumped, engine
from rxspark.rng.kinds import SeedRoot, digest
from rxspark.rng.numba_random import NUMBA, NumbaRandom
from rxspark.rng.numpy_patch import NumpyRandom, NumpyState
from rxspark.rng.numpy_threads import SHARED, connect
from rxspark.rng.own_functions import own_functions, paused
from rxspark.rng.stdlib_patch import StdlibRandom

__all__ = ["StreamState", "Streams", "current"]


class StreamState(NamedTuple):
    """A place in a stream, over all libraries; picklable, and good in any process under the same root."""

    number: int
    tasks: int
    """Tasks that have drawn from it."""
    asked: int
    bits: Mapping[str, Any]
    numpy: NumpyState
    stdlib: tuple[Any, ...] | None


class Streams:
    """The streams of one root, as a context manager that borrows the process's generators.

    Inside, the current stream feeds ``np.random.*``, ``np.random.mtrand._rand`` (scipy, scikit-learn),
    ``np.random.default_rng()``, RandomState() and ``random.Random()`` without a seed, ``random.*`` and `generator`. On
    leaving, all of them are as they were. Instances nest; only the innermost may be used.

    Parameters
    ----------
    root : Root
        The kind and the seed.
    normal_kind : str or None
        ``"BOXMULLER"``, ``"BOXMULLER2"`` or ``"ICDF"``, for the pseudo-random kinds of MKL.
    dimension : int
        The dimension of a quasi-random kind.
    owner : str
        Who opens it: ``"rxExec"`` for a run of tasks, ``"rxRngNewStream"`` for a user's own stream.

    Raises
    ------
    RxMissingError
        When the kind needs MKL and this host lacks it.

    Examples
    --------
    >>> with Streams(SeedRoot("PHILOX", 777, chosen=True)) as streams:
    ...     streams.start(0)
    ...     first = np.random.uniform()
    ...     streams.start(0)
    ...     first == np.random.uniform()
    True
    """

    def __init__(
        self, root: SeedRoot, normal_kind: str | None = None, dimension: int = 1, owner: str = "rxExec"
    ) -> None:
        self.root = root
        self.normal_kind = normal_kind
        self.dimension = dimension
        self.owner = owner
        self.number = 0
        self._tasks = 0  # how many tasks have drawn from this stream
        self._asked = 0  # how often it was asked for entropy
        self._counter = Counter(root)
        self._engine = engine(root, normal_kind, dimension)
        self.bits = self._engine.bits if isinstance(self._engine, Jumped) else self._counter.bits
        self.numpy = NumpyRandom(self.bits, self._engine, self._engine.functions() if self._engine else {})
        self.stdlib = StdlibRandom(self._stdlib_seed, self.entropy)
        self.numba = NumbaRandom(self._numba_seed)
        self._runner = get_ident()
        self.is_outside = False  # whether a module is being imported, and nothing draws
        self.group: ThreadGroup | None = None
        """The threads that draw from these streams, where those of a task do and no others."""

    def __enter__(self) -> Streams:
        if others_run() and self.owner == "rxExec":
            _share()
        with SHARED.held():
            # By value, as an outer Streams of the same process uses the same objects.
            self._outer_bits = [(bits, bits.state) for bits in {self._counter.bits, self.bits}]
            self.numpy.enter()
            self.stdlib.enter()
            self.numba.enter()
            if self.owner == "rxExec":
                self.group = ThreadGroup(GROUP.get())
                self._outer_group = GROUP.set(self.group)
            STACK.append(self)
            self.start(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with SHARED.held():
            self._close_inner()
            STACK.pop()
            last = SHARED.on and not any(streams.group for streams in STACK)
            if last:
                stdlib_patch.unshare()
            self.numba.exit()
            self.stdlib.exit()
            self.numpy.exit()
            for bits, state in self._outer_bits:
                bits.state = state
        if self.group is not None:
            GROUP.reset(self._outer_group)
        if last:
            SHARED.end()
        if STACK and (SHARED.on or last):
            STACK[-1].numpy.reinstall()

    def start(self, number: int) -> None:
        """Make stream `number` the current one, at its beginning.

        Parameters
        ----------
        number : int
            From 0 to the kind's capacity - 1 (`kinds.check_capacity` is asked before launch).
        """
        if SHARED.on:
            with SHARED:
                self._start(number)
        else:
            self._start(number)

    def _start(self, number: int) -> None:
        if STACK[-1] is not self or self.numpy.seized or self.stdlib.seized:
            self._take_back()
        self.number = number
        self._tasks = self._asked = 0
        self._counter.start(number)
        if self._engine is not None:
            self._engine.start(number)
        connect(self.bits)  # this also drops the second of a pair of legacy normals
        self.stdlib.start()
        if NUMBA in sys.modules:
            self.numba.start()

    def restore(self) -> None:
        """After a task: take back what it seeded or opened itself, and go on with the stream where it left it."""
        if STACK[-1] is not self or self.numpy.seized or self.stdlib.seized:
            with SHARED.held():
                self._take_back()
        self._tasks += 1
        if NUMBA in sys.modules:
            self.numba.start()
        if self.group is not None and self.group.grew:
            self._part_with_threads()

    def _part_with_threads(self) -> None:
        """The threads that the task has started belong to no task from here on."""
        with SHARED.held():
            self.group = ThreadGroup(self.group and self.group.outer)
            GROUP.set(self.group)
            self.stdlib.renew()

    def lend(self) -> Callable[[], None]:
        """Let this thread draw by NumPy from what was there before these streams; return what ends that."""
        kept = [(bits, bits.state) for bits, _ in self._outer_bits]
        for bits, state in self._outer_bits:
            bits.state = state
        take_back = self.numpy.lend()

        def end() -> None:
            take_back()
            self._outer_bits = [(bits, bits.state) for bits, _ in kept]
            for bits, state in kept:
                bits.state = state

        return end

    def follow_thread(self) -> Callable[[], None]:
        """Take in that the task is about to start a thread; return what this one does first."""
        assert self.group is not None
        note_position = self.group.grow()
        _share()

        def begin() -> None:
            note_position()
            self.numba.start()

        return begin

    def can_go_outside(self) -> bool:
        """Tell whether this thread draws from the streams now."""
        return not self.is_outside and (SHARED.on or get_ident() == self._runner)

    @contextmanager
    def outside(self, compiling: bool = False) -> Iterator[None]:
        """Have the generators as where no stream is installed, and leave the streams where they are.

        For this thread, where others draw; `compiling`: numba's compiler looks at functions, and nothing draws. Who is
        outside already stays there: finders of modules may ask one another, and wrap a loader twice.
        """
        if not self.can_go_outside():
            yield
            return
        compiled = self.numba.get_state()
        self.is_outside = not SHARED.on
        try:
            with own_functions(compiling) if SHARED.on else paused(self.numpy, self.stdlib):
                yield
        finally:
            self.is_outside = False
            self.numba.set_state(compiled)
            if self.group is not None and self.group.grew:
                _share()

    def _take_back(self) -> None:
        if STACK[-1] is not self:
            self._close_inner()
        if self.numpy.seized:
            self.numpy.restore()
        if self.stdlib.seized:
            self.stdlib.restore()

    def in_place(self) -> bool:
        """Tell whether the functions of `random` and ``np.random`` are the stream's; a task may replace them."""
        return self.numpy.in_place() and self.stdlib.in_place()

    def reinstall(self) -> None:
        """Put the stream's functions back there."""
        self.numpy.reinstall()
        self.stdlib.reinstall()

    def _close_inner(self) -> None:
        """Close the streams that a task opened by rxRngNewStream and did not delete."""
        while STACK[-1] is not self:
            STACK[-1].__exit__(None, None, None)

    @property
    def generator(self) -> np.random.Generator:
        """A NumPy Generator over the stream's bits: those of ``np.random.*`` for NumPy's kinds, Philox for MKL's."""
        return np.random.Generator(self.bits)

    def entropy(self, count: int) -> int:
        """`count` bits that belong to this stream and to no other call: what unseeded generators are seeded with."""
        self._asked += 1
        purpose = f"entropy {self._asked}"
        return int.from_bytes(digest(self.root, purpose, self.number, (count + 7) // 8), "little") >> (-count % 8)

    def _stdlib_seed(self) -> int:
        return int.from_bytes(digest(self.root, "random", self.number, 32), "little")

    def _numba_seed(self) -> bytes:
        position = () if self.group is None else self.group.position()
        return digest(self.root, " ".join(map(str, ("numba", self._tasks, *position))), self.number, 64)

    def get_state(self) -> StreamState:
        """The place in the current stream, from which `set_state` goes on, here or in another process."""
        with SHARED.held():
            state = self.numpy.get_state()
            return StreamState(
                number=self.number,
                tasks=self._tasks,
                asked=self._asked,
                bits=self._counter.bits.state,
                numpy=state,
                stdlib=self.stdlib.get_state(),
            )

    def set_state(self, state: StreamState) -> None:
        """Go to a place that `get_state` gave under the same root."""
        with SHARED.held():
            self._take_back()
            self.number, self._tasks, self._asked = state.number, state.tasks, state.asked
            self._counter.bits.state = state.bits
            self.numpy.set_state(state.numpy)
            self.stdlib.set_state(state.stdlib)
            self.numba.start()


def _share() -> None:
    """Let threads draw from what is theirs, as there are several; while a module is imported, at the end of that."""
    if not SHARED.on and not any(streams.is_outside for streams in STACK):
        SHARED.begin()
        with SHARED:
            stdlib_patch.share()
            if STACK:
                STACK[-1].numpy.reinstall()
