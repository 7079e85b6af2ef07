"""Consumers of a stream's topic on an in-memory Kafka: what comes, in which order, and what comes again."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.unit.core.propagation.test_follower import LABEL, message

from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.mock import MockCluster
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.stream_codec import encode_output
from dynabus.client import Change, ClientError, Item, NoStreamError, Stream, TrimmedDataError, stream
from dynabus.core.propagation.outputs import Output
from dynabus.core.streams.changes import Change as LogChange
from dynabus.core.streams.reading import CHANGE, CLOSED, OPENED
from dynabus.core.streams.sequence import Sequence
from dynabus.core.streams.view import read_stream
from dynabus.core.topics import Topics

pytestmark = pytest.mark.slow
"""Groups of the mock begin after three seconds."""

TABLE, GROUP = "music", "archive"
TOPIC = Topics().stream_name(TABLE, LABEL)
WAIT_S = 20.0

Records = list[tuple[int, str, int, str]]
"""Shard, type, offset in the log, item's key."""


class Stage:
    """A mock Kafka with a cluster's metadata and a stream's topic (of four topic partitions, as all of the mock)."""

    def __init__(self, shards: dict[int, int]) -> None:
        self.kafka = MockCluster()
        self._producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})
        self.shards = shards
        self.tell()

    def tell(self, status: str = "ENABLED", version: int = 8) -> None:
        """Metadata of the stream."""
        value = encode("stream_metadata", message(status, version, shards=self.shards))
        self._producer.produce(Topics().metadata().name, value, partition=0)
        self._producer.flush()

    def write(self, *records: tuple[int, str, int, str]) -> None:
        for number, kind, offset, key in records:
            item = {"pk": {"S": key}, "n": {"N": str(offset)}}
            change = LogChange("INSERT", {"pk": item["pk"]}, None, item, 5) if kind == CHANGE else None
            output = Output(read_stream(message(shards=self.shards)), number, kind, Sequence(1, 5, offset), change)
            made = encode_output(output, 5)
            self._producer.produce(TOPIC, made.value, made.key, partition=number, headers=made.headers)
        self._producer.flush()

    def committed(self) -> bool:
        """The group has begun."""
        consumer = Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": GROUP, "log_level": 0})
        [found] = consumer.committed([TopicPartition(TOPIC, 0)], timeout=5)
        consumer.close()
        return bool(found.offset >= 0)

    def stream(self, group: str = GROUP, **more: Any) -> Stream[Any]:
        return stream(TABLE, group=group, kafka=self.kafka.bootstrap, **more)


@pytest.fixture(autouse=True)
def short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock lets a member that has left run out, and begins a group after three seconds."""
    monkeypatch.setattr("dynabus.client.consumer.SESSION_MS", 5000)


@pytest.fixture
def stage() -> Stage:
    return Stage({0: -1})


@pytest.fixture
def split() -> Stage:
    """Shard 0 was split into 1 and 2."""
    made = Stage({0: -1, 1: 0, 2: 0})
    made.write((1, OPENED, 0, ""), (1, CHANGE, 1, "child"), (2, OPENED, 0, ""), (2, CHANGE, 1, "other"))
    made.write((0, OPENED, 0, ""), (0, CHANGE, 1, "parent"), (0, CHANGE, 2, "parent"), (0, CLOSED, 3, ""))
    return made


def take(changes: Stream[Item], count: int) -> list[str]:
    """Keys of the next changes."""
    found = []
    for _ in range(count):
        change = changes.poll(WAIT_S)
        assert change is not None
        found.append(key(change))
    return found


def key(change: Change[Item]) -> str:
    return str(change.keys["pk"])


def test_changes_come_once_and_in_order(stage: Stage) -> None:
    stage.write(
        (0, OPENED, 0, ""), (0, CHANGE, 1, "a"), (0, CHANGE, 2, "b"), (0, CHANGE, 1, "a"), (0, CHANGE, 3, "c")
    )
    with stage.stream() as changes:
        assert take(changes, 3) == ["a", "b", "c"], "the second a is a propagator's repeat"
        assert changes.poll(0.5) is None


def test_another_member_goes_on_where_the_first_has_left(stage: Stage) -> None:
    stage.write((0, OPENED, 0, ""), (0, CHANGE, 1, "a"), (0, CHANGE, 2, "b"), (0, CHANGE, 3, "c"))
    with stage.stream() as changes:
        assert take(changes, 2) == ["a", "b"]
    # A repeat of what was processed by the first is a repeat for the second.
    stage.write((0, CHANGE, 2, "b"), (0, CHANGE, 4, "d"))
    with stage.stream() as changes:
        assert take(changes, 2) == ["c", "d"]


def test_what_is_processed_is_committed_while_there_is_enough_to_hand_out(stage: Stage) -> None:
    """An application may take its time for each of the hundreds of changes that came together."""
    stage.write((0, OPENED, 0, ""), *((0, CHANGE, offset, "a") for offset in range(1, 400)))
    with stage.stream(commit_every_s=0.05) as changes:
        taken = 0
        while not stage.committed():
            take(changes, 1)
            taken += 1
        assert taken < 399


def test_a_change_that_was_not_processed_comes_again(stage: Stage) -> None:
    stage.write((0, OPENED, 0, ""), (0, CHANGE, 1, "a"), (0, CHANGE, 2, "b"))
    with pytest.raises(AssertionError), stage.stream() as changes:
        assert take(changes, 2) == ["a", "not b"]
    changes = stage.stream()
    assert take(changes, 1) == ["b"]
    changes.close()
    changes = stage.stream()
    assert take(changes, 1) == ["b"], "it was in hand when the consumer was closed"
    changes.commit()
    changes.close()
    with stage.stream() as changes:
        assert changes.poll(1.5) is None


def test_a_change_that_cannot_be_parsed_is_not_skipped(stage: Stage) -> None:
    stage.write((0, OPENED, 0, ""), (0, CHANGE, 1, "a"))
    with stage.stream(parse=lambda item: item["not there"]) as changes:
        for _ in range(2):
            with pytest.raises(KeyError):
                changes.poll(WAIT_S)
    with stage.stream(parse=lambda item: int(item["n"])) as numbers:
        change = numbers.poll(WAIT_S)
        assert change is not None
        assert change.new == 1


def test_children_come_after_their_parent(split: Stage) -> None:
    with split.stream() as changes:
        found = take(changes, 4)
    assert found[:2] == ["parent", "parent"]
    assert sorted(found[2:]) == ["child", "other"]


def test_children_wait_for_a_parent_that_another_member_has_not_processed(split: Stage) -> None:
    """Two members; whoever has the parent stops at its first change."""
    found: list[str] = []
    stopped, go_on = threading.Event(), threading.Event()

    def read(changes: Stream[Item]) -> None:
        while len(found) < 4:
            change = changes.poll(0.2)
            if change is None:
                continue
            if not found:
                stopped.set()
                assert go_on.wait(WAIT_S)
            found.append(key(change))
        changes.close()

    members = [threading.Thread(target=read, args=(split.stream(commit_every_s=0.1),)) for _ in range(2)]
    for each in members:
        each.start()
    assert stopped.wait(WAIT_S)
    assert not found
    go_on.set()
    for each in members:
        each.join(2 * WAIT_S)
    assert found[:2] == ["parent", "parent"]
    assert sorted(found[2:]) == ["child", "other"]


def test_who_wants_what_is_new_begins_at_the_end(stage: Stage) -> None:
    stage.write((0, OPENED, 0, ""), (0, CHANGE, 1, "old"))
    with stage.stream(begin="newest") as changes:
        while not stage.committed():
            assert changes.poll(0.1) is None
        stage.write((0, CHANGE, 2, "new"))
        assert take(changes, 1) == ["new"]


def test_it_ends_where_the_stream_ends(stage: Stage) -> None:
    stage.write((0, OPENED, 0, ""), (0, CHANGE, 1, "a"), (0, CLOSED, 2, ""))
    stage.tell("DISABLED", version=9)
    with stage.stream() as changes:
        assert [key(change) for change in changes] == ["a"]
        assert list(changes) == []


def test_it_ends_when_the_stream_is_deleted(stage: Stage) -> None:
    with stage.stream() as changes:
        assert changes.poll(1.0) is None
        stage.tell("DELETED", version=9)
        assert list(changes) == []


def test_async_for_is_the_same(split: Stage) -> None:
    async def read() -> list[str]:
        found = []
        async with split.stream() as changes:
            async for change in changes:
                found.append(key(change))
                if len(found) == 4:
                    break
        return found

    assert asyncio.run(read())[:2] == ["parent", "parent"]
    with split.stream() as changes:
        assert changes.poll(1.5) is None, "all was processed"


def test_what_comes_while_nobody_waits_any_more_is_not_lost(stage: Stage) -> None:
    async def read() -> list[str]:
        async with stage.stream() as changes:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(changes), 1.0)
            stage.write((0, OPENED, 0, ""), (0, CHANGE, 1, "a"), (0, CHANGE, 2, "b"))
            return [key(await asyncio.wait_for(anext(changes), WAIT_S)) for _ in range(2)]

    assert asyncio.run(read()) == ["a", "b"]


def test_it_can_be_left_while_it_waits(stage: Stage) -> None:
    async def wait() -> None:
        async with stage.stream() as changes:
            await asyncio.wait_for(anext(changes), 0.5)

    with pytest.raises(TimeoutError):
        asyncio.run(wait())


def test_a_gap_is_an_error_unless_it_is_wished_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention took what the group had not processed."""
    stage.write((0, OPENED, 0, ""), (0, CHANGE, 1, "a"), (0, CHANGE, 2, "b"), (0, CHANGE, 3, "c"))
    with stage.stream() as changes:
        assert take(changes, 1) == ["a"]
    monkeypatch.setattr("dynabus.client.consumer.extent_of", trimmed)
    changes = stage.stream()
    for _ in range(2):
        # It is not gone on without that shard by whoever asks again.
        with pytest.raises(TrimmedDataError, match="1 records behind what the group has processed are gone"):
            changes.poll(WAIT_S)
    changes.close()
    with stage.stream(on_trimmed="continue") as changes:
        assert take(changes, 1) == ["c"]


def trimmed(reader: Consumer, topic: str, number: int, timeout_s: float) -> tuple[int, int]:
    """As if the first three records of shard 0 were gone."""
    low, end = extent_of(reader, topic, number, timeout_s)
    return max(low, 3 if number == 0 else 0), end


@pytest.mark.parametrize(
    ("table", "more", "says"),
    [
        ("another", {}, "table another has no stream; StreamSpecification"),
        (TABLE, {"label": "2020-01-01T00:00:00.000"}, "has no stream 2020-01-01"),
        (TABLE, {"namespace": "elsewhere"}, "no topic elsewhere.metadata"),
    ],
)
def test_what_is_not_there_is_said(stage: Stage, table: str, more: dict[str, str], says: str) -> None:
    with pytest.raises(NoStreamError, match=says):
        stream(table, group=GROUP, kafka=stage.kafka.bootstrap, **more)  # type: ignore[call-overload]


def test_properties_on_which_delivery_rests_are_refused(stage: Stage) -> None:
    with pytest.raises(ClientError, match=r"enable\.auto\.commit: set by dynabus\.client"):
        stage.stream(config={"enable.auto.commit": "true"})
