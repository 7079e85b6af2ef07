"""A global table in one region, on a real Kafka: versions, other regions' writes, conflicts, and a leader that dies.

What makes it global is said to the cluster by the test, in the metadata that auto-admin publishes; RepIn is a
stand-in that sends its requests to the leader.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from dynabus.adapters.codec import decode, decode_body, encode
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.stream_codec import CONFLICT_ID, VERSION_HEADER, value_to_json
from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp, Version, decode_version
from dynabus.core.key_schema import KeySchema
from dynabus.core.messages import RequestPart
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.topics import Topics
from dynabus.core.values import Item, item_size
from tests.integration.cluster import RunningCluster, client, kill, running, wait_until
from tests.integration.stand_ins import Router
from tests.integration.streams import create_streaming

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TABLE, OWN, OTHER = "music", "us-east-1", "eu-west-1"
SCHEMA = KeySchema("pk", "S", None, None)
NODES = ("node-1", "node-2", "node-3")


class Region:
    """The cluster, and who brings writes of the other region."""

    def __init__(self, cluster: RunningCluster) -> None:
        self.cluster, self.db, self.topics = cluster, client(cluster.port), Topics()
        self.arn = create_streaming(cluster.port, TABLE)
        bootstrap = cluster.status()["kafka"]["bootstrap"]
        self.settings = KafkaSettings(bootstrap, self.topics.namespace, "test")
        self.log = self._become_global()
        self.rep_in = Router(self.settings, NODES, "rep-in-1")

    def _become_global(self) -> str:
        """Publish the table's metadata with regions; its id."""
        found: list[dict[str, Any]] = []
        for message in self.read(self.topics.metadata().name):
            if (message.key() or b"").startswith(b"table/"):
                kind, told = decode(message.value() or b"")
                if kind == "table_metadata" and told["name"] == TABLE:
                    found.append(told)
        table = {**found[-1], "version": found[-1]["version"] + 1, "regions": [OWN, OTHER]}
        producer = Producer(dict(self.settings.request_producer()))
        producer.produce(self.topics.metadata().name, encode("table_metadata", table), f"table/{table['id']}")
        assert producer.flush(10) == 0
        log: str = table["id"]
        return log

    def read(self, topic: str) -> list[Message]:
        """All that is there, of all topic partitions."""
        consumer = Consumer(self.settings.log_reader(partition_eof=False))
        messages: list[Message] = []
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        for number in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
            if low == high:
                continue
            consumer.assign([TopicPartition(topic, number, low)])
            while not messages or messages[-1].partition() != number or (messages[-1].offset() or 0) < high - 1:
                message = consumer.poll(5)
                assert message is not None
                assert message.error() is None
                messages.append(message)
        consumer.close()
        return messages

    def put(self, key: str, **attributes: str) -> None:
        item = {"pk": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}
        self.db.put_item(TableName=TABLE, Item=item)

    def get(self, key: str) -> Item | None:
        found = self.db.get_item(TableName=TABLE, Key={"pk": {"S": key}}, ConsistentRead=True)
        item: Item | None = found.get("Item")
        return item

    def importing(self, key: str, version: Version, **attributes: str) -> RequestPart:
        """Without attributes: a deletion."""
        item: Item = {"pk": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}
        body, size = (json.dumps(item).encode(), item_size(item)) if attributes else (b"", 0)
        encoded = SCHEMA.encode({"pk": {"S": key}})
        return part_to(self.log, 0, 1, Code.IMPORT, encoded, body, size, version.encode())

    def arrive(self, key: str, version: Version, **attributes: str) -> bytes:
        reply = self.rep_in.ask(self.importing(key, version, **attributes), 30.0)
        body: bytes = reply["body"]
        return body

    def changes(self, key: str) -> list[tuple[str, Version | None]]:
        """Of the stream, each once: what happened, and which write it was."""
        found: dict[str, tuple[str, Version | None]] = {}
        label = self.arn.rpartition("/")[2]
        for message in self.read(self.topics.stream_name(TABLE, label)):
            headers = dict(message.headers() or [])
            if headers["type"] == b"change" and json.loads(message.key() or b"")["pk"]["S"] == key:
                raw = headers.get(VERSION_HEADER)
                version = decode_version(raw) if isinstance(raw, bytes) else None
                record = decode_body("stream_record", (message.value() or b"")[5:])
                found[str(headers["sequence"])] = (record["event_name"], version)
        return [found[sequence] for sequence in sorted(found)]

    def conflicts(self) -> list[dict[str, Any]]:
        """Each once."""
        found: dict[str, dict[str, Any]] = {}
        for message in self.read(self.topics.conflicts(TABLE).name):
            value = message.value() or b""
            assert value[1:5] == CONFLICT_ID.to_bytes(4, "big")
            record = decode_body("conflict", value[5:])
            found[record["event_id"]] = record
        return [found[each] for each in sorted(found, key=lambda each: str(found[each]["sequence_number"]))]


def of(ms: float, **seen: int) -> Version:
    """A write of the other region that had seen these."""
    time_ = int(ms) * TICKS_PER_MS
    return Version(
        Stamp(time_, OTHER), {**{name.replace("_", "-"): each for name, each in seen.items()}, OTHER: time_}
    )


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.mark.timeout(300)
def test_a_region_of_a_global_table(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        region = Region(cluster)
        early = now_ms() - 3_600_000
        assert region.arrive("news", of(early), v="e") == b"news", "it waits until the leader's log knows"
        assert region.get("news") == {"pk": {"S": "news"}, "v": {"S": "e"}}

        _clients_writes_have_versions(region)
        _conflicts_are_decided_and_told(region, early)
        _deletions_stay(region)
        _a_new_leader_knows(region, early)

        counted = region.db.scan(TableName=TABLE, ConsistentRead=True, Select="COUNT")
        assert counted["Count"] == counted["ScannedCount"] == len(region.db.scan(TableName=TABLE)["Items"])
        outcomes = "".join(cluster.metrics(name) for name in cluster.pids("storage-node"))
        assert 'outcome="lost"' in outcomes
        assert f'dynabus_propagator_conflicts_total{{table="{TABLE}"}}' in "".join(
            cluster.metrics(name) for name in cluster.pids("log-propagator")
        )


def _clients_writes_have_versions(region: Region) -> None:
    region.put("own", v="1")
    region.put("own", v="2")
    region.put("own", v="2")
    region.db.delete_item(TableName=TABLE, Key={"pk": {"S": "own"}})
    region.db.delete_item(TableName=TABLE, Key={"pk": {"S": "own"}})
    wait_until("the deletion is in the stream", lambda: len(region.changes("own")) >= 3)
    changes = region.changes("own")
    assert [event for event, _ in changes] == ["INSERT", "MODIFY", "REMOVE"]
    stamps = [version.stamp for _, version in changes if version is not None]
    assert [stamp.region for stamp in stamps] == [OWN] * 3
    assert stamps == sorted({*stamps})
    ((_, last),) = changes[-1:]
    assert last is not None
    assert region.arrive("own", of(now_ms() - 1_000), v="e") == b"lost", "a tombstone is there"
    assert region.get("own") is None


def _conflicts_are_decided_and_told(region: Region, early: int) -> None:
    region.put("both", v="u")
    assert region.arrive("both", of(early), v="e") == b"lost"
    assert region.arrive("both", of(early), v="e") == b"repeat"
    assert region.get("both") == {"pk": {"S": "both"}, "v": {"S": "u"}}
    late = of(now_ms() + 5_000)
    assert region.arrive("both", late, v="later") == b"won"
    assert region.get("both") == {"pk": {"S": "both"}, "v": {"S": "later"}}
    region.put("both", v="after")
    wait_until("the stream has it", lambda: len(region.changes("both")) >= 3)
    changes = region.changes("both")
    assert [event for event, _ in changes] == ["INSERT", "MODIFY", "MODIFY"], "what lost is no change"
    first, won, after = (version for _, version in changes)
    assert first is not None
    assert won is not None
    assert after is not None
    assert won.stamp == late.stamp
    assert won.includes(first.stamp)
    assert after.stamp > won.stamp, "a client's write goes on from what its item has seen, whatever the clock says"
    told = wait_until("conflicts are told", lambda: len(region.conflicts()) >= 3 and region.conflicts())
    own, lost, gone = told
    assert (own["loser"]["region"], own["winner"]["item"]) == (OTHER, None)
    images = [
        (side["region"], {name: value_to_json(each) for name, each in side["item"].items()}["v"]["S"])
        for each in (lost, gone)
        for side in (each["winner"], each["loser"])
    ]
    assert images == [(OWN, "u"), (OTHER, "e"), (OTHER, "later"), (OWN, "u")]


def _deletions_stay(region: Region) -> None:
    region.put("gone", v="u")
    ((_, version),) = wait_until("it is in the stream", lambda: region.changes("gone"))
    assert version is not None
    deletion = of(now_ms(), us_east_1=version.stamp.time)
    assert region.arrive("gone", deletion) == b"news"
    assert region.get("gone") is None
    assert region.arrive("gone", deletion) == b"repeat"
    wait_until("the deletion is in the stream", lambda: len(region.changes("gone")) >= 2)
    assert region.changes("gone")[-1] == (
        "REMOVE",
        Version(deletion.stamp, {**version.seen, OTHER: deletion.stamp.time}),
    )


def _a_new_leader_knows(region: Region, early: int) -> None:
    leader, term = region.cluster.leader(TABLE)
    kill(region.cluster.pids("storage-node")[leader])
    wait_until("another leader", lambda: region.cluster.leader(TABLE)[1] > term)
    assert region.arrive("both", of(early), v="e") == b"repeat"
    assert region.arrive("gone", of(early), v="e") == b"repeat", "that region has deleted it since"
    assert region.get("gone") is None
    key = f"after-{random.randrange(10**9)}"
    region.put(key, v="u")
    ((_, version),) = wait_until("it is in the stream", lambda: region.changes(key))
    assert version is not None
    assert version.stamp.region == OWN
    assert region.arrive(key, of(early), v="e") == b"lost"
