"""The handle of a shared object."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from rxspark.data.refs import LocalFileRef, RemoteFileRef, load_object, load_shared_object
from rxspark.errors import RxArgumentError
from rxspark.serialize.user_modules import UserModules

__all__ = ["Shared"]


class Shared:
    """An object that `rxShare` has written for tasks to map; pass it like any other argument.

    A task that gets it, alone or inside of lists, dicts or objects, gets the plain object.

    Attributes
    ----------
    size : int
        Bytes of the file.
    value : object
        The plain object, as a task gets it.

    Examples
    --------
    >>> import numpy as np
    >>> from rxspark import rxElemArg, rxExec, rxShare
    >>> numbers = rxShare(np.arange(100_000))
    >>> rxExec(lambda x, k: int(x[k]), numbers, rxElemArg([1, 70_000]))
    [1, 70000]
    >>> numbers.remove()
    """

    def __init__(
        self,
        ref: LocalFileRef | RemoteFileRef,
        *,
        size: int,
        of: str,
        modules: UserModules,
        remove: Callable[[], None],
        once: bool,
    ) -> None:
        self._ref = ref
        self._of = of
        self.size = size
        self.modules = modules
        """The user's own modules that the object needs."""
        self._once = once
        """Whether the tasks of a worker have one object in common."""
        self._remove = weakref.finalize(self, remove)

    @property
    def value(self) -> Any:
        """The plain object; what is written to it changes nothing for others."""
        return load_object(self.ref)

    @property
    def ref(self) -> LocalFileRef | RemoteFileRef:
        """The way to the object; RxArgumentError once it was removed."""
        if not self._remove.alive:
            raise RxArgumentError(f"{self!r}: it has been removed; call rxShare again")
        return self._ref

    @property
    def file(self) -> str:
        """Path or URL of the file."""
        return self._ref.path if isinstance(self._ref, LocalFileRef) else self._ref.url

    @property
    def on_this_host(self) -> bool:
        """Tell whether only processes of this host can reach it."""
        return isinstance(self._ref, LocalFileRef)

    def remove(self) -> None:
        """Remove the file; without it, this happens when the handle is no longer used, at the latest at exit."""
        self._remove()

    def __reduce__(self) -> Any:
        return load_shared_object if self._once else load_object, (self.ref,)

    def __repr__(self) -> str:
        where = f"in {self.file.rpartition('/')[0]}" if self._remove.alive else "removed"
        return f"<shared {self._of}, {self.size / 1e6:.3g} MB, {where}>"
