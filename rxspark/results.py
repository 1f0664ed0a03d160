"""RxResults: what rxExec returns."""

from __future__ import annotations

import itertools
import pickle
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rxspark.errors import RxTaskError, RxTaskWarning
from rxspark.rng.kinds import Root
from rxspark.timings import Clock, RxTimings, timings_of
from rxspark.worker.envelope import Envelopes, failure_of

if TYPE_CHECKING:
    import pandas

__all__ = ["Facts", "RxNotFinished", "RxResults", "gather", "load_values", "node_name", "opened"]


@dataclass(frozen=True)
class Facts:
    """What of a call's plan is needed to make its results of its envelopes, in whichever process that happens."""

    count: int
    """Number of tasks."""
    names: list[str] | None
    """The names of the results, where the elements have any."""
    chunk_size: int
    root: Root
    once_per_node: bool
    """The results are named by the nodes that gave them."""


class _NotFinished:
    """Stands, in partial results of a job, for the value of a task that has not finished."""

    def __repr__(self) -> str:
        return "<not finished>"

    def __reduce__(self) -> str:  # there is one only, in each process
        return "RxNotFinished"


RxNotFinished = _NotFinished()
"""Stands, in partial results of a job, for the value of a task that has not finished."""


class RxResults(list[Any]):
    """The results of a call: a list with one entry for each task, in the order of the tasks.

    The entry of a failed task is its `RxTaskError`.

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
        One row for each task: task, chunk, host, pid, start (UTC), seconds, attempt.
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
        values: Iterable[Any],
        *,
        names: list[str] | None,
        errors: dict[int, RxTaskError],
        output: dict[int, str],
        rng: Root,
        envelopes: list[Envelopes],
        chunk_size: int,
        clock: Clock,
    ) -> None:
        super().__init__(values)
        self._names = names
        self.errors = errors
        self.output = output
        self.rng = rng
        self._envelopes = envelopes
        self._chunk_size = chunk_size
        self._clock = clock

    @property
    def names(self) -> list[str]:
        """A name for each entry."""
        if self._names is None:
            self._names = [f"rxElem{number + 1}" for number in range(len(self))]
        return self._names

    @property
    def info(self) -> pandas.DataFrame:
        """Where and when each task ran: one row for each task."""
        import pandas

        table = pandas.DataFrame(
            {
                "task": [n for part in self._envelopes for n in part.numbers],
                "chunk": [n // self._chunk_size for part in self._envelopes for n in part.numbers],
                "host": [part.host for part in self._envelopes for _ in part.numbers],
                "pid": [part.pid for part in self._envelopes for _ in part.numbers],
                "start": pandas.to_datetime(
                    list(itertools.chain.from_iterable(part.started for part in self._envelopes)), unit="s", utc=True
                ),
                "seconds": [s for part in self._envelopes for s in part.seconds],
                "attempt": [part.attempt for part in self._envelopes for _ in part.numbers],
            }
        )
        return table.sort_values("task", ignore_index=True)

    @property
    def timings(self) -> RxTimings:
        """Seconds of the call by phase."""
        return timings_of(self._clock, self._envelopes)

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
        kept = {key.lstrip("_"): value for key, value in vars(self).items()}
        return _rebuild, (list(self), kept)

    def _summary(self) -> str:
        failed = f", {len(self.errors)} failed" if self.errors else ""
        busy = sum(sum(part.seconds) for part in self._envelopes)
        places = len({(part.host, part.pid) for part in self._envelopes})
        return f"{len(self)} results{failed}; {busy:.3g} s of work in {places} process{'es' * (places != 1)}"

    def _repr_html_(self) -> str:
        import html

        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td><pre>{html.escape(_short(value))}</pre></td></tr>"
            for name, value in itertools.islice(zip(self.names, self, strict=True), _SHOWN)
        )
        more = f"<tr><td>…</td><td>{len(self) - _SHOWN} more</td></tr>" if len(self) > _SHOWN else ""
        return f"<p>RxResults: {html.escape(self._summary())}</p><table>{rows}{more}</table>"

    def __repr__(self) -> str:
        if len(self) <= _SHOWN:
            return super().__repr__()
        head = ", ".join(_short(value) for value in self[:_SHOWN])
        return f"[{head}, ... {len(self) - _SHOWN} more]\n# RxResults: {self._summary()}"


_SHOWN = 20


def _rebuild(values: list[Any], kept: dict[str, Any]) -> RxResults:
    return RxResults(values, **kept)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple, range)):
        for item in value:
            yield from _flat(item)
    elif hasattr(value, "ravel") and hasattr(value, "dtype"):  # arrays; in R's terms, vectors
        yield from value.ravel().tolist() if getattr(value, "shape", ()) else [value.item()]
    else:
        yield value


def load_values(count: int, envelopes: list[Envelopes]) -> tuple[list[Any], dict[int, RxTaskError]]:
    """The value or the error of each task, in the order of the tasks."""
    values: list[Any] = [RxNotFinished] * count
    errors: dict[int, RxTaskError] = {}
    for part in envelopes:
        for number, value, error in opened(part):
            values[number] = value
            if error is not None:
                values[number] = errors[number] = error
    return values, dict(sorted(errors.items()))


def opened(part: Envelopes) -> Iterator[tuple[int, Any, RxTaskError | None]]:
    """Number, value and error of each task of a partition."""
    for number, packed in zip(part.numbers, part.values, strict=True):
        if packed is None:
            yield number, None, part.failures[number].to_error(number, part.host)
            continue
        try:
            value = pickle.loads(packed)
        except Exception as error:  # the value's own code, run here
            yield number, None, failure_of(error, skip_frames=1).to_error(number, part.host)
        else:
            yield number, value, None


def gather(facts: Facts, envelopes: list[Envelopes], clock: Clock, stacklevel: int) -> RxResults:
    """The results in the order of the tasks; one warning, `stacklevel` frames up, when tasks failed."""
    began = time.perf_counter()
    values, errors = load_values(facts.count, envelopes)
    names = facts.names
    if facts.once_per_node and names is not None:  # a joblib backend of several machines runs a task where it likes
        hosts = {number: part.host for part in envelopes for number in part.numbers if part.host}
        names = [node_name(hosts[number]) if number in hosts else name for number, name in enumerate(names)]
    if errors:
        number, error = next(iter(errors.items()))
        warnings.warn(
            f"{len(errors)} of {facts.count} tasks failed; task {number}: {error.type}: {error.message} "
            f"(all are in .errors of the result)",
            RxTaskWarning,
            stacklevel=stacklevel + 1,
        )
    output = {number: text for part in envelopes for number, text in part.output.items()}
    return RxResults(
        values,
        names=names,
        errors=errors,
        output=dict(sorted(output.items())),
        rng=facts.root,
        envelopes=envelopes,
        chunk_size=facts.chunk_size,
        clock=replace(clock, decoded=time.perf_counter() - began),
    )


def node_name(host: str) -> str:
    """A host's name as RevoScaleR writes it in results: upper case, no domain, "-" as "_".

    >>> node_name("node-7.example.org")
    'NODE_7'
    """
    return "".join(host.split()).partition(".")[0].upper().replace("-", "_")
