"""Streams are independent, as far as tests of randomness can tell. Seeds are fixed, so outcomes are too.

What dieharder finds stands in `test_dieharder_passes_interleaved_streams`.
"""

import shutil
import subprocess

import numpy as np
import pytest
import scipy.stats

from rxspark.rng.kinds import KINDS, MEMBERS, SeedRoot
from rxspark.rng.streams import Streams

PSEUDO = [name for name, row in KINDS.items() if not row.quasi]
pytestmark = pytest.mark.slow


def draws(kind, numbers, count, seed=777):
    """An array (streams, count) of uniform draws."""
    table = np.empty((len(numbers), count))
    with Streams(SeedRoot(kind, seed, chosen=True)) as streams:
        for row, number in zip(table, numbers, strict=True):
            streams.start(number)
            row[:] = np.random.random_sample(count)
    return table


@pytest.mark.parametrize("kind", PSEUDO)
class TestIndependence:
    """Tests that would show if streams overlapped, were shifts of each other or had a common lattice."""

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
        """1,000 interleaved streams do not correlate at lags of 1 to 512 streams."""
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


@pytest.mark.parametrize("kind", [name for name in PSEUDO if name not in ("MCG31", "MCG59")])
def test_birthday_spacings_of_interleaved_streams(kind):
    """6,000 streams that take turns by 100 draws have as many equal spacings as chance gives (p > 1e-4).

    SmallCrush's test (L'Ecuyer and Simard, ACM TOMS 33 (2007), 22): 5,000,000 points of 2 x 30 bits, of whose sorted
    distances some (n**3 / (4 * 2**60) = 27.1) are equal. MRG32K3A over the seeds 777 to 786: 293 for 271.1, p = 0.19.
    Left out are the congruential generators, which fail it in one stream too (MCG59: 123, MCG31: nearly all).
    """
    table = draws(kind, range(6000), 1700).reshape(6000, 17, 100)
    points = (table.transpose(1, 0, 2).reshape(-1, 2)[:5_000_000] * 2**30).astype(np.uint64)
    places = np.sort(points[:, 0] << np.uint64(30) | points[:, 1])
    equal = np.count_nonzero(np.diff(np.sort(np.diff(places))) == 0)
    expected = scipy.stats.poisson(5_000_000**3 / 2**62)
    assert 2 * min(expected.cdf(equal), expected.sf(equal - 1)) > 1e-4


# Test numbers and sizes, such that none needs more than the 16.8 million words of 32 bits that there are.
DIEHARDER = {
    "birthdays": ["-d", "0", "-p", "15"],
    "rank 32x32": ["-d", "2", "-t", "4000", "-p", "50"],
    "count 1s": ["-d", "8", "-p", "15"],
    "runs": ["-d", "15", "-p", "15"],
    "monobit": ["-d", "100", "-p", "15"],
    "serial": ["-d", "102", "-p", "15"],
}


def dieharder(words, options):
    """The p-values of one test on a file of 32-bit words."""
    told = subprocess.run(["dieharder", "-g", "201", "-f", words, *options], capture_output=True, text=True, check=True)
    lines = [line.split("|") for line in told.stdout.splitlines() if line.count("|") == 5]
    return [float(columns[4]) for columns in lines if columns[4].strip() != "p-value"]


@pytest.mark.parametrize("kind", PSEUDO)
def test_dieharder_passes_interleaved_streams(kind, tmp_path):
    """No test fails on the upper 16 bits of draws that take turns over 64 streams of seed 777.

    Smallest p-value of each test of dieharder 3.31.1 (MKL 2026.2, NumPy 2.4):

    kind               birthdays  rank 32x32    count 1s        runs     monobit      serial
    MCG31                  0.564       0.809       0.408       0.599       0.937      0.0996
    R250                   0.976      0.0663       0.886       0.879        0.65       0.113
    MRG32K3A               0.976       0.641      0.0204       0.588       0.923       0.079
    MCG59                  0.868       0.361       0.563       0.238       0.151      0.0281
    MT19937                0.497       0.743       0.902       0.794       0.907      0.0927
    MT2203                 0.326       0.528       0.359       0.804       0.985      0.0667
    SFMT19937              0.791       0.254           1       0.232       0.932      0.0331
    PHILOX4X32X10          0.596       0.492       0.296       0.573       0.877      0.0888
    ARS5                   0.645       0.578       0.996      0.0322       0.982       0.197
    PHILOX                 0.857       0.641        0.69       0.945       0.603       0.159
    PCG64DXSM              0.879       0.379       0.995       0.624       0.772      0.0844
    """
    assert shutil.which("dieharder"), "this test needs the program dieharder: apt-get install dieharder"
    upper = np.empty((2**19, 64), dtype="<u2")
    for number in range(64):
        upper[:, number] = draws(kind, [number], 2**19)[0] * 2**16
    words = tmp_path / "words"
    words.write_bytes(upper.tobytes())
    values = {name: dieharder(words, options) for name, options in DIEHARDER.items()}
    print(kind, {name: f"{min(found):.3g}" for name, found in values.items()})
    assert min(min(found) for found in values.values()) > 1e-6
