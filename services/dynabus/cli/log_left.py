"""What Kafka has left of a replication log: which replicas stand in it, and which hold what it does not have.

The log is folded from its start, as everybody folds it, up to where no reader goes on. A replica whose chain checksum
comes by is a reader of this very history. One whose checksum does not has read records that are lost. Offsets cannot
tell: a log that lost its tail and grew again has other records at the same ones.
"""

from __future__ import annotations

from collections.abc import Collection

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.log_codec import AvroBodies
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, start_of_log
from dynabus.core.replication.records import decode_record

BATCH = 1000
POLL_S = 5.0
"""For the first records, and between two batches; a broker that is silent for longer is away."""


def chains_in(consumer: Consumer, topic: str, partition: PartitionId, wanted: Collection[bytes]) -> set[bytes] | None:
    """Those of the chain checksums that this log's history has; None where its start was pruned.

    `consumer` reports the end of a topic partition. Raises KafkaException.
    """
    first, end = extent_of(consumer, topic, partition.number, POLL_S)
    if first > 0:
        return None
    consumer.assign([TopicPartition(topic, partition.number, 0)])
    try:
        return _fold(consumer, partition, set(wanted), end)
    finally:
        consumer.unassign()


def _fold(consumer: Consumer, partition: PartitionId, wanted: set[bytes], end: int) -> set[bytes]:
    place, bodies, seen = (
        start_of_log(Origin("", "", PartitionId(LogId(""), partition.number))),
        AvroBodies(),
        set[bytes](),
    )
    while place.next_offset < end:
        messages = arrived(consumer, BATCH, POLL_S)
        if not messages:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the log was not delivered"))
        for message in messages:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                return seen
            if error is not None:
                raise KafkaException(error)
            place, verdict = fold(place, decode_record(message.offset() or 0, -1, message.value()), bodies)
            if verdict in (Verdict.DIVERGED, Verdict.UNREADABLE):
                return seen
            if place.chain in wanted:
                seen.add(place.chain)
    return seen
