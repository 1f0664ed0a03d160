"""The PySpark that is used: installed, or a Spark distribution's by SPARK_HOME; and whether it can start a Spark."""

from __future__ import annotations

import importlib.util
import os
import re
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rxspark.errors import RxContextError
from rxspark.extras import install

__all__ = ["check_can_start", "check_version", "find_pyspark", "installed_version", "quiet_about_pandas", "version_of"]

_NO_SPARK_NEEDED = "RxLocalSeq, RxLocalParallel and RxForeachDoPar need no Spark"

_NO_PYSPARK = (
    f"PySpark is not installed, and no Spark was found. Install it ({install('spark')}), or set SPARK_HOME to a Spark "
    f"distribution and install findspark. {_NO_SPARK_NEEDED}"
)


def find_pyspark() -> None:
    """Make `import pyspark` work: installed, or in SPARK_HOME by findspark; refuse two that differ."""
    home = os.environ.get("SPARK_HOME")
    installed = importlib.util.find_spec("pyspark")
    if installed is not None:
        if home:
            check_version(Path(home), Path(str(installed.origin)).parent)
        return
    try:
        import findspark

        findspark.init()
    except ImportError:
        raise RxContextError(_NO_PYSPARK) from None
    except Exception as error:  # what findspark raises when it finds nothing: plain ones of several types
        raise RxContextError(f"{_NO_PYSPARK} (SPARK_HOME is {home or 'not set'}; findspark: {error})") from error


def check_can_start() -> None:
    """Make sure that a Spark can be started: PySpark's client of Spark Connect comes without one.

    Raises
    ------
    RxContextError
        Says what is there, and what it is good for.
    """
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # spark-submit has started one, as in a container of YARN's
        return
    package = _package()
    if package is None:  # in an archive, as Spark distributions send it: those have a Spark
        return
    if not (package / "java_gateway.py").is_file() or importlib.util.find_spec("py4j") is None:
        raise RxContextError(
            f"{package} is the client of Spark Connect alone (PySpark {version_of(package)}), which starts no Spark: "
            f"RxSpark(master='sc://host:15002') runs on a server. For a Spark of this program's own, replace it: "
            f"pip uninstall pyspark-client; pip install pyspark=={version_of(package)}. {_NO_SPARK_NEEDED}"
        )
    home = Path(os.environ.get("SPARK_HOME") or package)
    lacking = [name for name in ("bin/spark-submit", "jars") if not (home / name).exists()]
    if lacking:
        named = "SPARK_HOME=" if os.environ.get("SPARK_HOME") else ""
        raise RxContextError(
            f"{named}{home} holds no {' and no '.join(lacking)}, so that no Spark can be started from there. Set "
            f"SPARK_HOME to a Spark distribution, or unset it where `pip install pyspark` has brought one; "
            f"RxSpark(master='sc://host:15002') needs neither. {_NO_SPARK_NEEDED}"
        )


def _package() -> Path | None:
    """The folder of PySpark's Python code; None where it lies in no folder."""
    found = importlib.util.find_spec("pyspark")
    package = Path(str(found.origin)).parent if found is not None and found.origin else None
    return package if package is not None and package.is_dir() else None


def check_version(home: Path, package: Path) -> None:
    """Refuse a SPARK_HOME of another version than the installed package's.

    The one decides which Spark starts, the other which Python code talks to it.
    """
    there = version_of(home / "python" / "pyspark") or version_of(home)  # a distribution, or what pip has installed
    installed = version_of(package)
    if there is not None and installed is not None and there != installed:
        raise RxContextError(
            f"SPARK_HOME={home} has Spark {there}, but the installed PySpark is {installed} ({package}); the two must "
            f"be of one version. Unset SPARK_HOME to use the installed one, or uninstall it to use SPARK_HOME's"
        )


def installed_version() -> str | None:
    """The version of the PySpark that is found; None where it lies in no folder."""
    package = _package()
    return None if package is None else version_of(package)


def version_of(package: Path) -> str | None:
    """The version that a folder of PySpark's Python code names."""
    try:
        text = (package / "version.py").read_text()
    except OSError:
        return None
    found = re.search(r"__version__[^=\n]*=\s*[\"']([^\"']+)", text)
    return found[1] if found else None


def quiet_about_pandas(own: bool = True) -> None:
    """Leave out what PySpark says at each start about pandas 3: what rxspark does with it is tested.

    In a session of the user's own only what it says where rxspark hands it functions that never meet pandas.
    """
    try:
        major = int(version("pandas").partition(".")[0])
    except PackageNotFoundError:
        return
    if major >= 3:
        module = "" if own else r"pyspark\.sql\.pandas\.functions$"
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning, module)
