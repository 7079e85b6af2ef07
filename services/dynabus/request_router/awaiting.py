"""What whoever asks leaders needs in Kafka before it begins."""

from __future__ import annotations

from dynabus.adapters.kafka.patience import persist
from dynabus.adapters.kafka.topics import reach_kafka
from dynabus.adapters.logs import logger
from dynabus.core.topics import Topics
from dynabus.request_router.asking_settings import AskingSettings


def await_topics(settings: AskingSettings) -> None:
    """Return once Kafka has it, however long it takes. Raises KafkaConfigError, UnsafeKafka."""
    topics = Topics(settings.namespace)
    wanted = [topics.metadata(), topics.heartbeats(), topics.control(), topics.replies(settings.name)]
    kafka = settings.kafka_settings()
    for warning in persist(kafka, "waiting for Kafka", lambda: reach_kafka(kafka).ensure(wanted)):
        logger().warning("kafka", warning=warning)
