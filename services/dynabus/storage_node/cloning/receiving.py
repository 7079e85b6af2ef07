"""The receiver's side of clones, in a thread with a consumer of its own: one clone at a time.

In this order, so that whatever dies leaves either nothing or a whole replica:

1. a folder beside the replica's; one that an earlier clone left there is thrown away, never gone on from (I6)
2. chunks are written as they come, committed without a place: a store without one is not gone on from
3. all that was counted is what the manifest says (`core.cloning.contents`)
4. where the node once held the replica and knows how far it had read: the log between there and the snapshot's place
   leads from the one to the other, so both read the same log (I9)
5. commit with place and totals, sync, mark clean
6. the replica's folder, which is empty or useless by now, is removed; rename; sync of the folder above
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.lmdb import LmdbStore, StoreError, discard, install
from dynabus.adapters.log_codec import AvroBodies, decode_place
from dynabus.adapters.logs import logger
from dynabus.core.cloning.choice import Extent, refusal
from dynabus.core.cloning.contents import NotWhole, Received
from dynabus.core.cloning.pace import Pace
from dynabus.core.cloning.receiver import Receiver, State, Wanted
from dynabus.core.ids import NodeName
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, Place
from dynabus.core.replication.records import decode_record
from dynabus.core.topics import Topics
from dynabus.storage_node.cloning.copies import write
from dynabus.storage_node.replicas.readers import Log

CLONE_BITS = 62
"""Of a clone's number: never twice, and it fits Avro's signed long."""

POLL_S = 0.02
"""Between two looks at what is to be asked for."""

DRAIN_MOST = 16
KAFKA_S = 5.0
COMMIT_BYTES = 4 << 20
"""LMDB keeps changed pages in memory until the commit, which does not wait for the disk here."""

PROOF_S = 30.0
"""Without any record of the log between the old place and the snapshot's: Kafka is away."""


class CloneFailed(Exception):
    """Nothing was installed; another try, or another source, may do."""


class OtherHistory(Exception):
    """The source has read another log than the replica that was here (I9): for people to decide."""


@dataclass(slots=True)
class Job:
    """One clone. `expected`: the place up to which the node's replica had read this very log, if that is known.

    `offset`: of the snapshot, once it is known. `cancelled`: by the loop; nobody wants it any more.
    """

    source: str
    wanted: Wanted
    log: Log
    origin: Origin
    extent: Extent
    path: Path
    indexes: int
    expected: Place | None = None
    offset: int = -1
    received: int = 0
    cancelled: bool = False


class CloneReceiving:
    """`begin` is called by the loop; the rest is the thread's."""

    def __init__(
        self,
        consumer: Callable[[], Consumer],
        producer: Callable[[], MessageProducer],
        topics: Topics,
        node: NodeName,
        bytes_per_s: float,
    ) -> None:
        self.chunks = self.bytes_received = 0
        self._make_consumer, self._make_producer = consumer, producer
        self._topics, self._topic = topics, topics.clone(node).name
        self._bytes_per_s = bytes_per_s
        self._dice = random.SystemRandom()
        self._pool: ThreadPoolExecutor | None = None
        self._consumer: Consumer | None = None
        self._producer: MessageProducer | None = None

    def begin(self, job: Job) -> Future[Place]:
        """Raises CloneFailed or OtherHistory in the future, whose result is the place of what is installed."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="cloning")
        return self._pool.submit(self._run, job)

    def close(self) -> None:
        """Do not wait: what is not whole is thrown away by the next run."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    # -- in the thread ----------------------------------------------------------------------------------------

    def _run(self, job: Job) -> Place:
        consumer, producer = self._links()
        pace = Pace(self._bytes_per_s)
        receiver = Receiver(self._dice.getrandbits(CLONE_BITS), job.wanted, pace, self._bytes_per_s, exact_ms())
        copy = unfinished(job.path)
        store: LmdbStore | None = None
        try:
            self._start_reading(consumer)
            discard(copy)
            store = LmdbStore(copy)
            place = self._receive(job, receiver, consumer, producer, store)
            store = None
            install(copy, job.path)
        except BaseException as error:
            if store is not None:
                store.abandon()
            with suppress(StoreError):
                discard(copy)  # it may be what has filled the disk
            if isinstance(error, (StoreError, NotWhole, KafkaException, UndecodableMessage, OSError)):
                raise CloneFailed(str(error)) from error
            raise
        finally:
            consumer.unassign()
            producer.send_one(self._requests(job), encode("clone_request", receiver.over()))
            producer.serve()
        return place

    def _links(self) -> tuple[Consumer, MessageProducer]:
        if self._consumer is None or self._producer is None:
            self._consumer, self._producer = self._make_consumer(), self._make_producer()
        return self._consumer, self._producer

    def _requests(self, job: Job) -> str:
        return self._topics.requests(NodeName(job.source)).name

    def _start_reading(self, consumer: Consumer) -> None:
        """From the end, as it is before anything is asked for."""
        _, end = extent_of(consumer, self._topic, 0, KAFKA_S)
        consumer.assign([TopicPartition(self._topic, 0, end)])

    def _receive(
        self, job: Job, receiver: Receiver, consumer: Consumer, producer: MessageProducer, store: LmdbStore
    ) -> Place:
        received, uncommitted = Received(job.indexes), 0
        while receiver.state is not State.WHOLE:
            if job.cancelled:
                raise CloneFailed("it is not wanted any more")
            request = receiver.request(exact_ms())
            if request is not None:
                producer.send_one(self._requests(job), encode("clone_request", request))
            producer.serve()
            if receiver.state is State.FAILED:
                raise CloneFailed(receiver.why)
            for value in _values(consumer):
                uncommitted += self._take(job, receiver, received, store, value)
            if uncommitted > COMMIT_BYTES:
                store.commit(b"")
                uncommitted = 0
        manifest = receiver.manifest
        assert manifest is not None
        counted, place = received.check(manifest), decode_place(manifest["place"])
        if job.expected is not None:
            self._prove(job, job.expected, place)
        store.close(manifest["place"], counted)
        return place

    def _take(self, job: Job, receiver: Receiver, received: Received, store: LmdbStore, value: bytes) -> int:
        kind, message = decode(value)
        had = receiver.manifest
        got = receiver.take(kind, message, len(value), exact_ms())
        if had is None and receiver.manifest is not None:
            self._judge(job, receiver, decode_place(receiver.manifest["place"]))
        if got is None:
            return 0
        section, pairs = got
        received.add(section, pairs)
        write(store, section, pairs)
        job.received += len(value)
        self.bytes_received += len(value)
        self.chunks += 1
        return len(value)

    def _judge(self, job: Job, receiver: Receiver, place: Place) -> None:
        why = refusal(place, job.origin, job.extent, job.wanted.at_least)
        if why is None:
            job.offset = place.next_offset
        else:
            receiver.fail(f"the snapshot of {job.source} is of no use: {why}")

    def _prove(self, job: Job, old: Place, new: Place) -> None:
        """Fold the log from the old place to the new one: they must be of one history."""
        if old.next_offset < job.extent.low or old.origin != new.origin:
            # What it had read is pruned, so every member had it on disk (I8); or it was of another log.
            return
        reader = self._make_consumer()
        try:
            reader.assign([TopicPartition(*job.log, old.next_offset)])
            reached = _folded(reader, old, new.next_offset)
        finally:
            reader.close()
        if reached is None or reached.chain != new.chain:
            raise OtherHistory(
                f"diverged: up to offset {old.next_offset} the log is not the one that the replica here had read, "
                f"or {job.source} has read another one; recover from the most advanced replica"
            )


def unfinished(path: Path) -> Path:
    """Where a clone is made."""
    return path.with_name(path.name + ".clone")


def _values(consumer: Consumer) -> list[bytes]:
    messages = arrived(consumer, DRAIN_MOST, POLL_S)
    for message in messages:
        error = message.error()
        if error is not None and not error.retriable():
            raise CloneFailed(error.str())
    return [value for message in messages if message.error() is None and (value := message.value()) is not None]


def _folded(reader: Consumer, place: Place, until: int) -> Place | None:
    """The place at that offset; None where the log is another one."""
    bodies, give_up_ms = AvroBodies(), exact_ms() + PROOF_S * 1000
    while place.next_offset < until:
        for message in arrived(reader, DRAIN_MOST, POLL_S):
            error = message.error()
            if error is not None and not error.retriable():
                raise CloneFailed(f"the log cannot be read: {error.str()}")
            offset = message.offset() or 0
            if error is not None or not place.next_offset <= offset < until:
                continue
            give_up_ms = exact_ms() + PROOF_S * 1000
            place, verdict = fold(place, decode_record(offset, message.leader_epoch() or 0, message.value()), bodies)
            if verdict in (Verdict.DIVERGED, Verdict.UNREADABLE):
                return None
        if exact_ms() > give_up_ms:
            raise CloneFailed(f"the log was not read up to offset {until} and nothing comes")
    return place


def log_cloned(partition: str, job: Job, took_ms: float) -> None:
    """A line for people."""
    speed = job.received / max(1.0, took_ms) / 1000
    logger().info(
        "replica cloned",
        partition=partition,
        source=job.source,
        offset=job.offset,
        megabytes=round(job.received / 1e6, 1),
        megabytes_per_s=round(speed, 1),
    )
