"""Calls in a notebook's kernel: output stands below the cell that asked for it, whichever cell runs meanwhile."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator

import pytest
from jupyter_client.manager import start_new_kernel

Run = Callable[..., dict[str, str]]

# Seconds for which the messages of a cell are waited for.
PATIENCE = 120


@pytest.fixture
def run() -> Iterator[Run]:
    """Run cells one after another; gives the text that stands below each."""
    places = os.pathsep.join(filter(None, [*sys.path, os.environ.get("PYTHONPATH")]))
    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "PYTHONPATH": places})

    def run(**cells: str) -> dict[str, str]:
        texts: dict[str, str] = {}
        names: dict[str, str] = {}
        for name, source in {**cells, "end": "pass"}.items():
            identity = client.execute(source)
            names[identity] = name
            texts[name] = ""
            while True:
                message = client.get_iopub_msg(timeout=PATIENCE)
                kind, content, parent = message["msg_type"], message["content"], message["parent_header"].get("msg_id")
                if kind in ("stream", "error"):
                    texts[names[parent]] += content["text"] if kind == "stream" else "\n".join(content["traceback"])
                elif kind == "status" and content["execution_state"] == "idle" and parent == identity:
                    break
        return texts

    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


SETUP = """
import asyncio, time, threading
from rxspark import *

async def later():
    await asyncio.sleep(0.01)
    return 5

def run():
    return asyncio.run(later())

def talk(i):
    time.sleep(0.2)
    print("said", i)
"""


@pytest.mark.parametrize("context", ["RxLocalSeq()", "RxLocalParallel()", "RxForeachDoPar()"])
def test_a_task_may_run_a_loop_of_its_own(run: Run, context: str) -> None:
    """`asyncio.run` works although the kernel's loop runs in the same thread, and the kernel's goes on."""
    call = f"with {context}: z = rxExec(run, timesToRun=2)\nprint(z, await later())"
    assert "[5, 5] 5\n" in run(setup=SETUP, call=call)["call"]


def test_the_console_of_tasks_stands_below_the_cell_that_called(run: Run) -> None:
    """So does what a callback says while another cell runs; a call in a thread writes where its thread does.

    The kernel decides where a thread writes: below its own cell up to version 6, below the running one from 7 on.
    """
    told = run(
        setup=SETUP,
        first="with RxLocalParallel(consoleOutput=True): z = rxExec(talk, rxElemArg([1, 2]))",
        thread="""
def call():
    time.sleep(0.5)
    print("mine")
    with RxLocalParallel(consoleOutput=True): rxExec(talk, rxElemArg([3, 4]))
thread = threading.Thread(target=call)
thread.start()""",
        join="thread.join()",
        callback="""
with RxLocalParallel(wait=False): job = rxExec(talk, rxElemArg([5]))
job.add_done_callback(lambda job: print("it has", job.status()))""",
        other='rxWaitForJob(job); time.sleep(1); print("another")',
        fetch="z = rxGetJobResults(job, consoleOutput=True)",
    )
    lines = {name: sorted(re.findall(r"\[task \d\] said \d", text)) for name, text in told.items()}
    (own,) = [name for name, text in told.items() if "mine" in text]
    assert lines["first"] == ["[task 0] said 1", "[task 1] said 2"]
    assert own in ("thread", "join")
    assert lines[own] == ["[task 0] said 3", "[task 1] said 4"]
    assert told["callback"] == "it has finished\n"
    assert told["other"].endswith("another\n")
    assert "finished\n" not in told["other"]
    assert lines["fetch"] == ["[task 0] said 5"]
