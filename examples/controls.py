"""The arguments that control a call: where tasks run, what they are given, what happens when some of them fail.

    python examples/controls.py --context local|localpar|dopar|spark

Shows `execObjects` with an environment (a dict of objects), `packagesToLoad`, `consoleOutput`, `continueOnFailure` and
`oncePerElem`. What to see: objects and modules that the function finds though it neither imports nor takes them; the
lines that tasks print, in order; all results but those of the tasks that failed, whose entries say why; and one result
a node, under the node's name. (It is quick as it is: `--quick` changes nothing.)
"""

from __future__ import annotations

import warnings

from common import read_options

from rxspark import RxTaskError, RxTaskWarning, rxElemArg, rxExec, rxGetNodeInfo, rxSetComputeContext


def discounted(amount: float) -> float:
    """Uses `rate` and the module `math`, which the call puts there."""
    return round(amount * math.exp(-rate), 2)  # noqa: F821 - neither name is known here


def tell(number: int) -> int:
    """Prints."""
    print(f"task {number} speaks")
    return number


def inverse(x: float) -> float:
    """Fails for 0."""
    return 1 / x


def node_python() -> str:
    """Something about the machine that it runs on."""
    import platform

    return platform.python_version()


def main() -> None:
    """One call for each of the arguments."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)

    values = rxExec(discounted, rxElemArg([100, 200]), execObjects={"rate": 0.05}, packagesToLoad="math")
    print(f"with rate and math given: {values}")

    spoken = rxExec(tell, rxElemArg([1, 2]), consoleOutput=True)
    print(f"kept, by task: {spoken.output}")

    with warnings.catch_warnings(record=True, category=RxTaskWarning) as told:
        warnings.simplefilter("always")
        some = rxExec(inverse, rxElemArg([1, 0, 4]))
    print(f"two of three: {some[0]}, {some[2]}; task 1: {some.errors[1].type}: {some.errors[1].message}")
    print(f"the call warns: {told[0].message}")
    try:
        rxExec(inverse, rxElemArg([1, 0, 4]), continueOnFailure=False)
    except RxTaskError as error:
        print(f"with continueOnFailure=False the first error is raised: {error.type} in task {error.task}")

    versions = rxExec(node_python, oncePerElem=True)
    print(f"once on each node: {dict(zip(versions.names, versions, strict=True))}")
    print(f"nodes: {len(rxGetNodeInfo())}")


if __name__ == "__main__":
    main()
