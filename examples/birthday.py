"""The birthday problem: the probability that two of n people share a birthday, for n from 2 to 100.

    python examples/birthday.py --context local|localpar|dopar|spark

Shows `rxElemArg`, which gives each task another value of an argument, `taskChunkSize`, and `rxLinePlot`. What to see:
simulated probabilities within sampling error of the exact ones, better than 50-50 from 23 people on, and examples/
output/birthday.png: a point for each party size, coloured by chunk and node, on the exact curve.
"""

from __future__ import annotations

import numpy as np
from common import OUTPUT, read_options
from matplotlib.figure import Figure

from rxspark import RxResults, rxElemArg, rxExec, rxLinePlot, rxSetComputeContext

PEOPLE = range(2, 101)


def pbirthday(n: int, ntests: int = 5000) -> float:
    """The share of `ntests` random groups of n people in which at least two have the same birthday."""
    birthdays = np.sort(np.random.randint(365, size=(ntests, n)), axis=1)
    return float((np.diff(birthdays, axis=1) == 0).any(axis=1).mean())


def exact(n: int) -> float:
    """The same by calculation: one minus the probability that all n birthdays differ."""
    return 1 - float(np.prod(1 - np.arange(n) / 365))


def main() -> None:
    """Simulate, compare with the exact probabilities, plot."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)
    ntests = 500 if options.quick else 5000

    results = rxExec(pbirthday, n=rxElemArg(range(2, 101)), ntests=ntests, taskChunkSize=20)

    print("people  simulated   exact")
    for n in (3, 23, 25, 50, 100):
        print(f"{n:6}  {results[n - 2]:9.4f}  {exact(n):6.4f}")
    largest = max(abs(p - exact(n)) for n, p in zip(PEOPLE, results, strict=True))
    print(f"\nlargest difference: {largest:.4f}; at {ntests} tests each, up to {2 / ntests**0.5:.4f} is to be expected")
    print(f"to get just these numbers again: RNGkind={results.rng.kind!r}, RNGseed={results.rng.seed}")
    plot(results)


def plot(results: RxResults) -> None:
    """Plot probability against party size."""
    axes = Figure(figsize=(8, 5), layout="constrained").subplots()
    curve = {"partySize": PEOPLE, "exact": [exact(n) for n in PEOPLE]}
    rxLinePlot("exact ~ partySize", curve, lineColor="0.6", lineWidth=1, ax=axes)
    info = results.info
    chunks = info["chunk"].astype(str) + " on " + info["host"].str.partition(".")[0]
    birthday_data = {"probSameBD": list(results), "partySize": PEOPLE, "chunk": chunks}
    rxLinePlot(
        "probSameBD ~ partySize",
        groups="chunk",
        data=birthday_data,
        type="p",
        xTitle="Party Size",
        yTitle="Probability of Same Birthday",
        title="Our Rockin Soiree!",
        ax=axes,
    )
    axes.annotate("exact probability", (30, exact(30)), (34, exact(30) - 0.02), color="0.4", va="center")
    axes.figure.savefig(OUTPUT / "birthday.png", dpi=120)
    print(f"picture: {OUTPUT / 'birthday.png'}")


if __name__ == "__main__":
    main()
