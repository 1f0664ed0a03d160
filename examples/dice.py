"""Playing dice: a casino game simulated 10,000 times, in chunks of 2,000.

    python examples/dice.py --context local|localpar|dopar|spark

Shows `timesToRun`, `taskChunkSize` and `RNGseed`. What to see: about 4,929 wins; exactly the same number in every
context and in every run, as each chunk draws from a random stream of its own that only the seed decides; and a second
call that takes a fraction of the first, once the workers are there. (It is quick as it is: `--quick` changes nothing.)
"""

from __future__ import annotations

import random
import time

import pandas as pd
from common import read_options

from rxspark import rxExec, rxSetComputeContext


def play_dice() -> str:
    """One game. It needs to know nothing of streams and seeds: `random` and NumPy draw from the chunk's stream."""
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


def main() -> None:
    """Play, and tell who won, how long it took and where it ran."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)

    started = time.perf_counter()
    games = rxExec(play_dice, timesToRun=10000, taskChunkSize=2000, RNGseed=777)
    first = time.perf_counter() - started

    print(pd.Series(games).value_counts().sort_index().to_frame().T.to_string(index=False))
    print("\nexpected: 4,929 wins, give or take 100")

    started = time.perf_counter()
    again = rxExec(play_dice, timesToRun=10000, taskChunkSize=2000, RNGseed=777)
    second = time.perf_counter() - started
    print(f"\ntime: {first:.2f} s with the start of the workers; {second:.2f} s for the same games once more")
    print(f"the same result of every game: {again == games}")

    where = games.info.groupby(["host", "pid"]).agg(chunks=("chunk", "nunique"), tasks=("task", "size"))
    print(f"\nwhere the games ran:\n{where.reset_index().to_string(index=False)}")


if __name__ == "__main__":
    main()
