"""rxExecBy: run a function on each group of rows of a table."""
