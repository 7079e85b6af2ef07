"""Asking auto-admin, as routers do: a request on the control topic, sent again until an answer comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.adapters.logs import kafka_logger
from dynabus.core.messages import ReplyStatus
from dynabus.core.topics import Topics

AGAIN_S = 0.5
"""After so long without an answer the request is sent again."""

FIND_S = 5.0


class Refused(Exception):
    """Auto-admin's answer is an error; its message."""


class Unanswered(Exception):
    """No answer within the time."""


@contextmanager
def control_client(kafka: KafkaSettings, topics: Topics, asker: str, admin: TopicAdmin) -> Iterator[ControlClient]:
    """A client with the reply slot of this asker. Raises KafkaException, TopicError: no Kafka."""
    client = ControlClient(kafka, topics, asker, admin)
    try:
        yield client
    finally:
        client.close()


class ControlClient:
    """One question at a time. Those who share the slot know their own answers by their incarnations."""

    def __init__(self, kafka: KafkaSettings, topics: Topics, asker: str, admin: TopicAdmin) -> None:
        """Raises KafkaException, TopicError: no Kafka."""
        replies = topics.replies(asker)
        admin.ensure([replies])
        self.topics, self._asker, self._counter = topics, asker, 0
        self.incarnation = new_incarnation()
        self.consumer = Consumer(kafka.loop_consumer(), logger=kafka_logger())
        self.producer = Producer(kafka.request_producer(), logger=kafka_logger())
        _, end = extent_of(self.consumer, replies.name, 0, FIND_S)
        self.consumer.assign([TopicPartition(replies.name, 0, end)])

    def ask(self, operation: str, body: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer's JSON. Raises Refused, Unanswered, KafkaException."""
        self._counter += 1
        deadline_s = time.monotonic() + timeout_s
        request = {
            "asker": self._asker,
            "incarnation": self.incarnation,
            "counter": self._counter,
            "budget_ms": int(timeout_s * 1000),
            "operation": operation,
            "body": orjson.dumps(body),
        }
        sent = 0
        while time.monotonic() < deadline_s:
            sent += 1
            request["repeat"] = sent > 1
            self.producer.produce(self.topics.control().name, encode("control_request", request), partition=0)
            self.producer.poll(0)
            again_s = time.monotonic() + AGAIN_S
            while time.monotonic() < again_s:
                message = self.consumer.poll(0.05)
                reply = None if message is None or message.error() is not None else self._own(message.value())
                if reply is not None and not (reply["parts"][0]["provisional"] and sent > 1):
                    return _judged(reply["parts"][0])
        raise Unanswered(f"no answer within {timeout_s:.0f} s")

    def close(self) -> None:
        self.consumer.close()

    def _own(self, value: bytes | None) -> Any | None:
        reply = own_reply(value, self.incarnation)
        return reply if reply is not None and reply["counter"] == self._counter else None


def own_reply(value: bytes | None, incarnation: int) -> Any | None:
    """A reply to this run of an asker, or None for somebody else's and for what is none."""
    try:
        kind, message = decode(value)
    except UndecodableMessage:
        return None
    return message if kind == "reply" and message["incarnation"] == incarnation else None


def _judged(part: Any) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(part["body"] or b"{}")
    if part["status"] == ReplyStatus.ERROR:
        raise Refused(answer["message"])
    return answer
