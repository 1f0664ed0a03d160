"""A way to a NameNode on which answers get lost, and connections break."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from contextlib import suppress

__all__ = ["LossyWire"]


class LossyWire:
    """Takes connections for a NameNode, as if it were at another port.

    Attributes
    ----------
    url : str
        The file system by this way.
    requests : Counter
        How often the NameNode was asked for what has been watched.
    """

    def __init__(self, root: str) -> None:
        host, _, port = root.rpartition("/")[2].partition(":")
        self._namenode = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"hdfs://127.0.0.1:{self._server.getsockname()[1]}"
        self.requests: Counter[str] = Counter()
        self._to_lose: set[str] = set()
        self._to_break = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def lose_an_answer(self, request: str) -> None:
        """Bring the next request of this name to the NameNode, and not its answer back: the connection breaks."""
        self.requests[request] = 0
        self._to_lose.add(request)

    def break_connections(self, more: int) -> None:
        """Break the connections that are there, and so many of the next ones before anything is sent on."""
        self._to_break = more
        for one in self._open:
            with suppress(OSError):  # it is closed
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    @property
    def to_break(self) -> int:
        """Number of connections that are yet to be broken."""
        return self._to_break

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._server.accept()
                if self._to_break:
                    self._to_break -= 1
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                    client.close()
                    continue
                self._open.append(client)
                threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        broken = threading.Event()
        with suppress(OSError), client, socket.create_connection(self._namenode) as namenode:
            threading.Thread(target=_bring_back, args=[namenode, client, broken], daemon=True).start()
            while asked := client.recv(1 << 16):
                seen = {name for name in self.requests if name.encode() in asked}
                self.requests.update(seen)
                if self._to_lose & seen:
                    self._to_lose -= seen
                    broken.set()
                namenode.sendall(asked)


_AT_ONCE = struct.pack("ii", 1, 0)
"""The linger time with which `close` breaks a connection, in place of ending it."""


def _bring_back(namenode: socket.socket, client: socket.socket, broken: threading.Event) -> None:
    with suppress(OSError):
        while (answer := namenode.recv(1 << 16)) and not broken.is_set():
            client.sendall(answer)
        for end in (client, namenode):
            end.shutdown(socket.SHUT_RDWR)
