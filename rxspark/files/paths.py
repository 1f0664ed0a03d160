"""Paths on file systems: local, HDFS, S3 and all else that fsspec knows, on the driver and on executors alike.

Any error that a file system raises becomes an `RxFileError` that names path, user and reason.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import socket
import stat
from collections.abc import Iterator
from functools import partial
from typing import Any

from rxspark.errors import RxArgumentError, RxContextError, RxError, RxFileError, RxMissingError
from rxspark.extras import install
from rxspark.files.buckets import STORES, account_in, denial, missing_bucket
from rxspark.files.hadoop_conf import hadoop_settings, login
from rxspark.files.hdfs import file_system_class, logged_in
from rxspark.files.hdfs_errors import AWAY, advice, shortened
from rxspark.files.kerberos import explained, hadoop_user, keytab_arguments, tokens_host
from rxspark.files.mount_table import mounted
from rxspark.redaction import without_secrets

__all__ = [
    "URL",
    "FsPath",
    "default_file_system",
    "expand",
    "file_errors",
    "hadoop_user",
    "login",
    "open_path",
]

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
"""The scheme that a URL begins with."""

# The extras that bring file systems which fsspec itself lacks, for those that we can name.
_EXTRAS = {"hdfs": "hadoop", **STORES}

# Attempts to reach a NameNode that is given by host and port. By default hdfs-native goes on for minutes.
_FEW_ATTEMPTS = {"dfs.client.failover.max.attempts": "3"}


class FsPath:
    """A path on a file system.

    Attributes
    ----------
    fs : fsspec.AbstractFileSystem
        The file system.
    path : str
        The path as that file system writes it, without a scheme.
    start : str
        What goes before the path to make it a URL; empty for local files.
    account : str
        What goes into a URL of Azure behind the container, such as ``"@account.dfs.core.windows.net"``.
    """

    def __init__(self, fs: Any, path: str, start: str, account: str = "") -> None:
        self.fs = fs
        self.path = path if path.strip("/") == "" else path.rstrip("/")
        self.start = start
        self.account = account

    def __str__(self) -> str:
        """The URL, or the plain path of a local file."""
        first, slash, rest = self.path.partition("/")
        return f"{self.start}{first}{self.account}{slash}{rest}"

    def __truediv__(self, name: str) -> FsPath:
        return self.at(f"{self.path.rstrip('/')}/{name}")

    def at(self, path: str) -> FsPath:
        """Another path on the same file system."""
        return FsPath(self.fs, path, self.start, self.account)

    def shares_file_system(self, other: FsPath) -> bool:
        """Tell whether another path is on the same file system."""
        return (_kind(self), self.account) == (_kind(other), other.account)

    @property
    def store(self) -> str:
        """The kind of the store of objects, with buckets in place of folders, that it is in; empty elsewhere."""
        return STORES.get(self.start.removesuffix("://"), "")

    @property
    def is_hdfs(self) -> bool:
        """Tell whether it is on HDFS."""
        return self.start.startswith("hdfs:")

    @property
    def can_rename(self) -> bool:
        """Tell whether the file system can rename: HDFS and local ones; a store of objects would copy."""
        return self.is_hdfs or self.start == ""

    @property
    def is_root(self) -> bool:
        """Tell whether it is a whole file system, or a whole bucket."""
        return self.path.strip("/") == "" or "/" not in self.path

    @property
    def user(self) -> str:
        """The user that this process is for the file system."""
        return hadoop_user() if self.is_hdfs else login()

    def error(self, reason: str) -> RxFileError:
        """Make the error that names this path and the reason."""
        who = "" if self.store else f" (user {self.user!r})"
        return RxFileError(f"{self}{who}: {reason}")

    def not_found(self) -> RxFileError:
        """Make the error for a path that does not exist, or whose bucket does not."""
        return self.error(self.missing_bucket() or "no such file or folder")

    def missing_bucket(self) -> str | None:
        """Name the missing bucket of the path; None where the bucket exists, and for paths in no bucket."""
        return missing_bucket(self.fs, self.path) if self.store else None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def parent(self) -> FsPath:
        """The folder that holds this."""
        return self.at(self.path.rpartition("/")[0] or "/")

    def info(self) -> dict[str, Any] | None:
        """Entry of the file system for it; None when nothing is there."""
        with file_errors(self):
            try:
                return dict(self.fs.info(self.path))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def is_folder(self) -> bool:
        """Tell whether it is there, and a folder."""
        found = self.info()
        return found is not None and found["type"] == "directory"

    @property
    def owner(self) -> int | str | None:
        """Owner of the file, or of the link; None when nothing is there or it has no owner, as in object stores."""
        found = self.info() or {}
        return os.lstat(self.path).st_uid if "uid" in found and self.start == "" else found.get("owner")

    @property
    def writable_by_others(self) -> bool:
        """Tell whether its mode lets other users write; False on file systems without modes, as object stores."""
        found = self.info() or {}
        mode = found.get("permission", found.get("mode"))  # as HDFS and as local file systems name it
        return mode is not None and bool(mode & 0o022)

    def make(self, mode: int = 0o700) -> None:
        """Make a folder, with a mode where the file system has modes; others may make the same one at the same time."""
        with file_errors(self):
            if self.is_hdfs:
                self.fs.mkdir(self.path, permission=mode)
            elif self.start == "":
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(self.path, mode)
                    if mode & stat.S_ISVTX:  # for all users, whatever the umask of this one
                        os.chmod(self.path, mode)
            elif not self.store:  # which has no folders, and would make a bucket
                self.fs.makedirs(self.path, exist_ok=True)

    def create(self, mode: int | None) -> Any:
        """Open a new file, with a mode where the file system has modes; None: what is usual there."""
        if self.start == "":
            return open(self.path, "wb", opener=partial(os.open, mode=0o666 if mode is None else mode))
        return self.fs.create(self.path, mode) if self.is_hdfs else self.fs.open(self.path, "wb")

    def entries(self) -> list[dict[str, Any]]:
        """Entries of the file system for what is in this folder, sorted by name."""
        with file_errors(self):
            return self._listed()

    def _listed(self) -> list[dict[str, Any]]:
        found = [dict(entry) for entry in self.fs.ls(self.path, detail=True)]
        # Stores of objects may list the folder itself as an entry of its own.
        return sorted((e for e in found if _bare(e) != self.path.strip("/")), key=_bare)

    def names(self) -> list[str]:
        """List the names in this folder now, past the cache of listings that some file systems keep."""
        self.fs.invalidate_cache()
        with file_errors(self):
            try:
                return [_bare(entry).rpartition("/")[2] for entry in self._listed()]
            except FileNotFoundError:
                if self.can_rename:
                    raise
                return []  # a store of objects has no empty folders


def _kind(path: FsPath) -> str:
    return path.store or path.start


def _bare(entry: dict[str, Any]) -> str:
    return str(entry["name"]).strip("/")


@contextlib.contextmanager
def file_errors(path: FsPath) -> Iterator[None]:
    """Turn errors of file systems into a RxFileError that names path, user and reason."""
    try:
        yield
    except RxError:
        raise
    except Exception as error:
        reason = _reason(error)
        if path.store:
            missing = isinstance(error, FileNotFoundError)
            reason = (path.missing_bucket() if missing else denial(path.store, error)) or reason
        if isinstance(error, ConnectionError) or any(sign in reason for sign in _UNREACHABLE):
            who = "" if path.store else f" by user {path.user!r}"
            raise RxContextError(f"{path} cannot be reached{who}: {reason}{_advice(path, reason)}") from error
        raise path.error(reason) from error


def _advice(path: FsPath, reason: str) -> str:
    if not path.is_hdfs:
        return ""
    return advice(reason, path.start.partition("://")[2], hadoop_settings("core-site.xml", "hdfs-site.xml") or {})


_NO_DEFAULT = "No fs.defaultFS"

_UNREACHABLE = (
    *AWAY,
    "Could not connect",
    "Cannot connect",
    "No NameNode hosts found",
    _NO_DEFAULT,
    "SaslError",
    "Kerberos",
)

_PLAIN = {
    FileNotFoundError: "no such file or folder",
    FileExistsError: "exists already",
    IsADirectoryError: "is a folder",
    NotADirectoryError: "a part of the path is a file, not a folder",
    PermissionError: "permission denied",
}


def _reason(error: Exception) -> str:
    """The reason in one line: the operating system's text, or the NameNode's without its Java trace."""
    text = str(error)
    from_java = re.match(r'RPCError\("([\w.$]+)", "(.*)"\)$', text, re.DOTALL)
    if from_java:
        text = from_java[2].replace('\\"', '"').replace("\\'", "'").replace("\\n", "\n").replace("\\t", "\t")
        if from_java[1].endswith("ParentNotDirectoryException"):
            text = _PLAIN[NotADirectoryError]
    text = shortened(text)
    by_kerberos = explained(text)
    if by_kerberos is not None:
        return by_kerberos
    if _NO_DEFAULT in text:
        return f"{_NO_DEFAULT}: set HADOOP_CONF_DIR to the folder of core-site.xml, or name the host, as hdfs://host:8020/path"
    plain = next((words for kind, words in _PLAIN.items() if isinstance(error, kind)), "")
    return plain or text.strip().partition("\n")[0] or type(error).__name__


def default_file_system() -> str | None:
    """``fs.defaultFS`` of the core-site.xml in HADOOP_CONF_DIR, such as ``"hdfs://namenode:8020"``.

    None where the variable or the setting is missing, or the default is the local file system.
    """
    found = hadoop_settings("core-site.xml")
    if found is None:
        return None
    url = found.get("fs.defaultFS") or found.get("fs.default.name") or "file:///"
    return None if url.startswith("file:") else url.rstrip("/")


def open_path(url: str) -> FsPath:
    """Open the path that a URL, or the name of a local file, stands for.

    Raises
    ------
    RxMissingError
        When fsspec, or the wheel for that kind of URL, is not installed.
    RxContextError
        When the file system cannot be reached.
    """
    scheme = URL.match(url)
    name = scheme[1].lower() if scheme else "file"
    try:
        import fsspec
    except ImportError as error:
        raise RxMissingError(
            f"{socket.gethostname()} lacks fsspec, which reads and writes files. Run: pip install fsspec"
        ) from error
    try:
        if name == "viewfs":
            return open_path(mounted(url, default_file_system()))
        if name == "hdfs":
            return _open_hadoop(url)
        if name == "file":
            path = url.partition("://")[2] if scheme else url
            return FsPath(fsspec.filesystem("file"), os.path.abspath(path), "")
        fs = fsspec.filesystem(name, **_options(fsspec, name, url))
    except ImportError as error:
        extra = _EXTRAS.get(name)
        raise RxMissingError(
            f"{without_secrets(url)} needs a package that is not installed. "
            f"{f'Run: {install(extra)}' if extra else error}"
        ) from error
    except ValueError as error:
        if name in STORES and (denied := denial(STORES[name], error)):
            raise RxFileError(f"{without_secrets(url)}: {denied}") from error
        raise RxArgumentError(f"{without_secrets(url)}: {error}") from error
    fs.invalidate_cache()  # what others have written since is seen
    return FsPath(fs, fs._strip_protocol(url), f"{name}://", account_in(url) if name in STORES else "")


def _options(fsspec: Any, name: str, url: str) -> dict[str, Any]:
    # What a store has listed before is no answer to whether something is there now.
    fresh = {"use_listings_cache": False} if name in STORES else {}
    return {**fsspec.get_filesystem_class(name)._get_kwargs_from_urls(url), **fresh}


def _open_hadoop(url: str) -> FsPath:
    """Open HDFS by hdfs-native, with the URL taken apart here.

    Its own way of doing so lowers the case of name services, and cuts paths at ``#``, ``?`` and ``;``, so that a
    command would act on another file.
    """
    kind = file_system_class(_path_of_hdfs)
    host, _, path = url.partition("://")[2].partition("/")
    default = default_file_system() or ""
    if not host and default.startswith("hdfs://"):  # two names of one file system would pass for two
        host = default.partition("://")[2]
    found = FsPath(None, posixpath.normpath("/" + path.lstrip("/")), f"hdfs://{host}")
    with file_errors(found):
        # Its own reading of the files knows neither includes nor variables.
        settings = hadoop_settings("core-site.xml", "hdfs-site.xml") or {}
        there = tokens_host(host, settings) if host else host
        found.fs = kind(host=there or None, **((_FEW_ATTEMPTS if ":" in there else {}) | settings))
        login = keytab_arguments()
        if login:
            found.fs.client = logged_in(found.start, found.fs.storage_options, login)
    return found


def _path_of_hdfs(_kind: Any, path: Any) -> Any:
    if not isinstance(path, str):
        return [_path_of_hdfs(_kind, one) for one in path]
    if not URL.match(path):
        return path
    _, slash, rest = path.partition("://")[2].partition("/")
    return slash + rest or "/"


def expand(path: FsPath) -> list[FsPath]:
    """The path itself if a file has this very name; else the paths that its ``*``, ``?`` and ``[...]`` match.

    Raises
    ------
    RxFileError
        When nothing is there.
    """
    if path.info() is not None:
        return [path]
    if not re.search(r"[*?\[]", path.path):
        raise path.not_found()
    with file_errors(path):
        found = sorted(path.fs.glob(path.path))
    if not found:
        raise path.error("nothing matches")
    return [path.at(match) for match in found]
