"""Copies of a table's partitions for an application, each at one place, and where a group goes on from them.

A copy is a clone (`core.cloning`) of which only the rows are taken. Its place says which changes are in it:

    offset in the shard's topic:   ... | begin                                  ... and from here on the group reads
    offset in the partition's log: ... | upto <= place of the copy

`begin`, the end of the shard as it is before anything is asked for, comes first; then `upto`, the end of the log. All
that is in the shard before `begin` is in the log before `upto`, and the copy must have read as far. What comes behind
`begin` and has an offset below the copy's place is in the copy: the group's position says so, and it is passed over.

| shard                                             | the group's position                                         |
|---------------------------------------------------|--------------------------------------------------------------|
| of a partition that was copied                    | `begin`, nothing counts below the copy's place               |
| of one that it was split from, however long ago   | skipped                                                      |
| of one that was split from it meanwhile           | none: it is read from its start once its parent's is ended   |
"""

from __future__ import annotations

import logging
import random
import struct
from collections.abc import Generator, Iterator
from contextlib import closing
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import OUT_OF_RANGE, extent_of, read_on
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.log_codec import decode_place
from dynabus.client.errors import NoCopyError, NoKafkaError, NoStreamError
from dynabus.client.group_positions import GroupPositions, may_pass
from dynabus.client.metadata import Metadata, newest_stream
from dynabus.core.cloning.choice import choose
from dynabus.core.cloning.contents import NotWhole, Received
from dynabus.core.cloning.pace import Pace
from dynabus.core.cloning.position import Pair, Section
from dynabus.core.cloning.receiver import Receiver, State, Wanted
from dynabus.core.cluster_view import ClusterView
from dynabus.core.ids import LogId, NodeName
from dynabus.core.messages import PartitionMetadata
from dynabus.core.published_table import FROZEN
from dynabus.core.rows import decode_row
from dynabus.core.streams.consuming import Extent, Mark, Progress, write_metadata
from dynabus.core.streams.sequence import Sequence
from dynabus.core.streams.shards import Shard, are_copied_with
from dynabus.core.streams.view import Stream, StreamsView
from dynabus.core.topics import Topics

CALL_S = 10.0

POLL_S = 0.05
FETCH_MOST = 100

AGAIN_MS = 200.0
"""Between two tries: a follower that had not read as far has by then."""

SPOOL_BYTES = 32 << 20
"""Of a partition's rows in memory; more of them wait on disk until the whole copy is proved."""

CLONE_BITS = 62

_LENGTH = struct.Struct(">I")

_log = logging.getLogger("dynabus.client")


class Wish(NamedTuple):
    """`patience_s`: for a partition of which no try gets further than those before."""

    table: str
    group: str
    label: str | None
    patience_s: float


class _Failed(Exception):
    """This copy came to nothing; another source may do."""


class Copies:
    """Used by one thread at a time. Raises ClientError, and KafkaException where Kafka refuses or does not answer."""

    def __init__(self, kafka: KafkaSettings, wish: Wish) -> None:
        self._wish, self._topics = wish, Topics(kafka.namespace)
        self._view, self._streams = ClusterView(), StreamsView()
        self._reader = Consumer(kafka.loop_consumer(partition_eof=True), logger=_log)
        self._metadata = Metadata(self._topics, self._learn)
        self._metadata.read(self._reader, NoStreamError)
        self._name = newest_stream(self._streams, wish.table, wish.label)
        self._producer = Producer(kafka.request_producer(), logger=_log)
        self._admin = TopicAdmin(kafka)
        self._group = GroupPositions(kafka, wish.group, self._admin)
        self._me = NodeName(f"copies.{wish.group}"[:CLIENT_NAME_MOST])
        self._positions: dict[int, Progress] = {}
        self._receiver: Receiver | None = None
        self._came: list[Pair] = []
        self._received = Received(0)
        self._listen()

    def close(self) -> None:
        """The topic through which copies came is not needed any more."""
        self._reader.close()
        self._group.close()
        try:
            self._admin.delete([self._topics.clone(self._me).name])
        except TopicError as error:
            _log.warning("topic %s stays: %s", self._topics.clone(self._me).name, error)

    # -- what is read -----------------------------------------------------------------------------------------

    def items(self) -> Generator[bytes, None, None]:
        """All items as JSON, partition by partition; each partition's at one place. Raises NoCopyError."""
        while (partition := self._next()) is not None:
            rows = self._copied(partition)
            if rows is not None:
                with closing(rows):
                    yield from _read(rows)

    def commit(self) -> None:
        """The group goes on behind what was read. A Kafka that does not answer is asked again for `patience_s`: hours
        of copying may lie behind it. Raises BusyGroupError, NoKafkaError."""
        end_ms = exact_ms() + self._wish.patience_s * 1000
        while True:
            try:
                self._commit()
                return
            except (NoKafkaError, KafkaException) as error:
                if exact_ms() >= end_ms or not may_pass(error):
                    raise
                _log.info("group %s: positions are set again: %s", self._wish.group, error)
            self._hear_for(AGAIN_MS)

    def _commit(self) -> None:
        topic = self._topics.stream_name(*self._name)
        positions = {**self._positions, **self._skipped(topic)}
        offsets = [TopicPartition(topic, each, at.offset, write_metadata(at)) for each, at in positions.items()]
        self._group.set(offsets)

    def _skipped(self, topic: str) -> dict[int, Progress]:
        """Shards that are in the copies of those that were split from them."""
        shards = self._stream().shards
        old = [shard for shard in shards.values() if are_copied_with(shard, shards, self._positions)]
        ends = {shard.number: Extent(*extent_of(self._reader, topic, shard.number, CALL_S)).end for shard in old}
        return {number: Progress(end, mark=Mark.SKIPPED) for number, end in ends.items()}

    def _next(self) -> PartitionMetadata | None:
        """One that is neither copied yet nor was split from one that is."""
        self._hear(0.0)
        for partition in self._partitions():
            if self._positions.keys().isdisjoint({partition["number"], *partition["lineage"]}):
                return partition
        return None

    def _partitions(self) -> list[PartitionMetadata]:
        table = self._view.table(self._stream().table)
        if table is None:
            raise NoStreamError(f"table {self._wish.table} was deleted")
        return table.partitions

    def _stream(self) -> Stream:
        stream = self._streams.named(*self._name)
        if stream is None or not stream.is_live:
            raise NoStreamError(f"the stream of table {self._wish.table} is over; switch on another and begin anew")
        return stream

    # -- one partition ----------------------------------------------------------------------------------------

    def _copied(self, partition: PartitionMetadata) -> IO[bytes] | None:
        """Its rows; None where it was split before they were all here: its children are copied instead."""
        number, refused, why = partition["number"], set[str](), "no node has a replica that could be copied"
        patience_ms, furthest = self._wish.patience_s * 1000, 0
        give_up_ms = exact_ms() + patience_ms
        while exact_ms() < give_up_ms:
            self._hear_for(AGAIN_MS)
            serving = {each["number"]: each for each in self._partitions()}
            if number not in serving:
                return None
            if serving[number]["state"] == FROZEN:
                raise NoCopyError(f"partition {number} is frozen: its log lost records; `dynabus admin recover`")
            source = choose(self._view.replicas_of(self._stream().table, number, exact_ms()), refused)
            if source is None or number not in self._stream().shards:
                continue
            try:
                return self._copy(number, source)
            except _Failed as error:
                refused.add(source)
                why = str(error)
                came = self._received.totals[0][0]
                if came > furthest:
                    furthest, give_up_ms = came, exact_ms() + patience_ms
                _log.info("partition %d was not copied from %s: %s", number, source, why)
        raise NoCopyError(f"partition {number} could not be copied within {self._wish.patience_s:.0f} s: {why}")

    def _copy(self, number: int, source: str) -> IO[bytes]:
        shard, log = self._stream().shards[number], self._stream().table
        try:
            _, begin = extent_of(self._reader, self._topics.stream_name(*self._name), number, CALL_S)
            _, upto = extent_of(self._reader, self._topics.log_name(LogId(log)), number, CALL_S)
        except KafkaException as error:
            raise _Failed(error.args[0].str()) from error
        wanted, clone = Wanted(self._me, log, number, upto), random.SystemRandom().getrandbits(CLONE_BITS)
        self._receiver, self._received = Receiver(clone, wanted, Pace(0.0), 0.0, exact_ms()), Received(0)
        rows = SpooledTemporaryFile(SPOOL_BYTES, prefix="dynabus-copy-")  # noqa: SIM115  # given to the caller
        try:
            place = self._receive(self._receiver, source, rows)
        except BaseException:
            rows.close()
            raise
        finally:
            self._ask(source, self._receiver.over())
            self._receiver = None
        self._positions[number] = Progress(begin, last_below(shard, place))
        rows.seek(0)
        return rows

    def _receive(self, receiver: Receiver, source: str, rows: IO[bytes]) -> int:
        """The offset up to which the copy has the log."""
        while receiver.position.section is Section.ROWS or receiver.manifest is None:
            request = receiver.request(exact_ms())
            if request is not None:
                self._ask(source, request)
            if receiver.state is State.FAILED:
                raise _Failed(receiver.why)
            self._hear(POLL_S)
            for _, row in self._came:
                item = decode_row(row).item_json
                if item:  # and no tombstone
                    rows.write(_LENGTH.pack(len(item)) + item)
            self._came.clear()
        place = decode_place(receiver.manifest["place"])
        try:
            self._received.check_rows(receiver.manifest)
        except NotWhole as error:
            raise _Failed(str(error)) from error
        if place.group is None:
            raise _Failed("its log has not begun there")
        return place.next_offset

    def _ask(self, source: str, request: Any) -> None:
        self._producer.produce(self._topics.requests(NodeName(source)).name, encode("clone_request", request))
        self._producer.poll(0)

    # -- what comes -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._group.refuse_members()
        mine, heartbeats = self._topics.clone(self._me), self._topics.heartbeats().name
        try:
            self._admin.ensure([mine])
        except TopicError as error:
            raise NoKafkaError(f"topic {mine.name}, for copies, cannot be made: {error}") from error
        _, end = extent_of(self._reader, mine.name, 0, CALL_S)
        self._reader.incremental_assign(
            [TopicPartition(mine.name, 0, end), TopicPartition(heartbeats, 0, OFFSET_END)]
        )

    def _hear_for(self, wait_ms: float) -> None:
        end_ms = exact_ms() + wait_ms
        while (left_ms := end_ms - exact_ms()) > 0:
            self._hear(left_ms / 1000)

    def _hear(self, timeout_s: float) -> None:
        """Whatever has come; waits for the first message."""
        for message in arrived(self._reader, FETCH_MOST, timeout_s):
            if (error := message.error()) is None:
                self._take(message)
            elif error.code() in OUT_OF_RANGE:
                # The application took longer than it is kept: librdkafka fetches no more of it.
                is_metadata = message.topic() == self._metadata.name
                read_on(self._reader, message, OFFSET_BEGINNING if is_metadata else OFFSET_END)
            elif error.code() != KafkaError._PARTITION_EOF:
                _log.info("%s: %s", message.topic(), error.str())
        if self._view.wants_heartbeats(exact_ms()):
            wanted = encode("heartbeats_wanted", {"asker": self._me})
            self._producer.produce(self._topics.heartbeats().name, wanted)
        self._producer.poll(0)

    def _take(self, message: Message) -> None:
        if message.topic() == self._metadata.name:
            self._metadata.take(message)
            return
        value = message.value()
        try:
            kind, body = decode(value)
        except UndecodableMessage as error:
            _log.info("message of %s skipped: %s", message.topic(), error)
            return
        receiver = self._receiver
        if kind == "heartbeat":
            self._view.take(kind, body, exact_ms())
        elif receiver is not None and "clone" in body:
            got = receiver.take(kind, body, len(value or b""), exact_ms())
            if got is not None and got[0] is Section.ROWS:
                self._add(receiver, got[1])

    def _add(self, receiver: Receiver, pairs: list[Pair]) -> None:
        try:
            self._received.add(Section.ROWS, pairs)
        except NotWhole as error:
            receiver.fail(str(error))
        else:
            self._came += pairs

    def _learn(self, kind: str, body: Any) -> None:
        if kind == "stream_metadata":
            self._streams.take(body)
        else:
            self._view.take(kind, body, exact_ms())


CLIENT_NAME_MOST = 150
"""Of a topic's name: with the namespace it stays below Kafka's 249 characters."""


def last_below(shard: Shard, place: int) -> Sequence:
    """The last change that a copy at this place of the log may hold: none up to it counts any more."""
    return Sequence(shard.generation, 0, max(0, place - 1))


def _read(rows: IO[bytes]) -> Iterator[bytes]:
    while head := rows.read(_LENGTH.size):
        yield rows.read(_LENGTH.unpack(head)[0])
