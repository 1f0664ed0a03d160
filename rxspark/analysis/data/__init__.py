"""Data of an analysis, wherever they are: in this process, in Parquet files, or on Spark.

``sources``       check the arguments that name data, open data of this process
``tables``        the interface of a table; tables in this process
``spark_data``    open Spark DataFrames, append columns to them
``spark_tables``  Spark DataFrames as tables
"""
