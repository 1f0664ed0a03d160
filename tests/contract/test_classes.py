"""Classes of the caller's program work in tasks as they do outside, and results are of them."""

# Tasks here change classes, functions and modules as no type allows.
# mypy: disable-error-code="attr-defined, var-annotated, misc"

from __future__ import annotations

import abc
import copy
import enum
import typing

import cloudpickle
import pytest

from rxspark import rxElemArg, rxExec


def test_a_class_of_elements_begins_anew_in_each_task():
    """Also where a class comes with the elements alone."""

    class Agent:
        made = 0

        def __init__(self):
            self.kept = 1

    def count(agent):
        type(agent).made += 1
        return type(agent).made

    assert rxExec(count, rxElemArg([Agent(), Agent(), Agent()]), taskChunkSize=3) == [1, 1, 1]
    assert Agent.made == 0


def test_what_tasks_return_is_of_the_callers_class():
    """Objects that tasks made, and errors that they raised, are of the caller's classes, which results leave alone."""

    class Agent:
        made = 0

        def __init__(self):
            type(self).made += 1

        def same(self, other):
            return type(other) is Agent

    class Trouble(Exception):  # noqa: N818
        pass

    def work(given, trouble=False):
        if trouble:
            raise Trouble(1)
        made = Agent()
        return made if made.same(given) else None

    before = dict(vars(Agent))
    made = [*rxExec(Agent, timesToRun=3), *rxExec(work, rxElemArg([Agent(), Agent()])), *rxExec(work, Agent())]
    assert {type(agent) for agent in made} == {Agent}
    with pytest.raises(Exception) as caught:  # noqa: PT011
        rxExec(work, 1, trouble=True, continueOnFailure=False)
    assert type(caught.value.original) is Trouble
    Agent.made = 0
    after = {name: value for name, value in vars(Agent).items() if name != "__slotnames__"}
    assert after == before


def test_classes_of_many_kinds_travel():
    """Named tuples, abstract and generic classes, protocols, and bases that look at their subclasses."""

    class Base:
        known = []  # noqa: RUF012

        def __init_subclass__(cls, *, key):
            Base.known.append(key)
            cls.key = key

    class Sub(Base, key="k"):
        pass

    class Pair(typing.NamedTuple):
        a: int
        b: int = 2

    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self):
            """Its size."""

    class Square(Shape):
        def area(self):
            return 4

    class Sized(typing.Protocol):
        def area(self): ...

    class Stack(typing.Generic[typing.TypeVar("T")]):
        def __init__(self):
            self.held = []

    class Circle(Sized):
        def area(self):
            return 3

    Shape.register(int)

    def work():
        kinds = isinstance(3, Shape), isinstance(Square(), Shape), isinstance("", Shape), type(Stack[int]()) is Stack
        return Sub.key, Base.known, Pair(1), kinds, Square().area() + Circle().area()

    results = rxExec(work, timesToRun=2, taskChunkSize=2)
    assert results == [("k", ["k"], Pair(1), (True, True, False, True), 7)] * 2
    assert {type(result[2]) for result in results} == {Pair}


def test_classes_work_in_tasks_as_they_do_outside():
    """Pickles, copies, comparisons, `super` and inner calls of a task know one class."""

    class Shape:
        def area(self):
            return 0

    class Square(Shape):
        def __init__(self, side):
            self.side = side

        def area(self):
            return super().area() + self.side**2

    class Size(enum.IntEnum):
        SMALL = 1
        LARGE = 2

    def work(square, size):
        again = cloudpickle.loads(cloudpickle.dumps(square))
        inner = rxExec(lambda shape: Square(shape.side), square)[0]
        copied = copy.deepcopy(square)
        kinds = {type(shape) for shape in (square, again, inner, copied, Square(1))}
        return kinds == {Square}, square.area(), size is Size.LARGE, size

    found = rxExec(work, rxElemArg([Square(2), Square(3)]), Size.LARGE)
    assert [result[:3] for result in found] == [(True, 4, True), (True, 9, True)]
    assert all(result[3] is Size.LARGE for result in found)
