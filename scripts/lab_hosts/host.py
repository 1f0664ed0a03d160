"""The first process of a host: makes the host's surroundings, plugs it in, and lives as long as the switch.

It runs in namespaces of its own, and reads what the host is like from its standard input (`HostPlan`, as JSON).
Of the machine's files a host sees all, but changes none. Its own are /tmp, /run and /dev/shm, which are empty at each
boot, and /var/tmp, its disk. /run/share is the same folder on all hosts. Of the checkout all hosts but the first
see the Python environment alone, as the nodes of a cluster do.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from lab_hosts.switch import hardware_address
from lab_hosts.wires import connect, new_tap

__all__ = ["NETWORK", "SHARE", "HostPlan", "address_of", "name_of"]

NETWORK = "10.77.0"
SHARE = "/run/share"

# Where the kernel tells which boot of which machine this is; programs take it for the identity of a host.
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_WRITABLE = ("/tmp", "/var/tmp", "/run", "/dev", "/proc", "/sys")


@dataclass(frozen=True)
class HostPlan:
    """Number of a host, and the places of which it is made."""

    number: int
    folder: str
    """Of the lab."""
    checkout: str
    """Hidden on the host, but for what is shown."""
    shown: str
    """The part of the checkout that is seen, or all of it."""


def name_of(number: int) -> str:
    """Return a host's name."""
    return f"host{number}"


def address_of(number: int) -> str:
    """Return a host's address."""
    return f"{NETWORK}.{10 + number}"


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


def _tmpfs(place: str, mode: str = "1777") -> None:
    Path(place).mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size=4g,mode={mode}", "tmpfs", place)


def _bind(source: object, place: object) -> None:
    _run("mount", "--bind", source, place)


def _own_files(plan: HostPlan) -> None:
    """Put the host's own files in the place of the machine's, which then cannot be written to."""
    here = Path(plan.folder, name_of(plan.number))
    (here / "boot_id").write_text(f"{uuid.uuid4()}\n")
    _bind(here / "boot_id", _BOOT_ID)
    _bind(Path(plan.folder, "hosts"), "/etc/hosts")
    kept = Path("/run/shown")
    _tmpfs("/run", "755")
    for source, place in ((Path(plan.folder, "share"), Path(SHARE)), (Path(plan.shown), kept)):
        place.mkdir()
        _bind(source, place)
    _bind(here / "disk", "/var/tmp")
    for empty in ("/tmp", "/dev/shm", plan.checkout):
        _tmpfs(empty)
    Path(plan.shown).mkdir(parents=True, exist_ok=True)
    _run("mount", "--move", kept, plan.shown)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    mounts = [name.encode().decode("unicode_escape") for name in mounts]  # a blank is written \\040
    for mounted in dict.fromkeys(mounts):
        inside = any(mounted == place or mounted.startswith(f"{place}/") for place in _WRITABLE)
        if not inside or mounted in (plan.checkout, plan.shown):
            _run("mount", "-o", "remount,bind,ro", mounted)


def _own_network(number: int) -> int:
    tap = new_tap("eth0")
    hardware = hardware_address(number).hex(":")
    for words in (
        "link set lo up",
        f"link set eth0 address {hardware} up",
        f"address add {address_of(number)}/24 dev eth0",
    ):
        _run("ip", *words.split())
    return tap


def main() -> None:
    """Make the host from its plan and stay until the switch ends."""
    plan = HostPlan(**json.loads(sys.stdin.read()))
    switch = connect(Path(plan.folder))  # before the folder is out of sight
    socket.sethostname(name_of(plan.number))
    _own_files(plan)
    tap = _own_network(plan.number)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the orphans that come to us as the first process
    socket.send_fds(switch, [json.dumps({"do": "plug", "host": plan.number}).encode()], [tap])
    os.close(tap)  # the switch alone has it now, and can take the cable out
    while switch.recv(1 << 16):
        pass


if __name__ == "__main__":
    main()
