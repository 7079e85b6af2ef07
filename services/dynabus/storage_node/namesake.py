"""Two nodes under one name: the one that comes second is refused, with a line that says so.

They would share an inbox and take each other's leadership away. Nothing would be lost (a claim is recognised by its
nonce and incarnation, I2), but nothing would work well either, and nobody would be told why.

    at the start   the last heartbeat under this name is of a run that this data folder does not know: listen for as
                   long as a node may be silent. Another one: it lives, this node ends. None: it is gone for good
                   (a node that begins anew with an empty disk), this node begins.
    later          a heartbeat of a newer run: somebody else has taken the name over, this node ends.

A node that comes back with its own folder never waits: the folder was locked, so the former run is dead.
"""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dynabus.adapters.clock import monotonic_ms
from dynabus.adapters.codec import UndecodableMessage, decode
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger
from dynabus.core.ids import Incarnation, Writer
from dynabus.core.messages import Heartbeat

SERVICE = "storage-node"
"""Auto-admins and others say theirs on the same topic."""

LOOK_BACK = 64
"""Heartbeats: one of each node is among them in a cluster of dozens. In a larger one the second check finds out."""

CALL_TIMEOUT_S = 5.0
POLL_S = 0.25


class NamesakeError(Exception):
    """Another process runs under this node's name; one line that says what to do."""

    def __init__(self, other: Heartbeat) -> None:
        super().__init__(
            f"another storage node runs under the name {other['node']} (zone {other['zone']}, incarnation "
            f"{other['incarnation']}): give each node a --name (DYNABUS_NAME) of its own, or stop the other one"
        )


def check_heard(me: Writer, heartbeat: Heartbeat) -> None:
    """A heartbeat that arrived while this node runs. Raises NamesakeError."""
    if heartbeat["node"] == me.node and heartbeat["incarnation"] > me.incarnation:
        raise NamesakeError(heartbeat)


def check_free(kafka: KafkaSettings, topic: str, me: Writer, former: Incarnation, silence_ms: float) -> None:
    """Return once nobody else can be alive under this name. Raises NamesakeError, KafkaException.

    `former`: the last run of this data folder, 0 without one. `silence_ms`: how long a live node may be silent.
    """
    consumer = Consumer(kafka.log_reader(partition_eof=True), logger=kafka_logger())
    try:
        low, high = extent_of(consumer, topic, 0, CALL_TIMEOUT_S)
        consumer.assign([TopicPartition(topic, 0, max(low, high - LOOK_BACK))])
        last: Incarnation | None = None
        deadline_ms: float | None = None
        for heartbeat in _heartbeats(consumer):
            if heartbeat is not None and heartbeat["node"] == me.node:
                last = Incarnation(heartbeat["incarnation"])
                if deadline_ms is not None:
                    raise NamesakeError(heartbeat)
            elif heartbeat is None and deadline_ms is None:
                if last is None or last <= former:
                    return
                deadline_ms = monotonic_ms() + silence_ms
            if deadline_ms is not None and monotonic_ms() > deadline_ms:
                return
    finally:
        consumer.close()


def _heartbeats(consumer: Consumer) -> Iterator[Heartbeat | None]:
    """Heartbeats for ever; None whenever there is no further one at the moment."""
    reached_end = False
    while True:
        message = consumer.poll(POLL_S)
        if message is None:
            if reached_end:
                yield None
            continue
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            reached_end = True
            yield None
        elif error is not None:
            raise KafkaException(error)
        elif (heartbeat := _heartbeat(message.value())) is not None:
            yield heartbeat


def _heartbeat(value: bytes | None) -> Heartbeat | None:
    try:
        kind, body = decode(value)
    except UndecodableMessage:
        return None
    return body if kind == "heartbeat" and body["service"] == SERVICE else None
