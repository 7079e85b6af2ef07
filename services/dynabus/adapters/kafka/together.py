"""Messages of one turn, handed to librdkafka in one call.

librdkafka sends what it finds when it wakes up, and it wakes up at the first message: handed over one by one, that
one leaves alone, and the others in a second produce request. Half of all batches were such single messages.
"""

from __future__ import annotations

from confluent_kafka import KafkaException, Producer


def produce_together(producer: Producer, topic: str, values: list[bytes]) -> int:
    """Queue messages for the topic's only topic partition; how many were, a full queue takes no more."""
    try:
        return int(producer.produce_batch(topic, [{"value": value} for value in values], 0))
    except (BufferError, KafkaException):
        return 0
