#!/usr/bin/env bash
# An EMR cluster for rxspark: one primary node and two workers. Set the bucket, then run it once.
set -euo pipefail
bucket=s3://my-bucket/rxspark

# maximizeResourceAllocation would give each node one executor with all its memory as Java heap, and leave none for
# Python: so it is off, and memoryOverheadFactor keeps a third for Python.
# The two PYSPARK_ variables name the environment that bootstrap.sh makes, for the driver and for the workers.
# The working folder of a YARN container has a path that is too long for Unix sockets, hence /tmp (see ../spark-defaults.conf).
# Executors come with the work and go when they are idle, as is EMR's default. maxExecutors: a call is cut for so many;
# without it for 256 slots, and Spark asks for as many executors as partitions wait.
configurations='[
  {"Classification": "spark", "Properties": {"maximizeResourceAllocation": "false"}},
  {"Classification": "spark-env", "Configurations": [{"Classification": "export", "Properties": {
    "PYSPARK_PYTHON": "/opt/rxspark/bin/python", "PYSPARK_DRIVER_PYTHON": "/opt/rxspark/bin/python"}}]},
  {"Classification": "spark-defaults", "Properties": {
    "spark.dynamicAllocation.maxExecutors": "4",
    "spark.executor.cores": "2",
    "spark.executor.memory": "4g",
    "spark.executor.memoryOverheadFactor": "0.3",
    "spark.executorEnv.OMP_NUM_THREADS": "1",
    "spark.python.unix.domain.socket.dir": "/tmp"}}
]'

# release-label: Spark 3.5 on Amazon Linux 2023, which has Python 3.11.
# auto-termination-policy: an hour idle, and the cluster ends and costs no more.
# log-uri: without it, what executors said is lost together with the cluster.
aws emr create-cluster \
  --name rxspark \
  --release-label emr-7.5.0 \
  --applications Name=Hadoop Name=Spark \
  --instance-groups InstanceGroupType=MASTER,InstanceCount=1,InstanceType=m6i.xlarge \
    InstanceGroupType=CORE,InstanceCount=2,InstanceType=m6i.xlarge \
  --use-default-roles \
  --bootstrap-actions "Path=$bucket/bootstrap.sh,Args=[$bucket/rxspark-0.1.0-py3-none-any.whl]" \
  --configurations "$configurations" \
  --auto-termination-policy IdleTimeout=3600 \
  --log-uri "$bucket/logs/"
