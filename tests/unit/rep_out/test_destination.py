"""A turn of a destination is a contract: hear, read, send, and commit only what is acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import pytest
from confluent_kafka import KafkaException
from tests.unit.adapters.test_stream_codec import ITEM, STREAM

from dynabus.adapters.kafka.group_member import Where
from dynabus.adapters.stream_codec import encode_output
from dynabus.core.global_tables.committed import Told
from dynabus.core.global_tables.floors import Floors, Word
from dynabus.core.global_tables.links import ACTIVE, COPYING, Link
from dynabus.core.global_tables.regions import Peer
from dynabus.core.global_tables.rep_out import BATCH_CHANGES, WAITING_BYTES, Batch
from dynabus.core.global_tables.sending import FOR_GOOD
from dynabus.core.global_tables.unseen import Unseen
from dynabus.core.global_tables.versions import written
from dynabus.core.global_tables.window import BATCHES_MOST, RESEND_MS
from dynabus.core.key_schema import KeySchema
from dynabus.core.propagation.outputs import Output
from dynabus.core.streams.changes import Change
from dynabus.core.streams.reading import CHANGE, CLOSED, FLOORS, OPENED, VERSION
from dynabus.core.streams.sequence import Sequence
from dynabus.rep_out import destination as module
from dynabus.rep_out.config import RepOutSettings
from dynabus.rep_out.destination import Destination
from dynabus.rep_out.feeds import Feed
from dynabus.rep_out.line import Line
from dynabus.rep_out.shards import Shards

TOPIC, NOW_MS = "dynabus.stream.music", 1_700_000_000_000
PEER = Peer("us", 1, "there:9092", "there", "", "{}", False)
FEED = Feed(Link("t", "music", "us", 1, ACTIVE, 0, True, "1", ["eu"], {}, "there"), STREAM, KeySchema("pk", "S"))


class FakeMessage:
    """A record of a shard."""

    def __init__(
        self,
        offset: int,
        kind: str = CHANGE,
        region: str | None = "eu",
        sequence: int | None = None,
        topic: str = TOPIC,
    ) -> None:
        self._topic = topic
        change = Change("MODIFY", {"pk": {"S": "a"}}, ITEM, ITEM, NOW_MS) if kind == CHANGE else None
        place = Sequence(1, NOW_MS, offset if sequence is None else sequence)
        floors = Floors("eu", frozenset({"us"}), {"us": 5}, promised=offset).encode() if kind == FLOORS else b""
        version = written(None, region or "", NOW_MS - 50).encode()
        unseen = Unseen(b"gone", version, None) if kind == VERSION else None
        self._offset, self._made = (
            offset,
            encode_output(Output(STREAM, 0, kind, place, change, floors=floors, unseen=unseen), NOW_MS),
        )
        header = [("dynabus-version", version)] if region and unseen is None else []
        self._headers = [*self._made.headers, *header]

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def headers(self) -> list[Any]:
        return self._headers

    def value(self) -> bytes | None:
        return self._made.value

    def damage(self) -> None:
        self._made = self._made._replace(value=b"?")


class Stage:
    """Line and shards as lists; `done` is what was done, in order."""

    has_gap = False
    refuses = False
    problem: str | None = None

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.now_ms = 0.0
        monkeypatch.setattr(module, "exact_ms", lambda: self.now_ms)
        monkeypatch.setattr(module, "unix_ms", lambda: NOW_MS)
        self.done: list[str] = []
        self.records: list[FakeMessage] = []
        self.told: list[tuple[str, int]] = []
        self.sent: list[tuple[str, str, Batch]] = []
        self.commits: list[dict[Where, int]] = []
        self.paused: set[str] = set()
        self.has_ended = False
        self.commits_well = True
        self.beside: Told | None = None
        self.said: Word | None = None
        wished = RepOutSettings(name="rep-out-1", commit_every_ms=10, **settings)
        self.destination = Destination(wished, "eu", PEER, lambda: None, lambda: WAITING_BYTES)
        self.destination.feeds = {TOPIC: FEED}
        self.destination.begin(cast("Line", self), cast("Shards", self))
        self.destination._begun((TOPIC, 0), 0, 0)

    # -- the line -------------------------------------------------------------------------------------------------

    def lacks(self) -> bool:
        return self.has_gap

    def acknowledged(self, timeout_s: float) -> list[tuple[str, int]]:
        self.done.append("hear")
        told, self.told = self.told, []
        return told

    def send(self, sender: str, link: Link, batch: Batch) -> None:
        self.done.append("send")
        self.sent.append((sender, link.name, batch))

    # -- the shards -----------------------------------------------------------------------------------------------

    def follow(self, feeds: Mapping[str, Feed]) -> None:
        self.done.append(f"follow {len(feeds)}")
        if self.refuses:
            raise KafkaException

    def poll(self, now_ms: float) -> None:
        """Tests begin and end shards."""

    def read(self, timeout_s: float) -> list[FakeMessage]:
        self.done.append("read")
        records, self.records = self.records, []
        return records

    def pause(self, full: Any) -> None:
        self.paused = {*full}

    def ended(self, where: Where, offset: int) -> None:
        self.done.append(f"ended {offset}")
        self.has_ended = True

    def words(self) -> dict[str, Word]:
        return {} if self.said is None else {TOPIC: self.said}

    def is_read(self, where: Where) -> bool:
        return not self.has_ended

    def commit(self, due: dict[Where, int], told: Told) -> bool:
        self.done.append("commit")
        self.beside = told
        if self.commits_well:
            self.commits.append(due)
        return self.commits_well

    def backlog(self) -> int:
        return 3

    def turn(self) -> list[str]:
        self.done.clear()
        self.now_ms += 20
        self.destination.turn()
        return [*self.done]

    def acknowledge(self, *numbers: int) -> None:
        self.told += [(self.sent[-1][0], number) for number in numbers]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_nothing_is_committed_before_it_is_acknowledged(stage: Stage) -> None:
    stage.records = [FakeMessage(0, OPENED), FakeMessage(1), FakeMessage(2)]
    assert stage.turn() == ["hear", "follow 1", "read", "send"]
    [(sender, table, batch)] = stage.sent
    assert (table, len(batch.exports)) == ("music", 2)
    assert sender.startswith("rep-out-1/")
    assert stage.turn() == ["hear", "read"]
    stage.told = [("somebody else", batch.number)]
    assert stage.turn() == ["hear", "read"]
    stage.acknowledge(batch.number)
    assert stage.turn() == ["hear", "read", "commit"]
    assert stage.commits == [{(TOPIC, 0): 3}]
    assert stage.beside == Told(NOW_MS - 50, 50.0)
    assert stage.turn() == ["hear", "read"]


def test_what_is_not_taken_is_committed_again(stage: Stage) -> None:
    stage.records = [FakeMessage(0, OPENED)]
    stage.commits_well = False
    assert "commit" in stage.turn()
    stage.commits_well = True
    stage.turn()
    assert stage.commits == [{(TOPIC, 0): 1}]


def test_what_arrived_by_replication_is_passed_by_and_a_repeat_is_left_out(stage: Stage) -> None:
    stage.records = [FakeMessage(0, region="us"), FakeMessage(1, sequence=0), FakeMessage(2, sequence=2)]
    stage.turn()
    [(_, _, batch)] = stage.sent
    assert len(batch.exports) == 1
    assert stage.destination.status()["passed"] == 1


def test_what_a_region_wrote_that_is_gone_is_sent_on_with_its_item(stage: Stage) -> None:
    link = FEED.link._replace(created_ms=5, forwards={"ap": FOR_GOOD})
    stage.destination.feeds = {TOPIC: FEED._replace(link=link)}
    stage.records = [FakeMessage(0, region="ap"), FakeMessage(1, region="us")]
    stage.turn()
    [(_, _, batch)] = stage.sent
    [change] = batch.exports
    assert (change.version.stamp.region, change.item is not None, change.key != b"") == ("ap", True, True)


def test_so_is_what_changed_no_item_there(stage: Stage) -> None:
    """A deletion of what was not there: another region may have the item."""
    link = FEED.link._replace(created_ms=5, forwards={"ap": FOR_GOOD})
    stage.destination.feeds = {TOPIC: FEED._replace(link=link)}
    stage.records = [FakeMessage(0, VERSION, "us"), FakeMessage(1, VERSION, "ap"), FakeMessage(2, VERSION, "ap", 1)]
    stage.turn()
    ((_, _, batch),) = stage.sent
    assert [(each.key, each.item, each.version.stamp.region) for each in batch.exports] == [(b"gone", None, "ap")]


def test_what_arrived_by_replication_is_not_looked_into(stage: Stage) -> None:
    stage.records = [FakeMessage(0, region="us"), FakeMessage(1)]
    for record in stage.records:
        record.damage()
    stage.turn()
    assert stage.destination.undecodable == 1
    assert stage.commits == [{(TOPIC, 0): 2}], "and what is none is left out"


def test_a_record_without_a_version_is_left_to_the_initial_copy(stage: Stage) -> None:
    stage.records = [FakeMessage(0, region=None), FakeMessage(1)]
    stage.turn()
    assert [len(batch.exports) for _, _, batch in stage.sent] == [1]
    stage.acknowledge(1)
    stage.turn()
    assert stage.commits == [{(TOPIC, 0): 2}]


def test_the_end_of_a_shard_is_told_and_committed_behind_its_changes(stage: Stage) -> None:
    stage.records = [FakeMessage(0), FakeMessage(1, CLOSED)]
    assert stage.turn() == ["hear", "follow 1", "read", "ended 1", "send"]
    stage.acknowledge(1)
    stage.turn()
    assert stage.commits == [{(TOPIC, 0): 2}]


def test_repeats_behind_the_end_of_a_shard_do_not_count(stage: Stage) -> None:
    stage.records = [FakeMessage(0), FakeMessage(1, CLOSED), FakeMessage(2, sequence=0), FakeMessage(3, CLOSED)]
    assert stage.turn() == ["hear", "follow 1", "read", "ended 1", "send"]
    stage.acknowledge(1)
    stage.turn()
    assert stage.commits == [{(TOPIC, 0): 2}]


def test_what_is_not_acknowledged_is_sent_again(stage: Stage) -> None:
    stage.records = [FakeMessage(0)]
    stage.turn()
    stage.now_ms += RESEND_MS
    assert "send" in stage.turn()
    assert stage.sent[0] == stage.sent[1]
    assert stage.destination.status()["resent"] == 1


def test_while_a_table_is_full_it_is_not_read(stage: Stage) -> None:
    count = 2 * BATCH_CHANGES * BATCHES_MOST
    stage.records = [FakeMessage(offset) for offset in range(count)]
    stage.turn()
    assert len(stage.sent) == BATCHES_MOST
    assert stage.paused == {TOPIC}
    stage.acknowledge(1, 2, 3, 4)
    stage.turn()
    assert not stage.paused
    assert len(stage.sent) == 2 * BATCHES_MOST


def test_catching_up_is_bounded_by_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, catch_up_per_s=100)
    stage.records = [FakeMessage(offset) for offset in range(400)]
    for _ in range(100):
        stage.turn()
        stage.acknowledge(*(batch.number for _, _, batch in stage.sent))
    changes = sum(len(batch.exports) for _, _, batch in stage.sent)
    assert 250 <= changes <= 100 + 100 * 2


def test_a_busy_table_does_not_starve_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, catch_up_per_s=100)
    other = Feed(FEED.link._replace(name="art"), STREAM, FEED.schema)
    topics = {TOPIC: FEED, **{f"dynabus.stream.{number}": other for number in range(3)}}
    stage.destination.feeds = topics
    stage.records = [FakeMessage(offset, topic=topic) for topic in topics for offset in range(400)]
    for topic in topics:
        stage.destination._begun((topic, 0), 0, 0)
    for _ in range(100):
        stage.turn()
        stage.told = [(sender, batch.number) for sender, _, batch in stage.sent]
    changes = Counter[str]()
    for sender, _, batch in stage.sent:
        changes[sender] += len(batch.exports)
    assert len(changes) == len(topics)
    assert max(changes.values()) < 1.2 * min(changes.values())
    assert 250 <= sum(changes.values()) <= 100 + 100 * 2


def test_of_shards_that_others_have_nothing_is_committed(stage: Stage) -> None:
    stage.records = [FakeMessage(0)]
    stage.turn()
    stage.destination._gone([(TOPIC, 0)])
    stage.acknowledge(1)
    stage.turn()
    assert stage.commits == []


def test_a_stream_that_is_sent_no_more_is_forgotten(stage: Stage) -> None:
    stage.records = [FakeMessage(0)]
    stage.turn()
    stage.destination.feeds = {}
    assert "follow 0" in stage.turn()
    stage.now_ms += 2 * RESEND_MS
    assert "send" not in stage.turn()
    assert stage.destination.oldest_ms is None


def test_where_kafka_refuses_streams_are_followed_once_more(stage: Stage) -> None:
    stage.records = [FakeMessage(0)]
    stage.turn()
    stage.destination.feeds, stage.refuses = {}, True
    with pytest.raises(KafkaException):
        stage.turn()
    stage.refuses = False
    assert stage.turn() == ["hear", "follow 0", "read"]
    assert not stage.destination.brains


def test_what_an_earlier_brain_sent_is_not_taken_for_what_this_one_sends(stage: Stage) -> None:
    stage.records = [FakeMessage(0)]
    stage.turn()
    for feeds in ({}, {TOPIC: FEED}):
        stage.destination.feeds = feeds
        stage.turn()
    stage.destination._begun((TOPIC, 0), 0, 0)
    stage.records = [FakeMessage(0, sequence=1)]
    stage.turn()
    (before, _, first), (after, _, second) = stage.sent
    assert (first.number, second.number) == (1, 1)
    assert before != after
    stage.told = [(before, 1)]
    stage.turn()
    assert stage.commits == []
    stage.acknowledge(1)
    stage.turn()
    assert stage.commits == [{(TOPIC, 0): 1}]


def test_a_destination_that_replaces_another_one_is_another_sender(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Stage(monkeypatch)
    for each in (stage, other):
        each.records = [FakeMessage(0)]
        each.turn()
    assert stage.sent[0][0] != other.sent[0][0]


def test_alarms_say_what_is_wrong(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stage.destination.alarm() is None
    stage.records = [FakeMessage(0)]
    stage.problem = "refused"
    stage.turn()
    assert stage.destination.status()["alarm"] == "refused"
    monkeypatch.setattr(module, "unix_ms", lambda: NOW_MS + 7 * 3_600_000)
    assert "for long" in stage.destination.status()["alarm"]
    stage.has_gap = True
    assert "copied again" in stage.destination.status()["alarm"]


def test_a_record_of_floors_is_committed_as_a_word_once_all_before_it_is_acknowledged(stage: Stage) -> None:
    stage.records = [FakeMessage(0), FakeMessage(1, FLOORS, None), FakeMessage(2)]
    stage.turn()
    stage.turn()
    assert stage.commits == []
    stage.acknowledge(1)
    stage.turn()
    assert stage.commits == [{(TOPIC, 0): 3}]
    assert stage.beside is not None
    assert stage.beside.words == {(TOPIC, 0): Word(1, 5, frozenset({"eu", "us"}))}


def test_the_destination_is_told_every_so_often_what_may_be_said(stage: Stage) -> None:
    stage.said = Word(1, 2, frozenset(), "there")
    stage.turn()
    assert [batch.word for _, _, batch in stage.sent] == [stage.said]
    stage.acknowledge(1)
    stage.said = stage.said._replace(time=3)
    stage.turn()
    assert len(stage.sent) == 1, "it was told just now"
    stage.now_ms += 30_000
    stage.turn()
    assert [batch.word for _, _, batch in stage.sent[1:]] == [stage.said]
    stage.acknowledge(2)
    stage.said = None
    stage.now_ms += 30_000
    stage.turn()
    assert len(stage.sent) == 2
    stage.records = [FakeMessage(0)]
    stage.turn()
    assert stage.sent[-1][2].word is None, "what was said before may not be so any more"


def test_once_items_are_copied_again_nothing_more_is_said(stage: Stage) -> None:
    stage.said = Word(1, 2, frozenset(), "there")
    stage.turn()
    stage.destination.feeds = {TOPIC: FEED._replace(link=FEED.link._replace(status=COPYING))}
    stage.records = [FakeMessage(0)]
    stage.turn()
    assert [batch.word for _, _, batch in stage.sent] == [stage.said, None]
    stage.now_ms += RESEND_MS
    stage.turn()
    assert [(batch.number, batch.word) for _, _, batch in stage.sent[2:]] == [(1, None), (2, None)]
