"""Table of what each kind of Spark session can do, for the doctor, the guides and the tests."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["CAPABILITIES", "Capability", "Kind", "capability_table"]

Kind = Literal["classic", "connect"]
"""Of a session: with a JVM in the driver program, or a client of a Spark Connect server."""


class Capability(NamedTuple):
    """One ability, as each kind of session has it."""

    classic: str
    connect: str


CAPABILITIES: dict[str, Capability] = {
    "tasks, seeds, errors, console": Capability("yes", "yes, the same numbers"),
    "wait=False, jobs that survive": Capability("yes", "yes"),
    "once a node (oncePerElem, rxPingNodes)": Capability("yes", "on hosts with a free slot"),
    "results while the job runs": Capability("as they finish", "in the order of the tasks"),
    "finished tasks when a worker dies": Capability(
        "kept; on a cluster its own chunk runs again", "the same; on a server with local[n] all behind it do"
    ),
    "cancelling": Capability("by job group", "by operation tag"),
    "large constants without hdfsShareDir": Capability("broadcast, removed", "artifacts, kept with the session"),
    "large results": Capability("by files, else maxResultSize", "in rows of 3 MB, up to maxResultSize"),
    "settings of RxSpark, pythonEnv": Capability("in sessions that rxspark makes", "the server's"),
    "FAIR pools for jobs side by side": Capability("one a job under spark.scheduler.mode=FAIR", "the server's"),
}


def capability_table(kind: Kind) -> str:
    """Lines that tell what a kind of session can do."""
    width = max(map(len, CAPABILITIES))
    return "\n".join(f"{name:{width}}  {getattr(how, kind)}" for name, how in CAPABILITIES.items())
