"""Random number streams."""
