"""Go on reading elsewhere."""

from __future__ import annotations

from confluent_kafka import Consumer, Message, TopicPartition


def read_on(consumer: Consumer, error: Message, offset: int) -> None:
    """Read the topic partition of an error from another offset. In the consumer's own thread.

    Assigned anew, because librdkafka refuses to seek (`_STATE`) where it does not fetch, as after most errors.
    """
    topic, partition = error.topic() or "", error.partition() or 0
    consumer.incremental_unassign([TopicPartition(topic, partition)])
    consumer.incremental_assign([TopicPartition(topic, partition, offset)])
