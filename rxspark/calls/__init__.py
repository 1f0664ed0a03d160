"""One call of rxExec, described: its tasks, their arguments, its options. Nothing here launches anything."""
