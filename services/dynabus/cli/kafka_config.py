"""What `--kafka-config FILE` of a cluster says."""

from __future__ import annotations

from pathlib import Path

from dynabus.adapters.kafka.settings import KafkaConfigError, KafkaSettings, check_properties, read_kafka_config
from dynabus.cli.cluster import Cluster
from dynabus.cli.problem import Problem


def kafka_properties(cluster: Cluster) -> dict[str, str]:
    """The operator's own librdkafka properties. Raises Problem where the file cannot be used."""
    if not cluster.kafka_config:
        return {}
    try:
        properties = read_kafka_config(Path(cluster.kafka_config))
        check_properties(KafkaSettings("127.0.0.1:9092", extra=properties))
        return properties
    except KafkaConfigError as error:
        raise Problem(str(error)) from error
