"""Mount tables of Hadoop (viewfs): several file systems that look like one, as HADOOP_CONF_DIR names them."""

from __future__ import annotations

import posixpath

from rxspark.errors import RxFileError
from rxspark.files.hadoop_conf import hadoop_settings

__all__ = ["mounted"]


def mounted(url: str, default: str | None) -> str:
    """Return the URL to which a mount table leads.

    Parameters
    ----------
    url : str
        Such as ``"viewfs://table/share/file"``; ``"viewfs:///share/file"`` is of the table of the default file system.
    default : str or None
        The default file system.

    Raises
    ------
    RxFileError
        When no mount point of the table holds the path, with those that there are.
    """
    table, _, rest = url.partition("://")[2].partition("/")
    if not table and default is not None and default.startswith("viewfs://"):
        table = default.partition("://")[2]
    table, path = table or "default", posixpath.normpath("/" + rest.lstrip("/"))
    links = _links(table)
    for point in sorted(links, key=len, reverse=True):
        if path == point or path.startswith(point.rstrip("/") + "/"):
            return posixpath.join(links[point], path.removeprefix(point).lstrip("/")).rstrip("/")
    known = ", ".join(sorted(links)) or "no mount points (is HADOOP_CONF_DIR set?)"
    raise RxFileError(f"{url}: no mount point of the table {table!r} holds this path; it has {known}")


def _links(table: str) -> dict[str, str]:
    """The URL behind each mount point; behind ``/``, that of all other paths, where the table has one."""
    settings = hadoop_settings("core-site.xml", "hdfs-site.xml") or {}
    start = f"fs.viewfs.mounttable.{table}.link"
    links = {
        posixpath.normpath(name.removeprefix(f"{start}.")): url
        for name, url in settings.items()
        if name.startswith(f"{start}./")
    }
    fallback = settings.get(f"{start}Fallback") or settings.get(f"{start}MergeSlash")
    return links if fallback is None else {"/": fallback, **links}
