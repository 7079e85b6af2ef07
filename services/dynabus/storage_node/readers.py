"""The node's two consumers, assigned by hand, each position given with its assignment (I6).

`main` reads the inbox, heartbeats, metadata and every log that is up to date. librdkafka has one fetch in flight per
broker and client, so a log that is far behind would hold requests up, and a log that is new would wait until the
fetch that is parked comes back: such logs are read by `catch_up`, which is otherwise idle, and move when they have
reached their end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger

DRAIN_MOST = 1024
"""Messages per turn and consumer: a turn then takes at most some tens of milliseconds, and heartbeats go out."""

BUSY_POLL_S = 0.002
"""While a log is being caught up, `main` is looked at this often in between."""

WATERMARK_TIMEOUT_S = 5.0


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


class Readers:
    """Reads; `main` and `catch_up` may be asked about topics by other threads, but only polled by the loop."""

    def __init__(self, settings: KafkaSettings) -> None:
        own: dict[str, Any] = {"error_cb": _erred, "logger": kafka_logger()}
        self.main = Consumer({**settings.loop_consumer(), **own})
        self.catch_up = Consumer({**settings.log_reader(partition_eof=False), **own})
        self.catching_up: set[tuple[str, int]] = set()
        self._on_main: set[tuple[str, int]] = set()
        self._more = False

    def poll(self, timeout_s: float) -> tuple[list[Arrival], list[Arrival]]:
        """What `main` and `catch_up` have, after waiting for `main` for at most so long."""
        if self.catching_up:
            timeout_s = 0.0 if self._more else min(timeout_s, BUSY_POLL_S)
        first = self.main.poll(timeout_s)
        arrived = [] if first is None else [first, *self.main.consume(DRAIN_MOST, 0)]
        old = self.catch_up.consume(DRAIN_MOST, 0) if self.catching_up else []
        self._more = bool(old)
        return cast("list[Arrival]", arrived), cast("list[Arrival]", old)

    def start_at_end(self, topic: str) -> int:
        """Read the topic's only topic partition on `main` from its end. Raises KafkaException while it has none."""
        end = self.end_of(topic)
        self.assign_main([TopicPartition(topic, 0, end)])
        return end

    def end_of(self, topic: str) -> int:
        """Where the next message of the topic's only topic partition goes. Raises KafkaException."""
        found = self.main.get_watermark_offsets(TopicPartition(topic, 0), timeout=WATERMARK_TIMEOUT_S)
        if found is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return int(found[1])

    def assign_main(self, places: Iterable[TopicPartition]) -> None:
        """Read these on `main`, each from its offset."""
        places = list(places)
        self.main.incremental_assign(places)
        self._on_main.update((each.topic, each.partition) for each in places)

    def follow(self, topic: str, partition: int, offset: int) -> None:
        """Read a log from there, with `catch_up`."""
        self.catch_up.incremental_assign([TopicPartition(topic, partition, offset)])
        self.catching_up.add((topic, partition))

    def move(self, places: list[TopicPartition]) -> None:
        """Logs that were caught up go on, at these offsets, on `main`."""
        self.catch_up.incremental_unassign([TopicPartition(each.topic, each.partition) for each in places])
        self.catching_up.difference_update((each.topic, each.partition) for each in places)
        self.assign_main(places)

    def leave(self, topic: str, partition: int) -> None:
        """Stop reading a log, wherever it is read."""
        log = (topic, partition)
        if log in self.catching_up:
            self.catching_up.discard(log)
            self.catch_up.incremental_unassign([TopicPartition(topic, partition)])
        elif log in self._on_main:
            self._on_main.discard(log)
            self.main.incremental_unassign([TopicPartition(topic, partition)])

    def end_offset(self, topic: str, partition: int) -> int:
        """The log's end as the last fetch told it; -1 while unknown. Asks nobody."""
        consumer = self.catch_up if (topic, partition) in self.catching_up else self.main
        found = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
        return -1 if found is None else int(found[1])

    def close(self) -> None:
        """Let go of both."""
        self.main.close()
        self.catch_up.close()


def _erred(error: KafkaError) -> None:
    """Not about one topic partition: brokers come and go, the clients reconnect by themselves."""
    logger().warning("kafka", error=error.str())
