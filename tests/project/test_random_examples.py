"""The examples of random numbers, run as a reader runs them: what they print is right, and the picture is there."""

from __future__ import annotations

import re
import struct

import pytest
from examples_runs import outcome, output

pytestmark = pytest.mark.timeout(900)  # the first that asks waits for all examples on Spark, two minutes of two cores

CONTEXTS = ["local", "localpar", pytest.param("spark", marks=pytest.mark.spark)]


def games(text: str) -> list[tuple[int, str]]:
    """The wins of each run of the dice game, and what is said of it."""
    rows = re.findall(r"^  Loss ([\d,]+)  Win ([\d,]+)(.*)$", text, re.MULTILINE)
    counts = [(int(lost.replace(",", "")), int(won.replace(",", "")), told) for lost, won, told in rows]
    assert {lost + won for lost, won, _ in counts} == {10_000}
    return [(won, told) for _, won, told in counts]


@pytest.mark.parametrize("context", CONTEXTS)
class TestRandomNumbers:
    """random_numbers.py, in each context."""

    def test_a_seed_repeats_the_games(self, context: str) -> None:
        """777 twice and MT2203 by name are the same games, about 4,929 of them won; another kind gives others."""
        first, *others = games(output("random_numbers", context))[:4]
        assert abs(first[0] - 4_929) < 250
        assert [re.findall("True|False", told)[0] for _, told in others] == ["True", "True", "False"]
        assert [won == first[0] for won, _ in others] == [True, True, False]

    def test_a_run_without_a_seed_is_new_and_can_be_replayed(self, context: str) -> None:
        """Two runs with "auto" differ; the kind and seed that the first one recorded give it again."""
        text = output("random_numbers", context)
        assert "two runs with 'auto' give the same numbers: False" in text
        assert re.search(r"replayed from its \.rng, MT2203 with seed \d+: True$", text, re.MULTILINE)

    def test_five_streams_are_not_correlated(self, context: str) -> None:
        """The matrix is symmetric, its largest entry is the one that is told, and lies below 0.3."""
        text = output("random_numbers", context)
        rows = re.findall(r"^ +" + r" +".join([r"(-?\d\.\d{3})"] * 5) + "$", text, re.MULTILINE)
        matrix = [[float(value) for value in row] for row in rows]
        assert matrix == [list(column) for column in zip(*matrix, strict=True)]
        assert len(matrix) == 5
        largest = float(re.findall(r"largest correlation: ([\d.]+); any above 0\.3: False", text)[0])
        assert largest == max(abs(value) for row in matrix for value in row)
        assert 0 < largest < 0.3

    def test_neither_workers_nor_contexts_nor_chunks_change_a_game(self, context: str) -> None:
        """100 chunks are the same games in four ways to run them, and so are 10,000 streams cut in four ways."""
        chunks, tasks = games(output("random_numbers", context))[4:8], games(output("random_numbers", context))[8:]
        for runs in (chunks, tasks):
            assert len(runs) == 4
            assert len({won for won, _ in runs}) == 1
            assert all("the same games: True" in told for _, told in runs)
        assert abs(tasks[0][0] - 4_929) < 250
        assert f"--context {context}" in chunks[3][1]

    def test_a_task_can_choose_its_stream(self, context: str) -> None:
        """Two tasks that open the same stream play the same games, which the driver plays too."""
        told = output("random_numbers", context).partition("stream of its own choice:\n")[2].splitlines()
        assert told[0].endswith("the same in both tasks: True")
        assert told[1:] == ["  the same here, without rxExec: True"]


@pytest.mark.parametrize("context", CONTEXTS)
def test_quasi_random_points_miss_pi_by_less(context: str) -> None:
    """With 4,096 points a chunk SOBOL has less than half the error of MT2203, which falls with the root of them."""
    text, _, picture = outcome("quasi_random", context)
    rows = re.findall(r"^ +([\d,]+) +(0\.\d{5}) +(0\.\d{5})$", text, re.MULTILINE)
    table = {int(size.replace(",", "")): (float(sobol), float(pseudo)) for size, sobol, pseudo in rows}
    assert list(table) == [64, 128, 256, 512, 1_024, 2_048, 4_096]
    assert table[4_096][0] < table[4_096][1] / 2
    assert 4 < table[64][1] / table[4_096][1] < 16
    width, height = struct.unpack(">II", picture[16:24])
    assert min(width, height) > 500


def test_quasi_random_points_are_the_same_in_every_context() -> None:
    """Both columns of errors are those of one process, to the last digit that is printed."""
    assert output("quasi_random", "local") == output("quasi_random", "localpar")
