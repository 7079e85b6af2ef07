"""How many puts a second a table takes through Kafka, beside the same puts over HTTP, in one run on one cluster.

    python -m bench.ingest [--rounds 3] [--seconds 6] [--batch 25]

HTTP: from 32 connections, as `bench` does. Ingest: commands of the same items, so many in a message, are produced
while the table is switched off; then it is switched on, and the figure is outcomes a second, from the first to the
last, by the time at which routers produced them. Package: `dynabus.client.ingest` puts as many and awaits them, from
the first call to the last outcome; its work is in the figure, on the same machine. Rounds take turns.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from confluent_kafka import Consumer, ConsumerGroupState, Producer
from confluent_kafka.admin import AdminClient
from tests.integration.cluster import RunningCluster, running, wait_until

from bench.generator import Generator, choose
from bench.workload import KEYS, PADDING, create_table, put, write_requests
from dynabus.client import ingest
from dynabus.core.topics import Topics

HTTP_TABLE, KAFKA_TABLE, PACKAGE_TABLE = "by-http", "by-kafka", "by-package"
CONNECTIONS = 32
ESTIMATED_PER_S = 6000
"""So many commands are made for each second of a round; a faster system is done earlier, by the same figure."""

SETTLED = (ConsumerGroupState.STABLE, ConsumerGroupState.EMPTY)
"""Of a group that shares out nothing anew."""

LAST_S = 120.0


class Commands:
    """Produces commands and counts their outcomes."""

    def __init__(self, cluster: RunningCluster, batch: int) -> None:
        kafka = cluster.status()["kafka"]["bootstrap"]
        self._cluster, self._batch = cluster, batch
        self._admin = AdminClient({"bootstrap.servers": kafka})
        self._producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "linger.ms": 20})
        topics = {f"dynabus.ingest.{KAFKA_TABLE}", f"dynabus.outcomes.{KAFKA_TABLE}"}
        wait_until("topics", lambda: topics <= self._producer.list_topics(timeout=5).topics.keys(), 60)
        self._consumer = Consumer({"bootstrap.servers": kafka, "group.id": "bench", "auto.offset.reset": "earliest"})
        self._consumer.subscribe([f"dynabus.outcomes.{KAFKA_TABLE}"])

    def per_s(self, count: int) -> float:
        """Outcomes a second. Raises RuntimeError where one is not APPLIED, or does not come."""
        self._switch("off")
        wait_until("no router reads commands of the table", lambda: not self._is_read(), 60)
        dice = random.Random(count)
        for at in range(0, count, self._batch):
            commands = [_command(dice.randrange(KEYS)) for _ in range(min(self._batch, count - at))]
            # Any key will do: what is measured writes each item the same, whatever the order.
            self._producer.produce(f"dynabus.ingest.{KAFKA_TABLE}", orjson.dumps(commands), str(dice.random()))
            self._producer.poll(0)
        self._producer.flush(30)
        self._switch("on")
        stamps_ms = self._stamps_ms(count)
        return 1000 * (count - 1) / (max(stamps_ms) - min(stamps_ms))

    def _stamps_ms(self, count: int) -> list[int]:
        """When routers produced the outcomes."""
        found: list[int] = []
        started = time.monotonic()
        while len(found) < count:
            for message in self._consumer.consume(1000, timeout=0.1):
                headers: Any = message.headers() or ()
                if dict(headers).get("status") != b"APPLIED":
                    raise RuntimeError(f"not applied: {message.value()!r}")
                found.append(message.timestamp()[1])
            if time.monotonic() - started > LAST_S:
                raise RuntimeError(f"{count - len(found)} outcomes did not come")
        return found

    def _is_read(self) -> bool:
        group = Topics("dynabus").ingesters
        found = self._admin.describe_consumer_groups([group])[group].result()
        topics = {each.topic for member in found.members for each in member.assignment.topic_partitions}
        return found.state not in SETTLED or f"dynabus.ingest.{KAFKA_TABLE}" in topics

    def _switch(self, to: str) -> None:
        self._cluster.command("admin", "ingest", KAFKA_TABLE, to)

    def close(self) -> None:
        self._consumer.close()


def package_per_s(kafka: str, count: int) -> float:
    """Puts a second by the package. Raises what the first outcome that is none raises."""
    dice = random.Random(count)
    with ingest(PACKAGE_TABLE, kafka=kafka, timeout_s=LAST_S) as table:
        started = time.perf_counter()
        puts = [
            table.put({"pk": f"user{dice.randrange(KEYS):08d}", "n": 12345, "pad": PADDING}) for _ in range(count)
        ]
        for each in puts:
            each.result()
        return count / (time.perf_counter() - started)


def _command(number: int) -> dict[str, Any]:
    item = {"pk": {"S": f"user{number:08d}"}, "n": {"N": "12345"}, "pad": {"S": PADDING}}
    return {"operation": "PutItem", "request": {"Item": item}}


def compared(cluster: RunningCluster, generator: Generator, asked: argparse.Namespace) -> dict[str, list[float]]:
    """Puts a second, one figure a round."""
    create_table(cluster.port, HTTP_TABLE, "pk")
    for table in (KAFKA_TABLE, PACKAGE_TABLE):
        create_table(cluster.port, table, "pk")
        cluster.command("admin", "ingest", table, "on")
    kafka = cluster.status()["kafka"]["bootstrap"]
    commands = Commands(cluster, asked.batch)
    requests = write_requests((put(number, HTTP_TABLE) for number in range(KEYS)), cluster.data / "puts")
    found: dict[str, list[float]] = {HTTP_TABLE: [], KAFKA_TABLE: [], PACKAGE_TABLE: []}
    try:
        generator.run(cluster.port, requests, CONNECTIONS, 2)
        commands.per_s(ESTIMATED_PER_S)
        package_per_s(kafka, ESTIMATED_PER_S)
        for _ in range(asked.rounds):
            ran = generator.run(cluster.port, requests, CONNECTIONS, asked.seconds)
            if ran.errors:
                raise RuntimeError(f"{ran.errors} errors of {ran.count} puts")
            found[HTTP_TABLE].append(ran.ops_per_s)
            found[KAFKA_TABLE].append(commands.per_s(ESTIMATED_PER_S * asked.seconds))
            found[PACKAGE_TABLE].append(package_per_s(kafka, ESTIMATED_PER_S * asked.seconds))
    finally:
        commands.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each (default: 3)")
    parser.add_argument("--seconds", type=int, default=6, metavar="S", help="of a round (default: 6)")
    parser.add_argument("--batch", type=int, default=25, metavar="N", help="commands in a message (default: 25)")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        running(Path(name), "--throttling", "report") as cluster,
    ):
        found = compared(cluster, choose(), asked)
    for table, figures in found.items():
        print(f"{table:10} {median(figures):7,.0f} puts/s   rounds: {[round(each) for each in figures]}")
    for name, table in (("Kafka", KAFKA_TABLE), ("Package", PACKAGE_TABLE)):
        ratios = [ours / theirs for ours, theirs in zip(found[table], found[HTTP_TABLE], strict=True)]
        print(f"{name + ' / HTTP':14} {median(ratios):.2f}   rounds: {[round(each, 2) for each in ratios]}")


if __name__ == "__main__":
    main()
