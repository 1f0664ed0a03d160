"""Parallel random numbers: one seed, the same numbers everywhere.

    python examples/random_numbers.py --context local|localpar|dopar|spark

Shows `RNGseed`, `RNGkind`, `"auto"`, `RNGscope`, the root that is recorded in `.rng`, and `rxRngNewStream` in a task.
What to see: the same games for the same seed; a run without a seed, replayed; five streams that are not correlated.
Then what RevoScaleR's users are warned of, that with more tasks than workers the results may differ from run to run:
here they are the same for any number of workers, in all contexts and, where each task has a stream of its own, for any
size of chunks. (It is quick as it is: `--quick` changes nothing.)
"""

from __future__ import annotations

import random

import numpy as np
from common import read_options

from rxspark import (
    RxLocalParallel,
    RxLocalSeq,
    RxResults,
    rxExec,
    rxGetOption,
    rxOptions,
    rxRngNewStream,
    rxSetComputeContext,
)


def play_dice() -> str:
    """One game of craps, as in dice.py."""
    point = None
    while True:
        roll = random.randint(1, 6) + random.randint(1, 6)
        if point is None:
            if roll in (7, 11):
                return "Win"
            if roll in (2, 3, 12):
                return "Loss"
            point = roll
        elif roll == point:
            return "Win"
        elif roll == 7:
            return "Loss"


def play_dice_on_a_stream(seed: int) -> list[str]:
    """A task that controls its random numbers itself: three games on a stream of its own choice."""
    with rxRngNewStream(kind="PHILOX", subStream=5, seed=seed):
        return [play_dice() for _ in range(3)]


def table(z: RxResults) -> str:
    """The counts of losses and wins."""
    return f"Loss {z.count('Loss'):,}  Win {z.count('Win'):,}"


def main() -> None:
    """Go through the article's sections on random numbers and on reproducibility."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)

    kind = rxGetOption("RNGkind")
    another = "SFMT19937" if kind == "MT2203" else "PCG64DXSM"

    print("A seed makes a run repeatable:")
    z = rxExec(play_dice, timesToRun=10000, taskChunkSize=2000, RNGseed=777)
    print(f"  {table(z)}")
    again = rxExec(play_dice, timesToRun=10000, taskChunkSize=2000, RNGseed=777)
    print(f"  {table(again)}  the same games: {again == z}")
    named = rxExec(play_dice, timesToRun=10000, taskChunkSize=2000, RNGseed=777, RNGkind=kind)
    print(f"  {table(named)}  the same games with RNGkind={kind!r}, the default: {named == z}")
    other = rxExec(play_dice, timesToRun=10000, taskChunkSize=2000, RNGseed=777, RNGkind=another)
    print(f"  {table(other)}  the same games with RNGkind={another!r}: {other == z}")

    print("\nWithout a seed the numbers are new each time, and yet can be had again:")
    x3 = rxExec(np.random.uniform, size=500, timesToRun=5, RNGkind="auto")
    x4 = rxExec(np.random.uniform, size=500, timesToRun=5, RNGseed="auto")
    print(f"  two runs with 'auto' give the same numbers: {equal(x3, x4)}")
    replayed = rxExec(np.random.uniform, size=500, timesToRun=5, RNGkind=x3.rng.kind, RNGseed=x3.rng.seed)
    print(f"  the first one replayed from its .rng, {x3.rng.kind} with seed {x3.rng.seed}: {equal(x3, replayed)}")

    print("\nStreams are not correlated:")
    x = rxExec(np.random.uniform, size=500, timesToRun=5, RNGkind="auto")
    corx = np.corrcoef(x)
    np.fill_diagonal(corx, 0)
    print("\n".join("  " + "".join(f"{value:8.3f}" for value in row) for row in corx))
    print(f"  largest correlation: {abs(corx).max():.3f}; any above 0.3: {bool((abs(corx) > 0.3).any())}")

    about_reproducibility(options.context)


def equal(x: RxResults, y: RxResults) -> bool:
    """Tell whether two lists of arrays are equal, bit for bit."""
    return all(np.array_equal(a, b) for a, b in zip(x, y, strict=True))


def about_reproducibility(context: str) -> None:
    """Run 100 chunks, far more than there are workers, in every way that might make a difference."""
    print("\nAbout reproducibility, 10,000 games in 100 chunks:")
    rxSetComputeContext(RxLocalSeq())
    expected = rxExec(play_dice, timesToRun=10000, taskChunkSize=100, RNGseed=777)
    tell("one after another in this process", expected, expected)
    rxSetComputeContext(RxLocalParallel())
    for workers in (1, 2):
        before = rxOptions(numCoresToUse=workers)
        z = rxExec(play_dice, timesToRun=10000, taskChunkSize=100, RNGseed=777)
        tell(f"RxLocalParallel with numCoresToUse={workers}", z, expected)
        rxOptions(**before)
    rxSetComputeContext(context)
    z = rxExec(play_dice, timesToRun=10000, taskChunkSize=100, RNGseed=777)
    tell(f"--context {context}", z, expected)

    print("\nA stream for each game, 10,000 of them:")
    expected = rxExec(play_dice, timesToRun=10000, RNGseed=777)
    tell("without taskChunkSize", expected, expected)
    for size in (10, 777, 10000):
        z = rxExec(play_dice, timesToRun=10000, taskChunkSize=size, RNGscope="task", RNGseed=777)
        tell(f"taskChunkSize={size}, RNGscope='task'", z, expected)

    print("\nA task with a stream of its own choice:")
    z = rxExec(play_dice_on_a_stream, 777, timesToRun=2)
    print(f"  {z[0]}  the same in both tasks: {z[0] == z[1]}")
    with rxRngNewStream(kind="PHILOX", subStream=5, seed=777):
        print(f"  the same here, without rxExec: {[play_dice() for _ in range(3)] == z[0]}")


def tell(how: str, z: RxResults, expected: RxResults) -> None:
    """Print the counts, and whether each game ended as expected."""
    processes = z.info["pid"].nunique()
    print(f"  {table(z)}  the same games: {z == expected}  processes: {processes}  {how}")


if __name__ == "__main__":
    main()
