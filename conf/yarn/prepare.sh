#!/usr/bin/env bash
# Puts on HDFS what spark-defaults.conf beside this file names, and prints the lines for it. Run on a machine of the
# cluster, with a Python of the version that the workers shall have:  bash prepare.sh [hdfs folder] [packages]
# `scripts/submit` and RxSpark(master="yarn") do the same by themselves; this is for a folder that all users share.
set -euo pipefail
share=${1:-hdfs:///share/rxspark}
: "${SPARK_HOME:?is not set: it is the folder of Spark}" "${HADOOP_CONF_DIR:?is not set}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# PySpark is not in it, as the cluster has its own; a second one beside it is a source of errors that are hard to see.
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet "$(dirname "$0")/../..[hadoop]" "${@:2}"

# With the interpreter itself and the standard library inside, so that nodes need no Python at all. What it cannot hold is
# the C library: pack on the oldest Linux among the nodes.
environment=$("$work/env/bin/python" -m rxspark pack --to "$share")

# Spark's jars, flat in one archive, as spark.yarn.archive wants them.
jars=$("$work/env/bin/python" -m rxspark jars --to "$share")

# Both have names that say what is in them, are put there once, and can be read by all (where the folder can).
echo "spark.yarn.dist.archives                    $environment#environment"
echo "spark.yarn.archive                          $jars"
