#!/usr/bin/env bash
# Puts on HDFS what spark-defaults.conf beside this file names. Run on a machine of the cluster, with a Python of the
# version that the workers shall have:  bash prepare.sh [hdfs folder]
set -euo pipefail
share=${1:-hdfs:///share/rxspark}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An environment that can be moved: venv-pack needs a real one to start from. PySpark is not in it, as the cluster has
# its own; a second one beside it is a source of errors that are hard to understand.
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet rxspark hdfs-native venv-pack
"$work/env/bin/venv-pack" --prefix "$work/env" --output "$work/env.tar.gz"

# venv-pack leaves the interpreter as a link to the one of this machine: fine where all nodes have it at the same path,
# which is what this asks for. Where they do not, make the environment with conda and conda-pack.
tar -tvzf "$work/env.tar.gz" bin/python

# Spark's jars, flat in one archive, as spark.yarn.archive wants them.
(cd "${SPARK_HOME:?set it to the folder of Spark}/jars" && python3 -m zipfile -c "$work/spark-jars.zip" ./*.jar)

# Readable by all, so that YARN keeps one copy a node for everybody and fetches it once.
hadoop fs -mkdir -p "$share"
hadoop fs -put -f "$work/env.tar.gz" "$work/spark-jars.zip" "$share/"
hadoop fs -chmod -R a+rX "$share"
