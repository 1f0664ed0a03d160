"""A call leaves nothing behind in the system: no process, no port that others can reach."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest
from waiting import let_pass, wait_until

from rxspark import RxLocalParallel, RxSpark, rxExec
from rxspark.backends.spark.session import stop_own

LIMITED = """
import sys, time
from pathlib import Path
from rxspark import RxLocalSeq, rxExec

def busy(path):
    import os, re
    Path(path).write_text(str(os.getpid()))
    re.match("(a+)+b", "a" * 60)  # native code, which holds Python's lock

with RxLocalSeq(taskTimeLimit=600):
    rxExec(busy, sys.argv[1])
"""


def test_a_child_ends_with_its_worker_even_in_native_code(tmp_path):
    """The process of a task with a limit does not outlive the one that started it, when that is killed."""
    mark = tmp_path / "pid"
    caller = subprocess.Popen([sys.executable, "-c", LIMITED, str(mark)])
    try:
        child = int(wait_until(lambda: mark.exists() and mark.read_text(), "the task has begun"))
        assert psutil.pid_exists(child)
        let_pass(0.5, "it is in the native code now")
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait()
    wait_until(lambda: _has_ended(child), "the process of the task has ended", 10)


def _has_ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _listening():
    """Addresses, beyond this machine itself, at which this process and its children listen."""
    family = [psutil.Process(os.getpid()), *psutil.Process(os.getpid()).children(recursive=True)]
    found = set()
    for process in family:
        connections = []
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            connections = process.net_connections("inet")
        for connection in connections:
            if connection.status == psutil.CONN_LISTEN:
                found.add(connection.laddr.ip.removeprefix("::ffff:"))
    return {address for address in found if not address.startswith("127.") and address != "::1"}


def test_local_workers_open_no_port():
    """RxLocalParallel listens at no address that another machine could reach."""
    with RxLocalParallel():
        rxExec(abs, -1, timesToRun=4)
        assert _listening() == set()


@pytest.mark.spark
def test_a_session_of_our_own_on_this_machine_listens_at_loopback_alone():
    """Neither rxspark nor the Spark that it starts here listens beyond this machine; the web page of Spark may."""
    before = _listening()
    stop_own()
    try:
        with RxSpark(master="local[1]", extraSparkConfig={"spark.ui.enabled": "false"}):
            rxExec(abs, -1)
            assert _listening() == before == set()
    finally:
        stop_own()
