"""Where Kafka is, and the librdkafka properties for each use of it, each with its reason.

librdkafka's defaults are made for throughput over many brokers; a database waits for every message, so most
of these take a wait out of the path (Nagle-like batching, back-off after errors, prefetch pauses).
Source: librdkafka's configuration reference, whose names are used here unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES

Properties = dict[str, str | int | float | bool]

LOG_TIMEOUT_MS = 2000
"""I4: an append whose report is not there by then has an unknown fate, and is re-sent through a new producer."""

ADMIN_TIMEOUT_MS = 10_000

ADMIN: Properties = {
    "socket.timeout.ms": ADMIN_TIMEOUT_MS,
    # Its calls raise what is wrong, and their callers say it; librdkafka itself would do so twenty times a second
    # while Kafka is away.
    "log_level": 0,
}

COMMON: Properties = {
    # A broker that comes back is found within half a second; the default backs off to 10 s.
    # (Consumers never double it: 20 ms would be 50 attempts a second and client.)
    "reconnect.backoff.ms": 100,
    "reconnect.backoff.max.ms": 500,
    # A broker that does not answer is given up after seconds, not after a minute.
    "socket.timeout.ms": 6000,
    "socket.connection.setup.timeout.ms": 3000,
    "socket.keepalive.enable": True,
    # The default lets small messages go at once; said here because everything depends on it.
    "socket.nagle.disable": True,
    "retry.backoff.ms": 20,
    "retry.backoff.max.ms": 200,
    # After a change of a topic's leader, or for a topic that was just made, ask again soon.
    "topic.metadata.refresh.fast.interval.ms": 50,
    "topic.metadata.refresh.interval.ms": 60_000,
    # Topics are made by auto-admin with the settings they need, never by asking for them.
    "allow.auto.create.topics": False,
    # A broker closes idle connections; that is no news.
    "log.connection.close": False,
    # No reports about this client to the broker (KIP-714): they cost work and nobody reads them.
    "enable.metrics.push": False,
    # Every legal message fits: an item may be 3.7 MB as JSON, a record has two images.
    "message.max.bytes": MESSAGE_LIMIT_BYTES,
}

PRODUCER: Properties = {
    # Nothing waits for company; librdkafka still sends together what has queued up meanwhile.
    "linger.ms": 0,
    # No duplicates and no reordering from the client's own retries; implies acks=all.
    "enable.idempotence": True,
    "acks": "all",
    # The most that idempotence allows; more requests at once, less waiting.
    "max.in.flight.requests.per.connection": 5,
    # Values are small and are read within a millisecond; compressing costs more than sending.
    "compression.type": "none",
    # Bounded: 32 MB of unsent messages are an outage, and callers then answer "throttled".
    "queue.buffering.max.kbytes": 32_768,
    "queue.buffering.max.messages": 100_000,
}

REQUEST_PRODUCER: Properties = {
    **PRODUCER,
    # Group commit: what comes up while one request is under way leaves as one after it, at no cost to a lone
    # message. There are few topics to wait for each other here; a log producer writes to many, and its batches are
    # made by the node's turns.
    "max.in.flight.requests.per.connection": 1,
    # A request or a reply older than this has passed its deadline; its asker has re-sent it.
    "message.timeout.ms": 5000,
    "request.timeout.ms": 3000,
}

LOG_PRODUCER: Properties = {
    **PRODUCER,
    "message.timeout.ms": LOG_TIMEOUT_MS,
    "request.timeout.ms": LOG_TIMEOUT_MS,
    # After a change of Kafka's leader the producer first waits for answers of the old one, so long.
    "socket.timeout.ms": LOG_TIMEOUT_MS,
}

CONSUMER: Properties = {
    # Positions are LMDB's places, or the end of an inbox; Kafka's committed offsets drive nothing (I6).
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # A position that Kafka no longer has means lost history, which must be seen, never skipped (I9).
    "auto.offset.reset": "error",
    # A changed byte must not pass for a record; off by default.
    "check.crcs": True,
    # A fetch ends when the first byte is there. The wait bounds how late a topic that was just assigned
    # joins the fetches of a busy consumer (one fetch is in flight per broker).
    "fetch.min.bytes": 1,
    "fetch.wait.max.ms": 50,
    # By default a consumer whose queue was full once sleeps a second.
    "fetch.queue.backoff.ms": 5,
    "fetch.error.backoff.ms": 20,
    # Memory: the default is 64 MB a consumer.
    "queued.max.messages.kbytes": 8192,
    "fetch.max.bytes": MESSAGE_LIMIT_BYTES,
}

LOG_READER: Properties = {
    **CONSUMER,
    # For catch-up and clones: throughput matters, and a consumer of its own keeps requests undisturbed.
    "fetch.wait.max.ms": 100,
    "max.partition.fetch.bytes": 4 * 1024 * 1024,
}

GROUP_MEMBER: Properties = {
    # Who keeps a log through a rebalance goes on reading it.
    "partition.assignment.strategy": "cooperative-sticky",
    "heartbeat.interval.ms": 1500,
    # A checkpoint that is offered in a transaction and not decided is waited for (KIP-447).
    "isolation.level": "read_committed",
    # A delivery may take ten seconds before it is given up.
    "max.poll.interval.ms": 60_000,
    # New topic partitions, those of a split's children, are given to somebody only after such a look.
    "topic.metadata.refresh.interval.ms": 1000,
}

STREAM_PRODUCER: Properties = {
    **PRODUCER,
    # Nothing is given up alone, and what fails takes with it all that follows; see `log_propagator.sender`.
    "message.timeout.ms": 0,
    "enable.gapless.guarantee": True,
    # A topic that is not there is told of soon: others wait behind it.
    "topic.metadata.propagation.max.ms": 2000,
    "request.timeout.ms": 5000,
}

TABLE_PRODUCER: Properties = {
    **PRODUCER,
    # After so long Kafka ends what a propagator that died had begun; until then its successor and readers wait. More
    # than a broker's fail-over takes.
    "transaction.timeout.ms": 10_000,
    "message.timeout.ms": 8000,
    "request.timeout.ms": 5000,
    "topic.metadata.propagation.max.ms": 2000,
}

OUTCOME_PRODUCER: Properties = {
    **PRODUCER,
    # Outcomes are told by their places: one that comes twice, or in another order, is no harm, and nothing is fatal.
    "enable.idempotence": False,
    # They come in bursts, as leaders answer; nobody waits for a lone one by the millisecond.
    "linger.ms": 5,
    # Then it is sent again, by another producer.
    "message.timeout.ms": 10_000,
    "topic.metadata.propagation.max.ms": 2000,
}

REPLICATION_PRODUCER: Properties = {
    **OUTCOME_PRODUCER,
    # Lines between regions are long and paid for; many changes in a message compress well.
    "compression.type": "zstd",
    "linger.ms": 0,
    "request.timeout.ms": 5000,
}

COMMAND_PRODUCER: Properties = {
    **PRODUCER,
    # Commands under way are bounded in bytes by who sends them (64 MB, `client.flight`); this queue is no limit.
    "queue.buffering.max.kbytes": 131_072,
    "topic.metadata.propagation.max.ms": 2000,
    "request.timeout.ms": 5000,
}

PROTECTED = frozenset(
    {
        "bootstrap.servers",
        "metadata.broker.list",
        "acks",
        "request.required.acks",
        "enable.idempotence",
        "enable.auto.commit",
        "auto.commit.enable",
        "enable.auto.offset.store",
        "auto.offset.reset",
        "check.crcs",
        "allow.auto.create.topics",
        "transactional.id",
        "message.timeout.ms",
        "delivery.timeout.ms",
        "group.id",
        "partition.assignment.strategy",
        "enable.gapless.guarantee",
        "isolation.level",
        "transaction.timeout.ms",
    }
)
"""Properties on which safety rests; a configuration file that names one is refused."""


class KafkaConfigError(Exception):
    """The file given with --kafka-config cannot be used; one line that says why."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where Kafka is and how to talk to it. `extra` are the operator's own properties (TLS, SASL …)."""

    bootstrap: str
    namespace: str = "dynabus"
    client_id: str = "dynabus"
    extra: Mapping[str, str] = field(default_factory=dict)

    def admin(self) -> Properties:
        """For an AdminClient."""
        return self._with(ADMIN)

    def request_producer(self) -> Properties:
        """For requests, replies, heartbeats and metadata."""
        return self._with(REQUEST_PRODUCER)

    def log_producer(self) -> Properties:
        """For replication logs: one such producer per node (I4)."""
        return self._with(LOG_PRODUCER)

    def loop_consumer(self, *, partition_eof: bool = False) -> Properties:
        """For a service's loop: topic partitions are assigned by hand, positions given with them."""
        return self._consumer(CONSUMER, partition_eof)

    def log_reader(self, *, partition_eof: bool = True) -> Properties:
        """For reading a log from far behind; the end of each topic partition is reported."""
        return self._consumer(LOG_READER, partition_eof)

    def group_member(self, group: str, session_timeout_ms: int) -> Properties:
        """For a member of a consumer group that commits by itself and fetches elsewhere."""
        own: Properties = {"group.id": group, "session.timeout.ms": session_timeout_ms}
        return self._with({**CONSUMER, **GROUP_MEMBER, **own})

    def outcome_producer(self) -> Properties:
        """For outcomes and dead letters of ingest."""
        return self._with(OUTCOME_PRODUCER)

    def replication_producer(self) -> Properties:
        """For batches to another region's Kafka."""
        return self._with(REPLICATION_PRODUCER)

    def command_producer(self, timeout_ms: int) -> Properties:
        """For commands of ingest; after `timeout_ms` their producer has been told that nothing is known of them."""
        return self._with({**COMMAND_PRODUCER, "message.timeout.ms": timeout_ms})

    def stream_producer(self) -> Properties:
        """For public topics, in which no record may land behind a later one."""
        return self._with(STREAM_PRODUCER)

    def table_producer(self, transactional_id: str) -> Properties:
        """For table topics: one such producer per log propagator, if it has one to write."""
        return self._with({**TABLE_PRODUCER, "transactional.id": transactional_id})

    def _consumer(self, properties: Properties, partition_eof: bool) -> Properties:
        # librdkafka wants a group id although nothing joins a group; it is never committed to.
        own: Properties = {"group.id": f"{self.namespace}.{self.client_id}", "enable.partition.eof": partition_eof}
        return self._with({**properties, **own})

    def _with(self, properties: Properties) -> Properties:
        own: Properties = {"bootstrap.servers": self.bootstrap, "client.id": self.client_id}
        return {**COMMON, **properties, **self.extra, **own}


def read_kafka_config(path: Path) -> dict[str, str]:
    """librdkafka properties of a file of `key=value` lines (`#` begins a comment). Raises KafkaConfigError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise KafkaConfigError(f"cannot read --kafka-config {path}: {error}") from error
    properties: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith(("#", "!")):
            properties.update([_property(path, number, line)])
    return properties


def _property(path: Path, number: int, line: str) -> tuple[str, str]:
    key, separator, value = line.partition("=")
    key = key.strip()
    if not separator or not key:
        raise KafkaConfigError(f"{path}, line {number}: expected key=value, found {line.strip()!r}")
    if key in PROTECTED:
        raise KafkaConfigError(f"{path}, line {number}: {key} is set by Dynabus, safety rests on it; remove it")
    return key, value.strip()


def check_properties(settings: KafkaSettings) -> None:
    """Raise KafkaConfigError where the installed librdkafka does not take one of the properties."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        AdminClient({**settings.admin(), "log_level": 0})
    except KafkaException as error:
        raise KafkaConfigError(f"librdkafka refuses the Kafka properties: {error.args[0].str()}") from error
