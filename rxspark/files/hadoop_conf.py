"""Hadoop's settings, read from the files in HADOOP_CONF_DIR as Hadoop itself reads them."""

from __future__ import annotations

import getpass
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rxspark.errors import RxContextError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["hadoop_settings", "login"]

# A variable, innermost first: `${name}`; and how often one value's variables are replaced (both as in Hadoop).
_VARIABLE = re.compile(r"\$\{([^}$\s]+)\}")
_MOST = 20

# `${env.NAME}`, with a default for names that are not set (`-`), or not set or empty (`:-`).
_ENVIRONMENT = re.compile(r"env\.(\w+)(?:(:?-)(.*))?")


def hadoop_settings(*names: str) -> dict[str, str] | None:
    """The settings in files of HADOOP_CONF_DIR; None where the variable, or each of the files, is missing.

    Parameters
    ----------
    *names : str
        Of the files, such as "core-site.xml"; what stands in later ones goes before earlier ones, unless it is final.

    Raises
    ------
    RxContextError
        When a file, or one that it includes, cannot be read.
    """
    folder = os.environ.get("HADOOP_CONF_DIR")
    files = [file for file in (Path(folder, name) for name in names) if file.is_file()] if folder else []
    if not files:
        return None
    reading = _Reading()
    for file in files:
        try:
            reading.read(file)
        except (OSError, SyntaxError) as error:  # ElementTree's ParseError is a SyntaxError
            raise RxContextError(f"HADOOP_CONF_DIR={folder}: {file} cannot be read: {error}") from error
    return {name: _replaced(value, reading.values) for name, value in reading.values.items()}


@dataclass
class _Reading:
    """The properties that have been read so far."""

    values: dict[str, str] = field(default_factory=dict)
    final: set[str] = field(default_factory=set)

    def read(self, file: Path, above: tuple[Path, ...] = ()) -> None:
        """Read a file, which those `above` have included."""
        from xml.etree import ElementTree  # takes a tenth of the time of `import rxspark`

        if file in above:
            raise OSError(f"{file} includes itself")
        self._take(ElementTree.parse(file).getroot(), file, (*above, file))

    def _take(self, parent: Element, file: Path, above: tuple[Path, ...]) -> None:
        for element in parent:
            kind = _local_name(element)
            if kind == "property":
                self._set(element)
            elif kind == "include":
                self._include(element, file, above)
            elif kind == "configuration":
                self._take(element, file, above)

    def _set(self, element: Element) -> None:
        parts = {**element.attrib, **{_local_name(part): part.text or "" for part in element}}
        name = parts.get("name", "").strip()
        if name and name not in self.final and "value" in parts:
            self.values[name] = parts["value"].strip()
            if parts.get("final", "").strip() == "true":
                self.final.add(name)

    def _include(self, element: Element, file: Path, above: tuple[Path, ...]) -> None:
        """Read the file that is included, or the fallback that stands there for a missing one."""
        wanted = file.parent / element.get("href", "").strip().removeprefix("file://")
        if wanted.is_file():
            self.read(wanted, above)
            return
        instead = [part for part in element if _local_name(part) == "fallback"]
        if not instead:
            raise OSError(f"{wanted}, which {file} includes, is not there, and there is no fallback")
        for part in instead:
            self._take(part, file, above)


def _local_name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2].rpartition(":")[2]


def _replaced(value: str, settings: dict[str, str]) -> str:
    """Replace the variables in a value; unknown ones stay as they are."""
    for _ in range(_MOST):
        for found in _VARIABLE.finditer(value):
            known = _known(found[1], settings)
            if known is not None and known != found[0]:
                value = value[: found.start()] + known + value[found.end() :]
                break
        else:
            break
    return value


def _known(name: str, settings: dict[str, str]) -> str | None:
    """Value of a variable: of the environment, of Java's system, or another setting."""
    asked = _ENVIRONMENT.fullmatch(name)
    if asked:
        there = os.environ.get(asked[1])
        unset = not there if asked[2] == ":-" else there is None
        return asked[3] if unset and asked[2] else there
    return dict(_system()).get(name) or settings.get(name)


def _system() -> Iterator[tuple[str, str]]:
    """The properties of Java's system that such files use."""
    yield "user.name", login()
    yield "user.home", os.path.expanduser("~")
    yield "user.dir", os.getcwd()
    yield "java.io.tmpdir", tempfile.gettempdir()


def login() -> str:
    """The user that this process runs as."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container without an entry for its user
        return str(os.getuid())
