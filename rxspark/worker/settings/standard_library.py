"""Settings that modules of the standard library keep."""

from __future__ import annotations

import logging
import socket
import sys
from typing import Any

from rxspark.worker.settings.setting import (
    Setting,
    attributes,
    decimal_state,
    loaded,
    put_decimal_state,
    registries,
    registry,
)

__all__ = ["ASYNCIO", "STANDARD_LIBRARY", "put_running"]


def _decimal(name: str) -> Any:
    return getattr(sys.modules["decimal"], name)


_TEMPLATES = ("DefaultContext", "BasicContext", "ExtendedContext")


def _decimal_templates() -> Any:
    return [decimal_state(_decimal(name)) for name in _TEMPLATES]


def _put_decimal_templates(states: Any) -> None:
    for name, state in zip(_TEMPLATES, states, strict=True):
        put_decimal_state(_decimal(name), state)


_PLAIN: Any = (logging.NOTSET, True, False, (), ())


def _loggers() -> dict[str, Any]:
    """The loggers that somebody has set up: those that have a module's name, and, as one part, all others.

    Of the root logger, whose level and handlers are the console's, the rest.
    """
    root = logging.root
    others: dict[str, Any] = {}
    found: dict[str, Any] = {"": others, "root": (tuple(root.filters), root.disabled, root.propagate)}
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            handlers, filters = tuple(logger.handlers), tuple(logger.filters)
            state = logger.level, logger.propagate, logger.disabled, handlers, filters
            if state != _PLAIN:
                (found if name.partition(".")[0] in sys.modules else others)[name] = state
    return found


def _put_loggers(wanted: dict[str, Any]) -> None:
    now = _loggers()
    states = wanted | wanted[""]
    root = logging.root
    root.filters[:], root.disabled, root.propagate = wanted["root"]
    for name in (now.keys() | now[""].keys() | states.keys()) - {"", "root"}:
        logger = logging.getLogger(name)
        level, logger.propagate, logger.disabled, handlers, filters = states.get(name, _PLAIN)
        logger.setLevel(level)
        logger.handlers[:], logger.filters[:] = handlers, filters


def _asyncio_state() -> Any:
    events: Any = sys.modules["asyncio.events"]
    policy = events._event_loop_policy  # the public way would make one
    local = getattr(policy, "_local", None)
    return policy, dict(vars(local)) if local is not None else None, *_running()


def _put_asyncio_state(wanted: Any) -> None:
    events: Any = sys.modules["asyncio.events"]
    events._event_loop_policy, local, loop, task = wanted
    put_running(loop, task)
    if local is not None:
        held = vars(wanted[0]._local)
        held.clear()
        held.update(local)


def _running() -> tuple[Any, Any]:
    """Return the loop of asyncio that runs in this thread, and that of its tasks that does; None for none."""
    loop = loaded("asyncio.events")._get_running_loop()
    return loop, None if loop is None else loaded("asyncio.tasks").current_task(loop)


def put_running(loop: Any = None, task: Any = None) -> None:
    """Make these the loop and the task of asyncio that run in this thread.

    From Python 3.14 on a thread has one running task, whatever the loop: beside it no task of another loop would begin.
    """
    tasks = loaded("asyncio.tasks")
    now, current = _running()
    if current is not None:
        tasks._leave_task(now, current)
    loaded("asyncio.events")._set_running_loop(loop)
    if task is not None:
        tasks._enter_task(loop, task)


_LEVELS = ("_levelToName", "_nameToLevel")


def _levels() -> Any:
    return [dict(getattr(logging, name)) for name in _LEVELS]


def _put_levels(wanted: Any) -> None:
    for name, levels in zip(_LEVELS, wanted, strict=True):
        held = getattr(logging, name)
        held.clear()
        held.update(levels)


def _process() -> Any:
    current = loaded("multiprocessing.process")._current_process
    return current, dict(current._config), current._name


def _put_process(wanted: Any) -> None:
    current, config, name = wanted
    loaded("multiprocessing.process")._current_process = current
    current._config.clear()
    current._config.update(config)
    current._name = name


def _csv() -> Any:
    """The limit and the dialects that the native module keeps; `csv` registers the first ones when it is loaded."""
    csv = loaded("_csv")
    return csv.field_size_limit(), {name: csv.get_dialect(name) for name in csv.list_dialects()}


def _put_csv(wanted: Any) -> None:
    csv = loaded("_csv")
    limit, dialects = wanted
    csv.field_size_limit(limit)
    for name in csv.list_dialects():
        csv.unregister_dialect(name)
    for name, dialect in dialects.items():
        csv.register_dialect(name, dialect)


_MAPS = ("types_map", "common_types", "suffix_map", "encodings_map")


def _mime_types() -> Any:
    """The types of files by their names; None before they are first asked for."""
    mimetypes = loaded("mimetypes")
    return mimetypes._db and (mimetypes._db, [dict(getattr(mimetypes, name)) for name in _MAPS])


def _put_mime_types(wanted: Any) -> None:
    mimetypes = loaded("mimetypes")
    if wanted is None:
        mimetypes._db, mimetypes.inited = None, False
        mimetypes._default_mime_types()
        return
    mimetypes._db, maps = wanted
    for name, values in zip(_MAPS, maps, strict=True):
        held = getattr(mimetypes, name)
        held.clear()
        held.update(values)


ASYNCIO = Setting("asyncio: policy and loop", _asyncio_state, _put_asyncio_state, "asyncio", of_thread=True)

STANDARD_LIBRARY = [
    attributes("`tempfile.tempdir`", "tempfile", "tempdir", "template"),
    Setting("default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout, travels=True),
    attributes(
        "logging: disable, raiseExceptions, record factory, logger class",
        "logging",
        "Logger.manager",
        "root",
        "root.manager.disable",
        "root.manager.loggerClass",
        "root.manager.logRecordFactory",
        "raiseExceptions",
        "_logRecordFactory",
        "_loggerClass",
        "lastResort",
        "_warnings_showwarning",
    ),
    Setting("logging: names of levels", _levels, _put_levels),
    Setting("loggers: level, handlers, filters", _loggers, _put_loggers, tier=1, parts=True),
    Setting(
        "decimal context",
        lambda: decimal_state(_decimal("getcontext")()),
        lambda state: put_decimal_state(_decimal("getcontext")(), state),
        "decimal",
        of_thread=True,
        travels=True,
    ),
    Setting("decimal templates", _decimal_templates, _put_decimal_templates, "decimal", tier=1),
    ASYNCIO,
    attributes("multiprocessing: start method", "multiprocessing.context", "_default_context._actual_context"),
    attributes("multiprocessing: executable", "multiprocessing.spawn", "_python_exe"),
    Setting("multiprocessing: this process", _process, _put_process, "multiprocessing.process"),
    registry("copyreg: reducers", "copyreg", "dispatch_table"),
    *registries("copyreg", "copyreg", "_extension_registry", "_inverted_registry"),
    *registries("sqlite3", "sqlite3", "adapters", "converters"),
    *registries("email", "email.charset", "ALIASES", "CHARSETS", "CODEC_MAP"),
    *registries("shutil", "shutil", "_ARCHIVE_FORMATS", "_UNPACK_FORMATS"),
    *registries("encodings", "encodings.aliases", "aliases"),
    *registries("xml.etree", "xml.etree.ElementTree", "_namespace_map"),
    *registries("urllib", "urllib.parse", "uses_netloc"),
    *registries("webbrowser", "webbrowser", "_browsers"),
    *registries("doctest", "doctest", "OPTIONFLAGS_BY_NAME"),
    *registries("gettext", "gettext", "_localedirs"),
    attributes("gettext: domain", "gettext", "_current_domain"),
    attributes("calendar: first day of the week", "calendar", "c.firstweekday"),
    attributes("json: encoder and decoder", "json", "_default_encoder", "_default_decoder"),
    attributes("multiprocessing: log", "multiprocessing.util", "_logger", "_log_to_stderr"),
    attributes("urllib: opener", "urllib.request", "_opener"),
    attributes("ssl: context of HTTPS", "ssl", "_create_default_https_context"),
    Setting("csv: dialects, size of a field", _csv, _put_csv, "csv", tier=1),
    Setting("mimetypes", _mime_types, _put_mime_types, "mimetypes", tier=2),
]
