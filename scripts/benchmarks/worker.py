"""One contender in a process of its own: `python -m benchmarks.worker NAME`.

It says `{"ready": true}` on standard output once it is started, then answers each line of standard input, the name of
a workload, with `{"figure": ..., "fingerprint": ...}` or `{"error": ...}`, and ends with its input. peers.R speaks
the same. What the systems print themselves goes to standard error.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from typing import Any

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.memory import copies
from benchmarks.workloads import WORKLOADS, fingerprint


def measure(contender: Contender, name: str) -> dict[str, Any]:
    """One run of one workload, checked after the clock has stopped."""
    work = WORKLOADS[name]
    try:
        contender.prepare(work)
        if work.memory:
            return {"figure": copies(contender, work), "fingerprint": ""}
        gc.collect()
        start = time.perf_counter()
        results = contender.run(work)
        seconds = time.perf_counter() - start
        work.check(results)
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    return {"figure": seconds, "fingerprint": fingerprint(results)}


def serve(contender: Contender) -> None:
    """Answer until there are no more questions."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    contender.start()
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        print(json.dumps(measure(contender, line.strip())), file=answers)
    contender.stop()


if __name__ == "__main__":
    serve(CONTENDERS[sys.argv[1]])
