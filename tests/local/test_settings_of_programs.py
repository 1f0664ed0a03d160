"""Settings that show only in a program of its own: at a terminal, and where few files may be open."""

from __future__ import annotations

import os
import pty
import resource
import subprocess
import sys

import pytest

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

TERMINAL = """
import sys, termios
import joblib
from rxspark import *

def task(leave):
    modes = termios.tcgetattr(0)
    if leave:
        changed = [*modes]
        changed[3] &= ~(termios.ECHO | termios.ICANON)  # as a password's prompt does
        termios.tcsetattr(0, termios.TCSANOW, changed)
    return modes

before = termios.tcgetattr(0)
with {context}, joblib.parallel_config("threading", n_jobs=2):
    for chunk in (2, None):
        z = rxExec(task, rxElemArg([True, False, True, False]), taskChunkSize=chunk)
        print([modes == before for modes in z], termios.tcgetattr(0) == before, file=sys.stderr)
"""


@pytest.mark.parametrize("context", ["RxLocalSeq()", "RxForeachDoPar()"])
def test_the_terminal_of_the_program_is_as_before(context: str) -> None:
    """A task that has switched the echo off has done so for itself; joblib's threads count as the program's too."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", TERMINAL.format(context=context)]
    done = subprocess.run(command, stdin=theirs, stderr=subprocess.PIPE, text=True, timeout=60, env=ENVIRONMENT)
    os.close(theirs)
    os.close(ours)
    assert done.stderr.splitlines() == ["[True, True, True, True] True"] * 2


DESCRIPTORS = """
import os
import joblib
from rxspark import *

def task(leave):
    for _ in range(leave):
        os.dup(0)
    return os.getpid()

if __name__ == "__main__":
    with {context}, joblib.parallel_config("loky", n_jobs=2):
        for _ in range(2):
            z = rxExec(task, rxElemArg([100, 0] * 4), taskChunkSize=2)
            assert not z.errors, z.errors
        later = rxExec(task, rxElemArg([0] * 8))
        print(len({{*z}} & {{*later}}))
"""


def few_files() -> None:
    """Let this process and those that it starts open 180 files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (180, 180))


@pytest.mark.parametrize("context", ["RxLocalParallel()", "RxForeachDoPar()"])
def test_a_worker_with_hundreds_of_open_descriptors_ends(context: str) -> None:
    """Tasks that together leave more descriptors open than a process may have all run, each in a worker with room."""
    command = [sys.executable, "-c", DESCRIPTORS.format(context=context)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=ENVIRONMENT, preexec_fn=few_files)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
