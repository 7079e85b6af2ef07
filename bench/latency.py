"""Latency at concurrency 1 beside the bare Kafka floor, in one run on one broker, in alternating rounds.

    python -m bench.latency [rounds]

Prints p50 and p99 of the floors (2 hops, 3 hops), a consistent get and a put of 1 KB, and the ratios that count:
get to 2 hops and put to 3 hops.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration.cluster import RunningCluster, running

from bench.figures import Measured, measured, ratio
from bench.floor import Floor
from bench.wire import Connection, request
from bench.workload import PADDING, create_table
from dynabus.adapters.kafka.settings import KafkaSettings

PER_ROUND = 200
"""Operations of one kind before the next has its turn: a fifth of a second or so."""

TABLE = "latency"
ITEM = {"pk": {"S": "user00000001"}, "n": {"N": "12345"}, "pad": {"S": PADDING}}
PUT = {"TableName": TABLE, "Item": ITEM}
GET = {"TableName": TABLE, "Key": {"pk": ITEM["pk"]}, "ConsistentRead": True}

BESIDE = {"get": "2 hops", "put": "3 hops"}
"""Each operation and the floor of as many hops as it takes."""


def measure(cluster: RunningCluster, rounds: int) -> dict[str, Measured]:
    """By name, the four taking turns so that the machine's moods hit all alike."""
    create_table(cluster.port, TABLE, "pk")
    connection, put, get = Connection(cluster.port), request("PutItem", PUT), request("GetItem", GET)
    floor = Floor(KafkaSettings(cluster.status()["kafka"]["bootstrap"]))
    actions: dict[str, Callable[[], float]] = {
        "2 hops": lambda: floor.hop(2),
        "get": lambda: connection.ask(get),
        "3 hops": lambda: floor.hop(3),
        "put": lambda: connection.ask(put),
    }
    for _ in range(PER_ROUND):
        actions["put"]()
        actions["get"]()
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            seconds[name] += [action() for _ in range(PER_ROUND)]
    floor.close()
    return {name: measured(each, sum(each)) for name, each in seconds.items()}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder, running(Path(folder)) as cluster:
        by_name = measure(cluster, rounds)
    for name, each in by_name.items():
        print(f"{name:7} p50 {each.p50_ms:6.2f} ms   p99 {each.p99_ms:6.2f} ms")
    for ours, floor in BESIDE.items():
        print(f"{ours} / {floor}: {ratio(by_name[ours].p50_ms, by_name[floor].p50_ms):.2f}")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
