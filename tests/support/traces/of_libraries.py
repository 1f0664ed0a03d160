"""Traces in libraries; each is imported by the first task that leaves or looks for something."""

from __future__ import annotations

from traces.table import METHODS, add, name_of, nothing


def _numpy():
    import numpy as np

    return np.geterr()["divide"], np.get_printoptions()["precision"], np.geterrcall() is None, np.getbufsize()


def _all(function, *names, **values):
    """Call a function of a library, which is imported then."""

    def call():
        import importlib

        module, _, name = function.rpartition(".")
        return getattr(importlib.import_module(module), name)(*names, **values)

    return call


add("NumPy: error state", "numpy.seterr", _numpy, _all("numpy.seterr", all="raise"))
add("NumPy: error state", "numpy.seterrcall", _numpy, _all("numpy.seterrcall", nothing))
add("NumPy: error state", "numpy.setbufsize", _numpy, _all("numpy.setbufsize", 16_000))
add("NumPy: print options", "numpy.set_printoptions", _numpy, _all("numpy.set_printoptions", precision=2))


def _formatted():
    import numpy as np

    return repr(np.array([1.5]))


add(
    "NumPy: print options",
    "numpy.set_printoptions(formatter=)",
    _formatted,
    _all("numpy.set_printoptions", formatter={"float": lambda _: "left"}),
)


def _functions():
    import numpy as np
    import pandas as pd

    return [name_of(found) for found in (np.mean, np.random.rand, np.random.normal, pd.concat, pd.DataFrame.head)]


def _replace(name, function):
    def replace():
        import numpy as np
        import pandas as pd

        place = {"numpy": np, "numpy.random": np.random, "pandas": pd, "DataFrame": pd.DataFrame}[name]
        setattr(place, function, nothing)

    return replace


_LIBRARY = "functions of the standard library, NumPy, pandas"
add(_LIBRARY, "numpy.mean replaced", _functions, _replace("numpy", "mean"))
add(_LIBRARY, "pandas.concat replaced", _functions, _replace("pandas", "concat"))
add(
    METHODS,
    "pandas.DataFrame.head replaced",
    _functions,
    _replace("DataFrame", "head"),
)
add(
    "functions of `random` and `numpy.random`",
    "numpy.random.rand replaced",
    _functions,
    _replace("numpy.random", "rand"),
)


def _pandas():
    import pandas as pd

    return [pd.get_option(name) for name in ("display.max_rows", "mode.chained_assignment", "plotting.backend")]


add("pandas: options", "pandas.set_option", _pandas, _all("pandas.set_option", "display.max_rows", 3))
add(
    "pandas: options",
    "pandas: chained_assignment",
    _pandas,
    _all("pandas.set_option", "mode.chained_assignment", "raise"),
)


def _plots():
    import matplotlib
    from matplotlib import pyplot, units

    fonts = matplotlib.rcParams["font.size"], matplotlib.rcParams["axes.facecolor"]
    return (
        matplotlib.get_backend().lower(),
        *fonts,
        pyplot.get_fignums(),
        int in units.registry,
        "left" in matplotlib.colormaps,
    )


def _backend():
    import matplotlib

    matplotlib.use("svg")


def _colormap():
    import matplotlib

    matplotlib.colormaps.register(matplotlib.colormaps["viridis"].copy(), name="left")


def _parameters():
    import matplotlib

    matplotlib.rcParams["font.size"] = 3


def _units():
    from matplotlib import units

    units.registry[int] = units.ConversionInterface()


add("matplotlib: rcParams", "matplotlib.rcParams", _plots, _parameters)
add("matplotlib: rcParams", "a style of matplotlib", _plots, _all("matplotlib.style.use", "dark_background"))
add("matplotlib: backend and open figures", "matplotlib.use", _plots, _backend)
add("matplotlib: backend and open figures", "a figure left open", _plots, _all("matplotlib.pyplot.figure"))
add("matplotlib: units", "units of matplotlib", _plots, _units)
add("matplotlib: color maps", "a color map", _plots, _colormap)


def _sklearn():
    import sklearn

    return sklearn.get_config()["transform_output"], sklearn.get_config()["assume_finite"]


add(
    "scikit-learn: configuration", "sklearn.set_config", _sklearn, _all("sklearn.set_config", transform_output="pandas")
)


def _joblib():
    import joblib

    return joblib.parallel.get_active_backend()[1]


add("joblib: active backend", "joblib.parallel_config", _joblib, _all("joblib.parallel_config", "threading", n_jobs=3))


def _dask():
    import dask

    return dask.config.get("scheduler", None), dask.config.get("dataframe.backend", None)


def _set_dask():
    import dask

    dask.config.set(scheduler="synchronous")


def _set_dask_inside():
    import dask

    dask.config.set({"dataframe.backend": "left"})


add("dask: configuration", "dask.config.set", _dask, _set_dask)
add("dask: configuration", "dask.config.set, of a part", _dask, _set_dask_inside)


def _xarray():
    import xarray

    return xarray.get_options()["keep_attrs"], xarray.get_options()["display_width"]


add("xarray: options", "xarray.set_options", _xarray, _all("xarray.set_options", keep_attrs=True, display_width=33))


def _threads():
    import numpy as np
    import threadpoolctl

    np.ones(2) @ np.ones(2)
    return sorted({pool["num_threads"] for pool in threadpoolctl.threadpool_info()})


_CONTROLS = []


def _limit_threads():
    import threadpoolctl

    if not _CONTROLS:
        _CONTROLS.append(threadpoolctl.ThreadpoolController())
    for pool in _CONTROLS[0].lib_controllers:
        pool.set_num_threads(2)


add(
    "threads of BLAS, OpenMP, numba",
    "threadpoolctl.threadpool_limits",
    _threads,
    _all("threadpoolctl.threadpool_limits", 2),
)
add("threads of BLAS, OpenMP, numba", "threads by a controller that was there", _threads, _limit_threads)


def _numba():
    import numba

    return numba.get_num_threads()


def _set_numba():
    import numba

    numba.set_num_threads(2 if numba.config.NUMBA_NUM_THREADS > 1 else 1)


add("threads of BLAS, OpenMP, numba", "numba.set_num_threads", _numba, _set_numba)


def _by_value():
    import cloudpickle

    return sorted(cloudpickle.list_registry_pickle_by_value())


def _register_by_value():
    import json

    import cloudpickle

    cloudpickle.register_pickle_by_value(json)


add("cloudpickle: modules by value", "cloudpickle.register_pickle_by_value", _by_value, _register_by_value)


def _options():
    from rxspark import rxGetOption

    return rxGetOption("consoleLimit")


add("rxspark: options", "rxOptions", _options, _all("rxspark.rxOptions", consoleLimit=77_777))
