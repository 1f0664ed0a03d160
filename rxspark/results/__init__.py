"""Results of a call: made from what workers send, and shown as lists, tables and timings."""

from rxspark.results.combined import RxCombined
from rxspark.results.groups import RxGroupResults
from rxspark.results.results import Execution, RxNotFinished, RxResults, node_name

__all__ = ["Execution", "RxCombined", "RxGroupResults", "RxNotFinished", "RxResults", "node_name"]
