"""One member of a consumer group that reads elsewhere: which topic partitions are ours, and what was committed.

The group's consumer fetches nothing (what it is assigned is paused): topic partitions are read by another one, at
places that a brain gives. What it does is to share them out, to notice dead members, and to refuse the commits of who
has been replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from dynabus.adapters.kafka.settings import Properties
from dynabus.adapters.logs import kafka_logger, logger

CALL_S = 2.0
"""Kafka answers in milliseconds. It takes longer where a checkpoint is offered in a transaction that has not ended,
and then the group must be polled meanwhile."""

Where = tuple[str, int]
"""Topic, number."""

Told = Callable[[list[Where]], None]


class GroupMember:
    """`revoked` and `lost` are called within `poll`, before others get the topic partitions; `assigned` too."""

    def __init__(self, properties: Properties, assigned: Told, revoked: Told, lost: Told) -> None:
        self._assigned, self._revoked, self._lost = assigned, revoked, lost
        self._subscribed: list[str] = []
        self._consumer = Consumer(properties, logger=kafka_logger())

    def subscribe(self, topics: Iterable[str]) -> None:
        """What is shared out."""
        wanted = sorted(topics)
        if wanted == self._subscribed:
            return
        self._subscribed = wanted
        if not wanted:
            self._consumer.unsubscribe()
            return
        self._consumer.subscribe(wanted, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def poll(self) -> None:
        """Take part in the group; must be called at least every `max.poll.interval.ms`."""
        message = self._consumer.poll(0)
        if message is not None and (error := message.error()) is not None:
            logger().info("group", reason=error.str())

    def committed(self, wanted: Iterable[Where]) -> dict[Where, tuple[int, str] | None]:
        """Offset and metadata that the group has, of whoever's topic partitions. Raises KafkaException."""
        found = self._consumer.committed([TopicPartition(*each) for each in wanted], timeout=CALL_S)
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
        return {
            (each.topic, each.partition): (each.offset, each.metadata or "") if each.offset >= 0 else None
            for each in found
        }

    def commit(self, offsets: list[TopicPartition]) -> bool:
        """False: Kafka did not take it, say because the group has gone on without us."""
        if not offsets:
            return True
        try:
            done = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            logger().warning("not committed", reason=error.args[0].str())
            return False
        return all(each.error is None for each in done or ())

    def membership(self) -> bytes:
        """As librdkafka tells of it."""
        told: bytes = self._consumer.consumer_group_metadata()
        return told

    def close(self) -> None:
        """Leave the group, so that others need not wait for the session's end."""
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        paused = [TopicPartition(each.topic, each.partition, OFFSET_END) for each in given]
        consumer.incremental_assign(paused)
        consumer.pause(paused)
        self._assigned(_places(given))

    def _on_revoke(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._revoked(_places(taken))

    def _on_lost(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._lost(_places(taken))


def _places(given: list[TopicPartition]) -> list[Where]:
    return [(each.topic, each.partition) for each in given]
