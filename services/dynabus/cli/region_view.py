"""What a cluster's metadata say of regions, links and tables: read once, from the topic's begin to its end."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dynabus.adapters.codec import UndecodableMessage, decode
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_tables.links import Links
from dynabus.core.global_tables.regions import Regions
from dynabus.core.topics import Topics

CALL_S = 5.0
READ_S = 20.0


class Planet:
    """A cluster's own view of all that."""

    def __init__(self) -> None:
        self.regions, self.links, self.view = Regions(), Links(), ClusterView()

    def take(self, key: str, value: bytes | None) -> None:
        """A record of the metadata topic."""
        kind, message = "", None
        try:
            if value is not None:
                kind, message = decode(value)
        except UndecodableMessage:
            return  # Not written by us; services count those.
        self.regions.take(kind, key, message)
        self.links.take(kind, key, message)
        if message is not None:
            self.view.take(kind, message, 0.0)

    def replicas(self) -> list[dict[str, Any]]:
        """(table, ReplicaDescription) of all tables, as DescribeTable has them."""
        tables = sorted(self.view.tables.values(), key=lambda table: table.name)
        return [{**each, "table": table.name} for table in tables for each in table.description.get("Replicas", ())]


def read_planet(kafka: KafkaSettings) -> Planet:
    """Raises KafkaException: no Kafka, or no such topic there."""
    topic, found = Topics(kafka.namespace).metadata().name, Planet()
    consumer = Consumer(kafka.loop_consumer(partition_eof=True), logger=kafka_logger())
    try:
        first, _ = extent_of(consumer, topic, 0, CALL_S)
        consumer.assign([TopicPartition(topic, 0, first)])
        deadline_s = time.monotonic() + READ_S
        while time.monotonic() < deadline_s:
            message = consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                found.take((message.key() or b"").decode(errors="replace"), message.value())
            elif error.code() == KafkaError._PARTITION_EOF:
                return found
            elif not error.retriable():
                raise KafkaException(error)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topic} was not delivered"))
    finally:
        consumer.close()
