"""Other regions, and how their Kafka is reached."""

from __future__ import annotations

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.global_tables.regions import Peer


def kafka_of(peer: Peer, client_id: str) -> KafkaSettings:
    """How another region's Kafka is reached."""
    return KafkaSettings(peer.kafka, peer.namespace, client_id, peer.properties)
