"""One member of the propagators' consumer group: which logs are ours, and what was committed.

The group's consumer fetches nothing (what it is assigned is paused): logs are read by another, at places that the
brain gives. What it does for us is to share logs out, to notice dead members, and to refuse the commits of who has
been replaced.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from dynabus.adapters.checkpoint_codec import decode_checkpoint, encode_checkpoint
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.errors import InvariantError
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.topics import Topics

CALL_S = 2.0
"""Kafka answers in milliseconds. It takes longer where a checkpoint is offered in a transaction that has not ended,
and then the group must be polled meanwhile."""

_MAGIC = b"CGMDv2:"
_GENERATION = struct.Struct("=i")

Partitions = list[PartitionId]


class Group:
    """`revoked` and `lost` are called within `poll`, before others get the logs; `assigned` too."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Topics,
        session_timeout_ms: int,
        assigned: Callable[[Partitions], None],
        revoked: Callable[[Partitions], None],
        lost: Callable[[Partitions], None],
    ) -> None:
        self._prefix = topics.log_name(LogId(""))
        self._assigned, self._revoked, self._lost = assigned, revoked, lost
        self._subscribed: list[str] = []
        properties = kafka.group_member(topics.propagators, session_timeout_ms)
        self._consumer = Consumer(properties, logger=kafka_logger())

    def subscribe(self, logs: Iterable[str]) -> None:
        """The tables whose logs are shared out, by id."""
        wanted = sorted(self._prefix + log for log in logs)
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

    def committed(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, Checkpoint | None]:
        """What the group has, of whoever's logs. Raises KafkaException, UndecodableMessage."""
        found = self._consumer.committed([self._where(each) for each in partitions], timeout=CALL_S)
        checkpoints: dict[PartitionId, Checkpoint | None] = {}
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
            known = each.offset >= 0
            checkpoints[self._partition(each)] = decode_checkpoint(each.metadata or "") if known else None
        return checkpoints

    def commit(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> bool:
        """False: Kafka did not take it, say because the group has gone on without us."""
        if not checkpoints:
            return True
        try:
            done = self._consumer.commit(offsets=self.offsets(checkpoints), asynchronous=False)
        except KafkaException as error:
            logger().warning("not committed", reason=error.args[0].str())
            return False
        return all(each.error is None for each in done or ())

    def offsets(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> list[TopicPartition]:
        """As the group keeps them."""
        return [
            TopicPartition(
                self._prefix + each.log, each.number, checkpoint.place.next_offset, encode_checkpoint(checkpoint)
            )
            for each, checkpoint in checkpoints.items()
        ]

    def membership(self) -> bytes | None:
        """Who we are in the group's present generation, for a transaction; None: nobody.

        Brokers would take a nobody for a client that knows no generations, and would not refuse it.
        """
        told: bytes = self._consumer.consumer_group_metadata()
        return told if is_member(told) else None

    def close(self) -> None:
        """Leave the group, so that others need not wait for the session's end."""
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        paused = [TopicPartition(each.topic, each.partition, OFFSET_END) for each in given]
        consumer.incremental_assign(paused)
        consumer.pause(paused)
        self._assigned([self._partition(each) for each in given])

    def _on_revoke(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._revoked([self._partition(each) for each in taken])

    def _on_lost(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._lost([self._partition(each) for each in taken])

    def _where(self, partition: PartitionId) -> TopicPartition:
        return TopicPartition(self._prefix + partition.log, partition.number)

    def _partition(self, where: TopicPartition) -> PartitionId:
        return PartitionId(LogId(where.topic[len(self._prefix) :]), where.partition)


def is_member(metadata: bytes) -> bool:
    """From librdkafka's own form: CGMDv2:, generation (4 bytes, the machine's order), group, 0, member, 0, the rest.

    Raises InvariantError for another form, since nobody may write on a guess.
    """
    if not metadata.startswith(_MAGIC):
        raise InvariantError(f"librdkafka tells of its group in an unknown form: {metadata[:16]!r}")
    at = len(_MAGIC)
    [generation] = _GENERATION.unpack_from(metadata, at)
    _, _, behind = metadata[at + _GENERATION.size :].partition(b"\0")
    return bool(generation >= 0 and behind.partition(b"\0")[0])
