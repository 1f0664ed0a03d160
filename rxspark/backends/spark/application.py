"""rxSparkConnect and rxSparkDisconnect: a Spark application that is started, used and stopped on purpose."""

from __future__ import annotations

from typing import Any

from rxspark.backends import backend_for
from rxspark.backends.engine_errors import translate_errors
from rxspark.contexts import RxLocalSeq, RxSpark, rxGetComputeContext, rxSetComputeContext
from rxspark.serialize.payload import Requirements

__all__ = ["rxSparkConnect", "rxSparkDisconnect"]


def rxSparkConnect(**settings: Any) -> RxSpark:
    """Start a Spark application, or attach to the active one, and make it the active compute context.

    Parameters
    ----------
    **settings
        The arguments of `RxSpark`.

    Returns
    -------
    RxSpark
        The context, now the active one.

    Raises
    ------
    RxContextError
        When no application can be started, or one with another master is active.

    Examples
    --------
    >>> from rxspark import rxElemArg, rxExec, rxSparkConnect, rxSparkDisconnect
    >>> context = rxSparkConnect(master="local[2]")  # doctest: +SKIP
    >>> rxExec(pow, rxElemArg([2, 3]), 2)  # doctest: +SKIP
    [4, 9]
    >>> rxSparkDisconnect()  # doctest: +SKIP
    """
    context = RxSpark(**settings)
    with translate_errors(repr(context)):
        backend_for(context).check(Requirements())
    rxSetComputeContext(context)
    return context


def rxSparkDisconnect() -> None:
    """Stop the Spark application if rxspark started it, and go back to `RxLocalSeq`.

    An application that was there before, of a shell, a notebook or spark-submit, is left running.

    Examples
    --------
    >>> from rxspark import rxGetComputeContext, rxSparkDisconnect
    >>> rxSparkDisconnect()
    >>> rxGetComputeContext()
    RxLocalSeq()
    """
    from rxspark.backends.spark.session import stop_own  # with what starting a Spark takes

    stop_own()
    if isinstance(rxGetComputeContext(), RxSpark):
        rxSetComputeContext(RxLocalSeq())
