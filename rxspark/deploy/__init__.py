"""Send the Python environment and Spark's own files to a cluster."""
