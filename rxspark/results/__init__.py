"""Results of a call: made from what workers send, and shown as lists, tables and timings."""

from rxspark.results.results import Facts, RxNotFinished, RxResults, node_name

__all__ = ["Facts", "RxNotFinished", "RxResults", "node_name"]
