"""Use of scripts/lab by tests: several hosts on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project import LAB, LEFT_BEHIND

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

    def running(self) -> list[str]:
        """Name the hosts that have power; none of a lab that is down."""
        lines = self.try_to("status").stdout.splitlines()
        return [line.split()[0] for line in lines if " runs as process " in line]

    def look(self, host: str, *arguments: object) -> list[str]:
        """Run scripts/left_behind on a host, of which only its Python is there; give its lines."""
        done = self.try_to("on", host, "python", "-c", LEFT_BEHIND.read_text(), *arguments)
        return done.stdout.splitlines()

    def remember(self) -> None:
        """Keep the lists of what is on each host."""
        for host in self.running():
            (self.share / f"before-{host}").write_text("\n".join(self.look(host)))

    def left(self) -> list[str]:
        """Name what is on hosts now and was not there before, but for services, which a host's boot starts anew."""
        return [
            f"{host}: {line}"
            for host in self.running()
            for line in self.look(host, f"/run/share/before-{host}")
            if line != "nothing is left behind" and not any(service in line for service in SERVICES)
        ]


SERVICES = ("lab_hosts.host", "org.apache.spark.deploy.", "org.apache.hadoop.")


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
