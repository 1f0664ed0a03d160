"""rxShare: write an object once, so that tasks map it instead of getting copies."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from rxspark.contexts import RxSpark, rxGetComputeContext
from rxspark.data.bundle import Bundle
from rxspark.data.local_files import remove_local_bundle, write_local_bundle
from rxspark.data.refs import LocalFileRef, RemoteFileRef
from rxspark.data.shared_files import remove_shared_bundle, write_shared_bundle
from rxspark.errors import RxArgumentError
from rxspark.serialize.shared_object import Shared
from rxspark.serialize.user_modules import UserModules
from rxspark.user_paths import resolve, share_folder

__all__ = ["rxShare", "share_bundle"]

# Bytes from which plain Python objects are unpickled once a worker; fewer take some milliseconds.
_LARGE = 1 << 20


def rxShare(obj: Any, path: str | os.PathLike[str] | None = None) -> Shared:
    """Write an object once, for the tasks of any number of calls.

    The arrays inside it (of NumPy, pandas, pyarrow, scipy.sparse, of models; nested as they may be) are mapped by
    the tasks from one copy a host, whatever their size. A task may write to what it gets, as to any argument: the
    pages that it changes are its own, and nobody else sees the change. A megabyte or more of plain Python objects
    (a dict of a million strings), without an array of 4 KB or more inside, takes long to unpickle: each worker does so
    once, and all its tasks get that one object, which they are to read only.

    Arguments and captured variables that are larger than ``rxOptions("shareThreshold")`` are shared without being
    asked, anew at each call; `rxShare` spares the writing where several calls use one object.

    Parameters
    ----------
    obj : object
        What to share; as it is now: later changes of it are not seen by tasks.
    path : str, optional
        The folder for the file: local, for tasks on this machine, or a URL such as ``"hdfs:///tmp"`` that the
        executors reach too. Default: ``hdfsShareDir`` of the active `RxSpark` context; else ``shareDir`` of the
        active context, or the system's temporary folder.

    Returns
    -------
    Shared
        A handle, to be passed to rxExec like any other argument; also inside lists or objects, as element of
        `rxElemArg`, or captured by FUN. The file is removed when the handle is, at the latest at exit. On a cluster
        whose executors do not reach the file, the object is sent with each call instead.

    Raises
    ------
    RxShippingError
        When the object cannot be pickled; names what in it.
    RxFileError, RxContextError
        When the folder cannot be written to, or has no room.

    Examples
    --------
    >>> import numpy as np
    >>> from rxspark import RxLocalParallel, rxElemArg, rxExec, rxShare
    >>> table = rxShare({"x": np.arange(1e6), "label": "all"})
    >>> table
    <shared dict, 8 MB, in ...>
    >>> with RxLocalParallel():
    ...     rxExec(lambda t, k: (t["label"], float(t["x"][k])), table, rxElemArg([0, -1]))
    [('all', 0.0), ('all', 999999.0)]
    """
    from rxspark.serialize.pickler import CallSerializer  # with cloudpickle, which only calls need

    if isinstance(obj, Shared):
        raise RxArgumentError(f"rxShare(obj={obj!r}): it is shared already; pass it to rxExec")
    serializer = CallSerializer()
    bundle = Bundle(serializer.shared(obj))
    # Arrays are mapped in no time, and classes by value are each task's own.
    once = bundle.size >= _LARGE and len(bundle) == 1 and not serializer.by_value
    return share_bundle(bundle, path, of=type(obj).__name__, modules=serializer.modules, once=once)


def share_bundle(
    bundle: Bundle, path: str | os.PathLike[str] | None = None, *, of: str, modules: UserModules, once: bool = False
) -> Shared:
    """Write a bundle, where `rxShare` would, and give its handle."""
    ref, remover = _written(bundle, path)
    remove = partial(_in_process, os.getpid(), remover)
    return Shared(ref, size=bundle.size, of=of, modules=modules, remove=remove, once=once)


def _written(
    bundle: Bundle, path: str | os.PathLike[str] | None
) -> tuple[LocalFileRef | RemoteFileRef, Callable[[], None]]:
    context = rxGetComputeContext()
    named = resolve(path, "path") if path is not None else None
    if named is None and isinstance(context, RxSpark):
        share = share_folder(context)
    else:
        share = named if named and named.start else None  # a URL
    if share is not None:
        remote, ref = write_shared_bundle(bundle, share)
        return ref, partial(remove_shared_bundle, remote)
    file = write_local_bundle(bundle, named.path if named else context.share_dir)
    return file, partial(remove_local_bundle, file)


def _in_process(owner: int, remover: Callable[[], None]) -> None:
    if os.getpid() == owner:  # a child that was forked has the handle, but not the file
        remover()
