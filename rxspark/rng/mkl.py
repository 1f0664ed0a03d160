"""Intel MKL's library, on the one code path that gives the same numbers on every processor.

MKL has a code path for each family of processors, and takes the fastest that there is. The bits of its pseudo-random
generators are the same on all of them; what it makes of the bits (normals, exponentials, gammas, ...) differs in the
last digits, and so do all numbers of SOBOL and NIEDERR. Of the paths that can be asked for, COMPATIBLE alone exists on
every processor, AMD's too (oneMKL Developer Guide, "Obtaining Numerically Reproducible Results"). A million normals
take 10 to 15 ms on it, as long as NumPy's, and 2 ms on that of AVX-512.

The path is chosen once a process, before MKL computes anything. Who sets the variable MKL_CBWR has chosen another one.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rxspark.concurrency import once

__all__ = ["CODE_PATH", "choose_path", "has_same_numbers", "library", "warn_of_other_numbers"]

CODE_PATH = "MKL_CBWR"
_BRANCH, _COMPATIBLE = 1, 3  # mkl_types.h: MKL_CBWR_BRANCH, MKL_CBWR_COMPATIBLE


def _candidates() -> Iterator[str]:
    """Paths of libmkl_rt: by the wheel's own list of files, then in this environment (conda), then on the path."""
    import importlib.metadata  # takes 15 ms, so not at the top

    try:
        for file in importlib.metadata.files("mkl") or ():
            if file.name.startswith(("libmkl_rt.", "mkl_rt.")):
                yield str(file.locate())
    except importlib.metadata.PackageNotFoundError:
        pass
    for folder, pattern in (("lib", "libmkl_rt.*"), ("Library/bin", "mkl_rt.*")):
        yield from map(str, sorted(Path(sys.prefix, folder).glob(pattern)))
    yield "libmkl_rt.so"


def _load() -> ctypes.CDLL:
    failed: OSError | None = None
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError as error:
            failed = error
    raise failed or OSError("libmkl_rt was not found")


@once
def library() -> ctypes.CDLL:
    """MKL's single dynamic library, to be loaded before mkl_random; OSError where it cannot be."""
    mkl = _load()
    if CODE_PATH not in os.environ:
        mkl.MKL_CBWR_Set(_COMPATIBLE)  # refused where MKL has computed before, see `has_same_numbers`
    return mkl


def choose_path() -> None:
    """Choose MKL's code path, where there is an MKL, before another library has it compute."""
    with suppress(OSError):
        library()


def has_same_numbers() -> bool:
    """Tell whether MKL's numbers are those of every processor: whether it was not in use before its path was chosen.

    So they are taken to be where the user has chosen a path, and where there is no MKL.
    """
    try:
        return CODE_PATH in os.environ or library().MKL_CBWR_Get(_BRANCH) == _COMPATIBLE
    except OSError:
        return True


def warn_of_other_numbers() -> None:
    """Warn that this process draws numbers that may differ from those elsewhere."""
    warnings.warn(
        "Intel MKL was in use in this process before rxspark was, and keeps to the code path of this processor: random "
        f"numbers may differ from those of other processors in their last digits. {CODE_PATH}=COMPATIBLE in the "
        "environment, before Python starts, gives the same numbers everywhere; "
        f"{CODE_PATH}=AUTO says that they may differ",
        RuntimeWarning,
        stacklevel=3,
    )
