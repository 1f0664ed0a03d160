"""``python -m rxspark jobs``: what it prints, its exit codes, and that no text leads it out of the share folder."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys

import pandas
import psutil
import pytest
from waiting import wait_until

from rxspark import (
    RxLocalSeq,
    RxNotFinished,
    RxTaskError,
    rxElemArg,
    rxExec,
    rxExecBy,
    rxGetJobStatus,
)
from rxspark.jobs import shell

# A program that submits a job, prints its id, and waits for it. From the eighth task on, tasks wait for a file.
OWNER = """
import os, random, sys, time
from rxspark import *

def task(number, gate):
    while number >= 8 and not os.path.exists(gate):
        time.sleep(0.02)
    print("did", number)
    return number, random.random()

if __name__ == "__main__":
    share, gate = sys.argv[1:]
    with RxLocalParallel(wait=False, shareDir=share, autoCleanup=False):
        job = rxExec(task, rxElemArg(range(16)), gate, RNGseed=11, taskChunkSize=2)
        print(job.id, flush=True)
        print(job.wait(), flush=True)
"""


def _environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _start(*arguments, **options):
    """Start the command as a shell does."""
    command = [sys.executable, "-m", "rxspark", "jobs", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(command, text=True, env=_environment(), **pipes)


def _run(*arguments):
    """Run it to its end: exit code and what it wrote."""
    process = _start(*arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


class Owner:
    """The program that owns a job."""

    def __init__(self, folder, share):
        script = folder / "owner.py"
        script.write_text(OWNER)
        self.share, self.gate = share, folder / "gate"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(share), str(self.gate)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
        self.job = self.process.stdout.readline().strip()
        assert self.job.startswith("rxJob_"), self.process.communicate(timeout=60)

    def reach_the_gate(self):
        """Wait until the tasks that need no gate have left their results."""
        parts = self.share / "rxspark-jobs" / self.job / "parts"
        wait_until(lambda: len(list(parts.glob("*.results"))) >= 4, "four partitions are kept")

    def kill(self):
        """End it by kill -9, and wait until its workers have noticed: they would go on once the gate is there."""
        workers = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        assert psutil.wait_procs(workers, timeout=60)[1] == []


@pytest.fixture
def share(tmp_path):
    """A share folder."""
    made = tmp_path / "share"
    made.mkdir()
    return made


@pytest.fixture
def owner(tmp_path, share):
    """A program whose job has finished eight of its sixteen tasks, and goes on when its gate is there."""
    made = Owner(tmp_path, share)
    made.reach_the_gate()
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate(timeout=60)


@pytest.fixture
def submit(share):
    """Run a job of this process to its end; gives its id."""

    def run(*arguments, **options):
        with RxLocalSeq(wait=False, shareDir=str(share), autoCleanup=False):
            job = rxExec(*arguments, **options)
            job.wait(60)
        return job.id

    return run


def test_a_job_of_another_program_from_its_start_to_its_removal(owner, share, tmp_path):
    """Listed, shown, canceled, read and removed; each step by the exit code that is promised for it."""
    job, place = owner.job, ("--share", share)
    code, told, _ = _run("list", *place, "--json")
    (found,) = json.loads(told)
    assert (code, found["id"], found["state"], found["done"], found["tasks"]) == (0, job, "running", 8, 16)
    code, told, _ = _run("show", job, *place)
    assert code == 3
    assert "description  rxExec task: 16 tasks" in told.splitlines()
    file = tmp_path / "results.pickle"
    code, _, told = _run("results", job, *place, "--to", file)
    assert (code, file.exists()) == (3, False)
    assert "is running; 8 of 16 tasks have finished. --partial writes what is there" in told
    code, told, _ = _run("watch", job, *place, "--timeout", 0)
    assert code == 3
    assert f"{job}  running  8/16  after 0:" in told
    code, told, complaint = _run("clean", job, *place)
    assert (code, told) == (5, "")
    assert f"{job} stays, as it is running" in complaint
    assert _run("cancel", job, *place)[:2] == (0, f"{job} is canceled\n")
    assert owner.process.communicate(timeout=60)[0] == "canceled\n"
    assert _run("show", job, *place)[0] == 1
    code, told, _ = _run("results", job, *place, "--to", file, "--partial", "--json")
    (found,) = json.loads(told)
    assert (code, found["file"], found["failed"]) == (1, str(file), 0)
    values = pickle.loads(file.read_bytes())
    assert [value is RxNotFinished for value in values] == [False] * 8 + [True] * 8
    code, told, _ = _run("output", job, *place)
    assert (code, told) == (1, "".join(f"[task {n}] did {n}\n" for n in range(8)))
    assert _run("clean", job, *place) == (0, f"{job} is removed\n", "")
    code, _, told = _run("show", job, *place)
    assert code == 4
    assert f"there is no job {job} in {share}" in told
    assert _run("list", *place)[:2] == (0, f"no jobs in {share}\n")


def _draw(number):
    import random

    return number, random.random()


def test_a_killed_program_s_job_is_resumed_to_the_same_bits(owner, share, tmp_path):
    """After kill -9, from a shell, under another context; the results are those of an undisturbed run."""
    place = ("--share", share)
    owner.kill()
    code, told, _ = _run("show", owner.job, *place)
    assert code == 1
    assert "has ended before the job" in told
    owner.gate.touch()
    code, told, complaint = _run("resume", owner.job, *place, "--context", "local")
    assert code == 0, complaint
    assert told.splitlines()[-1].split("  ", 1)[1].startswith(f"{owner.job}  finished  16/16")
    code, _, told = _run("resume", owner.job, *place, "--context", "local")
    assert code == 5
    assert "nothing is missing" in told
    file = tmp_path / "results.pkl"
    assert _run("results", owner.job, *place, "--to", file)[0] == 0
    with RxLocalSeq():
        undisturbed = rxExec(_draw, rxElemArg(range(16)), RNGseed=11, taskChunkSize=2)
    assert pickle.loads(file.read_bytes()) == undisturbed


def test_ctrl_c_ends_the_watching_and_not_the_jobs(owner, share):
    """Exit code 130, no traceback; the job goes on to its end, which another watch reports by 0."""
    watching = _start("watch", "--share", share)
    assert f"{owner.job}  running  8/16" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    assert (*watching.communicate(timeout=60), watching.returncode) == ("", "", 130)
    with RxLocalSeq(shareDir=str(share)):
        assert rxGetJobStatus(owner.job) == "running"
    watching = _start("watch", owner.job, "--share", share, "--json")
    first = json.loads(watching.stdout.readline())
    assert (first["id"], first["state"], first["done"], first["left"]) == (owner.job, "running", 8, None)
    owner.gate.touch()
    told, complaint = watching.communicate(timeout=60)
    assert (complaint, watching.returncode) == ("", 0)
    assert [json.loads(told.splitlines()[-1])[name] for name in ("state", "done", "rate")] == ["finished", 16, None]


def test_the_exit_code_tells_of_failed_tasks(submit, share, capfd):
    """0 of a job whose tasks all gave a value, 1 of one whose task failed, and of both together."""
    well, ill = submit(abs, -1), submit(lambda x: 1 / x, rxElemArg([1, 0, 2]))
    place = ["--share", str(share)]
    for ids, code in (([well], 0), ([ill], 1), ([well, ill], 1)):
        assert shell.jobs(["show", *ids, *place, "--json"]) == code
        assert [one["failed"] for one in json.loads(capfd.readouterr().out)] == [int(one == ill) for one in ids]
    assert shell.jobs(["watch", ill, *place]) == 1
    assert capfd.readouterr().err == f"{ill}: 1 of 3 tasks failed\n"


def test_show_has_no_row_without_a_value(owner, submit, share, capfd):
    """The number of failed tasks, or an error, is shown where there is one; --json has null for what is not known."""
    ended = submit(abs, -1)
    for job, more in ((owner.job, []), (ended, ["failed       0"])):
        shell.jobs(["show", job, "--share", str(share)])
        rows = capfd.readouterr().out.splitlines()
        assert all(len(row.split(maxsplit=1)) == 2 for row in rows)
        assert rows[rows.index("fetched      False") + 1 :] == more
    shell.jobs(["show", owner.job, "--share", str(share), "--json"])
    (found,) = json.loads(capfd.readouterr().out)
    assert (found["failed"], found["error"]) == (None, None)


def test_a_failed_task_that_succeeded_when_it_ran_again_counts_as_well(submit, share, tmp_path, capfd):
    """Resumed with --failed, in this process; the tasks that had not failed do not run again."""
    mended, ran = str(tmp_path / "mended"), str(tmp_path / "ran")

    def task(number):
        with open(ran, "a") as file:
            file.write(str(number))
        if number == 1 and not os.path.exists(mended):
            raise OSError("the service is down")
        return number

    job, place = submit(task, rxElemArg(range(3))), ["--share", str(share)]
    assert shell.jobs(["show", job, *place]) == 1
    (tmp_path / "mended").touch()
    assert shell.jobs(["resume", job, *place, "--context", "local", "--failed", "--json"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])[0]["state"] == "finished"
    assert shell.jobs(["show", job, *place]) == 0
    assert (tmp_path / "ran").read_text() == "0121"


def test_results_as_tables(submit, share, tmp_path, capfd):
    """Values that make a table go to CSV and Parquet, errors beside them; others are refused unwritten."""
    place = ["--share", str(share)]
    job = submit(lambda x: {"half": 1 / x, "name": "a"}, rxElemArg([2, 0]))
    for name, read in (("t.csv", pandas.read_csv), ("t.parquet", pandas.read_parquet)):
        assert shell.jobs(["results", job, *place, "--to", str(tmp_path / name)]) == 1
        table = read(tmp_path / name)
        assert list(table.columns) == ["task", "half", "name", "error"]
        assert table["half"].tolist()[0] == 0.5
        assert table["error"].tolist()[1] == "ZeroDivisionError: division by zero"
    with RxLocalSeq(wait=False, shareDir=str(share), autoCleanup=False):
        groups = rxExecBy({"k": ["b", "a", "b"], "x": [1, 2, 3]}, "k", lambda keys, data: int(data["x"].sum()))
        groups.wait(60)
    assert shell.jobs(["results", groups.id, *place, "--to", str(tmp_path / "g.csv")]) == 0
    assert (tmp_path / "g.csv").read_text() == "k,value\na,2\nb,4\n"
    lists = submit(lambda: [1, 2])
    capfd.readouterr()
    assert shell.jobs(["results", lists, *place, "--to", str(tmp_path / "l.csv")]) == 2
    assert "column 'value' has a list in it. Write them to a .pickle" in capfd.readouterr().err
    assert shell.jobs(["results", lists, *place, "--to", str(tmp_path / "l.txt")]) == 2
    assert not list(tmp_path.glob("l.*"))


def test_combined_results_as_files(share, tmp_path, capfd):
    """A frame is a table as it is; any combined value goes to a pickle, with its count."""
    place = ["--share", str(share)]
    with RxLocalSeq(wait=False, shareDir=str(share), autoCleanup=False):
        frame = rxExec(lambda i: pandas.DataFrame({"i": [i]}), rxElemArg(range(3)), combine="concat")
        number = rxExec(abs, rxElemArg(range(3)), combine="sum")
        number.wait(60)
    assert shell.jobs(["results", frame.id, *place, "--to", str(tmp_path / "f.csv")]) == 0
    assert (tmp_path / "f.csv").read_text() == "i\n0\n1\n2\n"
    assert shell.jobs(["results", number.id, *place, "--to", str(tmp_path / "n.pickle")]) == 0
    found = pickle.loads((tmp_path / "n.pickle").read_bytes())
    assert (found.value, found.count) == (3, 3)
    capfd.readouterr()
    assert shell.jobs(["results", number.id, *place, "--to", str(tmp_path / "n.csv")]) == 2
    assert "combined to one value, of type int, which is no table. Write them to a .pickle" in capfd.readouterr().err


def test_results_are_noted_as_read_only_when_they_are_in_the_file(submit, share, tmp_path, capfd):
    """A file that is there stays without --force; until a file was written, clean leaves the job."""
    job, place = submit(abs, -7), ["--share", str(share)]
    file = tmp_path / "results.pickle"
    file.write_text("precious")
    assert shell.jobs(["results", job, *place, "--to", str(file)]) == 5
    assert "is there already: name another file, or add --force" in capfd.readouterr().err
    assert shell.jobs(["results", job, *place, "--to", str(tmp_path / "nowhere" / "r.pickle")]) == 5
    assert "cannot be written: No such file or directory" in capfd.readouterr().err
    assert file.read_text() == "precious"
    assert shell.jobs(["clean", job, *place]) == 5
    assert "stays, as nobody has read its results; --force" in capfd.readouterr().err
    assert shell.jobs(["results", job, *place, "--to", str(file), "--force"]) == 0
    assert pickle.loads(file.read_bytes()) == [7]
    assert shell.jobs(["clean", job, *place]) == 0


def test_clean_without_ids_removes_what_was_read_and_nothing_that_could_go_on(submit, share, tmp_path, capfd):
    """Failed jobs may be resumed, and unread results are wanted: both stay."""
    read, unread = submit(abs, -1), submit(abs, -2)
    failed = submit(lambda: 1 / 0, continueOnFailure=False)
    place = ["--share", str(share)]
    assert shell.jobs(["results", read, *place, "--to", str(tmp_path / "r.pickle")]) == 0
    for force, left in (([], [unread, failed]), (["--force"], [failed])):
        assert shell.jobs(["clean", *place, *force]) == 0
        assert sorted(path.name for path in (share / "rxspark-jobs").iterdir()) == left


@pytest.mark.parametrize("command", ["show", "output", "cancel", "clean", "watch"])
@pytest.mark.parametrize("text", ["../rxJob_x", "a/b", "", "rxJob_x/../../rxJob_x", "rxJob_x\n", ".", "rxJob_*"])
def test_no_text_leads_out_of_the_share_folder(command, text, share, tmp_path, capfd):
    """A text that is no id is refused by 2, before anything is looked at; what lies elsewhere stays."""
    for place in (tmp_path, share, share / "rxspark-jobs"):
        (place / "rxJob_x").mkdir(parents=True)
    assert shell.jobs([command, text, "--share", str(share), *(["--force"] if command == "clean" else [])]) == 2
    assert f"{text!r} is no id of a job" in capfd.readouterr().err
    assert len(list(tmp_path.rglob("rxJob_x"))) == 3


def test_an_unknown_job_among_several_ends_the_command_before_anything_is_done(submit, share, capfd):
    """Exit code 4, and the known one is not removed."""
    job = submit(abs, -1)
    assert shell.jobs(["clean", job, "rxJob_1", "--force", "--share", str(share)]) == 4
    assert "there is no job rxJob_1 in" in capfd.readouterr().err
    assert shell.jobs(["show", job, "--share", str(share)]) == 0


def test_folders_without_jobs(share, tmp_path, capfd):
    """An empty share folder has no jobs; one that is not there, or that is a file, is an error that names it."""
    assert shell.jobs(["list", "--share", str(share)]) == 0
    assert capfd.readouterr().out == f"no jobs in {share}\n"
    assert shell.jobs(["list", "--share", str(share), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []
    assert shell.jobs(["watch", "--share", str(share)]) == 0
    assert capfd.readouterr().out == f"no job is queued or running in {share}\n"
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        assert shell.jobs(["list", "--share", str(tmp_path / name)]) == 5
        assert f"{tmp_path / name} (user " in capfd.readouterr().err
    assert shell.jobs(["list", "--share", ""]) == 2


@pytest.mark.parametrize(
    "arguments",
    [[], ["list"], ["show", "--share", "."], ["resume", "rxJob_1", "--share", "."], ["vanish", "--share", "."]],
    ids=str,
)
def test_wrong_usage(arguments, capfd):
    """Nothing to do, no share folder, no job, no context, no such command: exit code 2 and what is missing."""
    with pytest.raises(SystemExit) as end:
        shell.jobs(arguments)
    assert end.value.code == 2
    assert "error: " in capfd.readouterr().err


def test_a_timeout_is_a_number_of_seconds(share, capfd):
    """Neither negative nor NaN."""
    for text in ("-1", "nan", "soon"):
        with pytest.raises(SystemExit) as end:
            shell.jobs(["watch", "--share", str(share), f"--timeout={text}"])
        assert end.value.code == 2


def test_the_folder_of_another_user(submit, share, tmp_path, monkeypatch, capfd):
    """It is listed on demand; its results, which are pickles, are neither read nor counted: exit code 5."""
    job, place, mine = submit(abs, -1), ["--share", str(share)], os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert shell.jobs(["list", *place]) == 0
    assert job not in capfd.readouterr().out
    assert shell.jobs(["list", *place, "--all-users"]) == 0
    assert job in capfd.readouterr().out
    monkeypatch.setattr(pickle, "loads", lambda *_, **__: pytest.fail("something was unpickled"))
    for command in (["show", job], ["output", job], ["results", job, "--to", str(tmp_path / "r.pickle")]):
        assert shell.jobs([*command, *place]) == 5
        assert f"{job} is another user's" in capfd.readouterr().err


def test_a_job_whose_record_is_damaged(submit, share, capfd):
    """It is listed, told as unreadable by 5 with the name of the file, and removed on demand."""
    job, place = submit(abs, -1), ["--share", str(share)]
    (share / "rxspark-jobs" / job / "job.json").write_text("{}")
    assert shell.jobs(["list", *place]) == 0
    assert "(its record cannot be read)" in capfd.readouterr().out
    assert shell.jobs(["show", job, *place]) == 5
    assert "job.json is damaged" in capfd.readouterr().err
    assert shell.jobs(["clean", job, *place]) == 5
    assert shell.jobs(["clean", job, *place, "--force"]) == 0
    assert not (share / "rxspark-jobs").exists()


def test_a_record_does_not_steer_the_terminal(submit, share, capfd):
    """Escape characters in what another user may have written are shown as question marks."""

    def evil():
        return 1

    evil.__name__ = "\x1b[2Jevil"
    job = submit(evil)
    assert shell.jobs(["list", "--share", str(share)]) == 0
    told = capfd.readouterr().out
    assert "?[2Jevil" in told
    assert "\x1b" not in told
    assert job in told


def test_errors_in_results_are_objects_of_rxspark(submit, share, tmp_path):
    """The pickle holds the RxResults of the call: errors, output and seed with it."""
    job = submit(lambda x: print("half of", x) or 1 / x, rxElemArg([2, 0]), RNGseed=5)
    file = tmp_path / "r.pickle"
    assert shell.jobs(["results", job, "--share", str(share), "--to", str(file)]) == 1
    found = pickle.loads(file.read_bytes())
    assert found[0] == 0.5
    assert isinstance(found.errors[1], RxTaskError)
    assert found.output[0] == "half of 2\n"
    assert found.rng.seed == 5
