"""The loop of a storage node: poll, decode, brain, perform effects.

A turn, in this order:

1. poll once, drain, read the clock
2. log records, per replica: fold and apply
3. heartbeats and metadata
4. the inbox: requests, questions, answers
5. ticks of the replicas that were touched or are waiting for time to pass
6. effects, in order: appends at once, replies collected, then sent
7. a failed log producer is replaced and everything unresolved sent again (I4)
8. heartbeat if it is due, commits that are due

The clock is read after the poll and before anything is done (I7): leases count from before a send, deferrals from
after a receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import ceil

from confluent_kafka import KafkaError

from dynabus.adapters.clock import monotonic_ns, unix_ms
from dynabus.adapters.codec import UndecodableMessage, decode
from dynabus.adapters.kafka.log_producer import LogProducer
from dynabus.adapters.logs import logger
from dynabus.core.ids import NodeName, Writer
from dynabus.core.messages import Answer, Question
from dynabus.core.replication.effects import Append, Ask, Beat, Effect, Respond, Tell
from dynabus.core.replication.records import Record, decode_record
from dynabus.core.replication.replica import Replica
from dynabus.core.topics import Topics
from dynabus.storage_node.assignments import Assignments
from dynabus.storage_node.config import StorageNodeSettings
from dynabus.storage_node.heartbeats import compose, hear
from dynabus.storage_node.hosted import Hosted
from dynabus.storage_node.hosting import Hosting
from dynabus.storage_node.inbox import Inbox, Operations
from dynabus.storage_node.mistakes import Mistakes
from dynabus.storage_node.outbox import Outbox
from dynabus.storage_node.readers import Arrival, Readers

TICK_ALL_MS = 100.0
"""Replicas of which nothing is due soon: elections are counted in seconds, and 10 wake-ups a second cost little."""

TICK_RESTLESS_MS = 20.0
"""Replicas in an election, or with answers that wait for a lease or the end of a deferral."""

BUSY_POLL_MS = 5.0
"""While lookups are under way in their thread."""

BEAT_LEAST_MS = 50.0
"""Between heartbeats that changes of leaders ask for: a restart changes hundreds of leaders in a moment."""

COMMITS_PER_TURN = 4
"""A commit takes 1 ms or more: those that are due together are spread over turns."""

HAND_OVER_MS = 1000.0
"""How long a planned stop waits until its resigns are read back."""


@dataclass(slots=True)
class Parts:
    """What the loop drives."""

    settings: StorageNodeSettings
    me: Writer
    topics: Topics
    readers: Readers
    hosting: Hosting
    log: LogProducer
    outbox: Outbox
    operations: Operations


class StorageNode:
    """One storage node. `run` returns after `stop`, when leadership was handed over and all is committed."""

    def __init__(self, parts: Parts) -> None:
        self._settings, self._me = parts.settings, parts.me
        self._readers, self._hosting = parts.readers, parts.hosting
        self._log, self._outbox = parts.log, parts.outbox
        self._topics = parts.topics
        self.inbox = Inbox(parts.operations, self._find, parts.outbox.respond)
        self.assignments = Assignments(parts.me.node)
        self.mistakes = Mistakes()
        self.heard_itself = False
        self.stopping = False
        self.turns = self.messages = self.commits = self.replacements = 0
        self.turn_ended_ms = monotonic_ns() / 1e6
        self._stop_asked = False
        self._touched: dict[Hosted, None] = {}
        self._restless: set[Hosted] = set()
        self._dirty: dict[Hosted, None] = {}
        self._beat_asked = False
        self._beaten_ms = self._beat_due_ms = 0.0
        self._all_due_ms = self._restless_due_ms = 0.0
        self._inbox_topic = parts.topics.requests(parts.me.node).name
        self._heartbeats_topic = parts.topics.heartbeats().name
        self._metadata_topic = parts.topics.metadata().name

    # -- life -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until `stop`, then hand over."""
        while not self._stop_asked:
            self.turn()
        self._hand_over()

    def stop(self) -> None:
        """Ask for the planned stop; may be called from a signal handler."""
        self._stop_asked = True

    def _hand_over(self) -> None:
        """Resign everywhere, and go on turning until that is read back or has taken too long."""
        now_ms = monotonic_ns() / 1e6
        self.stopping = True
        logger().info("stopping")
        for hosted in self._hosting.hosted.values():
            hosted.replica.stop(now_ms)
            self._touched[hosted] = None
        self._perform_all()
        self._beat(now_ms)
        self._send(now_ms)
        deadline_ms = now_ms + HAND_OVER_MS
        while self._leads() and monotonic_ns() / 1e6 < deadline_ms:
            self.turn()
        self._hosting.close()
        self._outbox.flush()

    def _leads(self) -> bool:
        return any(hosted.replica.leader is not None for hosted in self._hosting.hosted.values())

    # -- what others ask (from other threads) -----------------------------------------------------------------

    def replicas(self) -> list[tuple[tuple[str, int], Replica]]:
        """The brains, to look at."""
        return [(key, hosted.replica) for key, hosted in list(self._hosting.hosted.items())]

    def states(self) -> list[str]:
        """States of all assigned replicas, as heartbeats carry them."""
        opened = [hosted.state for hosted in list(self._hosting.hosted.values())]
        return opened + [each["state"] for each in list(self._hosting.unopened())]

    def counts(self) -> list[tuple[str, str, int]]:
        """(name, what it counts, value) since the process started."""
        brains = [replica for _, replica in self.replicas()]
        return [
            ("turns", "Turns of the loop", self.turns),
            ("messages", "Messages read, of all kinds", self.messages),
            ("requests", "Parts of requests", self.inbox.requests),
            ("expired", "Parts of requests whose budget had run out", self.inbox.expired),
            ("strays", "Parts of requests for partitions that are not here", self.inbox.strays),
            (
                "void_records",
                "Log records that do not count, of the replicas that are open",
                sum(b.voids for b in brains),
            ),
            ("undecodable", "Messages that were skipped", self.mistakes.undecodable),
            ("consumer_errors", "Errors about a topic partition", self.mistakes.errors),
            ("commits", "LMDB commits", self.commits),
            ("sent", "Replies, heartbeats and other messages sent", self._outbox.sent),
            ("dropped", "The same, given up", self._outbox.dropped),
            ("producer_replacements", "Times that the log producer failed", self.replacements),
        ]

    # -- a turn -----------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One turn of the loop."""
        arrived, logs = self._readers.poll(self._wait_s())
        now_ms = monotonic_ns() / 1e6
        self.turns += 1
        if arrived or logs:
            self.messages += len(arrived) + len(logs)
            self._take(arrived, logs, now_ms)
        if self._hosting.busy or self._readers.catching_up:
            self._touched.update(dict.fromkeys(self._hosting.step(now_ms)))
        self._tick(now_ms)
        self._perform_all()
        self._send(now_ms)
        self._commit(now_ms)
        self.turn_ended_ms = now_ms

    def _wait_s(self) -> float:
        """Until something is due by time alone."""
        now_ms = monotonic_ns() / 1e6
        due_ms = min(self._all_due_ms, self._beat_due_ms)
        if self._restless:
            due_ms = min(due_ms, self._restless_due_ms)
        if self._beat_asked:
            due_ms = min(due_ms, self._beaten_ms + BEAT_LEAST_MS)
        if self._hosting.busy:
            due_ms = min(due_ms, now_ms + BUSY_POLL_MS)
        # librdkafka counts whole milliseconds: a fraction would be no wait at all, and the loop would spin.
        return max(0, ceil(due_ms - now_ms)) / 1000

    def _take(self, arrived: list[Arrival], logs: list[Arrival], now_ms: float) -> None:
        records: dict[Hosted, list[Record]] = {}
        heartbeats: list[Arrival] = []
        metadata: list[Arrival] = []
        inbox: list[Arrival] = []
        by_log = self._hosting.by_log
        others = {
            self._inbox_topic: inbox,
            self._heartbeats_topic: heartbeats,
            self._metadata_topic: metadata,
        }
        for message in (*arrived, *logs):
            topic = message.topic()
            if (error := message.error()) is not None:
                self._error(message, error, now_ms)
            elif (others_of_topic := others.get(topic)) is not None:
                others_of_topic.append(message)
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
        for message in heartbeats:
            self._heartbeat(message, now_ms)
        for message in metadata:
            self.learn(message, now_ms)
        if inbox:
            wall_ms = unix_ms()
            for message in inbox:
                try:
                    self.inbox.take(message, now_ms, wall_ms)
                except UndecodableMessage as error:
                    self.mistakes.skip(message, str(error), now_ms)

    def _read_log(self, hosted: Hosted, records: list[Record], now_ms: float) -> None:
        hosted.read_log(records, now_ms)
        self._touched[hosted] = None
        if hosted.dirty_since_ms is not None:
            self._dirty.setdefault(hosted)
        if hosted.replica.alarm is not None or hosted.replica.place.sealed:
            self._hosting.stop_reading(hosted)

    def _error(self, message: Arrival, error: KafkaError, now_ms: float) -> None:
        hosted = self._hosting.by_log.get((message.topic(), message.partition()))
        if hosted is not None and error.code() in OUT_OF_RANGE:
            self._hosting.suspect(hosted, now_ms)
        else:
            self.mistakes.error(message, error.str(), now_ms)

    def _heartbeat(self, message: Arrival, now_ms: float) -> None:
        try:
            kind, heartbeat = decode(message.value())
        except UndecodableMessage as error:
            self.mistakes.skip(message, str(error), now_ms)
            return
        if kind != "heartbeat":
            self.mistakes.skip(message, f"a {kind} does not belong here", now_ms)
            return
        if (heartbeat["node"], heartbeat["incarnation"]) == self._me:
            self.heard_itself = True
        self._touched.update(dict.fromkeys(hear(self._me, heartbeat, self._hosting, now_ms)))

    def learn(self, message: Arrival, now_ms: float) -> None:
        """One message of the metadata topic."""
        key, value = message.key(), message.value()
        if value is None or key is None or not key.startswith(b"table/"):
            return
        try:
            kind, table = decode(value)
        except UndecodableMessage as error:
            self.mistakes.skip(message, str(error), now_ms)
            return
        if kind != "table_metadata":
            self.mistakes.skip(message, f"a {kind} does not belong here", now_ms)
            return
        change = self.assignments.learn(table)
        for hosted in self._hosting.apply(change, now_ms):
            self._perform(hosted)
            self._restless.discard(hosted)
            self._dirty.pop(hosted, None)
            self._touched.pop(hosted, None)

    def _find(self, log: str, partition: int) -> Hosted | None:
        hosted = self._hosting.hosted.get((log, partition))
        if hosted is not None:
            self._touched[hosted] = None
        return hosted

    # -- time -------------------------------------------------------------------------------------------------

    def _tick(self, now_ms: float) -> None:
        """Everybody now and then, the restless often, the touched at once."""
        touched = self._touched
        if now_ms >= self._all_due_ms:
            self._all_due_ms = now_ms + TICK_ALL_MS
            self._hosting.look_at_ends()
            touched.update(dict.fromkeys(self._hosting.hosted.values()))
        elif self._restless and now_ms >= self._restless_due_ms:
            touched.update(dict.fromkeys(self._restless))
        if not touched:
            return
        self._restless_due_ms = now_ms + TICK_RESTLESS_MS
        for hosted in touched:
            hosted.tick(now_ms)
            self._hosting.settle(hosted)
            if hosted.restless:
                self._restless.add(hosted)
            else:
                self._restless.discard(hosted)

    def _commit(self, now_ms: float) -> None:
        settings = self._settings
        for hosted in list(islice(self._dirty, COMMITS_PER_TURN)):
            if hosted.due_to_commit(now_ms, settings.commit_interval_ms, settings.commit_records):
                del self._dirty[hosted]
                hosted.commit(now_ms)
                self.commits += 1

    # -- effects ----------------------------------------------------------------------------------------------

    def _perform_all(self) -> None:
        touched, self._touched = self._touched, {}
        for hosted in touched:
            self._perform(hosted)

    def _perform(self, hosted: Hosted) -> None:
        for effect in hosted.replica.take_effects():
            if type(effect) is Append:
                self._log.append(hosted.log, effect.value)
            elif type(effect) is Respond:
                self._outbox.respond(effect.sender, effect.outcome)
            else:
                self._perform_rare(hosted, effect)

    def _perform_rare(self, hosted: Hosted, effect: Effect) -> None:
        log, number = hosted.partition
        node, incarnation = self._me
        if isinstance(effect, Beat):
            self._beat_asked = True
        elif isinstance(effect, Ask):
            question: Question = {
                "log": log,
                "partition": number,
                "node": node,
                "incarnation": incarnation,
                "term": effect.term,
                "nonce": effect.nonce,
            }
            for other in effect.nodes:
                self._outbox.ask(other, question)
        elif isinstance(effect, Tell):
            answer: Answer = {
                "log": log,
                "partition": number,
                "node": node,
                "nonce": effect.nonce,
                "hears_leader": effect.hears_leader,
                "caught_up": effect.caught_up,
                "able": effect.able,
            }
            self._outbox.tell(NodeName(effect.node), answer)

    def _send(self, now_ms: float) -> None:
        self._log.serve()
        if self._log.failed is not None:
            self._send_again(now_ms)
        self._outbox.send_replies()
        if now_ms >= self._beat_due_ms or (self._beat_asked and now_ms >= self._beaten_ms + BEAT_LEAST_MS):
            self._beat(now_ms)
        self._outbox.serve()

    def _send_again(self, now_ms: float) -> None:
        """The log producer failed: a new one, and everything unresolved through it, identical and in order (I4)."""
        logger().warning("log producer replaced", reason=self._log.failed)
        self._log.replace()
        self.replacements += 1
        for hosted in self._hosting.hosted.values():
            hosted.replica.append_failed(now_ms)
            self._perform(hosted)

    def _beat(self, now_ms: float) -> None:
        if now_ms >= self._beat_due_ms:
            self._beat_due_ms = now_ms + self._settings.heartbeat_ms
        self._beat_asked, self._beaten_ms = False, now_ms
        self._outbox.beat(compose(self._me, self._settings.zone, self._hosting, self.stopping, now_ms))


OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
"""A log does not have the offset at which it was to be read."""
