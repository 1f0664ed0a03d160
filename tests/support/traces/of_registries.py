"""Traces in registries and switches of modules: entries that a task adds, what it sets for the whole process."""

from __future__ import annotations

import calendar
import ctypes
import email.charset
import faulthandler
import gettext
import shutil
import signal
import webbrowser
from functools import partial
from importlib import import_module
from operator import attrgetter

from traces.table import METHODS, add, name_of, nothing


class Registered:
    """A class that a task registers."""


def _held(module, path):
    """Return an attribute of a module, which is imported then."""
    return attrgetter(path)(import_module(module))


def _at(module, path):
    """Look at an attribute."""
    return lambda: name_of(_held(module, path))


def _in(module, path, entry):
    """Look whether an entry is in a registry."""
    return lambda: (entry in _held(module, path), len(_held(module, path)))


def _put(module, path, value):
    """Set an attribute of a module, of a class or of an object in it, when it is asked."""
    *way, last = path.split(".")
    return lambda: setattr(_held(module, ".".join(way)) if way else import_module(module), last, value)


def _enter(module, path, entry, value=nothing):
    """Add an entry to a dict, a set or a list in a module, when it is asked."""

    def do():
        held = _held(module, path)
        if isinstance(held, dict):
            held[entry] = value
        else:
            (held.add if isinstance(held, set) else held.append)(entry)

    return do


def _call(module, path, *args, **kwargs):
    """Call a function of a module, which is imported then."""
    return lambda: _held(module, path)(*args, **kwargs)


def _attribute(setting, module, path, value):
    """Add a line for an attribute that is set."""
    add(setting, f"{module}.{path}", _at(module, path), _put(module, path, value))


def _entry(setting, module, path, entry, value=nothing):
    """Add a line for an entry that is added."""
    add(setting, f"an entry of {module}.{path}", _in(module, path, entry), _enter(module, path, entry, value))


# Python.

_FUNCTIONS = "functions of the standard library, NumPy, pandas"
_attribute(_FUNCTIONS, "logging", "logProcesses", False)
_attribute(_FUNCTIONS, "socket", "has_ipv6", "left")
_attribute(METHODS, "asyncio", "BaseEventLoop.run_until_complete", nothing)
_attribute(METHODS, "http.client", "HTTPConnection.debuglevel", 1)
_attribute(METHODS, "logging", "Formatter.converter", nothing)
_attribute(METHODS, "requests", "Session.request", nothing)
_attribute(METHODS, "socketserver", "TCPServer.allow_reuse_address", True)
_attribute(METHODS, "string", "Template.delimiter", "%")
_attribute(METHODS, "tqdm", "tqdm.monitor_interval", 0)
_attribute(METHODS, "unittest", "TestCase.maxDiff", None)
add(
    METHODS,
    "a constructor of yaml",
    _in("yaml", "SafeLoader.yaml_constructors", "!left"),
    _call("yaml", "SafeLoader.add_constructor", "!left", nothing),
)
add(
    "calendar: first day of the week",
    "calendar.setfirstweekday",
    calendar.firstweekday,
    lambda: calendar.setfirstweekday(6),
)
add(
    "json: encoder and decoder",
    "json._default_encoder",
    lambda: name_of(type(_held("json", "_default_encoder"))),
    _put("json", "_default_encoder", "left"),
)
add(
    "multiprocessing: log",
    "multiprocessing.log_to_stderr",
    _at("multiprocessing.util", "_log_to_stderr"),
    _call("multiprocessing", "log_to_stderr", 10),
)
_entry("xml.etree: _namespace_map", "xml.etree.ElementTree", "_namespace_map", "urn:left", "left")
_entry("encodings: aliases", "encodings.aliases", "aliases", "left", "ascii")
_entry("email: CODEC_MAP", "email.charset", "CODEC_MAP", "left", "ascii")
_entry("copyreg: _extension_registry", "copyreg", "_extension_registry", ("json", "left"), 78)
_entry("urllib: uses_netloc", "urllib.parse", "uses_netloc", "left")
_entry("doctest: OPTIONFLAGS_BY_NAME", "doctest", "OPTIONFLAGS_BY_NAME", "LEFT", 1)
add(
    "email: CHARSETS",
    "email.charset.add_charset",
    _in("email.charset", "CHARSETS", "left"),
    lambda: email.charset.add_charset("left"),
)
add(
    "shutil: _UNPACK_FORMATS",
    "shutil.register_unpack_format",
    lambda: len(shutil.get_unpack_formats()),
    lambda: shutil.register_unpack_format("left", [".left"], nothing),
)
add(
    "sqlite3: adapters",
    "sqlite3.register_adapter",
    lambda: len(_held("sqlite3", "adapters")),
    _call("sqlite3", "register_adapter", Registered, str),
)
add(
    "copyreg: _inverted_registry",
    "copyreg.add_extension",
    _in("copyreg", "_inverted_registry", 77),
    _call("copyreg", "add_extension", "json", "JSONEncoder", 77),
)
add(
    "webbrowser: _browsers",
    "webbrowser.register",
    _in("webbrowser", "_browsers", "left"),
    lambda: webbrowser.register("left", lambda: webbrowser.GenericBrowser("left")),
)
add(
    "gettext: _localedirs",
    "gettext.bindtextdomain",
    _in("gettext", "_localedirs", "left"),
    lambda: gettext.bindtextdomain("left", "/left"),
)


def _handled():
    """Tell whether the process handles SIGUSR1, also where no function of Python does."""
    with open("/proc/self/status") as file:
        handled = int(file.read().partition("SigCgt:")[2].split()[0], 16)
    return bool(handled & 1 << signal.SIGUSR1 - 1)


add("(what is registered in a task)", "faulthandler.register", _handled, lambda: faulthandler.register(signal.SIGUSR1))

# The system.


def _switch(number):
    def read():
        value = ctypes.c_int()
        return ctypes.CDLL(None).prctl(number, ctypes.byref(value), 0, 0, 0), value.value

    return read


_PRCTL = "switches of prctl, such as the signal at the death of the parent"
for _label, _set, _get, _value in (
    ("orphans adopted, by prctl", 36, 37, 1),
    ("no dump of memory, by prctl", 4, 3, 0),
    ("rights kept, by prctl", 8, 7, 1),
    ("slack of timers, by prctl", 29, 30, 77_000),
):
    add(_PRCTL, _label, _switch(_get), partial(ctypes.CDLL(None).prctl, _set, _value, 0, 0, 0))
add(
    "rounding of the processor",
    "numbers rounded down",
    lambda: ctypes.CDLL(None).fegetround(),
    lambda: ctypes.CDLL(None).fesetround(0x400),  # FE_DOWNWARD on x86-64
)


def _score():
    with open("/proc/self/oom_score_adj") as file:
        return file.read()


def _new_score():
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("777")


add("score of the OOM killer", "another score of the OOM killer", _score, _new_score)

# Libraries.

add(
    "scipy.special: errors",
    "scipy.special.seterr",
    lambda: _held("scipy.special", "geterr")()["singular"],
    _call("scipy.special", "seterr", all="raise"),
)


def _arrow():
    import pyarrow

    return pyarrow.cpu_count(), pyarrow.io_thread_count(), pyarrow.default_memory_pool().backend_name


def _set_arrow():
    import pyarrow

    pyarrow.set_cpu_count(7)
    pyarrow.set_io_thread_count(3)
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def _extend_pandas():
    import pandas as pd

    class Extension(pd.api.extensions.ExtensionDtype):  # type: ignore[misc]
        name = "left"
        type = int

    pd.api.extensions.register_extension_dtype(Extension)


add("PyArrow: threads, memory pool", "threads and memory pool of PyArrow", _arrow, _set_arrow)
add(
    "pandas: _registry.dtypes",
    "pandas.api.extensions.register_extension_dtype",
    lambda: len(_held("pandas.core.dtypes.base", "_registry").dtypes),
    _extend_pandas,
)
add(
    "NumPy: masked values",
    "numpy.ma.masked_print_option",
    lambda: str(_held("numpy", "ma.masked_print_option")),
    _call("numpy", "ma.masked_print_option.set_display", "left"),
)
_entry("matplotlib: _scale_mapping", "matplotlib.scale", "_scale_mapping", "left")
_entry(
    "matplotlib: projection_registry._all_projection_types",
    "matplotlib.projections",
    "projection_registry._all_projection_types",
    "left",
)
_entry("matplotlib: fonts", "matplotlib.font_manager", "fontManager.ttflist", "left")
_entry("matplotlib: library", "matplotlib.style", "library", "left")
_entry("matplotlib: writers._registered", "matplotlib.animation", "writers._registered", "left")
add(
    "matplotlib: color_sequences._color_sequences",
    "matplotlib.color_sequences.register",
    lambda: "left" in _held("matplotlib", "color_sequences"),
    _call("matplotlib", "color_sequences.register", "left", ["r"]),
)
add(
    "joblib: BACKENDS",
    "joblib.register_parallel_backend",
    _in("joblib.parallel", "BACKENDS", "left"),
    _call("joblib", "register_parallel_backend", "left", nothing),
)
_attribute("joblib: default backend", "joblib.parallel", "DEFAULT_BACKEND", "left")
_entry("joblib: _COMPRESSORS", "joblib.compressor", "_COMPRESSORS", "left")
for _module in ("joblib.externals.loky.backend.reduction", "loky.backend.reduction"):
    add(
        f"{_module.partition('.')[0]}: pickler",
        f"{_module.partition('.')[0]}: another pickler",
        _at(_module, "_loky_pickler_name"),
        _call(_module, "set_loky_pickler", "pickle"),
    )
_entry("fsspec: configuration", "fsspec.config", "conf", "left", {})
add(
    "fsspec: _registry",
    "fsspec.register_implementation",
    lambda: "left" in _held("fsspec.registry", "_registry"),  # fsspec itself enters the file systems that it opens
    _call("fsspec", "register_implementation", "left", Registered),
)
_entry("dask: Callback.active", "dask.callbacks", "Callback.active", "left")
