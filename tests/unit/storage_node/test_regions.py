"""A storage node's part of global tables: logs say what metadata say, and other regions' writes are decided."""

from __future__ import annotations

from typing import Any, cast
from unittest.mock import Mock

import orjson
import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    KafkaError,
)
from tests.unit.storage_node.stand_ins import ME, PARTITION, hosted, leading, read_back, regions
from tests.unit.storage_node.test_inbox import Desk, Operations

from dynabus.adapters.clock import unix_ms
from dynabus.adapters.codec import encode
from dynabus.core.admission import Mode
from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError
from dynabus.core.global_tables.floors import Floors, Word
from dynabus.core.global_tables.forgetting import Forgetting, encode_word
from dynabus.core.global_tables.leading import floors_in
from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp, Version
from dynabus.core.ids import Incarnation, RequestId
from dynabus.core.key_schema import KeySchema
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations import delete_item
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.replication.effects import Append, Respond
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.rows import item_of
from dynabus.core.topics import Topics
from dynabus.storage_node.capacity.admission import NodeAdmission
from dynabus.storage_node.intake import Intake
from dynabus.storage_node.regions import CLOCK_AHEAD
from dynabus.storage_node.replicas.heartbeats import replica_state
from dynabus.storage_node.replicas.hosted import Hosted

SCHEMA = KeySchema("pk", "S", None, None)
KEY = SCHEMA.encode({"pk": {"S": "k"}})


def metadata(version: int, *regions: str) -> dict[str, Any]:
    partition = {
        "number": 0,
        "generation": 1,
        "lower": b"",
        "upper": None,
        "members": ["node-1"],
        "preferred": "node-1",
        "state": "active",
        "lineage": [],
        "joining": [],
    }
    description = {
        "TableName": "t",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    return {
        "id": PARTITION.log,
        "name": "t",
        "version": version,
        "status": "ACTIVE",
        "description": orjson.dumps(description),
        "partitions": [partition],
        "time_to_live": "",
        "ingest": False,
        "regions": [*regions],
    }


class Regions:
    """One replica, and what metadata say."""

    def __init__(self, replica: Hosted) -> None:
        self.replica, self.view, self.now_ms = replica, ClusterView(), 10.0
        self.tables = regions(self.view, 1_000)
        self.tables.wall_ms = lambda: self.wall_ms
        self.wall_ms = self.broker_ms = 1_000

    def say(self, version: int, *regions: str) -> bool:
        """Whether it does anything about it."""
        self.view.take("table_metadata", metadata(version, *regions), 0.0)
        return self.step()

    def step(self, ms: float = 1_000) -> bool:
        self.now_ms += ms
        self.wall_ms += int(ms)
        self.broker_ms += int(ms)
        self.tables.broker.age_ms(self.now_ms, self.broker_ms, 1)
        done = self.tables.step([self.replica], self.now_ms)
        read_back(self.replica, self.now_ms)
        return bool(done)

    @property
    def floors(self) -> Floors | None:
        assert self.replica.replica.leader is not None
        return self.replica.replica.leader.floors

    @property
    def known(self) -> tuple[str, set[str]]:
        assert self.floors is not None
        return self.floors.region, {*self.floors.others}

    def hear(self, region: str, time: int, seen: int, *known: str) -> None:
        word = Word(time, seen, frozenset(known))
        part = part_to(PARTITION.log, 0, 1, Code.FLOORS, b"", detail=encode_word(region, word))
        assert self.tables.hearing(self.replica, part)(self.replica.store).status == ReplyStatus.OK


def test_a_table_that_is_not_global_costs_no_record() -> None:
    regions = Regions(leading())
    assert not regions.say(1)
    assert regions.floors is None


def test_the_log_is_told_once_and_again_when_regions_change() -> None:
    regions = Regions(leading())
    assert regions.say(1, "us", "eu", "za")
    assert regions.known == ("us", {"eu", "za"})
    assert not regions.step()
    assert regions.say(2, "us", "za")
    assert regions.known == ("us", {"za"})


def test_floors_are_kept_of_regions_that_went_too_and_a_new_one_has_none() -> None:
    regions = Regions(leading())
    regions.say(1, "us", "eu", "za")
    assert regions.floors is not None
    regions.floors.rise("eu", 7)
    regions.floors.rise("za", 8)
    assert regions.say(2, "us", "eu", "ap")
    assert regions.known == ("us", {"eu", "ap"})
    assert regions.floors.raised == {"eu": 7, "za": 8}


@pytest.mark.parametrize("left", [(), ("us",)])
def test_when_the_last_other_region_goes_versions_go_on(left: tuple[str, ...]) -> None:
    regions = Regions(leading())
    regions.say(1, "us", "eu")
    assert not regions.say(2, *left)
    assert regions.known == ("us", {"eu"})
    assert not regions.say(3, "us", "eu"), "nothing has changed for the log"
    assert regions.say(4, "us", "ap")
    assert regions.known == ("us", {"ap"})


def test_every_so_often_the_log_is_told_what_was_heard_and_promises() -> None:
    regions = Regions(leading())
    regions.say(1, "us", "eu")
    regions.hear("eu", 500, 400, "us", "eu")
    assert not regions.step(20_000)
    assert regions.step(10_000)
    assert regions.floors is not None
    assert (regions.floors.raised, regions.floors.seen) == ({"eu": 500}, {"eu": 400})
    assert regions.floors.promised == regions.wall_ms * TICKS_PER_MS - 1
    assert regions.floors.forgotten == 400
    assert floors_in(regions.replica.store) == regions.floors


def test_a_table_that_lacks_items_promises_nothing_and_hears_nothing() -> None:
    """Its log lost some: what others said of those is not so any more, and its own come back with times of before."""
    regions = Regions(leading())
    told = {**metadata(1, "us", "eu"), "lacks_items": True}
    regions.view.take("table_metadata", told, 0.0)
    assert regions.step(), "that it is global is in its log at once"
    regions.hear("eu", 500, 400, "us", "eu")
    assert regions.step(30_000)
    assert regions.floors == Floors("us", frozenset({"eu"}))
    regions.say(2, "us", "eu")
    regions.hear("eu", 500, 400, "us", "eu")
    assert regions.step(30_000)
    assert regions.floors is not None
    assert regions.floors.raised == {"eu": 500}
    assert regions.floors.promised == regions.wall_ms * TICKS_PER_MS - 1


def test_a_new_leader_goes_by_its_log_and_tells_it_at_once() -> None:
    regions = Regions(leading())
    regions.say(1, "us", "eu")
    regions.hear("eu", 500, 400, "us", "eu")
    regions.step(30_000)
    before = regions.floors
    assert before is not None
    regions.wall_ms -= 40_000
    regions.replica.forgetting = Forgetting(0)
    assert regions.step()
    assert regions.floors == before, "its clock is behind"


@pytest.mark.parametrize("ahead_ms", [1_001, 365 * 86_400_000])
def test_a_leader_whose_clock_is_far_ahead_of_kafkas_promises_no_more_than_kafkas(ahead_ms: int) -> None:
    regions = Regions(leading())
    regions.wall_ms += ahead_ms
    regions.say(1, "us", "eu")
    assert regions.floors is not None
    assert regions.floors.promised == regions.broker_ms * TICKS_PER_MS - 1
    regions.hear("eu", 1 << 62, 1 << 62, "us", "eu")
    regions.step(30_000)
    assert regions.floors.forgotten == regions.floors.promised == regions.broker_ms * TICKS_PER_MS - 1
    assert "clock is ahead" in replica_state(regions.replica, 0.0)["alarm"]
    assert not regions.replica.alarm, "it is well, and may be cloned"
    regions.wall_ms = regions.broker_ms
    regions.step()
    assert replica_state(regions.replica, 0.0)["alarm"] == ""


def test_a_clock_that_is_ahead_by_less_is_believed() -> None:
    regions = Regions(leading())
    regions.wall_ms += 1_000
    regions.say(1, "us", "eu")
    assert regions.floors is not None
    assert regions.floors.promised == regions.wall_ms * TICKS_PER_MS - 1
    assert replica_state(regions.replica, 0.0)["alarm"] == ""


def test_nothing_is_promised_before_kafkas_clock_was_heard() -> None:
    regions = Regions(leading())
    regions.tables.broker = Mock()
    regions.tables.broker.time_ms.return_value = None
    regions.say(1, "us", "eu")
    assert regions.known == ("us", {"eu"})
    assert regions.floors is not None
    assert regions.floors.promised == -1


def test_kafkas_clock_is_heard_by_heartbeats() -> None:
    admission, topics = NodeAdmission(Mode.ON, (3000, 1000), ME.node, Mock(), regions()), Topics("dynabus")
    intake = Intake(ME, topics, Mock(), Mock(), Mock(), Mock(), Mock(), admission, Mock(), Mock(), Mock())
    message = Mock()
    message.error.return_value = None
    message.topic.return_value = topics.heartbeats().name
    message.value.return_value = encode("heartbeats_wanted", {"asker": "router-1"})
    for kind, heard in ((TIMESTAMP_CREATE_TIME, None), (TIMESTAMP_LOG_APPEND_TIME, 1_000_010)):
        message.timestamp.return_value = (kind, 1_000_000)
        intake.take([message], [], 5_000.0)
        assert admission.regions.broker.time_ms(5_010.0) == heard


def intake_of(read_on: Mock) -> Intake:
    admission, topics = NodeAdmission(Mode.ON, (3000, 1000), ME.node, Mock(), regions()), Topics("dynabus")
    hosting = Mock(by_log={})
    return Intake(ME, topics, hosting, Mock(), Mock(), Mock(), read_on, admission, Mock(), Mock(), Mock())


def failed(topic: str, code: int) -> Mock:
    message = Mock()
    message.error.return_value = KafkaError(code)
    message.topic.return_value, message.partition.return_value, message.offset.return_value = topic, 0, 7
    return message


def test_a_node_that_was_away_for_longer_than_topics_are_kept_reads_on() -> None:
    read_on, topics = Mock(), Topics("dynabus")
    intake = intake_of(read_on)
    for topic, offset in (
        (topics.requests(ME.node).name, OFFSET_END),
        (topics.heartbeats().name, OFFSET_END),
        (topics.metadata().name, OFFSET_BEGINNING),
    ):
        lost = failed(topic, KafkaError._AUTO_OFFSET_RESET)
        intake.take([failed(topic, KafkaError._TRANSPORT), lost], [], 0.0)
        read_on.assert_called_once_with(lost, offset)
        read_on.reset_mock()


def test_a_word_that_cannot_be_read_is_refused() -> None:
    regions = Regions(leading())
    for detail in (b"", b"{}", b'{"region":"eu","time":"x"}'):
        part = part_to(PARTITION.log, 0, 1, Code.FLOORS, b"", detail=detail)
        with pytest.raises(ApiError, match="cannot be read"):
            regions.tables.hearing(regions.replica, part)
    follower = hosted()
    word = encode_word("eu", Word(1, 1, frozenset()))
    part = part_to(PARTITION.log, 0, 1, Code.FLOORS, b"", detail=word)
    assert regions.tables.hearing(follower, part)(follower.store).status == ReplyStatus.OK
    assert follower.forgetting is None


@pytest.mark.parametrize("what", ["follower", "resigned", "failed"])
def test_only_who_serves_appends(what: str) -> None:
    replica = hosted() if what == "follower" else leading()
    if what == "resigned":
        assert replica.replica.leader is not None
        replica.replica.leader.serving = False
    replica.failed = what == "failed"
    assert not Regions(replica).say(1, "us", "eu")


ID = encode_request_id(RequestId(Incarnation(5), 3, 0))


class Importing(Desk):
    """An inbox at a leader."""

    def __init__(self) -> None:
        super().__init__()
        self.replica = leading(real_rows=True)
        self.replica.replica.take_effects()
        self.admission.regions.clock_lead_ms = 1_000
        self.admission.regions.broker.age_ms(0.0, unix_ms(), 1)

    def know(self, version: int = 1, *others: str) -> None:
        self.admission.view.take("table_metadata", metadata(version, "us", "eu", *others), 0.0)

    def ask(self, ms: int, item: dict[str, Any] | None, counter: int, region: str = "eu") -> Respond:
        version = Version(Stamp(ms * TICKS_PER_MS, region), {region: ms * TICKS_PER_MS})
        part = {
            "operation": int(Code.IMPORT),
            "log": PARTITION.log,
            "partition": 0,
            "generation": 1,
            "consistent": True,
            "key": KEY,
            "value": b"" if item is None else orjson.dumps(item),
            "size": 3,
            "detail": version.encode(),
            "at_least": -1,
        }
        return self._send(part, counter)

    def delete(self, counter: int) -> None:
        """By a client."""
        part = {
            "operation": int(Code.DELETE),
            "log": PARTITION.log,
            "partition": 0,
            "generation": 1,
            "consistent": True,
            "key": KEY,
            "value": b"",
            "size": 0,
            "detail": b"",
            "at_least": -1,
        }
        self._send(part, counter)

    def _send(self, part: dict[str, Any], counter: int) -> Respond:
        message = {
            "asker": "rep-in-1",
            "incarnation": 5,
            "counter": counter,
            "budget_ms": 1_000,
            "repeat": False,
            "parts": [part],
        }
        self.take(encode("request", message))
        effects = self.effects()
        if any(isinstance(each, Append) for each in effects):
            self.replica.replica._effects[:] = effects
            read_back(self.replica, 3.0)
            effects = self.effects()
        return next(each for each in effects if isinstance(each, Respond))


def test_a_write_of_a_region_waits_until_the_log_names_it() -> None:
    desk = Importing()
    desk.know()
    desk.admission.step([desk.replica], 1_000.0)
    read_back(desk.replica, 3.0)
    desk.know(2, "za")
    assert desk.ask(500, {"pk": {"S": "k"}}, 1, "za").outcome.status == ReplyStatus.BUSY
    assert desk.ask(500, {"pk": {"S": "k"}}, 2, "eu").outcome.body == b"news"
    desk.admission.step([desk.replica], 2_000.0)
    read_back(desk.replica, 3.0)
    assert desk.ask(501, {"pk": {"S": "k"}}, 3, "za").outcome.body == b"won"
    assert desk.ask(502, {"pk": {"S": "k"}}, 4, "of-before").outcome.body == b"won", "nobody will ever name it"


def test_a_write_of_another_region_goes_the_ordinary_way_to_the_leader() -> None:
    desk = Importing()
    assert desk.ask(500, {"pk": {"S": "k"}}, 1).outcome.status == ReplyStatus.BUSY, "metadata do not have the table"
    desk.know()
    assert desk.ask(500, {"pk": {"S": "k"}}, 2).outcome.status == ReplyStatus.BUSY, (
        "its log does not say it is global"
    )
    desk.admission.step([desk.replica], 1_000.0)
    read_back(desk.replica, 3.0)
    assert desk.ask(500, {"pk": {"S": "k"}}, 3).outcome.body == b"news"
    row = desk.replica.store.get(KEY)
    assert item_of(row) == {"pk": {"S": "k"}}
    assert desk.replica.store.remembered(ID) is None, "its version says what an id would"
    again = desk.ask(500, {"pk": {"S": "k"}}, 4).outcome
    assert (again.body, again.provisional) == (b"repeat", False), "whatever another copy comes to"
    assert desk.ask(1_001, None, 5).outcome.status == ReplyStatus.ERROR
    log = cast("Any", PARTITION.log)
    assert desk.admission.regions.decided == {(log, "news"): 1, (log, "repeat"): 1, (log, CLOCK_AHEAD): 1}
    assert desk.replica.contents.totals == [[1, 3]]
    desk.ask(600, None, 6)
    assert desk.replica.contents.totals == [[0, 0]], "a tombstone is no item"
    assert desk.replica.contents.buried == 1
    forgettings = desk.admission.regions.forgettings
    late = 600 * TICKS_PER_MS
    forgettings.of(desk.replica).hear("eu", Word(late - 1, late, frozenset({"us", "eu"})))
    for now_ms, removed in ((40_000.0, 0), (80_000.0, 1)):
        desk.admission.step([desk.replica], now_ms)
        read_back(desk.replica, 5.0)
        desk.admission.step([desk.replica], now_ms + 250)
        read_back(desk.replica, 5.0)
        assert forgettings.removed[log] == removed
        assert forgettings.kept([desk.replica])[log] == 1 - removed
        forgettings.of(desk.replica).hear("eu", Word(late, late, frozenset({"us", "eu"})))
    assert desk.replica.store.get(KEY) is None
    assert desk.ask(600, {"pk": {"S": "k"}}, 7).outcome.body == b"repeat"
    assert desk.replica.store.get(KEY) is None


def test_a_write_of_before_a_region_went_finds_the_tombstone_of_what_was_deleted_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(Operations.writes, int(Code.DELETE), delete_item.node)
    desk = Importing()
    desk.know()
    desk.admission.step([desk.replica], 1_000.0)
    read_back(desk.replica, 3.0)
    assert desk.ask(500, {"pk": {"S": "k"}}, 1).outcome.body == b"news"
    desk.admission.view.take("table_metadata", metadata(2), 0.0)
    desk.admission.step([desk.replica], 2_000.0)
    read_back(desk.replica, 4.0)
    desk.delete(2)
    assert item_of(desk.replica.store.get(KEY)) is None
    desk.admission.view.take("table_metadata", metadata(3, "us", "eu"), 0.0)
    desk.admission.step([desk.replica], 3_000.0)
    read_back(desk.replica, 5.0)
    assert desk.ask(500, {"pk": {"S": "k"}}, 3).outcome.body == b"repeat"
    assert item_of(desk.replica.store.get(KEY)) is None
