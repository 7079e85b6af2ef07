"""Reads ingest topics as a member of the routers' consumer group, in a thread of its own.

Order of effects: a message's offset is committed only after the loop has said (`Share.committable`) that all before
it is delivered, and with it what is delivered behind one that waits. A share that is taken away is committed once
more, as far as it is, before others get it; of one that is lost nothing is: others have it already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.settings import KafkaSettings, Properties
from dynabus.adapters.kafka.topics import TopicError, reach_kafka
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.ingest.done_behind import NONE, decode_done
from dynabus.core.ingest.lanes import Lanes

SESSION_MS = 6000
"""A router that died is replaced after so long; its commands wait meanwhile."""

DRAIN_MOST = 500
"""Messages per batch: more would let HTTP wait."""

POLL_S = 0.1
"""The longest wait between two looks at what the loop wants."""

COMMIT_S = 0.5
"""Commands of so long come again after a crash; they cost a look at their tokens each."""

IDENTITY_S = 30.0
"""For a topic's id, half of what the group waits for a member that does not poll."""

AGAIN_S = 0.2

CALL_S = 5.0

TOPIC_GONE = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})
"""Its table was deleted; metadata say so in a moment."""


class Arrival(NamedTuple):
    """A message of an ingest topic."""

    offset: int
    key: bytes | None
    value: bytes | None


@dataclass(slots=True, eq=False)
class Share:
    """A topic partition while it is ours. `lanes` are the loop's, but for `committable`; the rest is the thread's."""

    topic: str
    number: int
    topic_id: str = ""
    lanes: Lanes[Any] = field(default_factory=Lanes)
    gone: bool = False
    """Others have it: what is still under way here is theirs to tell."""
    full: bool = False
    """Too much waits: no more is read for now. Said by the loop."""
    paused: bool = False
    committed: tuple[int, str] | None = None
    next_offset: int = -1
    """To be read next, as far as known."""
    first_offset: int | None = None
    """Of what came."""
    done_behind: str = ""
    """Committed beside the offset. Said by the loop; an older word is true, too."""
    passed_by: frozenset[int] = NONE
    """Offsets that were done before it was ours."""

    @property
    def where(self) -> tuple[str, int]:
        return self.topic, self.number

    @property
    def committable(self) -> int | None:
        """All below this offset is done; None: nothing was taken yet."""
        return self.lanes.committable

    @property
    def progress(self) -> tuple[int, str] | None:
        """What to commit."""
        done_behind, at = self.done_behind, self.committable
        if at is None and done_behind:
            at = self.first_offset
        return None if at is None else (at, done_behind)


Batch = list[tuple[Share, list[Arrival]]]


class Reader:
    """`deliver` is called in the thread, `failed` when it ends by a defect; `share` makes what is kept of a topic
    partition."""

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        deliver: Callable[[Batch], None],
        failed: Callable[[], None],
        share: Callable[[str, int], Share] = Share,
    ) -> None:
        self._kafka, self._group, self._deliver, self._failed = kafka, group, deliver, failed
        self._share = share
        self._stop = threading.Event()
        self._wanted: tuple[str, ...] = ()
        self._subscribed: tuple[str, ...] = ()
        self._shares: dict[tuple[str, int], Share] = {}
        self._ids: dict[str, str] = {}
        self._commit_s = 0.0
        self._consumer: Consumer | None = None
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    def subscribe(self, topics: Iterable[str]) -> None:
        """Whose commands are read; called in the loop."""
        self._wanted = tuple(sorted(topics))
        if self._wanted and not self._thread.is_alive() and not self._stop.is_set():
            self._thread.start()

    @property
    def shares(self) -> list[Share]:
        """Those of now."""
        return list(self._shares.values())

    def close(self) -> None:
        """Commit what is done and leave the group, so that others need not wait for the session's end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        try:
            self._consumer = Consumer({**self._properties(), "on_commit": self._on_commit}, logger=kafka_logger())
            while not self._stop.is_set():
                self._turn(self._consumer)
            self._commit(self.shares, wait=True)
            self._consumer.close()
        except Exception:
            # Commands would wait for ever behind a router that lives and keeps its shares: it ends, and is seen to.
            logger().exception("the ingest thread failed")
            self._failed()

    def _properties(self) -> Properties:
        # A group that is new begins with what is there: a producer may be older than the first router.
        return {**self._kafka.group_member(self._group, SESSION_MS), "auto.offset.reset": "earliest"}

    def _turn(self, consumer: Consumer) -> None:
        self._follow(consumer)
        self._pause(consumer)
        if messages := arrived(consumer, DRAIN_MOST, POLL_S):
            self._take(messages)
        if time.monotonic() >= self._commit_s:
            self._commit_s = time.monotonic() + COMMIT_S
            self._commit(self.shares, wait=False)

    def _follow(self, consumer: Consumer) -> None:
        wanted = self._wanted
        if wanted == self._subscribed:
            return
        self._subscribed = wanted
        if wanted:
            consumer.subscribe([*wanted], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
        else:
            consumer.unsubscribe()

    def _pause(self, consumer: Consumer) -> None:
        for share in self.shares:
            if share.full != share.paused:
                share.paused = share.full
                where = [TopicPartition(*share.where)]
                if share.paused:
                    consumer.pause(where)
                else:
                    consumer.resume(where)

    def _take(self, messages: list[Message]) -> None:
        batch: dict[Share, list[Arrival]] = {}
        for message in messages:
            if (error := message.error()) is not None:
                if error.code() not in TOPIC_GONE:
                    logger().info("ingest", topic=message.topic(), reason=error.str())
                continue
            share = self._shares.get((message.topic() or "", message.partition() or 0))
            if share is not None:
                arrival = Arrival(message.offset() or 0, message.key(), message.value())
                batch.setdefault(share, []).append(arrival)
        for share, arrivals in batch.items():
            self._begin(share)
            share.first_offset = arrivals[0].offset if share.first_offset is None else share.first_offset
            self._look_for_gap(share, arrivals)
        if batch:
            self._deliver([*batch.items()])

    def _begin(self, share: Share) -> None:
        if share.topic_id or self._consumer is None:
            return
        share.topic_id = self._topic_id(share.topic)
        try:
            (committed,) = self._consumer.committed([TopicPartition(*share.where)], timeout=CALL_S)
        except KafkaException as error:
            logger().info("ingest", topic=share.topic, reason=error.args[0].str())
        else:
            share.next_offset = committed.offset
            share.passed_by = decode_done(committed.metadata or "")

    def _look_for_gap(self, share: Share, arrivals: list[Arrival]) -> None:
        """What retention took unread is lost, and must not be so silently. Transactions leave gaps too."""
        if 0 <= share.next_offset < arrivals[0].offset and self._consumer is not None:
            low, _ = self._consumer.get_watermark_offsets(TopicPartition(*share.where), cached=True)
            if low > share.next_offset:
                logger().error(
                    "messages are lost: they were deleted by the topic's retention before they were read",
                    topic=share.topic,
                    partition=share.number,
                    offsets=f"{share.next_offset} to {low - 1}",
                )
        share.next_offset = arrivals[-1].offset + 1

    def _topic_id(self, topic: str) -> str:
        """Raises TopicError if Kafka does not tell for too long: without it a command has no identity."""
        end_s = time.monotonic() + IDENTITY_S
        while topic not in self._ids:
            try:
                self._ids[topic] = reach_kafka(self._kafka).identity(topic).topic_id
            except TopicError:
                if time.monotonic() > end_s or self._stop.wait(AGAIN_S):
                    raise
        return self._ids[topic]

    # -- the group ----------------------------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        for each in given:
            self._shares[each.topic, each.partition] = self._share(each.topic, each.partition)
        consumer.incremental_assign(given)

    def _on_revoke(self, consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._commit(self._part_with(consumer, taken), wait=True)

    def _on_lost(self, consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._part_with(consumer, taken)

    def _part_with(self, consumer: Consumer, taken: list[TopicPartition]) -> list[Share]:
        shares = [share for each in taken if (share := self._shares.pop((each.topic, each.partition), None))]
        if paused := [TopicPartition(*share.where) for share in shares if share.paused]:
            consumer.resume(paused)  # a pause outlives that we have them: what comes back would rest for ever
        for share in shares:
            share.gone = True
            self._ids.pop(share.topic, None)
        return shares

    def _commit(self, shares: list[Share], *, wait: bool) -> None:
        # Before others get it all is committed once more: Kafka may not have answered yet to what was before.
        done = {
            share: at for share in shares if (at := share.progress) is not None and (wait or at != share.committed)
        }
        if not done or self._consumer is None:
            return
        offsets = [TopicPartition(share.topic, share.number, *at) for share, at in done.items()]
        try:
            if wait:
                self._on_commit(None, self._consumer.commit(offsets=offsets, asynchronous=False) or [])
            else:
                self._consumer.commit(offsets=offsets)
                for share, at in done.items():
                    share.committed = at
        except KafkaException as error:
            logger().warning("not committed", reason=error.args[0].str())

    def _on_commit(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        """What Kafka refused is committed again: while shares are dealt out it takes nothing, and librdkafka does not
        repeat that."""
        for each in offsets:
            if (why := each.error or error) is None:
                continue
            logger().warning("not committed", topic=each.topic, partition=each.partition, reason=why.str())
            share = self._shares.get((each.topic, each.partition))
            if share is not None and share.committed is not None and share.committed[0] == each.offset:
                share.committed = None
