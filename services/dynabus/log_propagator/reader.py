"""The consumer that reads logs, at the places that the brain gives."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.replication.records import Record, decode_record
from dynabus.core.topics import Topics

DRAIN_MOST = 1000
"""Records of one turn: what is produced of them is waited for, and the group is polled in between."""

CALL_S = 5.0


class Reader:
    """`out_of_range` collects the logs that do not reach to where they were to be read, until they are taken."""

    def __init__(self, kafka: KafkaSettings, topics: Topics) -> None:
        self._prefix = topics.log_name(LogId(""))
        self._consumer = Consumer(kafka.loop_consumer(), logger=kafka_logger())
        self._assigned: set[PartitionId] = set()
        self.out_of_range: set[PartitionId] = set()
        self.records = 0

    def assign(self, positions: Mapping[PartitionId, int]) -> None:
        """Read exactly these; one that is read already goes on where it is."""
        gone = self._assigned - positions.keys()
        if gone:
            self._consumer.incremental_unassign([self._where(each) for each in gone])
        new = positions.keys() - self._assigned
        if new:
            self._consumer.incremental_assign([self._where(each, positions[each]) for each in new])
        self._assigned = set(positions)

    def let_go(self, *partitions: PartitionId) -> None:
        """To be assigned anew, at another place; nothing that was fetched of them is read any more."""
        chosen = self._assigned.intersection(partitions) if partitions else self._assigned
        if chosen:
            self._consumer.incremental_unassign([self._where(each) for each in chosen])
        self._assigned = self._assigned - chosen

    def read(self, timeout_s: float) -> dict[PartitionId, list[Record]]:
        """Wait for a record, then take those that are there."""
        first = self._consumer.poll(timeout_s)
        messages = [] if first is None else [first, *self._consumer.consume(DRAIN_MOST, timeout=0)]
        batch: dict[PartitionId, list[Record]] = {}
        for message in messages:
            partition = PartitionId(LogId((message.topic() or "")[len(self._prefix) :]), message.partition() or 0)
            if (error := message.error()) is not None:
                self._failed(error, partition)
            elif partition in self._assigned:
                batch.setdefault(partition, []).append(_record(message))
                self.records += 1
        return batch

    def extent(self, partition: PartitionId) -> tuple[int, int]:
        """What Kafka has of a log: low <= offset < end. Raises KafkaException."""
        found = self._consumer.get_watermark_offsets(self._where(partition), timeout=CALL_S)
        return (0, 0) if found is None else (int(found[0]), int(found[1]))

    def lag(self, partition: PartitionId, place: int) -> int:
        """Records that are not read yet, as the last fetch told."""
        found = self._consumer.get_watermark_offsets(self._where(partition), cached=True)
        return max(0, int(found[1]) - place) if found is not None else 0

    def close(self) -> None:
        self._consumer.close()

    def _failed(self, error: KafkaError, partition: PartitionId) -> None:
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self.out_of_range.add(partition)
        elif error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
            logger().warning("kafka", partition=str(partition), reason=error.str())

    def _where(self, partition: PartitionId, offset: int | None = None) -> TopicPartition:
        topic = self._prefix + partition.log
        return (
            TopicPartition(topic, partition.number)
            if offset is None
            else TopicPartition(topic, partition.number, offset)
        )


def _record(message: Message) -> Record:
    epoch = message.leader_epoch()
    return decode_record(message.offset() or 0, -1 if epoch is None else epoch, message.value())
