"""Partitions of which nothing is here: cloned, replayed, restored, or waiting; and from whom."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.core.test_contents import NONE, PLACE, STORED, row
from tests.unit.storage_node.stand_ins import LOG, ME, ORIGIN, PARTITION

from dynabus.adapters.kafka.topics import TopicIdentity
from dynabus.adapters.lmdb import LmdbStore, put_aside
from dynabus.adapters.log_codec import encode_place
from dynabus.core.checksum import MASK, change
from dynabus.core.cloning.choice import PATIENCE_MS
from dynabus.core.cloning.pace import Pace
from dynabus.core.contents import encode_totals
from dynabus.core.replication.heir import Inheritance
from dynabus.core.replication.place import Place
from dynabus.storage_node.cloning.clones import FAILED_TRIES, RETRY_MS, TRIES_MOST, Clones
from dynabus.storage_node.cloning.receiving import CloneFailed, CloneReceiving, Job, OtherHistory
from dynabus.storage_node.replicas.lookups import LogFacts, LookupFailed
from dynabus.storage_node.replicas.opening import Opening
from dynabus.storage_node.upkeep.checkpoints import checkpoint_of, copy

RECORDS_MOST = 100
STEP_MS = 100.0


class Kafka:
    """Tells at once what exists of a log."""

    def __init__(self) -> None:
        self.logs: dict[int, tuple[int, int]] = {0: (0, 1000)}
        self.away = 0

    def log_facts(self, log: Any) -> Future[LogFacts]:
        future: Future[LogFacts] = Future()
        if self.away:
            self.away -= 1
            future.set_exception(LookupFailed("away"))
        else:
            future.set_result(LogFacts(TopicIdentity("cluster", "topic"), *self.logs[log.number]))
        return future


class Receiving:
    """Takes jobs, and ends each as it was told to."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.ends: list[Exception | None] = []
        self.hold = False

    def begin(self, job: Job) -> Future[Place]:
        self.jobs.append(job)
        future: Future[Place] = Future()
        error = self.ends.pop(0) if self.ends else None
        if error is not None:
            future.set_exception(error)
        elif not self.hold:
            future.set_result(PLACE)
        return future

    def close(self) -> None: ...


def said(state: str = "active", next_offset: int = 5, leading: bool = False) -> Any:
    return {"state": state, "next_offset": next_offset, "leading": leading, "alarm": ""}


class Ward:
    def __init__(self, path: Path) -> None:
        self.path, self.kafka, self.receiving = path / "0", Kafka(), Receiving()
        folder = SimpleNamespace(replica=lambda _: self.path)
        premises = SimpleNamespace(folder=folder, around=SimpleNamespace(me=ME))
        receiving = cast("CloneReceiving", self.receiving)
        self.clones = Clones(cast("Any", premises), cast("Any", self.kafka), receiving, RECORDS_MOST)
        self.others: dict[str, Any] = {}
        self.clones.said = lambda *_: [*self.others.items()]
        self.now_ms = 0.0
        self.opening = Opening(PARTITION, LOG, False, NONE)

    def add(self, *lineage: int) -> None:
        if lineage:
            self.opening.to = Inheritance(PARTITION, b"", None, lineage)
        self.clones.add(self.opening, self.now_ms)

    def run(self, for_ms: float = 2000.0) -> str:
        """What came of it in that time."""
        until_ms = self.now_ms + for_ms
        while self.now_ms < until_ms:
            cloned, replay = self.clones.step(self.now_ms)
            if cloned or replay:
                return "cloned" if cloned else "replay"
            self.now_ms += STEP_MS
        return "waits"

    def alarm(self) -> tuple[str, str]:
        (state,) = self.clones.states()
        return state["state"], state["alarm"]


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


def test_a_short_log_is_replayed_whoever_is_there(ward: Ward) -> None:
    ward.kafka.logs[0] = (0, RECORDS_MOST)
    ward.others = {"node-2": said()}
    ward.add()
    assert ward.run() == "replay"
    assert ward.opening.replay
    assert not ward.clones


def test_a_long_one_is_cloned_from_the_follower(ward: Ward) -> None:
    ward.others = {"node-2": said(leading=True, next_offset=9), "node-3": said(), ME.node: said(next_offset=99)}
    ward.add()
    assert ward.run() == "cloned"
    assert [job.source for job in ward.receiving.jobs] == ["node-3"]
    assert ward.opening.cloned


def test_the_leader_is_cloned_only_where_no_follower_is_heard_for_a_while(ward: Ward) -> None:
    ward.others = {"node-2": said(leading=True)}
    ward.add()
    assert ward.run(PATIENCE_MS - STEP_MS) == "waits"
    assert ward.receiving.jobs == []
    ward.run(2 * STEP_MS)
    assert [job.source for job in ward.receiving.jobs] == ["node-2"]


def test_a_long_one_is_replayed_where_nobody_is_there_for_a_while(ward: Ward) -> None:
    ward.add()
    assert ward.run(PATIENCE_MS - STEP_MS) == "waits"
    assert ward.alarm() == ("opening", "")
    assert ward.run() == "replay"


def test_one_that_was_pruned_waits_for_somebody(ward: Ward) -> None:
    ward.kafka.logs[0] = (3, 4)
    ward.others = {"node-2": said("opening"), "node-3": said("frozen")}
    ward.add()
    assert ward.run(PATIENCE_MS + 5000) == "waits"
    assert ward.alarm() == ("opening", "its log was pruned, and no other replica can be cloned: waiting for one")
    ward.others = {"node-2": said()}
    assert ward.run() == "cloned"


@pytest.mark.parametrize(("first", "came"), [((0, 60), "waits"), ((0, 40), "replay"), ((7, 8), "waits")])
def test_ancestors_count(ward: Ward, first: tuple[int, int], came: str) -> None:
    ward.kafka.logs = {7: first, 0: (0, 50)}
    ward.add(7)
    assert ward.run() == came
    assert ward.receiving.jobs == []


def test_a_child_that_cannot_come_to_be_holds_up_no_seal(ward: Ward) -> None:
    ward.kafka.logs = {7: (5, 9), 0: (0, 0)}
    ward.add(7)
    ward.run()
    assert ward.alarm()[0] == "preparing"
    ward.run(PATIENCE_MS)
    assert ward.alarm()[0] == "failed"


def test_another_source_is_taken_after_one_that_failed(ward: Ward) -> None:
    ward.kafka.logs[0] = (3, 4)
    ward.others = {"node-2": said(next_offset=9), "node-3": said()}
    ward.receiving.ends = [CloneFailed("silent"), CloneFailed("silent")]
    ward.add()
    assert ward.run(RETRY_MS * 4) == "cloned"
    assert [job.source for job in ward.receiving.jobs] == ["node-2", "node-3", "node-2"]
    assert (ward.clones.done, ward.clones.failed) == (1, 2)


def test_clones_that_fail_again_and_again_give_way_to_a_replay_where_there_can_be_one(ward: Ward) -> None:
    ward.others = {"node-2": said()}
    ward.receiving.ends = [CloneFailed("silent")] * TRIES_MOST
    ward.add()
    assert ward.run(RETRY_MS * 2 * TRIES_MOST) == "replay"


def test_who_fails_again_and_again_says_so_and_goes_on(ward: Ward) -> None:
    """Its disk may be full: auto-admin asks another node for a replica then."""
    ward.kafka.logs[0] = (3, 4)
    ward.others = {"node-2": said()}
    ward.receiving.ends = [CloneFailed("no space left")] * FAILED_TRIES
    ward.add()
    states = list[str]()
    while len(ward.receiving.jobs) < FAILED_TRIES:
        states.append(ward.alarm()[0])
        ward.run(STEP_MS)
    ward.run(2 * STEP_MS)
    assert {*states} == {"opening"}
    assert ward.alarm()[0] == "failed"
    assert ward.run(RETRY_MS * 3) == "cloned"


def test_another_history_stops_it_for_people(ward: Ward) -> None:
    ward.others = {"node-2": said(), "node-3": said()}
    ward.receiving.ends = [OtherHistory("diverged: up to offset 7")]
    ward.add()
    assert ward.run(20_000) == "waits"
    assert ward.alarm() == ("failed", "diverged: up to offset 7")
    assert len(ward.receiving.jobs) == 1
    assert not ward.clones.busy


def test_one_at_a_time(ward: Ward) -> None:
    ward.others, ward.receiving.hold = {"node-2": said()}, True
    ward.add()
    other = Opening(PARTITION._replace(number=1), LOG._replace(number=1), False, NONE)
    ward.kafka.logs[1] = (0, 1000)
    ward.clones.add(other, 0.0)
    assert ward.run() == "waits"
    (job,) = ward.receiving.jobs
    ward.clones.drop(PARTITION)
    assert job.cancelled
    ward.receiving.hold = False
    assert ward.run() == "cloned"


def test_kafka_that_does_not_tell_is_asked_again(ward: Ward) -> None:
    ward.kafka.away, ward.others = 2, {"node-2": said()}
    ward.add()
    assert ward.run(500) == "waits"
    assert ward.alarm() == ("opening", "away")
    assert ward.run(RETRY_MS * 3) == "cloned"


def replica(path: Path) -> None:
    """A store with one row, and a checkpoint of it."""
    store = LmdbStore(path)
    store.put(b"k", row(1))
    store.commit(STORED, encode_totals([[1, 11]], change(b"k", None, row(1)) & MASK, STORED))
    copy(store.snapshot(), 0, checkpoint_of(path), Pace(0.0))
    store.abandon()


def test_what_was_put_aside_says_how_far_a_source_must_be(ward: Ward) -> None:
    old = PLACE._replace(origin=ORIGIN)
    ward.path.mkdir(parents=True)
    put_aside(ward.path, encode_place(old))
    ward.others = {"node-2": said()}
    ward.add()
    ward.run()
    (job,) = ward.receiving.jobs
    assert (job.wanted.at_least, job.expected) == (old.next_offset, old)


def test_a_place_of_another_log_says_nothing(ward: Ward) -> None:
    ward.path.mkdir(parents=True)
    put_aside(ward.path, encode_place(PLACE._replace(origin=ORIGIN._replace(topic="an older one"))))
    ward.others = {"node-2": said()}
    ward.add()
    ward.run()
    assert (ward.receiving.jobs[0].wanted.at_least, ward.receiving.jobs[0].expected) == (0, None)


def test_nothing_is_made_of_a_frozen_partition(ward: Ward) -> None:
    """Neither of a replica that has not stopped yet, nor of the log, nor of the checkpoint."""
    replica(ward.path)
    put_aside(ward.path, STORED)
    ward.others = {"node-2": said()}
    frozen = True
    ward.clones.kept = lambda partition: partition == PARTITION and frozen
    ward.add()
    assert ward.run(PATIENCE_MS + 2000) == "waits"
    assert "frozen" in ward.alarm()[1]
    assert not ward.path.exists()
    assert checkpoint_of(ward.path).exists()
    assert ward.receiving.jobs == []
    frozen = False
    assert ward.run() == "cloned"


@pytest.mark.parametrize("state", ["frozen", "doubtful", "held", "restoring", "stopped", "joining"])
def test_who_has_stopped_or_stands_still_is_no_source(ward: Ward, state: str) -> None:
    ward.others = {"node-2": said(state, 900), "node-3": said("active", 5, leading=True)}
    ward.add()
    assert ward.run(PATIENCE_MS + 2000) == "cloned"
    assert [job.source for job in ward.receiving.jobs] == ["node-3"]


@pytest.mark.parametrize(("low", "came"), [(PLACE.next_offset, "cloned"), (PLACE.next_offset + 1, "waits")])
def test_the_last_resort_is_its_own_checkpoint(ward: Ward, low: int, came: str) -> None:
    """A group of one has nobody to clone."""
    replica(ward.path)
    put_aside(ward.path, STORED)
    ward.kafka.logs[0] = (low, 1000)
    ward.add()
    assert ward.run(PATIENCE_MS + 2000) == came
    assert ward.path.exists() == (came == "cloned")
    assert ward.receiving.jobs == []
