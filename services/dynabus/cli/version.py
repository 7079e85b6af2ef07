"""`dynabus version`."""

from __future__ import annotations

import platform
from importlib.metadata import version


def version_line() -> str:
    """Versions of dynabus and of what decides how it behaves."""
    import confluent_kafka

    from dynabus.adapters.kafka.jars import KAFKA_VERSION

    return (
        f"dynabus {version('dynabus')} (Python {platform.python_version()}, "
        f"librdkafka {confluent_kafka.libversion()[0]}, --kafka local: Apache Kafka {KAFKA_VERSION})"
    )
