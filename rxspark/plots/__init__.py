"""Plots of data in this process and on Spark, with matplotlib."""
