"""scripts/lab keeps its word: hosts that share nothing but a network, and nothing that stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from lab_runs import Lab, lab_that_is_up
from project import ROOT
from waiting import wait_until

pytestmark = pytest.mark.lab

# Connects to a host's port 9 within so many seconds: nobody listens there, so the host itself says no, or nobody does.
_KNOCK = """
import socket, sys, time
began = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 9), timeout=float(sys.argv[2]))
except ConnectionRefusedError:
    print("there", time.monotonic() - began)
except OSError:
    print("silent", time.monotonic() - began)
"""


def knock(lab: Lab, host: str, at: str, seconds: float = 5) -> tuple[str, float]:
    """Tell whether a host answers another one, and after how many seconds."""
    answer, took = lab.on(host, "python", "-c", _KNOCK, at, seconds).split()
    return answer, float(took)


def processes(lab: Lab) -> list[int]:
    """Processes of this machine that have to do with a lab: by their command line, or by the files that they see."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{lab.folder}/" in (process / "mountinfo").read_text() or str(lab.folder).encode() in (
                process / "cmdline"
            ).read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_each_host_is_one_of_its_own(hosts: Lab) -> None:
    """Names, addresses, processes, boots and files in /tmp, /dev/shm and /var/tmp are a host's own."""
    show = "hostname; hostname -I; cat /proc/sys/kernel/random/boot_id; ls /proc | grep -c '^[0-9]'; ls {}"
    places = "/tmp /dev/shm /var/tmp"
    hosts.on("host1", "bash", "-c", f"for place in {places}; do touch $place/mine; done")
    first, second = (hosts.on(host, "bash", "-c", show.format(places)).split("\n") for host in ("host1", "host2"))
    assert [first[:2], second[:2]] == [["host1", "10.77.0.11 "], ["host2", "10.77.0.12 "]]
    assert first[2] != second[2]
    assert int(first[3]) < 10
    assert (first[4:].count("mine"), second[4:].count("mine")) == (3, 0)


def test_the_machine_is_there_to_read_and_the_checkout_on_the_first_host_alone(hosts: Lab) -> None:
    """Hosts write to no file of the machine; of the checkout workers see the Python environment."""
    seen = [hosts.on(host, "ls", "-A", ROOT).split() for host in ("host0", "host1")]
    assert "rxspark" in seen[0]
    assert seen[1] == [".venv"]
    for place in ("/etc", ROOT, ROOT / ".venv"):
        assert "Read-only" in hosts.try_to("on", "host0", "touch", f"{place}/written").stderr


def test_one_folder_is_shared(hosts: Lab) -> None:
    """All hosts find in /run/share what one has written."""
    hosts.on("host1", "bash", "-c", "echo text >/run/share/file")
    assert hosts.on("host2", "cat", "/run/share/file") == "text\n"


def test_a_cable_is_cut_mended_and_slow_while_hosts_run(hosts: Lab) -> None:
    """Cut, no host answers; mended, it does; with a delay, each way takes as long; with all lost, none arrives."""
    assert knock(hosts, "host1", "host2")[0] == "there"
    hosts.do("cut", "host2")
    assert knock(hosts, "host1", "host2", 1)[0] == "silent"
    assert knock(hosts, "host1", "host0")[0] == "there"
    hosts.do("mend", "host2")
    assert knock(hosts, "host1", "host2")[0] == "there"
    hosts.do("net", "host2", "--delay", 150)
    answer, seconds = knock(hosts, "host1", "host2")
    assert (answer, seconds >= 0.3) == ("there", True)
    hosts.do("net", "host2", "--loss", 100)
    assert knock(hosts, "host1", "host2", 1)[0] == "silent"
    hosts.do("net", "host2")
    assert "0 ms, 0 % lost" in hosts.do("status").splitlines()[2]


def test_a_host_without_power_says_nothing_and_comes_back_with_its_disk(hosts: Lab) -> None:
    """Its peers hear no end; after the boot /var/tmp is as it was, /tmp is empty, and it is another boot."""
    boot = hosts.on("host2", "bash", "-c", "touch /tmp/a /var/tmp/b; cat /proc/sys/kernel/random/boot_id")
    listen = "import socket; s = socket.create_server(('host2', 99)); c = s.accept()[0]; c.send(b'.'); s.accept()"
    hear = """
import socket, time
for _ in range(100):
    try:
        connection = socket.create_connection(("host2", 99))
        break
    except OSError:
        time.sleep(0.1)
connection.recv(1)
print("connected", flush=True)
connection.settimeout(3)
try:
    print("ended" if connection.recv(1) == b"" else "more")
except TimeoutError:
    print("silence")
except OSError:
    print("reset")
"""
    with subprocess.Popen(hosts.command("on", "host2", "python", "-c", listen)) as server:
        client = subprocess.Popen(hosts.command("on", "host1", "python", "-c", hear), stdout=subprocess.PIPE, text=True)
        with client:
            assert client.stdout is not None
            assert client.stdout.readline() == "connected\n"
            hosts.do("kill", "host2")
            assert client.stdout.readline() == "silence\n"
        assert server.wait(30) != 0
    assert "host2 is off: scripts/lab boot host2" in hosts.try_to("on", "host2", "true").stderr
    hosts.do("boot", "host2")
    show = "ls /tmp /var/tmp; cat /proc/sys/kernel/random/boot_id"
    files, again = hosts.on("host2", "bash", "-c", show).rsplit("\n", 2)[:2]
    assert "b" in files.split("\n")
    assert "a" not in files.split("\n")
    assert again != boot.strip()
    assert knock(hosts, "host1", "host2")[0] == "there"


def test_the_status_of_a_command_is_that_of_the_lab(hosts: Lab) -> None:
    """`on` ends as its command does, and takes standard input and arguments as they are."""
    assert hosts.try_to("on", "host1", "bash", "-c", "exit 7").returncode == 7
    told = subprocess.run(hosts.command("on", "host1", "cat"), input="a b\n", capture_output=True, text=True)
    assert told.stdout == "a b\n"
    assert hosts.on("host1", "printf", "%s|", "a b", "'") == "a b|'|"


def test_wrong_words_are_named(hosts: Lab) -> None:
    """A host that there is not, and states that no cable has, are refused with the host names and limits."""
    assert "'host9' is no host of this lab, which has host0, host1, host2" in hosts.try_to("cut", "host9").stderr
    assert "--loss 101: want 0 or more, and 0 to 100" in hosts.try_to("net", "host1", "--loss", 101).stderr
    assert "a lab of other hosts or services is up" in hosts.try_to("up", 5).stderr


def test_up_again_brings_back_what_is_missing_and_leaves_the_rest(tmp_path: Path) -> None:
    """A host that is up runs on, one that is off comes up; `down` ends all, and again does nothing."""
    with lab_that_is_up(tmp_path / "lab", 1, "--services", "none") as lab:
        lab.on("host0", "touch", "/tmp/mine")
        lab.do("kill", "host1")
        lab.do("up", 1, "--services", "none")
        assert lab.on("host0", "ls", "/tmp/mine") == "/tmp/mine\n"
        assert lab.on("host1", "hostname") == "host1\n"
        assert processes(lab)
        lab.do("down")
        assert (processes(lab), lab.folder.exists()) == ([], False)
        lab.do("down")


@pytest.mark.parametrize("dies", ["switch", "up"])
def test_nothing_outlives_the_switch(tmp_path: Path, dies: str) -> None:
    """Killed, it takes all hosts and what they run with it; an `up` that dies half way is ended by `down`."""
    lab = Lab(tmp_path / "lab")
    if dies == "up":
        with subprocess.Popen(lab.command("up", 3, "--services", "none")) as up:
            wait_until((lab.folder / "host1").exists, "host1 is made", 30)
            up.kill()
    else:
        lab.do("up", 1, "--services", "none")
        daemon = subprocess.Popen(lab.command("on", "host1", "setsid", "sleep", "1000"))
        wait_until(lambda: "sleep" in lab.on("host1", "ps", "-e", "-o", "comm="), "the program runs on host1", 30)
        [switch] = [n for n in processes(lab) if b"lab_hosts.switch" in Path(f"/proc/{n}/cmdline").read_bytes()]
        os.kill(switch, signal.SIGKILL)
        wait_until(lambda: not processes(lab), "no process of the lab is left", 30)
        assert daemon.wait(30) != 0
    lab.do("down")
    wait_until(lambda: not processes(lab), "no process of the lab is left", 30)
    assert not lab.folder.exists()


def test_without_root_it_says_so() -> None:
    """A machine or user that can have no lab is told why in a sentence, with exit code 2."""
    nobody = ["unshare", "--user"]  # a user namespace without any user
    told = subprocess.run([*nobody, *Lab(Path("/tmp/none")).command("up")], capture_output=True, text=True)
    assert told.returncode == 2
    assert told.stderr == "scripts/lab: hosts are made by root alone: run as root, or with sudo\n"
