"""Streams: every way to draw follows the stream, and the caller's generators are put back."""

import itertools
import pickle
import random
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import ShuffleSplit

from rxspark.rng.kinds import KINDS, SeedRoot
from rxspark.rng.streams import Streams, current

PSEUDO = [name for name, row in KINDS.items() if not row.quasi]

random_of_numpy: Any = np.random  # NumPy's types know neither all of its names nor the older form of a state


def root(kind="MT2203", seed=777):
    """A root that the user chose."""
    return SeedRoot(kind, seed, chosen=True)


WAYS = {
    "np.random": lambda: np.random.uniform(size=3).tolist(),
    "one number": lambda: np.random.normal(),
    "integers": lambda: np.random.randint(10**6, size=3).tolist(),
    "a wide integer": lambda: int(np.random.randint(2**60)),
    "choice": lambda: np.random.choice(10**6, 3).tolist(),
    "shuffle": lambda: np.random.permutation(20).tolist(),
    "what MKL lacks": lambda: np.random.vonmises(0, 1),
    "what MKL has otherwise": lambda: [np.random.gumbel(), np.random.poisson(10**6)],
    "bytes": lambda: np.random.bytes(8),
    "default_rng": lambda: np.random.default_rng().random(),
    "RandomState": lambda: np.random.RandomState().uniform(),
    "SeedSequence": lambda: np.random.SeedSequence().entropy,
    "random.random": lambda: random.random(),
    "random.gauss": lambda: random.gauss(0, 1),
    "random.sample": lambda: random.sample(range(10**6), 3),
    "Random": lambda: random.Random().random(),
    "random.getrandbits": lambda: random.getrandbits(60),
    "scipy": lambda: scipy.stats.norm.rvs(),
    "scikit-learn": lambda: next(ShuffleSplit(1).split(range(30)))[0].tolist(),
    "the generator": lambda: current().generator.random(),
    "its children": lambda: current().generator.spawn(1)[0].random(),
}


def draw_all():
    """One draw in each way."""
    return {name: draw() for name, draw in WAYS.items()}


@pytest.mark.parametrize("kind", KINDS)
class TestEachKind:
    """Promises that hold for all kinds."""

    def test_every_way_to_draw_repeats_with_the_stream(self, kind):
        """Stream 3 started again gives all draws again, whatever was drawn in between."""
        with Streams(root(kind)) as streams:
            streams.start(3)
            first = draw_all(), draw_all()
            streams.start(4)
            draw_all()
            streams.start(3)
            assert (draw_all(), draw_all()) == first

    def test_streams_and_draws_differ_in_every_way(self, kind):
        """No two of three streams share a draw, nor do two draws of a stream or two seeds."""
        seen = []
        for seed, number in itertools.product((777, 778), (0, 1, 2)):
            with Streams(root(kind, seed)) as streams:
                streams.start(number)
                seen += [draw_all(), draw_all()]
        fed_by_sequence = {"np.random", "one number"} if KINDS[kind].quasi else set()
        for way in set(WAYS) - fed_by_sequence:
            values = [repr(one[way]) for one in seen]
            assert len(set(values)) == len(values), way

    def test_the_callers_generators_are_as_before(self, kind):
        """np.random, its functions and random are the same objects in the same state after the block."""
        np.random.standard_normal()  # so that a second legacy normal waits
        random.gauss(0, 1)

        def found():
            numpy_state = random_of_numpy.get_state()
            names = {**vars(np.random)}, {**vars(random)}, random_of_numpy.bit_generator.randbits
            bits = random_of_numpy.get_bit_generator()
            return numpy_state[1].tolist(), numpy_state[2:], random.getstate(), bits, names

        before = found()
        with pytest.raises(KeyError), Streams(root(kind)) as streams:  # noqa: PT012
            streams.start(1)
            draw_all()
            np.random.seed(3)
            random.seed(3)
            raise KeyError
        assert found() == before
        assert type(random._inst) is random.Random

    def test_a_task_that_seeds_gets_plain_numbers_and_the_next_its_stream(self, kind):
        """After np.random.seed(42) and random.seed(1) the legacy numbers come; after the task, the stream goes on."""
        plain, python = np.random.RandomState(42), random.Random(1)
        with Streams(root(kind)) as streams:
            streams.start(2)
            first, second = draw_all(), draw_all()
            streams.start(2)
            assert draw_all() == first
            np.random.seed(42)
            random.seed(1)
            for name in ("uniform", "normal", "random_sample", "gumbel"):
                assert getattr(np.random, name)() == getattr(plain, name)()
            assert np.random.permutation(9).tolist() == plain.permutation(9).tolist()
            assert np.random.mtrand._rand.uniform() == plain.uniform()
            assert [random.random(), random.gauss(0, 1)] == [python.random(), python.gauss(0, 1)]
            streams.restore()
            assert draw_all() == second

    def test_an_inner_call_leaves_the_outer_stream_where_it_was(self, kind):
        """Streams nest in one process, of any two kinds."""
        with Streams(root(kind)) as streams:
            streams.start(2)
            draw_all()
            second = draw_all()
            for inner in ("MT2203", "PHILOX", "PCG64DXSM", "SOBOL"):
                streams.start(2)
                draw_all()
                with Streams(root(inner, 5)) as nested:
                    nested.start(1)
                    draw_all()
                    np.random.seed(1)
                    random.seed(1)
                assert draw_all() == second, inner

    def test_a_state_goes_on_in_another_stream_object(self, kind):
        """A pickled state continues the stream after others, lazily seeded parts included."""
        with Streams(root(kind)) as streams:
            streams.start(5)
            fresh = pickle.dumps(streams.get_state())
            first = draw_all()
            used = pickle.dumps(streams.get_state())
            second = draw_all()
        with Streams(root(kind)) as streams:
            streams.set_state(pickle.loads(used))
            assert draw_all() == second
            streams.set_state(pickle.loads(fresh))
            assert draw_all() == first

    def test_get_state_and_set_state_of_numpy_return_to_the_stream(self, kind):
        """The usual "seed for a while" of libraries works: get_state, seed, set_state."""
        with Streams(root(kind)) as streams:
            streams.start(1)
            place = np.random.get_state()
            first = np.random.uniform(), np.random.vonmises(0, 1)
            np.random.seed(4)
            np.random.uniform()
            np.random.set_state(place)
            assert (np.random.uniform(), np.random.vonmises(0, 1)) == first


@pytest.mark.parametrize("kind", PSEUDO)
class TestDistributions:
    """np.random in a stream means what NumPy means by it, whoever draws."""

    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("geometric", (0.3,)),
            ("gumbel", (1, 2)),
            ("vonmises", (3, 2)),
            ("noncentral_f", (3, 4, 1)),
            ("poisson", (3,)),
            ("binomial", (10, 0.3)),
            ("hypergeometric", (10, 20, 5)),
            ("gamma", (0.4, 2)),
            ("laplace", (1, 2)),
            ("triangular", (0, 1, 2)),
            ("wald", (1, 2)),
            ("randint", (0, 2**40)),
        ],
    )
    def test_the_distribution_is_numpys(self, kind, name, arguments):
        """20,000 draws agree with the legacy function's (Kolmogorov-Smirnov at 1e-5, fixed seeds)."""
        with Streams(root(kind)):
            drawn = getattr(np.random, name)(*arguments, size=20_000)
        legacy = getattr(np.random.RandomState(1), name)(*arguments, size=20_000)
        assert drawn.dtype == legacy.dtype
        assert scipy.stats.ks_2samp(drawn, legacy).pvalue > 1e-5

    def test_arguments_that_mkl_refuses_or_spoils_are_numpys(self, kind):
        """Scales of 0, arrays of bounds, a rate of 0 and whole-number bounds work as in NumPy."""
        with Streams(root(kind)):
            assert np.random.normal(5, 0) == 5
            assert np.random.poisson(0, size=4).tolist() == [0, 0, 0, 0]
            assert np.random.geometric(1) == 1
            assert type(np.random.uniform(0, 3)) is float
            assert np.random.randint([1, 5], [2, 6]).tolist() == [1, 5]
            assert np.random.binomial(10, 0.5, size=3).dtype == np.int64
            with pytest.raises(ValueError, match="scale < 0"):
                np.random.normal(0, -1)
            wide = np.random.randint(2**62, size=200)
            assert len(set(wide.tolist())) == 200

    @pytest.mark.parametrize(
        ("name", "arguments", "modulus"),
        [
            ("binomial", (10**9, 0.5), 32),
            ("binomial", (2**25, 0.5), 2),
            ("binomial", (2**31 - 1, 1e-9), 2),
            ("hypergeometric", (10**9, 10**9 - 10, 10**8), 32),
            ("randint", (0, 3 * 2**28), 8),
            ("randint", (0, 3 * 2**29), 8),
            ("choice", (3 * 2**28,), 8),
        ],
    )
    def test_large_counts_keep_their_last_digits(self, kind, name, arguments, modulus):
        """The remainders of 20,000 large counts are spread as evenly as those of numbers drawn one by one."""
        with Streams(root(kind)):
            drawn = getattr(np.random, name)(*arguments, size=20_000)
        legacy = getattr(np.random.RandomState(1), name)(*arguments, size=20_000)
        counts = [np.bincount(values % modulus, minlength=modulus) for values in (drawn, legacy)]
        assert scipy.stats.chi2_contingency(counts).pvalue > 1e-5

    def test_a_binomial_of_many_trials_has_its_probabilities(self, kind):
        """200,000 draws of B(2**19, 0.001) agree with the exact probabilities (chi-square at 1e-5, fixed seed)."""
        exact = scipy.stats.binom(2**19, 0.001)
        with Streams(root(kind)):
            drawn = np.random.binomial(2**19, 0.001, 200_000)
            several = np.random.multinomial(2**19, [0.001, 0.999], 200_000)[:, 0]
        bounds = np.arange(exact.ppf(1e-3), exact.ppf(1 - 1e-3))
        expected = np.diff([0, *exact.cdf(bounds), 1]) * 200_000
        for values in (drawn, several):
            observed = np.histogram(values, [-1, *(bounds + 0.5), 2**19])[0]
            assert scipy.stats.chisquare(observed, expected).pvalue > 1e-5

    def test_bounds_too_far_apart_are_refused_as_by_numpy(self, kind):
        """np.random.uniform(-1e308, 1e308) is NumPy's error."""
        with Streams(root(kind)), pytest.raises(OverflowError):
            np.random.uniform(-1e308, 1e308)


def test_the_generators_of_a_library_never_move_the_stream():
    """An unseeded generator that a library makes for itself takes nothing from np.random's and random's numbers."""
    with Streams(root("PHILOX")) as streams:
        streams.start(0)
        np.random.default_rng()
        random.Random()
        with_library = np.random.uniform(), random.random()
        streams.start(0)
        assert (np.random.uniform(), random.random()) == with_library


def test_what_the_standard_library_makes_once_a_process_moves_nothing():
    """`tempfile` seeds a generator of its own when it is first used: that must not tell in a later Random()."""
    drawn = []
    with Streams(root("PHILOX")) as streams:
        for _ in range(2):
            streams.start(0)
            next(tempfile._RandomNameSequence())  # type: ignore[attr-defined]
            drawn.append(random.Random().random())
            streams.start(0)
            drawn.append(random.Random().random())
    assert len(set(drawn)) == 1


def test_generators_made_outside_of_streams_are_seeded_by_the_system():
    """The class is as before, once no stream is installed any more."""
    before = random.Random.seed
    with Streams(root("PHILOX")) as streams:
        streams.start(0)
        inside = random.Random().random()
    assert random.Random.seed is before
    assert random.Random().random() != inside


def test_two_unseeded_generators_of_a_task_differ():
    """default_rng() and Random() twice give two generators, as everywhere."""
    with Streams(root()):
        assert np.random.default_rng().random() != np.random.default_rng().random()
        assert random.Random().random() != random.Random().random()


def test_functions_taken_before_a_stream_follow_it():
    """`from random import random, seed` in a module that was loaded earlier draws from the stream all the same."""
    code = """
from random import random, getrandbits
from numpy.random import uniform
from rxspark.rng.kinds import SeedRoot
from rxspark.rng.streams import Streams
def draws():
    with Streams(SeedRoot("PHILOX", 7, chosen=True)) as streams:
        streams.start(3)
        return random(), getrandbits(50), uniform()
first = draws()
random(), uniform()
assert draws() == first
print("ok")
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "ok"


def test_functions_taken_in_an_earlier_task_follow_the_stream():
    """`from random import random` in a task, kept for the next one, draws from the next one's stream."""
    with Streams(root("PHILOX")) as streams:
        streams.start(0)
        before = random.random, random.getrandbits, np.random.uniform
        random.random()
        after = random.random, random.getrandbits, np.random.uniform
        streams.start(1)
        wanted = random.random(), random.getrandbits(50), np.random.uniform()
        streams.start(1)
        assert (before[0](), before[1](50), before[2]()) == wanted
        streams.start(1)
        assert after[2]() == wanted[2]


def test_a_stream_left_open_by_a_task_is_closed():
    """A task that forgets rxRngDelStream does not take the next task's stream away."""
    from rxspark.rng import rxRngNewStream

    with Streams(root("PHILOX")) as streams:
        streams.start(0)
        wanted = np.random.uniform(size=2).tolist()
        streams.start(0)
        first = np.random.uniform()
        rxRngNewStream("MT2203", seed=1)
        np.random.uniform()
        streams.restore()
        assert [first, np.random.uniform()] == wanted


def test_a_bit_generator_of_the_tasks_own_ends_with_the_task():
    """np.random.set_bit_generator lasts for the task; giving the stream's back ends it at once."""
    with Streams(root()) as streams:
        streams.start(0)
        own = np.random.uniform(size=3).tolist()
        streams.start(0)
        first = np.random.uniform()
        before = random_of_numpy.get_bit_generator()
        random_of_numpy.set_bit_generator(np.random.PCG64(5))
        assert np.random.uniform() == np.random.RandomState(np.random.PCG64(5)).uniform()
        random_of_numpy.set_bit_generator(before)
        second = np.random.uniform()
        random_of_numpy.set_bit_generator(np.random.PCG64(5))
        streams.restore()
        assert [first, second, np.random.uniform()] == own


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 2**63 - 1),
    numbers=st.lists(st.integers(0, 1000), min_size=1, max_size=4),
    data=st.data(),
)
def test_a_stream_depends_on_seed_kind_and_number_alone(kind, seed, numbers, data):
    """Stream k gives the same in whatever order streams are started, and whatever tasks do in between."""

    def draws(order):
        found = {}
        with Streams(root(kind, seed)) as streams:
            for number in order:
                streams.start(number)
                found[number] = draw_all()
                disturb = data.draw(st.sampled_from(["nothing", "seed", "nest", "draw"]))
                if disturb == "seed":
                    np.random.seed(1)
                    random.seed(1)
                elif disturb == "nest":
                    with Streams(root("MT2203", 3)):
                        draw_all()
                elif disturb == "draw":
                    draw_all()
        return found

    assert draws(numbers) == draws(data.draw(st.permutations(numbers)))
