"""RxResults: what rxExec returns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypeVar, overload

from rxspark.errors import RxTaskError, closest
from rxspark.html_tables import html_code, html_table
from rxspark.results.timings import Clock, RxTimings, preparing_of, timings_of, work_of
from rxspark.rng.kinds import SeedRoot
from rxspark.worker.results import PartitionRun

if TYPE_CHECKING:
    import pandas

__all__ = ["Execution", "RxNotFinished", "RxResults", "node_name", "short"]

T = TypeVar("T")


class _OnlyItself(type):
    """A class that is its own only instance, so that both `is` and `isinstance` find it."""

    def __instancecheck__(cls, value: object) -> bool:
        return value is cls

    def __call__(cls) -> Any:
        return cls

    def __repr__(cls) -> str:
        return "<not finished>"


class RxNotFinished(metaclass=_OnlyItself):
    """Stands, in partial results, for the value of a task that has not finished.

    Examples
    --------
    >>> from rxspark import RxNotFinished
    >>> value = RxNotFinished
    >>> value, value is RxNotFinished, isinstance(value, RxNotFinished)
    (<not finished>, True, True)
    """


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The random streams of a call, and where and when its tasks ran."""

    rng: SeedRoot
    runs: list[PartitionRun]
    chunk_size: int
    clock: Clock


class RxResults(list[T]):
    """The results of a call: a list with one entry for each task, in the order of the tasks.

    The entry of a failed task is its `RxTaskError`. An entry is found by its place or by its name, ``z["rxElem1"]``;
    a slice is the results of its tasks, which keep their numbers. Results are read-only: ``list(z)`` is a list to
    change.

    Attributes
    ----------
    names : list of str
        A name for each entry: the keys of named elements, node names under ``oncePerElem``, else ``rxElem1``, ...
    errors : dict of int to RxTaskError
        The failed tasks, by number.
    output : dict of int to str
        Console text by task number, for the tasks that wrote any.
    rng : Root
        Kind and seed of the random streams: ``RNGkind=r.rng.kind, RNGseed=r.rng.seed`` gives the same numbers again.
    info : pandas.DataFrame
        One row for each task: task, chunk, host, pid, start (UTC), seconds, attempt, tries.
    timings : RxTimings
        Seconds of the call by phase: plan, ship, queue, run, fetch, decode.

    Examples
    --------
    >>> from rxspark import rxElemArg, rxExec
    >>> r = rxExec(lambda a, b: 1 / a, a=rxElemArg({"one": 1, "two": 2}), b=0)
    >>> r, r.names, r.errors
    ([1.0, 0.5], ['one', 'two'], {})
    """

    def __init__(
        self,
        values: Iterable[T],
        *,
        names: list[str] | None,
        errors: dict[int, RxTaskError],
        output: dict[int, str],
        execution: Execution,
        numbers: Sequence[int] | None = None,
    ) -> None:
        super().__init__(values)
        self._numbers = range(len(self)) if numbers is None else numbers
        self._names = names
        self._positions: dict[str, int] = {}
        self.errors = errors
        self.output = output
        self._execution = execution

    @property
    def rng(self) -> SeedRoot:
        """Kind and seed of the random streams."""
        return self._execution.rng

    @property
    def names(self) -> list[str]:
        """A name for each entry."""
        if self._names is None:
            self._names = [f"rxElem{number + 1}" for number in self._numbers]
        return self._names

    @overload
    def __getitem__(self, index: SupportsIndex | str) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> RxResults[T]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            return super().__getitem__(self._position(index))
        found = super().__getitem__(index)
        return type(self)(found, **self._described(index)) if isinstance(index, slice) else found

    def _position(self, name: str) -> int:
        if not self._positions:
            pairs = zip(reversed(self.names), reversed(range(len(self))), strict=True)
            self._positions = dict(pairs)  # of two entries of one name the first one, as in R
        if name not in self._positions:
            guess = closest(name, self.names)
            shown = ", ".join(map(repr, self.names[:_SHOWN])) + (", ..." if len(self) > _SHOWN else "")
            hint = f"did you mean {guess!r}?" if guess else f"there are {shown}" if len(self) else "there are none"
            raise KeyError(f"no result has the name {name!r}; {hint}")
        return self._positions[name]

    def _described(self, index: slice) -> dict[str, Any]:
        """The description of the results of some of the tasks."""
        numbers = self._numbers[index]
        wanted = set(numbers)
        return {
            "names": None if self._names is None else self._names[index],
            "errors": {number: error for number, error in self.errors.items() if number in wanted},
            "output": {number: text for number, text in self.output.items() if number in wanted},
            "execution": replace(
                self._execution,
                runs=[run.run_of(wanted) for run in self._execution.runs if not wanted.isdisjoint(run.numbers)],
            ),
            "numbers": numbers,
        }

    def _refuse_change(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse a change: results describe a call. ``list(z)`` is a list that can be changed."""
        raise TypeError("RxResults are read-only, since they describe a call; list(z) is a list that can be changed")

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse_change
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse_change

    @property
    def info(self) -> pandas.DataFrame:
        """Host, process and times of each task: one row for each."""
        import pandas

        runs, position = self._execution.runs, {number: position for position, number in enumerate(self._numbers)}
        started = list(itertools.chain.from_iterable(run.started for run in runs))
        table = pandas.DataFrame(
            {
                "task": [n for run in runs for n in run.numbers],
                "chunk": [n // self._execution.chunk_size for run in runs for n in run.numbers],
                "host": [run.host for run in runs for _ in run.numbers],
                "pid": [run.pid for run in runs for _ in run.numbers],
                "start": pandas.to_datetime(started, unit="s", utc=True),
                "seconds": [s for run in runs for s in run.seconds],
                "attempt": [run.attempt for run in runs for _ in run.numbers],
                "tries": [run.tries.get(n, 1) for run in runs for n in run.numbers],
            }
        )
        return table.sort_values("task", ignore_index=True, key=lambda tasks: tasks.map(position))

    @property
    def timings(self) -> RxTimings:
        """Seconds of the call by phase."""
        return timings_of(self._execution.clock, self._execution.runs)

    @property
    def preparing(self) -> tuple[float, float]:
        """Seconds that all workers took to rebuild what tasks have in common, or to compare it, and for the tasks."""
        return preparing_of(self._execution.runs)

    def unlist(self) -> list[Any]:
        """All values in one flat list: entries that are lists, tuples or arrays are opened, as R's `unlist` does.

        Raises
        ------
        RxTaskError
            When a task failed: its error has no place among the values.

        Examples
        --------
        >>> from rxspark import rxElemArg, rxExec
        >>> rxExec(range, rxElemArg([1, 2])).unlist()
        [0, 0, 1]
        """
        for error in self.errors.values():
            raise error
        return list(_flat(self))

    def __reduce__(self) -> Any:
        kept = {key.lstrip("_"): value for key, value in vars(self).items() if key != "_positions"}
        return _rebuild, (type(self), list(self), kept)

    def _summary(self) -> str:
        failed = f", {len(self.errors)} failed" if self.errors else ""
        return f"{len(self)} results{failed}; {work_of(self._execution.runs)}"

    def _repr_html_(self) -> str:
        shown = itertools.islice(zip(self.names, self, strict=True), _SHOWN)
        rows = [(escape(name), html_code(short(value))) for name, value in shown]
        rows += [("…", f"{len(self) - _SHOWN:,} more")] if len(self) > _SHOWN else []
        return f"<p>RxResults: {escape(self._summary())}</p>{html_table(('task', 'value'), rows, wide=['value'])}"

    def __repr__(self) -> str:
        if len(self) <= _SHOWN:
            return super().__repr__()
        head = ", ".join(short(value) for value in itertools.islice(self, _SHOWN))
        return f"[{head}, ... {len(self) - _SHOWN} more]\n# RxResults: {self._summary()}"


_SHOWN = 20


def _rebuild(kind: type[RxResults[T]], values: list[T], kept: dict[str, Any]) -> RxResults[T]:
    return kind(values, **kept)


def short(value: Any, most: int = 200) -> str:
    """Show a value in at most so many characters."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple, range)):
        for item in value:
            yield from _flat(item)
    elif hasattr(value, "dtype") or hasattr(value, "to_pylist"):  # arrays, Series; in R's terms, vectors
        yield from _entries(value)
    else:
        yield value


def _entries(array: Any) -> Iterable[Any]:
    """The entries of an array of whatever library, dimension after dimension."""
    if type(array).__module__ != "numpy":
        for method in ("to_pylist", "tolist", "to_list"):  # Arrow; pandas, PyTorch, JAX; polars
            if hasattr(array, method):
                return _flat(getattr(array, method)())
        array = array.to_numpy()
    # Times in nanoseconds would become bare numbers.
    return array.ravel() if array.dtype.kind in "mM" else array.ravel().tolist()  # type: ignore[no-any-return]


def node_name(host: str) -> str:
    """A host's name as RevoScaleR writes it in results: upper case, no domain, "-" as "_".

    >>> node_name("node-7.example.org")
    'NODE_7'
    """
    return "".join(host.split()).partition(".")[0].upper().replace("-", "_")
