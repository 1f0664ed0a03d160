"""Analysis functions, rxGlm and rxKmeans: on data in this process, or over a cluster."""
