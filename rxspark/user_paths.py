"""Resolve the paths that users write: once, on the driver, by the compute context."""

from __future__ import annotations

import os
from typing import Any

from rxspark.contexts import ComputeContext, RxSpark, rxGetComputeContext
from rxspark.errors import RxArgumentError
from rxspark.files.kerberos import log_in
from rxspark.files.paths import URL, FsPath, default_file_system, hadoop_user, open_path

__all__ = ["from_home", "local_path", "resolve", "share_folder", "store_folder"]


def resolve(path: str | os.PathLike[str], argument: str) -> FsPath:
    """Find the file system and the path of a user's path; see `rxHadoopListFiles` for the rule.

    Raises
    ------
    RxArgumentError
        When `path` is no path.
    RxMissingError
        When fsspec, or the wheel for that kind of URL, is not installed.
    """
    text = _text(path, argument)
    _log_in(rxGetComputeContext())
    if not URL.match(text):
        default = default_file_system()
        text = from_home(text, default)
    if not URL.match(text):
        text = f"{default or ''}{text}" if text.startswith("/") else f"{_base(rxGetComputeContext(), default)}/{text}"
    return open_path(text)


def store_folder(context: ComputeContext) -> FsPath | None:
    """The folder in which the jobs of a context survive, if it names one; one that all hosts reach goes first."""
    _log_in(context)
    named = context.shareDir or getattr(context, "hdfsShareDir", None)
    return open_path(_base(context, default_file_system())) if named else None


def share_folder(context: RxSpark) -> FsPath | None:
    """The folder that all hosts reach, if the context names one."""
    _log_in(context)
    return open_path(_base(context, default_file_system())) if context.hdfsShareDir else None


def _log_in(context: ComputeContext) -> None:
    """Reach HDFS as the principal that a context names with its keytab."""
    if isinstance(context, RxSpark):
        log_in(context.settings())


def local_path(path: str | os.PathLike[str], argument: str) -> FsPath:
    """A path on this machine, relative to the current folder."""
    text = _text(path, argument)
    scheme = URL.match(text)
    if scheme and scheme[1] != "file":
        raise RxArgumentError(f"{argument}={text!r}: {argument} is a file on this machine; use rxHadoopCopy for URLs")
    return open_path(os.path.expanduser(text.removeprefix("file://")))


def _text(path: Any, argument: str) -> str:
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or "\0" in text or (text == "" and argument != "path"):
        raise RxArgumentError(f"{argument}={path!r}: {argument} is a path such as 'data/x.csv', or a URL")
    return text


def _base(context: ComputeContext, default: str | None) -> str:
    """The folder that relative paths start from."""
    share = os.fspath(context.hdfsShareDir or "") if isinstance(context, RxSpark) else None
    if share:
        share = from_home(share, default)
        return share if URL.match(share) else f"{default or ''}{share if share[0] == '/' else os.path.abspath(share)}"
    if context.share_dir:
        return os.path.abspath(context.share_dir)
    return _home(default) if default else os.getcwd()


def from_home(path: str, default: str | None) -> str:
    """Replace a "~" at the start of a path by the home folder on the file system that the path belongs to."""
    if default and (path == "~" or path.startswith("~/")):
        return f"{_home(default)}{path[1:]}"
    return os.path.expanduser(path)


def _home(default: str) -> str:
    return f"{default}/user/{hadoop_user()}"
