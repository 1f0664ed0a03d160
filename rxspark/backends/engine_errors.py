"""Translate the errors of engines: Spark, Py4J, joblib, loky and others.

Our own code raises RxErrors. Whatever else comes out of a backend was raised in an engine's code, or is a mistake of
ours, which is left as it is.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TypeVar

from rxspark.errors import RxContextError, RxError

__all__ = [
    "IDLE",
    "cause_without_jvm",
    "full_text",
    "host_in",
    "idle_hint",
    "memory_hint",
    "reason",
    "translate_errors",
    "with_java",
]

Problem = TypeVar("Problem", bound=RxError)

# What the JVM and Spark put before what matters.
_AROUND = re.compile(
    r"An error occurred while calling \S+\s+: |[\w.$]+(?:Exception|Error): |Job aborted due to stage failure: |"
    r"Task \S+ in stage \S+ failed \d+ times, most recent failure: |Lost task \S+ in stage \S+ \(TID \d+\) \([^)]*\): "
)

IDLE = "terminated due to idle timeout"
"""Text of Spark when it has ended a worker that gave nothing for long."""

# A line of a Java trace.
_TRACE = "\n\tat "

# How Spark, YARN and Kubernetes say that memory ran out; 52 is the exit code of Spark's own OutOfMemoryError.
_MEMORY = re.compile(
    r"exit (?:status|code):? (?:137|52)\b|memoryOverhead|memory limit|OutOfMemory|\bOOM", flags=re.IGNORECASE
)


@contextlib.contextmanager
def translate_errors(context: str) -> Iterator[None]:
    """Turn what an engine raises into an RxContextError that names the place to run and the reason, in one line."""
    try:
        yield
    except RxError:
        raise
    except Exception as error:
        if _raised_by_us(error):
            raise
        kind = type(error).__name__
        problem = RxContextError(f"{context} could not run the call: {kind}: {reason(full_text(error))}".rstrip(": "))
        raise with_java(problem, error) from cause_without_jvm(error)


def with_java(problem: Problem, error: BaseException) -> Problem:
    """An error of ours with what the JVM said in its attribute `java`."""
    problem.java = _java(error)
    return problem


def cause_without_jvm(error: BaseException) -> BaseException | None:
    """Cause for an error of ours: None for a JVM's error, whose pages would stand before all else."""
    return None if _java(error) else error


def full_text(error: BaseException) -> str:
    """All that an engine said, in any of the forms in which PySpark raises it."""
    return str(getattr(error, "java_exception", error))


def reason(text: str) -> str:
    """Shorten a text to one line, without the names of Java's classes and Spark's preamble."""
    text = text.strip()
    while found := _AROUND.match(text):
        text = text[found.end() :].lstrip()
    return text.partition("\n")[0].strip()


def memory_hint(text: str) -> str:
    """Advice where the text says that a worker's memory ran out, else nothing."""
    if not _MEMORY.search(text):
        return ""
    return (
        ". Memory had run out: give the Python of executors more by RxSpark(executorOverheadMem=...), which sets "
        "spark.executor.memoryOverhead, or run fewer tasks at once by a smaller executorCores"
    )


def idle_hint(text: str) -> str:
    """Advice where the text says that Spark ended a worker that had computed for long, else nothing."""
    if IDLE not in text:
        return ""
    return (
        ". Spark takes a task that computes for longer than spark.python.worker.idleTimeoutSeconds for idle, and ends "
        "its worker, as spark.python.worker.killOnIdleTimeout=true says: raise the one above the longest task, or set "
        "the other to false"
    )


def host_in(text: str) -> str | None:
    """The host of the task that Spark tells of."""
    found = re.search(r"\(TID \d+\) \(([^\s:)]+)", text)
    return found[1] if found else None


def _java(error: BaseException) -> str:
    text = str(error)
    return text if hasattr(error, "java_exception") or _TRACE in text else ""


def _raised_by_us(error: Exception) -> bool:
    """Tell whether the innermost frame is rxspark's; what the operating system refuses is no mistake of ours."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    inside = trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "rxspark"
    return inside and not isinstance(error, OSError)
