"""The generator behind the functions of `random`, put on a stream only when somebody draws.

Seeding it costs 5 us, more than all else that a task without random numbers needs. So at each new stream
`random._inst`, whose methods the functions of `random` are, gets the class `_Armed`: its first use seeds it and makes
it `_Awake`, which draws at full speed. The C method ``random.random`` does not look at the class, so it and the other
primitives are replaced in the module as well.

Whoever holds one of the originals, by ``from random import random`` at the top of a module, would slip past. The
reference counts tell that this is so; then every stream is seeded at once, and a held ``seed`` reaches until the next
stream starts, not only to the end of the task.

Where several threads draw, the shared generator has the class `_ByThread`, which draws from a generator of the thread's
own streams, and modules that hold an original get a function that asks too. Who holds an original otherwise, as by a
default, draws from the shared one past it: so that the tasks' numbers are right all the same, the innermost streams
have the shared one then; else whoever is outside of tasks. A thread outside of tasks that holds one so moves them then.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from operator import itemgetter
from types import FrameType
from typing import Any

from rxspark.rng import held_functions
from rxspark.rng.active import IMPORTING, STACK, current
from rxspark.rng.held_functions import ORIGINALS
from rxspark.rng.numpy_threads import SHARED
from rxspark.rng.pickling import PRIMITIVES
from rxspark.rng.stdlib_state import CORE, generator_at_position, generator_in, position_of, set_position

__all__ = ["StdlibRandom", "share", "unshare"]

_SHARED: random.Random = random._inst
_owner: StdlibRandom | None = None
_kind: type[random.Random] = type(_SHARED)  # the class that it was given last


_seed_as_python = random.Random.seed


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    """`random.Random.seed` while streams are installed."""
    if a is None and current() and not _for_standard_library():
        with SHARED.held():
            active = current()
            a = active and active.entropy(128)
    _seed_as_python(self, a, version)


def _for_standard_library() -> bool:
    """Tell whether a module of the standard library seeds a generator, by way of `random` itself."""
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

    def __reduce__(self) -> Any:
        """Copy and pickle as a generator of its own, such as tasks may return: this one is the process's."""
        return generator_in, (self.getstate(),)


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


class _ByThread(_Awake):
    """The class of the shared generator where several threads draw.

    A method takes its time before it draws, and its streams may have ended then: so each stream has another generator.
    """

    def random(self) -> float:
        own = _of_thread()
        return CORE.random(_SHARED) if own is None else own.random()

    def getrandbits(self, k: int, /) -> int:
        own = _of_thread()
        return CORE.getrandbits(_SHARED, k) if own is None else own.getrandbits(k)

    def seed(self, a: Any = None, version: int = 2) -> None:
        active = current()
        if active is not None:
            a = active.stdlib.entropy(128) if a is None else a
            active.stdlib.take_over()
        own = _of_thread()
        random.Random.seed(_SHARED if own is None else own, a, version)

    def getstate(self) -> tuple[Any, ...]:
        own = _of_thread()
        return super().getstate() if own is None else own.getstate()

    def setstate(self, state: Any) -> None:
        active = current()
        if active is not None:
            active.stdlib.take_over()
        own = _of_thread()
        random.Random.setstate(_SHARED if own is None else own, state)

    @property
    def gauss_next(self) -> float | None:
        """The second of a pair of normal numbers, which `random` keeps for the next time."""
        kept: float | None = vars(_of_thread() or _SHARED).get("gauss_next")
        return kept

    @gauss_next.setter
    def gauss_next(self, value: float | None) -> None:
        vars(_of_thread() or _SHARED)["gauss_next"] = value


_UNSEEDED = random.Random(0)  # stands for the generator of a stream from which nobody has drawn

_sharing = False  # several threads draw
_taken = False  # the innermost streams have the shared generator then, as somebody holds an original
_outside: random.Random | None = None  # what those outside of tasks have instead
_imports = random.Random()  # what a module draws from that is imported meanwhile
_before: tuple[type[random.Random], dict[str, Any]]  # the class and the module's names outside of tasks


def _of_thread() -> random.Random | None:
    """The generator from which this thread draws; None for the shared one."""
    active = current()
    if active is not None:
        return active.stdlib.generator()
    return _imports if threading.get_ident() in IMPORTING else _outside


def share() -> None:
    """Let each thread draw from a generator of its own streams, from now on."""
    global _sharing, _taken, _before, _outside
    _taken = held_functions.replace()
    for streams in reversed(STACK):
        streams.stdlib.move_out()
    _before = type(_SHARED), {name: vars(random)[name] for name in PRIMITIVES}
    _sharing = True
    _become(_ByThread)
    if STACK and _taken:
        _outside = generator_at_position(position_of(_SHARED))
        STACK[-1].stdlib.go_back()


def unshare() -> None:
    """Let all draw from the shared generator again, as no tasks run any more."""
    global _sharing, _outside
    _sharing = False
    if _outside is not None:
        set_position(position_of(_outside), _SHARED)
        _outside = None
    _SHARED.__class__, names = _before
    vars(random).update(names)
    names.clear()  # so as not to hold the originals
    held_functions.give_back()
    for streams in STACK:
        streams.stdlib.move_in()


# The functions of the module that are methods of the shared generator.
_METHODS = tuple(name for name in random.__all__ if getattr(vars(random)[name], "__self__", None) is _SHARED)
_methods = itemgetter(*_METHODS)


def _seed_new_ones_by(seed: Callable[..., None]) -> None:
    """Let this be the method by which each `random.Random` is seeded, which does so once it is made."""
    random.Random.seed = seed  # type: ignore[method-assign]


def _become(kind: type[random.Random]) -> None:
    """Set the class of the shared generator, and point the module's names to its methods."""
    global _kind
    _SHARED.__class__ = _kind = _ByThread if _sharing else kind
    vars(random).update({name: getattr(_SHARED, name) for name in PRIMITIVES})


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
        self.own: random.Random | None = None
        """The generator of the stream where threads share; None if that is the shared one."""
        self.lazy = True
        """Whether the shared generator is seeded by the first draw only."""
        self.seized = False  # the task has seeded the generator itself
        self._kept: tuple[Any, ...] | None = None  # where the stream was then; None: not drawn from yet
        self._state: tuple[Any, ...] | None = None  # what `enter` found, if it is to be put back
        self._names: dict[str, Any] = {}

    def enter(self) -> None:
        """Keep the generator as the caller has it."""
        global _owner, _outside
        self._outer, _owner = _owner, self
        self._outer_seed = random.Random.seed
        _seed_new_ones_by(_seed)
        if _sharing:
            if not _taken:
                self.own = _UNSEEDED
            elif STACK:
                STACK[-1].stdlib.own = generator_at_position(position_of(_SHARED))
            else:
                _outside = generator_at_position(position_of(_SHARED))
            return
        self.lazy = not held_functions.held()  # asked before `_names` holds them too
        self._names = {name: vars(random)[name] for name in PRIMITIVES}
        self._class = type(_SHARED)
        self._state = position_of(_SHARED)

    def exit(self) -> None:
        """Put back what `enter` found."""
        global _owner, _kind
        _owner = self._outer
        _seed_new_ones_by(self._outer_seed)
        if _sharing:
            if _taken:
                STACK[-1].stdlib.go_back()
        elif self._names:
            if self._state is not None:
                set_position(self._state, _SHARED)
            _SHARED.__class__ = _kind = self._class
            vars(random).update(self._names)
        self._names = {}  # so as not to hold the originals, which the next `held` would see

    def move_out(self) -> None:
        """Leave the shared generator to whoever had it before."""
        if type(_SHARED) is _Armed:
            self.seed_now()
        self.own = generator_at_position(position_of(_SHARED))
        if self._state is not None:
            set_position(self._state, _SHARED)
            _SHARED.__class__ = self._class
        self._state = None

    def move_in(self) -> None:
        """Have the shared generator again."""
        self._state, self._class = position_of(_SHARED), type(_SHARED)
        _become(_Awake)
        self.go_back()

    def go_back(self) -> None:
        """Have the shared generator again, from the own one."""
        own = self.generator()
        if own is not None:
            set_position(position_of(own), _SHARED)
            self.own = None

    def generator(self) -> random.Random | None:
        """The generator of the stream where threads share, seeded as somebody draws; None for the shared one."""
        if self.own is _UNSEEDED:
            with SHARED:
                if self.own is _UNSEEDED:
                    self.own = random.Random(self._seed())
        return self.own

    def renew(self) -> None:
        """Go on with another generator at the same place: a thread that the task left may still draw from this one."""
        if self.own is not None and self.own is not _UNSEEDED:
            self.own = generator_at_position(position_of(self.own))

    def pause(self) -> None:
        """Make `random` what it is where no stream is installed."""
        self._paused = type(_SHARED), position_of(_SHARED), {name: vars(random)[name] for name in PRIMITIVES}
        _SHARED.__class__ = random.Random
        _seed_new_ones_by(_seed_as_python)
        vars(random).update(ORIGINALS)
        self._holders = held_functions.count_holders()

    def resume(self) -> None:
        """Go on where `pause` stopped; at once on the stream, if somebody holds an original now."""
        held = held_functions.count_holders() > self._holders
        _SHARED.__class__, place, installed = self._paused
        _seed_new_ones_by(_seed)
        vars(random).update(installed)
        set_position(place, _SHARED)
        if held and self.lazy:
            self.lazy = False
            _wake()

    def start(self) -> None:
        """Begin the current stream."""
        if self.own is not None:
            self.own = _UNSEEDED
            return
        _SHARED.gauss_next = None  # type: ignore[attr-defined]
        if _sharing or not self.lazy:
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
        """Tell whether the module's functions are the shared generator's, and this has the class that it was given."""
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
        return None if type(_SHARED) is _Armed or self.own is _UNSEEDED else position_of(self.own or _SHARED)

    def set_state(self, state: tuple[Any, ...] | None) -> None:
        """Go to a place that `get_state` gave."""
        self.seized = False
        if state is None:
            self.start()
        else:
            _become(_Awake)
            set_position(state, self.generator() or _SHARED)
