"""The Kafka of another region."""

from __future__ import annotations

import orjson

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.global_tables.regions import Peer


def kafka_of(peer: Peer, client_id: str) -> KafkaSettings:
    """How another region's Kafka is reached."""
    extra = {str(name): str(value) for name, value in orjson.loads(peer.settings or "{}").items()}
    return KafkaSettings(peer.kafka, peer.namespace, client_id, extra)
