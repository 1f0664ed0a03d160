"""The tree by which results are combined: one value whatever partitions, workers, retries and order there were."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from trees import NOTHING, by_definition

from rxspark.calls.combining import neighbouring_tasks
from rxspark.jobs.combining import SiblingCombiner
from rxspark.worker.results import PartitionResult
from rxspark.worker.tree import Branches, tasks_of


def pair(a: str, b: str) -> str:
    """Show what was combined with what: brackets make it a function that is not associative."""
    return f"({a}{b})"


def combine(branch: tuple[int, int], left: str, right: str) -> str:
    """Combine the two halves of a branch."""
    return pair(left, right)


def run(tasks: range, failed: set[int], draw: random.Random) -> Branches:
    """Run a partition as workers do: in children that report to the worker, and of which each begins anew."""
    worker = PartitionResult("h", 1, 0, branches=Branches())
    child, first = PartitionResult("h", 2, 0, branches=Branches()), tasks.start
    for number in tasks:
        if number in failed:
            child.failures[number] = None  # type: ignore[assignment] # the tree asks only whether it is there
        child.add(number, f" {number} ", 0.0, 0.0)
        child.branches.complete(number, first, combine)
        if draw.random() < 0.5:
            worker.extend(child.take())
            if draw.random() < 0.1:
                child, first = PartitionResult("h", 3, 0, branches=Branches()), number + 1
    worker.extend(child.take())
    assert worker.branches is not None
    return worker.branches


def cut(count: int, draw: random.Random) -> list[range]:
    """Cut tasks into partitions of neighbours."""
    bounds = sorted({0, count, *(draw.randrange(count) for _ in range(draw.randrange(8)))})
    return [range(first, last) for first, last in pairwise(bounds)]


@pytest.mark.parametrize("seed", range(300))
def test_every_way_to_run_the_tasks_gives_the_value_of_the_definition(seed: int) -> None:
    """Random partitions, failures, dead children and order of arrival; whatever failed is left out."""
    draw = random.Random(seed)
    count = draw.choice([1, 2, 3, 5, 8, 13, 64, 100, 257])
    failed = {number for number in range(count) if draw.random() < draw.choice([0, 0, 0.1, 0.9, 1])}
    parts = [(tasks, run(tasks, failed, draw)) for tasks in cut(count, draw)]
    draw.shuffle(parts)
    siblings = SiblingCombiner(combine)
    for tasks, branches in parts:
        if failed.isdisjoint(tasks):
            siblings.add(branches)
    found = Branches({branch: value for _, branches in parts for branch, value in branches.items()}).whole(combine)
    values = {number: f" {number} " for number in range(count) if number not in failed}
    expected = by_definition(values, count, pair)
    assert found == ([] if expected is NOTHING else [expected])


@pytest.mark.parametrize("seed", range(50))
def test_what_has_come_so_far_stands_for_itself(seed: int) -> None:
    """Without some partitions the value is that of the others alone, by the same tree."""
    draw = random.Random(seed)
    there = [tasks for tasks in cut(200, draw) if draw.random() < 0.5]
    found = Branches()
    for tasks in there:
        found.update(run(tasks, set(), draw))
    expected = by_definition({number: f" {number} " for tasks in there for number in tasks}, 200, pair)
    assert found.whole(combine) == ([] if expected is NOTHING else [expected])


def test_a_partition_is_left_with_few_values() -> None:
    """At most two branches a level, however many tasks there are."""
    branches = Branches()
    for number in range(37, 100_037):
        branches[0, number] = 1
        branches.complete(number, 37, lambda branch, left, right: left + right)
        assert len(branches) <= 2 * 17
    assert sum(branches.values()) == 100_000
    assert sorted(number for branch in branches for number in (tasks_of(branch)[0], tasks_of(branch)[-1]))[0] == 37


def test_the_caller_keeps_few_values_whatever_comes() -> None:
    """Of ten thousand partitions that come in order it holds one value a level, not one each."""
    siblings, parts = SiblingCombiner(lambda branch, left, right: left + right), []
    for number in range(10_000):
        parts.append(Branches({(0, number): 1}))
        siblings.add(parts[-1])
    held = [value for branches in parts for value in branches.values()]
    assert (sum(held), len(held)) == (10_000, bin(10_000).count("1"))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 100, 1000, 10**7])
@pytest.mark.parametrize("slots", [1, 2, 7, 1000])
def test_partitions_of_neighbours_cover_the_tasks_evenly(count: int, slots: int) -> None:
    """In order, without a gap, none of them empty or much larger than the others."""
    parts = neighbouring_tasks(count, slots, 8)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts)][: len(parts)]
    assert (parts[-1].stop if parts else 0) == count
    assert len(parts) == min(count, 8 * slots)
    assert all(parts)
    even = count / max(1, len(parts))
    assert all(even * 0.5 <= len(part) <= even * 1.5 + 1 for part in parts)
