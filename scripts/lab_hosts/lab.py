"""A lab: brings its hosts up and down, changes their cables, runs commands on them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab_hosts.host import HostPlan, address_of, name_of
from lab_hosts.services import prepare, service_problem, service_variables, services_of
from lab_hosts.switch import Cable
from lab_hosts.wires import ask

__all__ = ["MOST_HOSTS", "Lab", "LabError", "missing"]

MOST_HOSTS = 100
SCRIPTS = Path(__file__).parents[1]
CHECKOUT = SCRIPTS.parent

_TOOLS = {"ip": "iproute2", "mount": "mount", "unshare": "util-linux", "nsenter": "util-linux"}
_NAMESPACES = ["--net", "--uts", "--mount", "--ipc", "--pid"]


class LabError(Exception):
    """A command that cannot be done, and why."""


def missing() -> str:
    """Tell what this machine lacks for a lab; '' when it has all."""
    if sys.platform != "linux":
        return f"hosts are Linux namespaces, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "hosts are made by root alone: run as root, or with sudo"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun is not there, of which the network of the hosts is made: modprobe tun"
    lacking = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if lacking:
        return f"{', '.join(lacking)} not found: apt-get install {' '.join(sorted({_TOOLS[t] for t in lacking}))}"
    return ""


def _wait(what: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            raise LabError(otherwise())
        time.sleep(0.05)


class Lab:
    """The lab of a folder, whether or not it is up."""

    def __init__(self, folder: Path, environment: Path) -> None:
        self.folder = folder
        self._python_environment = environment
        self._state = folder / "lab.json"

    # -------------------------------------------------------------- up and down

    def up(self, workers: int, services: str, seconds: float) -> None:
        """Bring up what is not up yet, and wait until the services are at work."""
        with self._alone():
            before = self.state()
            if before and (before["workers"], before["services"]) != (workers, services):
                raise LabError(f"a lab of other hosts or services is up in {self.folder}: {before}; end it by `down`")
            names = ((address_of(n), name_of(n)) for n in range(workers + 1))
            lines = ["127.0.0.1 localhost", *(" ".join(pair) for pair in names)]
            (self.folder / "hosts").write_text("".join(f"{line}\n" for line in lines))
            (self.folder / "share").mkdir(exist_ok=True)
            (self.folder / "share").chmod(0o1777)
            if not before:
                prepare(services, self.folder / "share")
                self._start_switch()
            self._state.write_text(json.dumps({"workers": workers, "services": services}))
            for number in range(workers + 1):
                if number not in self._pids():
                    self._boot(number)
        self.wait_for_services(seconds)

    def down(self) -> None:
        """End the hosts, all that runs on them, and the network; again, or after a crash: what is left of them."""
        if not self.folder.exists():
            return
        with self._alone(), contextlib.suppress(OSError):  # there is no switch, and so there are no hosts
            told = ask(self.folder, do="status")
            pids = [*self._pids().values(), told["pid"]]
            ask(self.folder, do="end")
            _wait(lambda: not any(map(_runs, pids)), 20, lambda: f"these did not end: {pids}")
        shutil.rmtree(self.folder)

    def state(self) -> dict[str, Any]:
        """Return the number of workers and the services of a lab that is up; {} when it is not."""
        try:
            ask(self.folder, do="status")
            told: dict[str, Any] = json.loads(self._state.read_text())
            return told
        except OSError:
            return {}

    def status(self) -> list[str]:
        """Describe each host in a line."""
        state = self.state()
        if not state:
            raise LabError(f"no lab is up in {self.folder}: scripts/lab up")
        told = ask(self.folder, do="status")
        lines = []
        for number in range(state["workers"] + 1):
            cable = Cable(**told["cables"].get(str(number), {}))
            runs = f"runs as process {told['hosts'][str(number)]}" if str(number) in told["hosts"] else "is off"
            network = "cut" if cable.cut else f"{cable.delay:g} ms, {cable.loss:g} % lost"
            lines.append(f"{name_of(number)}  {address_of(number)}  {runs}; cable: {network}")
        problem = service_problem(state["services"], state["workers"], self.output)
        return [*lines, f"services: {problem or state['services'] + ' at work'}"]

    def wait_for_services(self, seconds: float) -> None:
        """Return once the services of all hosts are at work."""
        state = self.state()

        def at_work() -> bool:
            return not self._problem(state)

        _wait(at_work, seconds, lambda: f"after {seconds:g} s: {self._problem(state)}")

    def _problem(self, state: dict[str, Any]) -> str:
        return service_problem(state["services"], state["workers"], self.output)

    def _start_switch(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
        with (self.folder / "switch.log").open("wb") as log:
            command = [sys.executable, "-m", "lab_hosts.switch", str(self.folder)]
            subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        _wait(self._switch_answers, 20, lambda: f"the switch has not started; see {self.folder}/switch.log")

    def _switch_answers(self) -> bool:
        try:
            return bool(ask(self.folder, do="status"))
        except OSError:
            return False

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Change a lab by one command at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # -------------------------------------------------------------- one host

    def boot(self, name: str) -> None:
        """Switch a host on, which starts its services; it is up on return, its services come."""
        with self._alone():
            number = self.number(name)
            if number not in self._pids():
                self._boot(number)

    def kill(self, name: str) -> None:
        """Take a host's power: its processes end at once, and nobody hears of it."""
        with self._alone():
            pid = self._pids().get(number := self.number(name))
            if pid is not None:
                ask(self.folder, do="unplug", host=number)
                os.kill(pid, signal.SIGKILL)
                _wait(lambda: not _runs(pid), 20, lambda: f"{name} (process {pid}) did not end")

    def set_cable(self, name: str, **state: Any) -> None:
        """Change what is named of the state of a host's cable."""
        ask(self.folder, do="cable", host=self.number(name), state=state)

    def number(self, name: str) -> int:
        """Return the number of a host of the lab."""
        workers = self.state().get("workers")
        if workers is None:
            raise LabError(f"no lab is up in {self.folder}: scripts/lab up")
        names = [name_of(number) for number in range(workers + 1)]
        if name not in names:
            raise LabError(f"{name!r} is no host of this lab, which has {', '.join(names)}")
        return names.index(name)

    def command_on(self, name: str, command: list[str]) -> list[str]:
        """Return the command line that runs a command on a host."""
        pid = self._pids().get(self.number(name))
        if pid is None:
            raise LabError(f"{name} is off: scripts/lab boot {name}")
        variables = self._variables()
        words = [f"{key}={value}" for key, value in variables.items()]
        enter = ["nsenter", "--target", str(pid), *_NAMESPACES, "--wdns=/tmp"]
        return [*enter, "env", "-i", *words, *command]

    def output(self, name: str, *command: str) -> str:
        """Run a short command on a host and give its standard output; '' when it fails."""
        try:
            words = self.command_on(name, list(command))
        except LabError:
            return ""
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else ""

    def _boot(self, number: int) -> None:
        here = self.folder / name_of(number)
        (here / "disk").mkdir(parents=True, exist_ok=True)
        (here / "disk").chmod(0o1777)
        shown = CHECKOUT if number == 0 else self._python_environment
        plan = HostPlan(number, str(self.folder), str(CHECKOUT), str(shown))
        command = ["unshare", *_NAMESPACES, "--fork", "--mount-proc", sys.executable, "-m", "lab_hosts.host"]
        with (here / "boot.log").open("wb") as log:
            first = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert first.stdin is not None
        first.stdin.write(json.dumps(asdict(plan)).encode())
        first.stdin.close()
        log_says = f"{name_of(number)} did not come up; see {here}/boot.log"
        _wait(lambda: number in self._pids() or first.poll() is not None, 30, lambda: log_says)
        if first.poll() is not None:
            raise LabError(log_says)
        self._start_services(number)

    def _start_services(self, number: int) -> None:
        """Start what runs on a host from its boot on, with logs in the host's /tmp."""
        kind = self.state()["services"]
        for service, command in services_of(kind, number, self.folder / "share", self._variables()).items():
            words = ["bash", "-c", f'exec "$@" >/tmp/{service}.log 2>&1', service, *command]
            subprocess.Popen(
                self.command_on(name_of(number), words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _pids(self) -> dict[int, int]:
        """The first processes of the hosts that are up, by the number of the host."""
        return {int(number): pid for number, pid in ask(self.folder, do="status")["hosts"].items()}

    def _variables(self) -> dict[str, str]:
        """The environment of commands on a host: that of a new login, with the checkout's Python."""
        python = self._python_environment / "bin"
        variables = {
            "PATH": f"{python}:{os.environ['PATH']}",
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "PYSPARK_PYTHON": str(python / "python"),
        }
        variables |= service_variables(self.state().get("services", "none"))
        return variables | {key: os.environ[key] for key in ("JAVA_HOME", "TERM") if key in os.environ}


def _runs(pid: int) -> bool:
    """Tell whether a process is there, and has not ended and waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
