"""The progress bar: on long calls, in terminals, by finished tasks; nowhere else."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

PROGRAM = """
import time
from rxspark import RxLocalParallel, rxElemArg, rxExec, rxOptions
rxOptions(reportProgress=0)
if __name__ == "__main__":
    with RxLocalParallel():
        rxExec(time.sleep, rxElemArg([0.5] * 2))  # workers are started, which can take seconds on a busy machine
        rxOptions(reportProgress={progress})
        rxExec(time.sleep, rxElemArg([0.1] * 3 + [{seconds}] * 5), taskChunkSize=1)
"""

OF_A_GENERATOR = """
import time
from rxspark import RxLocalParallel, rxElemArg, rxExec
if __name__ == "__main__":
    with RxLocalParallel(wait=False):
        rxExec(time.sleep, rxElemArg(0.3 for _ in range(20))).wait()
"""


def seen_in_terminal(tmp_path: Path, seconds: float, progress: int) -> str:
    """Text that a program writes to a terminal as stderr."""
    return written_to_terminal(tmp_path, PROGRAM.format(seconds=seconds, progress=progress))


def written_to_terminal(tmp_path: Path, text: str) -> str:
    """The same of the text of a program."""
    script = tmp_path / "program.py"
    script.write_text(text)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # rows, columns
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, str(script)], stderr=theirs, env=environment) as program:
        os.close(theirs)
        told = b""
        while True:
            try:
                more = os.read(ours, 4096)
            except OSError:  # the terminal was closed with the program
                break
            told += more
    os.close(ours)
    assert program.returncode == 0, told.decode()
    return told.decode()


def test_a_long_call_shows_a_bar_that_counts_finished_tasks(tmp_path: Path) -> None:
    """After two seconds a bar appears, names the function, and goes up to all tasks."""
    told = seen_in_terminal(tmp_path, 1.5, 1)
    assert "rxExec sleep: 8 tasks" in told
    assert "8/8" in told
    assert " 0/8" not in told  # some tasks had finished before the bar appeared, and are counted
    assert "Traceback" not in told


def test_a_job_of_unknown_length_shows_a_count_alone(tmp_path: Path) -> None:
    """The bar counts finished tasks, without a percentage, as nobody knows how many will come."""
    told = written_to_terminal(tmp_path, OF_A_GENERATOR)
    assert re.search(r"rxExec sleep: a task for each element that comes: \d+task \[", told)
    assert "%" not in told
    assert "Traceback" not in told


def test_a_short_call_shows_none(tmp_path: Path) -> None:
    """A call of less than two seconds writes nothing."""
    assert seen_in_terminal(tmp_path, 0.01, 1) == ""


def test_the_option_turns_it_off(tmp_path: Path) -> None:
    """With rxOptions(reportProgress=0) a long call writes nothing."""
    assert seen_in_terminal(tmp_path, 1.5, 0) == ""


def test_a_log_file_gets_no_bar(tmp_path: Path) -> None:
    """Where stderr is no terminal, a long call writes nothing."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(seconds=1.5, progress=1))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == ""
