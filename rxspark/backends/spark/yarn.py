"""Put Spark's jars on the cluster for applications on YARN, which else upload them at each start."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from rxspark.errors import RxContextError, RxMissingError
from rxspark.files.kerberos import is_needed, log_in
from rxspark.files.operations import copy, make_folder
from rxspark.files.paths import FsPath, default_file_system, hadoop_user, open_path

__all__ = ["HADOOP_CONF_DIR", "jars_archive", "log_in_to_hdfs"]

logger = logging.getLogger("rxspark")

HADOOP_CONF_DIR = "./__spark_conf__/__hadoop_conf__"
"""Folder of a container in which Spark puts Hadoop's configuration, with name services and mount tables."""


def log_in_to_hdfs(settings: Mapping[str, str]) -> None:
    """Reach HDFS before a JVM does, as the JVM's error would be pages of Java about Kerberos.

    Raises
    ------
    RxContextError
        When Kerberos knows nobody by the ticket, or by the principal and the keytab of these settings.
    """
    log_in(settings)
    default = default_file_system() if is_needed() else None
    if default is not None:
        with contextlib.suppress(RxMissingError):  # without hdfs-native it is left to the JVM
            open_path(f"{default}/").info()


def jars_archive(folder: FsPath | None) -> str:
    """The URL of an archive of Spark's jars, put into a folder unless it is there; by default in the user's home.

    It is named after the jars, so that each version of Spark finds its own.

    Raises
    ------
    RxContextError
        When there is no file system of the cluster to put it on.
    """
    if folder is None or folder.start == "":
        default = default_file_system()
        if default is None:
            raise RxContextError(
                'RxSpark(master="yarn") needs HADOOP_CONF_DIR: the folder of core-site.xml and yarn-site.xml, whose '
                "fs.defaultFS is the file system of the cluster"
            )
        folder = open_path(f"{default}/user/{hadoop_user()}/.rxspark")
    jars = sorted(_jars().glob("*.jar"))
    state = hashlib.blake2b("\n".join(f"{jar.name} {jar.stat().st_size}" for jar in jars).encode(), digest_size=8)
    target = folder / f"spark-jars-{state.hexdigest()}.zip"
    if target.info() is None:
        logger.warning("putting Spark's jars on the cluster, once: %s", target)
        make_folder(target.parent)
        with tempfile.TemporaryDirectory(prefix="rxspark-jars-") as work:
            archive = Path(work, "jars.zip")
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
                for jar in jars:
                    packed.write(jar, jar.name)
            copy(open_path(str(archive)), target, overwrite=True)
    return str(target)


def _jars() -> Path:
    """The folder of the jars of the Spark that will start: SPARK_HOME's, else the installed package's."""
    home = os.environ.get("SPARK_HOME")
    if home is None:
        import pyspark

        home = os.path.dirname(pyspark.__file__)
    return Path(home, "jars")
