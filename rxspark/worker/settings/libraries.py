"""Settings that libraries keep, once they are loaded."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from rxspark import options
from rxspark.options import in_force
from rxspark.rng.active import current
from rxspark.worker.settings.setting import Setting, attributes, registries, registry
from rxspark.worker.threads import bring_back, changed_limits

__all__ = ["LIBRARIES"]


def _of(module: str) -> Any:
    return sys.modules[module]


def _numpy_errors() -> dict[str, str]:
    """NumPy's error state; a function that is to be called for an error does not travel, so tasks warn instead."""
    state: dict[str, str] = _of("numpy").geterr()
    return {kind: "warn" if what in ("call", "log") else what for kind, what in state.items()}


def _print_options() -> dict[str, Any]:
    options: dict[str, Any] = _of("numpy").get_printoptions()
    return {name: value for name, value in options.items() if name not in ("formatter", "override_repr")}


def _generators() -> bool:
    """Tell whether the functions of `random` and `numpy.random` are those of the stream."""
    streams = current()
    return streams is None or streams.in_place()


def _put_generators(_: bool) -> None:
    streams = current()
    if streams is not None:
        streams.reinstall()


def _pandas_options() -> dict[str, Any]:
    """The options that differ from their defaults; the public functions take 5 us for each of ninety."""
    config = _of("pandas._config.config")
    changed = {}
    for key, option in config._registered_options.items():
        place = config._global_config
        for part in key.split("."):
            place = place[part]
        if place is not option.defval and place != option.defval:
            changed[key] = place
    return changed


def _put_pandas_options(wanted: dict[str, Any]) -> None:
    pandas = _of("pandas")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated ones
        for key in _pandas_options().keys() - wanted.keys():
            pandas.reset_option(f"^{key}$")
        for key, value in wanted.items():
            with suppress(KeyError, ValueError):  # the caller's version of pandas may have others
                pandas.set_option(key, value)


# What belongs to the screen at which somebody sits, and not to a plot.
_OF_THE_SCREEN = frozenset({"backend", "backend_fallback", "interactive", "toolbar", "webagg.port", "tk.window_focus"})


def _rc_params() -> dict[str, Any]:
    """The parameters of plots that differ from matplotlib's defaults."""
    mpl = _of("matplotlib")
    now, default = dict.items(mpl.rcParams), mpl.rcParamsDefault
    return {key: value for key, value in now if key not in _OF_THE_SCREEN and dict.get(default, key) != value}


def _put_rc_params(wanted: dict[str, Any]) -> None:
    mpl = _of("matplotlib")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key in _rc_params().keys() - wanted.keys():
            mpl.rcParams[key] = mpl.rcParamsDefault[key]
        for key, value in wanted.items():
            with suppress(KeyError, ValueError):  # the caller's version of matplotlib may have others
                mpl.rcParams[key] = value


def _plots() -> Any:
    """Backend, interactive mode and open figures."""
    params, pyplot = _of("matplotlib").rcParams, sys.modules.get("matplotlib.pyplot")
    figures = tuple(_of("matplotlib._pylab_helpers").Gcf.figs) if "matplotlib._pylab_helpers" in sys.modules else ()
    screen = {key: dict.get(params, key) for key in _OF_THE_SCREEN}
    return screen, getattr(pyplot, "_backend_mod", None), figures


def _put_plots(wanted: Any) -> None:
    screen, backend, figures = wanted
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        for number in pyplot.get_fignums():
            if number not in figures:
                pyplot.close(number)
        if pyplot._backend_mod is not backend:
            pyplot._backend_mod = backend
    for key, value in screen.items():  # as they are: reading the backend by the public way chooses one
        if key in dict.keys(_of("matplotlib").rcParams):
            dict.__setitem__(_of("matplotlib").rcParams, key, value)


_FONTS = registry("matplotlib: fonts", "matplotlib.font_manager", "fontManager.ttflist", tier=2)


def _put_fonts(wanted: dict[Any, Any]) -> None:
    _FONTS.write(wanted)
    _of("matplotlib.font_manager").fontManager._findfont_cached.cache_clear()


def _arrow() -> Any:
    arrow = _of("pyarrow")
    return arrow.cpu_count(), arrow.io_thread_count(), arrow.default_memory_pool().backend_name


def _put_arrow(wanted: Any) -> None:
    arrow = _of("pyarrow")
    cores, io_threads, pool = wanted
    arrow.set_cpu_count(cores)
    arrow.set_io_thread_count(io_threads)
    arrow.set_memory_pool(getattr(arrow, f"{pool}_memory_pool")())


def _put_sklearn(wanted: dict[str, Any]) -> None:
    sklearn = _of("sklearn")
    sklearn.set_config(**{name: value for name, value in wanted.items() if name in sklearn.get_config()})


def _joblib() -> dict[str, Any]:
    return dict(vars(_of("joblib.parallel")._backend))


def _put_joblib(wanted: dict[str, Any]) -> None:
    held = vars(_of("joblib.parallel")._backend)
    held.clear()
    held.update(wanted)


def _dask() -> dict[Any, Any]:
    """Return what differs from the defaults that dask and the libraries around it bring, by its path."""
    config = _of("dask.config")
    default: dict[Any, Any] = {}
    for defaults in config.defaults:
        default.update(_flat((), defaults))
    return {path: value for path, value in _flat((), config.config) if default.get(path, _ABSENT) != value}


_ABSENT = object()


def _flat(path: tuple[str, ...], level: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in level.items():
        if isinstance(value, dict) and value:
            yield from _flat((*path, name), value)
        else:
            yield (*path, name), value


def _put_dask(wanted: dict[Any, Any]) -> None:
    config = _of("dask.config")
    held = config.merge(*config.defaults)
    for path, value in wanted.items():
        level = held
        for name in path[:-1]:
            level = level.setdefault(name, {})
        level[path[-1]] = value
    config.config.clear()
    config.config.update(held)


def _fsspec() -> dict[str, Any]:
    return {protocol: dict(values) for protocol, values in _of("fsspec.config").conf.items()}


def _put_fsspec(wanted: dict[str, Any]) -> None:
    held = _of("fsspec.config").conf
    held.clear()
    held.update({protocol: dict(values) for protocol, values in wanted.items()})


def _put_by_value(wanted: set[str]) -> None:
    held = _of("cloudpickle.cloudpickle")._PICKLE_BY_VALUE_MODULES
    held.clear()
    held.update(wanted)


LIBRARIES = [
    Setting("functions of `random` and `numpy.random`", _generators, _put_generators),
    Setting(
        "NumPy: error state",
        _numpy_errors,
        lambda state: _of("numpy").seterr(**state),
        "numpy",
        tier=1,
        of_thread=True,
        travels=True,
    ),
    Setting(
        "NumPy: print options",
        _print_options,
        lambda options: _of("numpy").set_printoptions(**options),
        "numpy",
        tier=1,
        of_thread=True,
        travels=True,
    ),
    attributes("NumPy: masked values", "numpy.ma.core", "masked_print_option._display", "masked_print_option._enabled"),
    Setting(
        "scipy.special: errors",
        lambda: _of("scipy.special").geterr(),
        lambda state: _of("scipy.special").seterr(**state),
        "scipy.special",
        of_thread=True,
    ),
    Setting("PyArrow: threads, memory pool", _arrow, _put_arrow, "pyarrow"),
    *registries("pandas", "pandas.core.dtypes.base", "_registry.dtypes"),
    Setting("pandas: options", _pandas_options, _put_pandas_options, "pandas", tier=1, travels=True),
    Setting(
        "scikit-learn: configuration",
        lambda: dict(_of("sklearn").get_config()),
        _put_sklearn,
        "sklearn",
        of_thread=True,
        travels=True,
    ),
    Setting("matplotlib: rcParams", _rc_params, _put_rc_params, "matplotlib", tier=1, travels=True),
    Setting("matplotlib: backend and open figures", _plots, _put_plots, "matplotlib", tier=1),
    registry("matplotlib: units", "matplotlib.units", "registry"),
    registry("matplotlib: color maps", "matplotlib.cm", "_colormaps._cmaps", tier=2),
    *registries("matplotlib", "matplotlib", "color_sequences._color_sequences"),
    *registries("matplotlib", "matplotlib.scale", "_scale_mapping"),
    *registries("matplotlib", "matplotlib.projections", "projection_registry._all_projection_types"),
    *registries("matplotlib", "matplotlib.style", "library"),
    *registries("matplotlib", "matplotlib.animation", "writers._registered"),
    replace(_FONTS, write=_put_fonts),
    Setting("threads of BLAS, OpenMP, numba", changed_limits, bring_back, tier=1, of_thread=True, ends_worker=False),
    Setting("dask: configuration", _dask, _put_dask, "dask.config", tier=2),
    *registries("dask", "dask.callbacks", "Callback.active"),
    *registries("fsspec", "fsspec.registry", "_registry"),
    Setting("fsspec: configuration", _fsspec, _put_fsspec, "fsspec.config", tier=1),
    registry("xarray: options", "xarray.core.options", "OPTIONS"),
    Setting(
        "cloudpickle: modules by value",
        lambda: set(_of("cloudpickle.cloudpickle")._PICKLE_BY_VALUE_MODULES),
        _put_by_value,
        "cloudpickle.cloudpickle",
    ),
    *registries("joblib", "joblib.parallel", "BACKENDS"),
    attributes("joblib: default backend", "joblib.parallel", "DEFAULT_BACKEND"),
    *registries("joblib", "joblib.compressor", "_COMPRESSORS"),
    attributes("joblib: pickler", "joblib.externals.loky.backend.reduction", "_LokyPickler", "_loky_pickler_name"),
    attributes("loky: pickler", "loky.backend.reduction", "_LokyPickler", "_loky_pickler_name"),
    Setting("joblib: active backend", _joblib, _put_joblib, "joblib.parallel", of_thread=True),
    Setting(
        "rxspark: options", lambda: dict(in_force), in_force.update, on_event=True, events=frozenset({options.SET})
    ),
]
