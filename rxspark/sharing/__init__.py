"""Shared data: large things that travel once to each host and are mapped there by the tasks."""
