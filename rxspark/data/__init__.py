"""Bytes that workers read, and the ways by which they reach a host: inline, files of this host, files of all hosts."""
