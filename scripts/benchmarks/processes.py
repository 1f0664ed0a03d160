"""Processor time, memory and children of processes, as the kernel tells them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["children", "command", "memory_mb", "parent", "peak_mb", "processor"]

_TICKS = os.sysconf("SC_CLK_TCK")


def processor(pid: int, ended: bool = False) -> float:
    """Seconds of processor that a process has taken, and that its children have which `ended`."""
    return sum(map(int, _fields(pid)[11 : 15 if ended else 13])) / _TICKS


def parent(pid: int) -> int:
    """The process that has started another one."""
    return int(_fields(pid)[1])


def command(pid: int) -> bytes:
    """The command line of a process."""
    return Path("/proc", str(pid), "cmdline").read_bytes()


def memory_mb(pid: int, kind: str) -> float:
    """Megabytes that a process has in memory: "Rss", or "Pss" with its share only of what it shares with others."""
    rollup = Path("/proc", str(pid), "smaps_rollup").read_text()
    return int(rollup.partition(f"{kind}:")[2].split()[0]) / 1000


def peak_mb() -> float:
    """Megabytes that this process has had in memory at most; `getrusage` counts those of its parent, too."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1000


def children(pid: int) -> list[int]:
    """The processes that a process has started, and that still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if parent(int(process.name)) == pid:
                found.append(int(process.name))
        except OSError:  # it has ended
            continue
    return found


def _fields(pid: int) -> list[str]:
    """Fields of the kernel's line on a process, from its state on."""
    return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
