"""The package as an archive for executors that lack it or have another version; named by its content."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import marshal
import struct
import sys
import zipfile
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from rxspark.concurrency import once
from rxspark.data.local_files import local_folder
from rxspark.process import PACKAGE

if TYPE_CHECKING:
    from pyspark import SparkContext

__all__ = ["give_to_executors", "packed_rxspark"]

# Of each file in the archive: the oldest that the format knows. The same package gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)

_COMPRESSION = 6  # the most makes it 1 % smaller, for 0.2 s


@once
def packed_rxspark() -> str:
    """The path of a zip of this package, compiled, whose name tells its content.

    Each host fetches it, so it holds the code alone, which tracebacks show no source of, without docstrings.
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
    path = local_folder(None) / f"rxspark-{hashlib.blake2b(content.getvalue(), digest_size=8).hexdigest()}.zip"
    path.write_bytes(content.getvalue())
    return str(path)


def _compiled(source: bytes, name: str) -> bytes:
    """A .pyc file that no source is looked for to check (PEP 552).

    A third of one would be docstrings, and columns that tracebacks underline in lines of the source.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt, ast.excepthandler, ast.arg, ast.keyword, ast.alias, ast.pattern)):
            node.end_lineno = node.lineno
            node.col_offset = node.end_col_offset = -1
    code = compile(tree, name, "exec", dont_inherit=True, optimize=2)
    return importlib.util.MAGIC_NUMBER + struct.pack("<I", 1) + importlib.util.source_hash(source) + _dumped(code)


def _dumped(code: CodeType) -> bytes:
    """Write code in bytes that are the same in every run.

    Format 2 does so, as it has no references between objects; but the slices that Python 3.14 makes constants of need
    format 5. It tells interned strings from others, and objects that something else holds, too, from those of the code.
    """
    if sys.hexversion < 0x030E0000:
        return marshal.dumps(code, 2)
    return marshal.dumps(marshal.loads(marshal.dumps(_interned(code))))


def _interned(value: Any) -> Any:
    """Intern all strings of a constant or of code."""
    match value:
        case str():
            return sys.intern(value)
        case tuple() | frozenset():
            return type(value)(map(_interned, value))
        case CodeType():
            constants = tuple(map(_interned, value.co_consts))
            return value.replace(co_consts=constants, co_qualname=sys.intern(value.co_qualname))
    return value


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
