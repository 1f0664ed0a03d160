"""rxRngNewStream and its kin: a stream of one's own, inside a task or in the driver program."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from rxspark.errors import RxArgumentError
from rxspark.rng.active import above, current
from rxspark.rng.imports import import_outside_streams
from rxspark.rng.kinds import (
    KINDS,
    SeedRoot,
    capacity,
    checked_seed,
    default_kind,
    fresh_seed,
    gives_same_numbers,
    known_kind,
)
from rxspark.rng.mkl import warn_of_other_numbers

if TYPE_CHECKING:
    import numpy as np

    from rxspark.rng.streams import Streams, StreamState

__all__ = ["RxStream", "rxRngDelStream", "rxRngGetStream", "rxRngNewStream", "rxRngSetStream"]


@dataclass(frozen=True)
class RxStream:
    """One random stream at one place; picklable.

    As a context manager it deletes the stream at the end of the block.

    Attributes
    ----------
    kind : str
        The kind of generator, such as ``"MT2203"``.
    seed : int
        The seed.
    subStream : int
        The number of the stream, from 0.
    normalKind : str or None
        How MKL makes normal numbers.
    dimension : int
        The dimension of a quasi-random kind; 1 for the others.

    Examples
    --------
    >>> import numpy as np
    >>> from rxspark import rxRngNewStream
    >>> with rxRngNewStream("PHILOX", subStream=3, seed=777) as stream:
    ...     stream.kind, stream.subStream, np.random.uniform(size=2).shape
    ('PHILOX', 3, (2,))
    """

    kind: str
    seed: int
    subStream: int
    normalKind: str | None
    dimension: int
    _state: StreamState = field(repr=False)

    @property
    def generator(self) -> np.random.Generator:
        """A NumPy Generator that draws from the stream which is current when it draws.

        For PHILOX and PCG64DXSM it shares the numbers of ``np.random.*``. MKL's generators cannot feed a NumPy
        Generator: there it draws from a Philox stream of the same seed and number; MKL's own numbers come from
        ``np.random.*``.
        """
        return _active("the generator of a stream").generator

    def __enter__(self) -> RxStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        rxRngDelStream()


def _refuse_elsewhere(wanted: str) -> None:
    """A stream belongs to all of the process, or to a task: meanwhile a thread of neither can change none."""
    if above() is not None:
        raise RxArgumentError(
            f"{wanted}: tasks run in this process now, in another thread, and np.random and random are theirs; call it "
            f"in the task, or when their call has ended"
        )


def _current() -> Streams | None:
    return cast("Streams | None", current())


def _active(wanted: str) -> Streams:
    _refuse_elsewhere(wanted)
    active = _current()
    if active is None:
        raise RxArgumentError(
            f"{wanted}: no stream is installed here; rxRngNewStream makes one, and every task has one"
        )
    return active


def _install(root: SeedRoot, normal_kind: str | None, dimension: int) -> Streams:
    from rxspark.rng.streams import Streams  # loads NumPy

    _refuse_elsewhere("a stream of one's own")
    import_outside_streams()
    streams = Streams(root, normal_kind, dimension, owner="rxRngNewStream")
    if not gives_same_numbers(root.kind):
        warn_of_other_numbers()
    return streams.__enter__()


def _snapshot(streams: Streams) -> RxStream:
    root = streams.root
    return RxStream(
        kind=root.kind,
        seed=root.seed,
        subStream=streams.number,
        normalKind=streams.normal_kind,
        dimension=streams.dimension,
        _state=streams.get_state(),
    )


def rxRngNewStream(
    kind: str | None = None,
    subStream: int = 0,
    seed: int | None = None,
    normalKind: str | None = None,
    dimension: int = 1,
) -> RxStream:
    """Make a random stream and let all generators of this process draw from it, until `rxRngDelStream`.

    ``np.random.*`` give the numbers of the kind itself; ``np.random.default_rng()`` without a seed, ``random.*``, and
    scipy and scikit-learn without a random_state draw from streams of the same seed and number.

    Parameters
    ----------
    kind : str, optional
        As for `rxExec`: MT2203, or what ``rxOptions(RNGkind=)`` says, if it is not given; PHILOX where this machine has
        no Intel MKL and no seed is given either. The kinds:
        MCG31, R250, MRG32K3A, MCG59, MT19937, MT2203, SFMT19937, PHILOX4X32X10, ARS5, SOBOL, NIEDERR (Intel MKL),
        PHILOX or PCG64DXSM (NumPy).
    subStream : int, default 0
        The number of the stream, from 0 to the kind's capacity - 1. Streams of one seed are independent; those of the
        quasi-random kinds are disjoint parts of one sequence.
    seed : int, optional
        From 0 to ``2**63 - 1``; fresh if not given, inside a task from the task's stream. Below ``2**32`` it is MKL's
        own seed.
    normalKind : {"ICDF", "BOXMULLER", "BOXMULLER2"}, optional
        How the pseudo-random kinds of MKL make normal numbers: the inverse distribution function (when not given),
        or the method of Box and Muller, which makes one or two values of two draws.
    dimension : int, default 1
        For SOBOL (up to 40) and NIEDERR (up to 318): numbers come point by point, so that
        ``np.random.uniform(size=(n, dimension))`` gives n points, one a row.

    Returns
    -------
    RxStream
        The stream at its beginning; a context manager that deletes it.

    Raises
    ------
    RxArgumentError
        For an unknown kind, a seed that is none, a subStream or dimension past the kind's limit; in a thread outside of
        the tasks that run in this process now.
    RxMissingError
        When the kind needs MKL and it cannot be loaded here.

    References
    ----------
    Intel oneAPI Math Kernel Library, Vector Statistics Notes. The publication of each kind stands in
    `rxspark.rng.kinds.KINDS`.

    Examples
    --------
    >>> import numpy as np
    >>> with rxRngNewStream("PHILOX", subStream=3, seed=777) as stream:
    ...     first = np.random.uniform(size=4)
    ...     rxRngSetStream(stream)
    ...     bool((first == np.random.uniform(size=4)).all())
    True
    """
    kind = default_kind(fresh=seed is None) if kind is None else known_kind(kind, "kind")
    root = SeedRoot(kind, fresh_seed() if seed is None else checked_seed(seed, "seed"), chosen=True)
    number = _checked_number(root, subStream)
    streams = _install(root, normalKind, dimension)
    streams.start(number)
    return _snapshot(streams)


def _checked_number(root: SeedRoot, number: Any) -> int:
    most = capacity(root)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < most:
        raise RxArgumentError(
            f"subStream={number!r}: {root.kind} with seed {root.seed} has the streams 0 to {most - 1:,} "
            f"({KINDS[root.kind].why})"
        )
    return number


def rxRngGetStream() -> RxStream:
    """The stream that is current, at the place where it is now.

    Returns
    -------
    RxStream
        Give it to `rxRngSetStream` to draw the same numbers again.

    Raises
    ------
    RxArgumentError
        Outside of tasks, when `rxRngNewStream` has not been called.

    Examples
    --------
    >>> with rxRngNewStream("PHILOX", seed=1):
    ...     rxRngGetStream().subStream
    0
    """
    return _snapshot(_active("rxRngGetStream()"))


def rxRngSetStream(stream: RxStream) -> None:
    """Go to the place that a stream was at.

    Parameters
    ----------
    stream : RxStream
        From `rxRngGetStream` or `rxRngNewStream`, here or in another process. One of another kind or seed than the
        current stream is opened on top of it, as by `rxRngNewStream`.

    Raises
    ------
    RxArgumentError
        For anything else, and in a thread outside of the tasks that run in this process now.

    Examples
    --------
    >>> import random
    >>> with rxRngNewStream("PHILOX", seed=1):
    ...     place = rxRngGetStream()
    ...     first = random.random()
    ...     rxRngSetStream(place)
    ...     first == random.random()
    True
    """
    if not isinstance(stream, RxStream):
        raise RxArgumentError(f"rxRngSetStream({stream!r}): give what rxRngGetStream() or rxRngNewStream() returned")
    _refuse_elsewhere("rxRngSetStream()")
    active = _current()
    wanted = (stream.kind, stream.seed, stream.normalKind, stream.dimension)
    if active is None or wanted != (active.root.kind, active.root.seed, active.normal_kind, active.dimension):
        root = SeedRoot(stream.kind, stream.seed, chosen=True)
        active = _install(root, stream.normalKind, stream.dimension)
    active.set_state(stream._state)


def rxRngDelStream() -> None:
    """Delete the stream that `rxRngNewStream` made last: all generators go on as they were before it.

    Raises
    ------
    RxArgumentError
        When there is none; the stream of a task cannot be deleted.

    Examples
    --------
    >>> stream = rxRngNewStream("PHILOX", seed=1)
    >>> rxRngDelStream()
    """
    _refuse_elsewhere("rxRngDelStream()")
    active = _current()
    if active is None or active.owner != "rxRngNewStream":
        raise RxArgumentError("rxRngDelStream(): there is no stream of rxRngNewStream to delete")
    active.__exit__(None, None, None)
