"""Streams are independent, as far as tests of randomness can tell. Seeds are fixed, so outcomes are too.

dieharder 3.31.1, fed with the upper 16 bits of draws that take turns over 64 streams of seed 777: see the table in
`test_dieharder_passes_interleaved_streams`.
"""

import shutil
import subprocess

import numpy as np
import pytest
import scipy.stats

from rxspark.rng.kinds import KINDS, MEMBERS, Root
from rxspark.rng.streams import Streams

PSEUDO = [name for name, row in KINDS.items() if not row.quasi]
pytestmark = pytest.mark.slow


def draws(kind, numbers, count, seed=777):
    """An array (streams, count) of uniform draws."""
    table = np.empty((len(numbers), count))
    with Streams(Root(kind, seed, chosen=True)) as streams:
        for row, number in zip(table, numbers, strict=True):
            streams.start(number)
            row[:] = np.random.random_sample(count)
    return table


@pytest.mark.parametrize("kind", PSEUDO)
class TestIndependence:
    """What would show if streams overlapped, were shifts of each other or had a common lattice."""

    def test_five_streams_of_500_are_uncorrelated(self, kind):
        """Over 100 seeds the largest of 1,000 correlations of 500 draws is below 4.5 standard deviations, 0.2."""
        largest = 0.0
        for seed in range(1001, 1101):
            pairs = np.corrcoef(draws(kind, range(5), 500, seed))[np.triu_indices(5, 1)]
            largest = max(largest, np.abs(pairs).max())
        assert largest < 0.2

    def test_each_stream_is_uniform(self, kind):
        """The p-values of chi-square and Kolmogorov-Smirnov tests of 200 streams are themselves uniform."""
        table = draws(kind, range(200), 10_000)
        counts = np.stack([np.bincount((row * 100).astype(int), minlength=100) for row in table])
        assert scipy.stats.kstest(scipy.stats.chisquare(counts, axis=1).pvalue, "uniform").pvalue > 1e-4
        distances = [scipy.stats.kstest(row, "uniform").pvalue for row in table]
        assert scipy.stats.kstest(distances, "uniform").pvalue > 1e-4

    def test_neighbouring_streams_are_uncorrelated_draw_by_draw(self, kind):
        """Interleaved streams, 1,000 of them, have no correlation at any lag of streams that is a power of two or odd."""
        table = draws(kind, range(1000), 1000) - 0.5
        for lag in (1, 2, 3, 4, 5, 7, 8, 16, 64, 128, 256, 512):
            products = table[:-lag] * table[lag:]
            score = products.sum() / np.sqrt(products.size) * 12
            assert abs(score) < 4.5, lag

    def test_first_draws_of_streams_are_uniform_and_distinct(self, kind):
        """The k-th draws across 1,000 streams are a sample as good as any: a task that draws once is no worse off."""
        table = draws(kind, range(1000), 8)
        for column in table.T:
            assert scipy.stats.kstest(column, "uniform").pvalue > 1e-5
        assert len(np.unique(table, axis=0)) == 1000

    def test_far_apart_streams_are_uncorrelated(self, kind):
        """Streams whose numbers differ by powers of two up to the capacity have nothing in common."""
        most = KINDS[kind].streams
        lags = [2**power for power in range(64) if 2**power < most]
        table = draws(kind, [0, *lags], 20_000)
        worst = np.abs(np.corrcoef(table) - np.eye(len(table))).max() * np.sqrt(20_000)
        assert worst < 5


def test_all_members_of_mt2203_and_their_skipped_parts_are_distinct():
    """6,024 members in two rounds, and in two seeds, begin with different draws throughout."""
    beginnings = np.concatenate(
        [draws("MT2203", range(2 * MEMBERS), 3), draws("MT2203", range(2 * MEMBERS), 3, seed=778)]
    )
    assert len(np.unique(beginnings, axis=0)) == 4 * MEMBERS


def test_streams_by_skipping_are_parts_of_one_sequence():
    """MCG31 stream 1 is stream 0 from its draw 1,048,583 on; so blocks neither overlap nor leave a gap."""
    whole = draws("MCG31", [0], KINDS["MCG31"].draws + 5)[0]
    assert whole[-5:].tolist() == draws("MCG31", [1], 5)[0].tolist()


DIEHARDER = {
    "birthdays": ["-d", "0", "-p", "50"],
    "rank 32x32": ["-d", "2", "-t", "4000", "-p", "50"],
    "count 1s": ["-d", "8", "-p", "40"],
    "runs": ["-d", "15", "-p", "50"],
    "monobit": ["-d", "100", "-p", "50"],
    "serial": ["-d", "102", "-p", "20"],
}


@pytest.mark.skipif(shutil.which("dieharder") is None, reason="apt-get install dieharder")
@pytest.mark.parametrize("kind", PSEUDO)
def test_dieharder_passes_interleaved_streams(kind):
    """No test of dieharder fails on 64 streams that take turns."""
    upper = (draws(kind, range(64), 2**18).T.ravel() * 2**16).astype("<u2").tobytes()
    for name, options in DIEHARDER.items():
        told = subprocess.run(["dieharder", "-g", "200", *options], input=upper, capture_output=True).stdout.decode()
        values = [
            float(line.split("|")[4]) for line in told.splitlines() if line.count("|") == 5 and "p-value" not in line
        ]
        assert values, told
        assert min(values) > 1e-6, (name, told)
