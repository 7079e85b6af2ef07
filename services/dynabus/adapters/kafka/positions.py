"""Where a topic partition begins and ends, and going on reading elsewhere."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.core.replication.place import Place

NO_LEADER = frozenset({KafkaError._UNKNOWN_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})
"""What librdkafka says of a topic partition that had no leader, or one that it did not know, when it last heard of
the topic. It asks again only when what it heard expires, after minutes: long after a cluster's start."""

OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
"""A log does not have the offset at which it was to be read, or has it in another history (I9)."""


def position(topic: str, partition: int, place: Place) -> TopicPartition:
    """Where reading goes on from a place, with the Kafka leader epoch of the record before it (I6).

    By that Kafka compares the histories (KIP-320): in a log that lost its tail and grew again beyond the place, the
    epoch ends before the place, which is reported as an offset `OUT_OF_RANGE`. librdkafka 2.16 asks when it learns of
    a leader, and not when it knows the leader already: see `core.replication.place.other_history`.
    """
    if place.next_offset == 0 or place.leader_epoch < 0:
        return TopicPartition(topic, partition, place.next_offset)
    return TopicPartition(topic, partition, place.next_offset, leader_epoch=place.leader_epoch)


def extent_of(consumer: Consumer, topic: str, partition: int, timeout_s: float) -> tuple[int, int]:
    """What exists of a topic partition: offsets low <= offset < high. Raises KafkaException."""
    asked = TopicPartition(topic, partition)
    try:
        found = consumer.get_watermark_offsets(asked, timeout=timeout_s)
    except KafkaException as error:
        if error.args[0].code() not in NO_LEADER:
            raise
        consumer.list_topics(topic, timeout=timeout_s)
        found = consumer.get_watermark_offsets(asked, timeout=timeout_s)
    if found is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"Kafka does not tell the extent of {topic}"))
    return int(found[0]), int(found[1])


def read_on(consumer: Consumer, error: Message, offset: int) -> None:
    """Read the topic partition of an error from another offset. In the consumer's own thread.

    Assigned anew, because librdkafka refuses to seek (`_STATE`) where it does not fetch, as after most errors.
    """
    topic, partition = error.topic() or "", error.partition() or 0
    consumer.incremental_unassign([TopicPartition(topic, partition)])
    consumer.incremental_assign([TopicPartition(topic, partition, offset)])
