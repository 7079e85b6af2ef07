"""The metadata topic: read to its end before the node begins, followed by the loop afterwards."""

from __future__ import annotations

from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from dynabus.adapters.clock import monotonic_ms
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.storage_node.replicas.readers import Arrival

READ_TIMEOUT_MS = 30_000
"""For the whole topic, which holds a few records per table; it is read at 100,000 records a second."""

LIST_TIMEOUT_S = 5.0


def newest_of_all(settings: KafkaSettings, topic: str) -> tuple[list[Arrival], int]:
    """The newest message of each key, oldest first, and the offset at which to read on.

    Older versions would make the node open replicas of tables that are deleted long since. Raises KafkaException.
    """
    consumer = Consumer(settings.log_reader(partition_eof=True))
    try:
        # Known topics are fetched at once; others when the client next looks for leaders, within a second.
        consumer.list_topics(topic, timeout=LIST_TIMEOUT_S)
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        newest: dict[bytes | None, Arrival] = {}
        deadline_ms = monotonic_ms() + READ_TIMEOUT_MS
        while monotonic_ms() < deadline_ms:
            message = cast("Arrival | None", consumer.poll(1.0))
            if message is None:
                continue
            error = message.error()
            if error is None:
                newest.pop(message.key(), None)
                newest[message.key()] = message
            elif error.code() == KafkaError._PARTITION_EOF:
                return list(newest.values()), message.offset()
            elif not error.retriable():
                raise KafkaException(error)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topic} could not be read"))
    finally:
        consumer.close()
