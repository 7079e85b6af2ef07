"""Index writes under way: where they go, when again, and what counts as done."""

from __future__ import annotations

from typing import Any

import orjson
from tests.simulation.indexes import DESCRIPTION, LOG
from tests.unit.core.propagation.test_follower import ROOT

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes import IndexWrite
from dynabus.core.ids import LogId
from dynabus.core.messages import SEALED, ReplyStatus
from dynabus.core.operations.calls import Code
from dynabus.core.propagation.deliveries import (
    AGAIN_MS,
    ERROR_MS,
    MESSAGES_MOST,
    PARTS_MOST,
    SILENT_MS,
    Deliveries,
    Send,
)
from dynabus.core.propagation.index_writes import ForIndex
from dynabus.core.propagation.propagator import Sending
from dynabus.core.replication.store import Outcome
from dynabus.core.rows import Source
from dynabus.core.tables.indexes import own_description

NODES = ["node-1", "node-2", "node-3"]


def partition(number: int, generation: int, lower: bytes, upper: bytes | None, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "generation": generation,
        "lower": lower,
        "upper": upper,
        "members": NODES,
        "preferred": NODES[0],
        "state": "active",
        "lineage": [],
        "joining": [],
        **more,
    }


class Desk:
    """Deliveries to an index of two partitions, led by node-1 and node-2."""

    def __init__(self) -> None:
        self.view = ClusterView()
        self.version = 0
        self.lay_out(partition(0, 1, b"", b"m"), partition(1, 1, b"m", None))
        self.lead(0, "node-1")
        self.lead(1, "node-2")
        self.deliveries = Deliveries(self.view, lambda nodes: nodes[-1])
        self.now_ms = 0.0

    def lay_out(self, *partitions: dict[str, Any]) -> None:
        self.version += 1
        description = orjson.dumps(own_description(DESCRIPTION, "t", "by-i"))
        message = {"id": LOG, "name": "music/index/by-i", "status": "ACTIVE", "description": description}
        whole = {**message, "version": self.version, "partitions": [*partitions]}
        self.view.take("table_metadata", whole, 0.0)

    def lead(self, number: int, node: str, term: int = 1) -> None:
        led = {"log": LOG, "partition": number, "term": term, "node": node, "incarnation": 1}
        self.view.take("leader_metadata", led, 0.0)

    def add(self, number: int, key: bytes = b"a", offset: int = 0, size: int = 2) -> None:
        write = IndexWrite(key, b"x" * size, size, Source(0, 1, offset or number))
        self.deliveries.add([Sending(ROOT, number, ForIndex(LogId(LOG), write))])

    def due(self, after_ms: float = 0.0) -> list[Send]:
        self.now_ms += after_ms
        return self.deliveries.due(self.now_ms)

    def reply(self, send: Send, status: ReplyStatus = ReplyStatus.OK, body: bytes = b"", **more: Any) -> None:
        parts = [{**Outcome(status, body, count=1).part(index), **more} for index in range(len(send.parts))]
        reply: Any = {"incarnation": 1, "counter": send.counter, "node": send.node, "parts": parts}
        self.deliveries.take(reply, self.now_ms)

    def done(self) -> list[int]:
        return sorted(self.deliveries.take_done().get(ROOT, []))


def test_writes_go_to_the_leaders_of_their_partitions() -> None:
    desk = Desk()
    desk.add(1, b"a")
    desk.add(2, b"z")
    desk.add(3, b"b")
    sends = desk.due()
    assert [(send.node, [part["key"] for part in send.parts]) for send in sends] == [
        ("node-1", [b"a", b"b"]),
        ("node-2", [b"z"]),
    ]
    part = sends[0].parts[0]
    assert (part["operation"], part["log"], part["partition"], part["generation"]) == (Code.INDEX, LOG, 0, 1)
    assert Source.decode(part["detail"]) == Source(0, 1, 1)
    assert desk.due() == []
    desk.reply(sends[0])
    assert desk.done() == [1, 3]
    assert len(desk.deliveries) == 1


def test_of_two_writes_of_one_key_the_newer_one_stands_for_both() -> None:
    desk = Desk()
    desk.add(2, offset=20)
    desk.add(1, offset=10)
    (send,) = desk.due()
    assert [Source.decode(part["detail"]).offset for part in send.parts] == [20]
    desk.reply(send)
    assert desk.done() == [1, 2]


def test_what_is_under_way_is_not_changed() -> None:
    desk = Desk()
    desk.add(1, offset=10)
    (first,) = desk.due()
    desk.add(2, offset=20)
    (second,) = desk.due()
    desk.reply(first, ReplyStatus.BUSY)  # comes back while the newer one is under way
    assert desk.done() == []
    desk.reply(second)
    assert desk.done() == [2]
    (again,) = desk.due(AGAIN_MS)
    desk.reply(again, count=0)
    assert desk.done() == [1]
    assert (desk.deliveries.repeated, desk.deliveries.needless) == (1, 1)


def test_silence_is_asked_again_after_longer_each_time() -> None:
    desk = Desk()
    desk.add(1)
    (first,) = desk.due()
    assert first.budget_ms == SILENT_MS
    assert desk.due(SILENT_MS - 1) == []
    (second,) = desk.due(1)
    assert second.budget_ms == 2 * SILENT_MS
    desk.reply(first)  # too late: nobody waits for it
    assert desk.done() == []
    desk.reply(second)
    assert desk.done() == [1]


def test_what_is_refused_for_hours_is_asked_again_all_the_same() -> None:
    """Of a frozen partition, until somebody recovers it."""
    desk = Desk()
    desk.add(1)
    for _ in range(1100):
        (send,) = desk.due(AGAIN_MS)
        desk.reply(send, ReplyStatus.STALE_ROUTE)
    (send,) = desk.due(AGAIN_MS)
    assert send.budget_ms == 8 * SILENT_MS
    desk.reply(send)
    assert desk.done() == [1]


def test_who_is_said_to_lead_is_asked_at_once() -> None:
    desk = Desk()
    desk.add(1)
    (send,) = desk.due()
    desk.reply(send, ReplyStatus.NOT_LEADER, b"node-3")
    (again,) = desk.due()
    assert again.node == "node-3"
    desk.reply(again, ReplyStatus.NOT_LEADER, b"")
    assert desk.due() == []
    assert len(desk.due(AGAIN_MS)) == 1


def test_nodes_that_name_each_other_are_not_asked_in_circles() -> None:
    desk = Desk()
    desk.add(1)
    for count in range(3):
        (send,) = desk.due()
        desk.reply(send, ReplyStatus.NOT_LEADER, b"node-%d" % (3 - count % 2))
    (send,) = desk.due()
    desk.reply(send, ReplyStatus.NOT_LEADER, b"node-1")
    assert desk.due() == []


def test_refusals_pass_and_errors_are_counted() -> None:
    desk = Desk()
    desk.add(1)
    for status, pause_ms in ((ReplyStatus.BUSY, AGAIN_MS), (ReplyStatus.THROTTLED, AGAIN_MS)):
        (send,) = desk.due()
        desk.reply(send, status)
        assert desk.due() == []
        desk.now_ms += pause_ms
    (send,) = desk.due()
    desk.reply(send, ReplyStatus.ERROR)
    assert desk.due(ERROR_MS - 1) == []
    assert len(desk.due(1)) == 1
    assert (desk.deliveries.throttled, desk.deliveries.failed) == (1, 1)


def test_the_children_of_a_split_are_asked() -> None:
    desk = Desk()
    desk.add(1, b"a")
    desk.add(2, b"k")
    desk.lay_out(
        partition(0, 1, b"", b"m", state="splitting"),
        partition(1, 1, b"m", None),
        partition(2, 2, b"", b"g", state="heir", lineage=[0]),
        partition(3, 2, b"g", b"m", state="heir", lineage=[0]),
    )
    (send,) = desk.due()
    desk.reply(send, ReplyStatus.STALE_ROUTE, SEALED)
    sends = desk.due(AGAIN_MS)
    assert [(part["partition"], part["generation"]) for send in sends for part in send.parts] == [(2, 2), (3, 2)]


def test_messages_are_bounded_in_parts_and_in_number() -> None:
    desk = Desk()
    for number in range(PARTS_MOST * (MESSAGES_MOST + 2)):
        desk.add(number, b"%06d" % number)
    sends = desk.due()
    assert [len(send.parts) for send in sends] == [PARTS_MOST] * MESSAGES_MOST
    assert desk.due() == []
    desk.reply(sends[1])
    assert len(desk.due()) == 1


def test_large_rows_travel_alone() -> None:
    desk = Desk()
    for number in range(3):
        desk.add(number, b"%d" % number, size=700_000)
    assert [len(send.parts) for send in desk.due()] == [1, 1, 1]


def test_what_is_for_an_index_that_is_gone_counts_as_done() -> None:
    desk = Desk()
    desk.add(1, b"a")
    (_,) = desk.due()
    desk.add(2, b"b")
    desk.deliveries.keep_only({LogId(LOG)})
    assert desk.done() == []
    desk.deliveries.keep_only(set())
    assert desk.done() == [1, 2]
    assert len(desk.deliveries) == 0


def test_an_index_whose_partitions_are_not_known_is_waited_for() -> None:
    desk = Desk()
    write = IndexWrite(b"a", b"{}", 2, Source(0, 1, 1))
    desk.deliveries.add([Sending(ROOT, 1, ForIndex(LogId("other.index"), write))])
    assert desk.due() == []
    assert len(desk.deliveries) == 1
