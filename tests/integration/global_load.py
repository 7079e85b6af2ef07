"""Two regions of a table, each a cluster with a Kafka of its own: writers in both, and what must become of it.

Everything is judged from outside: by items that are read, and by the topics that any Kafka client reads. A region's
stream has each write that was accepted in it, with its version; so the last writer of each item is known, and whether
anything was lost. The topics between regions show what crossed a link: a change of another region would be an echo.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from dynabus.adapters.replication_codec import decode_batch, version_in
from dynabus.adapters.stream_codec import decode_change
from dynabus.core.global_tables.versions import Stamp
from dynabus.core.topics import Topics
from tests.integration.cluster import RunningCluster, client, running, wait_until
from tests.integration.load import Clients
from tests.integration.streams import items_of

WEST, EAST = "eu-west-1", "us-east-1"
TOPICS = Topics("dynabus")
CONVERGED_S, READ_S = 300.0, 60.0

Image = dict[str, Any] | None
"""An item in DynamoDB's JSON; None: it was deleted."""


def two_regions(folder: Path, *arguments: str) -> AbstractContextManager[dict[str, RunningCluster]]:
    """Clusters by region that know each other."""
    return whole_regions(folder, (EAST, WEST), *arguments)


@contextmanager
def whole_regions(folder: Path, names: Iterable[str], *arguments: str) -> Iterator[dict[str, RunningCluster]]:
    """As many."""
    with ExitStack() as stack:
        found = {}
        for region in names:
            (folder / region).mkdir()
            found[region] = stack.enter_context(running(folder / region, "--region", region, *arguments))
        for region, cluster in found.items():
            for name, other in found.items():
                if name != region:
                    tell(cluster, name, other)
        yield found


def tell(cluster: RunningCluster, region: str, other: RunningCluster) -> None:
    """This cluster where that region is."""
    where = ("--kafka", bootstrap(other), "--endpoint", f"http://127.0.0.1:{other.port}")
    cluster.command("region", "add", region, *where)


def bootstrap(cluster: RunningCluster) -> str:
    return str(cluster.status()["kafka"]["bootstrap"])


def replicate(cluster: RunningCluster, table: str, region: str, regions: Iterable[RunningCluster]) -> None:
    """Add a replica of a table, and wait until all of them say that it is there."""
    client(cluster.port).update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": region}}])
    for each in regions:
        wait_until(f"replicas of {table} are ACTIVE", partial(replicas_active, each, table), CONVERGED_S)


def replicas_active(cluster: RunningCluster, table: str) -> bool:
    """Whether the table is there, with its replicas."""
    try:
        found = client(cluster.port).describe_table(TableName=table)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return False
    replicas = found.get("Replicas", ())
    return (
        found["TableStatus"] == "ACTIVE"
        and bool(replicas)
        and all(each["ReplicaStatus"] == "ACTIVE" for each in replicas)
    )


class Writers(Clients):
    """Clients of one region that put, change and delete items which others write too, so many a second together."""

    KEYS, THREADS = 64, 2

    def __init__(self, cluster: RunningCluster, table: str, region: str, rate: float = 100.0) -> None:
        super().__init__(cluster.port, table)
        self.acknowledged: set[str] = set()
        """Values of puts."""
        self.ended: list[float] = []
        self.errors = 0
        self._region, self._pause_s, self._lock = region, self.THREADS / rate, threading.Lock()
        self._threads = [
            threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(self.THREADS)
        ]

    def wait_for(self, count: int, timeout_s: float = 240.0) -> None:
        """Until so many more writes were acknowledged."""
        wanted = len(self.ended) + count
        wait_until(f"{count} acknowledged writes", lambda: len(self.ended) >= wanted, timeout_s)

    def _write(self, number: int) -> None:
        db, dice, count = client(self._port), random.Random(f"{self._region}{number}"), 0
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause_s, time.monotonic() - 1)
            count += 1
            key, value = {"pk": {"S": f"k{dice.randrange(self.KEYS):03}"}}, f"{self._region}-{number}-{count}"
            try:
                if dice.random() < 0.15:
                    db.delete_item(TableName=self._table, Key=key)
                    value = ""
                else:
                    db.put_item(TableName=self._table, Item={**key, "v": {"S": value}})
            except (ClientError, BotoCoreError):
                self.errors += 1
                continue  # Its fate is unknown: the stream says.
            with self._lock:
                self.ended.append(time.monotonic())
                if value:
                    self.acknowledged.add(value)


class Write(NamedTuple):
    """That a region accepted of its own clients."""

    stamp: Stamp
    image: Image


def own_writes(cluster: RunningCluster, table: str, region: str) -> dict[str, list[Write]]:
    """By key, as the region's stream has them."""
    described = client(cluster.port).describe_table(TableName=table)["Table"]
    topic = TOPICS.stream_name(table, described["LatestStreamLabel"])
    found: dict[str, list[Write]] = {}
    for message in messages(bootstrap(cluster), topic):
        pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
        version = version_in({name: value or b"" for name, value in pairs})
        if message.value() is None or version is None or version.stamp.region != region:
            continue
        change = decode_change(message.value() or b"")
        found.setdefault(change["keys"]["pk"]["S"], []).append(Write(version.stamp, change["new_image"]))
    return found


def messages(servers: str, topic: str) -> list[Message]:
    """All that a topic has now; none of one that is not there."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "judge", "enable.partition.eof": True})
    try:
        told = consumer.list_topics(topic, timeout=READ_S).topics[topic]
        left = {number for number in told.partitions if told.error is None}
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in left])
        found, deadline = [], time.monotonic() + READ_S
        while left and time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error() is not None:
                left.discard(message.partition() or 0)
            else:
                found.append(message)
        assert not left, f"{topic}: partitions {left} were not read to their ends"
        return found
    finally:
        consumer.close()


class Crossed(NamedTuple):
    """A link, as its topic shows it: changes, of those the ones that crossed it before, and those of others."""

    changes: int
    repeats: int
    echoes: int


def crossed(destination: RunningCluster, source: str) -> Crossed:
    seen: Counter[tuple[bytes, Stamp]] = Counter()
    for message in messages(bootstrap(destination), TOPICS.replication(source).name):
        for export in decode_batch(message.value()).batch.exports:
            seen[export.key, export.version.stamp] += 1
    echoes = sum(count for (_, stamp), count in seen.items() if stamp.region != source)
    return Crossed(seen.total(), seen.total() - len(seen), echoes)


def converge(regions: dict[str, RunningCluster], table: str) -> float:
    """Seconds until all regions hold the same items."""
    begun = time.monotonic()
    wait_until(
        f"{table} is the same in all regions",
        lambda: len({orjson.dumps(sorted(items_of(each.port, table).items())) for each in regions.values()}) == 1,
        CONVERGED_S,
    )
    return time.monotonic() - begun


def check(regions: dict[str, RunningCluster], table: str, writers: Iterable[Writers] = ()) -> dict[str, Any]:
    """After all is quiet: equal, the last writer of each item won, nothing acknowledged is missing, no echo."""
    took_s = converge(regions, table)
    accepted = {name: own_writes(each, table, name) for name, each in regions.items()}
    last: dict[str, Write] = {}
    for of in accepted.values():
        for key, writes in of.items():
            newest = max(writes, key=lambda each: each.stamp)
            last[key] = max(last.get(key, newest), newest, key=lambda each: each.stamp)
    items = items_of(next(iter(regions.values())).port, table)
    wrong = {key: (write, items.get(key)) for key, write in last.items() if items.get(key) != write.image}
    assert not wrong, f"not the last writer's: {wrong}"
    values = {
        write.image["v"]["S"] for of in accepted.values() for all_of in of.values() for write in all_of if write.image
    }
    missing = {value for each in writers for value in each.acknowledged} - values
    assert not missing, f"acknowledged and not accepted: {missing}"
    links = {
        f"{source} to {name}": crossed(cluster, source)
        for source in regions
        for name, cluster in regions.items()
        if name != source
    }
    assert all(link.echoes == 0 for link in links.values()), links
    return {
        "equal after": f"{took_s:.1f} s",
        "writes accepted": sum(len(all_of) for of in accepted.values() for all_of in of.values()),
        **{name: f"{of.changes:,} changes crossed, {of.repeats:,} again" for name, of in links.items()},
    }
