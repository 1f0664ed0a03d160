"""rxPingNodes and rxGetNodeInfo: which machines run tasks, and whether they answer."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

from rxspark.contexts import rxGetComputeContext
from rxspark.execute import rxExec
from rxspark.html_tables import html_table
from rxspark.results import RxResults

__all__ = ["RxNodes", "rxGetNodeInfo", "rxPingNodes"]


class RxNodes(dict[str, dict[str, Any]]):
    """Facts about each node, by node name; prints as a table."""

    def _table(self) -> Any:
        import pandas

        return pandas.DataFrame.from_dict(dict(self), orient="index")

    def __repr__(self) -> str:
        return str(self._table().to_string())

    def _repr_html_(self) -> str:
        table = self._table()
        rows = [[escape(str(cell)) for cell in row] for row in table.itertuples()]
        return html_table(["", *table.columns], rows, numbers=("numCores", "memSize", "seconds"))


def rxGetNodeInfo() -> RxNodes:
    """Cores, memory and versions of each node of the active compute context.

    Returns
    -------
    RxNodes
        For each node, by its name in upper case: ``nodeName``, ``numCores`` (that a worker there may use),
        ``memSize`` (MB), ``python``, ``rxspark``, ``numpy`` (versions), ``seconds`` (until it had answered, counted
        from the call).

    Examples
    --------
    >>> from rxspark import rxGetNodeInfo
    >>> nodes = rxGetNodeInfo()
    >>> all(node["numCores"] >= 1 for node in nodes.values())
    True
    """
    asked = time.time()
    answers = _ask(_facts)
    answered = (answers.info["start"].astype("int64") / 1e9 + answers.info["seconds"] - asked).round(3)
    return RxNodes(
        (name, {**facts, "seconds": max(0.0, float(seconds))})
        for name, facts, seconds in zip(answers.names, answers, answered, strict=True)
    )


def rxPingNodes() -> RxNodes:
    """Run a trivial task on each node of the active compute context: a test from end to end.

    Returns
    -------
    RxNodes
        For each node, by its name in upper case: ``nodeName`` and ``status``, "success" or "failedJob".

    Examples
    --------
    >>> from rxspark import rxPingNodes
    >>> {node["status"] for node in rxPingNodes().values()}
    {'success'}
    """
    answers = _ask(socket.gethostname)
    hosts = answers.info["host"]
    return RxNodes(
        (name, {"nodeName": host, "status": "failedJob" if task in answers.errors else "success"})
        for task, (name, host) in enumerate(zip(answers.names, hosts, strict=True))
    )


def _ask(question: Callable[[], Any]) -> RxResults[Any]:
    """Ask each node and wait for its answer, also in a context with ``wait=False``."""
    with replace(rxGetComputeContext(), wait=True):
        return rxExec(question, oncePerElem=True)


def _facts() -> dict[str, Any]:
    import numpy

    return {
        "nodeName": socket.gethostname(),
        "numCores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memSize": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "python": sys.version.split()[0],
        "rxspark": sys.modules["rxspark"].__version__,
        "numpy": numpy.__version__,
    }
