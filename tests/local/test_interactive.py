"""Tasks in the user's own process: prompts, debuggers, and the console at once after Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import let_pass, wait_until

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TERM": "dumb"}


def talk(script: Path, turns: list[tuple[str, str]]) -> str:
    """Run a program at a terminal, answer when it shows what is waited for, and give all that was shown."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT
    ) as program:
        os.close(theirs)
        told, answered, deadline = "", 0, time.time() + 60
        while time.time() < deadline:
            try:
                if not select.select([ours], [], [], 1)[0]:
                    continue
                told += os.read(ours, 4096).decode()
            except OSError:  # the terminal was closed with the program
                break
            if answered < len(turns) and turns[answered][0] in told:
                os.write(ours, turns[answered][1].encode() + b"\n")
                answered += 1
        if time.time() >= deadline:
            program.kill()
    os.close(ours)
    assert program.returncode == 0, told
    return told.replace("\r\n", "\n")


def test_input_asks_at_the_terminal(tmp_path: Path) -> None:
    """The prompt of input() is shown at once in RxLocalSeq; what other tasks print is not."""
    script = tmp_path / "program.py"
    script.write_text(
        """
from waiting import let_pass, wait_until
from rxspark import rxElemArg, rxExec
def ask(i):
    print("task", i)
    return input(f"Name {i}? ") if i == 1 else None
results = rxExec(ask, rxElemArg(range(3)), taskChunkSize=3)
print("got", list(results), results.output[0], results.output[2])
"""
    )
    told = talk(script, [("Name 1? ", "Ada")])
    assert told.startswith("Name 1? Ada\n")
    assert told.endswith("got [None, 'Ada', None] task 0\n task 2\n\n")


@pytest.mark.parametrize("begin", ["breakpoint()", "__import__('pdb').set_trace()"])
def test_a_debugger_works_at_the_terminal(tmp_path: Path, begin: str) -> None:
    """breakpoint() and pdb in FUN show their prompt and their answers in RxLocalSeq."""
    script = tmp_path / "program.py"
    script.write_text(
        f"""
from rxspark import rxElemArg, rxExec
def task(i):
    secret = 40 + i
    if i == 1:
        {begin}
    return secret
print("got", list(rxExec(task, rxElemArg(range(3)), taskChunkSize=3)))
"""
    )
    told = talk(script, [("(Pdb) ", "secret + 1000"), ("1041\r\n", "continue")])
    assert "1041\n" in told.replace("\r", "")
    assert told.endswith("got [40, 41, 42]\n")


def test_the_console_is_the_users_at_once_after_an_interrupt(tmp_path: Path) -> None:
    """Ctrl-C in RxForeachDoPar on threads: what the user and his programs write next is seen, while tasks run out."""
    script = tmp_path / "program.py"
    script.write_text(
        """
import os, subprocess, sys, time
import joblib
from rxspark import RxForeachDoPar, rxElemArg, rxExec
def task(i):
    print("from a task", flush=True)
    open(sys.argv[1] + f"/started-{i}", "w").close()
    until = time.time() + 3
    while time.time() < until:
        time.sleep(0.01)
    print("from a task", flush=True)
    open(sys.argv[1] + f"/ended-{i}", "w").close()
with joblib.parallel_config("threading", n_jobs=2):
    try:
        with RxForeachDoPar():
            rxExec(task, rxElemArg(range(4)), taskChunkSize=1)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        os.write(1, b"by the descriptor\\n")
        subprocess.run(["echo", "by a program"])
        print("ended", [name for name in os.listdir(sys.argv[1]) if name.startswith("ended")], flush=True)
        time.sleep(4)
        print("later", flush=True)
"""
    )
    program = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    wait_until((tmp_path / "started-0").exists, "a task has begun")
    let_pass(0.3, "the caller waits for it")
    program.send_signal(signal.SIGINT)
    told, complaints = program.communicate(timeout=60)
    lines = told.decode().splitlines()
    seen = ["interrupted", "by the descriptor", "by a program", "ended []", "later"]
    assert lines == seen, complaints.decode()[-2000:]


def test_an_interrupt_while_the_bar_is_drawn_does_not_hold_up_the_next_call(tmp_path: Path) -> None:
    """Ctrl-C in the moment in which the bar is drawn: the next call with a bar runs to its end."""
    script = tmp_path / "program.py"
    script.write_text(
        """
import time
from tqdm.auto import tqdm
from rxspark import RxLocalParallel, rxElemArg, rxExec, rxSetComputeContext
rxSetComputeContext(RxLocalParallel())
display, interrupts = tqdm.display, [KeyboardInterrupt]
def once(self, *args, **kwargs):
    import threading
    if interrupts and threading.current_thread() is threading.main_thread():
        raise interrupts.pop()
    return display(self, *args, **kwargs)
tqdm.display = once
try:
    rxExec(time.sleep, rxElemArg([0.7] * 8), taskChunkSize=1)
except KeyboardInterrupt:
    print("interrupted")
print("done", len(rxExec(time.sleep, rxElemArg([0.7] * 6), taskChunkSize=1)))
"""
    )
    told = talk(script, [])
    assert "interrupted\n" in told
    assert "done 6\n" in told
