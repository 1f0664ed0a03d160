"""execObjects: objects of the caller's that FUN finds among its globals."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any

from rxspark.errors import RxArgumentError, closest
from rxspark.worker.current_task import globals_of

__all__ = ["exec_objects"]


def exec_objects(function: Callable[..., Any], asked: Any, caller: FrameType) -> dict[str, Any]:
    """The objects for FUN's globals, by name; names are looked up in the frame that called rxExec."""
    if asked is None:
        return {}
    names = [asked] if isinstance(asked, str) else list(asked) if isinstance(asked, Iterable) else [asked]
    for name in names:
        if not isinstance(name, str) or not name.isidentifier():
            raise RxArgumentError(f"execObjects: {name!r} is not a name; give names, or a dict of name to object")
    if globals_of(function) is None:
        raise RxArgumentError(
            f"execObjects={asked!r}: FUN is {function!r}, which has no globals to put them into; pass them as arguments"
        )
    if isinstance(asked, Mapping):
        return dict(asked)
    visible = {**vars(builtins), **caller.f_globals, **_locals_of(caller)}
    for name in names:
        if name not in visible:
            guess = closest(name, visible)
            hint = f"; did you mean {guess!r}?" if guess else "; define it before the call, or pass a dict"
            raise RxArgumentError(f"execObjects: there is no {name!r} where rxExec is called{hint}")
    return {name: visible[name] for name in names}


def _locals_of(frame: FrameType) -> dict[str, Any]:
    """The local names where a call stands; a comprehension, up to Python 3.11, has a frame of its own."""
    inner = frame.f_code.co_name in ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")
    around = _locals_of(frame.f_back) if inner and frame.f_back is not None else {}
    return {**around, **frame.f_locals}
