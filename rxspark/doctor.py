"""``python -m rxspark doctor``: what is wrong with this machine or cluster, and how to mend it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rxspark.backends.foreach import default_backend
from rxspark.backends.spark.capabilities import capability_table
from rxspark.backends.spark.install import check_can_start, find_pyspark, installed_version
from rxspark.backends.spark.java import java_problem
from rxspark.backends.spark.preflight import probe_file
from rxspark.backends.spark.session import connect_session
from rxspark.contexts import ComputeContext, RxForeachDoPar, RxSpark
from rxspark.data.local_files import local_folder
from rxspark.errors import RxContextError, RxError
from rxspark.execute import rxExec
from rxspark.extras import install
from rxspark.files.hadoop_conf import hadoop_settings
from rxspark.files.paths import default_file_system
from rxspark.hadoop import rxHadoopFileExists
from rxspark.rng.kinds import KINDS, mkl_exists, require
from rxspark.rng.mkl import CODE_PATH
from rxspark.user_paths import share_folder
from rxspark.worker.hash_seed import HASH_SEED, call_hash_seed, has_hash_seed

__all__ = ["Finding", "examine", "report"]

# Seconds for which a ResourceManager may think about its answer.
_TIMEOUT_S = 10

_NEEDED = ("numpy", "pandas", "cloudpickle", "joblib", "loky", "threadpoolctl", "tqdm")
# Packages that register a joblib backend of their own.
_CLUSTERS = ("distributed", "ray", "joblibspark")


@dataclass(frozen=True)
class Finding:
    """Outcome of one check."""

    check: str
    well: bool
    outcome: str
    """The version or folder that was found, or the fault and the line that mends it."""


def examine(context: ComputeContext) -> list[Finding]:
    """Check all that calls under a compute context need; each check is made, also when another fails."""
    checks: dict[str, Callable[[], str]] = {"Python": _python, "packages": _packages, "random numbers": _kinds}
    checks["hash seed"] = _hash_seed
    if isinstance(context, RxSpark):
        checks |= {
            "PySpark": lambda: _pyspark(context),
            "Java": _java,
            "HADOOP_CONF_DIR": lambda: _hadoop_conf(context),
        }
        checks |= {"HDFS": _hdfs} if _has_hdfs() else {}
        checks |= {"YARN": _yarn} if (context.master or "").startswith("yarn") else {}
    if isinstance(context, RxForeachDoPar):
        checks["joblib"] = _joblib
    checks["share folder"] = lambda: _share_folder(context)
    checks["round trip"] = lambda: _round_trip(context)
    if isinstance(context, RxSpark):
        checks["session"] = lambda: _session(context)
    return [_made(name, check) for name, check in checks.items()]


def report(findings: list[Finding], as_json: bool) -> str:
    """The findings as text for people, or as JSON for scripts."""
    if as_json:
        return json.dumps([asdict(finding) for finding in findings], indent=2)
    return "\n".join(f"{'ok   ' if found.well else 'WRONG'}  {found.check}: {found.outcome}" for found in findings)


def _made(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except RxError as problem:
        return Finding(name, False, str(problem))
    except Exception as error:  # whatever is broken here, the other checks are of use
        return Finding(name, False, f"the check ended with {type(error).__name__}: {error}")


def _python() -> str:
    return f"{platform.python_version()} ({sys.executable})"


def _packages() -> str:
    found = {name: _version(name) for name in _NEEDED}
    lacking = [name for name, number in found.items() if number is None]
    if lacking:
        raise RxContextError(f"not installed: {', '.join(lacking)}. Run: pip install {' '.join(lacking)}")
    return ", ".join(f"{name} {number}" for name, number in found.items())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _kinds() -> str:
    if not mkl_exists():
        free = [name for name, row in KINDS.items() if row.library == "NumPy"]
        return f"{', '.join(free)}; Intel MKL, for the others, does not exist for {platform.machine()} machines"
    for kind in KINDS:
        require(kind)
    path = os.environ.get(CODE_PATH, "COMPATIBLE: the same numbers on every processor")
    return f"{', '.join(KINDS)} (mkl_random {_version('mkl_random')}, MKL {_version('mkl')}, {CODE_PATH}={path})"


def _hash_seed() -> str:
    """Tell whether sets of strings have the same order in this process as in workers."""
    seed = call_hash_seed()
    if has_hash_seed(seed):
        return f"{HASH_SEED}={seed}, here and in workers"
    return (
        f"{HASH_SEED}={seed} in workers, a random one here: list() of a set of strings has another order under "
        f"RxLocalSeq. For the same one: {HASH_SEED}={seed} python ..."
    )


def _pyspark(context: RxSpark) -> str:
    home = os.environ.get("SPARK_HOME")
    if importlib.util.find_spec("pyspark") is None and not home:
        raise RxContextError(f"PySpark is not installed and SPARK_HOME is not set. Run: {install('spark')}")
    find_pyspark()
    if not (context.master or "").startswith("sc://"):
        check_can_start()
    return f"{installed_version() or 'in an archive'}; SPARK_HOME is {home or 'not set'}"


def _java() -> str:
    installed = _version("pyspark")
    if installed is None:
        return "not checked: which PySpark is used, Spark's own start decides"
    problem = java_problem(installed)
    if problem is not None:
        raise RxContextError(problem)
    return f"fits PySpark {installed}"


def _hadoop_conf(context: RxSpark) -> str:
    folder = os.environ.get("HADOOP_CONF_DIR")
    if not folder:
        if (context.master or "").startswith("yarn"):
            raise RxContextError("not set, and YARN needs it. Run: export HADOOP_CONF_DIR=/etc/hadoop/conf")
        return "not set; only HDFS and YARN need it"
    if not Path(folder, "core-site.xml").is_file():
        raise RxContextError(f"{folder} has no core-site.xml. Set it to the folder with the cluster's settings")
    return folder


def _has_hdfs() -> bool:
    try:
        return default_file_system() is not None
    except Exception:
        return True  # the check says what is wrong


def _hdfs() -> str:
    rxHadoopFileExists("/")
    return f"{default_file_system()} answers"


def _yarn() -> str:
    """Ask each ResourceManager for its state; where there are two, one is on standby."""
    settings = hadoop_settings("yarn-site.xml")
    if settings is None:
        raise RxContextError("HADOOP_CONF_DIR has no yarn-site.xml. Set it to the folder with the cluster's settings")
    refused = []
    for address in _resource_managers(settings):
        try:
            with urllib.request.urlopen(f"{address}/ws/v1/cluster/info", timeout=_TIMEOUT_S) as answer:
                return f"{address} answers: {json.load(answer)['clusterInfo']['state']}"
        except (OSError, ValueError, KeyError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
                return f"{address} answers, and requires Kerberos"
            refused.append(f"{address}: {error}")
    raise RxContextError(
        f"no ResourceManager answers ({'; '.join(refused)}). Start YARN, or mend "
        f"yarn.resourcemanager.webapp.address in the yarn-site.xml of HADOOP_CONF_DIR"
    )


def _resource_managers(settings: dict[str, str]) -> list[str]:
    """The web addresses of the ResourceManagers: that of the only one, or of those that high availability names."""
    secure = settings.get("yarn.http.policy") == "HTTPS_ONLY"
    scheme, setting, port = ("https", "webapp.https.address", 8090) if secure else ("http", "webapp.address", 8088)
    names = settings.get("yarn.resourcemanager.ha.rm-ids", "").replace(" ", "")
    found = []
    for suffix in [f".{name}" for name in names.split(",")] if names else [""]:
        host = settings.get(f"yarn.resourcemanager.hostname{suffix}", "localhost")
        address = settings.get(f"yarn.resourcemanager.{setting}{suffix}", f"{host}:{port}")
        found.append(f"{scheme}://{address.replace('${yarn.resourcemanager.hostname}', host)}")
    return found


def _joblib() -> str:
    """The backend that calls would use, and those of clusters that could be registered."""
    backend, workers, cores = default_backend()
    clusters = [f"{name} {found}" for name in _CLUSTERS if (found := _version(name))]
    more = f" (for more: joblib.parallel_config(n_jobs={cores}))" if workers < cores else ""
    return f"{backend}, {workers} of {cores} workers{more}; for clusters: {', '.join(clusters) or 'none installed'}"


def _share_folder(context: ComputeContext) -> str:
    """Write to the folder by which large data travels; that executors read there is a part of the round trip."""
    share = share_folder(context) if isinstance(context, RxSpark) else None
    if share is not None:
        with probe_file(share):
            pass
        return f"{share}: written to, and cleaned"
    folder = local_folder(context.share_dir)
    return f"{folder.parent}: {shutil.disk_usage(folder).free / 1e9:.1f} GB free"


def _round_trip(context: ComputeContext) -> str:
    """Run a task in the context: its own checks (executors, share folders, versions) come first."""
    with context:
        result = rxExec(socket.gethostname, timesToRun=2, RNGkind="auto")
    for error in result.errors.values():
        raise error
    return f"two tasks ran on {', '.join(sorted(set(result)))}"


def _session(context: RxSpark) -> str:
    """Tell the kind of the session and its abilities."""
    connect = connect_session(context) is not None
    table = textwrap.indent(capability_table("connect" if connect else "classic"), "         ")
    return f"{'Spark Connect' if connect else 'a classic one'}\n{table}"
