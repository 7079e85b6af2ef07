"""Reads what became of commands, and what happens to their table, in a thread of its own.

One consumer for both topics, in no group. Outcomes are read from where they ended before the first command was sent;
those of other producers are passed by, by a header, before their values are looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from threading import Event, Thread
from time import sleep
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import OUT_OF_RANGE, extent_of, read_on
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.client.errors import ClientError, NoIngestError, NoKafkaError
from dynabus.client.flight import Flight
from dynabus.client.metadata import CALL_S, FETCH_MOST, POLL_S, Metadata
from dynabus.client.outcome import Applied, read_outcome
from dynabus.core.cluster_view import ClusterView
from dynabus.core.key_schema import KeySchema
from dynabus.core.topics import Topics

LOOK_MS = 2000.0
"""Between two looks at whether the topic of outcomes has got more topic partitions, while something is under way.
What came there meanwhile is read from the first record on."""

LOOK_S = 1.0
"""The longest wait for Kafka's answer to that; outcomes wait so long."""

_log = logging.getLogger("dynabus.client")


class OutcomeReader:
    """Raises NoIngestError and NoKafkaError. `failed` is called in the thread when it ends by a defect.

    `prefix`: of our correlation ids, before a command's number.
    """

    def __init__(
        self, kafka: KafkaSettings, table: str, prefix: str, flight: Flight, failed: Callable[[], None]
    ) -> None:
        topics = Topics(kafka.namespace)
        self._table, self._prefix, self._flight, self._failed = table, prefix.encode(), flight, failed
        self._topic = topics.outcomes(table).name
        self._view = ClusterView()
        self._metadata = Metadata(topics, self._learn)
        self._consumer = Consumer(kafka.loop_consumer(partition_eof=True), logger=_log)
        self._id = ""
        self._metadata.read(self._consumer, NoIngestError)
        self._id, self.schema = self._find()
        self.refusal = self._refusal()
        """Why the table takes no commands just now."""
        if self.refusal is not None:
            raise NoIngestError(self.refusal)
        self.tracks = self._partitions(topics.ingest(table).name)
        self._known = 0
        self._begin()
        self._look_due_ms = exact_ms() + LOOK_MS
        self._stopped = Event()
        self.thread = Thread(target=self._run, name="dynabus-outcomes", daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self.thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._turn()
        except Exception:
            _log.exception("%s: the thread that reads outcomes failed", self._topic)
            self._failed()
        finally:
            self._consumer.close()

    def _turn(self) -> None:
        if messages := arrived(self._consumer, FETCH_MOST, POLL_S):
            self._flight.ended([told for each in messages if (told := self._told(each)) is not None])
        self._flight.expire(self.refusal)
        if len(self._flight) and exact_ms() >= self._look_due_ms:
            self._look_due_ms = exact_ms() + LOOK_MS
            self._look()

    def _told(self, message: Message) -> tuple[int, Applied | ClientError] | None:
        """Number and outcome of a command of ours."""
        if (error := message.error()) is not None:
            if message.topic() == self._topic and error.code() in OUT_OF_RANGE:
                # What is there is read again: ours may be among it.
                read_on(self._consumer, message, OFFSET_BEGINNING)
            elif error.code() != KafkaError._PARTITION_EOF:
                _log.info("%s: %s", message.topic(), error.str())
            return None
        if message.topic() == self._metadata.name:
            self._metadata.take(message)
            return None
        number = self._number(message.headers() or ())
        value = message.value()
        return None if number is None or value is None else (number, read_outcome(value))

    def _number(self, headers: Iterable[Any]) -> int | None:
        for name, value in headers:
            if name == "correlation-id":
                return int(value[len(self._prefix) :]) if value.startswith(self._prefix) else None
        return None

    # -- the table --------------------------------------------------------------------------------------------

    def _learn(self, kind: str, body: Any) -> None:
        if kind == "table_metadata":
            self._view.take(kind, body, 0.0)
            if self._id:
                self._follow()

    def _find(self) -> tuple[str, KeySchema]:
        table = self._view.tables.get(self._table)
        if table is None:
            raise NoIngestError(f"there is no table {self._table}")
        return table.id, table.schema

    def _refusal(self) -> str | None:
        """Why the table takes no commands, and what to do about it."""
        table = self._view.table(self._id)
        if table is None or table.status == "DELETING":
            return f"table {self._table} was deleted; one that was made anew needs another producer"
        if not table.ingest:
            return f"table {self._table} takes no commands: `dynabus admin ingest {self._table} on` lets it"
        return None

    def _follow(self) -> None:
        """Metadata have news."""
        self.refusal = self._refusal()
        if self.refusal is not None and self._view.table(self._id) is None:
            # Its topics went with it.
            self._flight.give_up(self.refusal)

    # -- topic partitions -------------------------------------------------------------------------------------

    def _partitions(self, topic: str, timeout_s: float = CALL_S) -> int:
        """How many there are; the topic was made before metadata said that commands are taken."""
        deadline_ms = exact_ms() + timeout_s * 1000
        while True:
            try:
                found = self._consumer.list_topics(topic, timeout=timeout_s).topics[topic]
            except KafkaException as error:
                raise NoKafkaError(f"Kafka does not tell of {topic}: {error.args[0].str()}") from error
            if found.error is None and found.partitions:
                return len(found.partitions)
            if exact_ms() >= deadline_ms:
                why = found.error.str() if found.error is not None else "no topic partitions"
                raise NoIngestError(f"Kafka does not show topic {topic} to this client: {why}")
            sleep(POLL_S)  # not all brokers know of it yet

    def _begin(self) -> None:
        """Where they end now: no command of ours was sent yet."""
        self._known = self._partitions(self._topic)
        try:
            ends = [extent_of(self._consumer, self._topic, each, CALL_S)[1] for each in range(self._known)]
        except KafkaException as error:
            raise NoKafkaError(f"Kafka does not tell where {self._topic} ends: {error.args[0].str()}") from error
        self._consumer.incremental_assign(
            [TopicPartition(self._topic, number, end) for number, end in enumerate(ends)]
        )

    def _look(self) -> None:
        try:
            count = self._partitions(self._topic, LOOK_S)
        except ClientError as error:
            _log.info("%s", error)
            return
        new = [TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in range(self._known, count)]
        if new:
            self._consumer.incremental_assign(new)
            self._known = count
