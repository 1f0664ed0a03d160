"""A store of objects as fsspec sees one: no folders, no rename, nothing that is refused because it is there already.

Objects appear whole, and are listed from then on. They lie in the folder that RXSPARK_TEST_OBJECTS names, each in a
file of its own whose name holds the whole key, so that all processes of this machine see the same store.
"""

from __future__ import annotations

import io
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import fsspec
from fsspec import AbstractFileSystem

__all__ = ["Objects"]


POINTER = Path(tempfile.gettempdir(), f"rxspark-test-objects-{os.getuid()}")
"""Names the folder for workers that are older than the variable."""


def _folder() -> str:
    return os.environ.get("RXSPARK_TEST_OBJECTS") or POINTER.read_text()


class Objects(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """The store."""

    protocol = "objects"
    cachable = False

    def _file(self, path: str) -> Path:
        return Path(_folder(), quote(self._strip_protocol(path), safe=""))

    def _keys(self) -> list[str]:
        names = os.listdir(_folder())
        return sorted(unquote(name) for name in names if not name.startswith(".new-"))

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Names that begin with the path, up to the next slash; an error where there are none."""
        start = self._strip_protocol(path).rstrip("/") + "/"
        found: dict[str, dict[str, Any]] = {}
        for key in self._keys():
            if key.startswith(start):
                name = start + key.removeprefix(start).partition("/")[0]
                kind = "file" if name == key else "directory"
                found[name] = {"name": name, "type": kind, "size": None}
        if not found:
            raise FileNotFoundError(path)
        return list(found.values()) if detail else list(found)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """An object, or a folder where objects are below it."""
        path = self._strip_protocol(path)
        if self._file(path).exists():
            return {"name": path, "type": "file", "size": self._file(path).stat().st_size}
        self.ls(path)
        return {"name": path, "type": "directory", "size": 0}

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Nothing: there are no folders."""

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        """The bytes of an object."""
        return self._file(path).read_bytes()[start:end]

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Put an object, whatever is there."""
        new = self._file(path).with_name(f".new-{secrets.token_hex(8)}")
        new.write_bytes(value)
        os.replace(new, self._file(path))

    def rm_file(self, path: str) -> None:
        """Delete an object, if it is there."""
        self._file(path).unlink(missing_ok=True)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.BytesIO:
        return io.BytesIO(self.cat_file(path)) if mode == "rb" else _Written(self, path)


class _Written(io.BytesIO):
    """A buffer that is put into the store when it is closed."""

    def __init__(self, store: Objects, path: str) -> None:
        super().__init__()
        self._target = store, path

    def close(self) -> None:
        if not self.closed:
            store, path = self._target
            store.pipe_file(path, self.getvalue())
        super().close()


fsspec.register_implementation("objects", Objects, clobber=True)
