"""A million games of dice of which only a table comes home.

    python examples/combine_dice.py --context local|localpar|dopar|spark [--quick]

Shows `combine`: the workers add up what the games give, and send a few tables in place of a million results. What to
see: the same table in every context, as the seed alone decides each game, and the number of tasks what is added to
what; and the memory of this process, which hardly grows. (`--quick` plays 20,000 games.)
"""

from __future__ import annotations

import random
import resource
from collections import Counter

import pandas as pd
from common import read_options

from rxspark import rxExec, rxSetComputeContext


def play_dice() -> Counter[tuple[int, str]]:
    """One game: a table with a single entry, by the number of rolls and the outcome."""
    point = random.randint(1, 6) + random.randint(1, 6)
    if point in (2, 3, 7, 11, 12):
        return Counter({(1, "Win" if point in (7, 11) else "Loss"): 1})
    rolls = 1
    while True:
        rolls += 1
        roll = random.randint(1, 6) + random.randint(1, 6)
        if roll in (point, 7):
            return Counter({(rolls, "Win" if roll == point else "Loss"): 1})


def add(a: Counter[tuple[int, str]], b: Counter[tuple[int, str]]) -> Counter[tuple[int, str]]:
    """Add a table to the first one, which nobody else has."""
    a.update(b)
    return a


def memory() -> float:
    """Megabytes that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    """Play, and show how long games take and who wins them."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)

    rxExec(play_dice, timesToRun=10, RNGseed=1, combine=add)  # starts the workers
    before = memory()
    games = rxExec(play_dice, timesToRun=20_000 if options.quick else 1_000_000, RNGseed=777, combine=add)

    table = pd.Series(games.value).unstack(fill_value=0).sort_index()
    table = pd.concat([table[:6], table[6:].sum().to_frame("more").T]).rename_axis("rolls")
    print(table)
    wins = table["Win"].sum()
    print(f"\nwins: {wins:,} of {games.count:,} games, {wins / games.count:.4f}; expected: {244 / 495:.4f}")
    print(f"came home: tables of {len(games.info)} partitions in {games.timings.total:.1f} s")
    print(f"memory of this process: {memory() - before:.0f} MB more than before")


if __name__ == "__main__":
    main()
