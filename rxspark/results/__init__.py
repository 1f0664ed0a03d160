"""Results of a call: made from what workers send, and shown as lists, tables and timings."""

from rxspark.results.results import RxNotFinished, RxResults, node_name

__all__ = ["RxNotFinished", "RxResults", "node_name"]
