"""How far a consumer group is behind what it reads."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

ASK_S = 10.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """Records of all that a group reads, and those of them behind what it has committed."""

    records: int
    missing: int


class Group:
    """A consumer group, as any Kafka tool sees it."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self._name = name
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench"})

    def backlog(self) -> Backlog:
        """Raises KafkaException."""
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(self._name)])
        committed = asked[self._name].result(ASK_S).topic_partitions or []
        ends = {(each.topic, each.partition): self._end(each) for each in committed}
        missing = sum(ends[each.topic, each.partition] - each.offset for each in committed)
        return Backlog(sum(ends.values()), missing)

    def _end(self, partition: TopicPartition) -> int:
        _, end = self._consumer.get_watermark_offsets(partition, timeout=ASK_S)
        return int(end)

    def close(self) -> None:
        self._consumer.close()
