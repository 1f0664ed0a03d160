"""Write files that are there as a whole or not at all, and tell on reading that one is damaged, edited, or too new.

The first line is ``rxspark <format> <length> <checksum>``, the rest are the bytes that were written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial

from rxspark.errors import RxFileError
from rxspark.files import io
from rxspark.files.paths import FsPath, file_errors

__all__ = ["FORMAT", "create", "prepare", "read", "write"]

FORMAT = 1
"""The format of the files, to be raised when what older versions read would be wrong."""


# Rounds in which processes that want to create the same file make room for one another, and the longest pause between
# them in milliseconds.
_ROUNDS = 20
_PAUSE = 200

# Seconds after which the claim of a process that has not gone on from there is void.
_CLAIM = 60.0


def write(path: FsPath, body: bytes) -> None:
    """Write or replace a file: a reader meanwhile gets the old or the new one, never a part.

    Raises
    ------
    RxFileError, RxContextError
        When it cannot be written; nothing is left behind then.
    """
    prepare(path, body)()


def prepare(path: FsPath, body: bytes) -> Callable[[], None]:
    """Write a draft beside a file, where drafts can be renamed; return what puts the file in its place.

    Errors of both are those of `write`.
    """
    if not path.can_rename:  # a store of objects: an object appears when it is whole
        return partial(_put_object, path, body)
    draft = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    with _removed_on_error(draft, path):
        io.write(draft, lambda file: file.write(_sealed(body)), known_as=path)
    return partial(_put_draft, draft, path)


def _put_object(path: FsPath, body: bytes) -> None:
    with file_errors(path):
        path.fs.pipe_file(path.path, _sealed(body))


def _put_draft(draft: FsPath, path: FsPath) -> None:
    with _removed_on_error(draft, path):
        if path.is_hdfs:
            path.fs.mv(draft.path, path.path, overwrite=True)
        else:
            os.replace(draft.path, path.path)


@contextlib.contextmanager
def _removed_on_error(draft: FsPath, path: FsPath) -> Iterator[None]:
    with file_errors(path):
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                path.fs.rm_file(draft.path)
            raise


def create(path: FsPath, body: bytes) -> bool:
    """Write a file if there is none of that name; of several processes that try, one gets True."""
    if path.is_hdfs:
        return _create_on_hdfs(path, body)
    if not path.can_rename:
        return _create_by_claim(path, body)
    with file_errors(path):
        try:
            with open(path.path, "xb", opener=io.private) as file:
                file.write(_sealed(body))
        except FileExistsError:
            return False
    return True


def _create_on_hdfs(path: FsPath, body: bytes) -> bool:
    """Create by a rename that replaces nothing: the file is whole from the first moment."""
    draft = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    with file_errors(path):
        try:
            io.write(draft, lambda file: file.write(_sealed(body)), known_as=path)
            path.fs.mv(draft.path, path.path, overwrite=False)
        except BaseException as error:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                path.fs.rm_file(draft.path)
            if isinstance(error, FileExistsError):
                return False
            raise
    return True


def _create_by_claim(path: FsPath, body: bytes) -> bool:
    """Create by a claim beside the file: who sees no claim but its own may write the file.

    Of two processes that first write their claims and then look, at least one sees the other, if the store lists an
    object from the moment in which it is written. Where it does not, S3, Google's and Azure's refuse to replace the
    object; those that only speak their language may lack one or the other.
    """
    prefix = f".{path.name}.claim-"
    for _ in range(_ROUNDS):
        claim = path.parent / f"{prefix}{int(time.time())}-{secrets.token_hex(4)}"
        write(claim, b"")
        try:
            names = path.parent.names()
            if path.name in names:
                return False
            if not any(_holds(name, prefix) for name in names if name != claim.name):
                return _put_new(path, body)  # before the claim goes: at each moment one of the two is seen
        finally:
            with contextlib.suppress(Exception):  # void after a while
                path.fs.rm_file(claim.path)
        time.sleep(secrets.randbelow(_PAUSE) / 1000)
    return False


def _put_new(path: FsPath, body: bytes) -> bool:
    """Put an object that is not there, which a store refuses if it can when another process has put one."""
    if not path.store:
        write(path, body)
        return True
    with file_errors(path):
        try:
            path.fs.pipe_file(path.path, _sealed(body), mode="create")
        except Exception as error:
            if getattr(error, "errno", None) == errno.ENOSYS:  # it knows no such condition
                write(path, body)
                return True
            if path.info() is None:
                raise
            return read(path) == body  # ours, put by an attempt whose answer was lost
    return True


def _holds(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and int(name.removeprefix(prefix).partition("-")[0]) > time.time() - _CLAIM


def read(path: FsPath) -> bytes:
    """Read the bytes of a record.

    Raises
    ------
    RxFileError
        When the file is not there, was damaged or edited, or is of a newer format; names the file.
    RxContextError
        When the file system cannot be reached.
    """
    data = io.read(path)
    prefix, _, body = data.partition(b"\n")
    words = prefix.split(b" ")
    if len(words) != 4 or words[0] != b"rxspark" or not words[1].isdigit() or not words[2].isdigit():
        raise RxFileError(f"{path} is damaged, or no file of rxspark: its first line is not the one that was written")
    if int(words[1]) > FORMAT:
        raise RxFileError(
            f"{path} was written by a newer version of rxspark (format {int(words[1])}; this one reads up to format "
            f"{FORMAT}): read it with that version, or update this one"
        )
    if len(body) != int(words[2]):
        raise RxFileError(f"{path} is damaged: {len(body)} bytes of {int(words[2])} are there")
    if words[3] != _checksum(body):
        raise RxFileError(f"{path} is damaged, or was edited: its checksum is wrong")
    return body


def _sealed(body: bytes) -> bytes:
    return b"rxspark %d %d %s\n%s" % (FORMAT, len(body), _checksum(body), body)


def _checksum(body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body)
