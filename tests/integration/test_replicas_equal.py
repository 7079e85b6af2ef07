"""What a table is: a topic that any Kafka client reads, and three B-trees with the same contents."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import AvroBodies, decode_place
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.contents import Contents
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, Place, start_of_log
from dynabus.core.replication.records import Kind, Mutation, decode_record
from dynabus.core.replication.request_ids import apply_mutation
from tests.integration.cluster import RunningCluster, kill, running, wait_until
from tests.integration.load import Load

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
) -> tuple[Place, MemoryStore]:
    """The state that the log stands for, folded by nobody but `fold`."""
    bodies, place, store = AvroBodies(), start_of_log(origin), MemoryStore()
    contents = Contents(store, indexes)
    for offset, value in records:
        record = decode_record(offset, 0, value)
        place, verdict = fold(place, record, bodies)
        assert verdict in (Verdict.ACCEPTED, Verdict.VOID)
        if verdict == Verdict.ACCEPTED and record.kind == Kind.MUTATION:
            mutation = bodies.decode(record.schema_number, record.body)
            assert isinstance(mutation, Mutation)
            apply_mutation(store, mutation, record.sequence, place.log_time_ms, contents.follow)
    store.commit(b"", contents.encode())
    return place, store


def test_three_replicas_and_the_log_hold_the_same(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        cluster.create_table("same")
        with Load(cluster.port, "same") as load:
            load.wait_for_acks(300)
            kill(cluster.pids("storage-node")[cluster.leader("same")[0]])
            load.wait_for_acks(300)
            cluster.up()
            load.wait_for_acks(100)
        load.check()
        wait_until("all replicas at the log's end", lambda: _lags(cluster) == [0, 0, 0])
        status = cluster.status()
        table = next(each for each in status["tables"] if each["name"] == "same")
        nodes = [replica["node"] for replica in table["partitions"][0]["replicas"]]
        # Every replica folds the same records to the same end, so resigns written by `down` come after this.
        for pid in cluster.pids("storage-node").values():
            kill(pid)
        records = read_with_a_plain_client(status["kafka"]["bootstrap"], f"dynabus.log.{table['id']}")
    indexes = LocalIndexes("pk", ())
    stores = [LmdbStore(cluster.data / node / table["id"] / "0") for node in nodes]
    places = [decode_place(store.place() or b"") for store in stores]
    for store, place in zip(stores, places, strict=True):
        truth_place, truth = replay(records[: place.next_offset], place.origin, indexes)
        assert truth_place._replace(leader_epoch=0) == place._replace(leader_epoch=0)
        assert list(store.scan(b"", None)) == list(truth.scan(b"", None))
        assert list(store.scan_entries(b"", None)) == list(truth.scan_entries(b"", None))
        assert store.totals() == truth.totals()
    assert len(list(stores[0].scan(b"", None))) > 10
    assert (
        len({store_contents(store) for store, place in zip(stores, places, strict=True) if place == places[0]}) == 1
    )
    for store in stores:
        store.abandon()


def _lags(cluster: RunningCluster) -> list[int | None]:
    return [replica["lag"] for replica in cluster.partition("same")["replicas"]]


def store_contents(store: LmdbStore) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(store.scan(b"", None))
