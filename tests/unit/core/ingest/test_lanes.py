"""Order within a lane, no waiting across lanes, commits behind what is delivered."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dynabus.core.ingest.lanes import Lanes, Work

A, B = b"a", b"b"


def names(works: list[Work[str]]) -> list[str]:
    return [work.what for work in works]


def test_one_of_a_lane_at_a_time_and_others_meanwhile() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.take(0, 1, [(A, "a1"), (A, "a2"), (B, "b1")])
    first = lanes.ready(0, 10)
    assert names(first) == ["a1", "b1"]
    assert lanes.ready(0, 10) == []
    lanes.answered(first[0])
    assert names(lanes.ready(0, 10)) == ["a2"]


def test_the_next_one_does_not_wait_for_the_delivery_of_the_outcome() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.take(0, 1, [(A, "a1")])
    lanes.take(1, 1, [(A, "a2")])
    (work,) = lanes.ready(0, 10)
    lanes.answered(work)
    assert names(lanes.ready(0, 10)) == ["a2"]
    assert lanes.committable is None
    lanes.delivered(work)
    assert lanes.committable == 1


def test_a_throttled_command_holds_its_lane_and_no_other() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.take(0, 1, [(A, "a1"), (A, "a2")])
    (work,) = lanes.ready(0, 10)
    lanes.again(work, 50)
    lanes.take(1, 1, [(B, "b1")])
    assert names(lanes.ready(49, 10)) == ["b1"]
    assert lanes.due_ms == 50
    assert names(lanes.ready(50, 10)) == ["a1"]
    assert work.tries == 1


def test_nothing_is_committed_past_what_is_not_done() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.take(3, 10, [(A, "a1")])
    lanes.take(4, 20, [(B, "b1")])
    slow, quick = lanes.ready(0, 10)
    lanes.answered(quick)
    lanes.delivered(quick)
    assert (lanes.committable, lanes.held, lanes.held_bytes) == (None, 1, 30)
    lanes.answered(slow)
    lanes.delivered(slow)
    assert (lanes.committable, lanes.held, lanes.held_bytes) == (5, 0, 0)


def test_dead_letters_wait_for_nobody_and_are_delivered_before_the_commit() -> None:
    lanes: Lanes[str] = Lanes()
    (poison,) = lanes.take(0, 1, [(None, "rubbish")])
    assert lanes.ready(0, 10) == []
    lanes.answered(poison)
    assert lanes.committable is None
    lanes.delivered(poison)
    assert lanes.committable == 1


def test_a_message_of_no_commands_is_done() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.take(7, 2, [])
    assert (lanes.committable, lanes.held) == (8, 0)


class Machine(RuleBasedStateMachine):
    """Any order of answers, throttling and deliveries, beside the plain list of what was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: Lanes[tuple[int, int]] = Lanes()
        self.offset = 0
        self.order: dict[bytes, list[tuple[int, int]]] = {}
        self.tried: list[Work[tuple[int, int]]] = []
        self.answered: list[Work[tuple[int, int]]] = []
        self.open: dict[int, int] = {}
        self.now_ms = 0.0

    @rule(lanes=st.lists(st.sampled_from([b"a", b"b", b"c", None]), max_size=4))
    def take(self, lanes: list[bytes | None]) -> None:
        commands = [(lane, (self.offset, index)) for index, lane in enumerate(lanes)]
        for lane, what in commands:
            if lane is not None:
                self.order.setdefault(lane, []).append(what)
        self.open[self.offset] = len(commands)
        self.answered += self.lanes.take(self.offset, 1, commands)
        self.offset += 1

    @rule(most=st.integers(0, 3))
    def try_some(self, most: int) -> None:
        self.now_ms += 1
        works = self.lanes.ready(self.now_ms, most)
        assert len(works) <= most
        for work in works:
            assert work.lane is not None
            assert work.what == self.order[work.lane][0], "the first of its lane that is not answered"
            assert work not in self.tried
        self.tried += works

    @precondition(lambda self: self.tried)
    @rule(data=st.data(), decided=st.booleans())
    def answer(self, data: st.DataObject, decided: bool) -> None:
        work = self.tried.pop(data.draw(st.integers(0, len(self.tried) - 1)))
        if not decided:
            self.lanes.again(work, self.now_ms + data.draw(st.integers(0, 3)))
            return
        assert work.lane is not None
        assert self.order[work.lane].pop(0) == work.what
        self.lanes.answered(work)
        self.answered.append(work)

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        work = self.answered.pop(data.draw(st.integers(0, len(self.answered) - 1)))
        self.open[work.what[0]] -= 1
        self.lanes.delivered(work)

    @invariant()
    def commits_are_behind_what_is_done(self) -> None:
        undone = [offset for offset, left in self.open.items() if left]
        done = min(undone, default=self.offset)
        assert self.lanes.committable == (done or None)
        assert self.lanes.held == sum(self.open.values())

    def teardown(self) -> None:
        """Whatever is left can be brought to its end: no lane is forgotten."""
        while self.tried or self.lanes.due_ms < float("inf"):
            self.now_ms += 10
            self.tried += self.lanes.ready(self.now_ms, 100)
            for work in self.tried:
                self.lanes.answered(work)
            self.answered += self.tried
            self.tried = []
        for work in self.answered:
            self.lanes.delivered(work)
        assert self.lanes.held == self.lanes.held_bytes == 0
        assert self.lanes.committable == (self.offset or None)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
