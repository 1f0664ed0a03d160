"""Results of a call: made from what workers send, and shown as lists, tables and timings."""

from rxspark.results.groups import RxGroupResults
from rxspark.results.results import Execution, RxNotFinished, RxResults, node_name

__all__ = ["Execution", "RxGroupResults", "RxNotFinished", "RxResults", "node_name"]
