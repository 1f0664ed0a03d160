#!/usr/bin/env bash
# A bootstrap action of Amazon EMR 7: runs on each node before Spark is installed. Copy it to S3, and name it in
# create-cluster.sh. Its argument is the wheel of rxspark on S3.
set -euo pipefail
wheel=$1

# EMR 7 comes with Python 3.9; rxspark needs 3.11, which Amazon Linux 2023 has beside it.
sudo dnf install -y python3.11 python3.11-pip

# An environment of its own, at the same path on each node. The system's Python must stay as it is: EMR uses it.
sudo python3.11 -m venv /opt/rxspark

# pip takes no s3:// addresses.
aws s3 cp "$wheel" /tmp/

# s3fs, so that the file commands take s3:// URLs. No PySpark: EMR brings its own.
sudo /opt/rxspark/bin/pip install "/tmp/$(basename "$wheel")" hdfs-native s3fs
