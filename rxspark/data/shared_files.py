"""Files in a folder that all hosts reach, and their end.

They lie in a folder of this process, which goes with it. Those that killed processes of this host have left behind are
swept by the next one.

    <share folder>/rxspark-<user>/<host>/<process>/<number>.bundle    what goes to the workers
                                                   <call>/             what they leave for this process
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import socket
from pathlib import Path

from rxspark.concurrency import once
from rxspark.data.bundle import Bundle
from rxspark.data.refs import RemoteFileRef
from rxspark.errors import RxError
from rxspark.files.io import write
from rxspark.files.paths import FsPath, open_path
from rxspark.process import process_token

__all__ = ["process_folder", "remove_shared_bundle", "write_bundle", "write_shared_bundle"]

_numbers = itertools.count(1)


def write_shared_bundle(bundle: Bundle, share: FsPath) -> tuple[FsPath, RemoteFileRef]:
    """Write a bundle to a file that all hosts can fetch.

    Raises
    ------
    RxFileError
        When the folder cannot be written to, or others could write there; no half file is left behind.
    RxContextError
        When the file system cannot be reached.
    """
    folder = process_folder(share)
    path = folder / f"{next(_numbers)}.bundle"
    try:
        return path, write_bundle(bundle, path, f"{folder.name}-{path.name}")
    except RxError:
        remove_shared_bundle(path)
        raise


def write_bundle(bundle: Bundle, path: FsPath, name: str, known_as: FsPath | None = None) -> RemoteFileRef:
    """Write a bundle to a file; the way to it, by a `name` that no other bundle has."""
    write(path, bundle.write, known_as)
    return RemoteFileRef(str(path), name, bundle.file_size)


def remove_shared_bundle(path: FsPath) -> None:
    """Remove a file; hosts that have fetched it keep their copies for a while."""
    with contextlib.suppress(Exception):  # not worth an error: it goes with the folder of this process
        path.fs.rm_file(path.path)


def process_folder(share: FsPath) -> FsPath:
    """The folder of this process in a share folder, which goes with the process."""
    return _made(str(share), process_token())


@once
def _made(share: str, process: str) -> FsPath:
    """Make that folder, once; after a fork the child makes its own."""
    top = open_path(share)
    ours = top / f"rxspark-{top.user}"
    here = ours / socket.gethostname()
    folder = here / process
    for level in (ours, here, folder):
        level.make()
    # What this process has just made shows as whom the file system knows it, be it by Kerberos or from another host.
    if ours.owner != folder.owner or ours.writable_by_others:
        whose = f"it belongs to {ours.owner!r}" if ours.owner != folder.owner else "others can write there"
        raise ours.error(f"{whose}, and rxspark unpickles what lies there; take that right from them, or remove it")
    _sweep(here)
    atexit.register(_remove_folder, folder, os.getpid())
    return folder


def _sweep(here: FsPath) -> None:
    """Remove what processes of this host have left behind that are no more."""
    for name in here.names():
        folder = here / name
        if not Path("/proc", folder.name.rpartition("-")[2]).exists():
            _remove_folder(folder, os.getpid())


def _remove_folder(folder: FsPath, owner: int) -> None:
    if os.getpid() == owner:  # and not a child that was forked later
        with contextlib.suppress(Exception):  # at exit the file system may be gone before us
            folder.fs.rm(folder.path, recursive=True)
