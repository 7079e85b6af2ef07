"""Whom a propagator tells which floors: only what is committed, with all ancestors, and nobody at rest."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.simulation.histories import TABLE
from tests.simulation.indexes import LABEL as INDEX
from tests.simulation.indexes import LOG, Items
from tests.unit.core.propagation.test_deliveries import Desk
from tests.unit.core.propagation.test_follower import ROOT
from tests.unit.core.propagation.test_index_logs import logs, reader

from dynabus.core.global_indexes.floors import CLOSED
from dynabus.core.global_indexes.walk import CLEAN, LEFT, told_floors
from dynabus.core.messages import ReplyStatus
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.clearing import AGAIN_MS, Clearing, ancestors_of, floor_of
from dynabus.core.propagation.deliveries import Send
from dynabus.core.propagation.owned_log import Log
from dynabus.core.propagation.sweeps import Sweep
from dynabus.core.replication.records import Child
from dynabus.core.streams.shards import Shard


class Teller:
    """A propagator that has read a log with deletions, and an index of two partitions."""

    def __init__(self, history: Items) -> None:
        self.desk, self.brain, self.history = Desk(), reader(), history
        self.clearing = Clearing(self.brain, self.desk.view, lambda nodes: nodes[-1])
        self.now_ms = 0.0
        self.brain.read({ROOT: history.logs[0]})
        self.brain.outputs()
        self.brain.confirm()

    def commit(self) -> None:
        self.brain.acknowledged(ROOT, [each.number for each in self.brain.writes()])
        self.brain.commit_done(self.brain.due())

    def due(self) -> list[Send]:
        self.now_ms += AGAIN_MS
        return self.clearing.due(self.now_ms)

    def answer(self, send: Send, count: int, status: int = ReplyStatus.OK, body: bytes = b"") -> None:
        part = {"status": int(status), "count": count, "body": body, "index": 0}
        self.clearing.take(cast("Any", {"counter": send.counter, "parts": [part]}))


@pytest.fixture
def teller() -> Teller:
    return Teller(logs())


def test_nothing_is_told_before_the_checkpoint_is_committed(teller: Teller) -> None:
    assert teller.due() == []
    teller.brain.acknowledged(ROOT, [each.number for each in teller.brain.writes()])
    assert teller.brain.due()
    assert teller.due() == []
    assert teller.brain.unclear == {TABLE}


def test_each_partition_of_the_index_is_told_until_nothing_is_left_there(teller: Teller) -> None:
    teller.commit()
    end = len(teller.history.logs[0])
    sends = teller.due()
    assert [(each.node, each.parts[0]["log"], each.parts[0]["partition"]) for each in sends] == [
        ("node-1", LOG, 0),
        ("node-2", LOG, 1),
    ]
    assert [told_floors(each.parts[0]) for each in sends] == [{0: end}, {0: end}]
    assert teller.clearing.due(teller.now_ms) == [], "a round at a time"
    teller.answer(sends[0], CLEAN)
    teller.answer(sends[1], LEFT)
    (again,) = teller.due()
    assert again.parts[0]["partition"] == 1
    teller.answer(again, CLEAN)
    assert teller.due() == []
    assert teller.brain.unclear == set()


def test_an_answer_of_an_earlier_round_or_a_refusal_says_nothing(teller: Teller) -> None:
    teller.commit()
    first = teller.due()
    second = teller.due()
    assert len(second) == 2
    teller.answer(first[0], CLEAN)
    teller.answer(second[1], CLEAN, ReplyStatus.NOT_LEADER)
    assert len(teller.due()) == 2


def test_at_rest_nobody_is_told_anything_until_a_row_is_deleted(teller: Teller) -> None:
    teller.commit()
    for each in teller.due():
        teller.answer(each, CLEAN)
    assert teller.due() == []
    history, deletions = teller.history, 0
    while not deletions:
        before = len(history.logs[0])
        history.change(0)
        teller.brain.read({ROOT: history.logs[0][before:]})
        teller.brain.outputs()
        teller.brain.confirm()
        writes = teller.brain.writes()
        deletions = sum(not each.of.write.item_json for each in writes)
        teller.brain.acknowledged(ROOT, [each.number for each in writes])
        teller.brain.commit_done(teller.brain.due())
        assert bool(teller.brain.unclear) == bool(deletions)
    assert [told_floors(each.parts[0]) for each in teller.due()] == [{0: len(history.logs[0])}] * 2


def committed(teller: Teller, **more: Any) -> Log:
    log = teller.brain.logs[ROOT]
    assert log.committed is not None
    log.committed = log.committed._replace(**more)
    return log


@pytest.mark.parametrize("fill", [INDEX, Sweep(2, INDEX).label])
def test_what_is_filled_or_swept_has_no_floor(teller: Teller, fill: str) -> None:
    teller.commit()
    log = committed(teller, fills=((fill, b""),))
    assert floor_of(log, INDEX) is None
    assert teller.due() == []
    assert teller.brain.unclear, "it comes"
    assert floor_of(committed(teller, fills=(("index/other", b""),)), INDEX) is not None


def test_an_index_that_is_not_begun_by_the_committed_checkpoint_has_no_floor(teller: Teller) -> None:
    teller.commit()
    assert floor_of(committed(teller, open=()), INDEX) is None


def test_a_sealed_log_is_closed(teller: Teller) -> None:
    teller.commit()
    log = teller.brain.logs[ROOT]
    checkpoint = log.committed
    assert isinstance(checkpoint, Checkpoint)
    sealed = checkpoint.place._replace(children=(Child(1, 2, b"", None),))
    assert floor_of(committed(teller, place=sealed), INDEX) == CLOSED
    assert told_floors(teller.due()[0].parts[0]) == {0: CLOSED}


def test_ancestors_are_closed_whether_split_or_recovered() -> None:
    shards = {
        0: Shard(0, 1, None, False),
        1: Shard(1, 2, 0, False, (3, 40)),
        2: Shard(2, 2, 0, True),
        3: Shard(3, 3, 1, True),
    }
    assert [*ancestors_of(3, shards)] == [1, 0]
    assert [*ancestors_of(0, shards)] == []
