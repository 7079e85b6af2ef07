"""Asking auto-admin, as routers do: a request on the control topic, sent again until an answer comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings, read_kafka_config
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError, reach_kafka
from dynabus.adapters.logs import kafka_logger
from dynabus.cli.cluster import Cluster
from dynabus.cli.problem import Problem
from dynabus.core.messages import ReplyStatus
from dynabus.core.topics import Topics

ASKER = "cli"
"""The slot of all commands: each knows its own answers by its incarnation."""

ANSWER_S = 60.0
"""The leader may have to look through its rows for the middle, and auto-admin may just be starting."""

AGAIN_S = 0.5

REACH_TRIES = 3
"""Of a few seconds each; a new client each time, as `reach_kafka` wants it."""


def ask(cluster: Cluster, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer's JSON. Raises Problem: refused, or nobody answers."""
    with connected(cluster) as (consumer, producer, topics):
        return _converse(consumer, producer, topics.control().name, operation, body)


@contextmanager
def connected(cluster: Cluster) -> Iterator[tuple[Consumer, Producer, Topics]]:
    """A consumer of what is answered to commands from now on, and a producer. Raises Problem: no Kafka."""
    kafka, topics = kafka_of(cluster), Topics(cluster.namespace)
    replies = topics.replies(ASKER)
    with explained(cluster):
        reached(kafka).ensure([replies])
        consumer = Consumer(kafka.loop_consumer(), logger=kafka_logger())
        producer = Producer(kafka.request_producer(), logger=kafka_logger())
        try:
            _, end = extent_of(consumer, replies.name, 0, AGAIN_S * 10)
            consumer.assign([TopicPartition(replies.name, 0, end)])
            yield consumer, producer, topics
        finally:
            consumer.close()


def kafka_of(cluster: Cluster) -> KafkaSettings:
    """How a command reaches a cluster's Kafka."""
    extra = read_kafka_config(Path(cluster.kafka_config)) if cluster.kafka_config else {}
    return KafkaSettings(cluster.kafka_bootstrap, cluster.namespace, ASKER, extra)


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


def _converse(
    consumer: Consumer, producer: Producer, control: str, operation: str, body: dict[str, Any]
) -> dict[str, Any]:
    incarnation, deadline_s = new_incarnation(), time.monotonic() + ANSWER_S
    request = {
        "asker": ASKER,
        "incarnation": incarnation,
        "counter": 1,
        "budget_ms": int(ANSWER_S * 1000),
        "operation": operation,
        "body": orjson.dumps(body),
    }
    sent = 0
    while time.monotonic() < deadline_s:
        sent += 1
        request["repeat"] = sent > 1
        producer.produce(control, encode("control_request", request))
        producer.poll(0)
        again_s = time.monotonic() + AGAIN_S
        while time.monotonic() < again_s:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                reply = own_reply(message.value(), incarnation)
                if reply is not None and not (reply["parts"][0]["provisional"] and sent > 1):
                    return _judged(reply["parts"][0])
    raise Problem(f"no answer within {ANSWER_S:.0f} s: is auto-admin running, and has the partition a leader?")


def own_reply(value: bytes | None, incarnation: int) -> Any | None:
    """A reply to this command, or None for somebody else's and for what is none."""
    try:
        kind, message = decode(value)
    except UndecodableMessage:
        return None
    return message if kind == "reply" and message["incarnation"] == incarnation else None


def _judged(part: Any) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(part["body"])
    if part["status"] == ReplyStatus.ERROR:
        raise Problem(answer["message"])
    return answer
