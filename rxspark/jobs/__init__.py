"""The life of a call, from its launch to its end."""
