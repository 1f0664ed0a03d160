"""rxspark."""
