"""Guarded runner: the one way in which any backend runs tasks.

It sets the whole visible state of the process (modules, environment, working directory, search path, warnings
filters, console, random streams) from what travelled with the call, runs the tasks, puts each task's answer into
an result, undoes after each task what that task changed, and leaves the process as it found it.

No exception of the user's leaves it: a task's error is that task's result, and what keeps the whole partition
from running (the function cannot be rebuilt here, a package is missing) is the results' `problem`.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from time import perf_counter, sleep  # by these names, as a task may replace those of the module
from typing import Any, Self

from rxspark.data.bundle import Bundle
from rxspark.data.refs import DataRef
from rxspark.errors import RxError
from rxspark.process import process_token
from rxspark.rng.imports import import_outside_streams
from rxspark.rng.kinds import gives_same_numbers
from rxspark.rng.mkl import warn_of_other_numbers
from rxspark.worker import user_modules
from rxspark.worker.child_process import (
    ChildSetup,
    RunRequest,
    TaskReport,
    die_with_parent,
    end_children,
    requests,
    run_in_children,
)
from rxspark.worker.combining import Combiner, going_home
from rxspark.worker.console import Console
from rxspark.worker.current_task import TASK
from rxspark.worker.delivery import ResultMessage, ResultSink
from rxspark.worker.hash_seed import has_hash_seed
from rxspark.worker.journal import BatchJournal, PartitionJournal
from rxspark.worker.nested import end_nested, let_tasks_nest
from rxspark.worker.process_state import ProcessState
from rxspark.worker.program import Program, own_frames
from rxspark.worker.protocol import Call, Partition
from rxspark.worker.results import PLAIN, CallerInterrupt, PartitionResult, describe_failure, kept_value
from rxspark.worker.retirement import is_retiring, retire_from_pool
from rxspark.worker.threads import Threads
from rxspark.worker.tree import Branches

__all__ = ["PartitionRunner", "serve"]

# Environment and random generators belong to the process: threads of one process take turns. A task may start another
# call inside it, and so may the threads that it starts: these take turns among themselves.
_turn = threading.RLock()


def _take_turns_anew() -> None:
    """Reset the turns in a forked process, where the thread that had the turn does not exist."""
    global _turn
    _turn = threading.RLock()


os.register_at_fork(after_in_child=_take_turns_anew)


# Seconds after which the partitions that have run go home: that, and to make the process ready for tasks once more,
# takes a millisecond.
_A_WHILE = 0.05

# Added to the clock that times tasks, it gives seconds since 1970: reading one clock is cheaper than reading two.
_EPOCH = time.time() - perf_counter()


@dataclass(frozen=True, kw_only=True)
class PartitionRunner:
    """Runs partitions of a call, the tasks of each one after another, and gives the messages with their results."""

    program: DataRef
    """The `Call` and the function with its constants."""
    sink: ResultSink
    attempt: int = 0
    """From the second attempt on the tasks run in child processes."""
    process_environment: bytes | None = None
    """The caller's process, a pickle of `ProcessEnvironment`, for workers on its machine."""
    in_children: bool = False
    """Run in child processes at once: threads of an engine in this process would disturb the tasks."""
    owns_descriptors: bool = True
    """Whether what comes by the descriptors 1 and 2 is the tasks'; in the caller's own process others may use them."""

    @property
    def child_setup(self) -> ChildSetup:
        """The same for child processes of the worker."""
        return ChildSetup(self.program, self.process_environment)

    def __call__(self, partition: DataRef) -> ResultMessage:
        """Run one partition; an RxError that keeps it from running is its `problem`."""
        return self.run_many([partition])[0]

    def run_many(self, partitions: Iterable[DataRef]) -> list[ResultMessage]:
        """Run the first partition, and more as long as they are short; give the message of each that has run.

        Between two of them the process stays as tasks find it, since making it so takes as long as some hundred short
        tasks. Of a call that is kept in a folder, or runs in child processes, one partition runs at a time.
        """
        task = TASK.get()
        with _turn if task is None else task.turn:
            results: list[PartitionResult] = []

            def begin() -> PartitionResult:
                results.append(PartitionResult(socket.gethostname(), os.getpid(), self.attempt))
                return results[-1]

            job_folder = None
            try:
                job_folder = _run(self, partitions, begin).folder
            except RxError as problem:
                (results[-1] if results else begin()).problem = problem
            except CallerInterrupt as interrupt:
                interrupt.finished = [going_home(result).pack() for result in results]
                raise
            messages = [self.sink.send(going_home(result), job_folder) for result in results]
            if is_retiring():
                retire_from_pool()
            return messages


def serve(asked: Connection, writing: int) -> None:
    """Run, in a child process, tasks that come by a pipe, and answer one by one by another (see child_process.py)."""
    text = os.dup(2)  # of the file in which the worker finds what the task has written, and how the process ended
    faulthandler.enable(text)
    dump_handler, no_handler = faulthandler.register, faulthandler.unregister  # before tasks have others there

    def heed_signal() -> None:
        """Write on SIGUSR1 which line runs, whatever a task has done with that signal."""
        no_handler(signal.SIGUSR1)
        dump_handler(signal.SIGUSR1, text, all_threads=False)

    heed_signal()
    answers = Connection(writing, readable=False)
    program, process_environment = pickle.loads(asked.recv_bytes())
    result = PartitionResult(socket.gethostname(), os.getpid(), attempt=1)

    def answer(stream_state: Callable[[], Any], last: bool = False) -> None:
        heed_signal()
        answers.send_bytes(pickle.dumps(TaskReport(result.take(), stream_state(), last), 5))

    def pause(seconds: float, place: Any) -> None:
        answers.send_bytes(pickle.dumps(TaskReport(result.take(), place, pause=seconds), 5))
        sleep(seconds)

    for start in requests(asked):
        try:
            with die_with_parent(asked):
                bundle = program.open()
                call, tasks = pickle.loads(bundle.part(0)), pickle.loads(start.partition.open().part(0))
                console = Console(call.console_limit, call.log_level, file=text)
                result.branches = _no_branches(call)
                with _Ready(call, bundle, process_environment, console, pause) as ready:
                    ready.run(tasks, result, start, answer)
        except RxError as problem:
            result.problem = problem
        answer(_no_state, last=True)
        if is_retiring():
            break
    end_nested()


def _no_branches(call: Call) -> Branches | None:
    return None if call.combine is None else Branches()


def _no_state() -> None:
    """The place in a stream where none is needed: the next task begins one of its own."""


def _run(how: PartitionRunner, partitions: Iterable[DataRef], begin: Callable[[], PartitionResult]) -> Call:
    """Run partitions, whose results `begin` gives, here or in child processes."""
    bundle = how.program.open()
    call: Call = pickle.loads(bundle.part(0))
    in_worker = call.origin != process_token()
    kept = call.journals if in_worker else None  # what ends this worker leaves the caller alive
    same_numbers = gives_same_numbers(call.root.kind)
    if not in_worker and not same_numbers:
        warn_of_other_numbers()
    unfit = in_worker and not (same_numbers and has_hash_seed(call.hash_seed))
    in_children = how.in_children or how.attempt > 0 or call.time_limit is not None or unfit
    end = perf_counter() + _A_WHILE
    with ExitStack() as stack:
        ready: _Ready | None = None
        done: PartitionResult | None = None
        batch = None if kept is None else stack.enter_context(closing(BatchJournal(kept, call.id)))
        for partition in partitions:
            if batch is not None and done is not None and not batch.add(going_home(done).pack()):
                break
            done = result = begin()
            result.branches = _no_branches(call)
            tasks: Partition = pickle.loads(partition.open().part(0))
            journal: PartitionJournal | None = None
            if kept is not None:
                journal = PartitionJournal(kept, f"{call.id}-{tasks.numbers[0]}")
                stack.callback(journal.close)
            if in_children:
                stream = journal.read(result) if journal is not None else None
                run_in_children(call, how.child_setup, partition, tasks.numbers, result, stream)
                break
            if ready is None:
                end_children()  # of a call before: a task that waits for its own processes shall not meet it
                ready = stack.enter_context(_Ready(call, bundle, how.process_environment, _console(how, call)))
            alone = len(tasks.numbers) == 1
            noted = None if journal is None or alone else journal  # of one task nothing is lost before its end
            ready.run(tasks, result, answer=None if noted is None else partial(noted.note, result))
            awaited = call.folder is not None or (alone and result.output)  # by who looks on while the next one runs
            if awaited or ready.spoiled or (call.stop_on_error and result.failures) or perf_counter() > end:
                break
    return call


def _console(how: PartitionRunner, call: Call) -> Console:
    in_worker = call.origin != process_token()
    return Console(call.console_limit, call.log_level, call.id, in_worker or how.owns_descriptors, not in_worker)


class _Ready:
    """While entered, this process is as the tasks of a call find it; on exit, as it was before."""

    def __init__(
        self,
        call: Call,
        bundle: Bundle,
        process_environment: bytes | None,
        console: Console,
        pause: Callable[[float, Any], None] = lambda seconds, place: sleep(seconds),
    ) -> None:
        self._pause = pause
        self._call = call
        self._bundle = bundle
        self._process_environment = process_environment
        self._console = console

    def __enter__(self) -> Self:
        from rxspark.rng.streams import Streams  # with NumPy, which `import rxspark` shall not load

        call, environment = self._call, self._process_environment
        worker = call.origin != process_token()
        if worker:
            let_tasks_nest()
        user_modules.install(call)
        import_outside_streams()
        with ExitStack() as stack:
            self._threads = stack.enter_context(Threads(call.threads, worker))
            stack.enter_context(self._console)
            found = None if environment is None else pickle.loads(environment)
            self._state = stack.enter_context(ProcessState(call, found, self._threads.variables))
            self._streams = stack.enter_context(Streams(call.root))
            self._program = stack.enter_context(Program(call, self._bundle))
            self._combine = Combiner(self._program.combined, call.console_limit, self._program.in_caller)
            self._state.begin()
            self._exits = stack.pop_all()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._exits.__exit__(*raised)

    @property
    def spoiled(self) -> bool:
        """Tell whether a task has changed what cannot be put back."""
        return self._state.spoiled

    def run(
        self,
        partition: Partition,
        result: PartitionResult,
        start: RunRequest | None = None,
        answer: Callable[[Callable[[], Any]], None] | None = None,
    ) -> None:
        """Run the tasks of a partition, from `start` on; `answer`, if given, is called after each.

        It gets a function that tells the place in the random stream, for who goes on from there.
        """
        call, streams, console = self._call, self._streams, self._console
        if partition.modules:
            user_modules.install_more(partition.modules)
        stream, stream_numbers = -1, partition.stream_numbers(call.tasks_per_stream)
        first = start.index if start else 0
        self._first = partition.numbers[first]
        retried, stop_on_error = call.retries is not None, call.stop_on_error
        stream_state = streams.get_state if call.tasks_per_stream > 1 else _no_state
        if start and answer is not None:
            answer(lambda: start.stream)
        for index, number in enumerate(partition.numbers[first:], first):
            if stream_numbers[index] != stream:
                stream = stream_numbers[index]
                streams.start(stream)
                if start and start.stream is not None and start.stream.number == stream:
                    streams.set_state(start.stream)
            console.task.number = number
            place = stream_state() if retried else None
            if self._run_task(partition, index, result):
                self._try_again(partition, index, result, place)
            failed = stop_on_error and result.failures  # before they are taken
            if answer is not None:
                answer(stream_state)
            if failed:
                return

    def _try_again(self, partition: Partition, index: int, result: PartitionResult, place: Any) -> None:
        """Run a failed task anew, from its own place in the random stream, as often as the call allows."""
        assert self._call.retries is not None
        number, began, text = partition.numbers[index], result.started[-1], ""
        earlier: list[str] = []
        for seconds in self._call.retries.delays():
            earlier.append(str(result.drop_last()))
            text += result.output.pop(number, "")
            self._pause(seconds, place)
            if place is None:
                self._streams.start(partition.stream_numbers(1)[index])  # it has one of its own
            else:
                self._streams.set_state(place)
            if not self._run_task(partition, index, result, last=len(earlier) == self._call.retries.count):
                break
        result.note_earlier_tries(earlier, began, text)

    def _run_task(self, partition: Partition, index: int, result: PartitionResult, last: bool = False) -> bool:
        """Run a task once, and leave the process as it was; return whether to try again, never after its `last` try."""
        program, number, again = self._program, partition.numbers[index], False
        clock = perf_counter()
        try:
            value = program.run(partition, index)
            if type(value) not in PLAIN:
                value = kept_value(value, program.in_caller)
        except CallerInterrupt:
            raise
        except BaseException as error:
            value = None
            result.failures[number] = describe_failure(error, self._call.console_limit, own_frames(error))
            again = not last and program.retries_on(error)
        seconds = perf_counter() - clock
        result.add(number, value, _EPOCH + clock, seconds)
        if program.preparing:
            result.preparing += program.preparing
            program.preparing = 0.0
        if result.branches is not None and not again:
            result.branches.complete(number, self._first, self._combine)
        self._streams.restore()
        if not (self._state.untouched(seconds) and self._console.untouched()):
            self._restore(number, seconds, result)
        return again

    def _restore(self, number: int, seconds: float, result: PartitionResult) -> None:
        """Take in what a task has written, and undo what it has changed."""
        self._threads.restore(seconds)
        self._state.restore(self._console.task.warned)
        text = self._console.take()
        if text:
            result.output[number] = text
