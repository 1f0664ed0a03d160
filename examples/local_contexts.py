"""rxExec on one machine: in this process, and on its cores.

    python examples/local_contexts.py --context local|localpar|dopar|spark

Shows `RxLocalSeq`, `RxLocalParallel`, `rxOptions(numCoresToUse=...)`, and a context as a `with` block. What to see: the
same five sets of uniform numbers for the same seed everywhere, however many workers there are; in the context of the
command line too. And that the five sets are not correlated with each other. (`--quick` changes nothing.)
"""

from __future__ import annotations

import time

import numpy as np
from common import read_options

from rxspark import RxLocalParallel, RxLocalSeq, RxResults, rxExec, rxGetComputeContext, rxOptions, rxSetComputeContext


def draw(size: int) -> np.ndarray:
    """Uniform numbers, slowly: a worker that is done at once would leave nothing for the others."""
    time.sleep(0.05)
    return np.random.uniform(size=size)


def main() -> None:
    """Draw the same numbers in several contexts."""
    options = read_options(__doc__)
    size = 500

    rxSetComputeContext(RxLocalSeq())
    expected = rxExec(draw, size, timesToRun=5, RNGseed=14)
    show(expected, expected)

    with RxLocalParallel():  # as many workers as there are cores, up to the end of the block
        x = rxExec(draw, size, timesToRun=5, RNGseed=14)
        show(x, expected)
    print(f"after the block: {rxGetComputeContext()}")

    rxSetComputeContext(RxLocalParallel())
    for cores in (1, 2, 5):  # more than there are means all
        before = rxOptions(numCoresToUse=cores)
        x = rxExec(draw, size, timesToRun=5, RNGseed=14)
        show(x, expected, f"with numCoresToUse={cores}")
        rxOptions(**before)

    rxSetComputeContext(options.context)
    x = rxExec(draw, size, timesToRun=5, RNGseed=14)
    show(x, expected)

    correlations = np.corrcoef(x)[np.triu_indices(5, k=1)]
    print(f"largest correlation between two sets: {abs(correlations).max():.2f}")


def show(x: RxResults, expected: RxResults, how: str = "") -> None:
    """Print the first numbers, whether they are the expected ones, and how many processes drew them."""
    same = all(np.array_equal(a, b) for a, b in zip(x, expected, strict=True))
    first = " ".join(f"{numbers[0]:.4f}" for numbers in x)
    place = f"{rxGetComputeContext()!r} {how}".strip()
    print(f"{first}   same: {same}   processes: {x.info['pid'].nunique()}   {place}")


if __name__ == "__main__":
    main()
