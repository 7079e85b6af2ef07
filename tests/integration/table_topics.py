"""A plain consumer of a table topic that keeps what it reads, as Kafka's tools do: key -> latest item.

Each key's versions may not go back, each key lies in one topic partition, and in the end it holds the table.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from dynabus.adapters.table_codec import decode_table_item
from tests.integration.cluster import RunningCluster, wait_until
from tests.integration.streams import items_of


@dataclass
class Materialized:
    """From the topic's begin; with librdkafka's default, which reads what is committed."""

    cluster: RunningCluster
    table: str
    ascends: bool = True
    """Versions rise, as `Load` writes them."""
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    records: int = 0
    tombstones: int = 0
    _versions: dict[str, int] = field(default_factory=dict)
    _where: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.topic = f"dynabus.table.{self.table}"
        kafka = self.cluster.status()["kafka"]["bootstrap"]
        self._consumer = Consumer({"bootstrap.servers": kafka, "group.id": f"table-{time.time()}"})
        wait_until("the topic", lambda: len(self._partitions()) == 12, 60)
        self._consumer.assign([TopicPartition(self.topic, each, 0) for each in self._partitions()])

    def _partitions(self) -> list[int]:
        return [*self._consumer.list_topics(self.topic, timeout=10).topics[self.topic].partitions]

    def look(self) -> int:
        """What came; how many records."""
        messages = self._consumer.consume(1000, timeout=0.2)
        for message in messages:
            assert message.error() is None, message.error()
            self._take(json.loads(message.key() or b""), message.value(), message.partition() or 0)
        return len(messages)

    def _take(self, keys: dict[str, Any], value: bytes | None, partition: int) -> None:
        key = keys["pk"]["S"]
        assert self._where.setdefault(key, partition) == partition
        self.records += 1
        item: dict[str, Any] | None = None if value is None else decode_table_item(value)
        self.history.setdefault(key, []).append(item)
        if item is None:
            self.tombstones += 1
            self.items.pop(key, None)
            return
        version = int(item["v"]["N"]) if "v" in item else 0
        known = self._versions.get(key, 0)
        assert version >= known or not self.ascends, f"{key} goes back from {known} to {version}"
        self._versions[key] = version
        self.items[key] = item

    def read_until_equal(self, timeout_s: float = 120.0) -> None:
        """Until it is the table; nobody may write meanwhile."""
        wanted, deadline = items_of(self.cluster.port, self.table), time.monotonic() + timeout_s
        while self.items != wanted:
            if time.monotonic() > deadline:
                differ = [key for key in self.items.keys() | wanted.keys() if self.items.get(key) != wanted.get(key)]
                told = [(key, self.items.get(key), wanted.get(key)) for key in differ[:3]]
                raise AssertionError(f"the topic is not the table: {len(differ)} differ: {told}")
            self.look()

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> Materialized:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def switch(cluster: RunningCluster, table: str, to: str) -> None:
    cluster.command("admin", "table-topic", table, to)


def status_of(cluster: RunningCluster, table: str) -> str | None:
    """Of its topic; None: it has none."""
    found = [each for each in cluster.status()["streams"] if each["table"] == table and each["label"] == "table"]
    return found[0]["status"] if found else None


def wait_for_full(cluster: RunningCluster, table: str, timeout_s: float = 120) -> None:
    wait_until("the topic is full", lambda: status_of(cluster, table) == "ENABLED", timeout_s)


def is_subsequence(found: list[Any], of: list[Any]) -> bool:
    """Of a history, from its begin: what there was once comes once, in order, and not all of it."""
    left = iter(of)
    return all(any(each == other for other in left) for each in found)
