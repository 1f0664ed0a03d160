"""The numbers are MKL's and NumPy's own: each kind against files made without rxspark (tests/golden/make.py)."""

import numpy as np
import pytest
from project import GOLDEN

from rxspark.rng.kinds import KINDS, SeedRoot
from rxspark.rng.streams import Streams


def rows(kind):
    """Seed, stream and draws of each line of a kind's file."""
    for line in (GOLDEN / f"{kind}.csv").read_text().splitlines()[1:]:
        seed, stream, *draws = line.split(",")
        yield int(seed), int(stream), [float(draw) for draw in draws]


@pytest.mark.parametrize("kind", KINDS)
class TestGolden:
    """Streams 0, 1 and the last, for a seed of MKL's and for one that is hashed."""

    def test_random_sample_gives_the_golden_draws(self, kind):
        """np.random.random_sample in a stream gives, bit for bit, what VSL or NumPy gives when asked directly."""
        for seed, number, draws in rows(kind):
            with Streams(SeedRoot(kind, seed, chosen=True)) as streams:
                streams.start(number)
                assert np.random.random_sample(len(draws)).tolist() == draws

    def test_one_by_one_is_the_same_as_many_at_once(self, kind):
        """Six draws of one number are one draw of six numbers."""
        seed, number, draws = next(iter(rows(kind)))
        with Streams(SeedRoot(kind, seed, chosen=True)) as streams:
            streams.start(number)
            assert [np.random.uniform() for _ in draws] == draws

    def test_the_last_golden_stream_is_the_last_there_is(self, kind):
        """The files reach to the capacity that the table states."""
        assert max(number for _, number, _ in rows(kind)) == KINDS[kind].streams - 1
