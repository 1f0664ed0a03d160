"""The examples, run as a reader runs them: what they print is right, and their pictures are there."""

from __future__ import annotations

import math
import platform
import re
import struct

import examples_runs
import pytest
from examples_runs import EXAMPLES, run

from rxspark import rxElemArg, rxExec

pytestmark = pytest.mark.timeout(900)  # the first that asks waits for all examples on Spark, two minutes of two cores

HERE = ["local", "localpar"]
CONTEXTS = [*HERE, pytest.param("spark", marks=pytest.mark.spark)]


def outcome(example: str, context: str) -> examples_runs.Outcome:
    """Outcome of an example, which warns of nothing."""
    done = examples_runs.outcome(example, context)
    assert "Warning" not in done.stderr, done.stderr
    return done


def output(example: str, context: str) -> str:
    """Text that an example prints."""
    return outcome(example, context).stdout


def wins(text: str) -> int:
    """The wins of the dice example's table, once losses and wins are all the games there are."""
    found = re.search(r"^ *Loss +Win\n *(\d+) +(\d+)$", text, re.MULTILINE)
    assert found, text
    lost, won = map(int, found.groups())
    assert lost + won == 10_000
    return won


def table_of_places(text: str) -> list[tuple[str, int, int, int]]:
    """Host, pid, chunks and tasks: the rows that dice prints at its end."""
    rows = re.findall(r"^ *(\S+) +(\d+) +(\d+) +(\d+)$", text.partition("where the games ran:")[2], re.MULTILINE)
    return [(host, int(pid), int(chunks), int(tasks)) for host, pid, chunks, tasks in rows]


@pytest.mark.parametrize("context", CONTEXTS)
def test_dice_wins_as_often_as_probability_says(context: str) -> None:
    """Wins lie within five standard deviations of 244/495 of the games, and a second call repeats every game."""
    text = output("dice", context)
    deviation = math.sqrt(10_000 * 244 / 495 * 251 / 495)
    assert abs(wins(text) - 10_000 * 244 / 495) < 5 * deviation
    assert "the same result of every game: True" in text


@pytest.mark.parametrize("context", CONTEXTS)
def test_dice_tells_where_the_games_ran(context: str) -> None:
    """The table of hosts and processes accounts for all 10,000 games and all five chunks."""
    rows = table_of_places(output("dice", context))
    assert sum(chunks for _, _, chunks, _ in rows) == 5
    assert sum(tasks for *_, tasks in rows) == 10_000
    assert context != "local" or len(rows) == 1


def test_dice_wins_the_same_games_in_every_context() -> None:
    """One seed gives the same wins in this process and on all cores."""
    assert wins(output("dice", "local")) == wins(output("dice", "localpar"))


@pytest.mark.spark
def test_dice_wins_the_same_games_on_spark() -> None:
    """Dice by Spark, as `scripts/demo` runs it, has the wins of a run without Spark."""
    assert wins(output("dice", "spark")) == wins(output("dice", "local"))


BIRTHDAYS = {3: 0.0082, 23: 0.5073, 25: 0.5687, 50: 0.9704, 100: 1.0}


def birthdays(text: str) -> dict[int, tuple[float, float]]:
    """Simulated and exact probability for each number of people that the birthday example prints."""
    rows = re.findall(r"^ *(\d+) +(\d\.\d{4}) +(\d\.\d{4})$", text, re.MULTILINE)
    return {int(people): (float(simulated), float(exact)) for people, simulated, exact in rows}


@pytest.mark.parametrize("context", CONTEXTS)
def test_birthday_gives_the_known_probabilities(context: str) -> None:
    """The exact column is the textbook's, and the simulated one within five standard deviations of it."""
    found = birthdays(output("birthday", context))
    assert {people: exact for people, (_, exact) in found.items()} == BIRTHDAYS
    for simulated, exact in found.values():
        assert abs(simulated - exact) <= 5 * math.sqrt(max(exact * (1 - exact), 0.002) / 500)


def test_birthday_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind and seed that an unseeded run prints give its numbers again."""
    text = output("birthday", "localpar")
    kind, seed = re.search(r"RNGkind='(\w+)', RNGseed=(\d+)", text).groups()
    monkeypatch.syspath_prepend(EXAMPLES)
    from birthday import pbirthday

    again = rxExec(pbirthday, n=rxElemArg(range(2, 101)), ntests=500, taskChunkSize=20, RNGkind=kind, RNGseed=int(seed))
    for people, (simulated, _) in birthdays(text).items():
        assert again[people - 2] == pytest.approx(simulated, abs=5e-5)


@pytest.mark.parametrize("context", CONTEXTS)
def test_mandelbrot_has_the_known_area(context: str) -> None:
    """The share of points in the set is the set's area, 1.5066, by that of the square, within a row of pixels."""
    share = float(re.search(r"60 x 60 points, ([\d.]+)% of them", output("mandelbrot", context)).group(1))
    assert share == pytest.approx(100 * 1.5066 / 2.6**2, abs=100 / 60)


@pytest.mark.parametrize("context", CONTEXTS)
def test_poisson_estimates_spread_around_the_truth(context: str) -> None:
    """The means of 40 models are the true coefficients, and their deviations the standard errors, within chance."""
    rows = re.findall(r"^(\S+) +" + r" +".join([r"(-?[\d.]+)"] * 4) + "$", output("poisson", context), re.MULTILINE)
    assert [(name, float(true)) for name, true, *_ in rows] == [("(Intercept)", 0), ("x1", 1), ("x2", 2)]
    for _, true, mean, deviation, error in rows:
        assert abs(float(mean) - float(true)) < 5 * float(error) / 40**0.5
        assert float(deviation) == pytest.approx(float(error), rel=0.5)


def test_poisson_estimates_are_the_same_everywhere() -> None:
    """One seed gives the same means and deviations in one process and in several."""
    first, second = ([line.split()[:4] for line in output("poisson", context).splitlines()[3:6]] for context in HERE)
    assert first == second
    assert first[2][0] == "x2"


@pytest.mark.parametrize("example", ["birthday", "mandelbrot", "kmeans", "poisson"])
@pytest.mark.parametrize("context", CONTEXTS)
def test_pictures_are_written(example: str, context: str) -> None:
    """A run leaves a PNG that is not empty and has the size of a figure."""
    picture = outcome(example, context).picture
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 10_000
    width, height = struct.unpack(">II", picture[16:24])
    assert 800 <= width <= 1000
    assert 400 <= height <= 800  # a row of panels is flat


def test_kmeans_finds_the_same_clusters_everywhere() -> None:
    """One seed gives one clustering, twice in a context and in two contexts."""
    texts = [output("kmeans", context) for context in HERE]
    assert all("the same clusters for the same seed: True" in text for text in texts)
    sums = [re.search(r"sums of squares: (\S+), (\S+)", text).groups() for text in texts]
    assert sums[0] == sums[1]


def test_kmeans_finds_the_clusters_that_are_there() -> None:
    """500 normal points around ten centres in ten dimensions: the sum of squares is near 490 x 10."""
    best, single = map(float, re.search(r"sums of squares: ([\d.]+), ([\d.]+)", output("kmeans", "local")).groups())
    assert 4_200 < best < 5_000
    assert single == pytest.approx(best, rel=0.05)
    least, most = map(float, re.search(r"squares from ([\d.]+) to ([\d.]+)", output("kmeans", "local")).groups())
    assert best * 0.95 < least < most


@pytest.mark.parametrize("context", CONTEXTS)
def test_sharing_data_gives_the_same_sums_both_ways(context: str) -> None:
    """Seven sums, equal by argument and by file, that add up to half the rows; and the file is gone."""
    text = output("sharing_data", context)
    rows = re.findall(r"^([A-G]) +([\d,.]+)$", text, re.MULTILINE)
    sums = {tag: float(total.replace(",", "")) for tag, total in rows}
    assert list(sums) == list("ABCDEFG")
    assert sum(sums.values()) == pytest.approx(50_000, abs=5 * math.sqrt(100_000 / 12))
    assert "the same results: True" in text
    assert not (EXAMPLES / "output" / "table.npy").exists()


@pytest.mark.parametrize("context", CONTEXTS)
def test_group_models_are_near_the_truth(context: str) -> None:
    """A sum a tag; slopes whose intervals lie around the true ones; one airline's error; one interval by itself."""
    text = output("group_models", context)
    sums = [float(total.replace(",", "")) for total in re.findall(r"^ +[A-G] +([\d,.]+)$", text, re.MULTILINE)]
    assert len(sums) == 7
    assert sum(sums) == pytest.approx(50_000, abs=5 * math.sqrt(100_000 / 12))
    slopes = re.findall(r"^ +(\w\w) +([\d.]+) +([\d.]+) +([\d.]+) *$", text, re.MULTILINE)
    true = {"AA": 1.0, "B6": 2.5, "DL": 0.5, "UA": 1.5}
    assert [airline for airline, *_ in slopes] == list(true)
    for airline, slope, low, high in slopes:
        assert float(low) < float(slope) < float(high)
        assert float(slope) == pytest.approx(true[airline], abs=1.25 * (float(high) - float(low)))
    assert re.search(r"^ +HA +ValueError: HA has no delays$", text, re.MULTILINE)
    assert "UA alone has the same interval: True" in text
    assert text.partition("minutes")[2] == output("group_models", "local").partition("minutes")[2]
    assert not (EXAMPLES / "output" / "flights.parquet").exists()


@pytest.mark.parametrize("context", CONTEXTS)
def test_combined_dice_give_one_table(context: str) -> None:
    """Games by rolls and outcome: all are counted, the first rolls as probability says, and alike everywhere."""
    text = output("combine_dice", context)
    rows = re.findall(r"^(\d|more) +(\d+) +(\d+)$", text, re.MULTILINE)
    table = {rolls: (int(lost), int(won)) for rolls, lost, won in rows}
    assert list(table) == ["1", "2", "3", "4", "5", "6", "more"]
    assert sum(lost + won for lost, won in table.values()) == 20_000
    for found, chance in ((table["1"][0], 4 / 36), (table["1"][1], 8 / 36)):
        assert abs(found - 20_000 * chance) < 5 * math.sqrt(20_000 * chance * (1 - chance))
    assert f"of 20,000 games, {sum(won for _, won in table.values()) / 20_000:.4f}; expected: 0.4929" in text
    assert text.partition("came home")[0] == output("combine_dice", "local").partition("came home")[0]


@pytest.mark.parametrize("context", CONTEXTS)
def test_local_contexts_draw_the_same_numbers(context: str) -> None:
    """Six calls in RxLocalSeq, RxLocalParallel with several worker counts and the context asked for: one answer."""
    text = output("local_contexts", context)
    lines = re.findall(r"^((?:0\.\d{4} ?){5}) +same: (\w+) +processes: (\d+) +(.*)$", text, re.MULTILINE)
    assert len(lines) == 6
    assert {same for _, same, _, _ in lines} == {"True"}
    assert len({numbers for numbers, *_ in lines}) == 1
    processes = {place: int(count) for _, _, count, place in lines}
    assert processes["RxLocalParallel() with numCoresToUse=1"] == 1
    assert "after the block: RxLocalSeq()" in text
    assert float(re.search(r"largest correlation between two sets: ([\d.]+)", text).group(1)) < 0.3


def test_foreach_backends_walk_alike() -> None:
    """Every joblib backend gives the walks of the context asked for; only what is not installed is skipped."""
    text = output("foreach_backends", "localpar")
    ends = [int(end) for end in re.search(r"^localpar +ends at \[(.*)\]", text).group(1).split(", ")]
    assert len(set(ends)) > 1
    assert all(end % 2 == 0 and abs(end) < 6 * math.sqrt(1_000) for end in ends)
    told = dict(re.findall(r"^(\w+) +(same.*|skipped.*)$", text, re.MULTILINE))
    assert list(told) == ["loky", "threading", "multiprocessing", "dask", "ray"]
    for name, words in told.items():
        if name in ("dask", "ray") and words.startswith("skipped: No module named"):
            continue
        assert words.startswith("same numbers: True")
        assert words.endswith("in this process" if name == "threading" else "in other processes")


@pytest.mark.parametrize("context", CONTEXTS)
def test_controls_do_what_they_say(context: str) -> None:
    """Objects and modules are there, texts are kept, failures cost their own entry, a node gives one result."""
    text = output("controls", context)
    assert "with rate and math given: [95.12, 190.25]" in text
    assert r"kept, by task: {0: 'task 1 speaks\n', 1: 'task 2 speaks\n'}" in text
    assert "two of three: 1.0, 0.25; task 1: ZeroDivisionError: division by zero" in text
    assert "the call warns: 1 of 3 tasks failed; task 1: ZeroDivisionError: division by zero" in text
    assert "the first error is raised: ZeroDivisionError in task 1" in text
    assert re.search(rf"once on each node: {{'\w+': '{platform.python_version()}'}}\nnodes: 1$", text, re.MULTILINE)


def test_an_unknown_context_is_refused() -> None:
    """A context that does not exist ends the example with the names of those that do."""
    done = run("dice", "--context", "cluster")
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("local", "localpar", "dopar", "spark"))
