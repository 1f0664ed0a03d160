"""One model a task: a simulation of 1,000 Poisson regressions, 10 in each of 100 tasks, in chunks of 5.

    python examples/poisson.py --context local|localpar|dopar|spark

Shows `rxGlm` within rxExec: every task simulates its data and fits its own models, and what comes back is a list of
their coefficients. What to see: estimates that spread around the true coefficients 0, 1 and 2 as their standard errors
say, and examples/output/poisson.png, the distributions of the three.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from common import OUTPUT, read_options

from rxspark import rxExec, rxGlm, rxLinePlot, rxSetComputeContext

TRUE = np.array([0.0, 1.0, 2.0])
NAMES = ["(Intercept)", "x1", "x2"]


def simulate_poisson_data(nobs: int) -> pd.DataFrame:
    """Counts whose logarithm depends on two variables."""
    x1 = np.log(np.random.uniform(0.5, 1.5, nobs))
    x2 = np.log(np.random.uniform(0.5, 1.5, nobs))
    rate = np.exp(TRUE[0] + TRUE[1] * x1 + TRUE[2] * x2)
    return pd.DataFrame({"count": np.random.poisson(rate), "x1": x1, "x2": x2})


def sim_and_estimate_poisson(nobs: int, trials: int) -> np.ndarray:
    """The coefficients of each trial, one a row; rxGlm is quiet, so that no `reportProgress` is to be set."""
    fits = (rxGlm("count ~ x1 + x2", data=simulate_poisson_data(nobs), family="poisson") for _ in range(trials))
    return np.array([fit.params.to_numpy() for fit in fits])


def main() -> None:
    """Simulate and estimate, compare with the truth, plot."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)
    runs, trials, nobs = (20, 2, 2_000) if options.quick else (100, 10, 50_000)

    started = time.perf_counter()
    results = rxExec(sim_and_estimate_poisson, nobs=nobs, trials=trials, taskChunkSize=5, timesToRun=runs, RNGseed=777)
    seconds = time.perf_counter() - started

    estimates = np.vstack(results)
    print(f"{len(estimates):,} models of {nobs:,} rows each in {seconds:.1f} s\n")
    print("              true     mean   standard deviation   standard error of a fit")
    with_errors = rxGlm("count ~ x1 + x2", simulate_poisson_data(nobs), family="poisson")
    table = zip(NAMES, TRUE, estimates.mean(axis=0), estimates.std(axis=0, ddof=1), with_errors.bse, strict=True)
    for name, true, mean, deviation, error in table:
        print(f"{name:12} {true:5.1f} {mean:8.4f} {deviation:20.4f} {error:25.4f}")
    plot(estimates, nobs)


def plot(estimates: np.ndarray, nobs: int) -> None:
    """Draw how far the estimates are from the truth."""
    errors = estimates - TRUE
    bins = min(30, len(errors) // 4)
    edges = np.linspace(-abs(errors).max(), abs(errors).max(), bins + 1)
    counts = [np.append(np.histogram(column, edges)[0], 0) for column in errors.T]
    spread = {"error": np.tile(edges, 3), "models": np.concatenate(counts), "coefficient": np.repeat(NAMES, len(edges))}
    panels = rxLinePlot(
        "models ~ error | coefficient",
        spread,
        type="s",
        lineWidth=1,
        xTitle="estimate - true coefficient",
        yTitle="models",
        title=f"Estimates of {len(estimates):,} Poisson regressions on {nobs:,} rows",
    )
    for axes in panels:
        axes.fill_between(*axes.lines[0].get_data(), step="post", alpha=0.3)
        axes.axvline(0, color="0.5", linewidth=1)
        axes.set_ylim(bottom=0)
    panels[0].figure.savefig(OUTPUT / "poisson.png", dpi=120)
    print(f"\npicture: {OUTPUT / 'poisson.png'}")


if __name__ == "__main__":
    main()
