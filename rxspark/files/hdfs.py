"""HDFS by hdfs-native, whose requests begin again where the connection to the NameNode breaks in the middle of them.

hdfs-native itself goes to the other NameNode with what changes nothing, and, a few times, with what was not sent yet.
Where the answer to a change was lost, the change may have been made, and what is there now tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rxspark.errors import RxMissingError

__all__ = ["CUT", "LOST", "Patience", "file_system_class", "logged_in"]

LOST = "RPC listener disconnected"
"""The error of hdfs-native when a NameNode dies in the middle of a request: whether it was done is not known."""

CUT = (LOST, "Connection reset", "Broken pipe", "early eof", "unexpected end of file")
"""The errors of a connection that breaks: before a request is sent, while it is being sent, or before its answer."""

# Seconds for which requests and files are begun again: of three DataNodes, one dead, three attempts of four fail.
_RETRY_S = 90.0

# Seconds before the second attempt, by how much longer each further pause is, and the longest: while a DataNode is dead
# the first attempts are to be quick, and many executors may ask for long.
_PAUSE_S, _LONGER, _LONGEST_PAUSE_S = 0.02, 1.2, 1.0


class Patience:
    """Time for which something on HDFS is begun again, with pauses between the attempts."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin the time anew, as something has been done."""
        self._until = time.monotonic() + _RETRY_S
        self._pause = _PAUSE_S

    @property
    def is_over(self) -> bool:
        """Tell whether the next error is to be told."""
        return time.monotonic() > self._until

    def wait(self) -> None:
        """Wait for the next attempt."""
        time.sleep(self._pause)
        self._pause = min(_LONGER * self._pause, _LONGEST_PAUSE_S)


def file_system_class(path_of: Callable[[Any, Any], Any]) -> Any:
    """Make hdfs-native's class of fsspec, with requests that begin again; `path_of` takes URLs apart."""
    from hdfs_native import fsspec as native

    kind: Any = native.HdfsFileSystem
    return type(kind.__name__, (_Requests, kind), {"_strip_protocol": classmethod(path_of), "cachable": False})


def logged_in(url: str, settings: dict[str, str], login: dict[str, str]) -> Any:
    """Make a client of hdfs-native that logs in by a keytab; its fsspec class takes no arguments for that."""
    from hdfs_native import Client

    try:
        return Client(url, settings, **login)
    except TypeError as error:
        raise RxMissingError("to log in by a keytab, Kerberos needs: pip install 'hdfs-native>=0.14.5'") from error


def _ask(request: Callable[[], Any], done: Callable[[], bool] = lambda: False) -> Any:
    """Make a request, again where its connection broke, unless what is there shows that it was done: True then."""
    patience = Patience()
    while True:
        try:
            return request()
        except OSError as error:
            if not any(sign in str(error) for sign in CUT) or patience.is_over:
                raise
        if done():
            return True
        patience.wait()


class _Requests:
    """Requests that change something on HDFS. A folder made twice is one folder, and what is gone may be removed."""

    client: Any
    exists: Callable[[str], bool]

    def mkdir(self, path: str, create_parents: bool = True, permission: int = 0o755) -> None:
        _ask(partial(self.client.mkdirs, path, permission, create_parents))

    def rm(self, path: str, recursive: bool = False) -> None:
        _ask(partial(self.client.delete, path, recursive))

    def rmdir(self, path: str) -> None:
        self.rm(path)

    def rm_file(self, path: str) -> None:
        self.rm(path)

    def mv(self, path1: str, path2: str, overwrite: bool = False) -> None:
        """Rename. Not done again where the old name is gone: the new one may be there by ourselves."""
        _ask(
            partial(self.client.rename, path1, path2, overwrite),
            done=lambda: not self._holds(path1) and self._holds(path2),
        )

    def create(self, path: str, mode: int | None) -> Any:
        """Open a new file, in the place of an old one; None: with the mode that is usual there."""
        from hdfs_native import WriteOptions

        return _ask(partial(self.client.create, path, WriteOptions(permission=mode, overwrite=True)))

    def trash(self, path: str) -> bool:
        """Move into the trash; False where there is none, or it is there already."""
        from hdfs_native import TrashNotEnabledError

        try:
            moved = _ask(lambda: self.client.trash(path) is not None, done=lambda: not self._holds(path))
        except TrashNotEnabledError:
            return False
        except FileNotFoundError:  # hdfs-native has asked again itself for what was done
            if self._holds(path):
                raise
            return True
        return bool(moved)

    def _holds(self, path: str) -> bool:
        """Tell whether something is there, asked again where the connection breaks once more."""
        return bool(_ask(partial(self.exists, path)))
