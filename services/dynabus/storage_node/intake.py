"""What a turn's messages mean, and which brains hear of them.

In this order, whatever the order of arrival: log records, heartbeats, metadata, inbox. A read then sees every record
that has come with it, and who leads is known before requests are answered.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError

from dynabus.adapters.clock import unix_ms
from dynabus.adapters.codec import UndecodableMessage, decode
from dynabus.adapters.kafka.positions import OUT_OF_RANGE
from dynabus.core.ids import Writer
from dynabus.core.replication.place import other_history
from dynabus.core.replication.records import Record, decode_record
from dynabus.core.replication.unresolved import Sender
from dynabus.core.topics import Topics
from dynabus.storage_node.capacity.admission import NodeAdmission
from dynabus.storage_node.inbox import Clear, Clone, Inbox, Operations, age_of
from dynabus.storage_node.mistakes import Mistakes
from dynabus.storage_node.orders import Orders
from dynabus.storage_node.outbox import Outbox
from dynabus.storage_node.replicas.assignments import Assignments
from dynabus.storage_node.replicas.heartbeats import hear
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.hosting import Hosting
from dynabus.storage_node.replicas.readers import Arrival

UNUSABLE = (UndecodableMessage, ValueError, KeyError, TypeError, OverflowError)
"""Of a message outside of replication logs: damaged, or decodable but without what belongs in it."""


class Intake:
    """Sorts and hands over. `touched` collects the replicas that heard anything, until the loop takes it."""

    def __init__(
        self,
        me: Writer,
        topics: Topics,
        hosting: Hosting,
        operations: Operations,
        outbox: Outbox,
        hurry: Callable[[], None],
        read_on: Callable[[Arrival, int], None],
        admission: NodeAdmission,
        scrub: Callable[[Hosted, Sender], None],
        clear: Clear,
        clone: Clone,
    ) -> None:
        self.touched: dict[Hosted, None] = {}
        self.dirty: dict[Hosted, None] = {}
        """Replicas that applied records since their last commit, longest first."""
        orders = Orders(outbox.split_point)
        self.inbox = Inbox(
            operations, self._find, outbox.respond, orders, admission, scrub, clear, clone, outbox.tell_place
        )
        self.mistakes = Mistakes()
        self.view, self._broker = admission.view, admission.regions.broker
        self.heard_itself = False
        self.heartbeats_wanted = False
        """Somebody asked; until the loop takes it."""
        self._me, self._hosting, self._hurry, self._read_on = me, hosting, hurry, read_on
        self._assignments = Assignments(me.node)
        self._inbox: list[Arrival] = []
        self._heartbeats: list[Arrival] = []
        self._metadata: list[Arrival] = []
        self._by_topic = {
            topics.requests(me.node).name: self._inbox,
            topics.heartbeats().name: self._heartbeats,
            topics.metadata().name: self._metadata,
        }

    def take(self, arrived: list[Arrival], logs: list[Arrival], now_ms: float) -> None:
        """One turn's messages. `now_ms` was read after the last of them was received."""
        records: dict[Hosted, list[Record]] = {}
        by_topic, by_log = self._by_topic, self._hosting.by_log
        for message in chain(arrived, logs):
            topic = message.topic()
            if (error := message.error()) is not None:
                self._error(message, error, now_ms)
            elif (queue := by_topic.get(topic)) is not None:
                queue.append(message)
            elif (hosted := by_log.get((topic, message.partition()))) is not None:
                epoch = message.leader_epoch()
                record = decode_record(message.offset(), -1 if epoch is None else epoch, message.value())
                batch = records.get(hosted)
                if batch is None:
                    records[hosted] = [record]
                else:
                    batch.append(record)
        for hosted, batch in records.items():
            self._read_log(hosted, batch, now_ms)
        if self._heartbeats or self._metadata:
            self._take_heartbeats(now_ms)
            self._take_metadata(now_ms)
        if self._inbox:
            self._take_inbox(now_ms)

    def _read_log(self, hosted: Hosted, records: list[Record], now_ms: float) -> None:
        place = hosted.replica.place
        if records[0].offset == place.next_offset - 1:
            before, hosted.comparing = records.pop(0), False
            if other_history(place, before):
                self._hosting.suspect(hosted, now_ms)
                return
        hosted.read_log(records, now_ms)
        self.touched[hosted] = None
        if hosted.dirty_since_ms is not None:
            self.dirty.setdefault(hosted)
        if hosted.replica.alarm is not None or hosted.replica.place.sealed:
            self._hosting.stop_reading(hosted)

    def _take_inbox(self, now_ms: float) -> None:
        wall_ms = unix_ms()
        for message in self._inbox:
            try:
                self.inbox.take(message, now_ms, wall_ms)
            except UNUSABLE as error:
                self.mistakes.skip(message, repr(error), now_ms)
        self._inbox.clear()

    def _take_heartbeats(self, now_ms: float) -> None:
        for message in self._heartbeats:
            age_of(message, self._broker, now_ms)
            kind, heartbeat = self._decoded(("heartbeat", "heartbeats_wanted"), message, now_ms)
            if kind == "heartbeats_wanted":
                self.heartbeats_wanted = True
            elif heartbeat is not None:
                if (heartbeat["node"], heartbeat["incarnation"]) == self._me:
                    self.heard_itself = True
                elif heartbeat["stopping"]:
                    self._hurry()
                self.touched.update(dict.fromkeys(hear(self._me, heartbeat, self.view, self._hosting, now_ms)))
        self._heartbeats.clear()

    def _take_metadata(self, now_ms: float) -> None:
        for message in self._metadata:
            self.learn(message, now_ms)
        self._metadata.clear()

    def learn(self, message: Arrival, now_ms: float) -> None:
        """One message of the metadata topic: which replicas this node has, and what `status` shows."""
        key = message.key() or b""
        if message.value() is None or not key.startswith((b"table/", b"leader/")):
            return  # streams, indexes, table topics, regions and links are others' business
        kind = "table_metadata" if key.startswith(b"table/") else "leader_metadata"
        _, decoded = self._decoded((kind,), message, now_ms)
        if decoded is None:
            return
        if kind == "table_metadata":
            # Closed ones still have answers to give: that they do not serve any more.
            self.touched.update(dict.fromkeys(self._hosting.apply(self._assignments.learn(decoded), now_ms)))
        try:
            self.view.take(kind, decoded, now_ms)
        except UNUSABLE as error:
            self.mistakes.skip(message, repr(error), now_ms)

    def _decoded(self, wanted: tuple[str, ...], message: Arrival, now_ms: float) -> tuple[str, Any]:
        """(kind, message), the message None where it is none of those wanted."""
        try:
            kind, body = decode(message.value())
        except UndecodableMessage as error:
            self.mistakes.skip(message, str(error), now_ms)
            return "", None
        if kind not in wanted:
            self.mistakes.skip(message, f"a {kind} does not belong here", now_ms)
            return "", None
        return kind, body

    def _error(self, message: Arrival, error: KafkaError, now_ms: float) -> None:
        hosted = self._hosting.by_log.get((message.topic(), message.partition()))
        if hosted is not None and error.code() in OUT_OF_RANGE:
            self._hosting.suspect(hosted, now_ms)
            return
        self.mistakes.error(message, error.str(), now_ms)
        queue = self._by_topic.get(message.topic())
        if queue is not None and error.code() in OUT_OF_RANGE:
            # It was away for longer than the topic is kept, or Kafka has lost records: librdkafka fetches no more.
            self._read_on(message, OFFSET_BEGINNING if queue is self._metadata else OFFSET_END)

    def _find(self, log: str, partition: int) -> Hosted | None:
        hosted = self._hosting.hosted.get((log, partition))
        if hosted is not None:
            self.touched[hosted] = None
        return hosted
