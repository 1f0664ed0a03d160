"""Names of processes: a token of this one, and an identity by host, number and time of start that others can check."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PACKAGE", "Process", "process_token", "this_process"]

PACKAGE = Path(__file__).parent
"""The folder of rxspark itself, which travels to executors and into packed environments."""

_PROCESS = os.urandom(16).hex()


def process_token() -> str:
    """A name of this very process: a forked child shares the module's state, but not the process number."""
    return f"{_PROCESS}-{os.getpid()}"


@dataclass(frozen=True)
class Process:
    """A process on some host."""

    host: str
    pid: int
    started: str
    """When it started, in the words of its host; empty where that is not told."""
    system: str = ""
    """Scope of its number: the boot of its host, and its container; empty where the system does not tell."""

    @property
    def here(self) -> bool:
        """Tell whether it runs, or ran, where this process can see it: hosts may share a name, and containers do."""
        return (self.host, self.system) == (socket.gethostname(), _system())

    @property
    def alive(self) -> bool:
        """Tell whether it still runs; valid on its own host only."""
        with contextlib.suppress(PermissionError):  # it is there, and another user's
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return False
        return _started(self.pid) == self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    """The process that asks."""
    return Process(socket.gethostname(), os.getpid(), _started(os.getpid()), _system())


def _started(pid: int) -> str:
    """The time since the boot of its host; a process that has ended but was not yet waited for is gone."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # no Linux: the number alone has to do
        return ""
    return "" if state in "ZX" else rest[18]


def _system() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
