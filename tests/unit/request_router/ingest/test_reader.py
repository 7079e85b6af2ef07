"""A member of the routers' group: what is committed, and when, and what becomes of shares that are taken away."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, TopicPartition

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicError
from dynabus.request_router.ingest import reader as module
from dynabus.request_router.ingest.reader import Batch, Reader

TOPIC = "dynabus.ingest.t"


class FakeMessage:
    def __init__(self, offset: int, number: int = 0) -> None:
        self._offset, self._number = offset, number

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return self._number

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"key"

    def value(self) -> bytes:
        return b"value"


class FakeConsumer:
    """Messages that the test gives; the group's calls, in order."""

    def __init__(self) -> None:
        self.messages: list[FakeMessage] = []
        self.calls: list[Any] = []
        self.has_committed, self.low = -1001, 0
        self.metadata: dict[int, str] = {}

    def subscribe(self, topics: list[str], **_: Any) -> None:
        self.calls.append(("subscribe", topics))

    def unsubscribe(self) -> None:
        self.calls.append(("unsubscribe",))

    def poll(self, _timeout_s: float) -> FakeMessage | None:
        return self.messages.pop(0) if self.messages else None

    def consume(self, _most: int, timeout: float) -> list[FakeMessage]:
        found, self.messages = self.messages, []
        return found

    def incremental_assign(self, given: list[TopicPartition]) -> None:
        self.calls.append(("assign", [each.partition for each in given]))

    def pause(self, where: list[TopicPartition]) -> None:
        self.calls.append(("pause", where[0].partition))

    def resume(self, where: list[TopicPartition]) -> None:
        self.calls.append(("resume", where[0].partition))

    def committed(self, where: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [
            TopicPartition(each.topic, each.partition, self.has_committed, self.metadata.get(each.partition, ""))
            for each in where
        ]

    def get_watermark_offsets(self, _where: TopicPartition, cached: bool) -> tuple[int, int]:
        return self.low, 100

    def commit(self, offsets: list[TopicPartition], asynchronous: bool = True) -> list[TopicPartition] | None:
        self.calls.append(("commit", {each.partition: each.offset for each in offsets}, asynchronous))
        self.metadata = {each.partition: each.metadata for each in offsets if each.metadata}
        return None if asynchronous else offsets


class Desk:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[Batch] = []
        self.reader = Reader(KafkaSettings("x"), "group", self.batches.append, lambda: None)
        self.consumer: Any = FakeConsumer()
        monkeypatch.setattr(self.reader, "_consumer", self.consumer)
        monkeypatch.setattr(self.reader, "_topic_id", lambda topic: f"id of {topic}")
        self.reader._commit_s = float("inf")

    def assign(self, *numbers: int) -> None:
        self.reader._on_assign(self.consumer, [TopicPartition(TOPIC, number) for number in numbers])

    def turn(self, *messages: FakeMessage) -> None:
        self.consumer.messages += messages
        self.reader._turn(self.consumer)

    def commits(self) -> list[Any]:
        return [call[1:] for call in self.consumer.calls if call[0] == "commit"]


def test_subscriptions_follow_what_the_loop_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.reader._wanted = ("a", "b")
    desk.turn()
    desk.turn()
    desk.reader._wanted = ()
    desk.turn()
    assert desk.consumer.calls == [("subscribe", ["a", "b"]), ("unsubscribe",)]


def test_messages_come_with_their_share_and_its_topics_id(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0, 1)
    desk.turn(FakeMessage(5), FakeMessage(7, 1), FakeMessage(6), FakeMessage(0, 2))
    (batch,) = desk.batches
    assert {share.number: [each.offset for each in arrivals] for share, arrivals in batch} == {0: [5, 6], 1: [7]}
    assert {share.topic_id for share, _ in batch} == {f"id of {TOPIC}"}


def test_only_what_is_done_is_committed_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0, 1)
    share = desk.reader.shares[0]
    share.lanes.take(4, 1, [])
    for _ in range(2):
        desk.reader._commit_s = 0.0
        desk.turn()
    assert desk.commits() == [({0: 5}, True)]


def test_what_kafka_refused_to_commit_is_committed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0, 1)
    desk.reader.shares[0].lanes.take(4, 1, [])
    for error in (KafkaError(KafkaError.REBALANCE_IN_PROGRESS), None):
        desk.reader._commit_s = 0.0
        desk.turn()
        desk.reader._on_commit(error, [TopicPartition(TOPIC, 0, 5), TopicPartition(TOPIC, 9, 5)])
    desk.reader._commit_s = 0.0
    desk.turn()
    assert desk.commits() == [({0: 5}, True)] * 2


def test_whoever_parts_with_a_share_does_not_rely_on_what_kafka_has_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0)
    desk.reader.shares[0].lanes.take(0, 1, [])
    desk.reader._commit_s = 0.0
    desk.turn()
    desk.reader._on_revoke(desk.consumer, [TopicPartition(TOPIC, 0)])
    assert desk.commits() == [({0: 1}, True), ({0: 1}, False)]


def test_what_is_done_behind_one_that_waits_is_committed_beside_the_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of one that was decided more than ten minutes ago is over: it would be applied again."""
    desk = Desk(monkeypatch)
    desk.assign(0)
    desk.turn(FakeMessage(4), FakeMessage(5))
    (share,) = desk.reader.shares
    share.done_behind = "5:0.1"
    for _ in range(2):
        desk.reader._commit_s = 0.0
        desk.turn()
    assert desk.commits() == [({0: 4}, True)]
    assert desk.consumer.metadata == {0: "5:0.1"}
    again = Desk(monkeypatch)
    again.consumer.has_committed, again.consumer.metadata = 4, {0: "5:0.1"}
    again.assign(0)
    again.turn(FakeMessage(4))
    assert again.reader.shares[0].passed_by == {5}


def test_a_share_is_committed_before_others_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0, 1)
    share, kept = desk.reader.shares
    share.lanes.take(4, 1, [])
    desk.reader._on_revoke(desk.consumer, [TopicPartition(TOPIC, 0)])
    assert desk.commits() == [({0: 5}, False)]
    assert (share.gone, kept.gone, desk.reader.shares) == (True, False, [kept])
    desk.turn(FakeMessage(9))
    assert desk.batches == []


def test_nothing_is_committed_of_a_share_that_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0)
    (share,) = desk.reader.shares
    share.lanes.take(4, 1, [])
    desk.reader._on_lost(desk.consumer, [TopicPartition(TOPIC, 0)])
    assert share.gone
    assert desk.commits() == []


def test_a_share_that_comes_back_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0)
    (share,) = desk.reader.shares
    desk.reader._on_revoke(desk.consumer, [TopicPartition(TOPIC, 0)])
    desk.assign(0)
    (again,) = desk.reader.shares
    assert again is not share
    assert again.lanes.committable is None


def test_full_shares_are_paused_until_they_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0)
    (share,) = desk.reader.shares
    for full in (True, True, False, False):
        share.full = full
        desk.turn()
    assert desk.consumer.calls[1:] == [("pause", 0), ("resume", 0)]


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_share_that_goes_while_it_is_paused_is_not_so_when_it_comes_back(
    monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    desk = Desk(monkeypatch)
    desk.assign(0, 1)
    desk.reader.shares[0].full = True
    desk.turn()
    part_with = desk.reader._on_lost if is_lost else desk.reader._on_revoke
    part_with(desk.consumer, [TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)])
    assert desk.consumer.calls[1:] == [("pause", 0), ("resume", 0)]


@pytest.mark.parametrize(
    ("committed", "low", "first", "lost"),
    [
        (4, 7, 7, "4 to 6"),
        (4, 0, 6, None),  # a transaction's marks
        (-1001, 7, 7, None),  # a new group: what was before it is not its own
        (7, 7, 7, None),
    ],
)
def test_what_retention_took_is_told(
    monkeypatch: pytest.MonkeyPatch, committed: int, low: int, first: int, lost: str | None
) -> None:
    desk, told = Desk(monkeypatch), Mock()
    monkeypatch.setattr(module, "logger", lambda: told)
    desk.consumer.has_committed, desk.consumer.low = committed, low
    desk.assign(0)
    desk.turn(FakeMessage(first), FakeMessage(first + 1))
    desk.turn(FakeMessage(first + 2))
    assert [call.kwargs["offsets"] for call in told.error.call_args_list] == ([lost] if lost else [])
    assert len(desk.batches) == 2


def test_a_topic_whose_id_is_not_told_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(KafkaSettings("x"), "group", lambda _: None, lambda: None)
    asked: list[str] = []

    class Admin:
        def identity(self, topic: str) -> Any:
            asked.append(topic)
            if len(asked) == 1:
                raise TopicError("not now", retriable=True)
            return type("Identity", (), {"topic_id": "the id"})

    monkeypatch.setattr(module, "reach_kafka", lambda _: Admin())
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    assert [reader._topic_id(TOPIC), reader._topic_id(TOPIC)] == ["the id"] * 2
    assert len(asked) == 2
