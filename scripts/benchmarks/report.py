"""Write the results: Markdown and JSON tables, the targets, how times grow, and plots."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.workloads import WORKLOADS

# {workload: {contender: {"figures": [...], "note": ...}}}
Results = dict[str, dict[str, dict[str, Any]]]

PACKAGES = ("rxspark", "pyspark", "numpy", "mkl_random", "joblib", "loky", "distributed", "ray", "joblibspark")


@dataclass(frozen=True)
class Target:
    """A target: at most `factor` times the median of `beside`, or so many milliseconds, or `copies`."""

    workload: str
    contender: str
    beside: str = ""
    factor: float = 1.0
    milliseconds: float = 0.0
    copies: float = 0.0


TARGETS = (
    Target("noop2", "rx-spark", beside="pyspark-unix", factor=1.15),
    Target("noop2", "rx-borrowed", beside="pyspark-tcp", factor=0.6),
    Target("noop10k", "rx-localpar", beside="loky", factor=1.1),
    Target("noop10k", "rx-spark", milliseconds=100),
    Target("dice", "rx-localpar", milliseconds=35),
    Target("dice", "rx-spark", milliseconds=80),
    Target("filter", "rx-localpar", milliseconds=150),
    Target("filter-placed", "rx-localpar", milliseconds=100),
    Target("groups", "rx-localpar", beside="joblib"),
    Target("groups", "rx-spark", beside="pyspark-unix", factor=1.3),
    Target("groups", "rx-borrowed", beside="pyspark-tcp", factor=1.3),
    Target("memory2", "rx-localpar", copies=1.2),
    Target("memory2", "rx-spark", copies=1.2),
    Target("memory4", "rx-spark", copies=1.2),
    Target("streams", "rx-mt2203", milliseconds=120),
    Target("streams", "rx-philox", milliseconds=120),
    Target("normals", "rx-mt2203", beside="mkl-mt2203", factor=1.1),
    Target("normals", "rx-sfmt19937", beside="np-legacy", factor=0.2),
    Target("import", "rxspark", milliseconds=100),
)


def write(folder: Path, where: dict[str, str], results: Results, problems: list[str], more: list[str]) -> str:
    """Write results.md, results.json, plot.png and growth.png into `folder`; gives the Markdown."""
    text = "\n\n".join(
        [
            *(table(workload, row) for workload, row in results.items()),
            *more,
            *(["\n".join(f"- **{problem}**" for problem in problems)] if problems else []),
            growth(results),
            targets(results),
            "\n".join(f"- {key}: {value}" for key, value in where.items()),
        ]
    )
    (folder / "results.md").write_text(text + "\n")
    record = {"machine": where, "results": _plain(results), "problems": problems}
    (folder / "results.json").write_text(json.dumps(record, indent=1) + "\n")
    plot(results, folder / "plot.png")
    plot_growth(results, folder / "growth.png")
    return f"{text}\n\nwritten to {folder}"


def table(workload: str, row: dict[str, dict[str, Any]]) -> str:
    """One workload as Markdown, the fastest first."""
    lines = [
        f"### {title(workload)}",
        "",
        f"| contender | min {unit(workload)} | median {unit(workload)} | x rxspark | runs | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, cell in sorted(row.items(), key=lambda item: _median(item[1]) or float("inf")):
        figures = "- | - | - | 0"
        if cell["figures"]:
            low, mid = (_shown(workload, figure) for figure in (min(cell["figures"]), median(cell["figures"])))
            figures = f"{low} | {mid} | {_ratio(workload, name, row)} | {len(cell['figures'])}"
        lines.append(f"| {label(workload, name)} | {figures} | {cell['note']} |")
    return "\n".join(lines)


# Growth of each family: the unit of its slope, its factor from seconds a size, one of what, and the sizes' own unit.
FAMILIES = {"tasks": ("µs", 1e6, "task", "tasks"), "data": ("ms", 1e12, "GB", "bytes")}


def growth(results: Results) -> str:
    """Fit the growth of a family's medians: the line whose relative distances to them have the least sum of squares."""
    lines = ["### Growth", "", "| family | contender | fitted |", "|---|---|---|"]
    for family, (small, scale, what, _) in FAMILIES.items():
        for name, points in curves(results, family).items():
            if len(points) > 2:
                start, slope = fit_line(points)
                text = f"{1000 * start:,.1f} ms + {slope * scale:,.2f} {small} a {what}"
                lines.append(f"| {family} | {CONTENDERS[name].title} | {text} |")
    for name, points in curves(results, "workers").items():
        one = dict(points).get(1)
        gains = [f"{one / seconds:.2f} with {count:.0f}" for count, seconds in points if one and count > 1]
        if gains:
            lines.append(f"| workers | {CONTENDERS[name].title} | times as fast as one: {', '.join(gains)} |")
    return "\n".join(lines) if len(lines) > 4 else "No sizes were compared."


def curves(results: Results, family: str) -> dict[str, list[tuple[float, float]]]:
    """Size and median of each work of a family, by contender."""
    found: dict[str, list[tuple[float, float]]] = {}
    for workload, row in results.items():
        if workload in WORKLOADS and WORKLOADS[workload].family == family:
            for name, cell in row.items():
                if seconds := _median(cell):
                    found.setdefault(name, []).append((WORKLOADS[workload].size, seconds))
    return {name: sorted(points) for name, points in found.items()}


def fit_line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Intercept and slope, neither negative, which the relative errors of measured times determine."""
    import numpy as np
    from scipy.optimize import nnls

    sizes, seconds = np.array(points).T
    (start, slope), _ = nnls(np.column_stack([1 / seconds, sizes / sizes.max() / seconds]), np.ones(len(points)))
    return float(start), float(slope / sizes.max())


def targets(results: Results) -> str:
    """Each target beside what was measured."""
    lines = ["### Targets", "", "| workload | contender | median | to reach | |", "|---|---|---:|---:|---|"]
    for goal in TARGETS:
        row = results.get(goal.workload, {})
        got = _median(row.get(goal.contender))
        other = _median(row.get(goal.beside)) if goal.beside else None
        limit = goal.factor * other if other else goal.copies or goal.milliseconds / 1000
        how = f" ({goal.factor} x {label(goal.workload, goal.beside)})" if goal.beside else ""
        if got is None or not limit:
            continue
        verdict = "reached" if got <= limit else "**not reached**"
        figures = f"{_shown(goal.workload, got)} {unit(goal.workload)} | {_shown(goal.workload, limit)}{how}"
        lines.append(f"| {title(goal.workload)} | {label(goal.workload, goal.contender)} | {figures} | {verdict} |")
    return "\n".join(lines) if len(lines) > 4 else "No target belongs to what was measured."


def machine() -> dict[str, str]:
    """Where this was measured, and with which versions."""
    cpu = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    facts = {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, "
        f"{int(memory[1]) / 2**20 if memory else 0:.0f} GiB, {platform.system()} {platform.release()}",
        "load at the start": f"{os.getloadavg()[0]:.1f} (mean of one minute)",
        "commit": commit,
        "Python": platform.python_version(),
        "Java": _first_line(["java", "-version"]),
        "R": _first_line(["Rscript", "--version"]),
    }
    return facts | {package: _version(package) for package in PACKAGES}


def plot(results: Results, path: Path) -> None:
    """Horizontal bars, one panel a workload, on a logarithmic scale; rxspark's in colour."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = {workload: {n: m for n, c in row.items() if (m := _median(c))} for workload, row in results.items()}
    rows = {workload: row for workload, row in rows.items() if row}
    if not rows:
        return
    heights = [len(row) + 1.5 for row in rows.values()]
    figure, axes = pyplot.subplots(
        len(rows), figsize=(9, 0.3 * sum(heights)), height_ratios=heights, layout="constrained", squeeze=False
    )
    for axis, (workload, row) in zip(axes[:, 0], rows.items(), strict=True):
        names = sorted(row, key=lambda name: row[name], reverse=True)
        colours = ["tab:orange" if name.startswith("rx") else "tab:gray" for name in names]
        lengths = [row[name] * _scale(workload) for name in names]
        bars = axis.barh([label(workload, name) for name in names], lengths, color=colours)
        axis.bar_label(bars, fmt=lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.3g}", padding=3)
        axis.set(xscale="log")
        axis.set_title(f"{title(workload)}, median {unit(workload)}, log scale", loc="left", fontsize="medium")
        axis.xaxis.set_visible(False)  # the bars tell their lengths
        axis.margins(x=0.15)
    figure.savefig(path, dpi=110)


def plot_growth(results: Results, path: Path) -> None:
    """A curve for each contender, one panel a family that has more than one size, both scales logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = {family: curves(results, family) for family in FAMILIES}
    panels = {family: found for family, found in panels.items() if any(len(points) > 1 for points in found.values())}
    if not panels:
        return
    figure, axes = pyplot.subplots(len(panels), figsize=(9, 5 * len(panels)), layout="constrained", squeeze=False)
    # As many as there are contenders, told apart by their marks too.
    marks = "os^vD<>PX*hdp"
    for axis, (family, found) in zip(axes[:, 0], panels.items(), strict=True):
        for number, (name, points) in enumerate(found.items()):
            mark = marks[number % len(marks)]
            width = 2 if name.startswith("rx") else 1
            axis.plot(*zip(*points, strict=True), marker=mark, linewidth=width, label=CONTENDERS[name].title)
        axis.set(xscale="log", yscale="log", xlabel=FAMILIES[family][3], ylabel="seconds")
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=110)


def unit(workload: str) -> str:
    """Unit of a workload's figures in the tables."""
    return "copies" if workload in WORKLOADS and WORKLOADS[workload].memory else "ms"


def _scale(workload: str) -> float:
    return 1 if unit(workload) == "copies" else 1000


def _shown(workload: str, figure: float) -> str:
    return f"{figure:.2f}" if unit(workload) == "copies" else f"{1000 * figure:,.1f}"


def title(workload: str) -> str:
    """A workload's name in the tables."""
    return WORKLOADS[workload].title if workload in WORKLOADS else "import, in a fresh Python"


def label(workload: str, name: str) -> str:
    """A contender's name in the tables; for imports it is the module's."""
    return CONTENDERS[name].title if workload in WORKLOADS else name


def _ratio(workload: str, name: str, row: dict[str, dict[str, Any]]) -> str:
    rival = (WORKLOADS[workload].rival or CONTENDERS[name].rival) if workload in WORKLOADS else "rxspark"
    mine, theirs = _median(row[name]), _median(row.get(rival))
    return f"{mine / theirs:.2f}" if mine and theirs else "-"


def _median(cell: dict[str, Any] | None) -> float | None:
    return median(cell["figures"]) if cell and cell["figures"] else None


def _plain(results: Results) -> Results:
    return {
        workload: {
            name: {**cell, "fingerprints": sorted(cell["fingerprints"]), "median": _median(cell)}
            for name, cell in row.items()
        }
        for workload, row in results.items()
    }


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def _first_line(command: list[str]) -> str:
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return "not there"
    return (told.stderr + told.stdout).strip().splitlines()[0]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
