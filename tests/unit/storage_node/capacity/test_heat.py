"""What a node tells of its replicas' load, and when it looks at keys."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.admission.tables import provisioned
from tests.unit.storage_node.capacity.test_admission import Desk, part
from tests.unit.storage_node.stand_ins import PARTITION, leading

from dynabus.adapters.codec import decode, encode
from dynabus.core.admission.messages import NodeHeat
from dynabus.core.operations.calls import Code
from dynabus.core.replication.store import Decision, Outcome
from dynabus.storage_node.capacity.heat import COLD_PERIODS, PERIOD_MS, HeatTeller


class Node:
    """One replica whose cap is 20 write units a second, and what its node told."""

    def __init__(self, caps: tuple[int, int] | None = (60, 20)) -> None:
        self.desk = Desk(provisioned())
        self.desk.admission._caps = (60, 20)
        self.told: list[NodeHeat] = []
        self.teller = HeatTeller("node-1", caps, self.desk.admission.view, self._tell)
        self.now_ms = 10_000.0
        self.teller.step([self.desk.replica], self.now_ms)

    def _tell(self, heat: NodeHeat) -> None:
        assert decode(encode("heat", heat)) == ("heat", heat)
        self.told.append(heat)

    def period(self, writes: int, keys: int = 1000) -> dict[str, Any] | None:
        """Writes, evenly over one period; what is told of the replica at its end."""
        for number in range(writes):
            asked = part(Code.PUT)
            asked["key"] = (number * 7919 % keys).to_bytes(8, "big") + b"k\0\0"
            at_ms = self.now_ms + PERIOD_MS * number / writes
            evaluate = self.desk.admission.evaluation(
                self.desk.replica,
                lambda _old, _wall: Decision(True, b"row", Outcome(size=3)),
                asked,
                at_ms,
            )
            evaluate(None, 0)
        self.now_ms += PERIOD_MS
        before = len(self.told)
        self.teller.step([self.desk.replica], self.now_ms)
        if len(self.told) == before:
            return None
        (found,) = self.told[-1]["partitions"]
        return dict(found)


def test_an_idle_replica_costs_nothing() -> None:
    node = Node()
    assert node.period(0) is None
    assert node.period(5) is not None
    assert node.period(0) is None


def test_little_load_is_counted_and_no_key_is_looked_at() -> None:
    node = Node()
    told = node.period(20)
    assert told is not None
    assert told["units"] == [0, 40, 0, 0]
    assert (told["heat"], told["at"], told["why"]) == ([], None, "")
    assert node.desk.replica.meter is not None
    assert node.desk.replica.meter.meter.heat is None


def test_a_hot_partition_tells_where_it_would_be_halved() -> None:
    node = Node()
    for _ in range(14):
        told = node.period(90)
    assert told is not None
    assert told["heat"] == [0, 900]
    assert told["generation"] == 1
    assert told["at"] is not None
    assert b"\0\0\0\0\0\0\1" < told["at"] < b"\0\0\0\0\0\0\3"


def test_what_is_refused_is_load_too() -> None:
    node = Node()
    for _ in range(3):
        told = node.period(400)
    assert told is not None
    _, writes, _, refused = told["units"]
    assert writes == pytest.approx(200, rel=0.05)
    assert writes + refused == 800
    assert told["heat"] == [0, 4000]


def test_one_hot_key_is_told() -> None:
    node = Node()
    for _ in range(14):
        told = node.period(90, keys=1)
    assert told is not None
    assert (told["at"], told["why"]) == (None, "100 % of the load lies on one item")


def test_keys_are_forgotten_when_the_load_has_gone() -> None:
    node = Node()
    node.period(90)
    assert node.teller.watched == 1
    for _ in range(COLD_PERIODS):
        node.period(1)
        assert node.teller.watched == 1
    node.period(0)
    assert node.teller.watched == 0
    assert node.desk.replica.meter is not None
    assert node.desk.replica.meter.meter.heat is None


def test_a_follower_tells_what_it_served_only() -> None:
    node = Node()
    node.desk.replica.replica.leader = None
    for _ in range(14):
        told = node.period(90)
    assert told is not None
    assert told["units"][1] == 180
    assert told["heat"] == []


def test_without_caps_load_is_counted_and_nothing_is_hot() -> None:
    node = Node(caps=None)
    told = node.period(90)
    assert told is not None
    assert (told["units"], told["heat"]) == ([0, 180, 0, 0], [])
    assert node.teller.watched == 0


def test_a_replica_that_has_gone_is_forgotten() -> None:
    node = Node()
    node.period(90)
    node.now_ms += PERIOD_MS
    node.teller.step([leading()], node.now_ms)
    assert node.teller.watched == 0
    assert PARTITION.number == 0
