"""The user's own modules: those that are neither Python's, nor installed packages, nor rxspark itself.

A worker on another machine lacks them and a reused worker may hold an older state of them, so their source travels
with the call (`worker/user_modules.py` imports it there). Which ones: those that the pickled functions and classes come
from or import, and what these import in turn.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import hashlib
import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from rxspark.errors import RxShippingError
from rxspark.worker.protocol import NAMESPACE, ModuleSource

__all__ = ["UserModules"]


class UserModules:
    """Gathers the names of the modules that a call's objects come from; `sources` follows what they import."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._by_name: set[str] = set()
        self._codes: set[CodeType] = set()

    def note_name(self, name: str) -> None:
        """Take note of a module that the workers will import."""
        self._names.add(name)

    def note(self, obj: Any, by_name: Callable[[Any], bool]) -> None:
        """Take note of an object that is being pickled: by its name only, or with all that it is."""
        if isinstance(obj, ModuleType):
            self._names.add(obj.__name__)
            self._by_name.add(obj.__name__)
        elif isinstance(obj, (FunctionType, type)):
            self._names.add(obj.__module__ or "")
            if by_name(obj):
                self._by_name.add(obj.__module__)
            if isinstance(obj, FunctionType):
                self._codes.add(obj.__code__)

    def update(self, others: UserModules) -> None:
        """Add the notes of another one."""
        self._names |= others._names
        self._codes |= others._codes

    def sources(self, with_data: bool = False) -> dict[str, ModuleSource]:
        """The source of each of the user's own modules, by name; packages above a module are with it.

        With `with_data` the other files of the packages go along, for workers that do not reach these.

        Raises
        ------
        RxShippingError
            When the files of a package are too many or too large.
        """
        found: dict[str, ModuleSource] = {}
        waiting = {*self._names, *(name for code in self._codes for name in _imported_by_code(code))}
        while waiting:
            name = waiting.pop()
            for part in _with_packages(name):
                if part in found or _installed(part.partition(".")[0]):
                    continue
                file = _own_file(part)
                if file is not None:
                    found[part], imports = _read(file, part, os.stat(file).st_mtime_ns)
                    waiting |= imports
        for name in list(found):
            for part in _with_packages(name):
                found.setdefault(part, NAMESPACE)
        if with_data:
            found = {name: _with_data(name, module) for name, module in found.items()}
        return found

    def needed(self, function: Any, sources: dict[str, ModuleSource]) -> frozenset[str]:
        """The installed packages without which the function surely fails on a worker: the names of their modules.

        Those that unpickling imports, those that the function imports before it does anything else, and those that
        the user's modules which come with them import. What is imported later, or under conditions, may not be needed.
        """
        needed: set[str] = set()
        waiting = {name for name in self._by_name if name in sources or _installed(name.partition(".")[0])}
        waiting |= set(_imported_at_once(getattr(function, "__code__", None)))
        while waiting:
            for part in set(_with_packages(waiting.pop())) - needed:
                needed.add(part)
                if part in sources:
                    waiting |= _imported_at_head(sources[part], part)
        tops = {name.partition(".")[0] for name in needed}
        return frozenset(top for top in tops - set(sources) if not _is_everywhere(top))

    @staticmethod
    def digest(sources: dict[str, ModuleSource]) -> str:
        """A name for this state of all the sources together."""
        state = hashlib.blake2b(digest_size=16)
        for name in sorted(sources):
            state.update(name.encode() + b"\0" + sources[name].source + b"\0")
            for path, content in sources[name].data:
                state.update(path.encode() + b"\0" + content + b"\0")
        return state.hexdigest()


def _with_packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts) + 1)]


@cache
def _installed_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {os.path.realpath(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(folder + os.sep for folder in folders)


def _is_everywhere(top: str) -> bool:
    """Tell whether a top-level name is Python's own, the program's or rxspark."""
    return top in ("", "__main__", "rxspark") or top in sys.stdlib_module_names or top in sys.builtin_module_names


@lru_cache(maxsize=4096)
def _installed(top: str) -> bool:
    """Tell whether a top-level name is not the user's own: Python's, rxspark's, or in a site-packages folder."""
    if _is_everywhere(top):
        return True
    file = _file_of(top)
    if file is None:
        return False  # it may come to exist: ask again through _own_file
    real = os.path.realpath(file)
    return real.startswith(_installed_folders()) or "site-packages" in real or "dist-packages" in real


def _file_of(name: str) -> str | None:
    """The file of a module, loaded or not; nothing is imported to find it."""
    module = sys.modules.get(name)
    if module is not None:
        return getattr(module, "__file__", None)
    parent = sys.modules.get(name.rpartition(".")[0]) if "." in name else None
    search = getattr(parent, "__path__", None) if parent is not None else (None if "." in name else sys.path)
    if search is None:
        return None
    try:
        spec = importlib.machinery.PathFinder.find_spec(name, list(search))
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _own_file(name: str) -> str | None:
    file = _file_of(name)
    return file if file is not None and file.endswith(".py") and os.path.isfile(file) else None


@lru_cache(maxsize=1024)
def _read(file: str, name: str, changed: int) -> tuple[ModuleSource, frozenset[str]]:
    """The source of a module and the names that it imports; read again when the file has `changed`."""
    with open(file, "rb") as opened:
        source = opened.read()
    package = os.path.basename(file) == "__init__.py"
    return ModuleSource(source, file, package), frozenset(_imported_by_source(source, name, package))


# Bytes of the data files of one package that travel with each call, and what in its source says that they are wanted.
_MOST = 16 << 20
_WANTS_FILES = (b"__file__", b"__path__", b"get_data", b"resources", b"__spec__", b"__loader__")


def _with_data(name: str, module: ModuleSource) -> ModuleSource:
    """Add the data files of a package, or those that a single module names."""
    if module == NAMESPACE or not (module.package or any(word in module.source for word in _WANTS_FILES)):
        return module
    folder = os.path.dirname(module.file)
    sizes = {path: os.path.getsize(os.path.join(folder, path)) for path in _data_files(folder, module)}
    if sum(sizes.values()) > _MOST:
        largest = max(sizes, key=sizes.__getitem__)
        raise RxShippingError(
            f"{name}: the data files of this package take {sum(sizes.values()) / 1e6:,.0f} MB, of which {largest} "
            f"{sizes[largest] / 1e6:,.0f} MB; up to {_MOST / 1e6:,.0f} MB go along with a call. Install the package on "
            f"the workers, or put large files into a folder that they reach"
        )
    data = []
    for path in sizes:
        with open(os.path.join(folder, path), "rb") as file:
            data.append((path, file.read()))
    return replace(module, data=tuple(data))


def _data_files(folder: str, module: ModuleSource) -> Iterator[str]:
    """The paths, below its folder, of a package's data files; of those beside a module the ones that it names."""
    if not module.package:
        for entry in os.scandir(folder):
            if entry.is_file() and not entry.name.endswith(".py") and entry.name.encode() in module.source:
                yield entry.name
        return
    for parent, folders, files in os.walk(folder):
        packages = {inner for inner in folders if os.path.exists(os.path.join(parent, inner, "__init__.py"))}
        folders[:] = [inner for inner in folders if inner[0] not in "._" and inner not in packages]
        yield from (
            os.path.relpath(os.path.join(parent, file), folder)
            for file in files
            if not file.endswith((".py", ".pyc", ".so")) and not file.startswith(".")
        )


def _imported_by_source(source: bytes, name: str, package: bool) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # the worker's import will say so
        return
    for node in ast.walk(tree):
        yield from _imported_by(node, name, package)


def _imported_by(node: ast.AST, name: str, package: bool) -> Iterator[str]:
    """The names that a statement of a module imports, if it is an import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parents = name.split(".") if package else name.split(".")[:-1]
            above = parents[: len(parents) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


@lru_cache(maxsize=1024)
def _imported_at_head(module: ModuleSource, name: str) -> frozenset[str]:
    """Names that a module imports under no condition, before it calls anything by a statement of its own."""
    found: set[str] = set()
    with contextlib.suppress(SyntaxError):
        for node in ast.parse(module.source).body:
            if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
                break
            found |= set(_imported_by(node, name, module.package))
    return frozenset(found)


@lru_cache(maxsize=1024)
def _imported_by_code(code: CodeType) -> frozenset[str]:
    """Names that a function, and those inside it, import."""
    found = {str(step.argval) for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
    return frozenset(found.union(*map(_imported_by_code, (c for c in code.co_consts if isinstance(c, CodeType)))))


# Bytecode of import statements at the head of a function; a `try` begins with a NOP.
_HEAD = {
    *("RESUME", "CACHE", "COPY_FREE_VARS", "MAKE_CELL", "LOAD_CONST", "LOAD_SMALL_INT", "IMPORT_NAME"),
    *("IMPORT_FROM", "STORE_FAST", "STORE_DEREF", "STORE_GLOBAL", "POP_TOP", "SWAP"),
}


def _imported_at_once(code: CodeType | None) -> Iterator[str]:
    """The top-level names of absolute imports at the head of a function, before a call, a branch or a try."""
    if code is None:
        return
    level = None
    before = None
    for step in dis.get_instructions(code):
        if step.opname not in _HEAD:
            return
        if step.opname == "IMPORT_NAME" and level == 0:
            yield str(step.argval).partition(".")[0]
        level, before = before, step.argval
