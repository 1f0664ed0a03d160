"""Private and undocumented names of other packages: one table of them, which a new release of one may break."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import NamedTuple

import pytest

import rxspark

PACKAGE = Path(rxspark.__file__).parent


class Private(NamedTuple):
    """A name that its package does not promise to keep."""

    name: str
    module: str
    """The module that has it, or whose classes do."""
    why: str
    """The use that no public name serves."""


SPARK = [
    Private("_active_spark_context", "pyspark.core.context", "whether there is a session, without making one"),
    Private("_channel", "pyspark.sql.connect.client.core", "end what waits for a server that is silent"),
    Private("_gateway", "pyspark.core.context", "leave a JVM that has died, or in which no session could start"),
    Private("_instantiatedSession", "pyspark.sql.session", "the same, for the session's own note of itself"),
    Private("_jsc", "pyspark.core.context", "slots, hosts and the end of an application are the JVM's to tell"),
    Private("_jvm", "pyspark.core.context", "an RDD whose elements prefer hosts; the level of one logger"),
    Private("_jrdd", "pyspark.core.rdd", "count in the JVM, without the socket that PySpark's actions open"),
    Private("_pickled_broadcast_vars", "pyspark.core.context", "a broadcast whose file is mapped, not unpickled"),
    Private("_python_includes", "pyspark.core.context", "a file that another program has added to the application"),
]
PROCESSES = [
    Private("_executor_storage", "loky.reusable_executor", "a forked child must not use its parent's pool"),
    Private("_adjust_process_count", "loky.process_executor", "a worker that ends on purpose is replaced"),
    Private("_executor", "joblib.externals.loky.reusable_executor", "joblib's pool, which a forked child must not use"),
    Private("_executor_kwargs", "joblib.externals.loky.reusable_executor", "how it was asked for"),
    Private(
        "_executor_lock", "joblib.externals.loky.reusable_executor", "a thread that is not in the child may hold it"
    ),
    Private("_env", "joblib.externals.loky.process_executor", "workers that replace dead ones have the hash seed too"),
    Private("_max_workers", "loky.process_executor", "how many workers a pool is to have"),
    Private("_processes", "loky.process_executor", "the workers of a pool, from inside of one that ends"),
    Private("_processes_management_lock", "loky.process_executor", "they change under this lock"),
    Private("_reader", "multiprocessing.queues", "the end of a pool's queue from which a worker reads"),
    Private("_children", "multiprocessing.process", "a forked child must not wait for its parent's children"),
    Private("_parent_pid", "multiprocessing.process", "whose children they are"),
    Private("_config", "multiprocessing.process", "a daemonic process may start workers that end with it"),
    Private("_name", "multiprocessing.process", "the name of this process, which a task may have changed"),
    Private("_count", "_thread", "whether there are other threads, also such as threading does not know"),
    Private("_exit_function", "multiprocessing.util", "end the pools that a task has left at the end of its worker"),
    Private("_extra_reducers", "multiprocessing.reduction", "tasks' functions reach processes that they spawn"),
    Private("_is_owned", "threading", "who has the lock of a bit generator waits for no other one"),
    Private("_register_atexit", "threading", "end jobs before Python waits for the threads of pools"),
    Private("_backend", "joblib.parallel", "the backend of a call, and the one that a task has left active"),
]
PICKLES = [
    Private("_DYNAMIC_CLASS_TRACKER_BY_CLASS", "cloudpickle.cloudpickle", "classes by value that begin anew"),
    Private("_DYNAMIC_CLASS_TRACKER_BY_ID", "cloudpickle.cloudpickle", "the same, found by the id"),
    Private("_PICKLE_BY_VALUE_MODULES", "cloudpickle.cloudpickle", "modules that a task has registered by value"),
    Private("_class_setstate", "cloudpickle.cloudpickle", "leave classes that are there as they are"),
    Private("_function_setstate", "cloudpickle.cloudpickle", "tell functions by value from others"),
    Private("_lookup_class_or_track", "cloudpickle.cloudpickle", "the id by which a class is known"),
    Private("_make_skeleton_class", "cloudpickle.cloudpickle", "where a class by value is made"),
    Private("_slotnames", "copyreg", "attributes in slots, to see whether a task has changed them"),
    Private("_get_dump", "abc", "what is registered with an abstract class"),
]
RANDOM = [
    Private("_rand", "numpy.random.mtrand", "the generator behind numpy.random's functions"),
    Private("_inst", "random", "the generator behind random's functions"),
]
SETTINGS = [
    Private("_default_mime_types", "mimetypes", "put back the types that a task has added"),
    Private("_get_running_loop", "asyncio.events", "a loop that a task has left running"),
    Private("_set_running_loop", "asyncio.events", "tasks of a notebook may run loops of their own"),
    Private("_enter_task", "asyncio.tasks", "the caller's task, behind tasks that had loops of their own"),
    Private("_leave_task", "asyncio.tasks", "one task runs in a thread, from Python 3.14 on, whatever its loop"),
    Private("_event_loop_policy", "asyncio.events", "a policy that a task has set; the public call makes one"),
    Private("_local", "asyncio.events", "the loop that a policy has for this thread; the public call makes one"),
    Private("_data", "os", "os.environ as bytes: compared forty times as fast after each task"),
    Private("_initializing", "importlib._bootstrap", "whether a module is still being imported"),
    Private("_db", "mimetypes", "whether the types were read; the public call reads them"),
    Private("_current_process", "multiprocessing.process", "its key, which a task may have changed"),
    Private("_backend_mod", "matplotlib.pyplot", "the backend that is loaded; the public call loads one"),
    Private("_findfont_cached", "matplotlib.font_manager", "fonts that were found among those that a task has added"),
    Private("_global_config", "pandas._config.config", "options that differ from their defaults"),
    Private("_registered_options", "pandas._config.config", "the defaults"),
    Private("_handlerList", "logging", "handlers that were made on a stream that is a task's"),
]
FILES = [
    Private("_get_kwargs_from_urls", "fsspec.spec", "options that a URL holds, such as a host"),
    Private("_strip_protocol", "fsspec.spec", "the path of a URL, as the file system writes it"),
]
TABLE = [*SPARK, *PROCESSES, *PICKLES, *RANDOM, *SETTINGS, *FILES]

# Not of other packages' insides: documented, or of every named tuple.
_PUBLIC = {"_asdict", "_fields", "_replace", "_exit", "_getframe"}


def _used() -> dict[str, set[str]]:
    """Names with one underscore at the front of objects that another file or package has defined, by file."""
    used: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        defined, named = set(_PUBLIC), set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls", "super()"):
                defined.add(node.attr)
            elif isinstance(node, ast.Attribute):
                named.add(node.attr)
            elif isinstance(node, ast.ImportFrom):
                named |= {alias.name for alias in node.names}
        for name in named - defined:
            if name.startswith("_") and not name.startswith("__"):
                used.setdefault(name, set()).add(file.relative_to(PACKAGE).as_posix())
    return used


def test_each_private_name_that_is_used_stands_in_the_table() -> None:
    """The use of a private name comes with the reason why no public one serves: another package's, never our own's."""
    known = {private.name for private in TABLE}
    assert {name: files for name, files in _used().items() if name not in known} == {}


def test_the_table_has_no_name_that_is_used_no_longer() -> None:
    """Rows go with the last use of their names."""
    text = "\n".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    assert [private.name for private in TABLE if private.name not in text] == []


@pytest.mark.parametrize("private", TABLE, ids=lambda private: f"{private.module}.{private.name}")
def test_a_private_name_is_still_there(private: Private) -> None:
    """A release without it fails here, by the name, and not in somebody's call."""
    module = importlib.import_module(private.module)
    assert hasattr(module, private.name) or private.name in inspect.getsource(module)
