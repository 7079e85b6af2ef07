"""The producer of stream records. What it has put into a topic partition is a prefix of what it was given.

Readers tell repeats by sequence numbers; a record that lands behind a later one would pass for a repeat. So no
message is ever given up alone (`message.timeout.ms` 0, `enable.gapless.guarantee`): after a failure, or ten seconds
without an end, all that is left is purged, and the propagator begins again at its last checkpoint with another
producer.

With a schema registry a topic's schema is registered before anything is produced for it, and its id stands in front
of each value. Where that cannot be had nothing of the topic is produced.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from dynabus.adapters.clock import unix_ms
from dynabus.adapters.kafka.release import let_go
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicError
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.adapters.schema_registry import RegistryProblem, SchemaRegistry
from dynabus.adapters.stream_codec import CONFLICT_ID, PUBLISHED, SCHEMA_ID, encode_conflict, encode_output
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.outputs import Output
from dynabus.core.streams.registry import subject_of
from dynabus.core.topics import Topic, Topics

DELIVERY_S = 10.0
"""A broker's fail-over takes less; meanwhile the group is not polled, which it bears for a minute."""

FULL_S = 0.05

CALL_S = 5.0

OF_ONE_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_TIMESTAMP,
    }
)
"""Errors that do not pass by another producer: other streams need not wait for this one."""


class Sender:
    """Used from one thread."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Topics,
        registry: SchemaRegistry | None = None,
        ensure: Callable[[Sequence[Topic]], object] = list,
    ) -> None:
        self._kafka, self._topics, self._registry, self._ensure = kafka, topics, registry, ensure
        self.sent = self.replaced = 0
        self.conflicts: Counter[str] = Counter()
        """Delivered, repeats too, by table."""
        self._ensured: set[str] = set()
        self._failed = ""
        self.culprit: PartitionId | None = None
        """Whose topic was the reason of the last failure, if it was one alone."""
        self.reason = ""
        """Of the last failure."""
        self._counts: dict[str, int] = {}
        """Topic partitions of each topic that the producer knows; it looks for new ones every few minutes only."""
        self._producer = self._make()

    def deliver(self, outputs: Sequence[Output]) -> bool:
        """True once Kafka has all of them; False: some may be there, and none that follows one that is missing."""
        deadline = time.monotonic() + DELIVERY_S
        self.culprit = None
        if not (self._have_topics(outputs) and self._are_registered(outputs)):
            return False
        count = 0
        try:
            for output in outputs:
                self._produce(output, deadline)
                count += 1
        except KafkaException as error:
            self._note(error.args[0], output)
        left = self._producer.flush(max(0.0, deadline - time.monotonic())) if not self._failed else 1
        if left or self._failed:
            self._replace(self._failed or f"{left} records are not delivered after {DELIVERY_S:.0f} s")
            return False
        self.sent += count
        self.conflicts.update(output.stream.name for output in outputs if output.conflict is not None)
        return True

    def _have_topics(self, outputs: Sequence[Output]) -> bool:
        """Streams' topics are auto-admin's; a conflicts topic is made when there is a conflict."""
        for output in outputs:
            if output.conflict is None or output.stream.name in self._ensured:
                continue
            try:
                self._ensure([self._topics.conflicts(output.stream.name)])
            except TopicError as error:
                self.culprit, self.reason = PartitionId(LogId(output.stream.table), output.number), str(error)
                return False
            self._ensured.add(output.stream.name)
        return True

    def _are_registered(self, outputs: Sequence[Output]) -> bool:
        """Before the first of them is produced, so that a registry that is away costs no producer."""
        for output in outputs if self._registry is not None else ():
            try:
                self._schema_id(output)
            except RegistryProblem as error:
                self.culprit, self.reason = PartitionId(LogId(output.stream.table), output.number), str(error)
                return False
        return True

    def _schema_id(self, output: Output) -> int:
        own = SCHEMA_ID if output.conflict is None else CONFLICT_ID
        if self._registry is None:
            return own
        return self._registry.register(subject_of(self._topic(output)), PUBLISHED[own])

    def _topic(self, output: Output) -> str:
        if output.conflict is not None:
            return self._topics.conflicts(output.stream.name).name
        return self._topics.stream_name(output.stream.name, output.stream.label)

    def _produce(self, output: Output, deadline: float) -> None:
        topic, schema_id = self._topic(output), self._schema_id(output)
        if output.conflict is None:
            number, message = output.number, encode_output(output, unix_ms(), schema_id)
        else:
            number, message = 0, encode_conflict(output, schema_id)
        self._look_for(topic, number)
        while True:
            try:
                self._producer.produce(
                    topic,
                    message.value,
                    message.key,
                    number,
                    on_delivery=partial(self._delivered, output),
                    timestamp=message.timestamp_ms,
                    headers=message.headers,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from None
                self._producer.poll(FULL_S)
            else:
                return

    def _look_for(self, topic: str, number: int) -> None:
        if number >= self._counts.get(topic, 0):
            found = self._producer.list_topics(topic, timeout=CALL_S).topics[topic]
            self._counts[topic] = len(found.partitions)
            if number >= len(found.partitions):
                raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))

    def close(self) -> None:
        """Nothing is left: each turn waits for its own."""
        self._producer.purge()

    def _delivered(self, output: Output, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._note(error, output)

    def _note(self, error: KafkaError, output: Output) -> None:
        self._failed = self._failed or error.str()
        if error.code() in OF_ONE_TOPIC and self.culprit is None:
            self.culprit = PartitionId(LogId(output.stream.table), output.number)

    def _make(self) -> Producer:
        return Producer(self._kafka.stream_producer(), logger=kafka_logger())

    def _replace(self, why: str) -> None:
        logger().warning("stream producer replaced, work is repeated", reason=why)
        stuck, self._producer = self._producer, self._make()
        self._failed, self.reason = "", why
        self._counts.clear()
        self._ensured.clear()  # somebody may have deleted one
        self.replaced += 1
        stuck.purge(blocking=False)
        let_go([stuck])
