"""Once on each node, and what the nodes tell of themselves. All contexts here have one: this machine."""

from __future__ import annotations

import os
import platform

import numpy as np
import pytest

import rxspark
from rxspark import RxArgumentError, RxTaskWarning, rxElemArg, rxExec, rxGetNodeInfo, rxPingNodes


def node():
    """The name as RevoScaleR writes it."""
    return platform.node().split(".")[0].upper().replace("-", "_")


def test_once_per_elem_runs_once_on_each_node(tmp_path):
    """There is one task for each machine, however many slots it has, and its name is the node's."""

    def task(folder, x):
        (folder / str(os.getpid())).touch()
        return x

    result = rxExec(task, tmp_path, 5, oncePerElem=True)
    assert (list(result), len(list(tmp_path.iterdir()))) == ([5], 1)
    assert result.names == [node()]
    assert list(result.info["task"]) == [0]


def test_once_per_elem_with_elements():
    """One element for each node is allowed; elemArgs with a single entry serves all."""
    assert rxExec(lambda x: x, rxElemArg([3]), oncePerElem=True) == [3]
    assert rxExec(lambda x: x, elemArgs=[4], oncePerElem=True) == [4]
    assert rxExec(lambda: 1, timesToRun=1, oncePerElem=True) == [1]


def test_named_elements_go_to_their_nodes_and_other_names_are_refused():
    """A node is named as in results, or as it names itself; a name that is none is refused with those there are."""
    for name in (node(), platform.node()):
        result = rxExec(lambda x: x, elemArgs={name: 6}, oncePerElem=True)
        assert (list(result), result.names) == ([6], [node()])
    with pytest.raises(RxArgumentError, match=f"there is no node 'NO_SUCH_NODE'; the nodes are {node()}"):
        rxExec(lambda x: x, elemArgs={"NO_SUCH_NODE": 1}, oncePerElem=True)
    with pytest.raises(RxArgumentError, match="a node has two elements"):
        rxExec(lambda x: x, rxElemArg({node(): 1, node().lower(): 2}), oncePerElem=True)


def test_once_per_elem_fails_like_any_task():
    """An error is in its slot, under the node's name."""
    with pytest.warns(RxTaskWarning, match="1 of 1"):
        result = rxExec(lambda: 1 / 0, oncePerElem=True)
    assert (result[0].type, result.names) == ("ZeroDivisionError", [node()])


def test_ping():
    """A ping runs a task on each node and tells of its success."""
    nodes = rxPingNodes()
    assert dict(nodes) == {node(): {"nodeName": platform.node(), "status": "success"}}
    assert node() in repr(nodes)
    assert "success" in nodes._repr_html_()


def test_node_info():
    """Facts of each node: cores, memory, versions, seconds."""
    (name, facts), *more = rxGetNodeInfo().items()
    assert (name, more) == (node(), [])
    assert 1 <= facts["numCores"] <= os.cpu_count()
    assert facts["memSize"] == pytest.approx(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20, rel=0.01)
    assert (facts["python"], facts["rxspark"]) == (platform.python_version(), rxspark.__version__)
    assert facts["numpy"] == np.__version__
    assert 0 <= facts["seconds"] < 60
