"""Models of data in this process or on Spark, by R's formulas and with R's numbers.

``formula``   R's formula language: syntax, terms, functions, contrasts, design matrices
``data``      tables in this process, in Parquet files and on Spark
``glm``       generalized linear models: rxGlm
``kmeans``    k-means clustering: rxKmeans
``printing``  numbers and tables as R prints them
"""

from __future__ import annotations

from rxspark.analysis.glm import rxGlm
from rxspark.analysis.kmeans import rxKmeans

__all__ = ["rxGlm", "rxKmeans"]
