"""The user's own modules on a worker: imported from the caller's source, never from a stale copy.

A worker on another machine does not have them; a reused worker may have them as they were before an edit. So their
source travels with the call, and a finder serves it to the ordinary import system. Modules are imported anew when
the caller's sources differ from those that this worker has loaded.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from rxspark.concurrency import once
from rxspark.process import process_token
from rxspark.worker.protocol import NAMESPACE, Call, ModuleSource

__all__ = ["install", "install_more", "serve", "served"]


class _Loader:
    def __init__(self, name: str, module: ModuleSource) -> None:
        self._module = module
        self.path = _file_here(name, module)
        """The file, in a folder with the other files of its package."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module object."""

    def get_source(self, fullname: str) -> str:  # for tracebacks
        return importlib.util.decode_source(self._module.source)

    def get_data(self, path: str) -> bytes:  # for pkgutil
        with open(path, "rb") as file:
            return file.read()

    def get_resource_reader(self, fullname: str) -> Any:  # for importlib.resources
        from importlib.readers import FileReader

        return FileReader(self)  # type: ignore[arg-type] # it wants the path alone

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.path
        if self._module.package:  # data files and compiled parts beside the source, where this machine has them
            module.__path__ = [os.path.dirname(self.path)]
        exec(compile(self._module.source, self._module.file, "exec", dont_inherit=True), vars(module))


@once
def _folder_of_packages() -> str:
    """A folder of this process, for the files of packages that came from another machine."""
    folder = tempfile.TemporaryDirectory(prefix="rxspark-modules-")  # as long as the process lives
    _folders.append(folder)
    return folder.name


_folders: list[tempfile.TemporaryDirectory[str]] = []


def _file_here(name: str, module: ModuleSource) -> str:
    """The file of a module: the caller's own, or where this machine does not have it, one that is written here."""
    if not module.data or os.path.exists(module.file):
        return module.file
    file = os.path.join(_folder_of_packages(), _finder.digest, *name.split("."), os.path.basename(module.file))
    for path, content in ((os.path.basename(file), module.source), *module.data):
        written = os.path.join(os.path.dirname(file), path)
        os.makedirs(os.path.dirname(written), exist_ok=True)
        with open(written, "wb") as opened:
            opened.write(content)
    return file


class _Finder:
    """Serves the modules of the newest call; one a process, first in `sys.meta_path` once it has any."""

    def __init__(self) -> None:
        self.modules: dict[str, ModuleSource] = {}
        self.loaded: dict[str, str] = {}
        """For each module that came from here: the digest of the sources that it came with."""
        self.digest = ""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        module = self.modules.get(fullname)
        if module is None:
            return None
        self.loaded[fullname] = self.digest
        if module == NAMESPACE:  # where this machine has parts of it, they count too
            return PathFinder.find_spec(fullname, path) or ModuleSpec(fullname, None, is_package=True)
        return ModuleSpec(fullname, _Loader(fullname, module), origin=module.file, is_package=module.package)  # type: ignore[arg-type]


_finder = _Finder()


def install(call: Call) -> None:
    """Make the caller's own modules importable here as the caller has them; nothing to do in the caller itself."""
    if call.origin == process_token():
        return
    serve(call.modules, call.modules_digest)
    held = [name for name in call.modules if name in sys.modules]
    if any(_finder.loaded.get(name) != call.modules_digest for name in held):
        for name in held:  # all of them: one module may hold what another one was before the edit
            del sys.modules[name]


def install_more(modules: dict[str, ModuleSource]) -> None:
    """Make modules importable that come with elements; those that this process has stay as they are."""
    serve(_finder.modules | modules, _finder.digest)


def serve(modules: dict[str, ModuleSource], digest: str) -> None:
    """Let this process import these modules from their sources."""
    _finder.modules, _finder.digest = modules, digest
    if modules and _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)  # the classes of importlib.abc cost 5 ms to import


def served() -> tuple[dict[str, ModuleSource], str]:
    """The modules that this process imports from their sources, and their digest."""
    return _finder.modules, _finder.digest
