"""rxRngNewStream, rxRngGetStream, rxRngSetStream, rxRngDelStream: in the driver program and inside tasks."""

import pickle
import random
from typing import Any

import numpy as np
import pytest

from rxspark.errors import RxArgumentError
from rxspark.rng import rxRngDelStream, rxRngGetStream, rxRngNewStream, rxRngSetStream
from rxspark.rng.active import STACK
from rxspark.rng.kinds import KINDS, SeedRoot
from rxspark.rng.streams import Streams

random_of_numpy: Any = np.random  # NumPy's types know neither all of its names nor the older form of a state


@pytest.fixture(autouse=True)
def _no_stream_is_left():
    """Each test begins and ends without a stream."""
    assert STACK == []
    yield
    while STACK:
        STACK[-1].__exit__(None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_drawn_restored_drawn_gives_equal_draws(kind):
    """A saved stream gives its draws again, after pickling too."""
    with rxRngNewStream(kind, subStream=2, seed=9):
        np.random.uniform(size=3), random.random()
        place = pickle.loads(pickle.dumps(rxRngGetStream()))
        first = np.random.uniform(size=3).tolist(), np.random.normal(), random.random(), place.generator.random()
        rxRngSetStream(place)
        assert (
            np.random.uniform(size=3).tolist(),
            np.random.normal(),
            random.random(),
            place.generator.random(),
        ) == first


def test_the_defaults_are_the_first_stream_of_mt2203():
    """rxRngNewStream() is MT2203's stream 0 with a fresh seed, which the stream tells."""
    with rxRngNewStream() as stream:
        first = np.random.uniform()
    assert (stream.kind, stream.subStream) == ("MT2203", 0)
    with rxRngNewStream(seed=stream.seed):
        assert np.random.uniform() == first


def test_a_stream_is_the_one_that_chunks_draw_from():
    """Sub-stream k gives what chunk k of rxExec draws under the same seed and kind."""
    with Streams(SeedRoot("MCG59", 777, chosen=True)) as streams:
        streams.start(4)
        chunk = np.random.uniform(size=3).tolist()
    with rxRngNewStream("MCG59", subStream=4, seed=777):
        assert np.random.uniform(size=3).tolist() == chunk


def test_the_generators_are_as_before_after_deleting():
    """After rxRngDelStream, np.random and random are where they were."""
    numpy_state, python_state = random_of_numpy.get_state()[1].tolist(), random.getstate()
    rxRngNewStream("PHILOX", seed=1)
    np.random.uniform(), random.random()
    rxRngDelStream()
    assert (random_of_numpy.get_state()[1].tolist(), random.getstate()) == (numpy_state, python_state)


def test_a_stream_of_a_tasks_own_leaves_the_tasks_stream_alone():
    """Inside a task a new stream is drawn from until it is deleted; then the task's goes on."""
    with Streams(SeedRoot("MT2203", 1, chosen=True)) as streams:
        streams.start(0)
        wanted = np.random.uniform(size=2).tolist()
        streams.start(0)
        first = np.random.uniform()
        with rxRngNewStream("SOBOL") as stream:
            assert np.random.uniform() == 0.5
        assert [first, np.random.uniform()] == wanted
        streams.start(0)
        with rxRngNewStream("SOBOL") as again:
            assert again.seed == stream.seed  # unseeded, so from the task's stream


def test_a_stream_of_another_root_is_opened_on_top():
    """A stream that was saved elsewhere is taken by rxRngSetStream and ended by rxRngDelStream."""
    with rxRngNewStream("MT2203", seed=5, subStream=1):
        np.random.uniform()
        place = rxRngGetStream()
        wanted = np.random.uniform()
    rxRngSetStream(place)
    assert np.random.uniform() == wanted
    rxRngDelStream()
    assert STACK == []


@pytest.mark.parametrize("normal_kind", ["ICDF", "BOXMULLER", "BOXMULLER2"])
def test_normal_kinds_are_mkls_methods(normal_kind):
    """The normalKind chooses how MKL makes normal numbers, in all functions that are made of them."""
    import mkl_random

    method = {"ICDF": "ICDF", "BOXMULLER": "BoxMuller", "BOXMULLER2": "BoxMuller2"}[normal_kind]
    wanted = mkl_random.MKLRandomState(7, brng="MT2203").standard_normal(5, method=method)
    for draw in (lambda: np.random.normal(size=5), lambda: np.random.standard_normal(5), lambda: np.random.randn(5)):
        with rxRngNewStream(seed=7, normalKind=normal_kind):
            assert draw().tolist() == wanted.tolist()
    with rxRngNewStream(seed=7, normalKind=normal_kind):
        np.random.normal(size=3)
        place = rxRngGetStream()
        first = np.random.normal(size=3).tolist()
        rxRngSetStream(place)
        assert np.random.normal(size=3).tolist() == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "SOBEL"}, "kind='SOBEL' .*did you mean 'SOBOL'"),
        ({"seed": -1}, "seed=-1: a seed is a whole number"),
        ({"kind": "MCG31", "subStream": 1023}, "subStream=1023: MCG31 with seed .* has the streams 0 to 1,022"),
        ({"subStream": 1.0}, r"subStream=1\.0: MT2203"),
        ({"subStream": -1}, "subStream=-1"),
        ({"kind": "SOBOL", "dimension": 41}, "dimension=41: SOBOL has dimensions 1 to 40"),
        ({"kind": "NIEDERR", "dimension": 319}, "dimension=319: NIEDERR has dimensions 1 to 318"),
        ({"kind": "MT2203", "dimension": 2}, "dimension=2: MT2203 is not quasi-random"),
        ({"kind": "SOBOL", "dimension": True}, "dimension=True"),
        ({"normalKind": "ZIGGURAT"}, "normalKind='ZIGGURAT'.*BOXMULLER, BOXMULLER2, ICDF"),
        ({"kind": "PHILOX", "normalKind": "ICDF"}, "normalKind='ICDF' with kind 'PHILOX'"),
    ],
)
def test_bad_arguments_are_named_with_what_is_allowed(arguments, message):
    """Each bad argument is named, with its value and the limit, and nothing is installed."""
    with pytest.raises(RxArgumentError, match=message):
        rxRngNewStream(**{"seed": 1, **arguments})
    assert STACK == []


def test_without_a_stream_the_functions_say_so():
    """Outside of tasks there is nothing to get or delete; a task's stream cannot be deleted."""
    with pytest.raises(RxArgumentError, match="no stream is installed here; rxRngNewStream makes one"):
        rxRngGetStream()
    with pytest.raises(RxArgumentError, match="no stream of rxRngNewStream to delete"):
        rxRngDelStream()
    with pytest.raises(RxArgumentError, match="give what rxRngGetStream"):
        rxRngSetStream(5)  # type: ignore[arg-type]
    with (
        Streams(SeedRoot("PHILOX", 1, chosen=True)),
        pytest.raises(RxArgumentError, match="no stream of rxRngNewStream"),
    ):
        rxRngDelStream()


class TestQuasi:
    """SOBOL and NIEDERR: points of one sequence."""

    def test_sobol_is_the_sequence_of_the_literature(self):
        """Two-dimensional points are SciPy's, but for the first, (0, 0), which MKL leaves out."""
        from scipy.stats import qmc

        with rxRngNewStream("SOBOL", dimension=2):
            assert np.random.uniform(size=(63, 2)).tolist() == qmc.Sobol(2, scramble=False).random(64)[1:].tolist()

    @pytest.mark.parametrize(("kind", "dimension"), [("SOBOL", 40), ("NIEDERR", 318)])
    def test_the_largest_dimension_fills_the_cube(self, kind, dimension):
        """In the largest dimension each coordinate of 4,095 points is even in [0, 1), and none is repeated."""
        with rxRngNewStream(kind, dimension=dimension):
            points = np.random.uniform(size=(4095, dimension))
        assert np.abs(points.mean(axis=0) - 0.5).max() < 0.02
        assert len({tuple(column) for column in points.T}) == dimension

    def test_streams_are_disjoint_segments_that_together_are_the_sequence(self):
        """Stream 1 begins 2**20 points after stream 0, in any dimension."""
        with rxRngNewStream("SOBOL", dimension=3):
            np.random.uniform(size=(2**20 - 2, 3))
            end = np.random.uniform(size=(2, 3))
            with rxRngNewStream("SOBOL", dimension=3, subStream=1):
                begin = np.random.uniform(size=(2, 3))
        assert not set(map(tuple, end)) & set(map(tuple, begin))

    def test_a_stream_that_is_used_up_says_so(self):
        """Past its 2**20 points a stream would run into the next one: it refuses, and nothing is drawn."""
        with rxRngNewStream("SOBOL"):
            np.random.uniform(size=2**20 - 1)
            with pytest.raises(RxArgumentError, match="has 1,048,576 points; 1 numbers are left and 2 are asked for"):
                np.random.uniform(size=2)
            np.random.uniform()

    def test_normal_and_exponential_are_inverses_of_the_sequence(self):
        """One number of the sequence makes one value, by the inverse distribution function."""
        import scipy.stats

        with rxRngNewStream("SOBOL"):
            start = rxRngGetStream()
            points = np.random.uniform(size=100)
            for name, inverse in (
                ("normal", scipy.stats.norm(1, 2).ppf),
                ("lognormal", lambda u: np.exp(1 + 2 * scipy.stats.norm.ppf(u))),
            ):
                rxRngSetStream(start)
                assert np.allclose(getattr(np.random, name)(1, 2, 100), inverse(points), rtol=1e-7)  # MKL's accuracy
            rxRngSetStream(start)
            assert np.allclose(np.random.exponential(3, 100), scipy.stats.expon(scale=3).ppf(points), rtol=1e-12)

    def test_shapes_are_numpys(self):
        """Sizes, broadcast parameters and single numbers have NumPy's shapes and types."""
        with rxRngNewStream("SOBOL"):
            assert type(np.random.uniform(0, 3)) is float
            assert type(np.random.randn()) is float
            assert np.random.rand(2, 3).shape == (2, 3)
            assert np.random.normal([0, 1], [[1], [2]]).shape == (2, 2)
            assert np.random.standard_normal(4).shape == (4,)
            assert np.random.exponential(size=(1, 2)).shape == (1, 2)
            with pytest.raises(ValueError, match="scale < 0"):
                np.random.normal(0, -1)
