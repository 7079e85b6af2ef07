"""What RepIn tells: acknowledgements, in the Kafka of who sent the batch; what is parked, in this region's.

Each source has an outbox of its own, since each has its own Kafka: one that is away holds back nobody else's. What
was for a region that is gone, or is reached otherwise by now, is dropped: a sender that misses it sends its batch
again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b

from dynabus.adapters.kafka.outbox import Letter, Outbox
from dynabus.adapters.kafka.peers import kafka_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError, reach_kafka
from dynabus.adapters.logs import logger
from dynabus.adapters.replication_codec import encode_acknowledgement, encode_parked, encode_unreadable
from dynabus.core.global_tables.regions import Peer, Regions
from dynabus.core.global_tables.rep_in import Acknowledgement
from dynabus.core.global_tables.rep_out import Export
from dynabus.core.topics import Topic, Topics

UNREADABLE_MOST = 10_000
"""Of which it is remembered that they are parked, since their senders send them again."""

CLOSE_S = 2.0

DELIVERY_S = 10.0
"""Then its topic may be gone."""

HEALED_MS = 300_000.0
"""A batch that cannot be read comes again sooner."""

UNREACHED = (TopicError, UnsafeKafka)
"""What `park` raises: it is tried again."""

HELD = "changes of it were parked before: deletions of the table are kept until they are dealt with"

Done = Callable[[], None]


class Telling:
    """In the event loop. `reasons`: why something was parked last, by (source, table)."""

    def __init__(
        self, kafka: KafkaSettings, topics: Topics, regions: Regions, name: str, now_ms: Callable[[], float]
    ) -> None:
        self._kafka, self._topics, self._regions, self._name, self._now_ms = kafka, topics, regions, name, now_ms
        self._own = Outbox(kafka, now_ms)
        self._outboxes: dict[Peer, Outbox] = {}
        self._undelivered: dict[tuple[Peer, str, int], list[Done]] = {}
        """Acknowledgements on their way, by sender and number, and who waits for each."""
        self._ready: set[str] = set()
        self._admin: TopicAdmin | None = None
        self._parked_batches: dict[bytes, None] = {}
        self._parking: Counter[str] = Counter()
        """Changes that are to be parked and are not yet, by table."""
        self._unreadable_ms: dict[str, float] = {}
        """By source, when the last batch came that could not be read."""
        self.parked: Counter[tuple[str, str]] = Counter()
        self.unreadable: Counter[str] = Counter()
        self.reasons: dict[tuple[str, str | None], str] = {}

    @property
    def failed(self) -> int:
        """Deliveries that were tried again."""
        return self._own.failed + sum(outbox.failed for outbox in self._outboxes.values())

    def acknowledge(self, told: Acknowledgement, done: Done) -> None:
        """The batch is decided."""
        peer = self._regions.others.get(told.topic[0])
        if peer is None:
            done()
            return
        if peer not in self._outboxes:
            self._outboxes[peer] = Outbox(kafka_of(peer, self._name), self._now_ms)
        which = (peer, told.sender, told.number)
        if which in self._undelivered:
            # The batch came once more meanwhile: one will do.
            self._undelivered[which].append(done)
            return
        self._undelivered[which] = [done]
        own = self._regions.own
        topic = Topics(peer.namespace).acknowledgements(own).name
        value = encode_acknowledgement(own, told.sender, told.number)

        def delivered() -> None:
            for each in self._undelivered.pop(which):
                each()

        self._outboxes[peer].send(Letter(topic, None, value, [], lambda: self._is_current(peer), delivered))

    def _is_current(self, peer: Peer) -> bool:
        return self._regions.others.get(peer.name) == peer

    @property
    def unreached(self) -> dict[str, str]:
        """Regions that acknowledgements do not reach, and why."""
        known = [(peer.name, outbox.problem) for peer, outbox in [*self._outboxes.items()] if self._is_current(peer)]
        return {name: why for name, why in known if why is not None}

    async def has_parked(self, source: str, table: str) -> bool:
        """Whether there are changes of the table that were parked, of any region and by any process; while there are
        `source`'s words wait, and that is an alarm. Raises TopicError, UnsafeKafka."""
        name = self._topics.parked(table).name
        extents = await asyncio.to_thread(self._extents, name)
        found = any(low < end for low, end in extents.values())
        if found:
            self.reasons.setdefault((source, table), HELD)
        elif not self._parking[table]:
            for where in [each for each in self.reasons if each[1] == table]:
                del self.reasons[where]  # somebody has dealt with them
        return found

    def _extents(self, name: str) -> dict[int, tuple[int, int]]:
        """In a thread. The client is kept until it fails, since words of each source and table ask."""
        admin, self._admin = self._admin or reach_kafka(self._kafka), None
        extents = admin.extents(name)
        self._admin = admin
        return extents

    async def park(self, source: str, export: Export, reason: str) -> None:
        """Returns once Kafka has it; it is decided then. Raises TopicError, UnsafeKafka: its topic is not there."""
        where = (source, export.table)
        if self.reasons.get(where) != reason:
            logger().error("a change of another region is parked", source=source, table=export.table, reason=reason)
        self.reasons[where] = reason
        self._parking[export.table] += 1
        try:
            await self._post(self._topics.parked(export.table), export.key, encode_parked(source, export, reason))
        finally:
            self._parking[export.table] -= 1
        self.parked[where] += 1

    async def park_batch(self, source: str, value: bytes, reason: str) -> None:
        """The same of a batch that cannot be read; one that was parked before is not parked again."""
        digest = blake2b(value, digest_size=16).digest()
        self.unreadable[source] += 1
        self._unreadable_ms[source] = self._now_ms()
        self.reasons[source, None] = reason
        if digest in self._parked_batches:
            return
        logger().error("a batch of another region cannot be read, it is not acknowledged", source=source, why=reason)
        self._parked_batches[digest] = None
        if len(self._parked_batches) > UNREADABLE_MOST:
            del self._parked_batches[next(iter(self._parked_batches))]
        try:
            await self._post(self._topics.parked(None), None, encode_unreadable(source, value, reason))
        except UNREACHED:
            self._parked_batches.pop(digest, None)
            raise

    def has_read(self, source: str) -> None:
        """A batch of this region. The alarm of one that could not be read ends if none was for a while."""
        last_ms = self._unreadable_ms.get(source)
        if last_ms is not None and self._now_ms() - last_ms > HEALED_MS:
            self._is_over(source)

    def _is_over(self, source: str) -> None:
        del self._unreadable_ms[source]
        self.reasons.pop((source, None), None)

    async def look_again(self) -> None:
        """At what was parked of tables of which no words come: whether it is still there. Raises as `park`. What
        could not be read of a region that is none any more, or sends nothing, is over."""
        for source in [*self._unreadable_ms]:
            if source in self._regions.others:
                self.has_read(source)
            else:
                self._is_over(source)
        for table, source in {table: source for source, table in self.reasons}.items():
            if table is not None:
                await self.has_parked(source, table)

    async def _post(self, topic: Topic, key: bytes | None, value: bytes) -> None:
        while not await self._is_posted(topic, key, value):
            logger().warning("not parked yet, tried again", topic=topic.name, reason=self._own.reason)

    async def _is_posted(self, topic: Topic, key: bytes | None, value: bytes) -> bool:
        """If not in time, somebody may have deleted the topic, and it is made once more."""
        if topic.name not in self._ready:
            await asyncio.to_thread(lambda: reach_kafka(self._kafka).ensure([topic]))
            self._ready.add(topic.name)
        delivered, given_up = asyncio.Event(), asyncio.Event()
        self._own.send(Letter(topic.name, key, value, [], lambda: not given_up.is_set(), delivered.set))
        try:
            await asyncio.wait_for(delivered.wait(), DELIVERY_S)
        except TimeoutError:
            given_up.set()
            self._ready.discard(topic.name)
            return False
        return True

    def serve(self) -> None:
        """Hear about deliveries."""
        self._own.serve()
        for outbox in self._outboxes.values():
            outbox.serve()

    def close(self) -> None:
        """Send what is queued."""
        for outbox in (self._own, *self._outboxes.values()):
            outbox.close(CLOSE_S)
