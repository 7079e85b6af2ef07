"""Asking auto-admin, as routers do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from dynabus.adapters.kafka.control_client import ControlClient, Refused, Unanswered, control_client
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError, reach_kafka
from dynabus.cli.cluster import Cluster
from dynabus.cli.kafka_config import kafka_properties
from dynabus.cli.problem import Problem
from dynabus.core.topics import Topics

ASKER = "cli"
"""The slot of all commands: each knows its own answers by its incarnation."""

ANSWER_S = 60.0
"""The leader may have to look through its rows for the middle, and auto-admin may just be starting."""

REACH_TRIES = 3
"""Of a few seconds each; a new client each time, as `reach_kafka` wants it."""


def ask(cluster: Cluster, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer's JSON. Raises Problem: refused, or nobody answers."""
    with _client(cluster) as client:
        try:
            return client.ask(operation, body, ANSWER_S)
        except Refused as refused:
            raise Problem(str(refused)) from refused
        except Unanswered as silence:
            raise Problem(f"{silence}: is auto-admin running, and has the partition a leader?") from silence


@contextmanager
def connected(cluster: Cluster) -> Iterator[tuple[Consumer, Producer, Topics]]:
    """A consumer of what is answered to commands from now on, and a producer. Raises Problem: no Kafka."""
    with _client(cluster) as client:
        yield client.consumer, client.producer, client.topics


@contextmanager
def _client(cluster: Cluster) -> Iterator[ControlClient]:
    kafka = kafka_of(cluster)
    with explained(cluster), control_client(kafka, Topics(cluster.namespace), ASKER, reached(kafka)) as client:
        yield client


def kafka_of(cluster: Cluster) -> KafkaSettings:
    """How a command reaches a cluster's Kafka. Raises Problem."""
    return KafkaSettings(cluster.kafka_bootstrap, cluster.namespace, ASKER, kafka_properties(cluster))


@contextmanager
def explained(cluster: Cluster) -> Iterator[None]:
    """Raises Problem for whatever Kafka's clients raise."""
    try:
        yield
    except (KafkaException, TopicError) as error:
        raise Problem(f"Kafka at {cluster.kafka_bootstrap} does not answer ({error}): is the cluster up?") from error


def reached(kafka: KafkaSettings) -> TopicAdmin:
    """A busy machine may miss one deadline. Raises TopicError."""
    for _ in range(REACH_TRIES - 1):
        try:
            return reach_kafka(kafka)
        except TopicError as error:
            if not error.retriable:
                raise
    return reach_kafka(kafka)
