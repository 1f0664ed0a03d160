"""Preflight: ask the executors of an application once for their Python, packages and folders, before any launch.

Each question is a function that every slot runs in one small Spark job. What it finds wrong is an error of the call
that would have run into it: a Python of another minor version, packages that are missing, a share folder that they
cannot read.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import uuid4

from rxspark.backends.engine_errors import host_in
from rxspark.errors import RxContextError, RxError, RxMissingError
from rxspark.files.io import read, write
from rxspark.files.operations import make_folder, remove
from rxspark.files.paths import FsPath, open_path
from rxspark.rng.kinds import KINDS, require

__all__ = ["HOLD", "SET_PYTHON", "Preflight", "check_folder", "start_problem"]

logger = logging.getLogger("rxspark")

# What is looked at on executors: module and name of its package. Without the first two no task of ours can run.
_PACKAGES = {
    "numpy": "numpy",
    "cloudpickle": "cloudpickle",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "mkl_random": "mkl-random",
}
_NEEDED = ("numpy", "cloudpickle")

# Of another major version than the driver's, these cannot read what the driver has pickled.
_PICKLED = ("numpy", "pandas")

HOLD = 0.1
"""Seconds for which each slot is kept while executors are looked at, so that Spark fills all of them."""

SET_PYTHON = 'os.environ["PYSPARK_PYTHON"] = sys.executable'
"""The line that makes executors on this machine run this program's Python, before the session is made."""

_PATH = "path"

Versions = dict[str, str]
Question = Callable[[], Any]
HostAnswer = tuple[str, Any]
"""The host of a slot, and what it answers."""
Engine = Callable[[Callable[[Iterable[Any]], Iterator[HostAnswer]]], list[HostAnswer]]
"""Runs a function in all slots at once and collects what it gives; an error is that of `start_problem`."""


class Preflight:
    """The questions to one application, each asked once; none if its workers run in this very process's environment.

    Those have what it has.
    """

    def __init__(self, engine: Engine, local: bool) -> None:
        self._engine = engine
        self._local = local
        self._answered: set[str] = set()

    def executors(self) -> None:
        """Make sure that the executors have a Python and packages that can run tasks.

        Raises
        ------
        RxMissingError, RxContextError
            With a table of what they have and what the driver has.
        """
        if "executors" in self._answered:
            return
        mine = _versions()
        found = sorted(self.ask(_versions), key=str)
        lacking = {name for _, versions in found for name in _NEEDED if not versions[name]}
        if lacking:
            raise RxMissingError(
                f"executors lack {' and '.join(sorted(lacking))}:\n{_table(found)}\n"
                f"They run {_paths(found)}. Install what is missing there; or, where they are on this machine, set "
                f"{SET_PYTHON} before the session is made; or let the environment travel: RxSpark(pythonEnv=...)"
            )
        differ = {name for _, versions in found for name in _PICKLED if _differ(versions[name], mine[name])}
        if differ:
            logger.warning(
                "executors have another %s than the driver:\n%s", " and ".join(sorted(differ)), _table(found)
            )
        self._answered.add("executors")

    def kind(self, kind: str) -> None:
        """Make sure that the executors can draw random numbers of a kind."""
        library = KINDS[kind].library
        if library != "NumPy" and library not in self._answered:
            self._raise_first(partial(require, kind))
            self._answered.add(library)

    def modules(self, names: Iterable[str]) -> None:
        """Make sure that the executors have modules."""
        new = sorted(set(names) - self._answered)
        if new:
            self._raise_first(partial(_find, new))
            self._answered.update(new)

    def folder(self, folder: FsPath | None) -> None:
        """Make sure that the driver can write to a share folder, and executors read there what it wrote."""
        if folder is not None and str(folder) not in self._answered:
            check_folder(folder, lambda file, text: self._raise_first(partial(_read, str(file), text)))
            self._answered.add(str(folder))

    def _raise_first(self, question: Question) -> None:
        for _, problem in self.ask(question):
            if problem is not None:
                raise problem

    def ask(self, question: Question) -> list[HostAnswer]:
        """Ask each slot: its host and its answer."""
        return [] if self._local else self._engine(partial(_answer, question))


def check_folder(folder: FsPath, read_elsewhere: Callable[[FsPath, str], None]) -> None:
    """Make a share folder, write a file, let it be read elsewhere, and delete it.

    Raises
    ------
    RxFileError
        When one of these cannot be done: names path, user and reason.
    """
    text = uuid4().hex
    make_folder(folder)
    file = folder / f".rxspark-check-{text}"
    write(file, lambda opened: opened.write(text.encode()))
    try:
        read_elsewhere(file, text)
    finally:
        remove(file, skip_trash=True)


# ------------------------------------------------------------------ on the executors


def _answer(question: Question, slots: Iterable[Any]) -> Iterator[HostAnswer]:
    list(slots)
    time.sleep(HOLD)
    try:
        return iter([(socket.gethostname(), question())])
    except RxError as problem:
        return iter([(socket.gethostname(), problem)])


def _versions() -> Versions:
    """The versions of Python and of packages, "" for those that are not there; nothing is imported."""
    return {"python": sys.version.split()[0], _PATH: sys.executable} | {
        name: _version_of(package) if importlib.util.find_spec(name) else "" for name, package in _PACKAGES.items()
    }


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "there"


def _find(names: list[str]) -> None:
    lacking = [name for name in names if not _importable(name)]
    if lacking:
        raise RxMissingError(
            f"{' and '.join(map(repr, lacking))} cannot be imported on {socket.gethostname()}, and the function or "
            f"packagesToLoad need it. Install it there, or let the environment travel: RxSpark(pythonEnv=...)"
        )


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # a package above it is missing
        return False
    except ValueError:  # it is loaded, by other means than a file
        return True


def _read(url: str, text: str) -> None:
    place = open_path(url)
    found = read(place).decode()
    if found != text:
        raise place.problem(f"on {socket.gethostname()} it does not hold what the driver has written")


# ------------------------------------------------------------------ what is told


def start_problem(told_by_spark: str) -> RxError:
    """The error for executors whose Python did not even come to run our code."""
    other = re.search(r"PYTHON_VERSION_MISMATCH\].*?version:? \(?(\d+)[.,] ?(\d+)", told_by_spark)
    if other:
        found = [(host_in(told_by_spark) or "executor", {"python": f"{other[1]}.{other[2]}"})]
        return RxContextError(
            f"executors have another Python than the driver:\n{_table(found)}\n"
            f"The minor versions must agree: set {SET_PYTHON} before the session is made (or the path of a Python that "
            f"the nodes have), or let the environment travel: RxSpark(pythonEnv=...)"
        )
    lines = [line.strip() for line in told_by_spark.splitlines() if line.strip()]
    reason = next((line for line in lines if re.match(r"[\w.]*(Error|Exception):", line)), lines[0] if lines else "")
    return RxContextError(f"the executors could not start rxspark's tasks: {reason}")


def _paths(found: list[tuple[str, Versions]]) -> str:
    return " and ".join(sorted({versions[_PATH] for _, versions in found}))


def _differ(theirs: str, mine: str) -> bool:
    return bool(theirs and mine) and theirs.partition(".")[0] != mine.partition(".")[0]


def _table(found: list[tuple[str, Versions]]) -> str:
    """Of Python and packages, the driver's first; executors that are alike make one row a host."""
    rows = [["", "python", *_PACKAGES]]
    for host, versions in [("driver", _versions()), *found]:
        row = [host, *(versions.get(name, "?") or "missing" for name in rows[0][1:])]
        if row not in rows:
            rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
