"""The package as an archive for executors that lack it or have another version; named by its content."""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import io
import marshal
import os
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from rxspark.concurrency import once
from rxspark.process import PACKAGE

if TYPE_CHECKING:
    from pyspark import SparkContext

__all__ = ["give_to_executors", "packed_rxspark"]

# Of each file in the archive: the oldest that the format knows. The same package gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)

_COMPRESSION = 9  # the most

# The format of compiled code without references between its objects, which would differ from run to run.
_PLAIN_MARSHAL = 2


@once
def packed_rxspark() -> str:
    """The path of a zip of this package, compiled, whose name tells its content.

    Each executor fetches it, so it holds the code alone: with the sources beside it, it would be half as large again.
    Spark sees to it that executors run the minor version of Python that the code is compiled for.
    An application that several programs use, one after another or at once, tells equal files by their names, and
    refuses others of a name that it knows.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for source in sorted(PACKAGE.rglob("*.py")):
            name = source.relative_to(PACKAGE.parent).as_posix()
            compiled = _compiled(source.read_bytes(), name)
            archive.writestr(zipfile.ZipInfo(f"{name}c", _DATE), compiled, zipfile.ZIP_DEFLATED, _COMPRESSION)
    folder = Path(tempfile.mkdtemp(prefix="rxspark-"))
    path = folder / f"rxspark-{hashlib.blake2b(content.getvalue(), digest_size=8).hexdigest()}.zip"
    path.write_bytes(content.getvalue())
    atexit.register(_remove, path, os.getpid())
    return str(path)


def _compiled(source: bytes, name: str) -> bytes:
    """A .pyc file that no source is looked for to check (PEP 552)."""
    code = compile(source, name, "exec", dont_inherit=True)
    return (
        importlib.util.MAGIC_NUMBER
        + struct.pack("<I", 1)
        + importlib.util.source_hash(source)
        + marshal.dumps(code, _PLAIN_MARSHAL)
    )


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # and not a child that was forked later
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def give_to_executors(context: SparkContext) -> None:
    """Add the package to a classic application, unless another program has done so."""
    path = packed_rxspark()
    name = Path(path).name
    known = {file.rpartition("/")[2] for file in context.listFiles}
    if name not in known:
        context.addPyFile(path)
        return
    # PySpark's own note of what its workers put on their path; addPyFile would add the file once more.
    includes = context._python_includes
    if includes is not None and name not in includes:
        includes.append(name)
