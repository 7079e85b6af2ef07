"""How fast a replica is cloned: `python -m bench.cloning --gb 1`, over a real Kafka of its own, with no pace.

Source and receiver are two processes, as two nodes are, with the code of nodes; what is not there is everything else
that a node does. The source's rows are made at once, not by a log. Prints megabytes a second of keys and rows, from
the first request until the replica has its name, synced; and what it costs of a processor, which other work on the
machine does not change much.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from bench.processes import cpu_s
from dynabus.adapters.codec import decode
from dynabus.adapters.kafka.local import start_local_broker
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import AvroBodies, encode_place
from dynabus.core.checksum import MASK, change
from dynabus.core.cloning.choice import Extent
from dynabus.core.cloning.receiver import Wanted
from dynabus.core.contents import Contents, encode_totals
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, Writer
from dynabus.core.local_indexes import IndexRules, LocalIndexes
from dynabus.core.replication.effects import Surroundings, Timing
from dynabus.core.replication.place import Group, Origin, start_of_log
from dynabus.core.replication.records import Form
from dynabus.core.replication.replica import Replica
from dynabus.core.rows import encode_row
from dynabus.core.topics import Topics
from dynabus.storage_node.cloning.receiving import CloneReceiving, Job
from dynabus.storage_node.cloning.sending import CloneSending
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.readers import Log

TOPICS = Topics("bench")
SOURCE, RECEIVER = NodeName("source"), NodeName("receiver")
PARTITION = PartitionId(LogId("b" * 32), 0)
ORIGIN = Origin("cluster", "topic", PARTITION)
PLACE = start_of_log(ORIGIN, 7)._replace(group=Group(1, b"", None, (SOURCE, RECEIVER), Form.NEW))
NONE = LocalIndexes("pk", ())
COMMIT_ROWS = 20_000
LONGEST_S = 600.0


def make(path: Path, size: int, row_bytes: int) -> int:
    """A replica with so many bytes of rows; how many bytes of keys and rows it has."""
    store, count, checksum, written = LmdbStore(path), size // row_bytes, 0, 0
    for number in range(count):
        # Keys are hashed, so their order is not that of writing: this one is, which only the making is faster by.
        key = number.to_bytes(8, "big") + b"key-%010d" % number
        row = encode_row(os.urandom(row_bytes // 2).hex().encode(), row_bytes, number)
        store.put(key, row)
        checksum += change(key, None, row)
        written += len(key) + len(row)
        if number % COMMIT_ROWS == 0:
            store.commit(b"")
    place = encode_place(PLACE)
    store.close(place, encode_totals([[count, count * row_bytes]], checksum & MASK, place))
    return written


def serve(kafka: KafkaSettings, path: Path) -> None:
    """The source's process: as much of a node's loop as clones need."""
    store = LmdbStore(path)
    contents = Contents(store, NONE)
    around = Surroundings(Writer(SOURCE, Incarnation(1)), lambda: 0.5, lambda: 1, AvroBodies(), Timing())
    replica = Replica(around, store, PLACE, 0.0, contents.follow)
    replica.end_offset = PLACE.next_offset
    hosted = Hosted(PARTITION, Log("bench.log", 0), store, replica, contents, IndexRules(NONE, store))
    sending = CloneSending(lambda: MessageProducer(kafka.request_producer()), TOPICS, SOURCE, 0.0)
    consumer: Any = Consumer(kafka.loop_consumer())
    consumer.assign([TopicPartition(TOPICS.requests(SOURCE).name, 0, 0)])
    while True:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            why = sending.ask(decode(message.value())[1], hosted, time.monotonic() * 1000)
            assert why is None, why


@contextmanager
def broker(folder: Path) -> Iterator[tuple[KafkaSettings, int]]:
    """A Kafka of its own, with the topics of two nodes; and its pid."""
    started = start_local_broker(folder / "kafka", folder / "kafka.log", lambda _: None)
    try:
        kafka = KafkaSettings(started.identity.bootstrap, "bench")
        TopicAdmin(kafka).ensure([TOPICS.requests(SOURCE), TOPICS.clone(RECEIVER)])
        yield kafka, started.pid
    finally:
        os.kill(started.pid, signal.SIGTERM)
        started.process.wait(30)


def clone_s(kafka: KafkaSettings, path: Path) -> float:
    """Seconds until a clone is installed."""
    receiving = CloneReceiving(
        lambda: Consumer(kafka.log_reader(partition_eof=False)),
        lambda: MessageProducer(kafka.request_producer()),
        TOPICS,
        RECEIVER,
        0.0,
    )
    wanted = Wanted(RECEIVER, *PARTITION, at_least=0)
    job = Job(SOURCE, wanted, Log("bench.log", 0), ORIGIN, Extent(0, 10), path, 0)
    began_s = time.monotonic()
    receiving.begin(job).result(LONGEST_S)
    took_s = time.monotonic() - began_s
    receiving.close()
    return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0, help="size of the replica")
    parser.add_argument("--row-bytes", type=int, default=1024, help="of each row")
    parser.add_argument("--times", type=int, default=2, help="how often it is cloned")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name, broker(Path(name)) as (kafka, kafka_pid):
        folder = Path(name)
        size = make(folder / "source", int(options.gb * 1e9), options.row_bytes)
        source = multiprocessing.get_context("spawn").Process(
            target=serve, args=(kafka, folder / "source"), daemon=True
        )
        source.start()
        try:
            for _ in range(options.times):
                pids = {"source": source.pid or 0, "receiver": os.getpid(), "Kafka": kafka_pid}
                before = {name: cpu_s(pid) for name, pid in pids.items()}
                took_s = clone_s(kafka, folder / "clone")
                spent = {name: cpu_s(pid) - before[name] for name, pid in pids.items()}
                cpu = ", ".join(f"{name} {1e9 * seconds / size:.1f}" for name, seconds in spent.items())
                print(f"{size / 1e6:.0f} MB in {took_s:.1f} s: {size / 1e6 / took_s:.1f} MB/s", flush=True)
                print(f"  ms of CPU for each MB: {cpu}; load of the machine {os.getloadavg()[0]:.0f}", flush=True)
        finally:
            source.kill()
            source.join()


if __name__ == "__main__":
    main()
