"""A cluster's metadata, read by who also reads something else: all that is there first, then what comes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.codec import UndecodableMessage, decode
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.client.errors import ClientError, NoKafkaError, NoStreamError
from dynabus.core.streams.view import StreamsView
from dynabus.core.topics import Topics

CALL_S = 10.0
POLL_S = 0.1

FETCH_MOST = 500

_log = logging.getLogger("dynabus.client")

Learn = Callable[[str, Any], None]
"""Is told of each message: its kind, and what it says."""


class Metadata:
    """Of one namespace. `take` what the consumer gets of topic `name` after `read`."""

    def __init__(self, topics: Topics, learn: Learn) -> None:
        self.name = topics.metadata().name
        self._namespace = topics.namespace
        self._learn = learn

    def read(self, consumer: Consumer, absent: type[ClientError]) -> None:
        """All of it; the consumer, which reads nothing else so far, goes on there.

        Raises NoKafkaError, and `absent` where there is no cluster.
        """
        if self.name not in _topics(consumer):
            raise absent(f"no cluster of namespace {self._namespace} is here: no topic {self.name}")
        consumer.assign([TopicPartition(self.name, 0, OFFSET_BEGINNING)])
        deadline_ms = exact_ms() + CALL_S * 1000
        while exact_ms() < deadline_ms:
            for message in arrived(consumer, FETCH_MOST, POLL_S):
                error = message.error()
                if error is None:
                    self.take(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
        raise NoKafkaError(f"{self.name} is not read to its end within {CALL_S:.0f} s; is Kafka well?")

    def take(self, message: Message) -> None:
        """One message without an error."""
        value = message.value()
        if value is None:
            return
        try:
            kind, body = decode(value)
        except UndecodableMessage as error:
            _log.info("message of %s skipped: %s", self.name, error)
            return
        self._learn(kind, body)


def _topics(consumer: Consumer) -> set[str]:
    try:
        return {*consumer.list_topics(timeout=CALL_S).topics}
    except KafkaException as error:
        why = error.args[0].str()
        raise NoKafkaError(f"Kafka does not answer ({why}); `dynabus status` shows where a cluster's is") from error


def newest_stream(streams: StreamsView, table: str, label: str | None) -> tuple[str, str]:
    """Name and label of a table's newest stream, or of that with this label. Raises NoStreamError."""
    labels = [each.label for each in streams.all() if each.name == table and label in (None, each.label)]
    if not labels:
        which = f"stream {label}" if label else "stream"
        raise NoStreamError(f"table {table} has no {which}; StreamSpecification of UpdateTable switches one on")
    return table, max(labels)
