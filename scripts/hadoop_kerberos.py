"""Kerberos for scripts/hadoop: a KDC on the loopback address, keytabs, and the settings of a Hadoop that asks for them.

The KDC is MIT's, as Debian packs it, for a realm of its own; it needs no root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = [
    "KDC",
    "add_secure_settings",
    "administrator",
    "is_secure",
    "kdc_command",
    "kerberos_environment",
    "prepare_realm",
    "wait_for_kdc",
]

KDC = "kdc"
"""The KDC's name among the daemons."""

REALM = "RXSPARK.TEST"

USERS = ("alice", "bob")
"""Who may use this Hadoop: USER@RXSPARK.TEST, by the keytab kerberos/USER.keytab."""

_SERVICES = ("hdfs/localhost", "yarn/localhost", "HTTP/localhost")

# Found in /usr/sbin too, which is not on everybody's PATH.
_PROGRAMS = {"krb5kdc": "krb5-kdc", "kdb5_util": "krb5-kdc", "kadmin.local": "krb5-admin-server", "kinit": "krb5-user"}
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])

# Hosts are taken as they are named, and everything goes by TCP: nothing waits for a name server or a lost packet.
_KRB5_CONF = """[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  ticket_lifetime = 10h
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
"""

_KDC_CONF = """[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principals
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
  }}
"""


def is_secure(folder: Path) -> bool:
    """Tell whether the Hadoop of a folder has a realm of its own."""
    return (folder / "kerberos" / "krb5.conf").exists()


def kerberos_environment(folder: Path) -> dict[str, str]:
    """Variables that Kerberos' own programs, and each JVM, read."""
    conf = folder / "kerberos" / "krb5.conf"
    return {"KRB5_CONFIG": str(conf), "JAVA_TOOL_OPTIONS": f"-Djava.security.krb5.conf={conf}"}


def kdc_command(folder: Path) -> list[str]:
    """The command line of the KDC, which stays in the foreground."""
    profile = f"KRB5_KDC_PROFILE={folder}/kerberos/kdc.conf"
    return ["env", profile, _program("krb5kdc"), "-n", "-P", f"{folder}/kerberos/kdc.pid"]


def prepare_realm(folder: Path, port: int) -> None:
    """Write the settings of the KDC and of its clients; the first time make the principals, and their keytabs."""
    place = folder / "kerberos"
    programs = {name: _program(name) for name in _PROGRAMS}
    place.mkdir(mode=0o700, exist_ok=True)
    names = {"realm": REALM, "folder": place, "port": port}
    (place / "kdc.conf").write_text(_KDC_CONF.format(**names))
    (place / "krb5.conf").write_text(_KRB5_CONF.format(**names))
    if (place / "services.keytab").exists():
        return
    keytabs = dict.fromkeys(_SERVICES, "services") | {user: user for user in USERS}
    orders = [f"addprinc -randkey {name}\nktadd -q -k {place}/{file}.keytab {name}\n" for name, file in keytabs.items()]
    _run(folder, [programs["kdb5_util"], "create", "-s", "-P", os.urandom(16).hex()])
    _run(folder, [programs["kadmin.local"]], "".join(orders))


def _run(folder: Path, command: list[str], given: str = "") -> None:
    environment = os.environ | kerberos_environment(folder) | {"KRB5_KDC_PROFILE": f"{folder}/kerberos/kdc.conf"}
    done = subprocess.run(command, input=given, env=environment, text=True, capture_output=True)
    if done.returncode:
        shutil.rmtree(folder / "kerberos")
        sys.exit(f"the realm could not be made: {done.stderr}")


def wait_for_kdc(folder: Path, seconds: float = 10) -> None:
    """Return once the KDC takes connections."""
    port = (folder / "kerberos" / "krb5.conf").read_text().partition("kdc = 127.0.0.1:")[2].split()[0]
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=1):
            return
        if time.monotonic() > until:
            sys.exit(f"the KDC takes no connections after {seconds:g} s; see {folder}/logs/kdc.log")
        time.sleep(0.02)


def administrator(folder: Path) -> dict[str, str]:
    """The environment of HDFS' superuser, with a ticket."""
    environment = kerberos_environment(folder) | {"KRB5CCNAME": f"FILE:{folder}/kerberos/administrator"}
    command = [_program("kinit"), "-k", "-t", f"{folder}/kerberos/services.keytab", "hdfs/localhost"]
    subprocess.run(command, check=True, env=os.environ | environment)
    return environment


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        packages = " ".join(dict.fromkeys(_PROGRAMS.values()))
        sys.exit(f"no {name}: install a KDC (apt-get install {packages})")
    return found


def add_secure_settings(files: dict[str, dict[str, Any]], folder: Path) -> None:
    """Make a Hadoop of these settings ask for tickets, and encrypt what it sends."""
    keytab = folder / "kerberos" / "services.keytab"

    def service(prefix: str, name: str, keytab_setting: str) -> dict[str, Any]:
        return {f"{prefix}.principal": f"{name}/localhost@{REALM}", keytab_setting: keytab}

    files["core-site.xml"] |= {
        "hadoop.security.authentication": "kerberos",
        "hadoop.security.authorization": "true",
        "hadoop.rpc.protection": "privacy",
    }
    files["hdfs-site.xml"] |= {
        **service("dfs.namenode.kerberos", "hdfs", "dfs.namenode.keytab.file"),
        **service("dfs.datanode.kerberos", "hdfs", "dfs.datanode.keytab.file"),
        **service("dfs.journalnode.kerberos", "hdfs", "dfs.journalnode.keytab.file"),
        **service("dfs.web.authentication.kerberos", "HTTP", "dfs.web.authentication.kerberos.keytab"),
        "dfs.block.access.token.enable": "true",
        "dfs.data.transfer.protection": "privacy",
        "dfs.encrypt.data.transfer.cipher.suites": "AES/CTR/NoPadding",  # else 3DES, at 2 MB/s
        # The web pages, by which no file goes here, stay without TLS. Data is encrypted all the same.
        "ignore.secure.ports.for.testing": "true",
    }
    files["yarn-site.xml"] |= {
        **service("yarn.resourcemanager", "yarn", "yarn.resourcemanager.keytab"),
        **service("yarn.nodemanager", "yarn", "yarn.nodemanager.keytab"),
    }
    # Nodes of a cluster have /etc/krb5.conf.
    files["yarn-site.xml"]["yarn.nodemanager.env-whitelist"] += "".join(
        f",{name}" for name in kerberos_environment(folder)
    )
