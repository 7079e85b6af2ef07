"""Looks at table topics for what a recovered partition left there (`core.propagation.sweeps`).

A look reads one topic partition from its begin to where it ended when the look began, in a thread of its own, and
keeps the keys whose last record has an item and a lower generation. It waits for transactions that have not ended:
what is committed behind their records is not shown before. One look at a time: recoveries are rare.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.adapters.table_codec import generation_of
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.backfill import Page
from dynabus.core.ids import LogId
from dynabus.core.key_schema import KeySchema
from dynabus.core.propagation.propagator import PageWish
from dynabus.core.propagation.sweeps import behind_topic_partition, index_of, is_topic_sweep, sweep_of, topic_position
from dynabus.core.propagation.view import DerivedView
from dynabus.core.topics import Topics
from dynabus.core.values import Item

BATCH = 1000
CALL_S = 5.0
SILENT_S = 30.0
"""A topic partition that shows nothing more for so long is looked at again: Kafka ends a transaction sooner."""

GONE_MOST = 1000
"""Of one look; it is done again for the rest, so that a transaction does not get too large."""


class _Look(NamedTuple):
    """`lower`, `upper`: bounds of the table's partition."""

    topic: str
    number: int
    generation: int
    schema: KeySchema
    lower: bytes
    upper: bytes | None


class TopicScans:
    """Used from one thread, but for the look itself."""

    def __init__(self, kafka: KafkaSettings, topics: Topics, view: ClusterView, derived: DerivedView) -> None:
        self._kafka, self._topics, self._view, self._derived = kafka, topics, view, derived
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="topic-scans")
        self._job: tuple[PageWish, Future[list[Item]]] | None = None
        self._came: list[tuple[PageWish, Page]] = []

    def wish(self, wishes: Iterable[PageWish]) -> list[PageWish]:
        """Begin one of those that are for table topics, if none is under way; the others are given back."""
        self._collect()
        others = []
        for wish in wishes:
            if not is_topic_sweep(wish.label):
                others.append(wish)
            elif self._job is None and (look := self._look(wish)) is not None:
                self._job = wish, self._pool.submit(self._scan, look)
        return others

    def take(self) -> list[tuple[PageWish, Page]]:
        """Keys that were found since the last call, as pages of items without other attributes."""
        self._collect()
        came, self._came = self._came, []
        return came

    def close(self) -> None:
        """What is under way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, wish: PageWish) -> _Look | None:
        log, number = wish.partition
        table, sweep = self._view.table(LogId(log)), sweep_of(wish.label)
        own = next((each for each in (table.partitions if table else ()) if each["number"] == number), None)
        if table is None or own is None or sweep is None:
            return None
        topic, at = self._topics.table_name(table.name), topic_position(wish.position)
        return _Look(topic, at, sweep.generation, table.schema, own["lower"], own["upper"])

    def _collect(self) -> None:
        if self._job is None or not self._job[1].done():
            return
        (wish, job), self._job = self._job, None
        try:
            found = job.result()
        except (KafkaException, UndecodableMessage, TimeoutError) as error:
            logger().warning(
                "a table topic is not looked through, tried again", log=str(wish.partition), reason=str(error)
            )
            return
        topic = next((each for each in self._derived.table_topics() if each.label == index_of(wish.label)), None)
        if topic is not None:
            number = topic_position(wish.position)
            behind = behind_topic_partition(number, topic.partitions)
            behind = bytes([number]) if len(found) > GONE_MOST else behind
            self._came.append((wish, Page(found[:GONE_MOST], wish.at_least, behind)))

    def _scan(self, look: _Look) -> list[Item]:
        """Keys of items that are no more."""
        own = {"group.id": f"{self._topics.namespace}.topic-scans"}
        consumer = Consumer({**self._kafka.log_reader(), **own}, logger=kafka_logger())
        stale: dict[bytes, None] = {}
        try:
            until = self._end_of(look)
            consumer.assign([TopicPartition(look.topic, look.number, OFFSET_BEGINNING)])
            while not self._read(consumer, look, until, stale):
                pass
        finally:
            consumer.close()
        keys = [orjson.loads(key) for key in stale]
        return [key for key in keys if _holds(look, key)]

    def _end_of(self, look: _Look) -> int:
        """With records of transactions that have not ended."""
        own = {"group.id": f"{self._topics.namespace}.topic-scans", "isolation.level": "read_uncommitted"}
        consumer = Consumer({**self._kafka.log_reader(), **own}, logger=kafka_logger())
        try:
            return extent_of(consumer, look.topic, look.number, CALL_S)[1]
        finally:
            consumer.close()

    def _read(self, consumer: Consumer, look: _Look, until: int, stale: dict[bytes, None]) -> bool:
        """Whether all before that offset was read. Raises TimeoutError."""
        messages = arrived(consumer, BATCH, SILENT_S)
        if not messages:
            raise TimeoutError(f"{look.topic}/{look.number} shows nothing more, {until} is its end")
        for message in messages:
            error, offset = message.error(), message.offset() or 0
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if offset >= until:
                return True
            if error is None:
                _note(message, look, stale)
        return False


def _note(message: Message, look: _Look, stale: dict[bytes, None]) -> None:
    key = message.key() or b""
    if message.value() is None or generation_of(message) >= look.generation:
        stale.pop(key, None)
    else:
        stale[key] = None


def _holds(look: _Look, key: Item) -> bool:
    encoded = look.schema.encode_item(key)
    return look.lower <= encoded and (look.upper is None or encoded < look.upper)
