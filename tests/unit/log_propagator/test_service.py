"""The loop's order is a contract: outputs, then confirmation, then commits; and what becomes of a log that is
lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from tests.simulation.kafka import BODIES
from tests.unit.core.propagation.test_follower import ROOT, history, message

from dynabus.core.cluster_view import ClusterView
from dynabus.core.ids import Incarnation, NodeName, PartitionId, Writer
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.outputs import Output, Stage
from dynabus.core.propagation.view import DerivedView
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Record
from dynabus.log_propagator import service
from dynabus.log_propagator.config import PropagatorSettings
from dynabus.log_propagator.service import LOST_MS, LogPropagator
from dynabus.log_propagator.status import logs


class World:
    """Kafka, as the parts of the shell show it; `done` is what was done to it, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.log: list[Record] = history(40).logs[0]
        self.delivers = self.commits = True
        self.committed: dict[PartitionId, Checkpoint] = {}
        self.delivered: list[Output] = []
        self.out_of_range: set[PartitionId] = set()
        self.culprit: PartitionId | None = None
        self.end = 0
        """Of the log, as it is told; 0: as it is."""
        self.now_ms = 0.0
        self.callbacks: tuple[Callable[[list[PartitionId]], None], ...] = ()


class FakeNews:
    def __init__(self, *_: Any) -> None:
        self.derived, self.is_loaded, self.messages = DerivedView(), True, 0
        self.cluster = ClusterView()
        self.derived.take(message())

    def take(self, timeout_s: float) -> None:
        """Nothing new."""

    def tell_progress(self, *_: Any) -> None:
        pass

    def send(self, sends: Iterable[Any], now_ms: float) -> None:
        assert not [*sends], "these tests have no index"

    def close(self) -> None:
        """Nothing to do."""


class FakeGroup:
    def __init__(self, world: World, *arguments: Any) -> None:
        self._world = world
        world.callbacks = arguments[-3:]

    def subscribe(self, logs: Iterable[str]) -> None:
        self._world.done.append(f"subscribe {len([*logs])}")

    def poll(self) -> None:
        """Tests call the callbacks."""

    def committed(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, Checkpoint | None]:
        return {each: self._world.committed.get(each) for each in partitions}

    def commit(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> bool:
        if checkpoints:
            self._world.done.append("commit")
        if self._world.commits:
            self._world.committed.update(checkpoints)
        return self._world.commits

    def close(self) -> None:
        self._world.done.append("leave")


class FakeReader:
    def __init__(self, world: World, *_: Any) -> None:
        self._world, self._at, self.records = world, 0, 0
        self._assigned: dict[PartitionId, int] = {}
        self.out_of_range: set[PartitionId] = set()
        self.unanswered: set[PartitionId] = set()

    def assign(self, places: Mapping[PartitionId, Place]) -> None:
        self.let_go(*self._assigned.keys() - places.keys())
        for where in places.keys() - self._assigned.keys():
            self._assigned[where] = places[where].next_offset

    def let_go(self, *partitions: PartitionId) -> None:
        for each in partitions:
            self._assigned.pop(each, None)

    def read(self, timeout_s: float) -> dict[PartitionId, list[Record]]:
        self.out_of_range |= self._world.out_of_range & self._assigned.keys()
        if ROOT not in self._assigned or self.out_of_range:
            return {}
        at = self._assigned[ROOT]
        self._assigned[ROOT] = min(len(self._world.log), at + 8)
        return {ROOT: self._world.log[at : at + 8]}

    def extent(self, partition: PartitionId) -> tuple[int, int]:
        return 0, self._world.end or len(self._world.log)

    def close(self) -> None:
        """Nothing to do."""


class FakeSender:
    def __init__(self, world: World, *_: Any) -> None:
        self._world, self.sent, self.replaced = world, 0, 0
        self.culprit: PartitionId | None = None
        self.reason = "the registry refuses it"

    def deliver(self, outputs: Iterable[Output]) -> bool:
        outputs = [*outputs]
        if outputs:
            self._world.done.append("deliver")
        self.culprit = self._world.culprit if not self._world.delivers else None
        if self._world.delivers:
            self._world.delivered += outputs
            self.sent += len(outputs)
        return self._world.delivers or not outputs

    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with (
        patch.object(service, "News", FakeNews),
        patch.object(service, "Group", lambda *arguments: FakeGroup(made, *arguments)),
        patch.object(service, "Reader", lambda *arguments: FakeReader(made, *arguments)),
        patch.object(service, "Sender", lambda *arguments: FakeSender(made, *arguments)),
        patch.object(service, "AvroBodies", lambda: BODIES),
        patch.object(service, "exact_ms", lambda: made.now_ms),
    ):
        yield made


def propagator(world: World) -> LogPropagator:
    settings = PropagatorSettings(kafka="127.0.0.1:1", name="propagator-1", data=Path("unused"))
    identity = SimpleNamespace(cluster_id="cluster", topic_id="topic")
    admin: Any = SimpleNamespace(identity=lambda _name: identity, ensure=list)
    return LogPropagator(settings, Writer(NodeName("propagator-1"), Incarnation(1)), admin)


def turns(world: World, process: LogPropagator, count: int) -> None:
    for _ in range(count):
        process.turn()
        world.now_ms += 100


def test_outputs_are_delivered_before_their_checkpoint_is_committed(world: World) -> None:
    process = propagator(world)
    world.callbacks[0]([ROOT])
    turns(world, process, 12)
    assert world.done[:2] == ["subscribe 1", "deliver"]
    assert world.committed[ROOT].place.next_offset == len(world.log)
    assert len(world.delivered) > 10


def test_what_is_not_delivered_is_not_committed_and_comes_again(world: World) -> None:
    process = propagator(world)
    world.callbacks[0]([ROOT])
    world.delivers = False
    turns(world, process, 6)
    assert "commit" not in world.done
    world.delivers = True
    turns(world, process, 12)
    numbers = [output.sequence for output in world.delivered]
    assert numbers == sorted(set(numbers))
    assert world.committed[ROOT].place.next_offset == len(world.log)


@pytest.mark.parametrize(("most", "gathers"), [(service.GATHERED_MOST, True), (1, False)])
def test_changes_gather_after_some_were_sent_unless_they_come_in_masses(
    world: World, most: int, *, gathers: bool
) -> None:
    process = propagator(world)
    world.callbacks[0]([ROOT])
    pauses: list[tuple[float, int]] = []
    with (
        patch.object(service, "GATHERED_MOST", most),
        patch("time.sleep", lambda pause_s: pauses.append((pause_s, world.done.count("deliver")))),
        patch.object(process, "turn", lambda turn=process.turn: _turn_or_stop(process, turn, world)),
    ):
        process.run()
    count = world.done.count("deliver")
    assert count > 1
    assert pauses == ([(0.02, number) for number in range(1, count + 1)] if gathers else [])


def _turn_or_stop(process: LogPropagator, turn: Callable[[], None], world: World) -> None:
    turn()
    process.stopping = len(world.delivered) > 10


def test_a_stream_that_cannot_be_written_is_left_alone_for_a_while(world: World) -> None:
    process = propagator(world)
    world.callbacks[0]([ROOT])
    world.delivers, world.culprit = False, ROOT
    turns(world, process, 3)
    assert world.done.count("deliver") == 1
    (shown,) = logs(process)
    assert shown["alarm"] == "its stream cannot be written: the registry refuses it"
    world.delivers = True
    turns(world, process, 70)
    assert "alarm" not in logs(process)[0]
    assert world.committed[ROOT].place.next_offset == len(world.log)


def test_a_log_that_is_taken_away_is_committed_first(world: World) -> None:
    process = propagator(world)
    world.callbacks[0]([ROOT])
    turns(world, process, 1)
    world.done.clear()
    world.now_ms += 1
    process._read(world.now_ms)
    _, revoked, _ = world.callbacks
    revoked([ROOT])
    assert world.done[-1] == "commit"
    assert process.brain.logs == {}
    before = len(world.delivered)
    turns(world, process, 3)
    assert len(world.delivered) == before


def test_of_a_log_that_was_lost_nothing_is_committed(world: World) -> None:
    process = propagator(world)
    world.callbacks[0]([ROOT])
    world.commits = False
    turns(world, process, 3)
    _, _, lost = world.callbacks
    lost([ROOT])
    world.done.clear()
    turns(world, process, 3)
    assert "commit" not in world.done


def test_a_commit_that_is_refused_is_tried_again(world: World) -> None:
    process = propagator(world)
    world.callbacks[0]([ROOT])
    world.commits = False
    turns(world, process, 12)
    assert world.done.count("commit") > 2
    world.commits = True
    turns(world, process, 3)
    assert world.committed[ROOT].place.next_offset == len(world.log)
    world.done.clear()
    turns(world, process, 5)
    assert "commit" not in world.done


def test_a_log_that_does_not_reach_to_its_checkpoint_stops_after_a_while(world: World) -> None:
    """Not at once: the client's idea of the log may be old."""
    process = propagator(world)
    world.callbacks[0]([ROOT])
    turns(world, process, 2)
    world.out_of_range = {ROOT}
    turns(world, process, 20)
    assert process.readiness() is None
    world.now_ms += LOST_MS
    turns(world, process, 20)
    assert process.brain.logs[ROOT].follower.stage is Stage.STOPPED
    assert "records are lost, or pruned" in (process.readiness() or "")
    (shown,) = logs(process)
    assert shown["state"] == "stopped"
    assert "lost" in shown["alarm"]


def test_a_doubt_of_long_ago_proves_nothing(world: World) -> None:
    """The log was in order since; where nothing is written nothing comes that would say so."""
    process = propagator(world)
    world.callbacks[0]([ROOT])
    turns(world, process, 12)
    world.out_of_range = {ROOT}
    turns(world, process, 20)
    world.out_of_range = set()
    world.now_ms += 3 * LOST_MS
    turns(world, process, 10)
    world.out_of_range = {ROOT}
    world.now_ms += 3 * LOST_MS
    turns(world, process, 20)
    assert process.readiness() is None


def test_what_begins_within_a_batch_is_committed_and_the_rest_is_read_once_more(world: World) -> None:
    """In one turn: the log comes to where a second stream begins, waits there, and is committed."""
    world.end = 20
    process = propagator(world)
    process._commit_every_ms = 1
    process.news.derived.take(message(version=16))
    second: Any = {**message(status="ENABLING", version=17), "label": "another", "from_start": False}
    process.news.derived.take(second)
    world.callbacks[0]([ROOT])
    turns(world, process, 30)
    (log,) = process.brain.logs.values()
    assert (log.follower.stage, log.follower.alarm) == (Stage.READING, None)
    assert world.committed[ROOT].place.next_offset == len(world.log)


def test_a_planned_stop_commits_and_leaves(world: World) -> None:
    process = propagator(world)
    world.callbacks[0]([ROOT])
    turns(world, process, 12)
    process.stopping = True
    process.run()
    assert world.done[-1] == "leave"
