"""Checks of the executors before anything is launched on them: one small Spark job, which every slot takes part in.

Its findings are errors of the call that would have run into them: a Python of another minor version, packages that
are missing, a share folder that they cannot read.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import pickle
import pkgutil
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple
from uuid import uuid4

from rxspark.backends.engine_errors import host_in
from rxspark.errors import RxContextError, RxError, RxMissingError
from rxspark.files.io import read, write
from rxspark.files.operations import make_folder, remove
from rxspark.files.paths import FsPath, open_path
from rxspark.rng.kinds import KINDS, require
from rxspark.serialize.payload import Requirements

__all__ = ["HOLD", "SET_PYTHON", "Preflight", "probe_file", "start_problem"]

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
HostAnswer = tuple[str, bytes]
"""The host of a slot, and the pickle of what it answers."""
Engine = Callable[[Callable[[Iterable[Any]], Iterator[HostAnswer]]], list[HostAnswer]]
"""Runs a function in all slots at once and collects what it gives; an error is that of `start_problem`."""


class _Report(NamedTuple):
    """Findings of a worker on its executor."""

    versions: Versions
    modules: tuple[str, ...]
    """The top-level modules that it can import, but for Python's own; sorted, so that equal reports are equal bytes."""
    without_kinds: dict[str, RxError]
    """The kinds of random numbers that it cannot make, and why."""
    folder_problem: RxError | None


@dataclass(frozen=True)
class _Survey:
    """All that executors are asked in one job."""

    file: str | None
    """A file in the share folder that holds `text`."""
    text: str

    def __call__(self) -> _Report:
        """Answer, on an executor."""
        folder_problem = _problem(partial(_read, self.file, self.text)) if self.file is not None else None
        kinds = {kind: _problem(partial(require, kind)) for kind in KINDS}
        return _Report(
            _versions(),
            tuple(sorted(module.name for module in pkgutil.iter_modules())),
            {kind: problem for kind, problem in kinds.items() if problem is not None},
            folder_problem,
        )


class Preflight:
    """The findings on the executors of one session, asked for in one job with its first call.

    Only what is new later costs another job: another share folder, and modules that were not there to be listed. None
    is asked if the workers run in this very process's environment: they have what it has.
    """

    def __init__(self, engine: Engine, local: bool) -> None:
        self._engine = engine
        self._local = local
        self._reports: list[_Report] = []
        self._folders: set[str] = set()
        self._found: set[str] = set()  # modules that can be imported on each executor

    def survey(self, folder: FsPath | None) -> None:
        """Ask the executors what they have, and whether they reach the share folder, unless they have answered.

        Raises
        ------
        RxMissingError, RxContextError
            With a table of what executors have and what the driver has, where no task could run.
        RxFileError
            When the folder cannot be written here, or read there.
        """
        new_folder = None if folder is None or str(folder) in self._folders else folder
        if new_folder is None and (self._local or self._reports):
            return
        with probe_file(new_folder) as (file, text):
            answers = self.ask(_Survey(file, text))
        if answers and not self._reports:
            _check_versions(sorted(((host, report.versions) for host, report in answers), key=str))
        for problem in (report.folder_problem for _, report in answers):
            if problem is not None:
                raise problem
        if answers:
            self._reports = list({id(report): report for _, report in answers}.values())
            self._found |= frozenset.intersection(*(frozenset(report.modules) for report in self._reports))
        if new_folder is not None:
            self._folders.add(str(new_folder))

    def check(self, requirements: Requirements, folder: FsPath | None) -> None:
        """Make sure that the executors can run the tasks of a call, and reach the share folder.

        Raises
        ------
        RxMissingError, RxContextError
            With a table of what executors have and what the driver has, or the name of what is missing.
        RxFileError
            When the folder cannot be written here, or read there.
        """
        self.survey(folder)
        for problems in (report.without_kinds for report in self._reports):
            if requirements.rng_kind in problems:
                raise problems[requirements.rng_kind]
        unlisted = tuple(sorted(requirements.modules - self._found))
        if unlisted and not self._local:
            for _, problem in self.ask(partial(_problem, partial(_find, unlisted))):
                if problem is not None:
                    raise problem
            self._found |= {*unlisted}

    def ask(self, question: Question) -> list[tuple[str, Any]]:
        """Ask each slot: its host and its answer; thousands of slots answer alike, and equal answers are one object."""
        load = cache(pickle.loads)
        return [] if self._local else [(host, load(told)) for host, told in self._engine(partial(_answer, question))]


def _check_versions(found: list[tuple[str, Versions]]) -> None:
    mine = _versions()
    lacking = {name for _, versions in found for name in _NEEDED if not versions[name]}
    if lacking:
        raise RxMissingError(
            f"executors lack {' and '.join(sorted(lacking))}:\n{_table(found)}\n"
            f"They run {_paths(found)}. Install what is missing there; or, where they are on this machine, set "
            f"{SET_PYTHON} before the session is made; or let the environment travel: RxSpark(pythonEnv=...)"
        )
    differ = {name for _, versions in found for name in _PICKLED if _differ(versions[name], mine[name])}
    if differ:
        logger.warning("executors have another %s than the driver:\n%s", " and ".join(sorted(differ)), _table(found))


@contextlib.contextmanager
def probe_file(folder: FsPath | None) -> Iterator[tuple[str | None, str]]:
    """Make a share folder and a file in it for others to read; yield the file and its text, and remove it at the end.

    Raises
    ------
    RxFileError
        When one of these cannot be done: names path, user and reason.
    """
    if folder is None:
        yield None, ""
        return
    text = uuid4().hex
    make_folder(folder)
    file = folder / f".rxspark-check-{text}"
    write(file, lambda opened: opened.write(text.encode()))
    try:
        yield str(file), text
    finally:
        remove(file, skip_trash=True)


# ------------------------------------------------------------------ on the executors


def _problem(look: Callable[[], None]) -> RxError | None:
    """Return the error of a look at something, None where there is none."""
    try:
        look()
    except RxError as problem:
        return problem
    return None


def _answer(question: Question, slots: Iterable[Any]) -> Iterator[HostAnswer]:
    list(slots)
    time.sleep(HOLD)
    return iter([(socket.gethostname(), pickle.dumps(question(), 5))])


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


def _find(names: Iterable[str]) -> None:
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
        raise place.error(f"on {socket.gethostname()} it does not hold what the driver has written")


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
    missing = re.search(r'Cannot run program "[^"]+"', told_by_spark)
    if missing:
        return RxContextError(
            f"the executors could not start rxspark's tasks: {missing[0]}. There is no Python that they can run: name "
            f"one by extraSparkConfig={{'spark.pyspark.python': '/path/to/python3'}}, or let the "
            f"environment travel: RxSpark(pythonEnv=...)"
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
