"""Files on any file system that fsspec knows, with the faults of HDFS handled."""
