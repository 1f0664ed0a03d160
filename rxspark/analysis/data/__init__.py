"""Data of an analysis, wherever they are: in this process, in Parquet files, or on Spark."""
