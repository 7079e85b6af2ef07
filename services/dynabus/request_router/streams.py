"""Reads stream topics for the DynamoDB Streams API: a few consumers, each for one question at a time, in threads.

A consumer is assigned what is asked for, reads as far as the topic partition reached when the question came, and is
given back with nothing assigned. So no fetch is parked that the next question would have to wait for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.ingest_codec import COMMAND_ID, OUTCOME_ID
from dynabus.adapters.ingest_codec import PUBLISHED as COMMANDS
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.adapters.stream_codec import PUBLISHED, SCHEMA_ID, decode_change, entry_of
from dynabus.adapters.table_codec import ITEM_ID
from dynabus.adapters.table_codec import PUBLISHED as ITEMS
from dynabus.core.errors import internal_server_error
from dynabus.core.operations.calls import Context
from dynabus.core.operations.stream_calls import (
    Extent,
    Extents,
    Fetched,
    Seek,
    StreamCall,
    StreamContext,
    StreamReply,
)
from dynabus.core.operations.stream_registry import stream_routes
from dynabus.core.propagation.view import DerivedView
from dynabus.core.streams.reading import CLOSED, Entry
from dynabus.core.streams.registry import Registry
from dynabus.core.streams.view import Stream
from dynabus.core.topics import Topics

READERS_MOST = 4
"""Questions at once; a poller of a shard asks once or a few times a second, for milliseconds."""

CALL_S = 3.0
READ_MOST, POLL_S = 500, 0.5
BYTES_MOST = 4 << 20
"""Of one fetch: an answer has 1 MB, and some of what was read may be repeats."""

TAIL = 16
"""Records at the end of a shard that are looked at: the repeats of a late propagator may lie behind its end."""

CACHED_MOST = 10_000
"""Ends of shards that are remembered; what lies at an offset never changes."""

UNKNOWN = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})
"""The topic, or its newest partitions, are just being made."""


class Streams:
    """The streams that a router knows, and the operations on them. Consumers are made for the first one."""

    def __init__(self, kafka: Callable[[], KafkaSettings], topics: Topics, context: Context) -> None:
        self.view = DerivedView()
        self._kafka, self._topics = kafka, topics
        self._context = StreamContext(context, self.view)
        self._reading: StreamTopics | None = None

    async def run(self, operation: str, body: Any) -> bytes:
        """The answer's JSON of one request. Raises ApiError."""
        if self._reading is None:
            self._reading = StreamTopics(self._kafka(), self._topics)
        steps = stream_routes[operation](body, self._context, decode_change)
        try:
            call = next(steps)
            while True:
                call = steps.send(await self._reading.perform(call))
        except StopIteration as done:
            answer: bytes = done.value
            return answer

    def close(self) -> None:
        """No more questions come."""
        if self._reading is not None:
            self._reading.close()

    def registry(self, path: str) -> tuple[int, bytes] | None:
        """The answer of the schema registry's API to a GET; None for other paths."""
        topics = {self._topics.stream_name(each.name, each.label): SCHEMA_ID for each in self.view.all()}
        tables = {self._topics.table_name(each.name): ITEM_ID for each in self.view.table_topics()}
        schemas = {**PUBLISHED, **COMMANDS, **ITEMS}
        return Registry(schemas, {**topics, **tables, **self._of_commands()}).answer(path)

    def _of_commands(self) -> dict[str, int]:
        """Topics of tables that take commands, and the schemas of what is Avro there."""
        tables = [name for name, each in self._context.context.view.tables.items() if each.ingest]
        if not tables:
            return {}
        ingest = [self._topics.common_ingest(), *map(self._topics.ingest, tables)]
        outcomes = map(self._topics.outcomes, tables)
        return {each.name: COMMAND_ID for each in ingest} | {each.name: OUTCOME_ID for each in outcomes}

    def shown(self) -> list[dict[str, str]]:
        """The member `streams` of `dynabus status --json`."""
        return self.view.shown(self._topics)


class StreamTopics:
    """Performs the calls of operations on streams."""

    def __init__(self, kafka: KafkaSettings, topics: Topics) -> None:
        self._kafka, self._topics = kafka, topics
        self._idle: SimpleQueue[_Reader] = SimpleQueue()
        self._pool = ThreadPoolExecutor(READERS_MOST, thread_name_prefix="streams")
        self._ends: dict[tuple[str, int, int, int], Extent] = {}

    async def perform(self, call: StreamCall) -> StreamReply:
        """Raises ApiError (HTTP 500) where Kafka does not answer."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._perform, call)

    def close(self) -> None:
        """No more questions come."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _perform(self, call: StreamCall) -> StreamReply:
        try:
            reader = self._idle.get_nowait()
        except Empty:
            reader = _Reader(self._kafka)
        try:
            reply = self._ask(reader, call)
        except (KafkaException, UndecodableMessage, TimeoutError) as error:
            # Not given back: whatever ails it, the next question gets a new one.
            reader.close()
            logger().warning("stream not read", reason=str(error))
            raise internal_server_error() from error
        self._idle.put(reader)
        return reply

    def _ask(self, reader: _Reader, call: StreamCall) -> StreamReply:
        if isinstance(call, Extents):
            topic = self._topic(call.stream)
            return [self._extent(reader, topic, number) for number in call.numbers]
        topic = self._topic(call.stream)
        if isinstance(call, Seek):
            return reader.seek(topic, call.number, call.time_ms)
        low, end = reader.extent(topic, call.number)
        entries = reader.read(topic, call.number, max(call.offset, low), end, call.most)
        reached = entries[-1].offset + 1 if entries else call.offset
        return Fetched(low, entries, reached >= end)

    def _extent(self, reader: _Reader, topic: str, number: int) -> Extent:
        low, end = reader.extent(topic, number)
        if low == end:
            return Extent(low, end)
        key = (topic, number, low, end)
        known = self._ends.get(key)
        if known is None:
            first = reader.read(topic, number, low, end, 1)
            tail = reader.read(topic, number, max(low, end - TAIL), end, TAIL)
            known = Extent(low, end, first[0] if first else None, _last(tail))
            if len(self._ends) >= CACHED_MOST:
                self._ends.clear()
            self._ends[key] = known
        return known

    def _topic(self, stream: Stream) -> str:
        return self._topics.stream_name(stream.name, stream.label)


def _last(tail: list[Entry]) -> Entry | None:
    """The shard's end, or what is the newest of its changes."""
    return max(tail, key=lambda entry: (entry.type == CLOSED, entry.sequence), default=None)


class _Reader:
    """One consumer; used by one thread at a time."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._consumer = Consumer(kafka.loop_consumer(), logger=kafka_logger())
        self._known: set[tuple[str, int]] = set()

    def extent(self, topic: str, number: int) -> tuple[int, int]:
        """Offsets low <= offset < end; (0, 0) for what is not there yet."""
        try:
            if (topic, number) not in self._known:
                # The client keeps for a minute how many partitions a topic had.
                self._consumer.list_topics(topic, timeout=CALL_S)
            found = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=CALL_S)
        except KafkaException as error:
            if error.args[0].code() in UNKNOWN:
                return 0, 0
            raise
        if found is None:
            raise TimeoutError(f"no answer about {topic}")
        self._known.add((topic, number))
        return int(found[0]), int(found[1])

    def seek(self, topic: str, number: int, time_ms: int) -> int:
        """The first offset with this time or a later one; the end where there is none."""
        low, end = self.extent(topic, number)
        if low == end:
            return end
        (found,) = self._consumer.offsets_for_times([TopicPartition(topic, number, time_ms)], timeout=CALL_S)
        if found.error is not None:
            raise KafkaException(found.error)
        return int(found.offset) if found.offset >= 0 else end

    def read(self, topic: str, number: int, offset: int, end: int, most: int) -> list[Entry]:
        """Records from an offset up to `end`, no more than that."""
        if offset >= end:
            return []
        deadline = time.monotonic() + CALL_S
        entries: list[Entry] = []
        size = 0
        self._consumer.assign([TopicPartition(topic, number, offset)])
        try:
            while len(entries) < most and size < BYTES_MOST and offset < end:
                for message in arrived(self._consumer, min(most - len(entries), READ_MOST), POLL_S):
                    if (error := message.error()) is not None:
                        raise KafkaException(error)
                    entry = entry_of(message)
                    if entry.offset < end:
                        entries.append(entry)
                    offset, size = entry.offset + 1, size + len(entry.value)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{topic}/{number} is not read up to {end}")
        finally:
            self._consumer.unassign()
        return entries

    def close(self) -> None:
        self._consumer.close()
