"""Backends: the code that runs a plan for a compute context. Each is imported only when its context is used."""

from __future__ import annotations

from rxspark.backends.base import Backend
from rxspark.backends.spark.forks import watch_forks
from rxspark.contexts import ComputeContext, RxForeachDoPar, RxLocalParallel, RxLocalSeq, RxSpark
from rxspark.errors import RxContextError

__all__ = ["backend_for"]

watch_forks()


def backend_for(context: ComputeContext, background: bool = False) -> Backend:
    """The backend that runs calls under a compute context: those that wait, or those in the background."""
    if background and isinstance(context, (RxLocalSeq, RxLocalParallel)):
        from rxspark.backends.local import BackgroundBackend

        # Console, random generators and environment belong to the whole process: one task after another, but not here.
        workers = 1 if isinstance(context, RxLocalSeq) else None
        return BackgroundBackend(context.share_dir, context.threadsPerTask, workers)
    if isinstance(context, RxLocalSeq):
        from rxspark.backends.sequential import SequentialBackend

        return SequentialBackend(context.share_dir)
    if isinstance(context, RxLocalParallel):
        from rxspark.backends.local import LocalBackend

        return LocalBackend(context.share_dir, context.threadsPerTask)
    if isinstance(context, RxForeachDoPar):
        from rxspark.backends.foreach import ForeachBackend, ForeachInBackground

        return (ForeachInBackground if background else ForeachBackend)(context.share_dir)
    if isinstance(context, RxSpark):
        from rxspark.backends.spark.session import application_for, connect_session

        session = connect_session(context)
        if session is not None:
            from rxspark.backends.spark.connect import ConnectBackend

            return ConnectBackend(session, context)
        application = application_for(context)
        from rxspark.backends.spark.classic import ClassicBackend  # only now, as findspark may have found PySpark

        return ClassicBackend(application, context)
    raise RxContextError(f"no backend runs {context!r}; use RxLocalSeq, RxLocalParallel, RxForeachDoPar or RxSpark")
