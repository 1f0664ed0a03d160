"""Programs on a Hadoop with Kerberos: `scripts/hadoop start --secure`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from project import HADOOP
from yarn import around

# A folder of alice's, and as whom to go there: by the ticket that is there, or by principal and keytab.
BEGIN = """
import sys
from rxspark import *
folder, principal, keytab = sys.argv[1:4]
config = {"spark.kerberos.principal": principal, "spark.kerberos.keytab": keytab} if keytab else {}
"""

FILES = (
    BEGIN
    + """
import os
rxSetComputeContext(RxSpark(extraSparkConfig=config))
os.chdir(sys.argv[4])
with open("numbers", "wb") as file:
    file.write(bytes(range(256)) * 40_000)
rxHadoopMakeDir(folder)
rxHadoopCopyFromLocal("numbers", folder)
rxHadoopCopy(f"{folder}/numbers", f"{folder}/copy")
rxHadoopMove(f"{folder}/copy", f"{folder}/moved")
rxHadoopCopyToLocal(f"{folder}/moved", "back")
print(open("back", "rb").read() == open("numbers", "rb").read())
rxHadoopRemove(f"{folder}/moved")
print([(os.path.basename(file.name), file.size, file.owner) for file in rxHadoopListFiles(folder)])
rxHadoopRemoveDir(folder)
print(rxHadoopFileExists(folder))
print(rxHadoopListFiles("").names == rxHadoopListFiles("/user/alice").names)
"""
)

PACKAGES = ("krb5-kdc", "krb5-admin-server", "krb5-user", "faketime")
"""A KDC, its clients, and what gives a program another time, as Debian names them."""


@dataclass(frozen=True)
class SecureHadoop:
    """One that runs."""

    folder: Path
    environment: dict[str, str]

    def keytab(self, user: str) -> str:
        """The file of a user's keytab."""
        return f"{self.folder}/kerberos/{user}.keytab"

    def ticket(self, user: str, *options: str) -> None:
        """Get a ticket for the programs that follow, in place of the one that is there."""
        command = ["kinit", *options, "-k", "-t", self.keytab(user), user]
        subprocess.run(command, env=self.around(), check=True, timeout=30)

    @contextmanager
    def namenode_with(self, settings: Mapping[str, str]) -> Iterator[None]:
        """Restart the NameNode with these settings of hdfs-site.xml meanwhile, and without them afterwards."""
        file = Path(self.environment["HADOOP_CONF_DIR"], "hdfs-site.xml")
        before = file.read_text()
        more = (f"<property><name>{name}</name><value>{value}</value></property>" for name, value in settings.items())
        try:
            file.write_text(before.replace("</configuration>", "".join(more) + "</configuration>"))
            self._restart_namenode()
            yield
        finally:
            file.write_text(before)
            self._restart_namenode()

    def _restart_namenode(self) -> None:
        pid = json.loads((self.folder / "pids.json").read_text())["namenode"]
        os.kill(pid, signal.SIGKILL)
        command = [sys.executable, str(HADOOP), "start", "--dir", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True, timeout=200)

    def token(self) -> dict[str, str]:
        """Get a token by the ticket that is there, and let that go: the variables by which a container has its own."""
        file = self.folder / "token"
        file.unlink(missing_ok=True)
        self._about_token("--renewer", "alice", str(file))
        self.no_ticket()
        return {"HADOOP_TOKEN_FILE_LOCATION": str(file), "LOGNAME": "alice"}

    def cancel_token(self) -> None:
        """Let the token that was got before serve no longer."""
        self._about_token("--cancel", str(self.folder / "token"))

    def _about_token(self, *arguments: str) -> None:
        (jars,) = self.folder.glob("jars-*.txt")
        path = f"{self.environment['HADOOP_CONF_DIR']}:{jars.read_text().strip()}"
        command = ["java", "-cp", path, "org.apache.hadoop.hdfs.tools.DelegationTokenFetcher", *arguments]
        subprocess.run(command, env=self.around(), check=True, capture_output=True, timeout=60)

    def no_ticket(self) -> None:
        """Let the programs that follow have no ticket."""
        Path(self.environment["KRB5CCNAME"].removeprefix("FILE:")).unlink(missing_ok=True)

    def around(self, **more: str) -> dict[str, str]:
        """The environment variables of a program."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HADOOP_", "KRB5"))}
        return around(Path(self.environment["HADOOP_CONF_DIR"]), **{**kept, **self.environment, **more})

    def run(self, code: str, *arguments: str, before: Sequence[str] = (), more: Mapping[str, str] | None = None) -> str:
        """Run a program, which ends well; what it prints.

        `before` stands before its command line, `more` are variables of its environment.
        """
        command = [*before, sys.executable, "-c", code, *arguments]
        environment = self.around(**(more or {}))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout.strip()


def _install_kdc() -> None:
    """Install what a fresh Debian lacks, where this process may; elsewhere scripts/hadoop says what is missing."""
    programs = ("krb5kdc", "kadmin.local", "kinit", "faketime")
    if all(map(shutil.which, programs)) or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    for order in (["update"], ["install", "-y", *PACKAGES]):
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(["apt-get", "-qq", *order], env=quiet, capture_output=True, text=True, timeout=280)
        if done.returncode:
            raise RuntimeError(f"apt-get {' '.join(order)}: {done.stderr}")


@contextmanager
def secure_hadoop(folder: Path, *options: str) -> Iterator[SecureHadoop]:
    """Return one that runs meanwhile; RuntimeError with what scripts/hadoop says where there can be none."""
    _install_kdc()
    command = [sys.executable, str(HADOOP)]
    place = ["--dir", str(folder)]
    done = subprocess.run(
        [*command, "start", "--secure", *options, *place, "--timeout", "200"],
        stderr=subprocess.PIPE,
        text=True,
        timeout=290,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    try:
        lines = subprocess.run([*command, "env", *place], stdout=subprocess.PIPE, text=True, check=True).stdout
        words = [shlex.split(line)[1].partition("=") for line in lines.splitlines()]
        yield SecureHadoop(folder, {name: value for name, _, value in words})
    finally:
        subprocess.run([*command, "stop", *place, "--purge"], check=True, timeout=120)
