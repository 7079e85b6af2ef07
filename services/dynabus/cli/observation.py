"""A cluster that runs elsewhere, as its topics tell: tables from metadata, nodes and replicas from heartbeats.

The same view that routers have, made for one look. Routers themselves write no heartbeats and are not seen.
"""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.logs import kafka_logger
from dynabus.cli.cluster import ADMIN, NODE, Cluster
from dynabus.cli.control import ASKER, explained, kafka_of, reached
from dynabus.cli.problem import Problem
from dynabus.core.cluster_status import tables_status
from dynabus.core.cluster_view import NODE_SILENT_MS, ClusterView
from dynabus.core.propagation.view import DerivedView
from dynabus.core.streams.view import DISABLING, ENABLING
from dynabus.core.topics import Topics

CALL_S = 5.0
LEAST_MS = 1700.0
"""Nodes that nobody names, and standbys, are heard within a heartbeat's period."""


class Observer:
    """Fed with the messages of both topics."""

    def __init__(self, metadata: str) -> None:
        self.view, self.streams = ClusterView(), DerivedView()
        self.loaded = False
        self._metadata = metadata
        self._admins: dict[str, tuple[str, bool]] = {}

    def take(self, message: Message, now_ms: float) -> None:
        """Raises KafkaException: a topic cannot be read."""
        error = message.error()
        if error is not None:
            self.loaded |= error.code() == KafkaError._PARTITION_EOF and message.topic() == self._metadata
            if error.code() != KafkaError._PARTITION_EOF and not error.retriable():
                raise KafkaException(error)
            return
        value = message.value()
        if value is None:
            return  # A tombstone: a table that is gone.
        try:
            kind, said = decode(value)
        except UndecodableMessage:
            return  # Not written by us; services count those.
        if kind == "stream_metadata":
            self.streams.take(said)
        elif kind == "table_topic_metadata":
            self.streams.take_table_topic(said)
        self.view.take(kind, said, now_ms)
        if kind == "heartbeat" and said["service"] == ADMIN:
            self._admins[said["node"]] = (said["zone"], said["stopping"])

    def complete(self, now_ms: float) -> bool:
        """Every node that has a replica, as far as metadata says, has told all it has."""
        named = {
            node
            for table in self.view.tables.values()
            for partition in table.partitions
            for node in (*partition["members"], *partition["joining"])
        }
        return self.loaded and all(self.view.alive(node, now_ms) and self.view.nodes[node].complete for node in named)

    def processes(self) -> list[dict[str, Any]]:
        """Those that were heard, as `status --json` has them."""
        nodes = [(NODE, node.name, node.zone, node.stopping) for node in self.view.nodes.values()]
        admins = [(ADMIN, name, *said) for name, said in self._admins.items()]
        return [
            {
                "service": service,
                "name": name,
                "zone": zone,
                "pid": None,
                "state": "stopping" if stopping else "running",
                "ops_port": None,
            }
            for service, name, zone, stopping in sorted(admins + nodes)
        ]

    def waits(self, propagators: int | None) -> list[dict[str, Any]]:
        """Streams that wait for log propagators, of which so many run; in which partitions auto-admin alone knows."""
        return [
            {
                "table": each.name,
                "label": each.label,
                "status": each.status,
                "partitions": [],
                "propagators": propagators,
                "for_s": None,
            }
            for each in self.streams.all()
            if each.status in (ENABLING, DISABLING) or (each.is_live and propagators == 0)
        ]


def observe(cluster: Cluster) -> dict[str, Any]:
    """What `status --json` prints of it. Raises Problem: no Kafka there, or no cluster of that namespace."""
    kafka, topics = kafka_of(cluster), Topics(cluster.namespace)
    wanted = {topics.metadata().name, topics.heartbeats().name}
    with explained(cluster):
        admin = reached(kafka)
        if not wanted <= admin.names(cluster.namespace):
            raise Problem(
                f"there is no cluster of namespace {cluster.namespace} in the Kafka at {cluster.kafka_bootstrap}: "
                "name it with --namespace NS"
            )
        observer = _listen(kafka, topics)
        propagators = _propagators(admin, topics) if observer.streams.live_tables() else None
    return {
        "endpoint": None,
        "kafka": {"source": cluster.kafka_source, "bootstrap": cluster.kafka_bootstrap, "pid": None},
        "processes": observer.processes(),
        "tables": tables_status(observer.view),
        "streams": observer.streams.shown(topics),
        "held": [],
        "waits": observer.waits(propagators),
        "asked": False,
    }


def _propagators(admin: TopicAdmin, topics: Topics) -> int | None:
    try:
        return admin.group_members(topics.propagators)
    except (KafkaException, TopicError):
        return None  # librdkafka's mock cannot tell, and a client may not be allowed to ask.


def _listen(kafka: KafkaSettings, topics: Topics) -> Observer:
    metadata, heartbeats = topics.metadata().name, topics.heartbeats().name
    observer = Observer(metadata)
    consumer = Consumer(kafka.loop_consumer(partition_eof=True), logger=kafka_logger())
    producer = Producer(kafka.request_producer(), logger=kafka_logger())
    try:
        first, _ = extent_of(consumer, metadata, 0, CALL_S)
        _, end = extent_of(consumer, heartbeats, 0, CALL_S)
        consumer.assign([TopicPartition(metadata, 0, first), TopicPartition(heartbeats, 0, end)])
        producer.produce(heartbeats, encode("heartbeats_wanted", {"asker": ASKER}), partition=0)
        producer.flush(CALL_S)
        begin_ms = now_ms = exact_ms()
        while now_ms - begin_ms < NODE_SILENT_MS:
            if now_ms - begin_ms > LEAST_MS and observer.complete(now_ms):
                break
            message = consumer.poll(0.1)
            now_ms = exact_ms()
            if message is not None:
                observer.take(message, now_ms)
    finally:
        consumer.close()
    return observer
