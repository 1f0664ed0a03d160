"""Code that workers run."""
