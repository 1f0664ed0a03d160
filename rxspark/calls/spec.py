"""The description of a call: what the user asked for, checked, with the defaults filled in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from types import FrameType
from typing import Any, TypedDict, Unpack

from rxspark.calls.combining import combining_function, neighbouring_tasks
from rxspark.calls.exec_objects import exec_objects
from rxspark.calls.groups import Groups
from rxspark.calls.tasks import Tasks, partition_tasks, plan_tasks
from rxspark.contexts import ComputeContext
from rxspark.errors import RxArgumentError, closest
from rxspark.options import exception_classes, rxGetOption
from rxspark.results import node_name
from rxspark.rng.kinds import SeedRoot, check_capacity, resolve
from rxspark.validation import flag, module_names, one_of, whole_number
from rxspark.worker.retries import RetryPolicy

__all__ = ["CallOptions", "CallSpec"]


class CallOptions(TypedDict):
    """The options of `rxExec`, as the user gave them."""

    elemArgs: Any
    oncePerElem: Any
    timesToRun: Any
    packagesToLoad: Any
    execObjects: Any
    taskChunkSize: Any
    consoleOutput: Any
    autoCleanup: Any
    continueOnFailure: Any
    RNGseed: Any
    RNGkind: Any
    RNGscope: Any
    combine: Any
    foreachOpts: Any


@dataclass(frozen=True, kw_only=True)
class CallSpec:
    """A call of rxExec, checked."""

    function: Callable[..., Any]
    tasks: Tasks
    chunk_size: int | None
    """Tasks that run as one unit; None: rxspark spreads them."""
    tasks_per_stream: int
    """Consecutive tasks that draw from one random stream."""
    seed_root: SeedRoot
    packages: tuple[str, ...]
    """Modules that workers import first."""
    exec_objects: dict[str, Any]
    """Objects for the function's globals."""
    once_per_node: bool
    combine: Callable[[Any, Any], Any] | None
    """Makes one value of those of two tasks, or of two such values; None: each task's value comes home."""
    stop_on_error: bool
    auto_cleanup: bool
    console_output: bool
    time_limit: float | None
    """Seconds that one task may take."""
    retries: RetryPolicy | None
    """Whether and how a failed task is tried again."""
    retry_on: tuple[type[BaseException], ...]
    """The errors behind which it is; none: all but those that end a process."""
    threads_per_task: int
    foreach_options: dict[str, Any]

    @classmethod
    def checked(
        cls,
        context: ComputeContext,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        caller: FrameType,
        **options: Unpack[CallOptions],
    ) -> CallSpec:
        """Check all arguments of a call; RxArgumentError names the first that is wrong.

        `caller` is the frame that called rxExec, in which names of `execObjects` are looked up.
        """
        if not callable(function):
            raise RxArgumentError(f"FUN={function!r}: FUN is the function to run, not the result of calling it")
        _refuse_misspelt(function, kwargs)
        once_per_node = flag("oncePerElem", options["oncePerElem"], False)
        times, read_now = _times_to_run(options["timesToRun"]), context.wait or once_per_node
        tasks = plan_tasks(function, args, kwargs, options["elemArgs"], times, read_now)
        chunk_size, scope = _chunk_size(options), one_of("RNGscope", options["RNGscope"], ("chunk", "task"))
        packages = module_names(options["packagesToLoad"], "packagesToLoad")
        spec = cls(
            function=function,
            tasks=tasks,
            chunk_size=chunk_size,
            tasks_per_stream=chunk_size if chunk_size is not None and scope == "chunk" else 1,
            seed_root=resolve(options["RNGseed"], options["RNGkind"]),
            packages=(*context.packagesToLoad, *packages),
            exec_objects=exec_objects(function, options["execObjects"], caller),
            once_per_node=once_per_node,
            combine=combining_function(options["combine"], once_per_node),
            stop_on_error=not flag("continueOnFailure", options["continueOnFailure"], True),
            auto_cleanup=flag("autoCleanup", options["autoCleanup"], context.autoCleanup),
            console_output=flag("consoleOutput", options["consoleOutput"], context.consoleOutput),
            time_limit=_setting(context, "taskTimeLimit"),
            retries=_retries(context),
            retry_on=_retry_on(context),
            threads_per_task=context.threadsPerTask,
            foreach_options=_foreach_options(options["foreachOpts"]),
        )
        check_capacity(spec.seed_root, -(-(tasks.count or 0) // spec.tasks_per_stream))
        return spec

    @property
    def description(self) -> str:
        """One line that names the call in lists, progress bars and Spark's pages."""
        name, count = getattr(self.function, "__name__", type(self.function).__name__), self.tasks.count
        if self.tasks.groups:
            return f"rxExecBy {name}: {count} groups"
        return f"rxExec {name}: {'a task for each element that comes' if count is None else f'{count} tasks'}"

    def for_groups(self, groups: Groups) -> CallSpec:
        """Return the call with one task for each group, which gets the group's keys and rows first.

        Raises
        ------
        RxArgumentError
            When the generator has no streams for so many groups.
        """
        count = len(groups.keys)
        check_capacity(self.seed_root, groups.places[-1] + 1 if count else 0)
        return replace(self, tasks=replace(self.tasks, count=count, constants=(), groups=groups))

    def for_nodes(self, nodes: list[str]) -> CallSpec:
        """Return the call with one task for each node, or for each node that the elements are named by.

        Raises
        ------
        RxArgumentError
            When elements are named by no node, or there are more or fewer tasks than nodes.
        """
        tasks, known = self.tasks, [node_name(node) for node in nodes]
        if tasks.names is not None:
            return replace(self, tasks=replace(tasks, names=_named_nodes(tasks.names, known)))
        if tasks.default_count or (tasks.element_args is not None and tasks.count == 1):
            tasks = replace(tasks, count=len(nodes))
        if tasks.count != len(nodes):
            raise RxArgumentError(
                f"oncePerElem=True with {tasks.count} tasks, but there are {len(nodes)} nodes ({', '.join(known)}); "
                f"there must be one task for each node: leave timesToRun out, or give {len(nodes)} elements"
            )
        return replace(self, tasks=replace(tasks, names=known))

    def partitions(self, slots: int, per_slot: int) -> list[range]:
        """Return the numbers of the tasks of each partition; where elements are read later there are none yet."""
        if self.tasks.count is None or self.tasks.are_read_later:
            return []
        if self.once_per_node:
            return [range(number, number + 1) for number in range(self.tasks.count)]
        if self.combine is not None and self.chunk_size is None:
            return neighbouring_tasks(self.tasks.count, slots, per_slot)
        return partition_tasks(self.tasks.count, self.chunk_size, slots, per_slot)


def _setting(context: ComputeContext, name: str) -> Any:
    """Return a setting of the context, where it has none the option of this name."""
    value = getattr(context, name)
    return rxGetOption(name) if value is None else value


def _retries(context: ComputeContext) -> RetryPolicy | None:
    count = _setting(context, "taskRetries")
    return RetryPolicy(count, float(_setting(context, "retryDelay"))) if count else None


def _retry_on(context: ComputeContext) -> tuple[type[BaseException], ...]:
    value = _setting(context, "retryOn")
    return () if value is None else exception_classes(value) or ()


def _times_to_run(value: Any) -> int:
    missing = value is None or (isinstance(value, Integral) and value == -1)
    return -1 if missing else whole_number("timesToRun", value, 0)


def _chunk_size(options: CallOptions) -> int | None:
    value = options["taskChunkSize"]
    size = None if value is None else whole_number("taskChunkSize", value, 1)
    if size is not None and flag("oncePerElem", options["oncePerElem"], False):
        raise RxArgumentError(
            f"taskChunkSize={size} with oncePerElem=True: each node runs one task; leave one of the two out"
        )
    return size


def _foreach_options(value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise RxArgumentError(f"foreachOpts={value!r}: foreachOpts is a dict of arguments for joblib.Parallel")
    return dict(value or {})


def _named_nodes(names: list[str], known: list[str]) -> list[str]:
    """Return the nodes that elements are named by, as `node_name` writes them."""
    wanted = [node_name(name) for name in names]
    unknown = [name for name, node in zip(names, wanted, strict=True) if node not in known]
    if unknown or len(set(wanted)) < len(wanted):
        problem = f"there is no node {unknown[0]!r}" if unknown else f"a node has two elements ({', '.join(wanted)})"
        raise RxArgumentError(
            f"oncePerElem=True with elements named {', '.join(names)}: {problem}; the nodes are "
            f"{', '.join(known)}. Name each element by its node, or leave the names out"
        )
    return wanted


# Arguments of RevoScaleR's rxExec that scripts may still have.
_WITHOUT_EFFECT = {"elemType", "quote"}

# Settings of a call that its context holds.
_IN_CONTEXTS = {
    "wait",
    "shareDir",
    "durable",
    "taskTimeLimit",
    "taskRetries",
    "retryOn",
    "retryDelay",
    "threadsPerTask",
}


def _refuse_misspelt(function: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    """Find keywords that were meant for rxExec: passed on to FUN, they would be without effect."""
    own = list(CallOptions.__annotations__)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):  # a builtin that does not tell: only what differs in its capitals is clear
        known = {*map(str.lower, own), *map(str.lower, _WITHOUT_EFFECT)}
        meant = {name: closest(name, own) for name in kwargs if name.lower() in known}
    else:
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        taken = {p.name for p in parameters}
        meant = {name: closest(name, own) for name in kwargs if name not in taken and not takes_any}
    for name in _WITHOUT_EFFECT & meant.keys():
        raise RxArgumentError(
            f"{name}={kwargs[name]!r}: leave {name} out; it had no effect in RevoScaleR since 9.2, and rxExec has none"
        )
    for name in _IN_CONTEXTS & meant.keys():
        raise RxArgumentError(
            f"{name}={kwargs[name]!r}: FUN has no argument {name!r}, and it is no argument of rxExec but of compute "
            f"contexts, as in: with RxLocalParallel({name}={kwargs[name]!r}): rxExec(...)"
        )
    for name, guess in meant.items():
        if guess is not None:
            raise RxArgumentError(
                f"{name}={kwargs[name]!r}: neither rxExec nor FUN has an argument {name!r}; did you mean {guess}?"
            )
