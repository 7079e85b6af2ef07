"""What streams give and cost: how soon a change is in a plain Kafka consumer, and how many puts a table has with one.

    python -m bench.streams [--changes 500] [--rounds 4] [--seconds 4]

Delivery: from the answer to a put until its record is in a consumer of the stream's topic, puts one at a time with a
random pause between them; negative where the record came first. Cost: puts from 32 connections to two tables of one
cluster, one with a stream, taking turns.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import orjson
from confluent_kafka import Consumer, TopicPartition
from tests.integration.cluster import RunningCluster, running
from tests.integration.streams import create_streaming

from bench.figures import percentile_ms
from bench.generator import Generator, choose
from bench.wire import Connection
from bench.workload import KEYS, create_table, put, write_requests

CONNECTIONS = 32
PAUSE_S = (0.005, 0.035)
"""Between two puts: neither a flood, nor in step with anything that looks so many times a second."""

WARM, LAST_S = 50, 30.0
"""Changes that are not counted; how long the last record is waited for."""

WITHOUT, WITH = "without-stream", "with-stream"


@dataclass
class Arrivals:
    """A consumer of a topic in a thread of its own: when each key came first, by the monotonic clock."""

    bootstrap: str
    topic: str
    at: dict[str, float] = field(default_factory=dict)
    failed: str = ""
    _stopping: bool = False

    def __post_init__(self) -> None:
        self._consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "bench"})
        partitions = self._consumer.list_topics(self.topic, timeout=10).topics[self.topic].partitions
        self._consumer.assign([TopicPartition(self.topic, number, 0) for number in partitions])
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            message = self._consumer.poll(0.2)
            now = time.monotonic()
            if message is not None and (error := message.error()) is not None:
                self.failed = error.str()
            elif message is not None and (key := message.key()) is not None:
                self.at.setdefault(orjson.loads(key)["pk"]["S"], now)

    def close(self) -> None:
        self._stopping = True
        self._thread.join()
        self._consumer.close()


def deliveries_s(cluster: RunningCluster, changes: int) -> list[float]:
    """Seconds from each put's answer to its record. Raises TimeoutError where one does not come."""
    create_streaming(cluster.port, "delivered", "NEW_AND_OLD_IMAGES")
    status = cluster.status()
    (topic,) = (each["topic"] for each in status["streams"] if each["table"] == "delivered")
    arrivals, connection = Arrivals(status["kafka"]["bootstrap"], topic), Connection(cluster.port)
    answered: dict[str, float] = {}
    try:
        for number in range(WARM + changes):
            connection.ask(put(number, "delivered"))
            answered[f"user{number:08d}"] = time.monotonic()
            time.sleep(random.uniform(*PAUSE_S))
        deadline = time.monotonic() + LAST_S
        while arrivals.at.keys() != answered.keys():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(answered) - len(arrivals.at)} records did not come: {arrivals.failed}")
            time.sleep(0.1)
    finally:
        arrivals.close()
    return [arrivals.at[key] - then for key, then in [*answered.items()][WARM:]]


def puts_per_s(cluster: RunningCluster, generator: Generator, rounds: int, seconds: int) -> dict[str, list[float]]:
    """By table, one figure a round; the order changes from round to round."""
    create_table(cluster.port, WITHOUT, "pk")
    create_streaming(cluster.port, WITH, "NEW_AND_OLD_IMAGES")
    found: dict[str, list[float]] = {WITHOUT: [], WITH: []}
    paths = {table: write_requests(_puts(table), cluster.data / f"{table}.requests") for table in found}
    for path in paths.values():
        generator.run(cluster.port, path, CONNECTIONS, 2)
    for number in range(rounds):
        for table in (WITHOUT, WITH) if number % 2 else (WITH, WITHOUT):
            ran = generator.run(cluster.port, paths[table], CONNECTIONS, seconds)
            if ran.errors:
                raise RuntimeError(f"{ran.errors} errors of {ran.count} puts")
            found[table].append(ran.ops_per_s)
    return found


def _puts(table: str) -> Iterator[bytes]:
    return (put(number, table) for number in range(KEYS))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--changes", type=int, default=500, metavar="N", help="that are timed (default: 500)")
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help="for each table (default: 4)")
    parser.add_argument("--seconds", type=int, default=4, metavar="S", help="of a round (default: 4)")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        running(Path(name), "--throttling", "report") as cluster,
    ):
        took_s = deliveries_s(cluster, asked.changes)
        puts = puts_per_s(cluster, choose(), asked.rounds, asked.seconds)
    shares = (0.5, 0.9, 0.99)
    told = "   ".join(f"p{100 * share:.0f} {percentile_ms(took_s, share):6.2f} ms" for share in shares)
    print(f"delivery  {told}   ({len(took_s)} changes)")
    for table, figures in puts.items():
        rounds = [round(each) for each in figures]
        print(f"{table:15} {median(figures):7,.0f} puts/s at {CONNECTIONS}   rounds: {rounds}")
    ratios = [ours / theirs for ours, theirs in zip(puts[WITH], puts[WITHOUT], strict=True)]
    print(f"with / without  {median(ratios):.2f}   rounds: {[round(each, 2) for each in ratios]}")


if __name__ == "__main__":
    main()
