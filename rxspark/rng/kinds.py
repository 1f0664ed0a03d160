"""The kinds of generators, and what a user asks of them: ``RNGseed``, ``RNGkind``.

Stream ``k`` of a kind is a pure function of (seed, kind, k), made where it is needed in the same time for every k. How
it is made is the column ``how``:

    member    generator ``k mod 6024`` of the family, from its draw 4,096 on (stream 0: from its first); for k of 6024
              and more seeded with words hashed from (kind, seed, k div 6024)
    skip      the one sequence, skipped by ``k * block`` draws
    vector    stream 0 is seeded with the seed itself, stream k with words hashed from (kind, seed, k)
    jump      NumPy's ``jumped(k)``
    segment   the one quasi-random sequence, skipped by ``k * block`` points

A seed below ``2**32`` is MKL's own seed, so stream 0 is what MKL gives for it, bit for bit. Larger seeds, up to
``2**63 - 1``, are hashed (SHAKE-128) to six 32-bit words, MKL's seed vector: 192 bits, so two seeds meet by chance
only where the generator itself has fewer states (MCG31: ``2**31``, MCG59: ``2**59``). MKL itself takes seed 0 as 1 in
MCG31, R250 and MCG59; and the first draws of stream 0 of MCG31, MCG59 and MRG32K3A grow in proportion to the seed, so
small seeds begin near the same number.
"""

from __future__ import annotations

import hashlib
import operator
import platform
import secrets
import socket
import sys
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rxspark.errors import RxArgumentError, RxMissingError, closest
from rxspark.options import rxGetOption
from rxspark.rng.active import current
from rxspark.rng.mkl import has_same_numbers, library
from rxspark.rng.openmp_marks import sweep_openmp_marks
from rxspark.rng.quasi import DIMENSIONS, SEGMENT

Seed: TypeAlias = int | Literal["auto"] | None

__all__ = [
    "KINDS",
    "Kind",
    "Seed",
    "SeedRoot",
    "check_capacity",
    "default_kind",
    "digest",
    "fresh_seed",
    "gives_same_numbers",
    "known_kind",
    "mkl_exists",
    "require",
    "resolve",
]

MEMBERS = 6024  # MT2203's parameter sets in MKL; it answers a larger number with set 0, which is checked here.
# All of them begin in the same state for the same seed, and take about 470 draws to part: the first draws of the 6,024
# have 580 values, and neighbours correlate. From 500 draws on no test tells them apart (tests/rng/test_statistics.py).
WARM_UP = 4096
SEED_LIMIT = 2**63


@dataclass(frozen=True)
class Kind:
    """One kind of generator.

    Attributes
    ----------
    family : str
        What sort of generator it is.
    how : str
        How stream k is made; see the module.
    streams : int
        Capacity: stream numbers run from 0 to ``streams - 1``.
    draws : int
        Capacity of one stream, in 32-bit or 64-bit draws as the generator makes them (one a uniform double); in
        points for the quasi-random kinds. A stream that is drawn further meets its neighbour.
    library : str
        What makes the numbers: ``mkl_random``, ``VSL`` (MKL by ctypes) or ``NumPy``.
    why : str
        Where the capacity comes from.
    source : str
        The publication.
    dimensions : int
        The largest dimension of a quasi-random kind; 0 for the others.
    """

    family: str
    how: Literal["member", "skip", "vector", "jump", "segment"]
    streams: int
    draws: int
    library: Literal["mkl_random", "VSL", "NumPy"]
    why: str
    source: str
    dimensions: int = 0

    @property
    def quasi(self) -> bool:
        """Tell whether the numbers are quasi-random: evenly spread, not independent."""
        return self.dimensions > 0


_VECTOR = "seed vectors are hashed: 2**32 streams of 2**64 draws meet with a chance below 2**-120"
_COUNTER = "2**63 draws, MKL's longest skip, in blocks of 2**42"

KINDS: dict[str, Kind] = {
    # A multiplicative generator with a prime modulus: the second half of its period is the first, negated, so only
    # half is used; and a prime block, as power-of-two strides through such a sequence are correlated.
    "MCG31": Kind(
        family="multiplicative congruential, modulus 2**31 - 1",
        how="skip",
        streams=(2**30 - 1) // 1_048_583,
        draws=1_048_583,
        library="mkl_random",
        why="half of the period 2**31 - 2, in blocks of 1,048,583, the first prime above 2**20",
        source="L'Ecuyer, Mathematics of Computation 68 (1999), 249-260",
    ),
    "R250": Kind(
        family="generalised feedback shift register",
        how="vector",
        streams=2**32,
        draws=2**64,
        library="mkl_random",
        why=_VECTOR,
        source="Kirkpatrick and Stoll, Journal of Computational Physics 40 (1981), 517-526",
    ),
    "MRG32K3A": Kind(
        family="combined multiple recursive",
        how="skip",
        streams=2**21,
        draws=2**42,
        library="mkl_random",
        why=_COUNTER,
        source="L'Ecuyer, Operations Research 47 (1999), 159-164",
    ),
    # Modulus 2**59: draws 2**j apart share their low j + 2 bits. The block is odd and 2**36 by the golden section, so
    # that multiples of it keep away from multiples of large powers of two.
    "MCG59": Kind(
        family="multiplicative congruential, modulus 2**59",
        how="skip",
        streams=2**20,
        draws=42_470_972_311,
        library="mkl_random",
        why="half of the period 2**57, in blocks of 42,470,972,311 "
        "(an even seed halves the period for each factor of 2)",
        source="NAG Numerical Libraries; MKL Vector Statistics Notes",
    ),
    "MT19937": Kind(
        family="Mersenne twister",
        how="vector",
        streams=2**32,
        draws=2**64,
        library="mkl_random",
        why=_VECTOR,
        source="Matsumoto and Nishimura, ACM TOMACS 8 (1998), 3-30",
    ),
    "MT2203": Kind(
        family="6,024 Mersenne twisters, each with parameters of its own",
        how="member",
        streams=MEMBERS * 2**32,
        draws=2**64,
        library="mkl_random",
        why="6,024 generators, each with 2**32 hashed seeds: "
        "two streams of one generator meet with a chance below 2**-120",
        source="Matsumoto and Nishimura, Dynamic Creation of Pseudorandom Number Generators (2000), 56-69",
    ),
    "SFMT19937": Kind(
        family="SIMD-oriented fast Mersenne twister",
        how="vector",
        streams=2**32,
        draws=2**64,
        library="mkl_random",
        why=_VECTOR,
        source="Saito and Matsumoto, MCQMC 2006 (2008), 607-622",
    ),
    "PHILOX4X32X10": Kind(
        family="counter-based",
        how="skip",
        streams=2**21,
        draws=2**42,
        library="mkl_random",
        why=_COUNTER,
        source="Salmon, Moraes, Dror and Shaw, SC11 (2011)",
    ),
    "ARS5": Kind(
        family="counter-based, AES rounds",
        how="skip",
        streams=2**21,
        draws=2**42,
        library="mkl_random",
        why=_COUNTER,
        source="Salmon, Moraes, Dror and Shaw, SC11 (2011)",
    ),
    "SOBOL": Kind(
        family="quasi-random",
        how="segment",
        streams=4095,
        draws=SEGMENT,
        library="VSL",
        why="one sequence of 2**32 - 1 points, in segments of 2**20",
        source="Bratley and Fox, ACM TOMS 14 (1988), 88-100",
        dimensions=DIMENSIONS["SOBOL"],
    ),
    "NIEDERR": Kind(
        family="quasi-random",
        how="segment",
        streams=4095,
        draws=SEGMENT,
        library="VSL",
        why="one sequence of 2**32 - 1 points, in segments of 2**20",
        source="Bratley, Fox and Niederreiter, ACM TOMACS 2 (1992), 195-213",
        dimensions=DIMENSIONS["NIEDERR"],
    ),
    "PHILOX": Kind(
        family="counter-based",
        how="jump",
        streams=2**63,
        draws=2**130,
        library="NumPy",
        why="NumPy's jump is 2**128 counters of four draws",
        source="Salmon, Moraes, Dror and Shaw, SC11 (2011)",
    ),
    "PCG64DXSM": Kind(
        family="permuted congruential",
        how="jump",
        streams=2**32,
        draws=2**64,
        library="NumPy",
        why="NumPy's jump is 2**128 by the golden section: 2**32 streams are at least 2**94 draws apart",
        source="O'Neill, HMC-CS-2014-0905 (2014)",
    ),
}


@dataclass(frozen=True)
class SeedRoot:
    """Origin of all streams of a call: the kind and the seed, and whether the user chose them.

    Giving ``RNGseed=root.seed, RNGkind=root.kind`` again replays the call.

    >>> SeedRoot("MT2203", 777, chosen=True)
    SeedRoot(kind='MT2203', seed=777, chosen=True)
    """

    kind: str
    seed: int
    chosen: bool


def digest(root: SeedRoot, purpose: str, number: int, size: int) -> bytes:
    """`size` bytes that belong to one purpose and number of a root: equal everywhere, unrelated to all others."""
    key = f"rxspark {purpose} {root.kind} {root.seed} {number}"
    return hashlib.shake_128(key.encode()).digest(size)


def fresh_seed() -> int:
    """A new root seed below ``2**63``; inside a task from the task's stream, so that nested calls repeat with it."""
    active = current()
    return active.entropy(63) if active else secrets.randbits(63)


def known_kind(kind: Any, argument: str) -> str:
    """The kind as given, or the error that lists the kinds and suggests one."""
    if isinstance(kind, str) and kind in KINDS:
        return kind
    guess = closest(kind, KINDS) if isinstance(kind, str) else None
    hint = f"did you mean {guess!r}? " if guess else ""
    raise RxArgumentError(f"{argument}={kind!r} is not a kind of generator: {hint}The kinds are {', '.join(KINDS)}")


def checked_seed(seed: Any, argument: str) -> int:
    """The seed as an int, or the error that says what is wrong with it."""
    try:
        number = -1 if type(seed).__name__ in ("bool", "bool_") else operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < SEED_LIMIT:
        raise RxArgumentError(f"{argument}={seed!r}: a seed is a whole number from 0 to 2**63 - 1")
    return number


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def resolve(seed: Any, kind: Any) -> SeedRoot:
    """The root for ``RNGseed`` and ``RNGkind`` as the user gave them.

    Parameters
    ----------
    seed : int, "auto" or None
        From 0 to ``2**63 - 1``.
    kind : str, "auto" or None
        A name in `KINDS`.

    Returns
    -------
    Root
        Neither given: NumPy's PHILOX, which needs no MKL, with a fresh seed. A seed alone: the kind of
        ``rxOptions(RNGkind=)``, MT2203 if it was not set. ``"auto"`` without a seed: the same, or PHILOX where this
        machine cannot load MKL. A seed that is not given is fresh; it stands in the root: any call can be replayed.

    Raises
    ------
    RxArgumentError
        For a seed or kind that is not one.
    RxMissingError
        When the kind needs MKL and it cannot be loaded here.

    Examples
    --------
    >>> resolve(777, "PHILOX")
    SeedRoot(kind='PHILOX', seed=777, chosen=True)
    """
    chosen = seed is not None or kind is not None
    fresh = seed is None or _is_auto(seed)
    if kind is None or _is_auto(kind):
        kind = default_kind(fresh) if chosen else "PHILOX"
    known_kind(kind, "RNGkind")
    root = SeedRoot(kind, fresh_seed() if fresh else checked_seed(seed, "RNGseed"), chosen)
    require(kind)
    return root


def default_kind(fresh: bool) -> str:
    """Choose the kind where none is named; with a `fresh` seed, which promises no numbers, one that exists here."""
    kind = known_kind(rxGetOption("RNGkind"), "rxOptions: RNGkind")
    if fresh:
        try:
            require(kind)
        except RxMissingError:
            return "PHILOX"
    return kind


def mkl_exists() -> bool:
    """Tell whether there is an Intel MKL for machines like this one."""
    return platform.machine().lower() in ("x86_64", "amd64") and sys.platform in ("linux", "win32")


def require(kind: str) -> None:
    """Load what makes the numbers of a kind, or say what is missing on this host and which kinds do without."""
    try:
        if KINDS[kind].library != "NumPy":
            library()  # first, as it chooses MKL's code path
            sweep_openmp_marks()
        if KINDS[kind].library == "mkl_random":
            import mkl_random  # noqa: F401 - loading it is the test
    except (ImportError, OSError) as error:
        free = " or ".join(name for name, row in KINDS.items() if row.library == "NumPy")
        here = socket.gethostname()
        missing = (
            f"cannot be loaded on {here} ({error}): pip install mkl mkl-random there, or use"
            if mkl_exists()
            else f"does not exist for machines like {here} ({platform.system()}, {platform.machine()}): use"
        )
        raise RxMissingError(
            f"random numbers of kind {kind} need Intel MKL, which {missing} RNGkind={free}, which need NumPy alone; "
            f"rxOptions(RNGkind='PHILOX') makes it the kind of all calls with a seed"
        ) from error


def gives_same_numbers(kind: str) -> bool:
    """Tell whether this process draws the numbers of a kind that every other processor draws."""
    return KINDS[kind].library == "NumPy" or has_same_numbers()


def capacity(root: SeedRoot) -> int:
    """Number of streams of a root: its kind's, but for MCG59, whose period an even seed shortens."""
    streams = KINDS[root.kind].streams
    if root.kind != "MCG59" or not 0 < root.seed < 2**32:
        return streams
    return max(1, streams // (root.seed & -root.seed))


def check_capacity(root: SeedRoot, streams: int) -> None:
    """Refuse a plan that needs more streams than its root has.

    Raises
    ------
    RxArgumentError
        Says how many were asked for, how many there are and why, and which kinds have enough.

    Examples
    --------
    >>> check_capacity(SeedRoot("MT2203", 777, chosen=True), 10_000)
    """
    most = capacity(root)
    if streams <= most:
        return
    enough = ", ".join(name for name, row in KINDS.items() if row.streams >= streams and not row.quasi)
    raise RxArgumentError(
        f"RNGkind={root.kind!r} with RNGseed={root.seed} has {most:,} streams ({KINDS[root.kind].why}), but "
        f"{streams:,} are asked for. Kinds that have enough: {enough or 'none'}; or put more tasks in a chunk, "
        f"as each chunk takes one stream (taskChunkSize)"
    )
