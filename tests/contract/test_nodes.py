"""Once on each node, and what the nodes tell of themselves: this machine, or the hosts of a lab."""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np
import pytest

import rxspark
from rxspark import RxArgumentError, RxTaskWarning, rxElemArg, rxExec, rxGetNodeInfo, rxPingNodes


@pytest.fixture
def nodes(hosts):
    """The names of the nodes as RevoScaleR writes them."""
    return [host.split(".")[0].upper().replace("-", "_") for host in hosts]


def test_once_per_elem_runs_once_on_each_node(tmp_path, nodes, hosts):
    """There is one task for each machine, however many slots it has, and its name is the node's."""

    def task(folder, x):
        (folder / f"{platform.node()}-{os.getpid()}").touch()
        return platform.node(), x

    result = rxExec(task, tmp_path, 5, oncePerElem=True)
    assert (list(result), len(list(tmp_path.iterdir()))) == ([(host, 5) for host in hosts], len(hosts))
    assert result.names == nodes
    assert list(result.info["task"]) == list(range(len(nodes)))
    assert list(result.info["host"]) == hosts


def test_once_per_elem_with_elements(nodes):
    """One element for each node is allowed; elemArgs with a single entry serves all."""
    values = list(range(3, 3 + len(nodes)))
    assert rxExec(lambda x: x, rxElemArg(values), oncePerElem=True) == values
    assert rxExec(lambda x: x, elemArgs=[4], oncePerElem=True) == [4] * len(nodes)
    assert rxExec(lambda: 1, timesToRun=len(nodes), oncePerElem=True) == [1] * len(nodes)


def test_named_elements_go_to_their_nodes_and_other_names_are_refused(nodes, hosts):
    """A node is named as in results, or as it names itself; a name that is none is refused with those there are."""
    for named in (nodes, hosts):
        result = rxExec(lambda x: (x, platform.node()), elemArgs=dict(zip(named, hosts, strict=True)), oncePerElem=True)
        assert (list(result), result.names) == ([(host, host) for host in hosts], nodes)
    with pytest.raises(RxArgumentError, match=f"there is no node 'NO_SUCH_NODE'; the nodes are {', '.join(nodes)}"):
        rxExec(lambda x: x, elemArgs=dict.fromkeys([*nodes[1:], "NO_SUCH_NODE"], 1), oncePerElem=True)
    with pytest.raises(RxArgumentError, match="a node has two elements"):
        rxExec(lambda x: x, rxElemArg({**dict.fromkeys(nodes, 1), nodes[0].lower(): 2}), oncePerElem=True)


def test_once_per_elem_fails_like_any_task(nodes):
    """An error is in its slot, under the node's name."""
    with pytest.warns(RxTaskWarning, match=f"{len(nodes)} of {len(nodes)}"):
        result: Any = rxExec(lambda: 1 / 0, oncePerElem=True)
    assert ({error.type for error in result}, result.names) == ({"ZeroDivisionError"}, nodes)


def test_ping(nodes, hosts):
    """A ping runs a task on each node and tells of its success."""
    found = rxPingNodes()
    want = {node: {"nodeName": host, "status": "success"} for node, host in zip(nodes, hosts, strict=True)}
    assert dict(found) == want
    assert nodes[0] in repr(found)
    assert "success" in found._repr_html_()


def test_node_info(nodes):
    """Facts of each node: cores, memory, versions, seconds."""
    found = rxGetNodeInfo()
    assert list(found) == nodes
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    for facts in found.values():
        assert 1 <= facts["numCores"] <= os.cpu_count()
        assert facts["memSize"] == pytest.approx(memory, rel=0.01)
        assert (facts["python"], facts["rxspark"]) == (platform.python_version(), rxspark.__version__)
        assert facts["numpy"] == np.__version__
        assert 0 <= facts["seconds"] < 60
