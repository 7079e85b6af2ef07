"""Where a topic partition begins and ends, and going on reading elsewhere."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

NO_LEADER = frozenset({KafkaError._UNKNOWN_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})
"""What librdkafka says of a topic partition that had no leader, or one that it did not know, when it last heard of
the topic. It asks again only when what it heard expires, after minutes: long after a cluster's start."""


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
