"""Copy, move and remove files, on one file system or between two."""

from __future__ import annotations

import contextlib
import glob
import os
from typing import Any

from rxspark.errors import RxArgumentError
from rxspark.files.io import pieces, write
from rxspark.files.paths import FsPath, file_errors

__all__ = ["check_free", "copy", "make_folder", "move", "pairs", "remove"]


def pairs(sources: list[FsPath], target: FsPath, given: Any) -> list[tuple[FsPath, FsPath]]:
    """Pair each source with its target: inside the target if that is a folder, else under the target's name."""
    many = len(sources) > 1 or os.fspath(given).endswith("/")
    into = target.is_folder() or (many and target.store != "" and target.info() is None)  # which has no empty folders
    if many and not into:
        wanted = "several sources need a folder as dest" if len(sources) > 1 else "the slash at its end means a folder"
        raise target.error(f"{wanted}, and this is none; make it with rxHadoopMakeDir")
    found = [(source, target / source.name if into else target) for source in sources]
    for source, goal in found:
        if source.shares_file_system(goal) and f"{goal.path}/".startswith(f"{source.path}/"):
            raise RxArgumentError(f"{source} cannot be put in its own place, {goal}")
    names = [goal.path for _, goal in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise target.at(twice).error("several sources would get this name")
    return found


def check_free(target: FsPath, overwrite: bool) -> None:
    """Refuse to write over a file or folder, unless that was asked for."""
    if not overwrite and target.info() is not None:
        raise target.error("exists already; overwrite=True replaces files, never folders")


def make_folder(path: FsPath) -> None:
    """Make a folder and those above it; in a store of objects it is there with the first file in it."""
    found = path.info()
    if found is not None and found["type"] != "directory":
        raise path.error("exists already, as a file")
    if path.store:
        if problem := path.missing_bucket():
            raise path.error(problem)
    elif found is None:
        with file_errors(path):
            path.fs.makedirs(path.path, exist_ok=True)


def copy(source: FsPath, target: FsPath, overwrite: bool, mode: int | None = None) -> None:
    """Copy a file, or a folder with all that is in it; None: files get the mode that is usual there."""
    check_free(target, overwrite)
    if not source.is_folder():
        return _copy_file(source, target, mode)
    make_folder(target)
    for entry in source.entries():
        name = str(entry["name"]).rstrip("/").rpartition("/")[2]
        copy(source / name, target / name, overwrite, mode)
    return None


def _copy_file(source: FsPath, target: FsPath, mode: int | None) -> None:
    """Copy under another name first, so that nobody sees half a file, and an interrupted copy leaves none.

    Stores of objects cannot rename; they show a file only once it is written, and till then what was there before.
    """
    if target.is_folder():
        raise target.error("is a folder, and a file does not replace it")
    make_folder(target.parent)
    part = target.parent / f".{target.name}._COPYING_.{os.getpid()}" if target.can_rename else target
    try:
        write(part, lambda file: _pour(source, file), known_as=target, mode=mode)
        if part is not target:
            _rename(part, target, overwrite=True)
    except BaseException:
        if not part.store:
            with contextlib.suppress(Exception):
                remove(part, skip_trash=True)
        raise


def _pour(source: FsPath, file: Any) -> None:
    for piece in pieces(source):
        file.write(piece)


def move(source: FsPath, target: FsPath, overwrite: bool) -> None:
    """Move a file or folder: by a new name where that is enough, else by a copy."""
    if source.shares_file_system(target) and source.can_rename:
        make_folder(target.parent)
        _rename(source, target, overwrite)
    else:
        copy(source, target, overwrite)
        remove(source, skip_trash=True)


def _rename(source: FsPath, target: FsPath, overwrite: bool) -> None:
    with file_errors(target):
        source.fs.mv(source.path, target.path, **({"overwrite": overwrite} if source.is_hdfs else {}))


def remove(path: FsPath, skip_trash: bool) -> None:
    """Remove a file, or a folder with all that is in it; on HDFS into the trash where there is one."""
    with file_errors(path):
        if path.is_hdfs and not skip_trash and path.fs.trash(path.path):
            return
        # The other file systems of fsspec take a path for a pattern.
        pattern = path.path if path.can_rename else glob.escape(path.path)
        path.fs.rm(pattern, recursive=path.is_folder())
