"""The consumer that reads logs, at the places that the brain gives.

A log that lost its tail and grew again beyond a place has other records there, which only Kafka's leader epochs tell
at once (KIP-320; ARCHITECTURE, "Recovery"). As replicas do, a log is begun one record before its place, if that is
still there: it must be of the epoch that the place remembers.
"""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import OUT_OF_RANGE, extent_of, position
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.replication.place import Place, one_before, other_history
from dynabus.core.replication.records import Record, decode_record
from dynabus.core.topics import Topics

DRAIN_MOST = 1000
"""Records of one turn: what is produced of them is waited for, and the group is polled in between."""

CALL_S = 5.0

AWAY = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})
"""No broker answers, whatever it is asked."""


class Reader:
    """Two sets collect logs until they are taken: `out_of_range` do not have the place where they were to be read, of
    `unanswered` Kafka does not tell now."""

    def __init__(self, kafka: KafkaSettings, topics: Topics) -> None:
        self._prefix = topics.log_name(LogId(""))
        self._consumer = Consumer(kafka.loop_consumer(), logger=kafka_logger())
        self._assigned: set[PartitionId] = set()
        self._compared: dict[PartitionId, Place] = {}
        """Begun one record early: that record is compared with this place."""
        self.out_of_range: set[PartitionId] = set()
        self.unanswered: set[PartitionId] = set()
        self.records = 0

    def assign(self, places: Mapping[PartitionId, Place]) -> None:
        """Read these and nothing else; one that is read already goes on where it is."""
        gone = self._assigned - places.keys()
        if gone:
            self.let_go(*gone)
        for each in places.keys() - self._assigned:
            try:
                self._begin(each, places[each])
            except KafkaException as error:
                logger().warning("log not read yet", log=str(each), reason=error.args[0].str())
                self.unanswered.add(each)
                if error.args[0].code() in AWAY:
                    # Each question to a Kafka that is away takes seconds, in which the group is not polled.
                    return

    def _begin(self, partition: PartitionId, place: Place) -> None:
        low, high = self.extent(partition)
        # Beyond the end the broker judges: a new leader may not know yet how far its log was confirmed.
        compares = low < place.next_offset <= high and place.leader_epoch >= 0
        if compares:
            self._compared[partition] = place
        at = one_before(place) if compares else place
        self._consumer.incremental_assign([position(*self._log(partition), at)])
        self._assigned.add(partition)

    def let_go(self, *partitions: PartitionId) -> None:
        """To be assigned anew, at another place; nothing that was fetched of them is read any more."""
        chosen = self._assigned.intersection(partitions) if partitions else self._assigned
        if chosen:
            self._consumer.incremental_unassign([self._where(each) for each in chosen])
        for each in chosen:
            self._compared.pop(each, None)
        self._assigned = self._assigned - chosen

    def read(self, timeout_s: float) -> dict[PartitionId, list[Record]]:
        """Wait for a record, then take those that are there."""
        batch: dict[PartitionId, list[Record]] = {}
        for message in arrived(self._consumer, DRAIN_MOST, timeout_s):
            partition = PartitionId(LogId((message.topic() or "")[len(self._prefix) :]), message.partition() or 0)
            if (error := message.error()) is not None:
                self._failed(error, partition)
            elif partition in self._assigned and partition not in self.out_of_range:
                self._take(batch.setdefault(partition, []), partition, _record(message))
        return {partition: records for partition, records in batch.items() if records}

    def _take(self, records: list[Record], partition: PartitionId, record: Record) -> None:
        place = self._compared.pop(partition, None)
        if place is not None and record.offset < place.next_offset and other_history(place, record):
            self.out_of_range.add(partition)
            return
        records.append(record)
        self.records += 1

    def extent(self, partition: PartitionId) -> tuple[int, int]:
        """What Kafka has of a log: low <= offset < end. Raises KafkaException."""
        return extent_of(self._consumer, *self._log(partition), CALL_S)

    def close(self) -> None:
        self._consumer.close()

    def _failed(self, error: KafkaError, partition: PartitionId) -> None:
        if error.code() in OUT_OF_RANGE:
            self.out_of_range.add(partition)
        elif error.code() not in AWAY:
            logger().warning("kafka", partition=str(partition), reason=error.str())

    def _log(self, partition: PartitionId) -> tuple[str, int]:
        return self._prefix + partition.log, partition.number

    def _where(self, partition: PartitionId) -> TopicPartition:
        return TopicPartition(*self._log(partition))


def _record(message: Message) -> Record:
    epoch = message.leader_epoch()
    return decode_record(message.offset() or 0, -1 if epoch is None else epoch, message.value())
