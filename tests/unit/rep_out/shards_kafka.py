"""The group of a destination, of which `Shards` asks: what it reads, pauses and commits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from tests.unit.core.propagation.test_follower import message

from dynabus.adapters.kafka.group_member import Where
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.global_tables.committed import Told
from dynabus.core.global_tables.floors import Word
from dynabus.core.global_tables.links import ACTIVE, Link
from dynabus.core.global_tables.sending import FOR_GOOD
from dynabus.core.key_schema import KeySchema
from dynabus.core.streams.view import read_stream
from dynabus.rep_out import shards as module
from dynabus.rep_out.feeds import Feed
from dynabus.rep_out.shards import LOOK_MS, Shards

TOPIC, CREATED_MS = "dynabus.stream.music", 5_000_000
TOLD = Told(17, 4.5)


def feed(
    shards: dict[int, int] | None = None, created_ms: int = CREATED_MS, *former: str, closed: Iterable[int] = ()
) -> Feed:
    """`shards`: parents by number. With former members the copy has their rows alone."""
    rows, forwards = [*former] or ["eu"], dict.fromkeys(former, FOR_GOOD)
    link = Link("t", "music", "us", 1, ACTIVE, created_ms, not former, "1", rows, forwards, "there")
    found = read_stream(message(shards=shards or {0: -1}))
    for number in closed:
        found.shards[number] = replace(found.shards[number], is_open=False)
    return Feed(link, found, KeySchema("pk", "S"))


class FakeError:
    def __init__(self, code: int) -> None:
        self._code = code

    def code(self) -> int:
        return self._code

    def str(self) -> str:
        return "an error"


class FakeMessage:
    def __init__(self, number: int, code: int | None = None) -> None:
        self._number, self._error = number, FakeError(code) if code is not None else None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return self._number

    def error(self) -> FakeError | None:
        return self._error


class Kafka:
    """A topic's extents and times, the group's commits, and what the reader was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.extents: dict[int, tuple[int, int]] = {}
        self.times: dict[int, int] = {}
        self.asked_ms: list[int] = []
        self.commits: dict[Where, tuple[int, str]] = {}
        self.takes = True
        self.asked = 0
        self.reading: dict[int, int] = {}
        self.paused: set[int] = set()
        self.messages: list[FakeMessage] = []
        self.begun: list[tuple[Where, int]] = []
        self.own_behind: dict[Where, int] = {}
        self.gone: list[Where] = []
        self.subscribed: list[str] = []
        monkeypatch.setattr(module, "Consumer", lambda *_, **__: self)
        monkeypatch.setattr(module, "GroupMember", self.member)
        monkeypatch.setattr(module, "extent_of", lambda _consumer, _topic, number, _s: self.extents[number])
        self.shards = Shards(KafkaSettings("x"), "eu", "group", 6000, self.note, self.gone.extend)

    def note(self, where: Where, offset: int, own_behind: int) -> None:
        self.begun.append((where, offset))
        self.own_behind[where] = own_behind

    def member(self, _properties: Any, assigned: Any, revoked: Any, lost: Any) -> Kafka:
        self.assign, self.revoke, self.lose = assigned, revoked, lost
        return self

    # -- the group ------------------------------------------------------------------------------------------------

    def subscribe(self, topics: Iterable[str]) -> None:
        self.subscribed = [*topics]

    def committed(self, wanted: Iterable[Where]) -> dict[Where, tuple[int, str] | None]:
        self.asked += 1
        return {where: self.commits.get(where) for where in wanted}

    def commit(self, offsets: list[TopicPartition]) -> bool:
        if self.takes:
            for each in offsets:
                self.commits[each.topic, each.partition] = (each.offset, each.metadata or "")
        return self.takes

    # -- the reader -----------------------------------------------------------------------------------------------

    def poll(self, *_: Any) -> FakeMessage | None:
        return self.messages.pop(0) if self.messages else None

    def consume(self, *_: Any, **__: Any) -> list[FakeMessage]:
        messages, self.messages = self.messages, []
        return messages

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self.reading |= {each.partition: each.offset for each in places}

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        """What is paused stays so, as in librdkafka."""
        for each in places:
            del self.reading[each.partition]

    def pause(self, places: list[TopicPartition]) -> None:
        assert {each.partition for each in places} <= self.reading.keys()
        self.paused |= {each.partition for each in places}

    def resume(self, places: list[TopicPartition]) -> None:
        assert {each.partition for each in places} <= self.reading.keys()
        self.paused -= {each.partition for each in places}

    def offsets_for_times(self, asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        [each] = asked
        self.asked_ms.append(each.offset)
        return [TopicPartition(each.topic, each.partition, self.times.get(each.partition, -1))]

    def get_watermark_offsets(self, where: TopicPartition, cached: bool) -> tuple[int, int]:
        return self.extents[where.partition]


WORD = Word(500, 7, frozenset({"eu", "us"}))


def begin(kafka: Kafka, *numbers: int, shards: dict[int, int] | None = None) -> None:
    kafka.shards.follow({TOPIC: feed(shards)})
    kafka.assign([(TOPIC, number) for number in numbers])
    kafka.shards.poll(LOOK_MS)
