"""Use of scripts/lab by tests: several hosts on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project import LAB

__all__ = ["MASTER", "Lab", "lab_that_is_up"]

MASTER = "spark://host0:7077"


class Lab:
    """A lab that is up, whose commands are those of scripts/lab."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.share = folder / "share"
        """On the hosts: /run/share."""

    def command(self, *words: object) -> list[str]:
        """Return the command line of a command of the lab."""
        return [sys.executable, str(LAB), "--dir", str(self.folder), *map(str, words)]

    def try_to(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run a command of the lab, whether or not it succeeds."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=280)

    def do(self, *words: object) -> str:
        """Run a command of the lab that succeeds, and give its standard output."""
        done = self.try_to(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def on(self, host: str, *words: object) -> str:
        """Run a command on a host and give its standard output."""
        return self.do("on", host, *words)


@contextmanager
def lab_that_is_up(folder: Path, workers: int, *options: str) -> Iterator[Lab]:
    """Bring a lab up for a while. Raises RuntimeError where there can be none, with what scripts/lab says."""
    lab = Lab(folder)
    up = lab.try_to("up", workers, *options)
    try:
        if up.returncode:
            raise RuntimeError(up.stderr)
        yield lab
    finally:
        lab.try_to("down")
