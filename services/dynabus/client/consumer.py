"""A member of a consumer group that reads a stream's topic: which shards are ours, from where, how far they are done.

The group's own consumer shares the shards out and takes commits; what it is assigned is paused. A second one reads
them, from where `core.streams.consuming` says, together with the cluster's metadata, which tell the shards' lineage.
Nothing is committed that was not processed: `done` is said of each record before the next `take`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import OUT_OF_RANGE, extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.stream_codec import entry_of
from dynabus.client.errors import ClientError, NoStreamError, TrimmedDataError
from dynabus.client.metadata import CALL_S, FETCH_MOST, POLL_S, Metadata, newest_stream
from dynabus.core.streams.consuming import Extent, Mark, Progress, beginning, read_metadata, write_metadata
from dynabus.core.streams.reading import CHANGE, CLOSED, Entry
from dynabus.core.streams.view import DISABLED, Stream, StreamsView
from dynabus.core.topics import Topics

SESSION_MS = 10_000
POLL_MOST_MS = 300_000
"""An application may take so long for one change; then the group takes its shards away. Kafka's default."""

SERVE_MS = 100.0
"""Between two turns of the group while changes are handed out."""

LOOK_MS = 500.0
"""Between two looks at shards that are held."""

_log = logging.getLogger("dynabus.client")


class Wish(NamedTuple):
    """What to read. `label`: of one stream of the table; None for the newest."""

    table: str
    group: str
    label: str | None
    only_new: bool
    """A group without commits begins with what is written from now on."""
    skips_gaps: bool
    commit_every_ms: float


class Record(NamedTuple):
    """A record that was read, of a shard's number."""

    number: int
    entry: Entry

    @property
    def progress(self) -> Progress:
        """Once it is processed."""
        return Progress(self.entry.offset + 1, self.entry.sequence)


class StreamConsumer:
    """Used by one thread at a time. Raises ClientError, and KafkaException where Kafka refuses or does not answer."""

    def __init__(self, kafka: KafkaSettings, wish: Wish) -> None:
        self._wish = wish
        self._topics = Topics(kafka.namespace)
        self._metadata = Metadata(self._topics, self._learn)
        self._view = StreamsView()
        self._reader = Consumer(kafka.loop_consumer(partition_eof=True), logger=_log)
        self._metadata.read(self._reader, NoStreamError)
        self.name = newest_stream(self._view, wish.table, wish.label)
        self._topic = self._topics.stream_name(*self.name)
        self._mine: set[int] = set()
        self._waiting: set[int] = set()
        """Of ours: those of which it is not known yet where they begin."""
        self._read: dict[int, Progress] = {}
        self._uncommitted: dict[int, Progress] = {}
        self._buffer: deque[Record] = deque()
        self._look_due_ms = self._commit_due_ms = self._serve_due_ms = 0.0
        properties = kafka.group_member(wish.group, SESSION_MS)
        self._group = Consumer({**properties, "max.poll.interval.ms": POLL_MOST_MS}, logger=_log)
        self._group.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    @property
    def stream(self) -> Stream | None:
        """As metadata have it now; None where it was deleted."""
        return self._view.named(*self.name)

    def shard_id(self, number: int) -> str:
        """As the DynamoDB API names it."""
        stream = self.stream
        shard = stream.shards.get(number) if stream is not None else None
        return shard.id if shard is not None else str(number)

    # -- reading ----------------------------------------------------------------------------------------------

    def take(self, timeout_s: float) -> Record | None:
        """The next change that counts, if there is one in that time. What was taken before must be `done`."""
        end_ms = exact_ms() + timeout_s * 1000
        while True:
            self._serve()
            while self._buffer:
                record = self._buffer.popleft()
                if self._counts(record):
                    return record
            left_s = (end_ms - exact_ms()) / 1000
            if left_s < 0:
                return None
            self._fetch(min(POLL_S, left_s))

    def holds(self, record: Record) -> bool:
        """Its shard is still read here."""
        return record.number in self._read

    def done(self, record: Record) -> None:
        """It was processed."""
        if record.number in self._mine:
            self._uncommitted[record.number] = record.progress

    def _counts(self, record: Record) -> bool:
        """The table of `core.streams.reading`; what does not count is processed at once."""
        number, entry = record
        if number not in self._read:
            # Behind a shard's end: repeats of a propagator that was late.
            return False
        last = self._read[number].last
        if entry.type == CLOSED:
            self._end(number, Progress(entry.offset + 1, last, Mark.ENDED))
            return False
        if entry.type == CHANGE and entry.sequence.is_behind(last):
            self._read[number] = record.progress
            return True
        self._uncommitted[number] = self._read[number] = Progress(entry.offset + 1, last)
        return False

    def _end(self, number: int, progress: Progress) -> None:
        """The shard is read to its end: its children, wherever they are read, wait for the commit."""
        self._reader.incremental_unassign([self._where(number)])
        del self._read[number]
        self._uncommitted[number] = progress
        self.commit()
        self._look_due_ms = 0.0

    def _serve(self) -> None:
        """Take part in the group, and commit, also while there is enough to hand out: that may last."""
        now_ms = exact_ms()
        if now_ms < self._serve_due_ms:
            return
        self._serve_due_ms = now_ms + SERVE_MS
        self._group.poll(0)
        if now_ms >= self._commit_due_ms:
            self._commit_due_ms = now_ms + self._wish.commit_every_ms
            self.commit()

    def _fetch(self, timeout_s: float) -> None:
        now_ms = exact_ms()
        if self._waiting and now_ms >= self._look_due_ms:
            self._look_due_ms = now_ms + LOOK_MS
            self._begin_waiting()
        for message in arrived(self._reader, FETCH_MOST, timeout_s):
            self._take(message)

    def _take(self, message: Message) -> None:
        number = message.partition() or 0
        if (error := message.error()) is not None:
            if message.topic() == self._topic and error.code() in OUT_OF_RANGE:
                self._out_of_range(number)
            elif error.code() != KafkaError._PARTITION_EOF:
                _log.info("%s: %s", message.topic(), error.str())
        elif message.topic() == self._metadata.name:
            self._metadata.take(message)
        elif number in self._read:
            self._buffer.append(Record(number, entry_of(message)))

    # -- where shards begin -----------------------------------------------------------------------------------

    def _begin_waiting(self) -> None:
        """Those of ours that are not held begin."""
        stream = self.stream
        if stream is None:
            return
        numbers = {number for number in self._waiting if number in stream.shards}
        parents = {parent for number in numbers if (parent := stream.shards[number].parent) is not None}
        # Children, which have greater numbers, before their parents (`beginning`).
        line = sorted(numbers | {parent for parent in parents if parent in stream.shards}, reverse=True)
        progress, extents = self._committed(line), {number: self._extent(number) for number in line}
        for number in sorted(numbers):
            begin = beginning(
                stream.shards[number], stream.shards, progress, extents, self._wish.only_new, stream.is_live
            )
            if begin is None:
                continue
            if begin.mark is Mark.READING:
                self._begin(number, begin, extents[number])
            elif number not in progress:
                self._uncommitted[number] = begin
            self._waiting.discard(number)

    def _begin(self, number: int, begin: Progress, extent: Extent) -> None:
        if begin.offset < extent.low:
            self._gap(number, begin.offset, extent.low)
            begin = begin._replace(offset=extent.low)
        elif begin.offset > extent.end:
            raise ClientError(
                f"the group has processed shard {self.shard_id(number)} up to offset {begin.offset}, but "
                f"{self._topic} ends at {extent.end}: Kafka lost records, or the topic was made anew; begin with "
                "another group"
            )
        self._read[number] = self._uncommitted[number] = begin
        self._reader.incremental_assign([self._where(number, begin.offset)])

    def _out_of_range(self, number: int) -> None:
        """Retention was faster than the application."""
        if number not in self._read:
            return
        self._drop([number])
        self._waiting.add(number)
        self._look_due_ms = 0.0

    def _gap(self, number: int, processed: int, low: int) -> None:
        error = TrimmedDataError(self.shard_id(number), processed, low)
        if not self._wish.skips_gaps:
            raise error
        _log.warning("%s", error)

    def _extent(self, number: int) -> Extent:
        return Extent(*extent_of(self._reader, self._topic, number, CALL_S))

    # -- the group --------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """What was processed so far. What Kafka does not take now is committed later, or read again by others."""
        if not self._uncommitted:
            return
        offsets = [self._where(number, each.offset, each) for number, each in self._uncommitted.items()]
        try:
            self._group.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            _log.warning("%s: not committed: %s", self._topic, error.args[0].str())
        else:
            self._uncommitted.clear()

    def finished(self) -> bool:
        """The stream is written no more, and the group has processed all of it."""
        stream = self.stream
        if stream is None:
            return True
        if stream.status != DISABLED:
            return False
        self.commit()
        marks = {number: each.mark for number, each in self._committed(stream.shards).items()}
        return all(marks.get(number, Mark.READING) is not Mark.READING for number in stream.shards)

    def close(self) -> None:
        """Commit and leave the group, so that others need not wait for the session's end."""
        self.commit()
        self._group.close()
        self._reader.close()

    def _committed(self, numbers: Iterable[int]) -> dict[int, Progress]:
        found = self._group.committed([self._where(number) for number in numbers], timeout=CALL_S)
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
        return {each.partition: read_metadata(each.offset, each.metadata) for each in found if each.offset >= 0}

    def _assigned(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        paused = [TopicPartition(each.topic, each.partition, OFFSET_END) for each in given]
        consumer.incremental_assign(paused)
        consumer.pause(paused)
        numbers = {each.partition for each in given}
        self._mine |= numbers
        self._waiting |= numbers
        self._look_due_ms = 0.0

    def _revoked(self, consumer: Consumer, taken: list[TopicPartition]) -> None:
        self.commit()
        self._lost(consumer, taken)

    def _lost(self, _: Consumer, taken: list[TopicPartition]) -> None:
        numbers = [each.partition for each in taken]
        self._drop(numbers)
        for number in numbers:
            self._mine.discard(number)
            self._waiting.discard(number)
            self._uncommitted.pop(number, None)

    def _drop(self, numbers: Iterable[int]) -> None:
        """What was read of them and not handed out is somebody else's."""
        gone = [number for number in numbers if self._read.pop(number, None) is not None]
        if gone:
            self._reader.incremental_unassign([self._where(number) for number in gone])
        self._buffer = deque(record for record in self._buffer if record.number in self._read)

    def _where(self, number: int, offset: int = OFFSET_END, progress: Progress | None = None) -> TopicPartition:
        if progress is None:
            return TopicPartition(self._topic, number, offset)
        return TopicPartition(self._topic, number, offset, write_metadata(progress))

    # -- metadata ---------------------------------------------------------------------------------------------

    def _learn(self, kind: str, body: Any) -> None:
        if kind == "stream_metadata":
            self._view.take(body)
