"""The network between the hosts of a lab: a process that passes on what they send, as the state of their cables says.

Each host has one cable to the switch. A frame passes the cable of its sender and that of its receiver, and each adds
its delay, and loses its share. A cut cable loses all.

    python -m lab_hosts.switch FOLDER
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import struct
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lab_hosts.wires import LARGEST_MESSAGE, socket_of

__all__ = ["Cable", "Switch", "hardware_address"]

_LARGEST_FRAME = 1 << 16  # bytes
_FRAMES_AT_ONCE = 64  # of one host, before another has its turn


@dataclass(frozen=True)
class Cable:
    """The state of a cable: milliseconds each way, percent of the frames each way, and whether it is cut."""

    delay: float = 0.0
    loss: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class _Plug:
    """A host that is there: its end of the cable, its first process, and the connection that lives as long as it."""

    tap: int
    pid: int
    connection: socket.socket


def hardware_address(number: int) -> bytes:
    """Return the Ethernet address of a host: one of those that anybody may use, with its number at the end."""
    return bytes((2, 0, 0, 0, 0, number))


class Switch:
    """Knows cables by the number of their host, and the hosts that are plugged in."""

    def __init__(self, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._cables: dict[int, Cable] = {}
        self._plugs: dict[int, _Plug] = {}
        self.ended = asyncio.Event()
        self._loop.add_reader(listener, self._accept)

    # -------------------------------------------------------------- messages

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        self._loop.add_reader(connection, self._hear, connection)

    def _hear(self, connection: socket.socket) -> None:
        message, descriptors, _, _ = socket.recv_fds(connection, LARGEST_MESSAGE, 1)
        if not message:
            self._forget(connection)
            return
        answer = self._act(json.loads(message), connection, descriptors)
        with contextlib.suppress(OSError):  # who asked is gone
            connection.send(json.dumps(answer).encode())

    def _forget(self, connection: socket.socket) -> None:
        self._loop.remove_reader(connection)
        connection.close()
        for number, plug in list(self._plugs.items()):
            if plug.connection is connection:
                self._unplug(number)

    def _act(self, message: dict[str, Any], connection: socket.socket, descriptors: list[int]) -> dict[str, Any]:
        what, number = message["do"], message.get("host", -1)
        if what == "plug":
            self._unplug(number)
            self._plugs[number] = _Plug(descriptors[0], _pid_of(connection), connection)
            self._loop.add_reader(descriptors[0], self._pass_on, number)
        elif what == "unplug":
            self._unplug(number)
        elif what == "cable":
            self._cables[number] = replace(self._cables.get(number, Cable()), **message["state"])
        elif what == "end":
            self.ended.set()
        return {
            "pid": os.getpid(),
            "hosts": {n: plug.pid for n, plug in self._plugs.items()},
            "cables": {n: asdict(cable) for n, cable in self._cables.items()},
        }

    def _unplug(self, number: int) -> None:
        plug = self._plugs.pop(number, None)
        if plug is not None:
            self._loop.remove_reader(plug.tap)
            os.close(plug.tap)

    # -------------------------------------------------------------- frames

    def _pass_on(self, sender: int) -> None:
        for _ in range(_FRAMES_AT_ONCE):
            try:
                frame = os.read(self._plugs[sender].tap, _LARGEST_FRAME)
            except BlockingIOError:
                return
            except OSError:  # the host's network is gone
                self._unplug(sender)
                return
            self._send(frame, sender)

    def _send(self, frame: bytes, sender: int) -> None:
        to_all = frame[0] & 1  # the bit of broadcast and multicast addresses
        known = frame[:5] == hardware_address(0)[:5]
        receivers = [n for n in self._plugs if n != sender] if to_all else [frame[5]] if known else []
        here = self._cables.get(sender, Cable())
        for receiver in receivers:
            there = self._cables.get(receiver, Cable())
            if _lost(here) or _lost(there):
                continue
            if here.delay or there.delay:
                self._loop.call_later((here.delay + there.delay) / 1000, self._hand_over, frame, receiver)
            else:
                self._hand_over(frame, receiver)

    def _hand_over(self, frame: bytes, receiver: int) -> None:
        plug = self._plugs.get(receiver)
        if plug is not None and not self._cables.get(receiver, Cable()).cut:
            with contextlib.suppress(OSError):  # its network is not up yet, or is full: a frame is lost, as on any net
                os.write(plug.tap, frame)


def _lost(cable: Cable) -> bool:
    return cable.cut or (cable.loss > 0 and random.random() * 100 < cable.loss)


def _pid_of(connection: socket.socket) -> int:
    """Return the process at the other end, by its number on this machine, whatever number it has in its host."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


async def _serve(folder: Path) -> None:
    path = socket_of(folder)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as listener:
        listener.bind(str(path))
        listener.listen(64)
        await Switch(listener).ended.wait()
        path.unlink()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
