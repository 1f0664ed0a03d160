"""List of files that rxHadoopListFiles gives; it prints as a table."""

from __future__ import annotations

import datetime
import stat
from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

from rxspark.files.paths import FsPath
from rxspark.html_tables import html_table

__all__ = ["RxFile", "RxFiles", "describe", "within"]


class RxFile(NamedTuple):
    """One entry of a listing; what the file system does not tell is None.

    Examples
    --------
    >>> import tempfile
    >>> from rxspark import rxHadoopListFiles, rxHadoopMakeDir
    >>> folder = "file://" + tempfile.mkdtemp()
    >>> rxHadoopMakeDir(f"{folder}/out")
    >>> file = rxHadoopListFiles(folder)[0]
    >>> file.isFolder, file.size, file.permissions[0]
    (True, 0, 'd')
    """

    name: str
    """Path or URL, as the other commands take it."""
    size: int
    """In bytes; 0 for folders."""
    modified: datetime.datetime | None
    owner: str | None
    permissions: str | None
    """As ``ls -l`` writes them, such as ``"drwxr-xr-x"``; without permissions the first letter alone tells a folder."""

    @property
    def isFolder(self) -> bool:
        """Tell whether it is a folder."""
        return (self.permissions or "-").startswith("d")


class RxFiles(list[RxFile]):
    """Files and folders; prints as a table.

    Examples
    --------
    >>> from rxspark import RxFile, RxFiles
    >>> files = RxFiles([RxFile("/data/a.csv", 12, None, "ada", "-rw-r--r--")])
    >>> files.names
    ['/data/a.csv']
    """

    @property
    def names(self) -> list[str]:
        """Path or URL of each, as the other commands take them."""
        return [file.name for file in self]

    def _table(self) -> Any:
        import pandas

        rows = [
            (f.name, f.size, f.modified and f.modified.strftime("%Y-%m-%d %H:%M"), f.owner, f.permissions) for f in self
        ]
        return pandas.DataFrame(rows, columns=list(RxFile._fields)).fillna("")

    def __repr__(self) -> str:
        return str(self._table().to_string(index=False)) if self else "no files"

    def _repr_html_(self) -> str:
        table = self._table()
        rows = [[escape(str(cell)) for cell in row] for row in table.itertuples(index=False)]
        return html_table(list(table.columns), rows, numbers=("size",)) if self else "<p>no files</p>"


def within(folder: FsPath, recursive: bool) -> Iterator[dict[str, Any]]:
    """Yield an entry of the file system for each thing in a folder, without following links to folders."""
    for entry in folder.entries():
        yield entry
        if recursive and entry["type"] == "directory" and not entry.get("islink"):
            yield from within(folder.at(entry["name"]), recursive)


def describe(parent: FsPath, entry: dict[str, Any]) -> RxFile:
    """Make a row of the listing from the words of a file system, of which each has its own."""
    folder = entry["type"] == "directory"
    mode = entry.get("mode", entry.get("permission"))
    letters = stat.filemode((stat.S_IFDIR if folder else stat.S_IFREG) | stat.S_IMODE(mode)) if mode else None
    return RxFile(
        name=str(parent.at(entry.get("name", parent.path))),
        size=0 if folder else int(entry.get("size") or 0),
        modified=_moment(next((entry[key] for key in _TIMES if entry.get(key)), None)),
        owner=entry.get("owner") or _name_of(entry.get("uid")),
        permissions=letters or ("d" if folder else None),
    )


_TIMES = ("modification_time", "mtime", "LastModified", "last_modified", "modified", "created")


def _moment(value: Any) -> datetime.datetime | None:
    """A time from seconds, from HDFS's milliseconds, or as it is."""
    if isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value / 1000 if value > 1e11 else value, datetime.UTC)
    return value if isinstance(value, datetime.datetime) else None


def _name_of(uid: int | None) -> str | None:
    if uid is None:
        return None
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
