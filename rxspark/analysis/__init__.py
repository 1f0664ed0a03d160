"""Analysis functions: rxGlm, on data in this process."""
