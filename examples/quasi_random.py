"""Quasi-random numbers: more digits of an integral from the same number of points.

    python examples/quasi_random.py --context local|localpar|dopar|spark

Shows the kind SOBOL, whose streams are parts of one evenly spread sequence, and `rxRngNewStream` with a `dimension`,
as its points have two coordinates here. The integral is pi: four times the share of points in the unit square that lie
within the quarter circle; each of 5 chunks counts its own. What to see: with 65,536 points a chunk a fifth of the error
that pseudo-random points have; and in examples/output/quasi_random.png how both errors fall as points are added, and
why: pseudo-random points crowd and leave gaps, those of SOBOL do not.
"""

from __future__ import annotations

import math

import numpy as np
from common import COLOURS, OUTPUT, read_options
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rxspark import rxElemArg, rxExec, rxRngNewStream, rxSetComputeContext

CHUNKS = 5
SEEDS = range(1, 21)


def points(kind: str, chunk: int, count: int, seed: int) -> np.ndarray:
    """Points of the unit square, one a row, from a stream that belongs to the chunk."""
    with rxRngNewStream(kind, subStream=chunk, seed=seed, dimension=2 if kind == "SOBOL" else 1):
        return np.random.uniform(size=(count, 2))


def count_hits(chunk: int, kind: str, sizes: list[int], seed: int) -> np.ndarray:
    """Count those of the chunk's first ``sizes[0]``, ``sizes[1]``, ... points that lie within the quarter circle."""
    within = (points(kind, chunk, sizes[-1], seed) ** 2).sum(axis=1) < 1
    return np.cumsum(within)[np.array(sizes) - 1]


def errors(kind: str, sizes: list[int], seed: int) -> np.ndarray:
    """Compute the error of pi with so many points in each of the chunks."""
    hits = rxExec(count_hits, rxElemArg(range(CHUNKS)), kind, sizes, seed)
    return abs(4 * sum(hits) / (CHUNKS * np.array(sizes)) - math.pi)


def main() -> None:
    """Integrate with ever more points of both kinds, print the errors, plot."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)
    sizes = [2**power for power in range(6, 13 if options.quick else 17)]

    sobol = errors("SOBOL", sizes, seed=777)  # the one sequence, whatever the seed
    pseudo = np.array([errors("MT2203", sizes, seed) for seed in SEEDS])
    typical = np.sqrt((pseudo**2).mean(axis=0))

    print(f"errors of pi by {CHUNKS} chunks (MT2203: root mean square over {len(SEEDS)} seeds)\n")
    print("points a chunk     SOBOL    MT2203")
    for size, one, other in zip(sizes, sobol, typical, strict=True):
        print(f"{size:14,}  {one:8.5f}  {other:8.5f}")
    print(f"\nMT2203 misses pi {typical[-1] / sobol[-1]:.1f} times as far as SOBOL with {sizes[-1]:,} points a chunk")
    again = errors("SOBOL", sizes, seed=1)
    print(f"SOBOL with another seed: the same points, {np.array_equal(again, sobol)}")
    plot(sizes, sobol, pseudo, typical)


def plot(sizes: list[int], sobol: np.ndarray, pseudo: np.ndarray, typical: np.ndarray) -> None:
    """Two clouds of points above, the errors below."""
    figure = Figure(figsize=(8, 9), layout="constrained")
    rows = figure.subplot_mosaic([["MT2203", "SOBOL"], ["errors", "errors"]], height_ratios=[1, 1.1])
    for kind, colour in (("MT2203", COLOURS[1]), ("SOBOL", COLOURS[0])):
        plot_points(rows[kind], kind, colour)
    axes, total = rows["errors"], CHUNKS * np.array(sizes)
    axes.plot(total, pseudo.T, ".", color=COLOURS[1], alpha=0.35, markersize=4)
    axes.plot(total, typical, "-", color=COLOURS[1], label=f"MT2203: {len(SEEDS)} seeds, and their root mean square")
    axes.plot(total, sobol, "o-", color=COLOURS[0], label="SOBOL")
    axes.set(xscale="log", yscale="log", xlabel=f"points, in {CHUNKS} chunks", ylabel="error of pi")
    axes.set_ylim(1e-5)
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", frameon=False)
    figure.savefig(OUTPUT / "quasi_random.png", dpi=120)
    print(f"picture: {OUTPUT / 'quasi_random.png'}")


def plot_points(axes: Axes, kind: str, colour: str) -> None:
    """The first points of one chunk, and the quarter circle."""
    x, y = points(kind, 0, 512, seed=777).T
    axes.scatter(x, y, s=6, color=colour, linewidths=0)
    angle = np.linspace(0, math.pi / 2)
    axes.plot(np.cos(angle), np.sin(angle), color="0.4", linewidth=1)
    axes.set(title=f"{kind}: 512 points", xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=(0, 1), yticks=(0, 1))


if __name__ == "__main__":
    main()
