"""File commands, rxHadoop*: list, make, copy, move and remove, on HDFS and any other fsspec file system."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from rxspark.errors import RxArgumentError
from rxspark.files.listing import RxFiles, describe, within
from rxspark.files.operations import check_free, copy, make_folder, move, pairs, remove
from rxspark.files.paths import FsPath, expand
from rxspark.user_paths import local_path, resolve

__all__ = [
    "rxHadoopCopy",
    "rxHadoopCopyFromLocal",
    "rxHadoopCopyToLocal",
    "rxHadoopFileExists",
    "rxHadoopListFiles",
    "rxHadoopMakeDir",
    "rxHadoopMove",
    "rxHadoopRemove",
    "rxHadoopRemoveDir",
]

Path = str | os.PathLike[str]


def rxHadoopListFiles(path: Path = "", recursive: bool = False) -> RxFiles:
    """List a folder, a file, or what a pattern matches.

    Parameters
    ----------
    path : str or path-like, default ""
        A URL (``hdfs://``, ``s3://``, ``file://``, whatever fsspec knows) is taken as it is. A plain path means

        * absolute: a path on the default file system, which is ``fs.defaultFS`` in the core-site.xml of
          HADOOP_CONF_DIR, else this machine's;
        * relative: a path below `hdfsShareDir` of the active `RxSpark`, else below `shareDir` of the active context,
          else below the user's home on the default file system (``/user/name``, as ``hadoop fs`` has it), else below
          the current folder.

        ``*``, ``?`` and ``[...]`` are patterns, unless there is a file with that very name.
    recursive : bool, default False
        Whether the folders in it are listed too.

    Returns
    -------
    RxFiles
        A list of `RxFile`, sorted by name.

    Raises
    ------
    RxFileError
        When nothing is there, or it may not be read.
    RxContextError
        When the file system does not answer.
    RxMissingError
        When the wheel for that kind of file system is not installed.

    Examples
    --------
    >>> import os, tempfile
    >>> from rxspark.hadoop import rxHadoopListFiles, rxHadoopMakeDir
    >>> folder = "file://" + tempfile.mkdtemp()
    >>> rxHadoopMakeDir(f"{folder}/out/parts")
    >>> [os.path.basename(name) for name in rxHadoopListFiles(folder, recursive=True).names]
    ['out', 'parts']
    """
    target = resolve(path, "path")
    found = expand(target)
    if [str(one) for one in found] == [str(target)] and target.is_folder():
        return RxFiles(describe(target, entry) for entry in within(target, recursive))
    listed = RxFiles()
    for one in found:
        listed.append(describe(one, one.info() or {"type": "file"}))
        if recursive and one.is_folder():
            listed += [describe(one, entry) for entry in within(one, recursive)]
    return listed


def rxHadoopFileExists(path: Path) -> bool:
    """Tell whether a file or folder is there.

    Parameters
    ----------
    path : str or path-like
        As for `rxHadoopListFiles`; patterns are not expanded.

    Returns
    -------
    bool
        True for a file and for a folder.

    Raises
    ------
    RxFileError
        When the user may not look.

    Examples
    --------
    >>> from rxspark.hadoop import rxHadoopFileExists
    >>> rxHadoopFileExists("memory://nothing/here")
    False
    """
    return resolve(path, "path").info() is not None


def rxHadoopMakeDir(path: Path) -> None:
    """Make a folder, and those above it; one that is there already is left as it is.

    Stores of objects (S3, Google's, Azure's) have no empty folders: there a folder is there with the first file in it,
    and nothing is made before. Buckets are never made.

    Parameters
    ----------
    path : str or path-like
        As for `rxHadoopListFiles`.

    Raises
    ------
    RxFileError
        When a file is in the way, the user may not write there, or there is no such bucket.

    Examples
    --------
    >>> from rxspark.hadoop import rxHadoopFileExists, rxHadoopMakeDir
    >>> rxHadoopMakeDir("memory://results/july")
    >>> rxHadoopFileExists("memory://results/july")
    True
    """
    make_folder(resolve(path, "path"))


def rxHadoopCopyFromLocal(source: Path | Iterable[Path], dest: Path, overwrite: bool = False) -> None:
    """Copy files or folders of this machine to the cluster's file system.

    Parameters
    ----------
    source : str, path-like, or a list of them
        On this machine, relative to the current folder; patterns are expanded. Several need a folder as `dest`.
    dest : str or path-like
        As for `rxHadoopListFiles`. What is copied goes into `dest` if that is a folder, else gets this name.
    overwrite : bool, default False
        Whether files that are there already are replaced.

    Raises
    ------
    RxFileError
        When a source is missing, `dest` is there already, or the user may not write there.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from rxspark.hadoop import rxHadoopCopyFromLocal, rxHadoopFileExists
    >>> file = pathlib.Path(tempfile.mkdtemp(), "prices.csv")
    >>> _ = file.write_text("low,high")
    >>> rxHadoopCopyFromLocal(file, "memory://prices.csv")
    >>> rxHadoopFileExists("memory://prices.csv")
    True
    """
    _copy_all(_sources(source, "source", local_path), resolve(dest, "dest"), dest, overwrite)


def rxHadoopCopyToLocal(source: Path | Iterable[Path], dest: Path, overwrite: bool = False) -> None:
    """Copy files or folders from the cluster's file system to this machine.

    Parameters
    ----------
    source : str, path-like, or a list of them
        As for `rxHadoopListFiles`. Several need a folder as `dest`.
    dest : str or path-like
        On this machine, relative to the current folder.
    overwrite : bool, default False
        Whether files that are there already are replaced.

    Raises
    ------
    RxFileError
        When a source is missing, `dest` is there already, or the user may not read or write.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from rxspark.hadoop import rxHadoopCopyFromLocal, rxHadoopCopyToLocal
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_text("same")
    >>> rxHadoopCopyFromLocal(folder / "a.txt", "memory://there/b.txt")
    >>> rxHadoopCopyToLocal("memory://there/*.txt", folder)
    >>> (folder / "b.txt").read_text()
    'same'
    """
    _copy_all(_sources(source, "source", resolve), local_path(dest, "dest"), dest, overwrite)


def rxHadoopCopy(source: Path | Iterable[Path], dest: Path, overwrite: bool = False) -> None:
    """Copy files or folders within the cluster's file systems, or from one to another.

    Parameters
    ----------
    source : str, path-like, or a list of them
        As for `rxHadoopListFiles`. Several need a folder as `dest`.
    dest : str or path-like
        As for `rxHadoopListFiles`. What is copied goes into `dest` if that is a folder, else gets this name.
    overwrite : bool, default False
        Whether files that are there already are replaced.

    Raises
    ------
    RxFileError
        When a source is missing, `dest` is there already, or the user may not read or write.

    Examples
    --------
    >>> from rxspark.hadoop import rxHadoopCopy, rxHadoopFileExists, rxHadoopMakeDir
    >>> rxHadoopMakeDir("memory://model/old")
    >>> rxHadoopCopy("memory://model", "memory://backup")
    >>> rxHadoopFileExists("memory://backup/old")
    True
    """
    _copy_all(_sources(source, "source", resolve), resolve(dest, "dest"), dest, overwrite)


def rxHadoopMove(source: Path | Iterable[Path], dest: Path, overwrite: bool = False) -> None:
    """Move or rename files or folders; from one file system to another they are copied, then removed.

    Parameters
    ----------
    source : str, path-like, or a list of them
        As for `rxHadoopListFiles`. Several need a folder as `dest`.
    dest : str or path-like
        As for `rxHadoopListFiles`. What is moved goes into `dest` if that is a folder, else gets this name.
    overwrite : bool, default False
        Whether a file that is there already is replaced; a folder never is.

    Raises
    ------
    RxFileError
        When a source is missing, `dest` is there already, or the user may not write; nothing is moved if that can be
        known before.

    Examples
    --------
    >>> from rxspark.hadoop import rxHadoopFileExists, rxHadoopMakeDir, rxHadoopMove
    >>> rxHadoopMakeDir("memory://draft")
    >>> rxHadoopMove("memory://draft", "memory://final")
    >>> rxHadoopFileExists("memory://draft"), rxHadoopFileExists("memory://final")
    (False, True)
    """
    moves = pairs(_sources(source, "source", resolve), resolve(dest, "dest"), dest)
    for _, target in moves:
        check_free(target, overwrite and not target.is_folder())
    for one, target in moves:
        move(one, target, overwrite)


def rxHadoopRemove(path: Path | Iterable[Path], recursive: bool = False, skipTrash: bool = False) -> None:
    """Remove files and empty folders.

    Parameters
    ----------
    path : str, path-like, or a list of them
        As for `rxHadoopListFiles`.
    recursive : bool, default False
        Whether folders that are not empty are removed too, with all that is in them.
    skipTrash : bool, default False
        Whether HDFS removes at once, even where the cluster is set up to keep what is removed in the user's trash.

    Raises
    ------
    RxFileError
        When something is missing, or is a folder that is not empty; nothing is removed then.

    Examples
    --------
    >>> from rxspark.hadoop import rxHadoopFileExists, rxHadoopMakeDir, rxHadoopRemove
    >>> rxHadoopMakeDir("memory://empty")
    >>> rxHadoopRemove("memory://empty")
    >>> rxHadoopFileExists("memory://empty")
    False
    """
    found = _sources(path, "path", resolve)
    for target in found:
        if target.is_root:
            raise RxArgumentError(f"path={str(target)!r}: a whole file system or bucket is not removed")
        if not recursive and target.is_folder() and target.entries():
            raise target.error("the folder is not empty; use recursive=True or rxHadoopRemoveDir")
    for target in found:
        remove(target, skipTrash)


def rxHadoopRemoveDir(path: Path | Iterable[Path], skipTrash: bool = False) -> None:
    """Remove folders with all that is in them.

    Parameters
    ----------
    path : str, path-like, or a list of them
        As for `rxHadoopListFiles`.
    skipTrash : bool, default False
        As for `rxHadoopRemove`.

    Raises
    ------
    RxFileError
        When something is missing, or is not a folder; nothing is removed then.

    Examples
    --------
    >>> from rxspark.hadoop import rxHadoopFileExists, rxHadoopMakeDir, rxHadoopRemoveDir
    >>> rxHadoopMakeDir("memory://old/parts")
    >>> rxHadoopRemoveDir("memory://old")
    >>> rxHadoopFileExists("memory://old")
    False
    """
    given = _several(path, "path")
    for target in _sources(given, "path", resolve):
        if not target.is_folder():
            raise target.error("not a folder; use rxHadoopRemove")
    rxHadoopRemove(given, recursive=True, skipTrash=skipTrash)


def _several(given: Path | Iterable[Path], argument: str) -> list[Path]:
    """One path or several, as a list."""
    paths = list(given) if isinstance(given, Iterable) and not isinstance(given, (str, bytes)) else [given]
    if not paths:
        raise RxArgumentError(f"{argument}={given!r}: {argument} is a path, a URL, or a list of them")
    return paths


def _sources(given: Path | Iterable[Path], argument: str, find: Callable[[Path, str], FsPath]) -> list[FsPath]:
    """Find the files that the paths and patterns name; an error where one names nothing."""
    return [found for path in _several(given, argument) for found in expand(find(path, argument))]


def _copy_all(sources: list[FsPath], target: FsPath, dest: Path, overwrite: bool) -> None:
    copies = pairs(sources, target, dest)
    for _, goal in copies:
        check_free(goal, overwrite)
    for source, goal in copies:
        copy(source, goal, overwrite)
