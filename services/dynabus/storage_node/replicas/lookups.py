"""Questions to Kafka that take milliseconds or hang while it is away: asked in threads of their own.

The loop starts a lookup and collects the answer in a later turn, so that requests never wait for one. They use
clients of their own: a consumer lets one thread in at a time, and the loop would wait outside of its own consumers.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.adapters.kafka.log_producer import LogProducer
from dynabus.adapters.kafka.positions import OUT_OF_RANGE, position
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError, TopicIdentity
from dynabus.adapters.lmdb import put_aside
from dynabus.adapters.logs import kafka_logger
from dynabus.core.replication.place import Place, one_before, other_history
from dynabus.core.replication.records import Record, decode_record
from dynabus.storage_node.replicas.readers import Log

TIMEOUT_S = 5.0
"""For the first record from some place on, or the word that there is none."""

AT_ONCE = frozenset({KafkaError._PARTITION_EOF, *OUT_OF_RANGE})
"""Errors that are an answer."""

THREADS = 3
"""One may wait for a Kafka that is away, one may be deleting a folder."""


class LogFacts(NamedTuple):
    """Which log a topic partition is, and what of it exists: offsets low <= offset < high."""

    identity: TopicIdentity
    low: int
    high: int
    cut: bool = False
    """It has lost what was read before a place, and has grown again beyond it; only `place_facts` knows."""


class LookupFailed(Exception):
    """Kafka did not tell; asking again may help."""


class Lookups:
    """Threads that ask."""

    def __init__(self, kafka: KafkaSettings, admin: TopicAdmin, log: LogProducer) -> None:
        self._settings, self._admin, self._log = kafka, admin, log
        self._identities: dict[str, TopicIdentity] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="lookups")

    def log_facts(self, log: Log, fresh: bool = False) -> Future[LogFacts]:
        """Raises LookupFailed in the future. `fresh`: trust nothing that was told before."""
        return self._pool.submit(self._log_facts, log, fresh)

    def place_facts(self, log: Log, place: Place) -> Future[LogFacts]:
        """The same, trusting nothing that was told before, and whether the log has what the place has read."""
        return self._pool.submit(self._place_facts, log, place)

    def genesis(self, log: Log) -> Future[Record | None]:
        """The first record of a log, None where it was pruned. Raises LookupFailed in the future."""
        return self._pool.submit(self._genesis, log)

    def acquaint(self, topic: str) -> None:
        """Let the producer look at a topic that is new or has grown."""
        self._pool.submit(self._log.acquaint, topic)

    def remove_folder(self, path: Path) -> None:
        """Deleting gigabytes takes long. Nothing is done where there is none."""
        if path.exists():
            self._pool.submit(shutil.rmtree, path, ignore_errors=True)

    def put_aside(self, path: Path, place: bytes | None) -> Future[None]:
        """Move a damaged store out of the way. Raises OSError in the future."""
        return self._pool.submit(put_aside, path, place)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _log_facts(self, log: Log, fresh: bool) -> LogFacts:
        try:
            identity = None if fresh else self._identities.get(log.topic)
            if identity is None:
                identity = self._identities[log.topic] = self._admin.identity(log.topic)
            return LogFacts(identity, *self._admin.extent(*log))
        except TopicError as error:
            raise LookupFailed(str(error)) from error

    def _place_facts(self, log: Log, place: Place) -> LogFacts:
        facts = self._log_facts(log, fresh=True)
        if not facts.low <= place.next_offset <= facts.high:
            return facts
        begin = one_before(place) if place.next_offset > facts.low else place
        message = self._first(position(*log, begin))
        problem = message.error() if message is not None else KafkaError(KafkaError._TIMED_OUT)
        if message is None or (problem is not None and problem.code() not in AT_ONCE):
            raise LookupFailed(f"{log.topic}/{log.number} could not be read at {place.next_offset}: {problem}")
        if problem is not None:
            return facts._replace(cut=problem.code() in OUT_OF_RANGE)
        epoch = message.leader_epoch()
        before = decode_record(message.offset() or 0, -1 if epoch is None else epoch, message.value())
        return facts._replace(cut=begin is not place and other_history(place, before))

    def _genesis(self, log: Log) -> Record | None:
        """It is asked for once in the life of a log that was recovered."""
        try:
            if self._admin.extent(*log)[0] > 0:
                return None
        except TopicError as error:
            raise LookupFailed(str(error)) from error
        message = self._first(TopicPartition(*log, 0))
        if message is None or message.error() is not None:
            raise LookupFailed(f"the first record of {log.topic}/{log.number} was not delivered")
        return decode_record(message.offset() or 0, -1, message.value())

    def _first(self, at: TopicPartition) -> Message | None:
        """What comes first from a position on, by a client of its own.

        It trusts no older look at who leads the topic partition, and has Kafka compare leader epochs.
        """
        consumer = Consumer(self._settings.log_reader(), logger=kafka_logger())
        try:
            consumer.assign([at])
            return consumer.poll(TIMEOUT_S)
        except KafkaException as error:
            raise LookupFailed(str(error)) from error
        finally:
            consumer.close()
