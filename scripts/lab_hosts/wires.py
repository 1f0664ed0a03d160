"""Messages to the switch, and network devices whose far end is a file descriptor."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

__all__ = ["LARGEST_MESSAGE", "ask", "connect", "new_tap", "socket_of"]

LARGEST_MESSAGE = 1 << 16  # bytes; the state of some hundred hosts

_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000  # Ethernet frames, and nothing before them: linux/if_tun.h
_TUNSETIFF = 0x400454CA
_IFREQ = "16sH22x"  # the name of the device and its flags, as in struct ifreq


def socket_of(folder: Path) -> Path:
    """Return the path of the socket at which the switch of a lab listens."""
    return folder / "switch.socket"


def connect(folder: Path) -> socket.socket:
    """Connect to the switch of a lab; OSError when there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(socket_of(folder)))
    except OSError:
        connection.close()
        raise
    return connection


def ask(folder: Path, **message: Any) -> dict[str, Any]:
    """Send the switch a message and give its answer; OSError when there is no switch."""
    with connect(folder) as connection:
        connection.settimeout(10)  # seconds; it answers in milliseconds
        connection.send(json.dumps(message).encode())
        answer: dict[str, Any] = json.loads(connection.recv(LARGEST_MESSAGE) or b"{}")
        return answer


def new_tap(name: str) -> int:
    """Make a network device in this network namespace; what it sends and receives is read and written at the result."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack(_IFREQ, name.encode(), _IFF_TAP | _IFF_NO_PI))
    return tap
