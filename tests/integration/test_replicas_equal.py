"""What a table is: a topic that any Kafka client reads, and three B-trees with the same contents."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import AvroBodies, decode_place
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.contents import Contents
from dynabus.core.local_indexes import LocalIndexes, local_indexes
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, Place, start_of_log
from dynabus.core.replication.records import Changes, Kind, decode_record
from dynabus.core.replication.request_ids import apply_mutation
from tests.integration.cluster import RunningCluster, client, kill, running, wait_until
from tests.integration.load import Load

ONE: dict[str, Any] = {"ExpressionAttributeValues": {":one": {"N": "1"}}}

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def read_with_a_plain_client(bootstrap: str, topic: str) -> list[tuple[int, bytes | None]]:
    """(offset, value) of everything in the topic's first topic partition, as any Kafka client reads it."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "anybody", "enable.auto.commit": False})
    where = TopicPartition(topic, 0, 0)
    _, high = consumer.get_watermark_offsets(where, timeout=10)
    consumer.assign([where])
    found: list[tuple[int, bytes | None]] = []
    while len(found) < high:
        found += [(message.offset() or 0, message.value()) for message in consumer.consume(1000, timeout=1.0)]
    consumer.close()
    return found


def replay(
    records: list[tuple[int, bytes | None]], origin: Origin, indexes: LocalIndexes
) -> tuple[Place, MemoryStore, Contents]:
    """The state that the log stands for, folded by nobody but `fold`."""
    bodies, place, store = AvroBodies(), start_of_log(origin), MemoryStore()
    contents = Contents(store, indexes)
    for offset, value in records:
        record = decode_record(offset, 0, value)
        place, verdict = fold(place, record, bodies)
        assert verdict in (Verdict.ACCEPTED, Verdict.VOID)
        if verdict == Verdict.ACCEPTED and record.kind == Kind.MUTATION:
            mutation = bodies.decode(record.schema_number, record.body)
            assert isinstance(mutation, Changes)
            apply_mutation(store, mutation, record.sequence, place.log_time_ms, contents.follow)
    return place, store, contents


def test_three_replicas_and_the_log_hold_the_same(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        cluster.create_table("same")
        create_indexed_table(cluster)
        with Load(cluster.port, "same") as load:
            load.wait_for_acks(300)
            change_indexed_items(cluster, range(60))
            kill(cluster.pids("storage-node")[cluster.leader("indexed")[0]])
            load.wait_for_acks(300)
            change_indexed_items(cluster, range(30, 90))
            cluster.up()
            load.wait_for_acks(100)
        load.check()
        for table in ("same", "indexed"):
            wait_until("all replicas at the log's end", partial(_at_the_end, cluster, table))
        status = cluster.status()
        indexes = local_indexes(client(cluster.port).describe_table(TableName="indexed")["Table"])
        # Every replica folds the same records to the same end, so resigns written by `down` come after this.
        for pid in cluster.pids("storage-node").values():
            kill(pid)
        tables = {each["name"]: each for each in status["tables"]}
        bootstrap = status["kafka"]["bootstrap"]
        records = {
            name: read_with_a_plain_client(bootstrap, f"dynabus.log.{table['id']}") for name, table in tables.items()
        }
    check_replicas(cluster, tables["same"], records["same"], LocalIndexes("pk", ()))
    check_replicas(cluster, tables["indexed"], records["indexed"], indexes)


def check_replicas(
    cluster: RunningCluster, table: dict[str, Any], records: list[tuple[int, bytes | None]], indexes: LocalIndexes
) -> None:
    """Each B-tree of the table's first partition is what the log up to its place stands for."""
    nodes = [replica["node"] for replica in table["partitions"][0]["replicas"]]
    stores = [LmdbStore(cluster.data / node / table["id"] / "0") for node in nodes]
    places = [decode_place(store.place() or b"") for store in stores]
    for store, place in zip(stores, places, strict=True):
        truth_place, truth, contents = replay(records[: place.next_offset], place.origin, indexes)
        assert truth_place._replace(leader_epoch=0) == place._replace(leader_epoch=0)
        assert list(store.scan(b"", None)) == list(truth.scan(b"", None))
        assert list(store.scan_entries(b"", None)) == list(truth.scan_entries(b"", None))
        told = Contents(store, indexes)
        assert (told.totals, told.checksum) == (contents.totals, contents.checksum)
    assert len(list(stores[0].scan(b"", None))) > 10
    assert bool(list(stores[0].scan_entries(b"", None))) == bool(indexes.all)
    equal = [store_contents(store) for store, place in zip(stores, places, strict=True) if place == places[0]]
    assert len(set(equal)) == 1
    for store in stores:
        store.abandon()


def create_indexed_table(cluster: RunningCluster) -> None:
    names = {"pk": "S", "sk": "S", "turn": "N", "kind": "S"}
    indexes = (("by-turn", "turn", "ALL"), ("by-kind", "kind", "KEYS_ONLY"))
    db = client(cluster.port)
    db.create_table(
        TableName="indexed",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
        KeySchema=_keys("pk", "sk"),
        LocalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": _keys("pk", sort), "Projection": {"ProjectionType": projection}}
            for name, sort, projection in indexes
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    db.get_waiter("table_exists").wait(TableName="indexed", WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def _keys(hash_key: str, sort_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": sort_key, "KeyType": "RANGE"}]


def change_indexed_items(cluster: RunningCluster, numbers: range) -> None:
    """Entries that come, move and go; boto3 sends again what a fail-over refuses."""
    db = client(cluster.port)
    for number in numbers:
        key = {"pk": {"S": f"pk {number % 30}"}, "sk": {"S": str(number)}}
        db.put_item(TableName="indexed", Item={**key, "turn": {"N": str(number % 7)}, "kind": {"S": "a"}})
        if number % 2:
            db.update_item(TableName="indexed", Key=key, UpdateExpression="REMOVE kind ADD turn :one", **ONE)
        if number % 5 == 0:
            db.delete_item(TableName="indexed", Key=key)


def _at_the_end(cluster: RunningCluster, table: str) -> bool:
    return [replica["lag"] for replica in cluster.partition(table)["replicas"]] == [0, 0, 0]


def store_contents(store: LmdbStore) -> tuple[tuple[tuple[bytes, bytes], ...], ...]:
    return tuple(store.scan(b"", None)), tuple(store.scan_entries(b"", None))
