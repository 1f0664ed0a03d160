"""For JVMs that the tests start: what they do is short."""

BRIEF = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options: the second compiler would take more time than its code saves, and so would the threads of a collector."""
