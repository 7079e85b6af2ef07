"""Many partitions: what they cost while nothing happens, what they take from one table, and how long a death hurts.

    python -m bench.scale [--partitions 1000] [--death 300] [--seconds 5]

Two clusters, one after the other. Three nodes with many partitions: CPU of all while new replicas are scrubbed for
the first time (some minutes), CPU of each process at rest after that, bytes of heartbeats and metadata a second,
put at 32 connections to a table of one partition before and after the others were made, how long the first put to a
partition that rests takes, the time until `dynabus up` of the existing cluster serves. Four nodes with fewer: kill
-9 of one, the time until every partition is led by a living node and took a put (one each), and until all have
their three replicas again.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from tests.integration.cluster import RunningCluster, kill, running, wait_until

from bench import workload
from bench.generator import Generator, choose
from bench.machine import busy_percent, commit
from bench.processes import cpu_percent, memory_mb, of_cluster, until_calm
from bench.run import throttling_arguments
from bench.wire import RefusedError, call
from dynabus.core.keys.encoding import encode_partition_key
from dynabus.core.topics import Topics

TOPICS = Topics("dynabus")
CONNECTIONS = 32
A_TABLE = 20
"""Partitions of one table; each write unit limit of 1,000 makes one."""

REPAIR_AFTER_MS = 5_000
"""In place of a minute, so that the figure shows the work and not the wait."""

GIVE_UP_S = 600.0
FIRST_PUTS = 200


def make_tables(port: int, partitions: int) -> float:
    """Tables of `A_TABLE` partitions; seconds until all are ACTIVE."""
    began = time.monotonic()
    for number in range(partitions // A_TABLE):
        name, units = f"scale-{number}", {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1000 * A_TABLE}
        key = {"AttributeName": "pk"}
        schema = {
            "AttributeDefinitions": [{**key, "AttributeType": "S"}],
            "KeySchema": [{**key, "KeyType": "HASH"}],
            "ProvisionedThroughput": units,
        }
        call(port, "CreateTable", {"TableName": name, **schema}, GIVE_UP_S)
        wait_until(f"{name} is ACTIVE", partial(_is_active, port, name), GIVE_UP_S)
    return time.monotonic() - began


def _is_active(port: int, name: str) -> bool:
    table = call(port, "DescribeTable", {"TableName": name})["Table"]
    return bool(table["TableStatus"] == "ACTIVE")


def partitions_of(cluster: RunningCluster) -> Iterator[dict[str, Any]]:
    """Of all tables, as status shows them."""
    for table in cluster.status()["tables"]:
        yield from table["partitions"]


def are_whole(cluster: RunningCluster, besides: str = "") -> bool:
    """Every partition has a leader and three replicas that follow it, none of them on the node `besides`."""
    return all(
        each["leader"] and [r["state"] for r in each["replicas"] if r["node"] != besides] == ["active"] * 3
        for each in partitions_of(cluster)
    )


def items_of(cluster: RunningCluster) -> list[dict[str, Any]]:
    """A put to each partition of each table that was made here."""
    tables = [table for table in cluster.status()["tables"] if table["name"].startswith("scale-")]
    return [
        {"TableName": table["name"], "Item": {"pk": {"S": _key_between(*each["range"])}}}
        for table in tables
        for each in table["partitions"]
    ]


def _key_between(lower: str, upper: str | None) -> str:
    """A partition key of this range, as status shows it in hexadecimal."""
    for number in count():
        encoded = encode_partition_key({"S": str(number)}).hex()
        if lower <= encoded and (upper is None or encoded < upper):
            return str(number)
    raise AssertionError("numbers do not end")


def put_everywhere(port: int, items: list[dict[str, Any]]) -> None:
    """One put to each partition, `CONNECTIONS` at once, each sent again until it is taken."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for future in [
            pool.submit(wait_until, "it is taken", partial(_is_taken, port, each), GIVE_UP_S) for each in items
        ]:
            future.result()


def first_puts_ms(port: int, items: list[dict[str, Any]]) -> list[float]:
    """How long one put to each of some partitions takes, one after the other, sorted."""
    return sorted(1000 * timed(partial(_is_taken, port, each)) for each in items)


def _is_taken(port: int, item: dict[str, Any]) -> bool:
    try:
        call(port, "PutItem", item)
    except (RefusedError, OSError):
        return False
    return True


def bytes_per_s(cluster: RunningCluster, seconds: float) -> float:
    """Of the heartbeats and metadata topics."""
    consumer = Consumer({"bootstrap.servers": cluster.status()["kafka"]["bootstrap"], "group.id": "bench-scale"})
    topics = [topic.name for topic in (TOPICS.heartbeats(), TOPICS.metadata())]
    ends = {topic: consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1] for topic in topics}
    consumer.assign([TopicPartition(topic, 0, end) for topic, end in ends.items()])
    deadline, total = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            total += len(message)
    consumer.close()
    return total / seconds


def scrubs(cluster: RunningCluster) -> float:
    """Replicas that nodes have read as a whole."""
    names = cluster.pids("storage-node")
    lines = [line for name in names for line in cluster.metrics(name).splitlines()]
    return sum(float(line.split()[1]) for line in lines if line.startswith("dynabus_node_scrubs_total"))


def ours_of(cpu: dict[str, float]) -> float:
    """Of all our processes together."""
    return sum(share for name, share in cpu.items() if name != "kafka")


def timed(condition: Callable[[], object]) -> float:
    """Seconds until it holds."""
    began = time.monotonic()
    wait_until("what is measured", condition, GIVE_UP_S)
    return time.monotonic() - began


def at_rest(folder: Path, partitions: int, generator: Generator, seconds: int) -> None:
    """The first cluster."""
    requests = workload.write_prepared("put", folder)
    with running(folder, *throttling_arguments()) as cluster:
        workload.create_table(cluster.port, workload.TABLE, "pk", one_partition=True)
        generator.run(cluster.port, requests, CONNECTIONS, seconds)
        alone = generator.run(cluster.port, requests, CONNECTIONS, seconds)
        print(f"put at {CONNECTIONS}, one partition in the cluster: {alone.ops_per_s:,.0f}/s", flush=True)
        took_s = make_tables(cluster.port, partitions)
        print(f"{partitions} partitions made in {took_s:.1f} s", flush=True)
        wait_until("all replicas are there", lambda: are_whole(cluster), GIVE_UP_S)
        pids = of_cluster(cluster.status())
        until_calm(pids, GIVE_UP_S)
        print(f"not read through yet, percent of a core: {ours_of(cpu_percent(pids, 20)):.1f}", flush=True)
        wait_until("replicas are read through", lambda: scrubs(cluster) >= 3 * partitions, GIVE_UP_S)
        until_calm(pids, GIVE_UP_S)
        cpu, memory = cpu_percent(pids, 20), memory_mb(pids)
        print(f"at rest, percent of a core: {ours_of(cpu):.1f} (target 15); {cpu}; private MB: {memory}", flush=True)
        print(f"heartbeats and metadata: {bytes_per_s(cluster, 20) / 1000:.1f} KB/s (target 100)", flush=True)
        items = items_of(cluster)
        firsts = first_puts_ms(cluster.port, items[:: max(1, len(items) // FIRST_PUTS)])
        tenths = ", ".join(f"p{share} {firsts[len(firsts) * share // 100]:.1f}" for share in (50, 90, 99))
        print(f"first put to a partition that rests, ms: {tenths}", flush=True)
        crowded = generator.run(cluster.port, requests, CONNECTIONS, seconds)
        share = crowded.ops_per_s / alone.ops_per_s
        print(f"put at {CONNECTIONS} beside them: {crowded.ops_per_s:,.0f}/s, {share:.2f} (target 0.5)", flush=True)
        cluster.down()
        print(f"up again: {cluster.up():.1f} s (target 60)", flush=True)
        print(f"all replicas follow {timed(lambda: are_whole(cluster)):.1f} s later", flush=True)


def after_a_death(folder: Path, partitions: int) -> None:
    """The second cluster."""
    os.environ["DYNABUS_REPAIR_AFTER_MS"] = str(REPAIR_AFTER_MS)
    with running(folder, "--nodes", "4", *throttling_arguments()) as cluster:
        make_tables(cluster.port, partitions)
        wait_until("all replicas are there", lambda: are_whole(cluster), GIVE_UP_S)
        items = items_of(cluster)
        name, pid = next(iter(cluster.pids("storage-node").items()))
        began = time.monotonic()
        kill(pid)
        led_s = timed(lambda: all(each["leader"] != name for each in partitions_of(cluster)))
        put_everywhere(cluster.port, items)
        print(
            f"{name} of four killed, {partitions} partitions: led elsewhere after {led_s:.1f} s, "
            f"each took a put after {time.monotonic() - began:.1f} s (target 8)",
            flush=True,
        )
        wait_until("full replication", lambda: are_whole(cluster, name), GIVE_UP_S)
        print(f"three replicas of each after {time.monotonic() - began:.1f} s (target 180)", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--partitions", type=int, default=1000, metavar="N", help="at rest (default: 1000)")
    parser.add_argument("--death", type=int, default=300, metavar="N", help="when a node dies (default: 300)")
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="for each throughput (default: 5)")
    asked = parser.parse_args()
    print(f"commit {commit()}; others use {busy_percent()} % of the cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder:
        at_rest(Path(folder), asked.partitions, choose(), asked.seconds)
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder:
        after_a_death(Path(folder), asked.death)


if __name__ == "__main__":
    main()
