"""NumPy's global generator, `np.random`, fed by a stream.

Three doors lead to it, and each is set:

* the functions of the module (``np.random.normal``), replaced by those that draw from the stream;
* `np.random.mtrand._rand`, the RandomState behind them, which scipy, scikit-learn and ``from numpy.random import
  uniform`` use: it gets the stream's bit generator;
* the entropy of what is made without a seed (``default_rng()``, ``RandomState()``, ``SeedSequence()``): NumPy asks
  ``numpy.random.bit_generator.randbits`` for it, which asks the stream.

A task that seeds the generator itself (``np.random.seed(42)``) gets plain NumPy from there on: MT19937 and the legacy
numbers, until `restore`. A module that holds NumPy's own function, by ``from numpy.random import seed`` at its top,
seeds the second door only, and until the next stream starts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.random import bit_generator, mtrand

from rxspark.errors import RxError
from rxspark.rng.active import STACK, current
from rxspark.rng.mkl_quirks import BEYOND, COUNTS, DRAWN
from rxspark.rng.numpy_threads import IMPORTS, SHARED, connect, connected, gauss, put_gauss, unshared
from rxspark.rng.pickling import StreamFunction
from rxspark.rng.stream_bits import randbits, system_randbits

__all__ = ["LEGACY", "OWN", "NumpyRandom", "NumpyState"]

_RAND = mtrand._rand
# NumPy's own functions, by the names under which the module gives them: what the task gets when it takes control.
LEGACY: dict[str, Callable[..., Any]] = {
    name: getattr(_RAND, name)
    for name in dir(np.random)
    if not name.startswith("_")
    and name not in ("seed", "get_state", "set_state")
    and callable(getattr(_RAND, name, None))
} | {"ranf": _RAND.random_sample, "sample": _RAND.random_sample}


class _Draw:
    """Draw as a function of np.random does, from the current stream.

    There is one for each name as long as the process lives, so that what a task keeps of it (in a module, a cache)
    draws from each stream to come.

    MKL refuses some arguments that NumPy takes (a scale of 0, arrays of bounds), and errs for some (`BEYOND`): NumPy's
    legacy function answers then, or raises its own error.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = self.__qualname__ = name
        self.function = LEGACY[name]
        """The function that draws now: the engine's, or NumPy's legacy function where there is none."""
        self._beyond = BEYOND.get(name)
        self._counts = name in COUNTS

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Draw."""
        try:
            if self._beyond and (args or kwargs) and self._beyond(*args, **kwargs):
                return LEGACY[self.__name__](*args, **kwargs)
            values = self.function(*args, **kwargs)
        except RxError:  # a quasi-random stream is used up
            raise
        except (ValueError, TypeError, ArithmeticError):
            return LEGACY[self.__name__](*args, **kwargs)
        if type(values) is np.ndarray:
            if self._counts:
                return values.astype(np.int64)
            if values.ndim == 0 and self.__name__ == "uniform":
                return float(values)  # MKL's for whole-number bounds
        return values

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return StreamFunction, ("numpy.random", self.__name__)


_DRAWS = {name: _Draw(name) for name in DRAWN}


def _draw_by(functions: dict[str, Callable[..., Any]]) -> None:
    """Let the functions of np.random draw by these, and all others by NumPy; where threads share them, by thread."""
    for name, draw in _DRAWS.items():
        draw.function = partial(_of_thread, name) if SHARED.on else functions.get(name) or LEGACY[name]


def _of_thread(name: str, *args: Any, **kwargs: Any) -> Any:
    """Draw by the function of this thread's streams."""
    with SHARED:  # whose thread it is stays true until it has drawn
        active = current()
        return (active.numpy.function(name) if active else LEGACY[name])(*args, **kwargs)


class NumpyState(NamedTuple):
    """State that ``np.random.get_state()`` gives on a stream, and ``np.random.set_state`` takes."""

    draws: Any
    legacy: dict[str, Any]


def _seed(seed: Any = None) -> None:
    """np.random.seed: from here on the task draws NumPy's legacy numbers."""
    with SHARED.held():
        active = current()
        if active and not active.numpy.seized:
            active.numpy.take_over(np.random.MT19937(0))
        mtrand.seed(seed)


def _set_state(state: Any) -> None:
    """np.random.set_state: a state of the stream, or any that NumPy takes."""
    with SHARED.held():
        active = current()
        if active is None:
            mtrand.set_state(state)
        elif isinstance(state, NumpyState):
            active.numpy.set_state(state)
        else:
            name = state["bit_generator"] if isinstance(state, dict) else state[0]
            active.numpy.take_over(getattr(np.random, name)(0))
            _RAND.set_state(state)


def _get_state(legacy: Any = True) -> Any:
    """np.random.get_state: of the stream, or NumPy's own where the task has taken control."""
    with SHARED.held():
        active = current()
        if active is None or active.numpy.seized:
            return mtrand.get_state(legacy)
        return active.numpy.get_state()


def _set_bit_generator(bitgen: np.random.BitGenerator) -> None:
    """np.random.set_bit_generator: the task's own, or back to the stream's."""
    with SHARED.held():
        active, bitgen = current(), unshared(bitgen)
        if active is None:
            connect(bitgen)
        elif bitgen is active.numpy.bits:
            active.numpy.restore()
        else:
            active.numpy.take_over(bitgen)


_CONTROLS: dict[str, Callable[..., Any]] = {
    "seed": _seed,
    "get_state": _get_state,
    "set_state": _set_state,
    "set_bit_generator": _set_bit_generator,
}
OWN = {name: vars(np.random)[name] for name in (*LEGACY, *_CONTROLS)}
_BY_THREAD = {**LEGACY, **_DRAWS, **_CONTROLS}


class NumpyRandom:
    """The module `np.random` while streams are installed.

    Parameters
    ----------
    bits : numpy.random.BitGenerator
        What feeds `np.random.mtrand._rand`; started by the caller.
    draws : object with get_state and set_state
        What makes the functions of the module, where it is not `bits`.
    functions : dict
        The functions that come from `draws`, by name; the others are legacy functions over `bits`.
    """

    def __init__(self, bits: np.random.BitGenerator, draws: Any, functions: dict[str, Callable[..., Any]]) -> None:
        self.bits = bits
        self.seized = False  # the task has taken control
        self._draws = draws
        self._functions = functions
        self._names = {**LEGACY, **_DRAWS, **_CONTROLS} if functions else {**LEGACY, **_CONTROLS}
        self._kept: dict[str, Any] = {}  # the stream's RandomState while the task is in control

    def enter(self) -> None:
        """Keep np.random as the caller has it, and install the stream's functions."""
        namespace = vars(np.random)
        self._outer_names = {name: namespace[name] for name in _BY_THREAD}
        self._outer_functions = {name: draw.function for name, draw in _DRAWS.items()}
        self._outer_randbits = bit_generator.randbits  # type: ignore[attr-defined]
        self._outer_bits, self._outer_gauss = connected(), gauss()
        self.reinstall()
        bit_generator.randbits = randbits  # type: ignore[attr-defined]

    def exit(self) -> None:
        """Put back what `enter` found."""
        connect(self._outer_bits)  # before the functions, as NumPy's own `seed` takes no lock
        put_gauss(self._outer_gauss)
        vars(np.random).update(self._outer_names)
        for name, function in self._outer_functions.items():
            _DRAWS[name].function = function
        bit_generator.randbits = self._outer_randbits  # type: ignore[attr-defined]

    def lend(self) -> Callable[[], None]:
        """Connect the generator that `enter` found, for a thread that draws from it; return what takes it back."""
        bits, kept = connected(), gauss()
        connect(self._outer_bits)
        put_gauss(self._outer_gauss)

        def take_back() -> None:
            self._outer_bits, self._outer_gauss = connected(), gauss()
            connect(bits)
            put_gauss(kept)

        return take_back

    @property
    def has_functions(self) -> bool:
        """Tell whether functions of its own, and not NumPy's over its bits, draw."""
        return bool(self._functions)

    def function(self, name: str) -> Callable[..., Any]:
        """The function of the stream that draws under this name of np.random."""
        return (None if self.seized else self._functions.get(name)) or LEGACY[name]

    def _installed(self) -> dict[str, Any]:
        if SHARED.on and (self._functions or any(streams.numpy.has_functions for streams in STACK)):
            return _BY_THREAD
        return {**(LEGACY if self.seized else self._names), **_CONTROLS}

    def in_place(self) -> bool:
        """Tell whether the module has the functions that belong there now."""
        installed = self._installed()
        return bool(itemgetter(*installed)(vars(np.random)) == tuple(installed.values()))

    def reinstall(self) -> None:
        """Put these functions into the module again."""
        vars(np.random).update(self._installed())
        _draw_by({} if self.seized else self._functions)

    def pause(self) -> None:
        """Make np.random what it is where no stream is installed, over another generator than the caller's."""
        namespace = vars(np.random)
        installed = {name: namespace[name] for name in OWN}
        self._paused = installed, mtrand.get_bit_generator(), _RAND.get_state(legacy=False)
        namespace.update(OWN)
        bit_generator.randbits = system_randbits  # type: ignore[attr-defined]
        mtrand.set_bit_generator(IMPORTS)

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        installed, bits, state = self._paused
        vars(np.random).update(installed)
        bit_generator.randbits = randbits  # type: ignore[attr-defined]
        mtrand.set_bit_generator(bits)
        _RAND.set_state(state)

    def take_over(self, bitgen: np.random.BitGenerator) -> None:
        """The task takes control: NumPy's own functions, over a bit generator of its own."""
        if not self.seized:
            self._kept = _RAND.get_state(legacy=False)
            self.seized = True
            self.reinstall()
        connect(bitgen)

    def restore(self) -> None:
        """Go on with the stream where the task left it."""
        if self.seized:
            self.seized = False
            self.reinstall()
            connect(self.bits)
            _RAND.set_state(self._kept)

    def get_state(self) -> NumpyState:
        """The stream's place."""
        legacy = self._kept if self.seized else _RAND.get_state(legacy=False)
        return NumpyState(self._draws and self._draws.get_state(), legacy)

    def set_state(self, state: NumpyState) -> None:
        """Go to a place that `get_state` gave."""
        self.restore()
        if self._draws:
            self._draws.set_state(state.draws)
        _RAND.set_state(state.legacy)
