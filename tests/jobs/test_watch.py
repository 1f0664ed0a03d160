"""rxWatchJobs: the table that is drawn anew, its rate, and the states that it gives."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time

import nbformat
import pytest
from nbclient import NotebookClient

from rxspark import (
    RxArgumentError,
    RxJobError,
    RxLocalSeq,
    rxCancelJob,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxWatchJobs,
)
from rxspark.jobs import watch as watching
from rxspark.jobs.table import progress_lines

PROGRAM = """
import time
from rxspark import RxLocalSeq, rxElemArg, rxExec, rxWatchJobs
if __name__ == "__main__":
    with RxLocalSeq(wait=False):
        jobs = [rxExec(time.sleep, rxElemArg([0.2] * count), taskChunkSize=1) for count in (10, 15)]
    print(rxWatchJobs(jobs))
    print([job.id for job in jobs])
"""


def _seen_in_terminal(tmp_path, rows, columns, **environment):
    """Text that the program writes to a terminal of this size."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    places = os.pathsep.join(filter(None, sys.path))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment = {**inherited, "PYTHONPATH": places, "TERM": "xterm", **environment}
    told = b""
    with subprocess.Popen([sys.executable, str(script)], stdout=theirs, stderr=theirs, env=environment) as program:
        os.close(theirs)
        while True:
            try:
                told += os.read(ours, 4096)
            except OSError:  # the terminal was closed with the program
                break
    os.close(ours)
    assert program.returncode == 0, told.decode()
    return told.decode().replace("\r\n", "\n")


def _frames(told):
    """The tables that were drawn one over the other, as lines."""
    return [frame.split("\x1b[J")[0].replace("\x1b[K", "").splitlines() for frame in re.split("\x1b\\[\\d+A|\r", told)]


def test_two_jobs_share_a_table_that_is_drawn_over_itself(tmp_path):
    """Both have their row; the one that waits for the other is queued first; at the end both are finished."""
    told = _seen_in_terminal(tmp_path, 24, 160)
    *_, states, ids = told.splitlines()
    assert states.endswith("['finished', 'finished']")
    first, second = re.findall(r"rxJob_\w+", ids)
    frames = [frame for frame in _frames(told) if frame]
    assert len(frames) > 4
    assert all(len(frame) == 3 for frame in frames)
    assert told.count("\x1b[3A") == len(frames) - 1
    for frame in frames:
        assert frame[0].split() == ["job", "state", "tasks", "elapsed", "rate", "left", "description"]
        assert [line.split()[0] for line in frame[1:]] == [first, second]
    states = [tuple(line.split()[1] for line in frame[1:]) for frame in frames]
    assert ("running", "queued") in states
    assert ("finished", "running") in states
    assert states[-1] == ("finished", "finished")
    assert [line.split()[2] for line in frames[-1][1:]] == ["10/10", "15/15"]
    assert re.search(r"running +\d+/15 +0:\d\d +\d\.\d/s +0:0\d +rxExec sleep", told)


def test_a_small_terminal_gets_what_fits(tmp_path):
    """Lines are cut and rows left out, as a line that wraps, or is above the top, cannot be drawn over."""
    told = _seen_in_terminal(tmp_path, 3, 40)
    frames = [frame for frame in _frames(told) if frame]
    assert all(len(line) < 40 for frame in frames for line in frame)
    assert {tuple(line.split()[0] for line in frame) for frame in frames} == {("job", "...")}
    assert frames[-1][-1] == "... 2 more jobs"


def test_a_terminal_that_cannot_draw_gets_lines(tmp_path):
    """TERM=dumb, as in editors: one line a change, without any control."""
    told = _seen_in_terminal(tmp_path, 24, 160, TERM="dumb")
    assert "\x1b" not in told
    assert re.search(r"rxJob_\w+  finished  10/10  after 0:\d\d\n", told)


CELL = """
import time
from rxspark import RxLocalSeq, rxElemArg, rxExec, rxWatchJobs
with RxLocalSeq(wait=False):
    jobs = [rxExec(time.sleep, rxElemArg([0.2] * count), taskChunkSize=1) for count in (6, 9)]
states = rxWatchJobs(jobs)
"""


def test_a_notebook_shows_one_table_that_is_updated():
    """One output of the cell, replaced as tasks finish, with a bar for each job; at the end all is finished."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    seen = []
    inner = client.process_message

    def process_message(message, cell, cell_index):
        if message["msg_type"] in ("display_data", "update_display_data"):
            seen.append(message)
        return inner(message, cell, cell_index)

    client.process_message = process_message  # type: ignore[method-assign]
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    ((output,),) = [cell.outputs for cell in notebook.cells]
    html = output["data"]["text/html"]
    assert re.findall(r'<progress [^>]*max="(\d+)" value="(\d+)"></progress> \d+/\d+', html) == [("6", "6"), ("9", "9")]
    assert html.count(">finished<") == 2
    assert output["data"]["text/plain"].splitlines()[2].split()[1:3] == ["finished", "9/9"]
    assert seen[0]["msg_type"] == "display_data"
    assert {message["msg_type"] for message in seen[1:]} == {"update_display_data"}
    assert len({message["content"]["transient"]["display_id"] for message in seen}) == 1
    assert len(seen) > 4


def test_without_jobs_those_that_run_are_watched(capsys):
    """All of this process that are queued or running, and no others; none is fine, too."""
    with RxLocalSeq(wait=False):
        ended = rxExec(abs, -1)
        ended.wait(60)
        assert rxWatchJobs() == []
        job = rxExec(time.sleep, 0.5)
        assert rxWatchJobs() == ["finished"]
    told = capsys.readouterr().out
    assert job.id in told
    assert ended.id not in told


def test_a_timeout_ends_the_watching(capsys):
    """The states then; the job goes on, and is watched again by its id."""
    with RxLocalSeq(wait=False):
        job = rxExec(time.sleep, 60)
        (state,) = rxWatchJobs([job], timeout=0.2)
        assert state in ("queued", "running")
        assert rxCancelJob(job)
        assert rxWatchJobs(job.id) == ["canceled"]
    assert f"{job.id}  canceled  0/1" in capsys.readouterr().out


def test_a_job_that_is_removed_meanwhile_is_missing_with_what_was_seen_of_it(capsys):
    """As where its own program fetches the results; its last count stays in the table."""
    with RxLocalSeq(wait=False):
        job = rxExec(pow, rxElemArg(range(3)), 2)
        job.wait(60)
        one = watching._Watched(job)
        assert one.look()["state"] == "finished"
        rxGetJobResults(job)
        assert [one.look()[name] for name in ("state", "done", "tasks")] == ["missing", 3, 3]


def test_bad_arguments():
    """Named before anything is shown."""
    with pytest.raises(RxArgumentError, match=r"job=3: job is"):
        rxWatchJobs([3])
    with pytest.raises(RxJobError, match="there is no job 'rxJob_1'"):
        rxWatchJobs("rxJob_1")
    with pytest.raises(RxArgumentError, match="timeout=-1: timeout is a number of seconds"):
        rxWatchJobs([], timeout=-1)


class Told:
    """A job that tells of itself as it is told to."""

    def __init__(self):
        self.done, self.state = 0, "running"

    def info(self):
        """As `RxJob.info`, in short."""
        return {
            "id": "rxJob_1",
            "state": self.state,
            "tasks": 1000,
            "done": self.done,
            "seconds": 100.0,
            "description": "rxExec f: 1000 tasks",
            "error": None,
        }


def test_the_rate_is_that_of_the_last_minute(monkeypatch):
    """Blank before the first task; then it follows a job that becomes slower, and falls while nothing finishes."""
    clock = [0.0]
    monkeypatch.setattr("rxspark.jobs.watch.time.monotonic", lambda: clock[0])
    job = Told()
    one = watching._Watched(job)  # type: ignore[arg-type]

    def at(moment, done):
        clock[0], job.done = moment, done
        info = one.look()
        return info["rate"], info["left"]

    assert at(0, 100) == (None, None)  # done before anybody looked
    assert at(10, 100) == (None, None)
    assert at(20, 300) == (10.0, 70.0)
    for second in range(30, 200, 10):
        rate, left = at(second, 300 + second // 10)
    assert (rate, left) == (0.1, (1000 - 319) / 0.1)
    assert at(580, 319) == (1 / 400, 681 * 400)  # the last task but one had finished at 180
    assert at(590, 200) == (None, None)  # resumed, with some tasks to run again
    job.state = "finished"
    assert at(600, 1000) == (None, None)
    assert progress_lines([one.look()])[1] == "rxJob_1  finished  1000/1000  1:40                 rxExec f: 1000 tasks"
