"""Requests under way: one id through all re-sends, the right node, bounded waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError
from dynabus.core.messages import SEALED, Reply, ReplyPart, ReplyStatus
from dynabus.core.operations.calls import Call, Code, Control
from dynabus.core.places import Places
from dynabus.core.published_table import Table
from dynabus.core.replication.store import Outcome
from dynabus.request_router.asker import Asker, Asking, Send
from dynabus.request_router.recent import RECENT_MS

LOG = "a" * 32
NODES = ["node-1", "node-2", "node-3"]
RESEND_MS, DEADLINE_MS = 250.0, 10_000.0


def view(leader: str | None = "node-1") -> ClusterView:
    found = ClusterView()
    found.take("table_metadata", view_message(), 0.0)
    if leader is not None:
        lead(found, leader, 1)
    return found


def view_message() -> Any:
    """A table with one partition, in metadata."""
    description = {
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    partition = {
        "number": 0,
        "generation": 1,
        "lower": b"",
        "upper": None,
        "members": NODES,
        "preferred": NODES[0],
        "state": "active",
        "lineage": [],
        "joining": [],
    }
    return {
        "id": LOG,
        "name": "t",
        "version": 1,
        "status": "ACTIVE",
        "description": orjson.dumps(description),
        "partitions": [partition],
    }


def lead(found: ClusterView, node: str, term: int) -> None:
    found.take("leader_metadata", {"log": LOG, "partition": 0, "term": term, "node": node, "incarnation": 1}, 0.0)


class Desk:
    """An asker whose messages are kept in a list."""

    def __init__(self, loop: asyncio.AbstractEventLoop, found: ClusterView, most: int = 10) -> None:
        self.view, self.loop = found, loop
        self.sent: list[Send] = []
        self.chosen: list[list[str]] = []
        self.asker = Asker(found, self.sent.append, self.choose, RESEND_MS, most)

    def choose(self, nodes: list[str]) -> str:
        self.chosen.append(nodes)
        return nodes[-1]

    @property
    def table(self) -> Table:
        return self.view.tables["t"]

    def call(self, consistent: bool = True, key: bytes = b"k") -> Call:
        return Call(self.table, key, Code.PUT, consistent, consistent, key)

    def ask(
        self, *calls: Call, control: Control | None = None, places: Places | None = None
    ) -> asyncio.Future[list[ReplyPart | None]]:
        future: asyncio.Future[list[ReplyPart | None]] = self.loop.create_future()
        count = len(calls) or 1
        counter = self.asker.next_counter()
        asking = Asking(counter, list(calls), control, [None] * count, count, DEADLINE_MS, future, places)
        self.asker.ask(asking, 0.0)
        return future

    def reply(
        self,
        *parts: tuple[int, ReplyStatus, bytes],
        counter: int = 1,
        now_ms: float = 1.0,
        provisional: bool = False,
        place: bytes = b"",
    ) -> None:
        built: list[Any] = [
            Outcome(status, body, provisional=provisional, place=place).part(index) for index, status, body in parts
        ]
        message: Reply = {"incarnation": 1, "counter": counter, "node": "n", "parts": built}
        self.asker.take(message, now_ms)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    found = asyncio.new_event_loop()
    yield found
    found.close()


@pytest.fixture
def desk(loop: asyncio.AbstractEventLoop) -> Desk:
    return Desk(loop, view())


def test_a_request_goes_to_the_leader_and_is_answered(desk: Desk) -> None:
    future = desk.ask(desk.call())
    assert [send.node for send in desk.sent] == ["node-1"]
    desk.reply((0, ReplyStatus.OK, b"x"))
    assert future.result()[0] is not None
    assert len(desk.asker) == 0


def test_silence_is_met_with_the_same_message(desk: Desk) -> None:
    desk.ask(desk.call(key=b"a"), desk.call(key=b"b"))
    desk.asker.tick(RESEND_MS - 1)
    assert len(desk.sent) == 1
    desk.asker.tick(RESEND_MS)
    first, second = desk.sent
    assert (first.counter, first.parts) == (second.counter, second.parts)
    assert second.budget_ms < first.budget_ms


def test_it_waits_twice_as_long_after_each_silence_and_not_after_an_answer(desk: Desk) -> None:
    desk.ask(desk.call())
    sent_at = []
    for now in range(0, 4000, 10):
        before = len(desk.sent)
        desk.asker.tick(float(now))
        sent_at += [now] * (len(desk.sent) - before)
    assert sent_at == [250, 750, 1750, 2750, 3750]
    desk.reply((0, ReplyStatus.BUSY, b""), now_ms=4000.0)
    desk.asker.tick(4000.0 + RESEND_MS)
    assert len(desk.sent) == 1 + len(sent_at) + 1


def test_a_node_that_is_slow_is_given_its_time(desk: Desk) -> None:
    for counter in range(1, 31):
        desk.ask(desk.call())
        desk.reply((0, ReplyStatus.OK, b"x"), counter=counter, now_ms=800.0)
    desk.sent.clear()
    desk.ask(desk.call())
    desk.asker.tick(RESEND_MS)
    assert len(desk.sent) == 1
    desk.asker.tick(1000.0)
    assert len(desk.sent) == 2


def test_after_some_silence_others_are_asked_too(desk: Desk) -> None:
    desk.ask(desk.call())
    for turn in range(1, 6):
        desk.asker.tick(RESEND_MS * turn)
    assert {send.node for send in desk.sent} == {"node-1", "node-3"}


def test_a_redirect_is_followed_at_once_and_not_for_ever(desk: Desk) -> None:
    desk.ask(desk.call())
    desk.reply((0, ReplyStatus.NOT_LEADER, b"node-2"))
    assert [send.node for send in desk.sent] == ["node-1", "node-2"]
    for node in (b"node-1", b"node-2", b"node-1", b"node-2", b"node-1"):
        desk.reply((0, ReplyStatus.NOT_LEADER, node))
    assert len(desk.sent) == 4


@pytest.mark.parametrize("status", [ReplyStatus.BUSY, ReplyStatus.STALE_ROUTE, ReplyStatus.NOT_LEADER])
def test_what_is_no_answer_is_asked_again_later(desk: Desk, status: ReplyStatus) -> None:
    future = desk.ask(desk.call())
    desk.reply((0, status, b""))
    assert not future.done()
    assert len(desk.sent) == 1
    desk.asker.tick(RESEND_MS)
    assert len(desk.sent) == 2


def test_who_has_sent_one_copy_believes_what_it_came_to(desk: Desk) -> None:
    future = desk.ask(desk.call())
    desk.reply((0, ReplyStatus.ERROR, b"condition"), provisional=True)
    assert future.result()[0] is not None
    assert [send.repeat for send in desk.sent] == [False]


def test_with_two_copies_under_way_only_what_is_remembered_counts(desk: Desk) -> None:
    """Else the second one might be applied after its client was told that nothing has changed."""
    future = desk.ask(desk.call())
    desk.asker.tick(RESEND_MS)
    assert [send.repeat for send in desk.sent] == [False, True]
    desk.reply((0, ReplyStatus.ERROR, b"condition"), provisional=True)
    assert not future.done()
    desk.reply((0, ReplyStatus.OK, b"applied"))
    answer = future.result()[0]
    assert answer is not None
    assert answer["body"] == b"applied"


def test_what_was_seen_is_asked_for_and_what_is_seen_is_kept(desk: Desk) -> None:
    places = Places(f"{LOG}/0.1.20,other/0.1.50")
    desk.ask(desk.call(consistent=False), places=places)
    assert desk.sent[0].parts[0]["at_least"] == 20
    desk.reply((0, ReplyStatus.OK, b""), place=b"0.1.33")
    assert places.least(LOG, 0, 1) == 33


def test_whoever_does_not_care_is_told_no_place(desk: Desk) -> None:
    desk.ask(desk.call(consistent=False))
    assert "at_least" not in desk.sent[0].parts[0]


def test_where_a_replica_is_behind_the_leader_is_asked_at_once(loop: asyncio.AbstractEventLoop) -> None:
    found = view()
    lead(found, "node-1", 1)
    desk = Desk(loop, found)
    future = desk.ask(desk.call(consistent=False), places=Places(f"{LOG}/0.1.20"))
    assert desk.sent[0].node == "node-3"
    desk.reply((0, ReplyStatus.BEHIND, b""))
    assert [send.node for send in desk.sent] == ["node-3", "node-1"]
    assert not future.done()


def test_a_new_leader_that_is_heard_of_is_asked_at_once(desk: Desk) -> None:
    desk.ask(desk.call())
    lead(desk.view, "node-2", 2)
    desk.asker.leaders_changed(1.0)
    assert [send.node for send in desk.sent] == ["node-1", "node-2"]


def test_the_deadline_ends_it(desk: Desk) -> None:
    future = desk.ask(desk.call(key=b"a"), desk.call(key=b"b"))
    desk.reply((1, ReplyStatus.OK, b"x"))
    desk.asker.tick(DEADLINE_MS)
    first, second = future.result()
    assert first is None
    assert second is not None
    assert len(desk.asker) == 0


def test_parts_may_come_apart_and_twice(desk: Desk) -> None:
    future = desk.ask(desk.call(key=b"a"), desk.call(key=b"b"))
    desk.reply((0, ReplyStatus.OK, b"1"))
    desk.reply((0, ReplyStatus.OK, b"other"))
    assert not future.done()
    desk.reply((1, ReplyStatus.ERROR, b"2"))
    assert [part["body"] for part in future.result() if part] == [b"1", b"2"]
    desk.reply((1, ReplyStatus.OK, b"late"))


def test_eventual_reads_go_to_living_members(loop: asyncio.AbstractEventLoop) -> None:
    desk = Desk(loop, view())
    beat = {
        "node": "node-2",
        "service": "storage-node",
        "zone": "b",
        "incarnation": 1,
        "stopping": False,
        "number": 0,
        "whole": True,
        "replicas": [],
    }
    desk.view.take("heartbeat", beat, 0.0)
    desk.ask(desk.call(consistent=False))
    assert desk.chosen == [["node-2"]]


def test_without_a_known_leader_any_member_is_asked(loop: asyncio.AbstractEventLoop) -> None:
    desk = Desk(loop, view(leader=None))
    desk.ask(desk.call())
    assert desk.chosen == [NODES]


def test_control_requests_go_to_the_control_topic_until_answered(desk: Desk) -> None:
    future = desk.ask(control=Control("CreateTable", b"{}"))
    desk.asker.tick(RESEND_MS)
    assert [send.node for send in desk.sent] == [None, None]
    desk.reply((0, ReplyStatus.OK, b"{}"))
    assert future.done()


def test_overload_is_throttled(loop: asyncio.AbstractEventLoop) -> None:
    desk = Desk(loop, view(), most=2)
    desk.ask(desk.call())
    desk.ask(desk.call())
    with pytest.raises(ApiError) as refused:
        desk.ask(desk.call())
    assert refused.value.type.endswith("ThrottlingException")
    assert len(desk.sent) == 2


def big(desk: Desk, size: int) -> Call:
    return desk.call()._replace(value=b"x" * size)


def test_bytes_under_way_are_bounded_too(desk: Desk) -> None:
    desk.asker = Asker(desk.view, desk.sent.append, desk.choose, RESEND_MS, 10, bytes_most=1000)
    desk.ask(big(desk, 600))
    with pytest.raises(ApiError):
        desk.ask(big(desk, 401))
    desk.ask(big(desk, 400))
    desk.reply((0, ReplyStatus.OK, b""), counter=1)
    desk.asker.forget(3)
    desk.ask(big(desk, 600))
    desk.asker.tick(DEADLINE_MS)
    desk.ask(big(desk, 1000))


def test_large_messages_are_given_time(desk: Desk) -> None:
    desk.ask(big(desk, 5_000_000))
    desk.asker.tick(RESEND_MS + 499)
    assert len(desk.sent) == 1
    desk.asker.tick(RESEND_MS + 500)
    assert len(desk.sent) == 2


def read_of(desk: Desk, code: Code, key: bytes) -> Call:
    return Call(desk.table, key, code, False, False, key)


def test_what_was_just_written_is_read_where_it_was_written(desk: Desk) -> None:
    """Others of the partition are read anywhere; pages, which may hold it, are not. For a moment only."""
    desk.ask(desk.call(key=b"k"))
    desk.reply((0, ReplyStatus.OK, b""), now_ms=100.0)
    for code, key, now_ms, node in [
        (Code.GET, b"k", 100.0, "node-1"),
        (Code.GET, b"other", 100.0, "node-3"),
        (Code.PAGE, b"", 100.0 + RECENT_MS, "node-1"),
        (Code.GET, b"k", 101.0 + RECENT_MS, "node-3"),
        (Code.PAGE, b"", 101.0 + RECENT_MS, "node-3"),
    ]:
        future: asyncio.Future[list[ReplyPart | None]] = desk.loop.create_future()
        calls = [read_of(desk, code, key)]
        desk.asker.ask(Asking(desk.asker.next_counter(), calls, None, [None], 1, DEADLINE_MS, future), now_ms)
        assert desk.sent[-1].node == node


def test_a_leader_that_is_silent_is_not_needed_to_read_what_was_just_written(desk: Desk) -> None:
    desk.ask(desk.call(key=b"k"))
    desk.reply((0, ReplyStatus.OK, b""))
    desk.ask(read_of(desk, Code.GET, b"k"))
    desk.asker.tick(RESEND_MS)
    assert [send.node for send in desk.sent[1:]] == ["node-1", "node-3"]


# -- splits -------------------------------------------------------------------------------------------------------


def divide(found: ClusterView) -> None:
    """Partition 0 is being split at "m" into 1 and 2; node-2 and node-3 are to lead them."""
    message = view_message()
    (parent,) = message["partitions"]
    parent["state"], message["version"] = "splitting", 2
    for number, lower, upper in ((1, b"", b"m"), (2, b"m", None)):
        heir = {
            "number": number,
            "generation": 2,
            "lower": lower,
            "upper": upper,
            "state": "heir",
            "lineage": [0],
            "joining": [],
        }
        message["partitions"].append({**parent, **heir, "preferred": NODES[number]})
    found.take("table_metadata", message, 0.0)


def lead_child(found: ClusterView, number: int) -> None:
    led = {"log": LOG, "partition": number, "term": 1, "node": NODES[number], "incarnation": 1}
    found.take("leader_metadata", led, 1.0)


def parts(send: Send) -> list[tuple[int, int]]:
    return [(part["partition"], part["generation"]) for part in send.parts]


def test_what_waits_at_a_sealed_parent_goes_to_the_child_under_its_id(desk: Desk) -> None:
    divide(desk.view)
    future = desk.ask(desk.call(key=b"x"))
    assert parts(desk.sent[-1]) == [(0, 1)]
    desk.reply((0, ReplyStatus.STALE_ROUTE, SEALED))
    assert (desk.sent[-1].node, parts(desk.sent[-1])) == ("node-3", [(2, 2)])
    assert {send.counter for send in desk.sent} == {1}
    desk.reply((0, ReplyStatus.OK, b"done"))
    assert future.result()[0] is not None


def test_a_child_that_is_led_is_asked_at_once(desk: Desk) -> None:
    divide(desk.view)
    desk.ask(desk.call(key=b"x"))
    lead_child(desk.view, 2)
    desk.asker.leaders_changed(1.0)
    assert (desk.sent[-1].node, parts(desk.sent[-1])) == ("node-3", [(2, 2)])


def test_a_stale_route_alone_says_nothing_of_a_split(desk: Desk) -> None:
    divide(desk.view)
    desk.ask(desk.call(key=b"x"))
    desk.reply((0, ReplyStatus.STALE_ROUTE, b""))
    desk.asker.tick(RESEND_MS)
    assert parts(desk.sent[-1]) == [(0, 1)]


def test_a_batch_that_was_cut_goes_whole_to_both_leaders(desk: Desk) -> None:
    divide(desk.view)
    future = desk.ask(desk.call(key=b"a"), desk.call(key=b"x"), desk.call(key=b"b"))
    lead_child(desk.view, 1)
    lead_child(desk.view, 2)
    desk.asker.leaders_changed(1.0)
    first, second = desk.sent[-2:]
    assert [first.node, second.node] == ["node-2", "node-3"]
    assert parts(first) == parts(second) == [(1, 2), (2, 2), (1, 2)]
    desk.reply((0, ReplyStatus.OK, b"0"), (1, ReplyStatus.STALE_ROUTE, b""), (2, ReplyStatus.OK, b"2"))
    assert not future.done()
    desk.reply((0, ReplyStatus.STALE_ROUTE, b""), (1, ReplyStatus.OK, b"1"), (2, ReplyStatus.STALE_ROUTE, b""))
    assert [reply["body"] for reply in future.result() if reply is not None] == [b"0", b"1", b"2"]


def test_a_page_that_was_cut_goes_back_to_its_operation(desk: Desk) -> None:
    divide(desk.view)
    page = Call(desk.table, b"a", Code.PAGE, False, True, b"a", b"", within=(b"a", None))
    half = Call(desk.table, b"n", Code.PAGE, False, True, b"n", b"", within=(b"n", b"p"))
    cut, whole = desk.ask(page), desk.ask(half)
    desk.reply((0, ReplyStatus.STALE_ROUTE, SEALED))
    assert [reply["status"] for reply in cut.result() if reply is not None] == [ReplyStatus.STALE_ROUTE]
    assert not whole.done()
    assert parts(desk.sent[-1]) == [(2, 2)]


def test_nobody_is_asked_about_a_frozen_partition(loop: asyncio.AbstractEventLoop) -> None:
    found = view()
    frozen = {**view_message(), "version": 2}
    frozen["partitions"][0]["state"] = "frozen"
    desk = Desk(loop, found)
    waits = desk.ask(desk.call())
    found.take("table_metadata", frozen, 0.0)
    desk.asker.tick(RESEND_MS)
    at_once = desk.ask(desk.call(), desk.call(key=b"l"))
    assert (waits.result(), at_once.result()) == ([None], [None, None])
    assert [send.node for send in desk.sent] == ["node-1"], "only before it was known"
    assert len(desk.asker) == 0


@pytest.mark.parametrize("hears", [True, False])
def test_who_asks_of_a_table_that_is_deleted_meanwhile_is_told_so(desk: Desk, hears: bool) -> None:
    batch = desk.ask(desk.call(), desk.call(key=b"l"))
    desk.reply((0, ReplyStatus.OK, b"x"))
    desk.view.take("table_metadata", {**view_message(), "version": 2, "status": "DELETED"}, 0.0)
    sent = len(desk.sent)
    if hears:
        desk.asker.leaders_changed(10.0)
    else:
        desk.asker.tick(RESEND_MS + 1)
    first, second = batch.result()
    assert first is not None
    assert second is not None
    assert (first["body"], second["status"]) == (b"x", ReplyStatus.ERROR)
    assert orjson.loads(second["body"])["__type"].endswith("#ResourceNotFoundException")
    assert (len(desk.sent), len(desk.asker)) == (sent, 0)
