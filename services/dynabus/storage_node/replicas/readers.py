"""The node's four consumers, assigned by hand, each position given with its assignment (I6).

| consumer   | reads                                             | so that                                   |
|------------|---------------------------------------------------|-------------------------------------------|
| `main`     | inbox, heartbeats, metadata, logs that are led and | a request and its read-back wait for none |
|            | written                                            |                                           |
| `resting`  | logs that are led and rest                         | hundreds of them are not in each fetch    |
| `followed` | logs that are up to date and led elsewhere         | they come in batches, not one by one      |
| `catch_up` | logs that are behind, or were just opened          | bulk delays neither of the others         |

librdkafka has one fetch in flight per broker and client. A log that is far behind would hold requests up, and one
that is new would wait until the parked fetch comes back, so both are read by `catch_up`, which is otherwise idle,
and move when they have reached their end. Followers that are woken for each record cost as much as the leader and,
on the broker, are served before it (their fetches were parked earlier): `followed` prefetches next to nothing and is
drained 20 times a second at most, which makes Kafka batch for it.

A fetch of librdkafka lists every topic partition of its consumer, and so does the answer. With a thousand logs on
`main` each of its fetches, hundreds a second under load, would carry them all. So logs that rest (module `resting`)
are read by the consumer `resting`, whose fetches wait at the broker for half a second. One is answered at once when
something is appended, so the first write after a rest is read back as soon as any; meanwhile the loop looks at
`resting` all the time. Only a log that has just gone over may not be in that fetch yet: written then, it goes back.

A consumer lets one thread in at a time (confluent-kafka), so only the loop calls them, and never a call that waits.
A topic that a consumer does not know is fetched after its next look at all topics, within a second and a half; so it
is told of topics beforehand, by asking about them without waiting for the answer, which it keeps all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from typing import Any, NamedTuple, Protocol, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.adapters.clock import monotonic_ms
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import extent_of, position, read_on
from dynabus.adapters.kafka.settings import KafkaSettings, Properties
from dynabus.adapters.logs import kafka_logger
from dynabus.core.replication.place import Place

DRAIN_MOST = 1024
"""Messages per turn and consumer: a turn then takes at most some tens of milliseconds, and heartbeats go out."""

CATCH_UP_POLL_S = 0.002
"""While a log is being caught up, `main` is looked at this often in between."""

FOLLOW_MS = 50
"""Between two looks at `followed`: what an eventually consistent read may be behind, besides Kafka's own way."""

HURRY_MS = 500
HURRY_POLL_S = 0.005
"""When another node says that it stops, its resigns are on their way: `followed` is then looked at all the time."""

FOLLOWED: Properties = {
    # Stop fetching as soon as something waits to be drained; the next fetch then brings all that has come since.
    "queued.min.messages": 1,
    "fetch.queue.backoff.ms": 10,
    # While nothing is written: two fetches a second.
    "fetch.wait.max.ms": 500,
}

RESTING: Properties = {"fetch.wait.max.ms": 500}

READ_BACK_POLL_S = 0.001
"""While a record is to be read back on `resting`: as soon as on `main`, whose message would end the wait."""

IN_FETCH_MS = 1000
"""Until a log that was given to `resting` is in its parked fetch for certain: half a second, and as much again."""

QUERY_TIMEOUT_S = 5.0

KNOWN_AFTER_MS = 750
"""A question about a topic waits for the parked fetch before it, half a second at most."""


class Arrival(Protocol):
    """A message that a consumer delivered, or its report of an error about a topic partition."""

    def error(self) -> KafkaError | None: ...
    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def leader_epoch(self) -> int | None: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def timestamp(self) -> tuple[int, int]: ...


class By(Enum):
    """The consumers."""

    MAIN = "main"
    RESTING = "resting"
    FOLLOWED = "followed"
    CATCH_UP = "catch-up"


class Log(NamedTuple):
    """A replication log: its topic and topic partition."""

    topic: str
    number: int


def introduce(consumer: Consumer, topic: str) -> None:
    """Ask about the topic and do not wait: what comes back is kept for the time when it is read."""
    with suppress(KafkaException):
        consumer.list_topics(topic, timeout=0)


class Readers:
    """Reads; only the loop may call it."""

    def __init__(self, settings: KafkaSettings) -> None:
        own: dict[str, Any] = {"logger": kafka_logger()}
        self.main = Consumer({**settings.loop_consumer(), **own})
        self.resting = Consumer({**settings.loop_consumer(), **RESTING, **own})
        self.followed = Consumer({**settings.loop_consumer(), **FOLLOWED, **own})
        self.catch_up = Consumer({**settings.log_reader(partition_eof=False), **own})
        self._consumers = {
            By.MAIN: self.main,
            By.RESTING: self.resting,
            By.FOLLOWED: self.followed,
            By.CATCH_UP: self.catch_up,
        }
        self._by: dict[Log, By] = {}
        self._rests_since_ms: dict[Log, int] = {}
        self._known_from_ms: dict[str, float] = {}
        self.catching_up: set[Log] = set()
        self._more = False
        self._follow_due_ms = 0
        self._flows = False
        self._hurry_until_ms = 0

    def poll(self, timeout_s: float, *, read_back: bool = False) -> tuple[list[Arrival], list[Arrival]]:
        """What `main` has, after waiting for it for at most so long, and what the others have.

        `read_back`: a record is under way to a log that rests.
        """
        if self.catching_up:
            timeout_s = 0.0 if self._more else min(timeout_s, CATCH_UP_POLL_S)
        elif self._flows:
            timeout_s = min(timeout_s, FOLLOW_MS / 1000)
        if self._hurry_until_ms:
            timeout_s = min(timeout_s, HURRY_POLL_S)
        if read_back:
            timeout_s = min(timeout_s, READ_BACK_POLL_S)
        requests = arrived(self.main, DRAIN_MOST, timeout_s)
        now_ms = monotonic_ms()
        logs = self.resting.consume(DRAIN_MOST, 0) if read_back or now_ms >= self._follow_due_ms else []
        if now_ms >= self._follow_due_ms:
            logs += self._drain_followed(now_ms)
        if self.catching_up:
            old = self.catch_up.consume(DRAIN_MOST, 0)
            self._more = bool(old)
            logs += old
        return cast("list[Arrival]", requests), cast("list[Arrival]", logs)

    def fetches(self, log: Log) -> bool:
        """Whether its consumer has it in the fetch that waits at the broker."""
        return monotonic_ms() - self._rests_since_ms.get(log, 0) >= IN_FETCH_MS

    def _drain_followed(self, now_ms: int) -> list[Any]:
        drained = self.followed.consume(DRAIN_MOST, 0)
        self._flows = bool(drained)
        if now_ms >= self._hurry_until_ms:
            self._hurry_until_ms = 0
        at_once = self._hurry_until_ms or len(drained) == DRAIN_MOST
        self._follow_due_ms = 0 if at_once else now_ms + FOLLOW_MS
        return drained

    def hurry(self) -> None:
        """Something is about to come on `followed` that somebody waits for."""
        self._hurry_until_ms = monotonic_ms() + HURRY_MS
        self._follow_due_ms = 0

    def learn_topics(self) -> None:
        """Before the loop begins: every consumer learns of all topics. Raises KafkaException."""
        for consumer in self._consumers.values():
            known = consumer.list_topics(timeout=QUERY_TIMEOUT_S).topics
            self._known_from_ms.update(dict.fromkeys(known, 0.0))

    def introduce(self, topic: str, *, grown: bool = False) -> None:
        """Let every consumer know a topic that is going to be read, unless it does; or one that has `grown`."""
        if grown or topic not in self._known_from_ms:
            for consumer in self._consumers.values():
                introduce(consumer, topic)
            self._known_from_ms[topic] = monotonic_ms() + KNOWN_AFTER_MS

    def forget(self, topic: str) -> None:
        """It was deleted; another one may get its name."""
        self._known_from_ms.pop(topic, None)

    def knows(self, topic: str) -> bool:
        """All consumers had the time to find out about it."""
        return monotonic_ms() >= self._known_from_ms.get(topic, math.inf)

    def start_at_end(self, topic: str) -> None:
        """Read the topic's only topic partition on `main` from its end. Raises KafkaException while it has none."""
        self.start_at(topic, extent_of(self.main, topic, 0, QUERY_TIMEOUT_S)[1])

    def start_at(self, topic: str, offset: int) -> None:
        """Read the topic's only topic partition on `main` from there. Raises KafkaException."""
        # A topic that the consumer does not know is fetched only after its next look at all topics, in a second.
        self.main.list_topics(topic, timeout=QUERY_TIMEOUT_S)
        self.main.incremental_assign([TopicPartition(topic, 0, offset)])

    def read_on(self, error: Arrival, offset: int) -> None:
        """Read the topic partition of an error that came by `main` from another offset."""
        read_on(self.main, cast("Message", error), offset)

    def read(self, by: By, logs: Iterable[tuple[Log, Place]]) -> None:
        """Read these logs with that consumer, each from its place, and with no other any more."""
        places = list(logs)
        for log, _ in places:
            self.leave(log)
        self._consumers[by].incremental_assign([position(*log, place) for log, place in places])
        self._by.update((log, by) for log, _ in places)
        if by is By.RESTING:
            self._rests_since_ms.update(dict.fromkeys((log for log, _ in places), monotonic_ms()))
        if by is By.CATCH_UP:
            self.catching_up.update(log for log, _ in places)

    def leave(self, log: Log) -> None:
        """Stop reading a log, wherever it is read."""
        by = self._by.pop(log, None)
        if by is not None:
            self.catching_up.discard(log)
            self._rests_since_ms.pop(log, None)
            self._consumers[by].incremental_unassign([TopicPartition(*log)])

    def reader_of(self, log: Log) -> By | None:
        """Which consumer reads it."""
        return self._by.get(log)

    def end_offset(self, log: Log) -> int:
        """The log's end as the last fetch told it; -1 while unknown. Asks nobody."""
        by = self._by.get(log)
        found = self._consumers[by].get_watermark_offsets(TopicPartition(*log), cached=True) if by else None
        return -1 if found is None else int(found[1])

    def close(self) -> None:
        """Let go of all."""
        for consumer in self._consumers.values():
            consumer.close()
