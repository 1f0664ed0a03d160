"""The generator behind the functions of `random`, put on a stream only when somebody draws.

Seeding it costs 5 us, more than all else that a task without random numbers needs. So at each new stream
`random._inst`, whose methods the functions of `random` are, gets the class `_Armed`: its first use seeds it and makes
it `_Awake`, which draws at full speed. The C method ``random.random`` does not look at the class, so it and the other
primitives are replaced in the module as well.

Whoever holds one of the originals, by ``from random import random`` at the top of a module, would slip past. The
reference counts tell that this is so; then every stream is seeded at once, and a held ``seed`` reaches until the next
stream starts, not only to the end of the task.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from operator import itemgetter
from types import FrameType
from typing import Any

__all__ = ["StdlibRandom"]

_SHARED: random.Random = random._inst
_PRIMITIVES = ("random", "getrandbits", "seed", "getstate", "setstate")
_ORIGINALS = {name: getattr(random, name) for name in _PRIMITIVES}
_UNSHARED = {"random": random.Random(0).random}  # held by this dict alone: what to compare the originals with

_CORE: Any = random.Random.__base__  # the C class: its getstate and setstate take 2 us, Python's 30 us

_owner: StdlibRandom | None = None
_kind: type[random.Random] = type(_SHARED)  # the class that it was given last


def _held() -> bool:
    """Whether anything besides `_ORIGINALS` and the module `random` holds one of the originals."""
    ours = sys.getrefcount(_UNSHARED["random"]) + 1
    return any(sys.getrefcount(_ORIGINALS[name]) > ours for name in _PRIMITIVES)


def _holders() -> int:
    """Count the references to the originals."""
    return sum(sys.getrefcount(_ORIGINALS[name]) for name in _PRIMITIVES)


_seed_as_python = random.Random.seed


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    """`random.Random.seed` while streams are installed."""
    if a is None and _owner and not _for_standard_library():
        a = _owner.entropy(128)
    _seed_as_python(self, a, version)


def _for_standard_library() -> bool:
    """Whether a module of the standard library seeds a generator, by way of `random` itself."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals is vars(random):
        frame = frame.f_back
    name = frame.f_globals.get("__name__", "") if frame else ""
    return name.partition(".")[0] in sys.stdlib_module_names


class _Awake(random.Random):
    """The class of the shared generator on a stream: it tells when the task seeds it."""

    def seed(self, a: Any = None, version: int = 2) -> None:
        if _owner:
            a = _owner.entropy(128) if a is None else a
            _owner.take_over()
        super().seed(a, version)

    def setstate(self, state: Any) -> None:
        if _owner:
            _owner.take_over()
        super().setstate(state)


class _Armed(_Awake):
    """The class of the shared generator before anybody has drawn from the stream.

    A method taken while it was armed may be called later, so each asks again.
    """

    def random(self) -> float:
        _wake()
        return _SHARED.random()

    def getrandbits(self, k: int, /) -> int:
        _wake()
        return _SHARED.getrandbits(k)

    def getstate(self) -> tuple[Any, ...]:
        _wake()
        return _SHARED.getstate()


# The functions of the module that are methods of the shared generator.
_METHODS = tuple(name for name in random.__all__ if getattr(vars(random)[name], "__self__", None) is _SHARED)
_methods = itemgetter(*_METHODS)


def _seed_new_ones_by(seed: Callable[..., None]) -> None:
    """Let this be the method by which each `random.Random` is seeded, which does so once it is made."""
    random.Random.seed = seed  # type: ignore[method-assign]


def _place() -> tuple[Any, ...]:
    """The state of the shared generator, whatever its class."""
    return _CORE.getstate(_SHARED), _SHARED.gauss_next  # type: ignore[attr-defined]


def _go(place: tuple[Any, ...]) -> None:
    core, _SHARED.gauss_next = place  # type: ignore[attr-defined]
    _CORE.setstate(_SHARED, core)


def _become(kind: type[random.Random]) -> None:
    """Give the shared generator a class, and the module's names its methods."""
    global _kind
    _SHARED.__class__ = _kind = kind
    vars(random).update({name: getattr(_SHARED, name) for name in _PRIMITIVES})


def _wake() -> None:
    if _owner and type(_SHARED) is _Armed:
        _owner.seed_now()


class StdlibRandom:
    """The shared generator of `random` while streams are installed.

    Parameters
    ----------
    seed : callable
        Gives the seed that belongs to the current stream.
    entropy : callable
        Gives that many fresh bits of the current stream, for ``random.seed()``.
    """

    def __init__(self, seed: Callable[[], int], entropy: Callable[[int], int]) -> None:
        self._seed = seed
        self.entropy = entropy
        self.seized = False  # the task has seeded the generator itself
        self._kept: tuple[Any, ...] | None = None  # where the stream was then; None: not drawn from yet

    def enter(self) -> None:
        """Keep the generator as the caller has it."""
        global _owner
        self._outer, _owner = _owner, self
        self._lazy = not _held()  # asked before `_names` holds them too
        self._names = {name: vars(random)[name] for name in _PRIMITIVES}
        self._class = type(_SHARED)
        self._state = _place()
        self._outer_seed = random.Random.seed
        _seed_new_ones_by(_seed)

    def exit(self) -> None:
        """Put back what `enter` found."""
        global _owner, _kind
        _owner = self._outer
        _go(self._state)
        _SHARED.__class__ = _kind = self._class
        _seed_new_ones_by(self._outer_seed)
        vars(random).update(self._names)
        self._names = {}  # so as not to hold the originals, which the next `_held` would see

    def pause(self) -> None:
        """Make `random` what it is where no stream is installed."""
        self._paused = type(_SHARED), _place(), {name: vars(random)[name] for name in _PRIMITIVES}
        _SHARED.__class__ = random.Random
        _seed_new_ones_by(_seed_as_python)
        vars(random).update(_ORIGINALS)
        self._holders = _holders()

    def resume(self) -> None:
        """Go on where `pause` stopped; at once on the stream, if somebody holds an original now."""
        held = _holders() > self._holders
        _SHARED.__class__, place, installed = self._paused
        _seed_new_ones_by(_seed)
        vars(random).update(installed)
        _go(place)
        if held and self._lazy:
            self._lazy = False
            _wake()

    def start(self) -> None:
        """Begin the current stream."""
        _SHARED.gauss_next = None  # type: ignore[attr-defined]
        if not self._lazy:
            self.seed_now()
        elif type(_SHARED) is not _Armed:
            _become(_Armed)

    def seed_now(self) -> None:
        """Seed the generator, as somebody draws."""
        _become(_Awake)
        random.Random.seed(_SHARED, self._seed())

    def take_over(self) -> None:
        """The task takes the generator: keep the stream's place."""
        if not self.seized:
            self._kept = self.get_state()
            self.seized = True
            _become(_Awake)

    def in_place(self) -> bool:
        """Whether the module's functions are the shared generator's, and this has the class that it was given."""
        return type(_SHARED) is _kind and _methods(vars(random)) == tuple(getattr(_SHARED, name) for name in _METHODS)

    def reinstall(self) -> None:
        """Put back the class and the functions."""
        _SHARED.__class__ = _kind
        vars(random).update({name: getattr(_SHARED, name) for name in _METHODS})

    def restore(self) -> None:
        """Go on with the stream where the task left it."""
        if self.seized:
            self.set_state(self._kept)

    def get_state(self) -> tuple[Any, ...] | None:
        """The stream's place; None where it has not been drawn from."""
        if self.seized:
            return self._kept
        return None if type(_SHARED) is _Armed else _place()

    def set_state(self, state: tuple[Any, ...] | None) -> None:
        """Go to a place that `get_state` gave."""
        self.seized = False
        if state is None:
            self.start()
        else:
            _become(_Awake)
            _go(state)
