"""Compute contexts: frozen values that say where and how rxExec runs. They hold no process and no session."""

from rxspark.contexts.base import ComputeContext
from rxspark.contexts.contexts import (
    ARGUMENTS,
    ENVIRONMENT,
    RxForeachDoPar,
    RxLocalParallel,
    RxLocalSeq,
    RxSpark,
    chosen_context,
    rxGetComputeContext,
    rxSetComputeContext,
)

__all__ = [
    "ARGUMENTS",
    "ENVIRONMENT",
    "ComputeContext",
    "RxForeachDoPar",
    "RxLocalParallel",
    "RxLocalSeq",
    "RxSpark",
    "chosen_context",
    "rxGetComputeContext",
    "rxSetComputeContext",
]
