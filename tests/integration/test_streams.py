"""Streams on a real Kafka, under load: the accepted history exactly, whatever becomes of propagators and
partitions."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Consumer, TopicPartition

from dynabus.adapters.stream_codec import decode_change
from tests.integration.cluster import RunningCluster, client, kill, paused, running, wait_until
from tests.integration.load import Load
from tests.integration.streams import Poller, create_streaming, items_of
from tests.integration.test_clones import TABLE, fill, table_id
from tests.integration.test_pruning import start_of_log
from tests.integration.test_splits import numbers, split
from tests.unit.adapters.stub_registry import registry

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

ROUNDS = 4
"""Kills of a propagator under load; the dice are printed with a failure."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("streams"), "--propagators", "2", "--throttling", "report") as made:
        yield made


def test_propagators_that_are_killed_leave_out_and_repeat_nothing(cluster: RunningCluster) -> None:
    arn = create_streaming(cluster.port, "killed")
    poller, dice = Poller(cluster.port, arn), random.Random(7)
    with Load(cluster.port, "killed") as load:
        for number in range(ROUNDS):
            load.wait_for_acks(dice.randrange(50, 300), 240)
            running_now = sorted(cluster.pids("log-propagator").items())
            # One, the other, both: whoever has the log is among them.
            for name, pid in running_now if number % 3 == 2 else [running_now[number % 3]]:
                print("killed", name, "records so far", len(poller.records))
                kill(pid)
            poller.look()
            cluster.up()
        load.wait_for_acks(100, 240)
    figures = load.check()
    poller.read_until_equal("killed", 240)
    poller.check()
    print(figures, len(poller.records), "stream records")
    assert not load.recorded.errors


def test_a_table_that_is_split_under_load_has_one_history(cluster: RunningCluster) -> None:
    arn = create_streaming(cluster.port, "split")
    poller = Poller(cluster.port, arn)
    with Load(cluster.port, "split") as load:
        load.wait_for_acks(100, 240)
        for _ in range(2):
            split(cluster, "split", numbers(cluster, "split")[0])
            load.wait_for_acks(100, 240)
            poller.look()
        kill(dict(sorted(cluster.pids("log-propagator").items()))["propagator-1"])
        split(cluster, "split", numbers(cluster, "split")[-1])
        load.wait_for_acks(100, 240)
        cluster.up()
    load.check()
    poller.read_until_equal("split", 240)
    poller.check()
    # A stream is described in pages: what the first says of a parent may be older than what the last says.
    poller.look()
    assert len(poller.shards) == 7
    assert len(poller.ended) == 3
    for shard in poller.shards.values():
        parent = poller.shards.get(shard.get("ParentShardId", ""))
        if parent is not None:
            ends = parent["SequenceNumberRange"]["EndingSequenceNumber"]
            assert int(ends) < int(shard["SequenceNumberRange"]["StartingSequenceNumber"])


def test_a_propagator_that_slept_is_a_zombie_and_harmless(cluster: RunningCluster) -> None:
    """It wakes up with its logs given to the other one, and with outputs under way."""
    arn = create_streaming(cluster.port, "zombie")
    poller = Poller(cluster.port, arn)
    with Load(cluster.port, "zombie") as load:
        load.wait_for_acks(50, 240)
        for pid in cluster.pids("log-propagator").values():
            with paused(pid):
                before = len(poller.records)
                wait_until("the other one goes on", partial(_reaches, poller, before + 50), 90)
            load.wait_for_acks(50, 240)
    load.check()
    poller.read_until_equal("zombie", 240)
    poller.check()


def _reaches(poller: Poller, wanted: int) -> bool:
    poller.look()
    return len(poller.records) >= wanted


def test_streams_that_are_switched_on_and_off_under_load(cluster: RunningCluster) -> None:
    """What is acknowledged after UpdateTable is done is in the stream, whole; a new stream is another one."""
    cluster.create_table("switched")
    db = client(cluster.port)
    on = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    with Load(cluster.port, "switched") as load:
        load.wait_for_acks(100, 240)
        first = _switch(db, "switched", on)
        versions = dict(load.recorded.acked)
        load.wait_for_acks(100, 240)
        _switch(db, "switched", {"StreamEnabled": False})
        load.wait_for_acks(50, 240)
        second = _switch(db, "switched", on)
        load.wait_for_acks(100, 240)
    assert first != second
    latest = Poller(cluster.port, second)
    wait_until("all of the second stream", lambda: not latest.look() and _covers(latest, load), 120)
    _check_chain(latest)
    ended = Poller(cluster.port, first)
    wait_until("the first stream's end", lambda: ended.look() or len(ended.ended) == len(ended.shards), 60)
    _check_chain(ended)
    assert all(_version(ended, key) >= version for key, version in versions.items() if _version(ended, key))
    assert len(ended.ended) == len(ended.shards) == 1


def test_update_table_waits_for_a_propagator_and_status_says_so(cluster: RunningCluster) -> None:
    """CreateTable waits for none: its stream begins where the logs begin, whenever that is read."""
    cluster.create_table("waits")
    for pid in cluster.pids("log-propagator").values():
        kill(pid)
    arn = create_streaming(cluster.port, "begins")
    db = client(cluster.port)
    db.put_item(TableName="begins", Item={"pk": {"S": "a"}})
    on = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    db.update_table(TableName="waits", StreamSpecification=on)

    def told() -> bool:
        lines = [line for line in cluster.command("status").splitlines() if line.startswith("WAIT")]
        wanted = {
            "begins is ENABLED": "its records come once one runs",
            "waits is ENABLING": "the table waits for one",
        }
        return all(any(each in line and why in line for line in lines) for each, why in wanted.items())

    # Kafka's group still counts those that were killed, until their sessions end.
    wait_until("status says that no propagator runs", told, 60)
    assert db.describe_table(TableName="waits")["Table"]["TableStatus"] == "UPDATING"

    def logged() -> bool:
        return "a stream waits for log propagators" in cluster.command("logs", "auto-admin", "-n", "1000")

    wait_until("the log says so", logged, 30)
    cluster.up()
    wait_until("ACTIVE", lambda: db.describe_table(TableName="waits")["Table"]["TableStatus"] == "ACTIVE", 60)
    Poller(cluster.port, arn).read_until_equal("begins", 60)
    wait_until("nothing waits", lambda: "WAIT" not in cluster.command("status"), 30)


def test_a_deleted_table_s_stream_has_its_last_changes(cluster: RunningCluster) -> None:
    arn = create_streaming(cluster.port, "deleted")
    with Load(cluster.port, "deleted") as load:
        load.wait_for_acks(200, 240)
    load.check()
    wanted = items_of(cluster.port, "deleted")
    db = client(cluster.port)
    db.delete_table(TableName="deleted")
    wait_until("gone", lambda: "deleted" not in db.list_tables()["TableNames"], 60)
    again = create_streaming(cluster.port, "deleted")
    poller = Poller(cluster.port, arn)
    wait_until("its end", lambda: poller.look() == 0 and len(poller.ended) == len(poller.shards) == 1, 60)
    poller.check()
    assert poller.newest() == wanted
    other = Poller(cluster.port, again)
    wait_until("the new one's shard", lambda: other.look() or other.shards, 60)
    assert not other.records


def _switch(db: Any, table: str, specification: dict[str, Any]) -> str:
    db.update_table(TableName=table, StreamSpecification=specification)

    def done() -> Any:
        found = db.describe_table(TableName=table)["Table"]
        return found["LatestStreamArn"] if found["TableStatus"] == "ACTIVE" else None

    arn: str = wait_until("ACTIVE", done, 120)
    return arn


def _version(poller: Poller, key: str) -> int:
    """The newest version of a key in a stream; 0 for none."""
    return int(poller.newest().get(key, {}).get("v", {"N": "0"})["N"])


def _covers(poller: Poller, load: Load) -> bool:
    """Every key that was written last while the stream was on has its last version in it."""
    newest = poller.newest()
    return all(int(item["v"]["N"]) >= load.recorded.acked[key] for key, item in newest.items() if "v" in item)


def _check_chain(poller: Poller) -> None:
    """As `Poller.check`, of a stream that began in the middle: the first record of an item may have an old image."""
    last: dict[str, Any] = {}
    for record in poller.records:
        change = record["dynamodb"]
        key = change["Keys"]["pk"]["S"]
        assert key not in last or change.get("OldImage") == last[key]
        last[key] = change.get("NewImage")


def test_a_plain_consumer_reads_the_same_changes(cluster: RunningCluster) -> None:
    """Any Kafka client, any Avro reader: the schema's id is in front of each value."""
    arn = create_streaming(cluster.port, "plain", "NEW_IMAGE")
    db = client(cluster.port)
    for version in range(20):
        db.put_item(TableName="plain", Item={"pk": {"S": "a"}, "v": {"N": str(version)}})
    poller = Poller(cluster.port, arn)
    poller.read_until_equal("plain")
    topic = f"dynabus.stream.plain.{''.join(each for each in arn.rpartition('/')[2] if each.isalnum())}"
    seen = _consume(cluster, topic, 20)
    assert [each["new_image"]["v"] for each in seen] == [{"N": str(version)} for version in range(20)]
    assert [each["sequence_number"] for each in seen] == [
        record["dynamodb"]["SequenceNumber"] for record in poller.records
    ]


def _consume(cluster: RunningCluster, topic: str, count: int) -> list[dict[str, Any]]:
    return [decode_change(value) for value in _values(cluster, topic, count)]


def _values(cluster: RunningCluster, topic: str, count: int) -> list[bytes]:
    """Of a topic with one topic partition, by a plain consumer."""
    consumer = Consumer({"bootstrap.servers": cluster.status()["kafka"]["bootstrap"], "group.id": "plain"})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[bytes] = []
        deadline = time.monotonic() + 60
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(1)
            value = message.value() if message is not None and message.error() is None else None
            if value is not None:
                found.append(value)
        return found
    finally:
        consumer.close()


def test_a_registry_of_the_operator_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ids stand before values; a topic that it refuses is told of, waits, and holds up no other."""
    with registry() as server:
        monkeypatch.setenv("DYNABUS_SCHEMA_REGISTRY", server.url)
        with running(tmp_path) as cluster:
            # From the first record on: what is registered once is not asked for again.
            server.refused.add(".refused.")
            arns = {name: create_streaming(cluster.port, name) for name in ("taken", "refused")}
            topics = {each["table"]: each["topic"] for each in cluster.status()["streams"]}
            db = client(cluster.port)
            for name in arns:
                db.put_item(TableName=name, Item={"pk": {"S": "a"}, "v": {"N": "1"}})
            Poller(cluster.port, arns["taken"]).read_until_equal("taken", 60)
            (value,) = _values(cluster, topics["taken"], 1)
            schema: Any = fastavro.parse_schema(json.loads(server.schemas[int.from_bytes(value[1:5], "big")]))
            record: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
            assert (record["table"], record["event_name"]) == ("taken", "INSERT")
            wait_until("told", lambda: "the schema registry refuses" in cluster.command("status"), 60)
            server.refused.clear()
            Poller(cluster.port, arns["refused"]).read_until_equal("refused", 60)
            wait_until("nothing to tell", lambda: "ALARM" not in cluster.command("status"), 60)


@pytest.fixture
def pruning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCluster]:
    for name, value in {"CHECKPOINT_RECORDS": "500", "LOG_RETENTION_S": "0", "PRUNE_EVERY_MS": "500"}.items():
        monkeypatch.setenv(f"DYNABUS_{name}", value)
    with running(tmp_path, "--throttling", "report") as made:
        yield made


def end_of_log(cluster: RunningCluster) -> int:
    """As a plain client sees it."""
    consumer = Consumer({"bootstrap.servers": cluster.status()["kafka"]["bootstrap"], "group.id": "look"})
    try:
        where = TopicPartition(f"dynabus.log.{table_id(cluster)}", 0)
        return int(consumer.get_watermark_offsets(where, timeout=10)[1])
    finally:
        consumer.close()


def test_a_stream_begins_in_a_log_that_was_pruned_and_holds_it_from_then_on(pruning: RunningCluster) -> None:
    """At a replica's place. Without propagators nothing is deleted that they need, and they catch up."""
    pruning.create_table(TABLE)
    fill(pruning, 3000)
    wait_until("pruned", lambda: start_of_log(pruning) > 1000, 120)
    arn = _switch(client(pruning.port), TABLE, {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    (pid,) = pruning.pids("log-propagator").values()
    kill(pid)
    before, reached = start_of_log(pruning), end_of_log(pruning)
    with Load(pruning.port, TABLE) as load:
        load.wait_for_acks(2500, 400)
    # What was committed may go; nothing that it has not read.
    assert start_of_log(pruning) <= reached
    pruning.up()
    poller = Poller(pruning.port, arn)

    def all_there() -> bool:
        poller.look()
        return all(_version(poller, key) >= version for key, version in load.recorded.acked.items())

    wait_until("caught up", all_there, 120)
    _check_chain(poller)
    wait_until("pruned further", lambda: start_of_log(pruning) > before, 120)
