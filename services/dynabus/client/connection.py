"""How an application says where Kafka is."""

from __future__ import annotations

from collections.abc import Mapping

from dynabus.adapters.kafka.settings import PROTECTED, KafkaSettings
from dynabus.client.errors import ClientError


def kafka_settings(kafka: str, namespace: str, client_id: str, config: Mapping[str, str] | None) -> KafkaSettings:
    """`config`: further librdkafka properties. Raises ClientError for those on which delivery rests."""
    extra = dict(config or {})
    if refused := sorted(PROTECTED & extra.keys()):
        raise ClientError(f"{', '.join(refused)}: set by dynabus.client, delivery rests on it; remove it from config")
    return KafkaSettings(kafka, namespace, client_id=client_id, extra=extra)
