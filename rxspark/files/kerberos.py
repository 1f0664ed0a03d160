"""Kerberos for Hadoop: the principal of this process, its tickets and tokens, and errors that say what to do.

On the driver that is said by a ticket, which `kinit` gets, or by a principal with its keytab; in YARN's containers by
the token that each has from the application's user.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from rxspark.files.hadoop_conf import hadoop_settings, login

__all__ = ["TOKENS", "explained", "hadoop_user", "is_needed", "keytab_arguments", "log_in", "tokens_host"]

TOKENS = "HADOOP_TOKEN_FILE_LOCATION"
"""The variable that names the file with the tokens of a container."""

# The tickets that a keytab gives are this process's own: those of the user stay as they are.
_OWN_TICKETS = "MEMORY:rxspark"

_NAMENODE_PORT = 8020

_FROM_GSSAPI = re.compile(r'GSSAPIError\(.*?, "(.*)"\)', re.DOTALL)
_FROM_NAMENODE = re.compile(r'RPCError\("[\w.$]*(?:SaslException|InvalidToken)", "(.*)"\)', re.DOTALL)

# What the KDC tells, and what the NameNode does, which does not tell why.
_CLOCK = re.compile("Clock skew|GSS initiate failed")


@dataclass(frozen=True)
class _Keytab:
    principal: str
    file: str


_keytab: _Keytab | None = None


def log_in(settings: Mapping[str, str]) -> None:
    """Log this process in to Hadoop as the principal that Spark's settings name with a keytab, if any."""
    global _keytab
    principal, file = settings.get("spark.kerberos.principal"), settings.get("spark.kerberos.keytab")
    if principal and file:
        _keytab = _Keytab(principal, os.path.abspath(re.sub("^(file|local):(//)?", "", file)))


def keytab_arguments() -> dict[str, str]:
    """Arguments by which hdfs-native logs in by a keytab; {} where it takes the ticket or token that is there."""
    if _keytab is None or not is_needed():
        return {}
    return {
        "kerberos_principal": _keytab.principal,
        "kerberos_keytab": _keytab.file,
        "kerberos_cache": _OWN_TICKETS,
    }


def tokens_host(host: str, settings: Mapping[str, str]) -> str:
    """Host and port by which hdfs-native finds the token for a NameNode; the same host where there are no tokens.

    Tokens bear the NameNode's address, unless it is a name service, and it looks for what it was given.
    """
    by_name = settings.get("hadoop.security.token.service.use_ip") == "false"
    if not os.environ.get(TOKENS) or not is_needed() or by_name or f"dfs.ha.namenodes.{host}" in settings:
        return host
    name, _, port = host.partition(":")
    try:
        return f"{socket.gethostbyname(name)}:{port or _NAMENODE_PORT}"
    except OSError:
        return host


def hadoop_user() -> str:
    """The user that this process is for Hadoop: with Kerberos the first part of the principal."""
    if not is_needed():
        return os.environ.get("HADOOP_USER_NAME") or login()
    if _keytab is None and os.environ.get(TOKENS):
        return login()  # YARN sets it to the application's user
    principal = _keytab.principal if _keytab else _of_ticket()
    return re.split("[/@]", principal)[0] if principal else login()


def explained(told: str) -> str | None:
    """Explain why Kerberos refuses this process, with the principal and what to do; None where it does not.

    It is told by GSSAPI, its library here, or by the NameNode.
    """
    here, there = _FROM_GSSAPI.search(told), _FROM_NAMENODE.search(told)
    if here:
        reason = here[1].partition(": ")[2] or here[1]
    elif there:
        reason = re.sub(r"\(.*\),?", "", there[1])  # all that is in a token
    else:
        return None
    if _keytab is not None:
        return _explained_by_keytab(reason, _keytab)
    if os.environ.get(TOKENS):
        return (
            f"the Kerberos tokens of this container ({os.environ[TOKENS]}) do not serve, or no longer ({reason}). "
            f"Start the session anew"
        )
    principal = _of_ticket()
    if principal is None:
        cache = re.search(r"default cache: (.*)\)$", reason)
        where = f"in {cache[1]}" if cache else f"({reason})"
        return f"there is no Kerberos ticket {where}. Run: kinit {login()}{_realm()}"
    what = "has expired" if here and "expired" in here[1] else f"does not serve ({reason})"
    clock = "See whether this machine's clock is right. " if _CLOCK.search(reason) else ""
    return f"the Kerberos ticket of {principal} {what}. {clock}Run: kinit {principal}"


def _explained_by_keytab(reason: str, keytab: _Keytab) -> str:
    if not os.access(keytab.file, os.R_OK):
        reason = "it cannot be read"
    elif "No credentials cache found" in reason:  # what it says of a keytab without that principal
        reason = "it holds no key of that principal"
    return (
        f"Kerberos does not let {keytab.principal} log in by the keytab {keytab.file}: {reason}. "
        f"To see why: kinit -k -t {keytab.file} {keytab.principal}"
    )


def is_needed() -> bool:
    """Tell whether the cluster of HADOOP_CONF_DIR has Kerberos."""
    return (hadoop_settings("core-site.xml") or {}).get("hadoop.security.authentication", "").lower() == "kerberos"


def _realm() -> str:
    """The NameNode's realm, with its @; '' where the settings do not tell."""
    return "".join(
        (hadoop_settings("hdfs-site.xml") or {}).get("dfs.namenode.kerberos.principal", "").rpartition("@")[1:]
    )


def _of_ticket() -> str | None:
    """The principal of the user's ticket, of one that has expired too; None where there is none.

    It is klist that knows the place: a file, the kernel or a daemon may keep tickets.
    """
    try:
        told = subprocess.run(
            ["klist"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            env=os.environ | {"LC_ALL": "C"},
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^\s*(?:Default principal|Principal): (\S+)", told, re.MULTILINE)
    return found[1] if found else None
