"""What came out: Markdown and JSON tables, the targets, and a plot."""

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
    """What to reach: at most `factor` times the median of `beside`, or so many milliseconds, or `copies`."""

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
    Target("memory2", "rx-localpar", copies=1.2),
    Target("memory2", "rx-spark", copies=1.2),
    Target("memory4", "rx-spark", copies=1.2),
    Target("streams", "rx-mt2203", milliseconds=120),
    Target("streams", "rx-philox", milliseconds=120),
    Target("normals", "rx-mt2203", beside="mkl-mt2203", factor=1.1),
    Target("normals", "rx-sfmt19937", beside="np-legacy", factor=0.2),
    Target("import", "rxspark", milliseconds=100),
)


def write(folder: Path, where: dict[str, str], results: Results, problems: list[str]) -> str:
    """Write results.md, results.json and plot.png into `folder`; gives the Markdown."""
    text = "\n\n".join(
        [
            *(table(workload, row) for workload, row in results.items()),
            *(["\n".join(f"- **{problem}**" for problem in problems)] if problems else []),
            targets(results),
            "\n".join(f"- {key}: {value}" for key, value in where.items()),
        ]
    )
    (folder / "results.md").write_text(text + "\n")
    record = {"machine": where, "results": _plain(results), "problems": problems}
    (folder / "results.json").write_text(json.dumps(record, indent=1) + "\n")
    plot(results, folder / "plot.png")
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
        axis.set(xscale="log", title=f"{title(workload)}, median {unit(workload)}")
        axis.margins(x=0.15)
    figure.savefig(path, dpi=110)


def unit(workload: str) -> str:
    """What the figures of a workload count in the tables."""
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
