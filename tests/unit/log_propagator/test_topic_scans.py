"""What is looked for in a table topic: keys whose last record is of a lower generation, of one partition's range."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError
from tests.unit.core.propagation.test_follower import ROOT
from tests.unit.core.propagation.test_table_topic_logs import topic_of

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.table_codec import generation_of
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.backfill import Page
from dynabus.core.key_schema import key_schema
from dynabus.core.propagation.propagator import PageWish
from dynabus.core.propagation.sweeps import behind_topic_partition, is_topic_sweep, sweeps_of, topic_position
from dynabus.core.propagation.view import DerivedView
from dynabus.core.topics import Topics
from dynabus.log_propagator import topic_scans
from dynabus.log_propagator.topic_scans import TopicScans

DESCRIPTION = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
SCHEMA = key_schema(DESCRIPTION)
[LABEL] = sweeps_of(["topic/1", "2026-11-28T22:53:32.123"], 3)


class FakeMessage:
    def __init__(self, offset: int, key: str = "", generation: int = 0, value: bytes | None = b"1") -> None:
        self._told = offset, b'{"pk":{"S":"%s"}}' % key.encode(), value
        self._headers = [("generation", b"%d" % generation)] if generation else None
        self._error = None if key else KafkaError(KafkaError._PARTITION_EOF)

    def error(self) -> KafkaError | None:
        return self._error

    def offset(self) -> int:
        return self._told[0]

    def key(self) -> bytes:
        return self._told[1]

    def value(self) -> bytes | None:
        return self._told[2]

    def headers(self) -> Any:
        return self._headers


RECORDS = [
    FakeMessage(0, "stale", 2),
    FakeMessage(1, "kept", 2),
    FakeMessage(2, "deleted", 2),
    FakeMessage(5),
    FakeMessage(6, "kept", 3),
    FakeMessage(7, "deleted", 2, None),
    FakeMessage(8, "new", 4),
    FakeMessage(9, "again", 3, None),
    FakeMessage(10, "again", 2),
    FakeMessage(12),
]
"""The end before the last one is that of what is committed at first: the look goes on behind it."""


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[FakeMessage]:
    left = [*RECORDS]
    consumer = SimpleNamespace(
        poll=lambda _timeout: left.pop(0) if left else None,
        consume=lambda _most, timeout: [left.pop(0)] if left else [],
        assign=lambda _where: None,
        close=lambda: None,
    )
    monkeypatch.setattr(topic_scans, "Consumer", lambda *_, **__: consumer)
    monkeypatch.setattr(topic_scans, "extent_of", lambda *_: (0, 12))
    return left


def scans(lower: bytes = b"") -> TopicScans:
    derived = DerivedView()
    derived.take_table_topic(topic_of())
    own = {"number": 0, "lower": lower, "upper": None}
    table = SimpleNamespace(name="music", schema=SCHEMA, partitions=[own])
    view: Any = SimpleNamespace(table=lambda _log: table)
    return TopicScans(KafkaSettings("127.0.0.1:1"), Topics(), view, derived)


def looked(own: TopicScans, wish: PageWish) -> list[tuple[PageWish, Page]]:
    assert own.wish([wish]) == []
    assert own._job is not None
    own._job[1].exception(10)
    return own.take()


WISH = PageWish(ROOT, LABEL, b"", 50)


def test_keys_of_lower_generations_are_found(messages: list[FakeMessage]) -> None:
    ((wish, page),) = looked(scans(), WISH)
    assert wish == WISH
    assert [item["pk"]["S"] for item in page.items] == ["stale", "again"]
    assert (page.next_offset, page.behind) == (50, b"\x01")
    assert messages == []


def test_of_its_own_range(messages: list[FakeMessage]) -> None:
    lower = max(SCHEMA.encode_item({"pk": {"S": key}}) for key in ("stale", "again"))
    ((_, page),) = looked(scans(lower), WISH)
    assert len(page.items) == 1


def test_what_does_not_end_is_looked_at_again(messages: list[FakeMessage]) -> None:
    del messages[5:]
    assert looked(scans(), WISH) == []


def test_the_last_topic_partition_has_none_behind_it(messages: list[FakeMessage]) -> None:
    ((_, page),) = looked(scans(), WISH._replace(position=b"\x02"))
    assert page.behind is None
    assert [behind_topic_partition(number, 3) for number in range(3)] == [b"\x01", b"\x02", None]
    assert [topic_position(position) for position in (b"", b"\x01")] == [0, 1]


def test_other_pages_are_somebody_else_s() -> None:
    other = [WISH._replace(label="topic/1"), WISH._replace(label="sweep/3/index/1")]
    assert not any(is_topic_sweep(each.label) for each in other)
    assert scans().wish(other) == other


def test_a_record_that_no_propagator_wrote_is_not_guessed_at() -> None:
    with pytest.raises(UndecodableMessage):
        generation_of(FakeMessage(0, "a"))  # type: ignore[arg-type]


def test_a_table_that_is_not_known_waits() -> None:
    own = TopicScans(KafkaSettings("127.0.0.1:1"), Topics(), ClusterView(), DerivedView())
    assert own.wish([WISH]) == []
    assert own.take() == []
