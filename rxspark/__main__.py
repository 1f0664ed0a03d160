"""``python -m rxspark COMMAND``: commands for a shell, each a function in one table."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable

from rxspark.backends.spark.yarn import jars_archive
from rxspark.contexts import RxForeachDoPar, RxLocalParallel, RxLocalSeq, RxSpark
from rxspark.deploy.environment import pack
from rxspark.doctor import examine, report
from rxspark.errors import RxError
from rxspark.files.paths import open_path
from rxspark.jobs.shell import jobs

__all__ = ["main"]


def _pack(arguments: list[str]) -> int:
    """Pack this Python environment for executors, and print where the archive is."""
    parser = argparse.ArgumentParser(prog="python -m rxspark pack", description=_pack.__doc__)
    parser.add_argument("packages", nargs="*", help="packages, with all that they require; default all but PySpark")
    parser.add_argument("--to", default=".", help="folder or URL, such as hdfs:///share/rxspark; default this folder")
    parser.add_argument("--exclude", action="append", default=[], help="pattern of files in the archive to leave out")
    given = parser.parse_args(arguments)
    print(pack(given.to, given.packages, given.exclude))
    return 0


def _jars(arguments: list[str]) -> int:
    """Put Spark's jars on the cluster, for spark.yarn.archive, and print where they are."""
    parser = argparse.ArgumentParser(prog="python -m rxspark jars", description=_jars.__doc__)
    parser.add_argument("--to", help="folder, such as hdfs:///share/rxspark; default .rxspark in your home on HDFS")
    given = parser.parse_args(arguments)
    print(jars_archive(open_path(given.to) if given.to else None))
    return 0


def _doctor(arguments: list[str]) -> int:
    """Check what calls need here or on the cluster; exit code 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m rxspark doctor", description=_doctor.__doc__)
    contexts = {kind.alias: kind for kind in (RxLocalSeq, RxLocalParallel, RxForeachDoPar, RxSpark)}
    parser.add_argument("--context", choices=contexts, default=RxLocalParallel.alias)
    parser.add_argument("--master", help="of Spark, such as yarn or local[2]")
    parser.add_argument("--share", help="the hdfsShareDir of RxSpark, to be checked too")
    parser.add_argument("--json", action="store_true", help="print a list of objects, for scripts")
    given = parser.parse_args(arguments)
    spark = given.context == RxSpark.alias
    context = RxSpark(master=given.master, hdfsShareDir=given.share) if spark else contexts[given.context]()
    findings = examine(context)
    print(report(findings, given.json))
    return 0 if all(finding.well for finding in findings) else 1


COMMANDS: dict[str, Callable[[list[str]], int]] = {"doctor": _doctor, "jars": _jars, "jobs": jobs, "pack": _pack}


def main(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    listed = "".join(f"\n  {name:8} {command.__doc__}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m rxspark",
        description="Commands:" + listed,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS)
    command = parser.parse_args(arguments[:1]).command
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        return COMMANDS[command](arguments[1:])
    except RxError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
