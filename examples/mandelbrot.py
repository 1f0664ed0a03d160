"""The Mandelbrot set, 240 x 240 points, a row of them a task, in chunks of 48 rows.

    python examples/mandelbrot.py --context local|localpar|dopar|spark

Shows constants beside element arguments: every task gets the same `xvec` and `limit`, and a `y0` of its own. And
`execObjects`, the names of objects that FUN needs on the workers; here it stands as in RevoScaleR's article. (rxspark
finds by itself what FUN names, so it is needed only for what FUN looks up by other ways.) What to see: about a fifth of
the points never leave, and examples/output/mandelbrot.png.
"""

from __future__ import annotations

import numpy as np
from common import OUTPUT, read_options
from matplotlib import colormaps
from matplotlib.figure import Figure

from rxspark import rxElemArg, rxExec, rxSetComputeContext


def mandelbrot(x0: float, y0: float, limit: int) -> int:
    """The number of iterations until the point leaves the circle of radius 2, at most `limit`."""
    x, y, iteration = x0, y0, 0
    while x * x + y * y < 4 and iteration < limit:
        x, y = x * x - y * y + x0, 2 * x * y + y0
        iteration += 1
    return iteration


def vmandelbrot(xvec: list[float], y0: float, limit: int) -> list[int]:
    """The same for a row of points."""
    return [mandelbrot(x0, y0, limit) for x0 in xvec]


def main() -> None:
    """Compute the rows and draw them."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)
    size, rows = (60, 12) if options.quick else (240, 48)
    limit = 100
    x = np.linspace(-2.0, 0.6, size).tolist()
    y = np.linspace(-1.3, 1.3, size).tolist()

    z = rxExec(vmandelbrot, x, y0=rxElemArg(y), limit=limit, taskChunkSize=rows, execObjects="mandelbrot")

    plot(np.array(z), limit)


def plot(iterations: np.ndarray, limit: int) -> None:
    """Draw the iterations as colours and the points that never left in black."""
    inside = iterations == limit
    print(f"{iterations.shape[0]} x {iterations.shape[1]} points, {inside.mean():.1%} of them in the set")
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        np.ma.array(np.maximum(iterations, 1), mask=inside),  # a logarithmic scale has no place for 0
        cmap=colormaps["viridis"].with_extremes(bad="black"),
        norm="log",
        extent=(-2.0, 0.6, -1.3, 1.3),
        origin="lower",
    )
    bar = figure.colorbar(image, shrink=0.96, label="iterations until |z| > 2")
    bar.set_ticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"], minor=False)
    bar.minorticks_off()
    axes.set(xlabel="real part", ylabel="imaginary part", title="The Mandelbrot set")
    figure.savefig(OUTPUT / "mandelbrot.png", dpi=120)
    print(f"picture: {OUTPUT / 'mandelbrot.png'}")


if __name__ == "__main__":
    main()
