"""Generators that a function carries along draw from the task's stream, or are refused."""

import copy
import io
import pickle
import random
import subprocess
import sys
import types
import warnings
from random import gauss

import cloudpickle
import numpy as np
import pytest
from numpy.random import uniform

from rxspark import rxElemArg, rxExec
from rxspark.errors import RxShippingError
from rxspark.rng.kinds import SeedRoot
from rxspark.rng.pickling import reduce_generator
from rxspark.rng.streams import Streams


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """A pickler that treats generators as rxspark's own does."""

    def reducer_override(self, obj):
        """A generator's stand-in first."""
        reduced = reduce_generator(obj)
        return super().reducer_override(obj) if reduced is None else reduced


def ship(obj):
    """The pickle of an object."""
    file = io.BytesIO()
    Pickler(file, protocol=5).dump(obj)
    return file.getvalue()


def of_main(function):
    """A function that is pickled by value, as those of the main program are."""
    made = types.FunctionType(function.__code__, globals(), function.__name__, closure=function.__closure__)
    made.__module__ = "__main__"
    return made


def draws(function, *arguments, kind="MT2203", tasks=(0, 1, 0)):
    """The function in three streams, the third being the first again; loaded once, as a worker does."""
    data = ship(function)
    with Streams(SeedRoot(kind, 14, chosen=True)) as streams:
        loaded, found = pickle.loads(data), []
        for number in tasks:
            streams.start(number)
            found.append(repr(loaded(*arguments)))
    return found


def from_numpy_random():
    """Draws by a name that was imported from numpy.random."""
    return uniform()


def from_random():
    """Draws by a name that was imported from random."""
    return gauss(0, 1)


@pytest.mark.parametrize("kind", ["MT2203", "SOBOL", "PHILOX", "PCG64DXSM"])
@pytest.mark.parametrize(
    "function",
    [
        np.random.random_sample,
        np.random.random,
        np.random.normal,
        np.random.rand,
        np.random.sample,
        random.random,
        random.gauss,
        np.random.mtrand._rand.uniform,
        of_main(from_numpy_random),
        of_main(from_random),
    ],
)
def test_functions_of_the_process_generators_follow_the_stream(function, kind):
    """A function of np.random or random, passed or imported by name, gives each task its stream's numbers."""
    arguments = (0, 1) if function is random.gauss else ()
    first, second, again = draws(function, *arguments, kind=kind)
    assert first == again != second


def test_a_function_of_np_random_gives_the_draws_of_the_kind():
    """rxExec(np.random.uniform, ...) draws what np.random.uniform draws in the task: MKL's own numbers."""
    with Streams(SeedRoot("MT2203", 14, chosen=True)) as streams:
        streams.start(0)
        wanted = np.random.uniform(0, 1, 3)
    assert draws(np.random.uniform, 0, 1, 3, tasks=[0]) == [repr(wanted)]


def test_functions_of_mkl_random_follow_the_stream():
    """mkl_random's functions become np.random's of the stream."""
    import mkl_random

    first, second, again = draws(mkl_random.normal)
    assert first == again != second


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Generator", lambda: np.random.default_rng(5)),
        ("RandomState", lambda: np.random.RandomState(5)),
        ("Random", lambda: random.Random(5)),
    ],
)
def test_a_caught_generator_is_bound_to_the_stream_and_says_so(name, made):
    """A generator in a closure stays one of its class, draws from each task's stream, and a warning tells it."""
    rng = made()
    kind = type(rng)

    def task():
        return isinstance(rng, kind), rng.uniform(0, 1)

    with pytest.warns(UserWarning, match=rf"{name} goes to the tasks as a generator that draws from each task's"):
        first, second, again = draws(task)
    assert first == again != second
    assert first.startswith("(True")


def test_a_caught_generator_that_a_task_returns_is_one_of_its_own():
    """It is a plain one, goes on where the task left it, and moves no generator of the caller."""
    rng = random.Random(5)
    before = random.getstate()

    def task():
        copied = copy.deepcopy(rng)
        return rng, copied, rng.random()

    with pytest.warns(UserWarning, match="Random goes to the tasks as a generator"):
        [(returned, copied, drawn)] = rxExec(task, RNGseed=3)
    assert type(returned) is type(copied) is random.Random
    assert copied.random() == drawn
    assert returned.random() == copied.random()
    returned.seed(1)
    assert random.getstate() == before


def test_a_caught_seed_sequence_says_that_tasks_will_be_alike():
    """Each task spawns the same from it; the children that elements are differ, and need no warning."""
    sequence = np.random.SeedSequence(5)
    with pytest.warns(UserWarning, match="gives each of them the same numbers"):
        first, second = rxExec(lambda: np.random.default_rng(sequence.spawn(1)[0]).random(), timesToRun=2)
    assert first == second
    with warnings.catch_warnings(action="error"):
        values = rxExec(lambda child: np.random.default_rng(child).random(), rxElemArg(sequence.spawn(2)))
    assert values == [np.random.default_rng(child).random() for child in np.random.SeedSequence(5).spawn(2)]


def test_a_caught_generator_of_the_system_travels():
    """SystemRandom has no state that tasks could share."""
    system = random.SystemRandom()
    assert len({*rxExec(lambda: system.getrandbits(60), timesToRun=2)}) == 2


def test_a_bound_generator_follows_streams_of_later_calls():
    """A function that a worker keeps draws from the stream of the call that runs it."""
    rng = np.random.default_rng(5)
    with warnings.catch_warnings(action="ignore"):
        data = ship(lambda: rng.random())
    with Streams(SeedRoot("PHILOX", 1, chosen=True)):
        kept = pickle.loads(data)
    found = []
    for kind in ("PHILOX", "MT2203", "PCG64DXSM", "PHILOX"):
        with Streams(SeedRoot(kind, 2, chosen=True)) as streams:
            streams.start(7)
            found.append(kept())
    assert found[0] == found[3]
    assert len(set(found)) == 3


def test_a_generator_as_an_element_travels_as_it_is():
    """One task's own generator, an element argument, is the user's to choose."""
    for rng in (np.random.default_rng(5), np.random.RandomState(5), random.Random(5), np.random.PCG64(5)):
        assert reduce_generator(rng, own=True) is None
    assert reduce_generator(random._inst, own=True) is not None


def mkl_state():
    """A state of mkl_random."""
    import mkl_random

    return mkl_random.MKLRandomState(5)


class Dice(random.Random):
    """A generator class of the user's own."""


@pytest.mark.parametrize("made", [lambda: np.random.PCG64(5), mkl_state, lambda: Dice(5)])
def test_what_nothing_can_stand_for_is_refused(made):
    """Bit generators, MKLRandomState and derived classes are refused, with what to do instead."""
    held = made()
    with pytest.raises(RxShippingError, match=r"would give the same numbers in every task.*rxElemArg"):
        ship(lambda: held)


def test_everything_else_is_left_to_the_pickler():
    """Objects that are no generators, methods and functions of all sorts, are not touched."""
    objects: tuple[object, ...] = (
        5,
        "x",
        [1],
        len,
        [].append,
        np.mean,
        np.array(3),
        Dice,
        random,
        np.random,
        random.Random,
        io.BytesIO(),
    )
    for obj in objects:
        assert reduce_generator(obj) is None


def test_seeding_functions_control_the_task_that_calls_them():
    """np.random.seed and random.seed, imported by name, give the legacy numbers in the task and no trace after it."""
    from numpy.random import seed

    start = random.seed

    def task(control):
        if control:
            seed(42)
            start(1)
        return np.random.uniform(), random.random()

    data = ship(task)
    with Streams(SeedRoot("MT2203", 14, chosen=True)) as streams:
        loaded = pickle.loads(data)
        streams.start(0)
        plain = loaded(False), loaded(False)
        streams.start(0)
        first = loaded(False)
        assert loaded(True) == (np.random.RandomState(42).uniform(), random.Random(1).random())
        streams.restore()
        assert (first, loaded(False)) == plain


def test_a_nested_call_in_a_task_ships_the_functions_of_its_stream():
    """Inside a task np.random's functions are the stream's; shipped from there they follow the inner streams."""
    for kind in ("MT2203", "PHILOX"):
        with Streams(SeedRoot(kind, 1, chosen=True)):
            for function in (np.random.normal, np.random.random, np.random.seed, random.random):
                assert pickle.loads(ship(function)) is not None
            assert len(set(draws(np.random.normal))) == 2


def test_a_process_that_patched_numpy_with_mkl_random_keeps_its_patch():
    """A driver that called mkl_random.patch_numpy_random() changes no task's numbers, and has its patch after them."""
    code = """
import mkl_random, numpy as np
from rxspark.rng.kinds import SeedRoot
from rxspark.rng.streams import Streams
def draws(kind):
    with Streams(SeedRoot(kind, 7, chosen=True)) as streams:
        streams.start(3)
        return np.random.uniform(), np.random.poisson(3), np.random.normal()
plain = draws("PHILOX"), draws("MT2203")
mkl_random.patch_numpy_random()
patched = np.random.uniform
assert (draws("PHILOX"), draws("MT2203")) == plain
assert np.random.uniform is patched
print("ok")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "ok", done.stderr
