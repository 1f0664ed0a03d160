"""Hadoop's own: its jars, its daemons and their settings, for scripts/hadoop and for the hosts of scripts/lab."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

__all__ = [
    "CLASSES",
    "HADOOP",
    "PORTS",
    "class_path",
    "free_ports",
    "java_command",
    "java_home",
    "settings",
    "write_settings",
]

HADOOP = "3.5.0"  # what PySpark 4.3 brings as its client

# The shaded jars of the mini cluster hold every server class, but no logging, and not BouncyCastle, without which the
# ResourceManager does not start.
JARS = [
    ("org.apache.hadoop", "hadoop-client-minicluster", HADOOP),
    ("org.slf4j", "slf4j-reload4j", "1.7.36"),
    ("org.bouncycastle", "bcpkix-jdk18on", "1.82"),
]

CLASSES = {
    "namenode": "org.apache.hadoop.hdfs.server.namenode.NameNode",
    "journalnode": "org.apache.hadoop.hdfs.qjournal.server.JournalNode",
    "zookeeper": "org.apache.hadoop.shaded.org.apache.zookeeper.server.ZooKeeperServerMain",
    "zkfc": "org.apache.hadoop.hdfs.tools.DFSZKFailoverController",
    "datanode": "org.apache.hadoop.hdfs.server.datanode.DataNode",
    "resourcemanager": "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager",
    "nodemanager": "org.apache.hadoop.yarn.server.nodemanager.NodeManager",
}

PORTS = 7
"""One each for NameNode and its web page, and for the ResourceManager's five services."""

LOG4J = """log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %-5p %c{2}: %m%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
"""


def settings(folder: Path, host: str, ports: Sequence[int]) -> dict[str, dict[str, Any]]:
    """The files of HADOOP_CONF_DIR: Hadoop's defaults but for what small hosts need otherwise.

    NameNode and ResourceManager are on `host`, at `PORTS` ports.
    """
    namenode, namenode_web, rm, rm_scheduler, rm_tracker, rm_admin, rm_web = (f"{host}:{number}" for number in ports)
    return {
        "core-site.xml": {
            "fs.defaultFS": f"hdfs://{namenode}",
            "hadoop.tmp.dir": folder / "tmp",
            "ipc.client.connect.max.retries": 3,  # or clients hang for long on a daemon that is dead
        },
        "hdfs-site.xml": {
            "dfs.namenode.http-address": namenode_web,
            "dfs.namenode.name.dir": f"file://{folder}/namenode",
            "dfs.replication": 2,  # fewer than DataNodes, so that files can be written while one of them is away
            "dfs.namenode.safemode.extension": 0,
            # A silent DataNode counts as dead after 2 * recheck + 10 * heartbeat, here 14 s in place of 630.
            "dfs.heartbeat.interval": 1,
            "dfs.namenode.heartbeat.recheck-interval": 2000,
            # Among three DataNodes there may be none left that could replace one that fails while it is written to.
            "dfs.client.block.write.replace-datanode-on-failure.best-effort": "true",
        },
        "yarn-site.xml": {
            "yarn.resourcemanager.hostname": host,
            "yarn.resourcemanager.address": rm,
            "yarn.resourcemanager.scheduler.address": rm_scheduler,
            "yarn.resourcemanager.resource-tracker.address": rm_tracker,
            "yarn.resourcemanager.admin.address": rm_admin,
            "yarn.resourcemanager.webapp.address": rm_web,
            "yarn.scheduler.minimum-allocation-mb": 128,  # requests are rounded up to a multiple of it
            "yarn.scheduler.maximum-allocation-mb": 3072,
            "yarn.nodemanager.resource.memory-mb": 3072,
            "yarn.nodemanager.resource.cpu-vcores": 4,
            "yarn.nodemanager.vmem-check-enabled": "false",  # a JVM reserves far more than it uses
            # By default a NodeManager starts no container on a disk that is 90 % full.
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 100,
            "yarn.nodemanager.env-whitelist": "JAVA_HOME,SPARK_LOCAL_IP,LANG,PATH",  # what containers inherit
            "yarn.node-attribute.fs-store.root-dir": f"file://{folder}/attributes",  # else shared by the whole machine
            # A silent NodeManager counts as lost after 10 s in place of 600.
            "yarn.nm.liveness-monitor.expiry-interval-ms": 10000,
            "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": 500,
        },
        "capacity-scheduler.xml": {
            "yarn.scheduler.capacity.root.queues": "default",
            "yarn.scheduler.capacity.root.default.capacity": 100,
            # A tenth by default: on so few nodes an application would wait for its master for ever.
            "yarn.scheduler.capacity.maximum-am-resource-percent": 1.0,
            # Counts cores too, and not memory alone.
            "yarn.scheduler.capacity.resource-calculator": (
                "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
            ),
        },
    }


def write_settings(conf: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Make a folder for HADOOP_CONF_DIR."""
    conf.mkdir(parents=True, exist_ok=True)
    for file, properties in files.items():
        lines = (f"<property><name>{k}</name><value>{escape(str(v))}</value></property>" for k, v in properties.items())
        (conf / file).write_text("<configuration>\n{}\n</configuration>\n".format("\n".join(lines)))
    (conf / "log4j.properties").write_text(LOG4J)


def class_path(folder: Path) -> str:
    """The jars, fetched by Maven when they are not there yet."""
    listed = folder / f"jars-{HADOOP}.txt"
    if not listed.exists() or not all(map(os.path.exists, listed.read_text().split(":"))):
        wanted = "".join(
            f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
            f"</dependency>"
            for group, name, version in JARS
        )
        pom = folder / "pom.xml"
        pom.write_text(
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            "<groupId>rxspark</groupId><artifactId>hadoop</artifactId><version>1</version>"
            f"<dependencies>{wanted}</dependencies></project>"
        )
        if shutil.which("mvn") is None:
            sys.exit("no Maven, which fetches Hadoop: install it (apt-get install maven); tests: --without-hadoop")
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:build-classpath", "-Dmdep.includeScope=runtime"]
        command.append(f"-Dmdep.outputFile={listed}")
        if subprocess.run(command, stdout=sys.stderr).returncode:  # standard output is for `eval`
            sys.exit("Maven could not fetch Hadoop; what it said is above")
    return listed.read_text().strip()


def java_home() -> Path:
    """The folder of the Java that runs all this."""
    if "JAVA_HOME" in os.environ:
        return Path(os.environ["JAVA_HOME"])
    java = shutil.which("java")
    if java is None:
        sys.exit("no Java: install a JDK 17, or set JAVA_HOME")
    return Path(java).resolve().parents[1]


def java_command(folder: Path, conf: Path, jars: str, *main: str) -> list[str]:
    """The command line of a daemon: little memory, and quickly there (serial collector, first compiler only).

    It has its temporary files in `folder`/tmp; `main` is its class with its arguments.
    """
    options = "-Xmx256m -Xss512k -XX:MaxMetaspaceSize=160m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    options += " -Djava.net.preferIPv4Stack=true -Dhadoop.home.dir=/ --add-opens=java.base/java.lang=ALL-UNNAMED"
    places = [f"-Djava.io.tmpdir={folder}/tmp", "-cp", f"{conf}:{jars}"]
    return [f"{java_home()}/bin/java", *options.split(), *places, *main]


def free_ports(number: int) -> list[int]:
    """Free ports below those that the kernel hands out, from anywhere on, as others may be looking for some now."""
    first = random.randrange(19000, 31000)
    found: list[int] = []
    while len(found) < number:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", first))
            found.append(first)
        first += 1
    return found
